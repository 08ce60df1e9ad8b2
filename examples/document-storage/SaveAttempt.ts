import { Schema } from "effect"
import { Event } from "mvx-metrics"

/** Why a document was not saved. */
export type FailureReason = typeof FailureReason.Type
export const FailureReason = Schema.Literals(["name_not_allowed", "unreadable", "empty", "not_written", "interrupted"])

/** The storage tried to save a document. A success has `bytes`; a failure has a `reason`, unless it is a defect. */
export class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
  outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
  durationMs: Schema.Finite,
  bytes: Schema.optional(Schema.Finite),
  reason: Schema.optional(FailureReason)
}) {}
