/**
 * The same runtime for code that does not use Effect, in TypeScript or plain
 * JavaScript: promises where something takes time, plain calls where nothing
 * does.
 *
 * ```ts
 * import { Metric, Standalone } from "mvx-metrics"
 * import { Option } from "effect"
 *
 * const Requests = Metric.make("http.requests", {
 *   events: ["http.request"],
 *   initial: { total: 0 },
 *   reduce: (state) => Option.some({ total: state.total + 1 })
 * })
 *
 * const metrics = Standalone.make({ namespace: "shop" })
 * await metrics.start()
 *
 * const web = await metrics.createRecorder("web", { metrics: [Requests] })
 * web.registerEvent({ _tag: "http.request" })
 *
 * metrics.snapshots() // => { web: { "http.requests": { name: "http.requests", dimensions: { total: 1 } } } }
 * await metrics.shutdown()
 * // => { recorders: 1, folded: 1, discarded: 0, changesSkipped: 0, failures: [] }
 * ```
 *
 * @since 0.1.0
 */
import type { MetricEvent } from "./Event.ts"
import { StandaloneRuntime } from "./internal/StandaloneRuntime.ts"
import type * as Metric from "./Metric.ts"
import type { MetricChange, RecorderCapture, RecorderStats, StopReport } from "./Recorder.ts"
import type { RuntimeStats } from "./Runtime.ts"

/**
 * The options of a runtime: its name, and what its recorders are given unless
 * they say otherwise. What is left out is read from the environment, from the
 * keys of `MetricsLive`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name of the runtime, in captures, in logs and in exports. Default `"default"`. */
  readonly namespace?: string | undefined
  /** Labels of everything that is measured. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** How many accepted events may wait to be folded. Default 10 000. */
  readonly capacity?: number | undefined
  /** What happens to an event for which there is no room. Default `"fold"`: nothing is lost. */
  readonly overflow?: "fold" | "drop" | "fail" | undefined
  /**
   * What a reducer that throws, or a failing `onMetricChanged`, does. Default
   * `"isolate"`: it is skipped, counted and logged.
   */
  readonly onDefect?: "isolate" | "fail" | undefined
  /**
   * The rest between two batches, in milliseconds, which is how late a change may
   * reach listeners, and how long a process that forgets the shutdown may go on.
   * Default 5.
   */
  readonly linger?: number | undefined
  /** How long each part of a stop may take, in milliseconds. Default 5 000. */
  readonly stopTimeout?: number | undefined
}

/**
 * The options of a recorder.
 *
 * **Details**
 *
 * Hooks may return promises. A failing `onStarting` fails the creation or the
 * start, a failing `onStopped` the stop, after which the recorder is in
 * `Failure` for good. The signal of a hook is aborted when it is
 * interrupted: because the recorder is closed while it starts, or because the
 * hook takes longer than `stopTimeout` at a stop.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecorderOptions extends Omit<Options, "namespace"> {
  /** The measured scope. Default: the id of the recorder. */
  readonly entityId?: string | undefined
  /**
   * `"rollup"`: the values are published as a part of the one series that all
   * recorders with the same labels add up to, also when they are gone. Default
   * `"own"`: as series of their own. A metric that cannot be merged is refused.
   */
  readonly export?: "own" | "rollup" | undefined
  /** The metrics to begin with. */
  readonly metrics?: ReadonlyArray<Metric.Any> | undefined
  /** Runs before the first change is delivered. */
  readonly onStarting?: ((signal: AbortSignal) => unknown) | undefined
  /** Runs once after each stop, and once when a running recorder fails. */
  readonly onStopped?: ((signal: AbortSignal) => unknown) | undefined
  /** Runs for each change, one at a time, in order. */
  readonly onMetricChanged?: ((change: MetricChange, signal: AbortSignal) => unknown) | undefined
}

/**
 * Where a recorder is in its life.
 *
 * @category models
 * @since 0.1.0
 */
export type RecorderStatus =
  | { readonly _tag: "Virgin" }
  | { readonly _tag: "Starting" }
  | { readonly _tag: "Running" }
  | { readonly _tag: "Stopping" }
  | { readonly _tag: "Stopped"; readonly report: StopReport }
  | { readonly _tag: "Failure"; readonly error: unknown }
  | { readonly _tag: "Cancelled"; readonly error: unknown }

/**
 * A recorder that did not end well, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecorderFailure {
  readonly recorderId: string
  readonly error: unknown
}

/**
 * What came of a shutdown: how many recorders there were, what they did over the
 * whole life of the runtime, and those that had failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface ShutdownReport extends StopReport {
  readonly recorders: number
  readonly failures: ReadonlyArray<RecorderFailure>
}

/**
 * Where a runtime is in its life: `Virgin → Starting → Running → Stopping →
 * Closed`, or `Failure`.
 *
 * @category models
 * @since 0.1.0
 */
export type Status =
  | { readonly _tag: "Virgin" }
  | { readonly _tag: "Starting" }
  | { readonly _tag: "Running" }
  | { readonly _tag: "Stopping" }
  | { readonly _tag: "Closed"; readonly report: ShutdownReport }
  | { readonly _tag: "Failure"; readonly error: unknown }

/**
 * Hears of changes. What it throws, or rejects with, is logged the first time
 * and otherwise ignored.
 *
 * @category models
 * @since 0.1.0
 */
export type Listener = (change: MetricChange) => unknown

/**
 * A recorder of a {@link Standalone} runtime.
 *
 * **Gotchas**
 *
 * Only `registerEvent` may be taken off the recorder and passed around as a
 * function.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recorder {
  readonly id: string
  /** The measured scope. */
  readonly entityId: string
  /**
   * Hands an event over: never throws, never waits. `false` means that it was
   * not accepted, for whatever reason, and was counted in `stats`.
   */
  readonly registerEvent: (event: MetricEvent) => boolean
  /**
   * Adds a metric, which sees exactly the events accepted after this. Throws a
   * `MetricNameTakenError`, `InvalidMetricError` or `RecorderInvalidStateError`.
   */
  readonly registerMetric: (metric: Metric.Any) => void
  /** Takes a metric out; its values go. `false` when there is none of that name. */
  readonly unregisterMetric: (name: string) => boolean
  /** The metrics, in the order of their registration. */
  readonly metrics: () => ReadonlyArray<Metric.Any>
  /** The view of every metric, by name. Every event accepted before is in it. */
  readonly snapshots: () => Record<string, Metric.MetricSnapshot>
  /** The view of one metric. Throws a `MetricNotRegisteredError` or `MetricViewError`. */
  readonly snapshot: <M extends Metric.Any>(metric: M) => Metric.MetricSnapshot<M>
  /** All states at one offset. */
  readonly capture: () => RecorderCapture
  /** What became of everything that the recorder was offered. */
  readonly stats: () => RecorderStats
  readonly status: () => RecorderStatus
  /** Starts a stopped recorder again; its metrics and values survive. */
  readonly start: () => Promise<void>
  /** Accepts no more events, folds those it has, waits for the hooks. */
  readonly stop: () => Promise<StopReport>
  /** Waits until everything accepted so far is folded and `onMetricChanged` has run for it. */
  readonly flush: () => Promise<void>
  /** Calls the listener for every change from now on. Returns what ends that. */
  readonly subscribe: (listener: Listener) => () => void
}

/**
 * A runtime for code without Effect.
 *
 * **Details**
 *
 * Promises reject, and calls throw, with the typed errors of the `Runtime` and
 * `Recorder` modules: tell them apart by `_tag`. Their `message` says why; where
 * they have a `cause`, it is one of Effect's.
 *
 * **Gotchas**
 *
 * A runtime that nobody shuts down does not keep the process alive. Its
 * snapshots are complete in `beforeExit`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Standalone {
  /**
   * Starts the runtime. Rejects with a `ConfigError` for a wrong value in the
   * environment; the runtime is then in `Failure` for good. Everybody who calls it meanwhile shares one start.
   */
  readonly start: () => Promise<void>
  /**
   * Stops all recorders and closes the runtime for good; listeners have heard of
   * the last changes then. Everybody who calls it gets one outcome. Rejects with a `RuntimeShutdownError` that names every
   * recorder that did not stop as it should.
   */
  readonly shutdown: () => Promise<ShutdownReport>
  readonly status: () => Status
  /** Creates a recorder, and gives it running. */
  readonly createRecorder: (id: string, options?: RecorderOptions) => Promise<Recorder>
  /** The recorder of an id. Throws a `RecorderNotFoundError`. */
  readonly getRecorder: (id: string) => Recorder
  readonly findRecorder: (id: string) => Recorder | undefined
  readonly recorderIds: () => ReadonlyArray<string>
  /** Stops a recorder and keeps it. */
  readonly stopRecorder: (id: string) => Promise<StopReport>
  /** Stops a recorder, takes it out and gives it back: it can still be read. */
  readonly removeRecorder: (id: string) => Promise<Recorder>
  /** The views of all metrics, by recorder id and metric name. */
  readonly snapshots: () => Record<string, Record<string, Metric.MetricSnapshot>>
  /** The states of all recorders, and of the series that those with `export: "rollup"` add up to. */
  readonly captures: () => ReadonlyArray<RecorderCapture>
  /** What became of everything that the recorders were offered, removed ones included. */
  readonly stats: () => RuntimeStats
  /** Calls the listener for every change of every recorder from now on. Returns what ends that. */
  readonly subscribe: (listener: Listener) => () => void
}

/**
 * Makes a runtime, which is to be started. Throws an `InvalidOptionError`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options?: Options): Standalone => new StandaloneRuntime(options)
