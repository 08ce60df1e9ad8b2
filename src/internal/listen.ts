import * as Effect from "effect/Effect"
import type { MetricChange } from "../Recorder.ts"
import type { Listener } from "../Standalone.ts"
import { sliceMs } from "./Dispatcher.ts"
import { now } from "./host.ts"
import { InvalidOptionError } from "./InvalidOptionError.ts"
import type { Subscription } from "./Subscription.ts"

/** Throws an `InvalidOptionError` for what cannot be called. */
export const checkListener = (listener: unknown): void => {
  if (typeof listener !== "function") throw InvalidOptionError.of("listener", listener, "a function")
}

/** Calls the listener for what the subscription receives, in slices of time, until that is ended. */
export const listen = (subscription: Subscription<MetricChange>, listener: Listener): () => void => {
  let active = true
  let failed = false
  const fail = (error: unknown): void => {
    if (failed) return
    failed = true
    Effect.runFork(Effect.logError("A listener of metric changes failed: further failures of it are not logged", error))
  }
  const deliver = (): void => {
    const until = now() + sliceMs
    do {
      const change = subscription.take()
      if (change === undefined) break
      try {
        const result = listener(change)
        if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
          ;(result as PromiseLike<unknown>).then(undefined, fail)
        }
      } catch (error) {
        fail(error)
      }
      // The listener may have ended it.
      if (!active) return
    } while (now() < until)
    if (!subscription.done) subscription.onReady(deliver)
  }
  subscription.onReady(deliver)
  return () => {
    active = false
    subscription.onReady(undefined)
  }
}
