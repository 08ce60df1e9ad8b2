import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { Resource } from "effect/observability/OtlpResource"
import { OtlpSerialization } from "effect/observability/OtlpSerialization"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { Recorder } from "../../../Recorder.ts"
import { MetricsRuntime, type MetricsRuntimeService } from "../../../Runtime.ts"
import { Baseline, type BaselineRead } from "../Baseline.ts"
import { Collector } from "../Collector.ts"
import { ownMetric } from "../ownFigures.ts"
import { Family, type Point, seriesName, type Source } from "../Series.ts"
import { Message, sinkOf } from "./encoding.ts"
import { type Refused, send, type Taken, type Unavailable } from "./request.ts"
import { otlpTarget } from "./target.ts"

/** The options of an exporter, checked and complete. */
export interface ExporterSettings {
  readonly url: string
  readonly headers: Headers.Headers
  readonly compression: "gzip" | "none"
  readonly temporality: "cumulative" | "delta"
  readonly interval: Duration.Duration
  readonly requestTimeout: Duration.Duration
  readonly shutdownTimeout: Duration.Duration
}

/** One export, and what was read for it. */
interface Delivery {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly read: BaselineRead | undefined
  /** Whether the receiver may have it, although it has not said so. */
  mayHaveArrived: boolean
}

/** One time that the exporter has its turn. */
interface Turn {
  readonly isLast: boolean
  /** When it must be over. */
  readonly until: number
}

const firstWait = 1_000

/** However long a receiver asks to wait: it must not silence an application for good. */
const longestWait = 5 * 60_000

/**
 * Sends what a runtime counts, export by export.
 *
 * In a delta, an export that may have arrived is sent again as it was, with the
 * same times, before anything else: a receiver can tell the duplicate. One that
 * was refused for certain is none: the next one counts from the last one that was
 * acknowledged.
 */
export class OtlpExporter {
  private readonly settings: ExporterSettings
  private readonly client: HttpClient.HttpClient
  private readonly collector: Collector
  private readonly runtime: MetricsRuntimeService
  private readonly sink: ReturnType<typeof sinkOf>
  private readonly baseline: Baseline | undefined
  private readonly ending = Deferred.makeUnsafe<void>()
  private readonly figures: ReadonlyArray<readonly [family: Family, read: () => number]>
  private readonly startedAt: number
  private readonly host: string
  /** By when the layer must have ended, once it ends. */
  private endsBy: number | undefined
  /** The last export, where it is not known whether it has arrived. */
  private unsettled: Delivery | undefined
  /** Until when the receiver asks to be spared. */
  private spareUntil = 0
  private failedRequests = 0
  private failedInARow = 0
  private rejectedPoints = 0
  /** What was logged since it was last different. */
  private readonly said = new Set<string>()

  private constructor(
    settings: ExporterSettings,
    client: HttpClient.HttpClient,
    collector: Collector,
    runtime: MetricsRuntimeService,
    sink: ReturnType<typeof sinkOf>,
    startedAt: number
  ) {
    this.settings = settings
    this.client = client
    this.collector = collector
    this.runtime = runtime
    this.sink = sink
    this.startedAt = startedAt
    this.host = new URL(settings.url).host
    this.baseline = settings.temporality === "delta" ? new Baseline(collector) : undefined
    this.figures = [
      [
        ownFamily("otlp_failed_requests_total", "Requests that the OTLP receiver did not take"),
        () => this.failedRequests
      ],
      [ownFamily("otlp_rejected_points_total", "Points that the OTLP receiver left out"), () => this.rejectedPoints]
    ]
  }

  static make(
    settings: ExporterSettings,
    resource: Resource
  ): Effect.Effect<OtlpExporter, never, MetricsRuntime | HttpClient.HttpClient | OtlpSerialization> {
    return Effect.gen(function*() {
      return new OtlpExporter(
        settings,
        yield* HttpClient.HttpClient,
        yield* Collector.make(otlpTarget),
        yield* MetricsRuntime,
        sinkOf(yield* OtlpSerialization, resource),
        yield* Clock.currentTimeMillis
      )
    })
  }

  /** One export, with what is left of the one before. */
  get run(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const now = yield* Clock.currentTimeMillis
      if (this.endsBy === undefined && now < this.spareUntil) return
      const turn: Turn = {
        isLast: this.endsBy !== undefined,
        until: this.endsBy ?? now + Duration.toMillis(this.settings.interval)
      }
      if (this.unsettled !== undefined) {
        yield* this.deliver(this.unsettled, turn)
        if (this.unsettled !== undefined) return
      }
      yield* this.deliver(yield* this.collect, turn)
    }).pipe(
      // The client may be one that is measured: an export must not be news to export.
      Effect.updateContext((context: Context.Context<never>) => Context.omit(Recorder)(context)),
      Effect.annotateLogs("metrics.runtime", this.runtime.namespace)
    )
  }

  /** The layer ends: whoever waits in order to send again makes way for the last export. */
  get end(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.endsBy = (yield* Clock.currentTimeMillis) + Duration.toMillis(this.settings.shutdownTimeout)
      yield* Deferred.succeed(this.ending, undefined)
    })
  }

  private get collect(): Effect.Effect<Delivery> {
    return Effect.gen({ self: this }, function*() {
      const { compression, headers, url } = this.settings
      const read = this.baseline?.read()
      const message = new Message(this.sink(), read !== undefined)
      const visit = (point: Point): void =>
        message.add(point, read?.since(point) ?? { value: point.value, startedAt: point.source.startedAt })
      yield* this.collector.each(visit)
      const source = this.source(yield* Clock.currentTimeMillis)
      for (const [family, value] of this.figures) visit({ family, source, labels: {}, value: value() })
      const request = HttpClientRequest.post(url, { headers }).pipe(HttpClientRequest.setBody(message.body()))
      return {
        request: compression === "gzip" ? yield* HttpClientRequest.compressBody(request, "gzip") : request,
        read,
        mayHaveArrived: false
      }
    })
  }

  /** Sends it until it is taken or refused, or there is no more time. */
  private deliver(delivery: Delivery, turn: Turn): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      for (let wait = firstWait;; wait *= 2) {
        const reply = yield* send(this.client, delivery.request, this.settings.requestTimeout)
        if (reply._tag === "Taken") {
          this.unsettled = undefined
          delivery.read?.commit()
          return yield* this.taken(reply)
        }
        this.failedRequests++
        this.failedInARow++
        if (reply._tag === "Refused") {
          if (reply.isOfBody) delivery.mayHaveArrived = false
        } else if (reply.mayHaveArrived) delivery.mayHaveArrived = true
        this.unsettled = delivery.read !== undefined && delivery.mayHaveArrived ? delivery : undefined
        yield* this.failed(reply, turn)
        if (reply._tag === "Refused" || !(yield* this.rest(reply.retryAfter, wait, turn))) return
      }
    })
  }

  /** Waits before a request is sent again; `false` where there is no time for that. */
  private rest(retryAfter: number | undefined, wait: number, { isLast, until }: Turn): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function*() {
      const now = yield* Clock.currentTimeMillis
      // Up to half as much again, so that not all senders come back at once.
      const own = wait * (1 + (yield* Random.next) / 2)
      const millis = Math.min(Math.max(own, retryAfter ?? 0), longestWait)
      if (retryAfter !== undefined) this.spareUntil = now + millis
      if (now + millis >= until) return false
      if (isLast) return yield* Effect.as(Effect.sleep(millis), true)
      return Option.isNone(yield* Effect.timeoutOption(Deferred.await(this.ending), millis))
    })
  }

  private taken({ partialSuccess }: Taken): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const failed = this.failedInARow
      if (failed > 0) {
        this.failedInARow = 0
        for (const key of this.said) if (key.startsWith("failed")) this.said.delete(key)
        yield* Effect.logInfo(`OTLP exports to ${this.host} work again, after ${failed} that failed`)
      }
      if (partialSuccess === undefined) return void this.said.delete("partial")
      const { message, rejected } = partialSuccess
      this.rejectedPoints += rejected
      const what = rejected === 0 ? "warns about" : `left out ${rejected} points of`
      yield* this.say("Warn", "partial", `${this.host} ${what} an OTLP export: ${message}`)
    })
  }

  private failed({ _tag, reason, status }: Refused | Unavailable, { isLast }: Turn): Effect.Effect<void> {
    const text = `${isLast ? "The last" : "An"} OTLP export to ${this.host}`
    return _tag === "Refused"
      ? this.say("Error", `failed ${isLast} ${status}`, `${text} was refused: ${reason}`)
      : this.say("Warn", `failed ${isLast} ${status}`, `${text} failed: ${reason}`)
  }

  /** Says something aloud once. */
  private say(level: "Error" | "Warn", key: string, text: string): Effect.Effect<void> {
    const isKnown = this.said.has(key)
    this.said.add(key)
    return Effect.logWithLevel(isKnown ? "Debug" : level)(text)
  }

  private source(takenAt: number): Source {
    const { namespace } = this.runtime
    return {
      labels: { runtime: namespace },
      labelKeys: new Set(),
      epoch: this.startedAt,
      startedAt: this.startedAt,
      takenAt
    }
  }
}

const ownFamily = (dimension: string, description: string): Family =>
  new Family(
    { metric: ownMetric, dimension, kind: "counter", unit: undefined },
    seriesName({ metric: ownMetric, dimension }),
    description,
    otlpTarget,
    true
  )
