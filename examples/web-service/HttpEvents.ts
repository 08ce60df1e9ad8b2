import { Schema } from "effect"
import { Event } from "mvx-metrics"

/** A request came in. */
export class RequestStarted extends Event.Class<RequestStarted>()("http.server.request.started", {
  method: Schema.String
}) {}

/** A request is over: it was answered to the last byte, or the client went away. */
export class RequestFinished extends Event.Class<RequestFinished>()("http.server.request.finished", {
  method: Schema.String,
  /** The template of the route, such as `/documents/:id`. A request that no route takes has none. */
  route: Schema.optional(Schema.String),
  /** 499 where the client went away before it had any. */
  status: Schema.Int,
  seconds: Schema.Finite,
  /** Of the bodies, where there is one and its length is known beforehand. */
  requestBytes: Schema.optional(Schema.Finite),
  responseBytes: Schema.optional(Schema.Finite)
}) {}
