import { Metric, Recorder } from "mvx-metrics"
import { RequestFinished, RequestStarted } from "./HttpEvents.ts"

// Names, units, labels and the boundaries of durations are those of OpenTelemetry's semantic conventions for HTTP.
// The name of a metric and that of its dimension together are the name that a dashboard knows:
// `http.server.request_duration` is `http_server_request_duration_seconds` in Prometheus.

const attributes = {
  "http.request.method": (e: RequestFinished) => e.method,
  "http.route": (e: RequestFinished) => e.route,
  "http.response.status_code": (e: RequestFinished) => e.status
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const bytes = [0, 64, 1_024, 16_384, 262_144, 4_194_304]

export const Requests = Metric.fromDimensions("http.server.request", [RequestFinished], (d) => ({
  duration: d.by(attributes, d.histogram((e) => e.seconds, { unit: "s", boundaries: seconds })),
  body_size: d.by(attributes, d.histogram((e) => e.requestBytes, { unit: "By", boundaries: bytes }))
}), { description: "The requests that are over." })

export const Responses = Metric.fromDimensions("http.server.response", [RequestFinished], (d) => ({
  body_size: d.by(attributes, d.histogram((e) => e.responseBytes, { unit: "By", boundaries: bytes }))
}), { description: "The responses that went out." })

export const Server = Metric.fromDimensions("http.server", [RequestStarted, RequestFinished], (d) => ({
  active_requests: d.by(
    "http.request.method",
    (e) => e.method,
    d.upDown((e) => e._tag === RequestStarted.tag ? 1 : -1, { unit: "{request}" })
  )
}), { description: "The requests in flight." })

export const layer = Recorder.layerMetrics(Requests, Responses, Server)
