import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { MetricSnapshot } from "../Metric.ts"
import type { Handle, RecorderCapture, StopReport } from "../Recorder.ts"
import type { RuntimeStats, ShutdownReport as EffectReport } from "../Runtime.ts"
import type { Listener, Options, Recorder, RecorderOptions, ShutdownReport, Standalone, Status } from "../Standalone.ts"
import { environment } from "./environment.ts"
import { asyncContext, giveWay } from "./host.ts"
import { runPromise } from "./insideHook.ts"
import type { InvalidOptionError } from "./InvalidOptionError.ts"
import { checkListener, listen } from "./listen.ts"
import type { RecorderHandle } from "./RecorderHandle.ts"
import { RecorderNotFoundError, RuntimeInvalidStateError } from "./RuntimeError.ts"
import { RuntimeHandle, runtimeSettingsOf } from "./RuntimeHandle.ts"
import { effectful, StandaloneRecorder } from "./StandaloneRecorder.ts"
import { StatsTotal, toStats } from "./StatsTotal.ts"

/** A listener, which may have come before the runtime was started. */
interface Subscriber {
  readonly listener: Listener
  readonly inContext: ReturnType<typeof asyncContext>
  end: (() => void) | undefined
}

const noReport: ShutdownReport = { recorders: 0, folded: 0, discarded: 0, changesSkipped: 0, failures: [] }

/** A runtime, with promises and plain calls for effects, and with a life before it is started. */
export class StandaloneRuntime implements Standalone {
  private readonly options: Options
  /** Where it is in its life while there is no runtime. */
  private before: Status = { _tag: "Virgin" }
  private starting: Fiber.Fiber<void, unknown> | undefined
  private runtime: RuntimeHandle | undefined
  private readonly recorders = new WeakMap<Handle, StandaloneRecorder>()
  private subscribers: ReadonlyArray<Subscriber> = []
  /** The subscriptions of listeners that may still be called. */
  private readonly listening = new Set<unknown>()

  constructor(options: Options = {}) {
    runtimeSettingsOf(options)
    this.options = { ...options }
  }

  start(): Promise<void> {
    const { _tag } = this.status()
    if (_tag === "Virgin") this.begin()
    else if (_tag !== "Starting") {
      return runPromise(Effect.fail(this.invalidState("start", "Virgin or Starting")))
    }
    return runPromise(
      Effect.flatMap(
        Fiber.await(this.starting!),
        (exit) => Exit.hasInterrupts(exit) ? Effect.fail(this.invalidState("start", "Virgin or Starting")) : exit
      )
    )
  }

  shutdown(): Promise<ShutdownReport> {
    if (this.runtime !== undefined) {
      return runPromise(Effect.onExit(Effect.map(this.runtime.shutdown, plainReport), () => this.untilHeard()))
    }
    if (this.before._tag !== "Failure") this.before = { _tag: "Closed", report: noReport }
    this.starting?.interruptUnsafe()
    return Promise.resolve(noReport)
  }

  status(): Status {
    if (this.runtime === undefined) return this.before
    const status = this.runtime.statusUnsafe
    if (status._tag === "Closed") return { _tag: "Closed", report: plainReport(status.report) }
    return status._tag === "Failure" ? { _tag: "Failure", error: Cause.squash(status.cause) } : status
  }

  createRecorder(id: string, options: RecorderOptions = {}): Promise<Recorder> {
    return this.run("createRecorder", (runtime) =>
      Effect.flatMap(
        Effect.try({ try: () => effectful(options), catch: (error) => error as InvalidOptionError }),
        (options) => Effect.map(runtime.createRecorder(id, options), (handle) => this.facade(handle))
      ))
  }

  getRecorder(id: string): Recorder {
    const recorder = this.findRecorder(id)
    if (recorder === undefined) throw RecorderNotFoundError.of(id)
    return recorder
  }

  findRecorder(id: string): Recorder | undefined {
    const recorder = this.runtime?.registry.find(id)
    return recorder && this.facade(recorder.handle)
  }

  recorderIds(): ReadonlyArray<string> {
    return this.runtime?.registry.ids ?? []
  }

  stopRecorder(id: string): Promise<StopReport> {
    return this.run("stopRecorder", (runtime) => runtime.stopRecorder(id))
  }

  removeRecorder(id: string): Promise<Recorder> {
    return this.run(
      "removeRecorder",
      (runtime) => Effect.map(runtime.removeRecorder(id), (handle) => this.facade(handle))
    )
  }

  snapshots(): Record<string, Record<string, MetricSnapshot>> {
    return Object.freeze(Object.fromEntries(this.readable.map((recorder) => [recorder.id, recorder.snapshots()])))
  }

  captures(): ReadonlyArray<RecorderCapture> {
    return this.runtime?.capturesUnsafe() ?? []
  }

  stats(): RuntimeStats {
    return this.runtime?.statsUnsafe ?? { ...toStats(new StatsTotal()), recorders: 0 }
  }

  subscribe(listener: Listener): () => void {
    checkListener(listener)
    const { runtime } = this
    const subscriber: Subscriber = { listener, inContext: asyncContext(), end: undefined }
    if (runtime === undefined) this.subscribers = [...this.subscribers, subscriber]
    else this.attach(runtime, subscriber)
    return () => {
      this.subscribers = this.subscribers.filter((other) => other !== subscriber)
      subscriber.end?.()
    }
  }

  /** Waits until listeners have heard of the last changes; not from inside a hook, where there may be more to come. */
  private untilHeard(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.status()._tag !== "Closed" || this.listening.size === 0
        ? Effect.void
        : Effect.andThen(giveWay, this.untilHeard())
    )
  }

  private begin(): void {
    this.before = { _tag: "Starting" }
    // In a later turn, so that `start` does one thing, however the environment is read.
    this.starting = Effect.runFork(Effect.andThen(
      Effect.yieldNow,
      // The environment as it is now: Effect's own provider keeps the one that it saw first.
      Effect.map(environment.parse(ConfigProvider.fromEnv()), (fromEnvironment) => {
        const own = Object.entries(this.options).filter(([, value]) => value !== undefined)
        const runtime = new RuntimeHandle({ ...fromEnvironment, ...Object.fromEntries(own) }, Context.empty())
        for (const subscriber of this.subscribers) this.attach(runtime, subscriber)
        this.subscribers = []
        this.runtime = runtime
      })
    ))
    this.starting.addObserver((exit) => {
      if (Exit.isFailure(exit) && this.before._tag === "Starting") {
        this.before = { _tag: "Failure", error: Cause.squash(exit.cause) }
      }
    })
  }

  private attach({ hub }: RuntimeHandle, subscriber: Subscriber): void {
    const subscription = hub.subscribe()
    const end = listen(subscription, subscriber.listener, this.listening, subscriber.inContext)
    subscriber.end = () => {
      end()
      hub.unsubscribe(subscription)
    }
  }

  private run<A, E>(operation: string, f: (runtime: RuntimeHandle) => Effect.Effect<A, E>): Promise<A> {
    const { runtime } = this
    return runPromise<A, E | RuntimeInvalidStateError>(
      runtime === undefined ? Effect.fail(this.invalidState(operation, "Running")) : f(runtime)
    )
  }

  /** There is no `wrap` here: every recorder is the runtime's own. */
  private facade(handle: Handle): StandaloneRecorder {
    let recorder = this.recorders.get(handle)
    if (recorder === undefined) {
      this.recorders.set(handle, recorder = new StandaloneRecorder(handle as RecorderHandle, this.listening))
    }
    return recorder
  }

  private get readable(): Array<StandaloneRecorder> {
    return (this.runtime?.registry.readable ?? []).map(({ handle }) => this.facade(handle))
  }

  private invalidState(operation: string, expected: string): RuntimeInvalidStateError {
    const status = this.status()
    return new RuntimeInvalidStateError({
      operation,
      state: status._tag,
      expected,
      ...("error" in status ? { cause: Cause.fail(status.error) } : {})
    })
  }
}

const plainReport = ({ failures, ...report }: EffectReport): ShutdownReport => ({
  ...report,
  failures: failures.map(({ cause, recorderId }) => ({ recorderId, error: Cause.squash(cause) }))
})
