/** An HTTP server that takes OTLP and reads it with the schema that OpenTelemetry publishes. */
import { Clock, Context, Duration, Effect, Exit, Layer, Scope } from "effect"
import { FetchHttpClient, type HttpClient } from "effect/http"
import { OtlpSerialization } from "effect/observability"
import { TestClock } from "effect/testing"
import { Runtime } from "mvx-metrics"
import * as Otlp from "mvx-metrics/exporters/Otlp"
import type { InvalidOptionError } from "mvx-metrics/Recorder"
import { once } from "node:events"
import * as Http from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"
import { until } from "../support.ts"

/** A message as the schema has it; 64-bit integers as text. */
export interface Message {
  readonly resourceMetrics: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<Attribute> }
    readonly scopeMetrics: ReadonlyArray<{
      readonly scope: { readonly name: string }
      readonly metrics: ReadonlyArray<OtlpMetric>
    }>
  }>
}

export interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string }
}

export interface OtlpMetric {
  readonly name: string
  readonly description?: string
  readonly unit?: string
  readonly gauge?: { readonly dataPoints: ReadonlyArray<DataPoint> }
  readonly sum?: OtlpData & { readonly isMonotonic?: boolean }
  readonly histogram?: OtlpData
  readonly exponentialHistogram?: OtlpData
  readonly summary?: { readonly dataPoints: ReadonlyArray<DataPoint> }
  readonly metadata?: unknown
}

interface OtlpData {
  readonly dataPoints: ReadonlyArray<DataPoint>
  readonly aggregationTemporality?: string
}

interface Buckets {
  readonly offset?: number
  readonly bucketCounts: ReadonlyArray<string>
}

export interface DataPoint {
  readonly exemplars?: unknown
  readonly attributes: ReadonlyArray<Attribute>
  readonly startTimeUnixNano?: string
  readonly timeUnixNano?: string
  readonly asDouble?: number
  readonly asInt?: string
  readonly count?: string
  readonly sum?: number
  readonly min?: number
  readonly max?: number
  readonly bucketCounts?: ReadonlyArray<string>
  readonly explicitBounds?: ReadonlyArray<number>
  readonly scale?: number
  readonly zeroCount?: string
  readonly zeroThreshold?: number
  readonly positive?: Buckets
  readonly negative?: Buckets
  readonly quantileValues?: ReadonlyArray<{ readonly quantile?: number; readonly value?: number }>
}

interface MessageType {
  readonly decode: (bytes: Uint8Array) => object
  readonly encode: (message: object) => { readonly finish: () => Uint8Array }
  readonly fromObject: (json: object) => object
  readonly toObject: (message: object, options: object) => object
}

const require = createRequire(import.meta.url)
const { ExportMetricsServiceRequest, ExportMetricsServiceResponse } = require(
  require.resolve("@opentelemetry/otlp-transformer/package.json").replace(
    "package.json",
    "build/src/generated/root.js"
  )
).opentelemetry.proto.collector.metrics.v1 as Readonly<
  Record<"ExportMetricsServiceRequest" | "ExportMetricsServiceResponse", MessageType>
>

const shown = { longs: String, enums: String, arrays: true }

/** What the receiver was sent, and whether it counted it. */
export interface Export {
  readonly headers: Http.IncomingHttpHeaders
  readonly body: Uint8Array
  readonly message: Message
}

/** How a request is answered: what the receiver does with it, and what it says. */
export interface Answer {
  /** 200 unless told; `"reset"` breaks the connection off, `"silence"` never says anything. */
  readonly status?: number | "reset" | "silence"
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** What is awaited before the answer. */
  readonly after?: Promise<unknown>
}

/** A response that leaves points out. */
export const partialSuccess = (
  rejectedDataPoints: number,
  errorMessage: string
): Required<Pick<Answer, "headers" | "body">> => ({
  headers: { "content-type": "application/x-protobuf" },
  body: ExportMetricsServiceResponse.encode(
    ExportMetricsServiceResponse.fromObject({ partialSuccess: { rejectedDataPoints, errorMessage } })
  ).finish()
})

export class OtlpReceiver {
  /** All requests that arrived, in order. */
  readonly exports: Array<Export> = []
  /** Where they went. */
  readonly paths: Array<string> = []
  /** What the next requests are answered; without an answer they are taken. */
  readonly answers: Array<Answer> = []
  /** How a request is answered. */
  answer: (sent: Export) => Answer = () => this.answers.shift() ?? {}
  private readonly server = Http.createServer((request, response) => void this.receive(request, response))
  private address: AddressInfo = { address: "", family: "", port: 0 }

  private constructor() {}

  static readonly make: Effect.Effect<OtlpReceiver, never, Scope.Scope> = Effect.acquireRelease(
    Effect.promise(async () => {
      const receiver = new OtlpReceiver()
      await receiver.listen()
      return receiver
    }),
    (receiver) => Effect.promise(() => receiver.close())
  )

  get url(): string {
    return `http://127.0.0.1:${this.address.port}/v1/metrics`
  }

  /** At the port that it had before, if it had one. */
  async listen(): Promise<void> {
    await once(this.server.listen(this.address.port, "127.0.0.1"), "listening")
    this.address = this.server.address() as AddressInfo
  }

  async close(): Promise<void> {
    if (!this.server.listening) return
    const closed = once(this.server, "close")
    this.server.close()
    this.server.closeAllConnections()
    await closed
  }

  private async receive(request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> {
    this.paths.push(request.url!)
    const sent: Uint8Array = Buffer.concat(await request.toArray())
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent
    const decoded = request.headers["content-type"] === "application/json"
      ? ExportMetricsServiceRequest.fromObject(JSON.parse(Buffer.from(body).toString()))
      : ExportMetricsServiceRequest.decode(body)
    const message = ExportMetricsServiceRequest.toObject(decoded, shown) as Message
    const received: Export = { headers: request.headers, body, message }
    this.exports.push(received)
    const { after, body: text, headers, status = 200 } = this.answer(received)
    await after
    if (status === "reset") request.socket.destroy()
    else if (status !== "silence") response.writeHead(status, headers).end(text)
  }
}

/** The metrics of an export. */
export const metricsOf = ({ message }: Export): ReadonlyArray<OtlpMetric> =>
  message.resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))

export const pointsIn = (metric: OtlpMetric): ReadonlyArray<DataPoint> =>
  (metric.gauge ?? metric.sum ?? metric.histogram ?? metric.exponentialHistogram ?? metric.summary)!.dataPoints

/** The points of all metrics of this name in an export. */
export const pointsOf = (sent: Export, name: string): ReadonlyArray<DataPoint> =>
  metricsOf(sent).filter((metric) => metric.name === name).flatMap(pointsIn)

/** The labels of a point. */
export const labelsOf = ({ attributes }: Pick<DataPoint, "attributes">): Readonly<Record<string, string>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue!]))

/** An application that exports every 10 seconds. */
export interface Application {
  readonly runtime: Runtime.MetricsRuntimeService
  /** Lets the time of one interval pass, and waits until the exporter rests again. */
  readonly nextExport: Effect.Effect<void>
  /** Waits until the exporter rests until its next export. */
  readonly atRest: Effect.Effect<void>
  /** How long the exporter waits now before it sends again, in milliseconds, as soon as it does. */
  readonly wait: Effect.Effect<number>
  /** Lets time pass as long as the exporter waits in order to send again. */
  readonly retries: Effect.Effect<void>
  /** The next export, with all its retries. */
  readonly exportWithRetries: Effect.Effect<void>
  /** Ends the application. */
  readonly close: Effect.Effect<void>
}

/** An application tells apart what it waits for by how long it waits. */
export const rhythm = { interval: 10_000, requestTimeout: 7_777, shutdownTimeout: 2_900 }

/** Starts an application under the clock of a test. What the exporter waits for can be seen. */
export const application = (
  receiver: OtlpReceiver,
  options: Partial<Otlp.Options> = {},
  given: {
    readonly serialization?: Layer.Layer<OtlpSerialization.OtlpSerialization>
    readonly client?: Layer.Layer<HttpClient.HttpClient>
  } = {}
): Effect.Effect<Application, InvalidOptionError, Scope.Scope> =>
  applicationWith(Otlp.layer({ url: receiver.url, ...rhythm, ...options }), given)

/** Starts an application with an exporter of one's own. */
export const applicationWith = <E>(
  exporter: Layer.Layer<
    never,
    E,
    Runtime.MetricsRuntime | HttpClient.HttpClient | OtlpSerialization.OtlpSerialization
  >,
  given: {
    readonly serialization?: Layer.Layer<OtlpSerialization.OtlpSerialization>
    readonly client?: Layer.Layer<HttpClient.HttpClient>
  } = {}
): Effect.Effect<Application, E | InvalidOptionError, Scope.Scope> =>
  Effect.gen(function*() {
    const { client = FetchHttpClient.layer, serialization = OtlpSerialization.layerProtobuf } = given
    const clock = yield* Clock.Clock
    const sleeping: Array<number> = []
    const watched: Clock.Clock = {
      ...clock,
      sleep: (duration) =>
        Effect.suspend(() => {
          const millis = Duration.toMillis(duration)
          sleeping.push(millis)
          return Effect.ensuring(
            clock.sleep(duration),
            Effect.sync(() => sleeping.splice(sleeping.indexOf(millis), 1))
          )
        })
    }
    const isAtRest = Effect.sync(() => sleeping.length === 1 && sleeping[0] === rhythm.interval)
    const waits = () => sleeping.filter((millis) => !Object.values(rhythm).includes(millis))
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const live = exporter.pipe(
      Layer.provide([client, serialization]),
      Layer.provideMerge(Runtime.layer({ namespace: "shop" }))
    )
    const context = yield* Effect.provideService(Layer.buildWithScope(live, scope), Clock.Clock, watched)
    const atRest = until("the exporter rests", isAtRest)
    const retries = until(
      "the exporter rests",
      Effect.suspend(() => waits().length === 1 ? Effect.as(TestClock.adjust(waits()[0]!), false) : isAtRest)
    )
    return {
      runtime: Context.get(context, Runtime.MetricsRuntime),
      atRest,
      nextExport: Effect.andThen(TestClock.adjust(rhythm.interval), atRest),
      wait: Effect.map(
        until("the exporter waits", Effect.sync(() => waits().length === 1)),
        () => waits()[0]!
      ),
      retries,
      exportWithRetries: Effect.andThen(TestClock.adjust(rhythm.interval), retries),
      close: Scope.close(scope, Exit.void)
    }
  })
