import { Option } from "effect"
import { Metric } from "mvx-metrics"
import { Closed, OpenAttempt, Received, Sent } from "./TcpEvents.ts"

export const OpenAttempts = Metric.make("tcp.connection.open_attempts", {
  events: [OpenAttempt],
  initial: { total: 0, success_total: 0, failure_total: 0 },
  reduce: (state, event) =>
    Option.some({
      total: state.total + 1,
      success_total: state.success_total + (event.outcome === "SUCCESS" ? 1 : 0),
      failure_total: state.failure_total + (event.outcome === "FAILURE" ? 1 : 0)
    })
})

export const BytesReceived = Metric.make("tcp.connection.bytes_received", {
  events: [Received],
  initial: { total: 0 },
  reduce: (state, event) => Option.some({ total: state.total + event.bytes })
})

export const BytesSent = Metric.make("tcp.connection.bytes_sent", {
  events: [Sent],
  initial: { total: 0 },
  reduce: (state, event) => Option.some({ total: state.total + event.bytes })
})

export const Closes = Metric.make("tcp.connection.closes", {
  events: [Closed],
  initial: { ended_total: 0, broken_total: 0 },
  reduce: (state, event) =>
    Option.some({
      ended_total: state.ended_total + (event.outcome === "ENDED" ? 1 : 0),
      broken_total: state.broken_total + (event.outcome === "BROKEN" ? 1 : 0)
    })
})
