import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { MetricEvent } from "../Event.ts"
import type * as Metric from "../Metric.ts"
import type { MetricChange, RecorderCapture, RecorderStats, StopReport } from "../Recorder.ts"
import type { RecorderOptions as RuntimeRecorderOptions } from "../Runtime.ts"
import type { Listener, Recorder, RecorderOptions, RecorderStatus } from "../Standalone.ts"
import { asyncContext } from "./host.ts"
import { insideHook, runPromise } from "./insideHook.ts"
import { InvalidOptionError } from "./InvalidOptionError.ts"
import { checkListener, listen } from "./listen.ts"
import type { RecorderHandle } from "./RecorderHandle.ts"
import { Subscription } from "./Subscription.ts"

/** A recorder, with promises and plain calls for effects. */
export class StandaloneRecorder implements Recorder {
  readonly registerEvent: (event: MetricEvent) => boolean
  private readonly handle: RecorderHandle
  private readonly listening: Set<unknown>

  constructor(handle: RecorderHandle, listening: Set<unknown>) {
    this.handle = handle
    this.listening = listening
    this.registerEvent = handle.registerEventUnsafe
  }

  get id(): string {
    return this.handle.core.recorderId
  }

  get entityId(): string {
    return this.handle.entityId
  }

  registerMetric(metric: Metric.Any): void {
    Effect.runSync(this.handle.registerMetric(metric))
  }

  unregisterMetric(name: string): boolean {
    return Effect.runSync(this.handle.unregisterMetric(name))
  }

  metrics(): ReadonlyArray<Metric.Any> {
    return Effect.runSync(this.handle.metrics)
  }

  snapshots(): Record<string, Metric.MetricSnapshot> {
    return this.handle.snapshotsUnsafe()
  }

  snapshot<M extends Metric.Any>(metric: M): Metric.MetricSnapshot<M> {
    this.handle.core.foldAll()
    return Effect.runSync(this.handle.snapshot(metric))
  }

  capture(): RecorderCapture {
    this.handle.core.foldAll()
    return this.handle.readCapture()
  }

  stats(): RecorderStats {
    return Effect.runSync(this.handle.stats)
  }

  status(): RecorderStatus {
    const status = this.handle.statusUnsafe
    return "cause" in status ? { _tag: status._tag, error: Cause.squash(status.cause) } : status
  }

  start(): Promise<void> {
    return runPromise(this.handle.start)
  }

  stop(): Promise<StopReport> {
    return runPromise(this.handle.stop)
  }

  flush(): Promise<void> {
    return runPromise(this.handle.flush)
  }

  subscribe(listener: Listener): () => void {
    checkListener(listener)
    const { core } = this.handle
    const subscription = new Subscription<MetricChange>(core.capacity)
    core.subscribe(subscription, core.accepted)
    const end = listen(subscription, listener, this.listening, asyncContext())
    return () => {
      end()
      core.unsubscribe(subscription)
    }
  }
}

const isObject: (u: unknown) => boolean = Predicate.isObject

/** The options of a recorder, with effects for promises. Throws an `InvalidOptionError`. */
export const effectful = (options: RecorderOptions): RuntimeRecorderOptions => {
  if (!isObject(options)) throw InvalidOptionError.of("options", options, "an object")
  const { onMetricChanged, onStarting, onStopped, ...others } = options
  return {
    ...others,
    // A custom recorder is made of effects.
    wrap: undefined,
    onStarting: onStarting && hook("onStarting", onStarting)(),
    onStopped: onStopped && hook("onStopped", onStopped)(),
    onMetricChanged: onMetricChanged && hook("onMetricChanged", onMetricChanged)
  }
}

const hook = <Args extends ReadonlyArray<unknown>>(
  option: string,
  f: (...args: [...Args, AbortSignal]) => unknown
): (...args: Args) => Effect.Effect<void, unknown> => {
  if (typeof f !== "function") throw InvalidOptionError.of(option, f, "a function")
  return (...args) =>
    Effect.withFiber((fiber) =>
      Effect.callback<void, unknown>((resume, signal) => {
        const run = async (): Promise<void> => {
          await f(...args, signal)
        }
        insideHook(fiber, run).then(() => resume(Effect.void), (error) => resume(Effect.fail(error)))
      })
    )
}
