import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"

/**
 * A hook, and of whom it is a part: a recorder, and the dispatcher that stands
 * for its runtime. Both are let go when it has run, because what was started
 * inside it may last, and inherits it.
 *
 * Finalizers run with what they inherited when they were added: what was acquired
 * in a hook is released as a part of that same hook, which then runs again.
 */
export class Hook {
  /** Another list for each run. */
  owners: ReadonlyArray<object> = []
}

/**
 * The hooks inside of which a fiber was started. While one of them runs, the
 * fiber must not wait for its recorder, or its runtime: that may be waiting for
 * the fiber.
 */
export const EnclosingHooks = Context.Reference<ReadonlyArray<Hook>>("mvx-metrics/internal/EnclosingHooks", {
  defaultValue: () => []
})

/** Whether a fiber was started inside a hook, which still runs, of a recorder or of any recorder of a dispatcher. */
export const isInside = (fiber: Fiber.Fiber<unknown, unknown>, owner: object): boolean =>
  fiber.getRef(EnclosingHooks).some(({ owners }) => owners.includes(owner))
