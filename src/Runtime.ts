/**
 * Owning recorders: a runtime creates them, folds for all of them in one fiber,
 * tells what changed in any of them, and ends them when it ends.
 *
 * One runtime serves an application, with a recorder per measured scope: a
 * component, a tenant, a connection. A recorder that has nothing to do holds no
 * fiber and no timer, so a hundred thousand of them are a normal thing.
 *
 * ```ts
 * import { Event, Metric, Runtime } from "mvx-metrics"
 * import { Effect, Option, Schema } from "effect"
 *
 * class Received extends Event.Class<Received>()("tcp.received", { bytes: Schema.Finite }) {}
 *
 * const BytesReceived = Metric.make("tcp.bytes_received", {
 *   events: [Received],
 *   initial: { total: 0 },
 *   reduce: (state, event) => Option.some({ total: state.total + event.bytes })
 * })
 *
 * const connection = (id: string, bytes: number) =>
 *   Effect.gen(function*() {
 *     const runtime = yield* Runtime.MetricsRuntime
 *     const recorder = yield* runtime.recorder(id, { metrics: [BytesReceived] })
 *     yield* recorder.registerEvent(new Received({ bytes }))
 *     return yield* runtime.snapshots
 *   })
 *
 * const program = Effect.gen(function*() {
 *   const snapshots = yield* Effect.scoped(connection("connection-001", 512))
 *   const ids = yield* Runtime.MetricsRuntime.use((runtime) => runtime.recorderIds)
 *   return [snapshots["connection-001"]?.["tcp.bytes_received"]?.dimensions, ids]
 * })
 *
 * Effect.runSync(Effect.provide(program, Runtime.layer())) // => [{ total: 512 }, []]
 * ```
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { environment } from "./internal/environment.ts"
import type { InvalidOptionError } from "./internal/InvalidOptionError.ts"
import type {
  MetricNameTakenError,
  RecorderInvalidStateError,
  RecorderStartError,
  RecorderStopError,
  StopReport,
  StopTimeoutError
} from "./internal/RecorderError.ts"
import type {
  InvalidRecorderIdError,
  RecorderAlreadyExistsError,
  RecorderFailure,
  RecorderNotFoundError,
  RuntimeInvalidStateError,
  RuntimeShutdownError
} from "./internal/RuntimeError.ts"
import { RuntimeHandle } from "./internal/RuntimeHandle.ts"
import type * as Metric from "./Metric.ts"
import * as Recorder from "./Recorder.ts"

export {
  InvalidRecorderIdError,
  RecorderAlreadyExistsError,
  RecorderFailure,
  RecorderNotFoundError,
  RuntimeInvalidStateError,
  RuntimeShutdownError
} from "./internal/RuntimeError.ts"

/**
 * The options of a runtime: its name, and what its recorders are given unless
 * they say otherwise.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options
  extends Pick<Recorder.Options, "labels" | "capacity" | "overflow" | "onDefect" | "linger" | "stopTimeout">
{
  /** The name of the runtime, in captures, in logs and in exports. Default `"default"`. */
  readonly namespace?: string | undefined
}

/**
 * The options of a recorder in a runtime. What is left out is as the runtime
 * has it; `labels` are added to those of the runtime.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecorderOptions<out E = never, R = never> extends Omit<Recorder.Options<R>, "entityId"> {
  /** The measured scope. Default: the id of the recorder. */
  readonly entityId?: string | undefined
  /**
   * How the values are published. `"own"` (the default): as series of their own.
   * `"rollup"`: as a part of the one series that all recorders with the same
   * labels add up to.
   *
   * **When to use**
   *
   * Use `"rollup"` for recorders without number that come and go, such as one for
   * each connection: ten thousand of them leave one exact series.
   *
   * **Details**
   *
   * The states of those who are there, and of those who were removed, are merged
   * into one capture of the runtime, whose `recorderId` is empty. A metric that
   * cannot be merged is refused with an `InvalidMetricError`, and so is one whose
   * name the others with these labels use for another definition. Under `wrap` it
   * is the recorder underneath that counts.
   */
  readonly export?: "own" | "rollup" | undefined
  /**
   * Makes a custom recorder of the one that the runtime has made, before it is
   * started: see {@link Recorder.decorate}.
   *
   * **Details**
   *
   * The runtime hands out what this returns, starts and stops it, and reads its
   * `capture` and `snapshots`. `changes` and `stats` of the runtime are those of
   * the recorder underneath. Its `stop` is called at the end unless its status is
   * `Stopped`: also where it has failed, or was never started. What it acquires
   * in its scope is released after the recorder has stopped, and when the
   * creation fails.
   */
  readonly wrap?: ((base: Recorder.Handle) => Effect.Effect<Recorder.Handle, E, R>) | undefined
}

/**
 * Why a recorder was not created.
 *
 * @category models
 * @since 0.1.0
 */
export type CreateError =
  | InvalidRecorderIdError
  | RecorderAlreadyExistsError
  | RuntimeInvalidStateError
  | InvalidOptionError
  | Metric.InvalidMetricError
  | MetricNameTakenError
  | RecorderStartError

/**
 * What came of a shutdown.
 *
 * **Details**
 *
 * `recorders` is how many recorders there were when it began; `failures` names
 * those of them that had failed before or did not stop as they should. The
 * numbers of events and changes are over the whole life of the runtime, removed
 * recorders included.
 *
 * @category models
 * @since 0.1.0
 */
export interface ShutdownReport extends StopReport {
  readonly recorders: number
  readonly failures: ReadonlyArray<RecorderFailure>
}

/**
 * Where a runtime is in its life.
 *
 * **Details**
 *
 * `Running → Stopping → Closed`. It ends in `Failure` when something interrupts
 * the fiber that folds for it; its recorders are then `Cancelled`. Reads work in
 * every state.
 *
 * @category models
 * @since 0.1.0
 */
export type RuntimeStatus =
  | { readonly _tag: "Running" }
  | { readonly _tag: "Stopping" }
  | { readonly _tag: "Closed"; readonly report: ShutdownReport }
  | { readonly _tag: "Failure"; readonly cause: Cause.Cause<unknown> }

/**
 * What became of everything that the recorders of a runtime were offered, over
 * its whole life: removed recorders included, up to their removal.
 *
 * **Details**
 *
 * `recorders` is how many there are now. `highWater` is of one recorder, the
 * greatest there was. `changesSkipped` includes what slow subscribers of the
 * runtime's `changes` did not get. From the 257th key on, `droppedByTag` and
 * `defects` count under `"*"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RuntimeStats extends Recorder.RecorderStats {
  readonly recorders: number
}

/**
 * What an application shares: a registry of recorders, by id, and the reads of
 * all of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface MetricsRuntimeService {
  /** The name of the runtime. */
  readonly namespace: string

  /** Since when the `stats` count, in Unix milliseconds. */
  readonly startedAt: number

  /**
   * Creates a recorder, and gives it running.
   *
   * **When to use**
   *
   * Use where the recorder has no scope to live in: it stays until you remove
   * it, or the runtime ends. `recorder` is the one for everything else.
   *
   * **Details**
   *
   * Without `onStarting` and `wrap` it is complete at once. Otherwise it waits
   * for them; one that fails, or is interrupted, releases everything and frees
   * the id.
   */
  readonly createRecorder: <E = never, R = never>(
    id: string,
    options?: RecorderOptions<E, R>
  ) => Effect.Effect<Recorder.Handle, CreateError | E, Exclude<R, Scope.Scope>>

  /**
   * Creates a recorder that is stopped and removed when the scope closes.
   *
   * **Gotchas**
   *
   * A stop that fails then is logged at Error: finalizers do not fail. In a scope
   * that is closed by then, the recorder is stopped and removed at once.
   */
  readonly recorder: <E = never, R = never>(
    id: string,
    options?: RecorderOptions<E, R>
  ) => Effect.Effect<Recorder.Handle, CreateError | E, Exclude<R, Scope.Scope> | Scope.Scope>

  /**
   * The recorder of an id.
   *
   * **Gotchas**
   *
   * One that is still being created, or is being removed, is not found.
   */
  readonly getRecorder: (id: string) => Effect.Effect<Recorder.Handle, RecorderNotFoundError>

  /** The recorder of an id, if there is one. */
  readonly findRecorder: (id: string) => Effect.Effect<Option.Option<Recorder.Handle>>

  /** The ids that `getRecorder` finds, in the order of creation. */
  readonly recorderIds: Effect.Effect<ReadonlyArray<string>>

  /** Stops a recorder and keeps it. One that is stopped already gives its last report. */
  readonly stopRecorder: (
    id: string
  ) => Effect.Effect<
    StopReport,
    RecorderNotFoundError | RecorderInvalidStateError | RecorderStopError | StopTimeoutError
  >

  /**
   * Stops a recorder, takes it out and gives it back. Its values can still be
   * read; it cannot be started again.
   *
   * **Gotchas**
   *
   * Until it has stopped it shows in `captures` and `snapshots`, and its id is
   * taken. The id is free afterwards also when the stop failed.
   *
   * From inside one of the recorder's own hooks it only begins the removal.
   */
  readonly removeRecorder: (id: string) => Effect.Effect<Recorder.Handle, RecorderNotFoundError | RecorderStopError>

  /**
   * The states of all recorders, and of the series that those with
   * `export: "rollup"` add up to: one for each combination of labels.
   *
   * **Gotchas**
   *
   * Each capture is of one offset; across recorders there is no common point.
   *
   * Reads of very many recorders, or of a large backlog, give the event loop back
   * after 2 ms, and are then asynchronous. A recorder made by `wrap` that does not
   * answer within a second is left out.
   */
  readonly captures: Effect.Effect<ReadonlyArray<Recorder.RecorderCapture>>

  /**
   * The same, at once.
   *
   * **Gotchas**
   *
   * It holds the event loop until everything is folded and read. Of a recorder
   * that was made by `wrap` it reads the one underneath.
   */
  readonly capturesUnsafe: () => ReadonlyArray<Recorder.RecorderCapture>

  /** The views of all metrics, by recorder id and metric name. */
  readonly snapshots: Effect.Effect<Record<string, Record<string, Metric.MetricSnapshot>>>

  /**
   * Every change of every recorder from now on, those of one recorder in order.
   * Ends when the runtime ends.
   *
   * **Gotchas**
   *
   * A subscriber that lags behind by more than the runtime's `capacity` loses
   * the oldest changes, and sees a gap in the `sequence` of a recorder.
   */
  readonly changes: Stream.Stream<Recorder.MetricChange>

  /** Where the runtime is in its life. */
  readonly status: Effect.Effect<RuntimeStatus>

  /** What became of everything that the recorders were offered. */
  readonly stats: Effect.Effect<RuntimeStats>
}

/**
 * A runtime as its owner sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handle extends MetricsRuntimeService {
  /**
   * Ends the runtime: no new recorders, creations in progress are undone, all
   * recorders are stopped, concurrently, each within its own `stopTimeout`.
   *
   * **Details**
   *
   * Everybody who calls it gets one outcome, also those who come later. A
   * recorder that does not stop as it should keeps no other from stopping; the
   * error names all of them.
   *
   * **Gotchas**
   *
   * Without hooks it is complete at once, unless there are very many recorders:
   * it gives the event loop back after 2 ms.
   *
   * From inside a hook of one of the recorders it only begins the shutdown, and
   * succeeds at once with the report so far. A runtime that has ended in
   * `Failure` releases what is left, and fails with `RuntimeInvalidStateError`.
   */
  readonly shutdown: Effect.Effect<ShutdownReport, RuntimeShutdownError | RuntimeInvalidStateError>
}

/**
 * The runtime that an application shares. It cannot be shut down by those who
 * share it: its scope does that.
 *
 * @category services
 * @since 0.1.0
 */
export class MetricsRuntime
  extends /*#__PURE__*/ Context.Service<MetricsRuntime, MetricsRuntimeService>()("mvx-metrics/Runtime/MetricsRuntime")
{}

/**
 * Makes a runtime, for as long as the scope is open.
 *
 * **When to use**
 *
 * Use where you want to shut it down yourself, and have the report. Applications
 * use {@link layer}, {@link layerConfig} or {@link MetricsLive}.
 *
 * **Details**
 *
 * The runtime is `Running`. When the scope closes it is shut down; what goes
 * wrong then is logged at Error. Several runtimes share nothing.
 *
 * **Example** (Shutting down)
 *
 * ```ts
 * import { Runtime } from "mvx-metrics"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const runtime = yield* Runtime.make({ namespace: "shop" })
 *   const orders = yield* runtime.createRecorder("orders")
 *   yield* orders.registerEvent({ _tag: "order.placed" })
 *   return yield* runtime.shutdown
 * })
 *
 * Effect.runSync(Effect.scoped(program))
 * // => { recorders: 1, folded: 1, discarded: 0, changesSkipped: 0, failures: [] }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<Handle, InvalidOptionError, Scope.Scope> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const runtime = yield* Effect.try({
      try: () => new RuntimeHandle(options, context),
      catch: (error) => error as InvalidOptionError
    })
    yield* Effect.addFinalizer(() =>
      Effect.catchTags(runtime.shutdown, {
        RuntimeShutdownError: (error) =>
          // Each recorder has logged its cause.
          runtime.annotate(Effect.logError("Metrics runtime did not shut down cleanly", error.message)),
        // Logged when it came about.
        RuntimeInvalidStateError: () => Effect.void
      })
    )
    return runtime
  }))

/**
 * A runtime, as a layer.
 *
 * **Gotchas**
 *
 * Each call makes a layer of its own, and so a runtime of its own: keep it in a
 * constant and provide that one everywhere.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<MetricsRuntime, InvalidOptionError> =>
  Layer.effect(MetricsRuntime, make(options))

/**
 * A runtime whose options come from the configuration.
 *
 * **Example** (Names of one's own)
 *
 * ```ts
 * import { Runtime } from "mvx-metrics"
 * import { Config, ConfigProvider, Effect } from "effect"
 *
 * const live = Runtime.layerConfig({ namespace: Config.String("SERVICE_NAME") })
 *
 * const program = Runtime.MetricsRuntime.useSync((runtime) => runtime.namespace).pipe(
 *   Effect.provide(live),
 *   Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ SERVICE_NAME: "shop" })))
 * )
 *
 * Effect.runSync(program) // => "shop"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  config: Config.Wrap<Options>
): Layer.Layer<MetricsRuntime, InvalidOptionError | Config.ConfigError> =>
  Layer.effect(MetricsRuntime, Effect.flatMap(Config.unwrap(config), make))

/**
 * A recorder of the runtime, as a layer: the normal way to a recorder.
 *
 * **Example** (A runtime, a recorder, metrics)
 *
 * ```ts
 * import { Metric, Recorder, Runtime } from "mvx-metrics"
 * import { Effect, Layer, Option } from "effect"
 *
 * const Hits = Metric.make("cache.hits", {
 *   events: ["cache.hit"],
 *   initial: { total: 0 },
 *   reduce: (s) => Option.some({ total: s.total + 1 })
 * })
 *
 * const live = Recorder.layerMetrics(Hits).pipe(
 *   Layer.provideMerge(Runtime.layerRecorder("cache")),
 *   Layer.provideMerge(Runtime.layer({ namespace: "shop" }))
 * )
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "cache.hit" })
 *   const runtime = yield* Runtime.MetricsRuntime
 *   return (yield* runtime.snapshots).cache?.["cache.hits"]?.dimensions
 * })
 *
 * Effect.runSync(Effect.provide(program, live)) // => { total: 1 }
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRecorder = <E = never, R = never>(
  id: string,
  options?: RecorderOptions<E, R>
): Layer.Layer<Recorder.Recorder, CreateError | E, MetricsRuntime | Exclude<R, Scope.Scope>> =>
  Layer.effect(
    Recorder.Recorder,
    MetricsRuntime.use((runtime) => runtime.recorder(id, options))
  ) as Layer.Layer<Recorder.Recorder, CreateError | E, MetricsRuntime | Exclude<R, Scope.Scope>>

/**
 * A runtime and its recorder `"default"`, configured from the environment.
 *
 * **When to use**
 *
 * Use in an application, as the one line that gives its code metrics.
 *
 * **Details**
 *
 * | key                    | value                           | default     |
 * | ---------------------- | ------------------------------- | ----------- |
 * | `METRICS_NAMESPACE`    | a name                          | `"default"` |
 * | `METRICS_CAPACITY`     | a positive integer              | `10000`     |
 * | `METRICS_OVERFLOW`     | `fold`, `drop` or `fail`        | `fold`      |
 * | `METRICS_LINGER`       | a duration: `"5 millis"`        | 5 ms        |
 * | `METRICS_STOP_TIMEOUT` | a duration: `"5 seconds"`       | 5 s         |
 *
 * A value that is not of this kind is a `ConfigError` that names the key.
 *
 * @category layers
 * @since 0.1.0
 */
export const MetricsLive: Layer.Layer<
  MetricsRuntime | Recorder.Recorder,
  Config.ConfigError
> = /*#__PURE__*/ Layer.suspend(() =>
  Layer.provideMerge(
    Layer.orDie(layerRecorder("default")),
    Layer.effect(MetricsRuntime, Effect.flatMap(environment, (options) => Effect.orDie(make(options))))
  )
)
