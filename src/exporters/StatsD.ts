/**
 * Every series of a runtime to a StatsD server, over UDP: DogStatsD with its tags
 * and distributions, or plain StatsD with dotted names and timings.
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as StatsD from "mvx-metrics/exporters/StatsD"
 * import * as Dgram from "node:dgram"
 * import { once } from "node:events"
 *
 * const Saves = Metric.fromDimensions("document_storage.saves", ["saved"], (d) => ({ total: d.count() }))
 *
 * // In place of a server.
 * const server = Dgram.createSocket("udp4").bind(0, "127.0.0.1")
 * await once(server, "listening")
 * const lines: Array<string> = []
 * server.on("message", (packet) => lines.push(...packet.toString().split("\n")))
 *
 * const live = Layer.mergeAll(
 *   Recorder.layerMetrics(Saves),
 *   StatsD.layer({ host: "127.0.0.1", port: server.address().port, interval: "10 seconds" })
 * ).pipe(Layer.provideMerge(MetricsLive))
 *
 * await Effect.runPromise(Effect.provide(Recorder.emit({ _tag: "saved" }), live))
 *
 * const isSaves = (line: string) => line.startsWith("document_storage.saves")
 * while (!lines.some(isSaves)) await once(server, "message")
 * server.close()
 * lines.filter(isSaves) // => ["document_storage.saves_total:1|c|#recorder_id:default"]
 * ```
 *
 * | kind           | lines                                                                           |
 * | -------------- | ------------------------------------------------------------------------------- |
 * | counter        | `name:5\|c`: what came since the last export; none where nothing came           |
 * | gauge, up-down | `name:5\|g`; for a value below zero `name:0\|g` comes first, in the same packet |
 * | histogram      | `name_count` and `name_sum` as counters, and `name:12.5\|d\|@0.25` per bucket   |
 * | summary        | `name_count` and `name_sum` as counters, and a gauge for each `quantile`        |
 *
 * **Names** are that of the metric, `_` and the dimension. Dots stay; everything
 * but ASCII letters, digits, `_` and `-` becomes `_`. Units are as in the metric.
 *
 * **Labels**: those of the recorder, `recorder_id` unless it is rolled up, those
 * of the dimension. In tags, white space and what separates parts of a line
 * (`:`, `|`, `@`, `#`, `,`) becomes `_`.
 *
 * **Totals are exact**: what the `c` lines of a counter, a `_count` or a `_sum` add
 * up to is what the snapshot shows, also after failed exports, and after the
 * application has ended in the middle of an interval. (Sums of fractions are, up
 * to the rounding of each addition.)
 *
 * **Observations are as exact as buckets are.** Those of a bucket go out as one
 * value that came so many times: `@0.25` is four times. The values add up to the
 * sum of the histogram, and none is beyond its extremes; one that came alone goes
 * out as it was.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { nonBlank, oneOf } from "../internal/RecorderSettings.ts"
import { InvalidOptionError } from "../Recorder.ts"
import type { MetricsRuntime } from "../Runtime.ts"
import { checked, intervalOf, shutdownTimeoutOf } from "./internal/exporterOptions.ts"
import { periodically } from "./internal/Periodic.ts"
import { maxPayload } from "./internal/statsd/Packets.ts"
import { type ExporterSettings, StatsDExporter } from "./internal/statsd/StatsDExporter.ts"

export { SeriesRefusedError } from "./internal/SeriesRefusedError.ts"

/**
 * Where series go, and how they are written.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name or the address of the server, IPv4 or IPv6. Default `"127.0.0.1"`. */
  readonly host?: string | undefined
  /** Default 8125. */
  readonly port?: number | undefined
  /** What all names begin with, and a dot after it. Default: nothing. */
  readonly prefix?: string | undefined
  /**
   * What becomes of labels. `"dogstatsd"` (the default): tags, as Datadog, StatsD
   * 0.9, Telegraf, Vector and `statsd_exporter` read them. `"names"`: parts of the
   * name, as in `http.requests_total.method.GET`, for servers without tags.
   *
   * **Gotchas**
   *
   * As parts of names, labels come in alphabetical order, and in their values a
   * dot, too, becomes `_`. Where values are then the same, so is the series:
   * counters add up, of gauges one wins.
   */
  readonly tags?: "dogstatsd" | "names" | undefined
  /**
   * What becomes of histograms. `"distributions"`: `|d`, of DogStatsD, the default
   * with its tags. `"timings"`: `|ms`, the default without.
   *
   * **Details**
   *
   * A bucket is one line of a distribution. Not every server weighs timings by
   * their rate when it makes means and percentiles of them: so timings are a
   * sample, about 50 lines of about the same rate. Those of a unit of time go out
   * in milliseconds, and their sum does, too. What is below zero is in `_count` and
   * `_sum` alone, because servers refuse such a timing.
   *
   * **Gotchas**
   *
   * A server that does not know distributions takes them for counters: StatsD 0.9,
   * which has tags, needs `"timings"`.
   */
  readonly histograms?: "distributions" | "timings" | undefined
  /**
   * The bytes of a packet, at most: of its payload. Default 1432, which fits
   * Ethernet and the internet; 8932 fits jumbo frames.
   *
   * **Gotchas**
   *
   * A line is never split. One that is longer goes out alone, up to 65 507 bytes.
   */
  readonly mtu?: number | undefined
  /** How often. Default 10 seconds, which is how often servers flush. */
  readonly interval?: Duration.Input | undefined
  /** How long the last export may take when the layer ends. Default 3 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
}

/**
 * Sends what there is every `interval`, and a last time when the layer ends.
 *
 * **When to use**
 *
 * Use on Node, with `@effect/platform-node` installed, where an agent or a server
 * takes StatsD.
 *
 * **Details**
 *
 * The name of the host is resolved when the layer first exports, after a failure,
 * and once a minute.
 *
 * A server that is away costs the application nothing. The first failure is
 * logged at Warn, then none until it works again. What could not be sent waits,
 * and goes out before anything else: nothing is sent twice, and no more than one
 * export waits. `mvx_metrics_statsd_failed_exports` and
 * `mvx_metrics_statsd_lines_left_out`, which are gauges, say how many there were.
 * They come first, in a packet of their own: where a local server is away, that is
 * the packet that is lost.
 *
 * What is not finite is left out.
 *
 * **Gotchas**
 *
 * UDP acknowledges nothing: what the network or a busy server loses is lost. So
 * that a server can keep up, a large export takes time, for 5 MB about a second.
 *
 * What a recorder has counted goes out while it is there: put the layer above
 * `Runtime.layerRecorder`, not beside it. For recorders that come and go within an
 * interval use `export: "rollup"`.
 *
 * Several processes that send one gauge overwrite it: give their recorders a label
 * that tells them apart.
 *
 * **Example** (Dotted names and timings)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { MetricsLive } from "mvx-metrics"
 * import * as StatsD from "mvx-metrics/exporters/StatsD"
 *
 * const live = StatsD.layer({ host: "statsd.internal", prefix: "shop", tags: "names" }).pipe(
 *   Layer.provideMerge(MetricsLive)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, InvalidOptionError, MetricsRuntime> =>
  Layer.effectDiscard(start(options))

/**
 * The same, with options that come from the configuration.
 *
 * **Example** (The agent of a Kubernetes node)
 *
 * ```ts
 * import { Config, Layer } from "effect"
 * import { MetricsLive } from "mvx-metrics"
 * import * as StatsD from "mvx-metrics/exporters/StatsD"
 *
 * const live = StatsD.layerConfig({ host: Config.String("DD_AGENT_HOST") }).pipe(Layer.provideMerge(MetricsLive))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  config: Config.Wrap<Options>
): Layer.Layer<never, InvalidOptionError | Config.ConfigError, MetricsRuntime> =>
  Layer.effectDiscard(Effect.flatMap(Config.unwrap(config), start))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

interface Settings extends ExporterSettings {
  readonly interval: Duration.Duration
  readonly shutdownTimeout: Duration.Duration
}

const settingsOf = (options: Options): Settings => {
  if (!Predicate.isObject(options)) throw InvalidOptionError.of("options", options, "an object")
  const { prefix = "" } = options
  if (typeof prefix !== "string") throw InvalidOptionError.of("prefix", prefix, "a string")
  const tags = oneOf("tags", options.tags, ["dogstatsd", "names"], "dogstatsd")
  const ofTags = tags === "dogstatsd" ? "distributions" : "timings"
  return {
    host: nonBlank("host", options.host ?? "127.0.0.1"),
    port: integerOf("port", options.port ?? 8125, 65_535),
    prefix,
    tags,
    histograms: oneOf("histograms", options.histograms, ["distributions", "timings"], ofTags),
    mtu: integerOf("mtu", options.mtu ?? 1432, maxPayload),
    interval: intervalOf(options.interval),
    shutdownTimeout: shutdownTimeoutOf(options.shutdownTimeout)
  }
}

const integerOf = (option: string, given: unknown, most: number): number => {
  if (Number.isInteger(given) && (given as number) >= 1 && (given as number) <= most) return given as number
  throw InvalidOptionError.of(option, given, `an integer from 1 to ${most}`)
}

const start = (options: Options): Effect.Effect<void, InvalidOptionError, MetricsRuntime | Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* checked(() => settingsOf(options))
    const exporter = yield* StatsDExporter.make(settings)
    yield* periodically({ ...settings, exporter: "StatsD", run: exporter.run })
  })
