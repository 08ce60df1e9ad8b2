import * as Effect from "effect/Effect"
import type { MetricChange } from "../Recorder.ts"
import type { Listener } from "../Standalone.ts"
import { sliceMs } from "./Dispatcher.ts"
import { type asyncContext, now } from "./host.ts"
import { InvalidOptionError } from "./InvalidOptionError.ts"
import type { Subscription } from "./Subscription.ts"

/** Throws an `InvalidOptionError` for what cannot be called. */
export const checkListener = (listener: unknown): void => {
  if (typeof listener !== "function") throw InvalidOptionError.of("listener", listener, "a function")
}

/**
 * Calls the listener for what the subscription receives, in slices of time, until
 * that is ended: in its own context, not as a part of whatever happens to fold.
 * While it may be called, the subscription is in `listening`.
 */
export const listen = (
  subscription: Subscription<MetricChange>,
  listener: Listener,
  listening: Set<unknown>,
  inContext: ReturnType<typeof asyncContext>
): () => void => {
  let failed = false
  const fail = (error: unknown): void => {
    if (failed) return
    failed = true
    Effect.runFork(Effect.logError("A listener of metric changes failed: further failures of it are not logged", error))
  }
  const call = (change: MetricChange): void => {
    try {
      const result = listener(change)
      if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function") {
        ;(result as PromiseLike<unknown>).then(undefined, fail)
      }
    } catch (error) {
      fail(error)
    }
  }
  const deliver = (): void => {
    const until = now() + sliceMs
    do {
      const change = subscription.take()
      if (change === undefined) break
      call(change)
      // The listener may have ended it.
      if (!listening.has(subscription)) return
    } while (now() < until)
    if (subscription.done) listening.delete(subscription)
    else subscription.onReady(ready)
  }
  const ready = (): void => inContext(deliver)
  listening.add(subscription)
  subscription.onReady(ready)
  return () => {
    listening.delete(subscription)
    subscription.onReady(undefined)
  }
}
