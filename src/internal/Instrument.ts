/**
 * How dimensions are published. Public through `Metric`.
 */

import * as Predicate from "effect/Predicate"
import type { ExponentialValue } from "./dimension/ExponentialHistogram.ts"
import type { HistogramValue } from "./dimension/Histogram.ts"
import type { QuantilesValue } from "./dimension/Quantiles.ts"

export const instrumentKinds = ["counter", "upDownCounter", "gauge", "histogram", "summary"] as const

/**
 * The kinds of instruments, in the terms of OpenTelemetry: a `counter` only
 * grows, an `upDownCounter` may fall, a `gauge` is a current value, a
 * `histogram` a distribution by buckets, a `summary` one by quantiles.
 *
 * @category models
 * @since 0.1.0
 */
export type InstrumentKind = typeof instrumentKinds[number]

/**
 * How one quantity is published: its kind and, in UCUM notation, its unit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Quantity {
  readonly kind: InstrumentKind
  readonly unit?: string | undefined
}

/**
 * How a dimension is published: as one quantity, as one for each value of a
 * label, or as several.
 *
 * **Details**
 *
 * - `{ kind, unit }`: the dimension shows a number, or what the kind asks for.
 * - `{ label, of }`: it shows a record by the values of that label.
 * - `{ labels, of }`: it shows an array of `{ labels, value }`.
 * - `{ items, of }`: it shows an array of `{ item, count }`, and `items` is the
 *   label that tells the items apart.
 * - `{ dimensions }`: it shows a record with these dimensions.
 *
 * @category models
 * @since 0.1.0
 */
export type Instrument =
  | Quantity
  | { readonly label: string; readonly of: Instrument }
  | { readonly labels: ReadonlyArray<string>; readonly of: Instrument }
  | { readonly items: string; readonly of: Instrument }
  | { readonly dimensions: Instruments }

/**
 * The instruments of a metric, by dimension.
 *
 * @category models
 * @since 0.1.0
 */
export type Instruments = Readonly<Record<string, Instrument>>

export const isRecord = (u: unknown): u is Record<string, unknown> => Predicate.isObject(u) && !Array.isArray(u)

const isNumber = (u: unknown): u is number | bigint => typeof u === "number" || typeof u === "bigint"

/** What an instrument should be, and what was found instead. */
export type Fault = readonly [found: unknown, expected: string]

/**
 * What is wrong with the instrument of a dimension, if anything is. `value` is
 * what the dimension shows of the initial state, `undefined` where that is not known.
 */
export const faultOf = (dimension: string, instrument: unknown, value: unknown): Fault | undefined => {
  const given = (isRecord(instrument) ? instrument : {}) as Record<string, unknown>
  if ("dimensions" in given) return dimensionsFault(dimension, given.dimensions, value)
  const by = (["label", "labels", "items"] as const).find((key) => key in given)
  if (by !== undefined) return labelsFault(dimension, by, given, value)
  const { kind, unit } = given
  if (!instrumentKinds.includes(kind as InstrumentKind)) {
    return [kind, `the kind of dimension "${dimension}" to be one of ${instrumentKinds.join(", ")}`]
  }
  if (unit !== undefined && typeof unit !== "string") {
    return [unit, `the unit of dimension "${dimension}" to be a string`]
  }
  const fits = value === undefined ||
    (kind === "histogram"
      ? isDistribution(value)
      : kind === "summary"
      ? isSummary(value)
      : isNumber(value) || isRecord(value))
  if (fits) return undefined
  const shown = kind === "histogram"
    ? "a distribution: { count, sum, boundaries, counts }, or what an exponential histogram shows"
    : kind === "summary"
    ? "a summary: { count, sum, quantiles }"
    : "a number, or a record of numbers"
  return [value, `dimension "${dimension}" of kind ${String(kind)} to show ${shown}`]
}

const dimensionsFault = (dimension: string, instruments: unknown, value: unknown): Fault | undefined => {
  if (!isRecord(instruments)) {
    return [instruments, `the instrument of dimension "${dimension}" to have a record of instruments`]
  }
  if (value !== undefined && !isRecord(value)) return [value, `dimension "${dimension}" to show a record`]
  for (const [name, instrument] of Object.entries(instruments)) {
    const fault = faultOf(`${dimension}.${name}`, instrument, (value as Record<string, unknown> | undefined)?.[name])
    if (fault !== undefined) return fault
  }
  return undefined
}

const labelsFault = (
  dimension: string,
  by: "label" | "labels" | "items",
  given: Record<string, unknown>,
  value: unknown
): Fault | undefined => {
  const names = by === "labels" ? given.labels : [given[by]]
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string" && name.trim() !== "")) {
    return [given[by], `\`${by}\` of dimension "${dimension}" to name labels`]
  }
  const isShown = value === undefined || (by === "label" ? isRecord(value) : Array.isArray(value))
  if (!isShown) {
    return [value, `dimension "${dimension}" with \`${by}\` to show ${by === "label" ? "a record" : "an array"}`]
  }
  return faultOf(dimension, given.of, undefined)
}

const areNumbers = (u: unknown): u is ReadonlyArray<number> =>
  Array.isArray(u) && u.every((item) => typeof item === "number")

const areAscending = (u: unknown): u is ReadonlyArray<number> =>
  areNumbers(u) && u.every((item, at) => at === 0 || item > u[at - 1]!)

const areBuckets = (u: unknown): boolean => isRecord(u) && Number.isInteger(u.offset) && areNumbers(u.counts)

const isBound = (u: unknown): boolean => u === undefined || typeof u === "number"

const isTotal = (u: unknown): u is Record<string, unknown> =>
  isRecord(u) && typeof u.count === "number" && typeof u.sum === "number"

/** Whether a value is what a dimension of kind histogram shows. */
export const isDistribution = (u: unknown): u is HistogramValue | ExponentialValue =>
  isTotal(u) && isBound(u.min) && isBound(u.max) &&
  ("boundaries" in u
    ? areAscending(u.boundaries) && areNumbers(u.counts) && u.counts.length === u.boundaries.length + 1
    : Number.isInteger(u.scale) && typeof u.zeroCount === "number" && areBuckets(u.positive) && areBuckets(u.negative))

/** Whether a value is what a dimension of kind summary shows. */
export const isSummary = (u: unknown): u is QuantilesValue<ReadonlyArray<number>> =>
  isTotal(u) && isRecord(u.quantiles) &&
  Object.values(u.quantiles).every(isBound)
