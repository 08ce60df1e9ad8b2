/**
 * Every series of a runtime to an OpenTelemetry Collector, or to whatever else
 * takes OTLP over HTTP, as JSON or as Protocol Buffers.
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { OtlpSerialization } from "effect/observability"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as Otlp from "mvx-metrics/exporters/Otlp"
 * import { once } from "node:events"
 * import * as Http from "node:http"
 *
 * const Saves = Metric.fromDimensions("document_storage.saves", ["saved"], (d) => ({ total: d.count() }))
 *
 * // In place of a collector.
 * const received: Array<any> = []
 * const collector = Http.createServer(async (request, response) => {
 *   const [{ scopeMetrics }] = JSON.parse(String(Buffer.concat(await request.toArray()))).resourceMetrics
 *   received.push(...scopeMetrics[0].metrics)
 *   response.end()
 * })
 * await once(collector.listen(0, "127.0.0.1"), "listening")
 * const { port } = collector.address() as { port: number }
 *
 * const live = Layer.mergeAll(
 *   Recorder.layerMetrics(Saves),
 *   Otlp.layer({ url: `http://127.0.0.1:${port}/v1/metrics`, resource: { serviceName: "documents" } })
 * ).pipe(
 *   Layer.provide([FetchHttpClient.layer, OtlpSerialization.layerJson]),
 *   Layer.provideMerge(MetricsLive)
 * )
 *
 * await Effect.runPromise(Effect.provide(Recorder.emit({ _tag: "saved" }), live))
 * collector.close()
 *
 * const [saves] = received.filter(({ name }) => name === "document_storage.saves_total")
 * saves.sum.dataPoints[0].asDouble // => 1
 * ```
 *
 * | kind                  | in OTLP                                                            |
 * | --------------------- | ------------------------------------------------------------------ |
 * | counter               | a monotonic sum                                                    |
 * | up-down counter       | a sum that is not monotonic, and always cumulative                 |
 * | gauge                 | a gauge                                                            |
 * | histogram             | a histogram                                                        |
 * | exponential histogram | an exponential histogram, with a zero threshold of 0               |
 * | summary               | a summary, always cumulative                                       |
 *
 * **Names** are that of the metric, `_` and the dimension. Dots stay; what
 * OpenTelemetry does not take in the name of an instrument becomes `_`. Units are
 * as in the metric, in UCUM.
 *
 * **Attributes** are the labels: those of the recorder, `recorder_id` unless it is
 * rolled up, those of the dimension.
 *
 * **Numbers** are doubles, also where they are whole, and bigints are integers:
 * backends refuse a series that is now the one and now the other.
 *
 * **Start times** are those of the values: of when a recorder got the metric, or of
 * when it began anew. So a recorder that was removed and made again is a restart to
 * the receiver, and nothing else is.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type { Resource } from "effect/observability/OtlpResource"
import type { OtlpSerialization } from "effect/observability/OtlpSerialization"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { durationOf, nonBlank, oneOf } from "../internal/RecorderSettings.ts"
import { InvalidOptionError } from "../Recorder.ts"
import type { MetricsRuntime } from "../Runtime.ts"
import { checked, intervalOf, shutdownTimeoutOf } from "./internal/exporterOptions.ts"
import { environment, resourceOf } from "./internal/otlp/environment.ts"
import { type ExporterSettings, OtlpExporter } from "./internal/otlp/OtlpExporter.ts"
import { periodically } from "./internal/Periodic.ts"

export { SeriesRefusedError } from "./internal/SeriesRefusedError.ts"

/**
 * Where series go, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The whole address of the receiver: `"http://localhost:4318/v1/metrics"`. */
  readonly url: string
  /**
   * What the application is. What is left out comes from `OTEL_SERVICE_NAME`,
   * `OTEL_SERVICE_VERSION` and `OTEL_RESOURCE_ATTRIBUTES`. A service without a name
   * is `"unknown_service:node"`.
   *
   * **Gotchas**
   *
   * Several processes of one service need attributes that tell them apart, such as
   * `service.instance.id`: else a receiver takes their series for one.
   */
  readonly resource?: {
    readonly serviceName?: string | undefined
    readonly serviceVersion?: string | undefined
    readonly attributes?: Readonly<Record<string, unknown>> | undefined
  } | undefined
  /** Headers of every request, such as `authorization`. */
  readonly headers?: Headers.Input | undefined
  /** Default `"none"`. Under 1 KB, nothing is compressed. */
  readonly compression?: "gzip" | "none" | undefined
  /**
   * What counters and histograms say: `"cumulative"` (the default), what they have
   * counted since their start; `"delta"`, what came since the last export that the
   * receiver has taken.
   *
   * **Gotchas**
   *
   * A delta of a histogram has neither `min` nor `max`, but for the first: those of
   * what came in between are not known.
   */
  readonly temporality?: "cumulative" | "delta" | undefined
  /** How often. Default 10 seconds. */
  readonly interval?: Duration.Input | undefined
  /** How long to wait for the answer to a request. Default 10 seconds. */
  readonly requestTimeout?: Duration.Input | undefined
  /** How long the last export may take when the layer ends. Default 3 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
}

/**
 * Sends what there is every `interval`, and a last time when the layer ends.
 *
 * **When to use**
 *
 * Use where a collector or a vendor takes OTLP. The HTTP client, and whether JSON
 * or Protocol Buffers, are layers of Effect: `FetchHttpClient.layer`,
 * `OtlpSerialization.layerProtobuf`.
 *
 * **Details**
 *
 * A receiver that is away, or answers 429, 502, 503 or 504, gets the export again,
 * after 1, 2, 4 … seconds, or when it asks for it by `Retry-After` (within five
 * minutes), until the next export is due. Any other refusal is logged at Error,
 * once, and the next export goes out as planned. Nothing keeps the application from
 * starting. Requests are not traced.
 *
 * In a delta, nothing is counted twice, and nothing is lost that was not
 * acknowledged. What was refused is in the next export. What may have arrived,
 * because the connection broke or no answer came, is sent again as it was, before
 * anything else: a receiver knows it by its times.
 *
 * `mvx_metrics_otlp_failed_requests_total` and
 * `mvx_metrics_otlp_rejected_points_total` say how many requests failed, and how
 * many points a receiver left out of those that it took.
 *
 * **Gotchas**
 *
 * What a recorder has counted goes out while it is there: put the layer above
 * `Runtime.layerRecorder`, not beside it. For recorders that come and go within an
 * interval use `export: "rollup"`.
 *
 * A counter that is not finite, and a distribution whose counts are no whole
 * numbers, are refused with a {@link SeriesRefusedError}: views written by hand may
 * show such. A histogram that has seen a value below zero has no sum, as OTLP asks
 * for.
 *
 * All series go out in one request. A collector takes 20 MiB, unless it is told
 * otherwise: some 75 000 series as JSON, or 200 000 as Protocol Buffers.
 *
 * Effect makes JSON at once, which takes 1.5 µs per series; Protocol Buffers are
 * made in slices of 2 ms.
 *
 * **Example** (Deltas, for a vendor)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { OtlpSerialization } from "effect/observability"
 * import { MetricsLive } from "mvx-metrics"
 * import * as Otlp from "mvx-metrics/exporters/Otlp"
 *
 * const live = Otlp.layer({
 *   url: "https://otlp.vendor.example/v1/metrics",
 *   headers: { "api-key": "secret" },
 *   compression: "gzip",
 *   temporality: "delta"
 * }).pipe(
 *   Layer.provide([FetchHttpClient.layer, OtlpSerialization.layerProtobuf]),
 *   Layer.provideMerge(MetricsLive)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<never, InvalidOptionError, MetricsRuntime | HttpClient.HttpClient | OtlpSerialization> =>
  Layer.effectDiscard(start(options, (given) =>
    Effect.catch(resourceOf(given), (error) =>
      Effect.andThen(
        Effect.logError("OTLP exports do without the resource of the environment, which cannot be read", error),
        Effect.orDie(resourceOf(given).parse(ConfigProvider.fromUnknown({})))
      ))))

/**
 * The same, configured by the environment variables of OpenTelemetry. What is given
 * as an option goes before them.
 *
 * **Details**
 *
 * | key                                               | value                                          |
 * | ------------------------------------------------- | ---------------------------------------------- |
 * | `OTEL_SDK_DISABLED`                               | `true` turns the exporter off                  |
 * | `OTEL_METRICS_EXPORTER`                           | a list; one without `otlp` turns it off        |
 * | `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`             | `url`                                          |
 * | `OTEL_EXPORTER_OTLP_ENDPOINT`                     | `url`, but for `/v1/metrics`                   |
 * | `OTEL_EXPORTER_OTLP_HEADERS`                      | `headers`, as in `api-key=secret,tenant=a%20b` |
 * | `OTEL_EXPORTER_OTLP_COMPRESSION`                  | `gzip` or `none`                               |
 * | `OTEL_EXPORTER_OTLP_TIMEOUT`                      | `requestTimeout`, in milliseconds              |
 * | `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | `cumulative`, `delta` or `lowmemory`         |
 * | `OTEL_METRIC_EXPORT_INTERVAL`                     | `interval`, in milliseconds                    |
 * | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`   | `resource`                                     |
 *
 * Headers, compression and timeout of metrics alone, such as
 * `OTEL_EXPORTER_OTLP_METRICS_HEADERS`, go before those of all signals. `lowmemory`
 * is `delta` here. A value that is none of these is a `ConfigError` that names the
 * key.
 *
 * **Gotchas**
 *
 * Without an endpoint, nothing is exported. As in Effect, the interval is 10
 * seconds unless told, not 60. The protocol is that of the serialisation provided,
 * whatever `OTEL_EXPORTER_OTLP_PROTOCOL` says.
 *
 * **Example** (Everything from the environment)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { OtlpSerialization } from "effect/observability"
 * import { MetricsLive } from "mvx-metrics"
 * import * as Otlp from "mvx-metrics/exporters/Otlp"
 *
 * const live = Otlp.layerFromConfig().pipe(
 *   Layer.provide([FetchHttpClient.layer, OtlpSerialization.layerProtobuf]),
 *   Layer.provideMerge(MetricsLive)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFromConfig = (
  options: Partial<Options> = {}
): Layer.Layer<
  never,
  InvalidOptionError | Config.ConfigError,
  MetricsRuntime | HttpClient.HttpClient | OtlpSerialization
> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { isOn, ...found } = yield* environment
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
    const { url, ...others } = { ...found, ...given } as Partial<Options>
    if (isOn && url !== undefined) return yield* start({ url, ...others }, resourceOf)
    yield* Effect.logInfo(`No OTLP export: ${isOn ? "there is no endpoint" : "it is turned off"}`)
  }))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

const settingsOf = (options: Options): ExporterSettings => {
  if (!Predicate.isObject(options)) throw InvalidOptionError.of("options", options, "an object")
  if (options.resource !== undefined && !Predicate.isObject(options.resource)) {
    throw InvalidOptionError.of("resource", options.resource, "an object")
  }
  const { serviceName, serviceVersion } = options.resource ?? {}
  if (serviceName !== undefined) nonBlank("resource.serviceName", serviceName)
  if (serviceVersion !== undefined) nonBlank("resource.serviceVersion", serviceVersion)
  return {
    url: urlOf(options.url),
    headers: headersOf(options.headers),
    compression: oneOf("compression", options.compression, ["none", "gzip"], "none"),
    temporality: oneOf("temporality", options.temporality, ["cumulative", "delta"], "cumulative"),
    interval: intervalOf(options.interval),
    requestTimeout: options.requestTimeout === undefined
      ? Duration.seconds(10)
      : durationOf("requestTimeout", options.requestTimeout),
    shutdownTimeout: shutdownTimeoutOf(options.shutdownTimeout)
  }
}

const urlOf = (given: unknown): string => {
  if (typeof given !== "string" || !/^https?:/i.test(given) || !URL.canParse(given)) {
    // What is behind the question mark may be a key.
    const shown = typeof given === "string" ? given.replace(/[?#].*/s, "?…") : given
    throw InvalidOptionError.of("url", shown, `a whole address, such as "http://localhost:4318/v1/metrics"`)
  }
  const { password, username } = new URL(given)
  if (username === "" && password === "") return given
  const expected = "an address without a name and a password, which belong into `headers`"
  throw new InvalidOptionError({ option: "url", given: "one with them", expected })
}

const headersOf = (given: Headers.Input | undefined): Headers.Headers => {
  if (given !== undefined && !Predicate.isObject(given)) {
    throw InvalidOptionError.of("headers", given, "a record of strings")
  }
  const headers = Headers.fromInput(given)
  for (const [name, value] of Object.entries(headers)) {
    // What is wrong is often the end of line behind a token. The value is a secret: only its name is told.
    if (!isHeader(name, value)) {
      throw InvalidOptionError.of("headers", name, "names and values that HTTP permits")
    }
  }
  return Headers.set(headers, "user-agent", headers["user-agent"] ?? "OTel-OTLP-Exporter-mvx-metrics")
}

const isHeader = (name: string, value: string): boolean => {
  try {
    return new globalThis.Headers({ [name]: value }).get(name) === value
  } catch {
    return false
  }
}

const start = <E>(
  options: Options,
  resourceOf: (given: Options["resource"]) => Effect.Effect<Resource, E>
): Effect.Effect<
  void,
  InvalidOptionError | E,
  MetricsRuntime | HttpClient.HttpClient | OtlpSerialization | Scope.Scope
> =>
  Effect.gen(function*() {
    const settings = yield* checked(() => settingsOf(options))
    const exporter = yield* OtlpExporter.make(settings, yield* resourceOf(options.resource))
    yield* periodically({ ...settings, exporter: "OTLP", run: exporter.run })
    // Runs before the finalizer that exports a last time.
    yield* Effect.addFinalizer(() => exporter.end)
  })
