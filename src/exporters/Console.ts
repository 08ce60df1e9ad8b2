/**
 * Every series of a runtime as a table, for people: on an interval, at the end of
 * a program, or as text.
 *
 * ```ts
 * import { Duration, Effect, Layer, Schema } from "effect"
 * import { Event, Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Console from "mvx-metrics/exporters/Console"
 *
 * class Saved extends Event.Class<Saved>()("document_storage.saved", { durationMs: Schema.Finite }) {}
 *
 * const Saves = Metric.fromDimensions("document_storage.saves", [Saved], (d) => ({
 *   total: d.count(),
 *   duration: d.histogram((e) => e.durationMs, { unit: "ms" })
 * }))
 *
 * const program = Effect.forEach([12, 18, 1300], (durationMs) => Recorder.emit(new Saved({ durationMs })))
 *
 * const live = Layer.mergeAll(
 *   Recorder.layerMetrics(Saves),
 *   Console.layer({ interval: Duration.infinity })
 * ).pipe(Layer.provideMerge(MetricsLive))
 *
 * await Effect.runPromise(Effect.provide(program, live))
 * ```
 *
 * prints, when it ends:
 *
 * ```txt
 * Metrics of default at 2026-10-02T12:00:00.000Z, all with recorder_id="default"
 * series                           kind       value
 * document_storage.saves_total     counter        3
 * document_storage.saves_duration  histogram      3
 *   min 12 ms  mean 443.3 ms  p50 21.75 ms  p95 1.255 s  p99 1.291 s  max 1.3 s
 * mvx_metrics_accepted_total       counter        3
 * mvx_metrics_recorders            gauge          1
 * ```
 *
 * **Series** are named as in the code: the metric, `_`, the dimension, and its
 * labels; those of recorders stand in the title where all have them. Series come
 * metric by metric, in the order of registration; last the runtime's own figures,
 * those that are not 0.
 *
 * **Values.** Durations and sizes are in the unit that suits them. A distribution
 * shows how many values there were, and below it what they amount to; quantiles
 * of a histogram are as near as its buckets tell.
 *
 * **On a terminal** each series has a sparkline of its last 30 tables: gauges by
 * their values, counters and distributions by what came since the table before.
 *
 * Control characters in names and labels are escaped: what a label says is shown,
 * never obeyed.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as EffectConsole from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidOptionError } from "../Recorder.ts"
import { MetricsRuntime } from "../Runtime.ts"
import { collectorAsInCode } from "./internal/asInCode.ts"
import { type Layout, Rows, tableOf } from "./internal/console/Table.ts"
import { type Terminal, terminalOf } from "./internal/console/terminal.ts"
import { Trends } from "./internal/console/Trends.ts"
import { booleanOf, checked, intervalOf, shutdownTimeoutOf } from "./internal/exporterOptions.ts"
import { periodically } from "./internal/Periodic.ts"

export { SeriesRefusedError } from "./internal/SeriesRefusedError.ts"

/**
 * How a table looks.
 *
 * @category models
 * @since 0.1.0
 */
export interface FormatOptions {
  /** How many series there are in the table; it says how many more there are. Default 50. */
  readonly maxRows?: number | undefined
  /** How many columns there are: names that are too long lose their middle. Default: those of the terminal, or 120. */
  readonly width?: number | undefined
}

/**
 * The options of {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends FormatOptions {
  /** How often a table is printed. `Duration.infinity` for the end only. Default 10 seconds. */
  readonly interval?: Duration.Input | undefined
  /** How long the last table may take. Default 3 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** Whether there are sparklines. Default: on a terminal. */
  readonly sparklines?: boolean | undefined
}

/**
 * Prints a table on an interval, and a last one when the layer is released.
 *
 * **When to use**
 *
 * Use to see what a program does while you write it, and what it did when it has
 * ended.
 *
 * **Details**
 *
 * Each table is one call of `log` of Effect's `Console`. The last one shows
 * everything that was handed over by then.
 *
 * **Gotchas**
 *
 * The last table comes in the middle of an interval: its bars of counters are
 * lower. It shows recorders that are below the layer; one beside it, of
 * `Runtime.layerRecorder`, is gone by then.
 *
 * **Example** (Once a minute)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { MetricsLive } from "mvx-metrics"
 * import * as Console from "mvx-metrics/exporters/Console"
 *
 * const live = Console.layer({ interval: "1 minute" }).pipe(Layer.provideMerge(MetricsLive))
 *
 * await Effect.runPromise(Effect.provide(Effect.void, live))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, InvalidOptionError, MetricsRuntime> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { interval, layout, shutdownTimeout, sparklines } = yield* checked(() => ({
      interval: intervalOf(options.interval),
      shutdownTimeout: shutdownTimeoutOf(options.shutdownTimeout),
      sparklines: booleanOf("sparklines", options.sparklines),
      layout: layoutOf(options)
    }))
    const runtime = yield* MetricsRuntime
    const console = yield* EffectConsole.Console
    const terminal = console === globalThis.console ? terminalOf(globalThis) : undefined
    const trends = sparklines ?? terminal !== undefined ? new Trends() : undefined
    const print = Effect.flatMap(
      table(() => layout(terminal), trends),
      (text) => Effect.sync(() => console.log(text))
    )
    yield* periodically({
      exporter: "the console",
      interval,
      shutdownTimeout,
      run: Effect.provideService(print, MetricsRuntime, runtime)
    })
  }))

/**
 * The text of one table as of now, without sparklines.
 *
 * **When to use**
 *
 * Use for logs, for a command of your program, and in tests.
 *
 * **Example** (Printing a table at a point of one's own)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Console from "mvx-metrics/exporters/Console"
 *
 * const Hits = Metric.fromDimensions("cache.hits", ["cache.hit"], (d) => ({ total: d.count() }))
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "cache.hit" })
 *   return (yield* Console.format()).split("\n")[2]
 * })
 *
 * const live = Recorder.layerMetrics(Hits).pipe(Layer.provideMerge(MetricsLive))
 *
 * await Effect.runPromise(Effect.provide(program, live)) // => "cache.hits_total            counter      1"
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (options: FormatOptions = {}): Effect.Effect<string, InvalidOptionError, MetricsRuntime> =>
  Effect.flatMap(checked(() => layoutOf(options)), (layout) => table(() => layout(undefined), undefined))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

const table = (
  layoutOf: () => Layout,
  trends: Trends | undefined
): Effect.Effect<string, never, MetricsRuntime> =>
  Effect.gen(function*() {
    const { namespace } = yield* MetricsRuntime
    const collector = yield* collectorAsInCode
    const layout = layoutOf()
    const rows = new Rows(layout.maxRows)
    yield* collector.each((point) => rows.add(point))
    const time = new Date(yield* Clock.currentTimeMillis).toISOString()
    return tableOf({ title: `Metrics of ${namespace} at ${time}`, rows, layout, trends })
  })

const narrowestTable = 40
const usualWidth = 120

/** A terminal may be resized: its width is asked for each table. */
const layoutOf = ({ maxRows = 50, width }: FormatOptions): (terminal: Terminal | undefined) => Layout => {
  if (maxRows !== Infinity && !(Number.isSafeInteger(maxRows) && maxRows > 0)) {
    throw InvalidOptionError.of("maxRows", maxRows, "a positive integer, or Infinity")
  }
  if (width !== undefined && !(Number.isSafeInteger(width) && width >= narrowestTable)) {
    throw InvalidOptionError.of("width", width, `an integer of ${narrowestTable} or more`)
  }
  return (terminal) => ({ maxRows, width: width ?? Math.max(narrowestTable, terminal?.columns || usualWidth) })
}
