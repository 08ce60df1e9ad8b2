import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe } from "../../../internal/describe.ts"
import type { MetricChange } from "../../../Recorder.ts"
import { labelsOf, type Point } from "../Series.ts"
import { jsonOf } from "./json.ts"

/**
 * A value has no JSON: a cycle, a `toJSON` that throws. Its line says so in place
 * of it.
 *
 * **Details**
 *
 * Logged at Error, the first time for each metric.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoJsonError extends Schema.TaggedError<NoJsonError>("mvx-metrics/exporters/Json/NoJsonError")(
  "NoJsonError",
  { metric: Schema.String, cause: Schema.Unknown }
) {
  override get message(): string {
    return `Metric "${this.metric}": expected values that have JSON, found ${describe(this.cause)}`
  }
}

/** Metrics may come and go without number. */
const maxLogged = 256

/** The lines of one runtime. What cannot be written is told once for each metric. */
export class NdjsonLines {
  private readonly runtime: string
  private readonly logged = new Set<string>()
  private errors: Array<NoJsonError> = []

  constructor(runtime: string) {
    this.runtime = runtime
  }

  ofPoint(point: Point): string {
    const { family: { dimension, kind, metric, unit }, source, value } = point
    return this.line(metric, {
      time: iso(source.takenAt),
      runtime: this.runtime,
      metric,
      dimension,
      kind,
      unit,
      labels: labelsOf(point),
      startedAt: iso(source.startedAt)
    }, () => typeof value === "object" ? { distribution: value } : { value })
  }

  ofChange(change: MetricChange, time: number, withDimensions: boolean): string {
    const { entityId, metric, offset, recorderId, sequence } = change
    return this.line(metric, {
      time: iso(time),
      runtime: this.runtime,
      recorder: recorderId,
      entity: entityId,
      metric,
      sequence,
      offset
    }, () => ({ event: change.event, dimensions: withDimensions ? change.snapshot?.dimensions : undefined }))
  }

  /** Logs what could not be written since. */
  readonly log: Effect.Effect<void> = Effect.suspend(() => {
    const { errors } = this
    this.errors = []
    return Effect.forEach(errors, (error) => Effect.logError(error), { discard: true })
  })

  private line(metric: string, facts: object, values: () => object): string {
    try {
      return `${jsonOf({ ...facts, ...values() })}\n`
    } catch (cause) {
      const error = new NoJsonError({ metric, cause })
      if (!this.logged.has(metric) && this.logged.size < maxLogged) {
        this.logged.add(metric)
        this.errors.push(error)
      }
      return `${jsonOf({ ...facts, error: error.message })}\n`
    }
  }
}

const iso = (time: number): string => new Date(time).toISOString()
