import { Layer, Option } from "effect"
import { Metric, MetricsLive, Recorder } from "mvx-metrics"
import { FailureReason, SaveAttempt } from "./SaveAttempt.ts"

export const SaveAttempts = Metric.make("document_storage.save.attempts", {
  events: [SaveAttempt],
  initial: { total: 0, success_total: 0, failure_total: 0 },
  reduce: (state, event) =>
    Option.some({
      total: state.total + 1,
      success_total: state.success_total + (event.outcome === "SUCCESS" ? 1 : 0),
      failure_total: state.failure_total + (event.outcome === "FAILURE" ? 1 : 0)
    })
})

export const SaveDuration = Metric.make("document_storage.save.average_duration", {
  events: [SaveAttempt],
  initial: { total: 0, duration_ms_total: 0 },
  reduce: (state, event) =>
    Option.some({ total: state.total + 1, duration_ms_total: state.duration_ms_total + event.durationMs }),
  dimensions: (state) => ({
    ...state,
    average_duration_ms: state.total === 0 ? 0 : state.duration_ms_total / state.total
  })
})

export const SavedBytes = Metric.make("document_storage.save.bytes", {
  events: [SaveAttempt],
  initial: { bytes_total: 0 },
  reduce: (state, event) =>
    event.bytes === undefined ? Option.none() : Option.some({ bytes_total: state.bytes_total + event.bytes })
})

export const SaveFailures = Metric.make("document_storage.save.failures", {
  events: [SaveAttempt],
  initial: {
    name_not_allowed_total: 0,
    unreadable_total: 0,
    empty_total: 0,
    not_written_total: 0,
    interrupted_total: 0
  } satisfies Record<`${FailureReason}_total`, number>,
  reduce: (state, { reason }) =>
    reason === undefined ? Option.none() : Option.some({ ...state, [`${reason}_total`]: state[`${reason}_total`] + 1 })
})

/** The metrics of the document storage in a recorder, which `METRICS_*` variables configure. */
export const layer = Recorder.layerMetrics(SaveAttempts, SaveDuration, SavedBytes, SaveFailures).pipe(
  Layer.provideMerge(MetricsLive)
)
