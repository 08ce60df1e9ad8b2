import { Option } from "effect"
import { Metric } from "mvx-metrics"

/** How many requests there were, by the status of the response. */
export const Requests = Metric.make("http.requests", {
  events: ["http.request"],
  initial: { total: 0, by_status: {} },
  reduce: ({ by_status, total }, { status }) =>
    Option.some({
      total: total + 1,
      by_status: { ...by_status, [status]: (by_status[status] ?? 0) + 1 }
    })
})

/** How long they took. */
export const Durations = Metric.make("http.durations", {
  events: ["http.request"],
  initial: { total: 0, duration_ms_total: 0, longest_ms: 0 },
  reduce: (state, { durationMs }) =>
    Option.some({
      total: state.total + 1,
      duration_ms_total: state.duration_ms_total + durationMs,
      longest_ms: Math.max(state.longest_ms, durationMs)
    }),
  dimensions: (state) => ({
    ...state,
    average_duration_ms: state.total === 0 ? 0 : state.duration_ms_total / state.total
  })
})
