/**
 * Every series of a runtime for Prometheus: as a route of Effect's `HttpRouter`,
 * or as text for a server of one's own.
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Prometheus from "mvx-metrics/exporters/Prometheus"
 *
 * const Saves = Metric.fromDimensions("document_storage.saves", ["saved"], (d) => ({ total: d.count() }))
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "saved" })
 *   const text = yield* Prometheus.format()
 *   return text.split("\n").find((line) => line.startsWith("document_storage"))
 * })
 *
 * const live = Recorder.layerMetrics(Saves).pipe(Layer.provideMerge(MetricsLive))
 *
 * await Effect.runPromise(Effect.provide(program, live)) // => `document_storage_saves_total{recorder_id="default"} 1`
 * ```
 *
 * **Names.** A series is the name of the metric, `_` and the dimension, with `_`
 * for every character that Prometheus does not know. Counters end in `_total`,
 * in both formats. Numbers are in base units, and the name says so, once: a
 * dimension `duration_ms` of unit `ms` is `…_duration_seconds`.
 *
 * **Labels.** Those of the recorder, `recorder_id` unless it is rolled up, those
 * of the dimension.
 *
 * **Histograms** are `_bucket`, `_sum` and `_count`. The formats have no
 * exponential histograms: those go out as others do, by the powers of two and one
 * bound between each, at most 40 buckets, and coarser where there would be more.
 * There are as many as the values have reached. Quantiles are a summary.
 *
 * The text is our own: Effect's formatter knows one format, no units, and makes
 * it in one go.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import { HttpPlatform } from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { giveWay } from "../internal/host.ts"
import { oneOf } from "../internal/RecorderSettings.ts"
import { InvalidOptionError } from "../Recorder.ts"
import type { MetricsRuntime } from "../Runtime.ts"
import { joined } from "./internal/bytes.ts"
import { Collector } from "./internal/Collector.ts"
import { checked } from "./internal/exporterOptions.ts"
import { Exposition } from "./internal/prometheus/Exposition.ts"
import { prometheusTargets } from "./internal/prometheus/names.ts"
import type { SeriesRefusedError } from "./internal/SeriesRefusedError.ts"

export { SeriesRefusedError } from "./internal/SeriesRefusedError.ts"

/**
 * The formats that Prometheus reads: its own text format 0.0.4, and OpenMetrics
 * 1.0, which also says since when a counter counts.
 *
 * @category models
 * @since 0.1.0
 */
export type Format = "text" | "openmetrics"

/**
 * How numbers go out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * `"base"` (the default): in base units, which the name says, as Prometheus
   * wants it. `"asIs"`: names and numbers as the metrics have them; counters end
   * in `_total` all the same.
   */
  readonly units?: "base" | "asIs" | undefined
}

const openMetricsType = "application/openmetrics-text"

/**
 * The content types of the formats.
 *
 * @category negotiation
 * @since 0.1.0
 */
export const contentTypes: Readonly<Record<Format, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: `${openMetricsType}; version=1.0.0; charset=utf-8`
}

/**
 * The format to answer with, by the `Accept` header of a request.
 *
 * **Details**
 *
 * OpenMetrics where it is asked for and no less welcome than text, else text.
 *
 * **Example** (Choosing a format)
 *
 * ```ts
 * import * as Prometheus from "mvx-metrics/exporters/Prometheus"
 *
 * Prometheus.negotiate("application/openmetrics-text;version=1.0.0,text/plain;q=0.5") // => "openmetrics"
 * Prometheus.negotiate("text/html,*\/*;q=0.8") // => "text"
 * ```
 *
 * @category negotiation
 * @since 0.1.0
 */
export const negotiate = (accept: string | undefined): Format => {
  /** How welcome a type is; where ranges overlap, the narrower one says. */
  const qualities = new Map<string, number>()
  for (const member of (accept ?? "").toLowerCase().split(",")) {
    const [type = "", ...parameters] = member.split(";").map((part) => part.trim())
    const given = Object.fromEntries(parameters.map((parameter) => parameter.split("=", 2).map((part) => part.trim())))
    const isKnown = type !== openMetricsType || given.version === undefined ||
      /^"?(1\.0\.0|0\.0\.1)"?$/.test(given.version)
    const quality = given.q === undefined ? 1 : Number(given.q) || 0
    if (isKnown) qualities.set(type, Math.max(quality, qualities.get(type) ?? 0))
  }
  const text = qualities.get("text/plain") ?? qualities.get("text/*") ?? qualities.get("*/*") ?? 0
  const openMetrics = qualities.get(openMetricsType) ?? 0
  return openMetrics > 0 && openMetrics >= text ? "openmetrics" : "text"
}

/**
 * All series of the runtime as text.
 *
 * **When to use**
 *
 * Use to answer a scrape from a server of your own, with {@link negotiate} and
 * {@link contentTypes}; {@link layer} does all of it in an `HttpRouter`.
 *
 * **Details**
 *
 * The series of a recorder are of one offset; across recorders there is no
 * common one. The event loop is given back every few milliseconds. What cannot be
 * published is left out, counted in `mvx_metrics_series_left_out` and logged
 * once: see {@link check}.
 *
 * @category rendering
 * @since 0.1.0
 */
export const format = (
  options: Options & {
    /** Default `"text"`. */
    readonly format?: Format | undefined
  } = {}
): Effect.Effect<string, InvalidOptionError, MetricsRuntime> =>
  Effect.gen(function*() {
    const format = yield* checked(() => oneOf<Format>("format", options.format, ["text", "openmetrics"], "text"))
    const collector = yield* collectorOf(options)
    const exposition = new Exposition(format, options.units)
    yield* collector.each(exposition.add)
    return new TextDecoder().decode(joined(Array.from(exposition.pieces())))
  })

/**
 * Fails with the first series that cannot be published.
 *
 * **When to use**
 *
 * Use in a test of your application, so that two metrics whose names become one
 * are found there and not in a log.
 *
 * **Example** (Two names that become one)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Prometheus from "mvx-metrics/exporters/Prometheus"
 *
 * const metrics = Recorder.layerMetrics(
 *   Metric.fromDimensions("cache.hits", ["hit"], (d) => ({ total: d.count() })),
 *   Metric.fromDimensions("cache", ["hit"], (d) => ({ hits_total: d.count() }))
 * )
 *
 * const error = await Effect.runPromise(
 *   Effect.flip(Prometheus.check()).pipe(Effect.provide(metrics.pipe(Layer.provideMerge(MetricsLive))))
 * )
 *
 * error.message
 * // => `Not published: counter "hits_total" of metric "cache": expected the name cache_hits for itself, found counter "total" of metric "cache.hits" under it`
 * ```
 *
 * @category rendering
 * @since 0.1.0
 */
export const check = (
  options: Options = {}
): Effect.Effect<void, SeriesRefusedError | InvalidOptionError, MetricsRuntime> =>
  Effect.gen(function*() {
    const collector = yield* collectorOf(options)
    yield* collector.each(() => {})
    const [first] = collector.refused
    if (first !== undefined) return yield* first
  })

/**
 * Answers scrapes at a path of the `HttpRouter`.
 *
 * **Details**
 *
 * Which of the two formats is up to the `Accept` header, and so is gzip to
 * `Accept-Encoding`. `path` is `/metrics` unless you say otherwise. The text is
 * made in slices of a few milliseconds, and sent while it is made: a scrape of
 * very many series does not hold up other requests.
 *
 * **Example** (A scrape of your own application)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { HttpClient, HttpRouter } from "effect/http"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Prometheus from "mvx-metrics/exporters/Prometheus"
 *
 * const Saves = Metric.fromDimensions("document_storage.saves", ["saved"], (d) => ({ total: d.count() }))
 *
 * const server = HttpRouter.serve(Prometheus.layer({ path: "/metrics" }), { disableLogger: true }).pipe(
 *   Layer.provideMerge(NodeHttpServer.layerTest),
 *   Layer.provideMerge(Recorder.layerMetrics(Saves).pipe(Layer.provideMerge(MetricsLive)))
 * )
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "saved" })
 *   const response = yield* HttpClient.get("/metrics")
 *   return (yield* response.text).includes(`document_storage_saves_total{recorder_id="default"} 1`)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, server)) // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options & {
    /** Default `/metrics`. */
    readonly path?: HttpRouter.PathInput | undefined
  } = {}
): Layer.Layer<never, InvalidOptionError, HttpRouter.HttpRouter | HttpPlatform | MetricsRuntime> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const router = yield* HttpRouter.HttpRouter
    const platform = yield* HttpPlatform
    const path = yield* checked(() => pathOf(options.path))
    const collector = yield* collectorOf(options)
    const scrape = Effect.gen(function*() {
      const { headers } = yield* HttpServerRequest
      const format = negotiate(headers.accept)
      return HttpServerResponse.stream(streamed(collector, format, options), {
        contentType: contentTypes[format],
        headers: { vary: "Accept" }
      })
    })
    yield* router.add(
      "GET",
      path,
      scrape.pipe(
        HttpMiddleware.compression({ algorithms: ["gzip"], compressible: () => true }),
        Effect.provideService(HttpPlatform, platform)
      )
    )
  }))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

const pathOf = (given: unknown): HttpRouter.PathInput => {
  if (given === undefined) return "/metrics"
  if (given === "*" || (typeof given === "string" && given.startsWith("/"))) return given as HttpRouter.PathInput
  throw InvalidOptionError.of("path", given, "a path that begins with /")
}

const collectorOf = ({ units }: Options): Effect.Effect<Collector, InvalidOptionError, MetricsRuntime> =>
  Effect.flatMap(
    checked(() => prometheusTargets[oneOf("units", units, ["base", "asIs"], "base")]),
    (target) => Collector.of(target)
  )

/**
 * The text while it is made. What is sent already, the garbage collector need not
 * look after: it holds up everybody.
 */
const streamed = (collector: Collector, format: Format, { units }: Options): Stream.Stream<Uint8Array> =>
  Stream.rechunk(
    Stream.callback<Uint8Array>((queue) =>
      Effect.gen(function*() {
        const exposition = new Exposition(format, units)
        // The server has worked a while already when it asks for the text.
        yield* giveWay
        yield* collector.each(exposition.add, (isComplete) => Queue.offerAll(queue, exposition.take(isComplete)))
        yield* Queue.offerAll(queue, exposition.pieces())
        yield* Queue.end(queue)
      }), { bufferSize: maxUnsent }),
    1
  )

/** How many pieces are made ahead of who reads. */
const maxUnsent = 8
