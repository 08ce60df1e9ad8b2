import * as Schema from "effect/Schema"

/**
 * A series cannot be published as it is, or not beside another. It is left out,
 * and everything else goes on.
 *
 * **Details**
 *
 * `series` is what is left out, in the names of the code; `expected` and `found`
 * say why. The reasons:
 *
 * - `"name"`: another series, which is `found`, has the name already
 * - `"label"`: two of its labels would have one name, or the target needs the
 *   name of the label for itself
 * - `"duplicate"`: the view of the metric shows two series with the same labels,
 *   or another runtime has the series in the same registry
 * - `"value"`: the value of a label is no text, or that of a counter no number
 *   of zero or more
 * - `"view"`: the view of the metric throws; `cause` is what it threw
 *
 * An exporter counts what it leaves out in `mvx_metrics_series_left_out`, and
 * logs each error once.
 *
 * @category errors
 * @since 0.1.0
 */
export class SeriesRefusedError extends Schema.TaggedError<SeriesRefusedError>(
  "mvx-metrics/exporters/SeriesRefusedError"
)("SeriesRefusedError", {
  reason: Schema.Literals(["name", "label", "duplicate", "value", "view"]),
  series: Schema.String,
  expected: Schema.String,
  found: Schema.String,
  cause: Schema.optionalKey(Schema.Unknown)
}) {
  override get message(): string {
    return `Not published: ${this.series}: expected ${this.expected}, found ${this.found}`
  }
}
