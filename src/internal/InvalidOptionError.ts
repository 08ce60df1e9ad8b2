import * as Schema from "effect/Schema"
import { describe } from "./describe.ts"

/**
 * A value given for an option is not one of the values that the option takes.
 *
 * **Details**
 *
 * `option` names the option, `given` is what was passed, as readable text, and
 * `expected` says which values are accepted. The option changes nothing:
 * whatever was being made is not made.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidOptionError
  extends /*#__PURE__*/ Schema.TaggedError<InvalidOptionError>("mvx-metrics/Recorder/InvalidOptionError")(
    "InvalidOptionError",
    { option: Schema.String, given: Schema.String, expected: Schema.String }
  )
{
  override get message(): string {
    return `Invalid option \`${this.option}\`: expected ${this.expected}, found ${this.given}`
  }

  /** @internal */
  static of(option: string, given: unknown, expected: string): InvalidOptionError {
    return new InvalidOptionError({ option, given: describe(given), expected })
  }
}
