/** A library of a user's that exports metrics: its declarations must name nothing that is not public. */
import { Schema } from "effect"
import { Dimension, Event, Metric } from "mvx-metrics"
import { TestRecorder } from "mvx-metrics/testing"

export class Request extends Event.Class<Request>()("http.request", {
  method: Schema.Literals(["GET", "POST"]),
  durationMs: Schema.Finite,
  user: Schema.optionalKey(Schema.String)
}) {}

const d = Dimension.builder<Request>()

export const duration = d.histogram((e) => e.durationMs, { unit: "ms" })

export const Requests = Metric.fromDimensions("http.requests", [Request], (d) => ({
  total: d.count(),
  sum: d.sum((e) => e.durationMs),
  now: d.upDown((e) => e.durationMs),
  min: d.min((e) => e.durationMs),
  mean: d.mean((e) => e.durationMs),
  variance: d.variance((e) => e.durationMs),
  last: d.last((e) => e.durationMs),
  duration,
  exponential: d.exponentialHistogram((e) => e.durationMs),
  quantiles: d.quantiles((e) => e.durationMs, { quantiles: [0.5, 0.99] }),
  users: d.distinct((e) => e.user),
  top: d.topK((e) => e.user),
  rate: d.rate(),
  by_method: d.by("method", (e) => e.method, d.struct({ total: d.count(), duration })),
  by_both: d.by({ method: (e) => e.method, user: (e) => e.user }, d.count())
}))

export const samples = Metric.samples(Requests, Metric.fold(Requests, []))

export const stored = Metric.codec(Requests)

export const testing = TestRecorder.layer
