/**
 * The errors of a runtime. Public through `Runtime`.
 */
import * as Schema from "effect/Schema"
import { describe } from "./describe.ts"
import { AnyCause, reason } from "./RecorderError.ts"

/**
 * The runtime has a recorder of that id, or one that is being created or removed.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecorderAlreadyExistsError extends /*#__PURE__*/ Schema.TaggedError<RecorderAlreadyExistsError>(
  "mvx-metrics/Runtime/RecorderAlreadyExistsError"
)(
  "RecorderAlreadyExistsError",
  { recorderId: Schema.String }
) {
  override get message(): string {
    return `Expected a free recorder id, found "${this.recorderId}" in use`
  }
}

/**
 * The runtime has no recorder of that id, or one that is still being created, or
 * is being removed.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecorderNotFoundError
  extends /*#__PURE__*/ Schema.TaggedError<RecorderNotFoundError>("mvx-metrics/Runtime/RecorderNotFoundError")(
    "RecorderNotFoundError",
    { recorderId: Schema.String }
  )
{
  override get message(): string {
    return `Expected a recorder "${this.recorderId}", found none`
  }

  /** @internal */
  static of(id: unknown): RecorderNotFoundError {
    return new RecorderNotFoundError({ recorderId: typeof id === "string" ? id.trim() : describe(id) })
  }
}

/**
 * A recorder id is blank, or not a string. `recorderId` is what was given, as
 * readable text.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidRecorderIdError
  extends /*#__PURE__*/ Schema.TaggedError<InvalidRecorderIdError>("mvx-metrics/Runtime/InvalidRecorderIdError")(
    "InvalidRecorderIdError",
    { recorderId: Schema.String }
  )
{
  override get message(): string {
    return `Expected a non-blank recorder id, found ${this.recorderId}`
  }

  /** @internal */
  static of(given: unknown): InvalidRecorderIdError {
    return new InvalidRecorderIdError({ recorderId: describe(given) })
  }
}

/**
 * An operation met a runtime in a state that does not allow it. `cause` is what
 * ended the runtime, where it has failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class RuntimeInvalidStateError
  extends /*#__PURE__*/ Schema.TaggedError<RuntimeInvalidStateError>("mvx-metrics/Runtime/RuntimeInvalidStateError")(
    "RuntimeInvalidStateError",
    {
      operation: Schema.String,
      state: Schema.String,
      expected: Schema.String,
      cause: /*#__PURE__*/ Schema.optionalKey(AnyCause)
    }
  )
{
  override get message(): string {
    const because = this.cause === undefined ? "" : ` (${reason(this.cause)})`
    return `Runtime: ${this.operation} expects ${this.expected}, found ${this.state}${because}`
  }
}

/**
 * A recorder that did not end well, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecorderFailure extends Schema.Schema.Type<typeof RecorderFailure> {}

/**
 * The schema of a {@link RecorderFailure}.
 *
 * @category models
 * @since 0.1.0
 */
export const RecorderFailure = /*#__PURE__*/ Schema.Struct({ recorderId: Schema.String, cause: AnyCause })

/**
 * Some recorders did not stop as they should when the runtime was shut down. All
 * have ended; the runtime is closed.
 *
 * @category errors
 * @since 0.1.0
 */
export class RuntimeShutdownError extends /*#__PURE__*/ Schema.TaggedError<RuntimeShutdownError>(
  "mvx-metrics/Runtime/RuntimeShutdownError"
)("RuntimeShutdownError", { failures: /*#__PURE__*/ Schema.Array(RecorderFailure) }) {
  override get message(): string {
    const { length } = this.failures
    const shown = this.failures.slice(0, 10).map(({ cause, recorderId }) => `"${recorderId}" (${reason(cause)})`)
    const more = length > shown.length ? [`${length - shown.length} more`] : []
    return `Expected all recorders to stop, ${length} did not: ${[...shown, ...more].join(", ")}`
  }
}
