/**
 * The errors of metrics. Public through `Metric`.
 */
import * as Schema from "effect/Schema"
import { describe } from "./describe.ts"

/**
 * Two states of a metric cannot become one, or have no difference.
 *
 * @category errors
 * @since 0.1.0
 */
export class MetricMergeError
  extends /*#__PURE__*/ Schema.TaggedError<MetricMergeError>("mvx-metrics/Metric/MetricMergeError")(
    "MetricMergeError",
    {
      name: Schema.String,
      reason: Schema.String,
      cause: /*#__PURE__*/ Schema.optionalKey(/*#__PURE__*/ Schema.Defect())
    }
  )
{
  override get message(): string {
    return `Metric ${JSON.stringify(this.name)}: ${this.reason}`
  }
}

/**
 * A metric is not well defined, or a value offered as a metric is not one.
 *
 * **Details**
 *
 * `metric` is the metric's name where it has one, `given` what was found, as
 * readable text, and `expected` what should be there. Thrown where a metric is
 * defined; a recorder that is handed something else fails with it.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidMetricError
  extends /*#__PURE__*/ Schema.TaggedError<InvalidMetricError>("mvx-metrics/Metric/InvalidMetricError")(
    "InvalidMetricError",
    { metric: /*#__PURE__*/ Schema.optionalKey(Schema.String), given: Schema.String, expected: Schema.String }
  )
{
  override get message(): string {
    const subject = this.metric === undefined ? "Invalid metric" : `Invalid metric ${JSON.stringify(this.metric)}`
    return `${subject}: expected ${this.expected}, found ${this.given}`
  }

  /** @internal */
  static of(metric: string | undefined, given: unknown, expected: string): InvalidMetricError {
    return new InvalidMetricError({
      ...(metric === undefined ? {} : { metric }),
      given: describe(given),
      expected
    })
  }
}
