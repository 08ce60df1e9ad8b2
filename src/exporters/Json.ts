/**
 * Everything of a runtime as lines of JSON (NDJSON), for any sink: a file, a
 * socket, standard output.
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, FileSystem, Layer, Sink } from "effect"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Json from "mvx-metrics/exporters/Json"
 *
 * const Saves = Metric.fromDimensions("document_storage.saves", ["saved"], (d) => ({ total: d.count() }))
 *
 * const saveAll = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "saved" })
 *   yield* Recorder.emit({ _tag: "saved" })
 * })
 *
 * const program = Effect.gen(function*() {
 *   const fs = yield* FileSystem.FileSystem
 *   const file = yield* fs.makeTempFileScoped()
 *   const live = Layer.mergeAll(
 *     Recorder.layerMetrics(Saves),
 *     Json.layerCaptures({ sink: fs.sink(file, { flag: "a" }), interval: "1 minute" })
 *   ).pipe(Layer.provideMerge(MetricsLive))
 *   yield* Effect.provide(saveAll, live)
 *   const [line = ""] = (yield* fs.readFileString(file)).split("\n")
 *   const { dimension, kind, labels, metric, value } = JSON.parse(line)
 *   return { metric, dimension, kind, labels, value }
 * })
 *
 * await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(NodeServices.layer)))
 * // => {
 * //   metric: "document_storage.saves",
 * //   dimension: "total",
 * //   kind: "counter",
 * //   labels: { recorder_id: "default" },
 * //   value: 2
 * // }
 * ```
 *
 * There are two kinds of lines:
 *
 * - **Captures**, the values as they are at a time: one line for each series.
 *   That is what tools for logs and tables expect, one observation per row with
 *   the same columns in all: `select(.metric == "…").value` in jq, `unwrap value`
 *   in Loki, `log_to_metric` in Vector, and in DuckDB
 *   `SELECT time, value FROM 'metrics.ndjson' WHERE metric = '…'`.
 * - **Changes**, what made the values so: one line for each event that a metric
 *   took, with the event and with what the metric shows since.
 *
 * Times are in ISO 8601. Numbers that JSON does not know are strings, as in the
 * JSON of Protocol Buffers: `"NaN"`, `"Infinity"`, and every `bigint`. Maps and
 * sets are what they hold. What has no JSON at all, such as a cycle, is replaced
 * by a field `error` in its line, and logged once.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { InvalidOptionError } from "../Recorder.ts"
import { MetricsRuntime } from "../Runtime.ts"
import { booleanOf, checked, intervalOf, shutdownTimeoutOf } from "./internal/exporterOptions.ts"
import { writeInto } from "./internal/json/NdjsonSink.ts"
import { capturesUntilEnd, changesUntilEnd, linesOfCaptures, linesOfChanges } from "./internal/json/ndjsonStreams.ts"

export { NoJsonError } from "./internal/json/NdjsonLines.ts"
export { SinkFailedError } from "./internal/json/NdjsonSink.ts"
export { SeriesRefusedError } from "./internal/SeriesRefusedError.ts"

/**
 * Where the lines of a layer go.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in out E = never, in out R = never> {
  /**
   * Such as `fs.sink(path, { flag: "a" })` of Effect's `FileSystem`, or
   * `stdio.stdout()` of its `Stdio`. It is run once. Each element is one or more
   * whole lines.
   *
   * A sink of text is made into one by
   * `Sink.mapInput((bytes: Uint8Array) => new TextDecoder().decode(bytes))`.
   */
  readonly sink: Sink.Sink<unknown, Uint8Array, unknown, E, R>
  /** How long the end may take, until everything is in the sink. Default 3 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
}

/**
 * The options of {@link layerCaptures}.
 *
 * @category models
 * @since 0.1.0
 */
export interface CapturesOptions<in out E = never, in out R = never> extends Options<E, R> {
  /** How long to rest between two captures. `Duration.infinity` for the end only. Default 10 seconds. */
  readonly interval?: Duration.Input | undefined
}

/**
 * The options of {@link layerChanges}.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChangesOptions<in out E = never, in out R = never> extends Options<E, R> {
  /**
   * Whether a line has what the metric shows since. Default `true`.
   *
   * Use `false` for a metric of very many series, which would all be in each line,
   * and where only the events are wanted.
   */
  readonly dimensions?: boolean | undefined
}

/**
 * All series as they are now: a line for each, with its line break.
 *
 * **When to use**
 *
 * Use to answer a request, or to write at points of your own. {@link layerCaptures}
 * writes on an interval.
 *
 * **Details**
 *
 * | field          | what                                                                   |
 * | -------------- | ---------------------------------------------------------------------- |
 * | `time`         | when the value was read                                                |
 * | `runtime`      | the name of the runtime                                                |
 * | `metric`       | its name                                                               |
 * | `dimension`    | its name; those of nested ones joined with a dot                       |
 * | `kind`         | `counter`, `upDownCounter`, `gauge`, `histogram` or `summary`          |
 * | `unit`         | in UCUM notation; left out where there is none                         |
 * | `labels`       | those of the recorder, `recorder_id` unless rolled up, the dimension's |
 * | `startedAt`    | since when the value counts                                            |
 * | `value`        | the number                                                             |
 * | `distribution` | of a histogram or summary, in place of `value`: `count`, `sum`, …      |
 *
 * The runtime's own figures are the metric `mvx_metrics`.
 *
 * **Gotchas**
 *
 * Lines of one recorder reflect the same events; across recorders there is no
 * common point.
 *
 * **Example** (Reading one value)
 *
 * ```ts
 * import { Effect, Layer, Stream } from "effect"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Json from "mvx-metrics/exporters/Json"
 *
 * const Hits = Metric.fromDimensions("cache.hits", ["cache.hit"], (d) => ({ total: d.count() }))
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "cache.hit" })
 *   const [line = ""] = yield* Stream.runCollect(Json.captures)
 *   return JSON.parse(line).value
 * })
 *
 * const live = Recorder.layerMetrics(Hits).pipe(Layer.provideMerge(MetricsLive))
 *
 * await Effect.runPromise(Effect.provide(program, live)) // => 1
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const captures: Stream.Stream<string, never, MetricsRuntime> = Stream.unwrap(linesOfCaptures)

/**
 * Every change of every recorder from now on: a line for each, with its line
 * break. Ends when the runtime ends.
 *
 * **When to use**
 *
 * Use to send changes to one who asks for them, such as the client of a request.
 * {@link layerChanges} writes them as long as a program runs.
 *
 * **Details**
 *
 * | field        | what                                                                           |
 * | ------------ | ------------------------------------------------------------------------------ |
 * | `time`       | when the change came here, a few milliseconds after the event at most          |
 * | `runtime`    | the name of the runtime                                                        |
 * | `recorder`   | the id of the recorder                                                         |
 * | `entity`     | its `entityId`                                                                 |
 * | `metric`     | its name                                                                       |
 * | `sequence`   | grows by one with each change of a recorder                                    |
 * | `offset`     | how many events the recorder had accepted; changes by one event share it       |
 * | `event`      | the event, with its `_tag`: what `Event.decode` reads                          |
 * | `dimensions` | what the metric shows since; left out where its view throws                    |
 *
 * **Gotchas**
 *
 * Who reads more slowly than changes come loses the oldest of them, beyond the
 * runtime's `capacity`, and sees a gap in the `sequence` of a recorder. Recording
 * never waits.
 *
 * @category streams
 * @since 0.1.0
 */
export const changes: Stream.Stream<string, never, MetricsRuntime> = Stream.unwrap(
  MetricsRuntime.useSync((runtime) => linesOfChanges(runtime, runtime.changes, true))
)

/**
 * Writes {@link captures} into a sink, on an interval and a last time when the
 * layer is released.
 *
 * **Details**
 *
 * The last captures are what the program had handed over by then. A sink that
 * takes longer than the interval gets fewer captures, never two at a time.
 *
 * A sink that fails is not run again, because that may empty its file: a
 * {@link SinkFailedError} is logged, and the layer is at rest from then on. The
 * program never fails by it.
 *
 * **Gotchas**
 *
 * The last captures are of recorders that are below the layer. One beside it, of
 * `Runtime.layerRecorder`, is gone by then.
 *
 * **Example** (To standard output, once, at the end)
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Duration, Effect, Layer, Stdio } from "effect"
 * import { MetricsLive } from "mvx-metrics"
 * import * as Json from "mvx-metrics/exporters/Json"
 *
 * const toStdout = Layer.unwrap(
 *   Stdio.Stdio.useSync((stdio) => Json.layerCaptures({ sink: stdio.stdout(), interval: Duration.infinity }))
 * )
 *
 * const live = toStdout.pipe(Layer.provideMerge(MetricsLive), Layer.provide(NodeServices.layer))
 *
 * await Effect.runPromise(Effect.provide(Effect.void, live))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerCaptures = <E = never, R = never>(
  options: CapturesOptions<E, R>
): Layer.Layer<never, InvalidOptionError, MetricsRuntime | R> =>
  Layer.effectDiscard(Effect.uninterruptible(Effect.gen(function*() {
    const { interval, shutdownTimeout, sink } = yield* checked(() => ({
      ...commonOf(options),
      interval: intervalOf(options.interval)
    }))
    yield* writeInto(yield* capturesUntilEnd(interval), sink, shutdownTimeout)
  })))

/**
 * Writes {@link changes} into a sink. When the layer is released it ends with those
 * of everything that was accepted by then.
 *
 * **When to use**
 *
 * Use for a record of what happened: to look into what made a number, or to fold
 * the events again by other metrics.
 *
 * **Details**
 *
 * A sink that fails is not run again, because that may empty its file: a
 * {@link SinkFailedError} is logged, and the layer is at rest from then on. The
 * program never fails by it.
 *
 * **Gotchas**
 *
 * A sink that is slower than the changes loses the oldest of them: see
 * {@link changes}. Recorders whose changes are written fold event by event, and
 * each line shows the whole metric: see `dimensions` of {@link ChangesOptions}.
 *
 * **Example** (Folding the events of a file again)
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, FileSystem, Layer, Schema } from "effect"
 * import { Event, Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Json from "mvx-metrics/exporters/Json"
 *
 * class Saved extends Event.Class<Saved>()("document_storage.saved", { bytes: Schema.Finite }) {}
 *
 * const Saves = Metric.fromDimensions("saves", [Saved], (d) => ({ total: d.count() }))
 * const Bytes = Metric.fromDimensions("bytes", [Saved], (d) => ({ total: d.sum((e) => e.bytes) }))
 *
 * const program = Effect.gen(function*() {
 *   const fs = yield* FileSystem.FileSystem
 *   const file = yield* fs.makeTempFileScoped()
 *   const live = Layer.mergeAll(
 *     Recorder.layerMetrics(Saves),
 *     Json.layerChanges({ sink: fs.sink(file, { flag: "a" }) })
 *   ).pipe(Layer.provideMerge(MetricsLive))
 *
 *   yield* Effect.forEach([512, 100], (bytes) => Recorder.emit(new Saved({ bytes }))).pipe(Effect.provide(live))
 *
 *   const lines = (yield* fs.readFileString(file)).trimEnd().split("\n")
 *   const events = yield* Effect.forEach(lines, (line) => Event.decode(Saved)(JSON.parse(line).event))
 *   return Metric.snapshot(Bytes, Metric.fold(Bytes, events)).dimensions
 * })
 *
 * await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(NodeServices.layer))) // => { total: 612 }
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerChanges = <E = never, R = never>(
  options: ChangesOptions<E, R>
): Layer.Layer<never, InvalidOptionError, MetricsRuntime | R> =>
  Layer.effectDiscard(Effect.uninterruptible(Effect.gen(function*() {
    const { dimensions, shutdownTimeout, sink } = yield* checked(() => ({
      ...commonOf(options),
      dimensions: booleanOf("dimensions", options.dimensions) ?? true
    }))
    yield* writeInto(yield* changesUntilEnd(dimensions), sink, shutdownTimeout)
  })))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

const commonOf = <E, R>({ shutdownTimeout, sink }: Options<E, R>) => {
  if (!Sink.isSink(sink)) throw InvalidOptionError.of("sink", sink, "a Sink")
  return { sink, shutdownTimeout: shutdownTimeoutOf(shutdownTimeout) }
}
