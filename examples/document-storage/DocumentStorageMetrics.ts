import { Layer, Option } from "effect"
import { Metric, MetricsLive, Recorder } from "mvx-metrics"
import { SaveAttempt } from "./SaveAttempt.ts"

export const SaveAttempts = Metric.fromDimensions("document_storage.save.attempts", [SaveAttempt], (d) => ({
  total: d.count(),
  success_total: d.count({ when: (e) => e.outcome === "SUCCESS" }),
  failure_total: d.count({ when: (e) => e.outcome === "FAILURE" })
}))

export const SaveDuration = Metric.fromDimensions("document_storage.save.duration", [SaveAttempt], (d) => ({
  average_ms: d.mean((e) => e.durationMs, { unit: "ms" }),
  quantiles_ms: d.quantiles((e) => e.durationMs, { quantiles: [0.5, 0.99], unit: "ms" })
}))

/** By hand, because a speed is a quotient of two sums, which no dimension is. */
export const SavedBytes = Metric.make("document_storage.save.bytes", {
  events: [SaveAttempt],
  initial: { bytes: 0, durationMs: 0 },
  reduce: (state, { bytes, durationMs }) =>
    bytes === undefined
      ? Option.none()
      : Option.some({ bytes: state.bytes + bytes, durationMs: state.durationMs + durationMs }),
  dimensions: ({ bytes, durationMs }) => ({
    bytes_total: bytes,
    bytes_per_second: durationMs === 0 ? 0 : 1_000 * bytes / durationMs
  })
})

export const SaveFailures = Metric.fromDimensions("document_storage.save.failures", [SaveAttempt], (d) => ({
  by_reason: d.by("reason", (e) => e.reason ?? "defect", d.count(), { when: (e) => e.outcome === "FAILURE" })
}))

/** The metrics of the document storage in a recorder, which `METRICS_*` variables configure. */
export const layer = Recorder.layerMetrics(SaveAttempts, SaveDuration, SavedBytes, SaveFailures).pipe(
  Layer.provideMerge(MetricsLive)
)
