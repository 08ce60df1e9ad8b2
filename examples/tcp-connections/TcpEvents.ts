import { Schema } from "effect"
import { Event } from "mvx-metrics"

/** Somebody tried to open a connection. */
export class OpenAttempt extends Event.Class<OpenAttempt>()("tcp.connection.open_attempt", {
  outcome: Schema.Literals(["SUCCESS", "FAILURE"])
}) {}

/** Bytes came in. */
export class Received extends Event.Class<Received>()("tcp.connection.received", { bytes: Schema.Finite }) {}

/** Bytes went out. */
export class Sent extends Event.Class<Sent>()("tcp.connection.sent", { bytes: Schema.Finite }) {}

/** A connection is over: the other side ended it, or it broke. */
export class Closed extends Event.Class<Closed>()("tcp.connection.closed", {
  outcome: Schema.Literals(["ENDED", "BROKEN"])
}) {}
