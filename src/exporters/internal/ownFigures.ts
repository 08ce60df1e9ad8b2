import type { RuntimeStats } from "../../Runtime.ts"
import type { SeriesRefusedError } from "./SeriesRefusedError.ts"

/** The metric that a runtime's own figures belong to. */
export const ownMetric = "mvx_metrics"

/** How many series a collection left out, by reason. */
export type LeftOut = Readonly<Record<SeriesRefusedError["reason"], number>>

/** What a runtime says about itself. */
export interface OwnFigure {
  readonly dimension: string
  readonly kind: "counter" | "gauge"
  readonly description: string
  /** The label that tells the values apart. */
  readonly label: string | undefined
  readonly read: (stats: RuntimeStats, leftOut: LeftOut) => number | Readonly<Record<string, number>>
}

const counter = (
  dimension: string,
  description: string,
  read: OwnFigure["read"],
  label?: string
): OwnFigure => ({ dimension, kind: "counter", description, label, read })

const gauge = (
  dimension: string,
  description: string,
  read: OwnFigure["read"],
  label?: string
): OwnFigure => ({ dimension, kind: "gauge", description, label, read })

export const ownFigures: ReadonlyArray<OwnFigure> = [
  counter("accepted_total", "Events taken into the queues of recorders", ({ accepted }) => accepted),
  counter("dropped_total", "Events given up because a queue was full", ({ dropped }) => dropped),
  counter(
    "refused_total",
    "Events not accepted, by reason",
    ({ refused: { invalidEvent, invalidState, overflow } }) => ({
      invalid_event: invalidEvent,
      invalid_state: invalidState,
      overflow
    }),
    "reason"
  ),
  counter(
    "discarded_total",
    "Accepted events given up by a failure or a stop that ran out of time",
    ({ discarded }) => discarded
  ),
  counter(
    "defects_total",
    "Failures of reducers, views and change hooks, by metric",
    ({ defects }) => defects,
    "metric"
  ),
  counter("skipped_total", "Values left out by dimensions, by metric", ({ skipped }) => skipped, "metric"),
  counter(
    "over_limit_total",
    "Events beyond the limit of a label, by metric and dimension",
    ({ overLimit }) => overLimit,
    "dimension"
  ),
  counter("changes_skipped_total", "Changes that slow subscribers did not get", ({ changesSkipped }) => changesSkipped),
  gauge("pending", "Accepted events that wait to be folded", ({ pending }) => pending),
  gauge("recorders", "Recorders of the runtime", ({ recorders }) => recorders),
  gauge("series_left_out", "Series that could not be published, by reason", (_, leftOut) => leftOut, "reason")
]
