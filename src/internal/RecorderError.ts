/**
 * The errors of a recorder. Public through `Recorder`.
 */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"

/** The schema of a cause of anything. */
export const AnyCause = /*#__PURE__*/ Schema.Cause(Schema.Unknown, Schema.Unknown)

/** What a cause says, in one line. */
export const reason = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

/**
 * An operation met a recorder in a state that does not allow it.
 *
 * **Details**
 *
 * `operation` is the member that was called, `state` the tag of the status that
 * it met, `expected` says which states allow it. `cause` is what ended the
 * recorder, where it had failed or was cancelled.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecorderInvalidStateError
  extends /*#__PURE__*/ Schema.TaggedError<RecorderInvalidStateError>("mvx-metrics/Recorder/RecorderInvalidStateError")(
    "RecorderInvalidStateError",
    {
      entityId: Schema.String,
      operation: Schema.String,
      state: Schema.String,
      expected: Schema.String,
      cause: /*#__PURE__*/ Schema.optionalKey(AnyCause)
    }
  )
{
  override get message(): string {
    const because = this.cause === undefined ? "" : ` (${reason(this.cause)})`
    return `Recorder "${this.entityId}": ${this.operation} expects ${this.expected}, found ${this.state}${because}`
  }
}

/**
 * The queue of a recorder is full and its overflow policy is `"fail"`, or the
 * event was emitted from inside a reducer or a view and there is no room for it.
 *
 * @category errors
 * @since 0.1.0
 */
export class QueueOverflowError
  extends /*#__PURE__*/ Schema.TaggedError<QueueOverflowError>("mvx-metrics/Recorder/QueueOverflowError")(
    "QueueOverflowError",
    { entityId: Schema.String, capacity: Schema.Int, pending: Schema.Int }
  )
{
  override get message(): string {
    return `Recorder "${this.entityId}": expected room for one more event, found ${this.pending} pending of ${this.capacity}`
  }
}

/**
 * Another metric is registered under the name.
 *
 * @category errors
 * @since 0.1.0
 */
export class MetricNameTakenError
  extends /*#__PURE__*/ Schema.TaggedError<MetricNameTakenError>("mvx-metrics/Recorder/MetricNameTakenError")(
    "MetricNameTakenError",
    { entityId: Schema.String, name: Schema.String }
  )
{
  override get message(): string {
    return `Recorder "${this.entityId}": expected a free metric name, found another metric registered as "${this.name}"`
  }
}

/**
 * The metric is not registered in the recorder.
 *
 * **Gotchas**
 *
 * Metrics are told apart as values: another definition with the same name is
 * not the metric that is registered.
 *
 * @category errors
 * @since 0.1.0
 */
export class MetricNotRegisteredError
  extends /*#__PURE__*/ Schema.TaggedError<MetricNotRegisteredError>("mvx-metrics/Recorder/MetricNotRegisteredError")(
    "MetricNotRegisteredError",
    { entityId: Schema.String, name: Schema.String }
  )
{
  override get message(): string {
    return `Recorder "${this.entityId}": expected the metric "${this.name}" to be registered, found no such definition`
  }
}

/**
 * The view of a metric threw.
 *
 * @category errors
 * @since 0.1.0
 */
export class MetricViewError
  extends /*#__PURE__*/ Schema.TaggedError<MetricViewError>("mvx-metrics/Recorder/MetricViewError")(
    "MetricViewError",
    { entityId: Schema.String, name: Schema.String, cause: AnyCause }
  )
{
  override get message(): string {
    return `Recorder "${this.entityId}": expected the view of metric "${this.name}" to return, it threw: ${
      reason(this.cause)
    }`
  }
}

/**
 * A recorder did not start.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecorderStartError
  extends /*#__PURE__*/ Schema.TaggedError<RecorderStartError>("mvx-metrics/Recorder/RecorderStartError")(
    "RecorderStartError",
    { recorderId: Schema.String, cause: AnyCause }
  )
{
  override get message(): string {
    return `Recorder "${this.recorderId}": expected the start to succeed, it ended with: ${reason(this.cause)}`
  }
}

/**
 * What a recorder did: how many events it folded, how many accepted events it
 * had to discard, how many changes it skipped because nobody took them in time.
 * Counted over the whole life of the recorder.
 *
 * @category models
 * @since 0.1.0
 */
export interface StopReport extends Schema.Schema.Type<typeof StopReport> {}

/**
 * The schema of a {@link StopReport}.
 *
 * @category models
 * @since 0.1.0
 */
export const StopReport = /*#__PURE__*/ Schema.Struct({
  folded: Schema.Int,
  discarded: Schema.Int,
  changesSkipped: Schema.Int
})

/**
 * A recorder did not stop as it should: `onStopped` or the release of what
 * `onStarting` acquired failed, or the recorder failed while it was stopping.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecorderStopError
  extends /*#__PURE__*/ Schema.TaggedError<RecorderStopError>("mvx-metrics/Recorder/RecorderStopError")(
    "RecorderStopError",
    { recorderId: Schema.String, cause: AnyCause }
  )
{
  override get message(): string {
    return `Recorder "${this.recorderId}": expected the stop to succeed, it ended with: ${reason(this.cause)}`
  }
}

/**
 * A recorder did not stop within its `stopTimeout`. What was still to do was
 * interrupted and counted in the report.
 *
 * @category errors
 * @since 0.1.0
 */
export class StopTimeoutError
  extends /*#__PURE__*/ Schema.TaggedError<StopTimeoutError>("mvx-metrics/Recorder/StopTimeoutError")(
    "StopTimeoutError",
    { recorderId: Schema.String, report: StopReport }
  )
{
  override get message(): string {
    const { changesSkipped, discarded, folded } = this.report
    return `Recorder "${this.recorderId}": expected to stop within its stopTimeout, found work left (folded ${folded}, ` +
      `discarded ${discarded}, changes skipped ${changesSkipped})`
  }
}
