import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"

/** A hook that runs, of whom it is a part: its recorder, and the dispatcher that stands for the runtime. */
export interface RunningHook {
  readonly recorder: unknown
  readonly dispatcher: unknown
  running: boolean
}

/**
 * The hooks inside of which a fiber was started. While one of them runs, the
 * fiber must not wait for its recorder, or its runtime: that may be waiting for
 * the fiber.
 */
export const EnclosingHooks = Context.Reference<ReadonlyArray<RunningHook>>("mvx-metrics/internal/EnclosingHooks", {
  defaultValue: () => []
})

/** Whether a fiber was started inside a hook, which still runs, of a recorder or of any recorder of a dispatcher. */
export const isInside = (fiber: Fiber.Fiber<unknown, unknown>, owner: unknown): boolean =>
  fiber.getRef(EnclosingHooks).some((hook) => hook.running && (hook.recorder === owner || hook.dispatcher === owner))
