import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { EnclosingHooks, type Hook } from "./EnclosingHooks.ts"
import { makeAsyncStorage } from "./host.ts"

/** What fibers inherit, for code that is not in fibers: the hooks inside of which it runs. */
const storage = makeAsyncStorage<ReadonlyArray<Hook>>(globalThis)

/** Calls a function of the user's as a part of the hook that the fiber runs. */
export const insideHook = <A>(fiber: Fiber.Fiber<unknown, unknown>, f: () => A): A =>
  storage.run(fiber.getRef(EnclosingHooks), f)

/** Runs an effect as a part of the hooks inside of which this is called. */
export const runPromise = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromiseWith(Context.make(EnclosingHooks, storage.getStore() ?? []))(effect)
