import { Metric } from "mvx-metrics"
import { Closed, OpenAttempt, Received, Sent } from "./TcpEvents.ts"

export const OpenAttempts = Metric.fromDimensions("tcp.connection.open_attempts", [OpenAttempt], (d) => ({
  by_outcome: d.by("outcome", (e) => e.outcome, d.count())
}))

export const Traffic = Metric.fromDimensions("tcp.connection.traffic", [Received, Sent], (d) => ({
  by_direction: d.by(
    "direction",
    (e) => e._tag === Received.tag ? "in" : "out",
    d.sum((e) => e.bytes, { unit: "By" })
  )
}))

export const Closes = Metric.fromDimensions("tcp.connection.closes", [Closed], (d) => ({
  by_outcome: d.by("outcome", (e) => e.outcome, d.count())
}))
