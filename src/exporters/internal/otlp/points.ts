/** The values of series in the data model of OTLP. */
import type * as OtlpMetrics from "effect/observability/OtlpMetrics"
import type { KeyValue } from "effect/observability/OtlpResource"
import type { BucketsValue, ExponentialValue } from "../../../internal/dimension/ExponentialHistogram.ts"
import type { HistogramValue } from "../../../internal/dimension/Histogram.ts"
import type { QuantilesValue } from "../../../internal/dimension/Quantiles.ts"
import type { Since } from "../Baseline.ts"
import type { Family, Point } from "../Series.ts"

/** A metric as Effect's serialisation takes it. */
export type OtlpMetric = OtlpMetrics.MetricsData["resourceMetrics"][number]["scopeMetrics"][number]["metrics"][number]

type DataOf<Shape extends "gauge" | "sum" | "histogram" | "exponentialHistogram" | "summary"> = NonNullable<
  OtlpMetric[Shape]
>["dataPoints"][number]

export type NumberPoint = DataOf<"sum">
export type HistogramPoint = DataOf<"histogram">
export type ExponentialPoint = DataOf<"exponentialHistogram">
export type SummaryPoint = DataOf<"summary">

/** One value of one series. */
export type DataPoint =
  | { readonly shape: "gauge" | "sum"; readonly data: NumberPoint }
  | { readonly shape: "histogram"; readonly data: HistogramPoint }
  | { readonly shape: "exponentialHistogram"; readonly data: ExponentialPoint }
  | { readonly shape: "summary"; readonly data: SummaryPoint }

/** Which kind of data a metric has. */
export type Shape = DataPoint["shape"]

/** What OTLP says of all points of a metric. */
export interface Head {
  readonly name: string
  readonly description: string | undefined
  readonly unit: string | undefined
  readonly shape: Shape
  /** In the numbers of the protocol: 1 is delta, 2 is cumulative. */
  readonly aggregationTemporality: 1 | 2 | undefined
  readonly isMonotonic: boolean | undefined
}

/** What is said of a family whose points have this shape. */
export const headOf = ({ description, kind, name, unit }: Family, shape: Shape, isDelta: boolean): Head => ({
  name,
  description,
  unit,
  shape,
  // What may fall has no temporality to prefer: OpenTelemetry keeps it cumulative under a preference for delta.
  aggregationTemporality: shape === "gauge" || shape === "summary"
    ? undefined
    : isDelta && kind !== "upDownCounter"
    ? 1
    : 2,
  isMonotonic: shape === "sum" ? kind === "counter" : undefined
})

/**
 * What a point says. A number is a double, whole or not, and a bigint an integer:
 * backends refuse a series that is now the one and now the other.
 */
export const dataPointOf = (point: Point, { startedAt, value }: Since): DataPoint => {
  const { family: { kind }, source: { takenAt } } = point
  const timeUnixNano = nanos(takenAt)
  // Clocks may be set back.
  const at = { attributes: attributesOf(point), startTimeUnixNano: nanos(Math.min(startedAt, takenAt)), timeUnixNano }
  if (typeof value === "object") {
    if ("quantiles" in value) return summary(at, value)
    const counted = { ...at, count: value.count, ...sumOf(point, value.sum), ...extremesOf(value) }
    return "scale" in value
      ? { shape: "exponentialHistogram", data: { ...counted, ...exponentialOf(value) } }
      : { shape: "histogram", data: { ...counted, ...explicitOf(value) } }
  }
  const isInt64 = typeof value === "bigint" && BigInt.asIntN(64, value) === value
  const number = isInt64 ? { asInt: String(value) } : { asDouble: Number(value) }
  return kind === "gauge"
    ? { shape: "gauge", data: { attributes: at.attributes, timeUnixNano, ...number } }
    : { shape: "sum", data: { ...at, ...number } }
}

const nanos = (millis: number): string => `${Math.trunc(millis)}000000`

const attributesOf = ({ family, labels, source }: Point): Array<KeyValue> => {
  const attributes: Array<KeyValue> = []
  for (const key in source.labels) attributes.push({ key, value: { stringValue: source.labels[key]! } })
  for (const label in labels) attributes.push({ key: family.labelOf(label), value: { stringValue: labels[label]! } })
  return attributes
}

/** A sum that may fall is none: OTLP leaves it out where negative values were measured. */
const sumOf = ({ value }: Point, sum: number) =>
  typeof value === "object" && "min" in value && value.min! < 0 ? {} : { sum }

const extremesOf = ({ max, min }: HistogramValue | ExponentialValue) => ({
  ...(Number.isFinite(min) ? { min: min! } : {}),
  ...(Number.isFinite(max) ? { max: max! } : {})
})

const explicitOf = ({ boundaries, counts }: HistogramValue) => ({
  bucketCounts: counts.slice(),
  explicitBounds: boundaries.slice()
})

const exponentialOf = ({ negative, positive, scale, zeroCount }: ExponentialValue) => ({
  scale,
  zeroCount,
  positive: bucketsOf(positive),
  negative: bucketsOf(negative)
})

const bucketsOf = ({ counts, offset }: BucketsValue) => ({ offset, bucketCounts: counts.slice() })

type At = Pick<Required<NumberPoint>, "attributes" | "startTimeUnixNano" | "timeUnixNano">

const summary = (at: At, { count, quantiles, sum }: QuantilesValue<ReadonlyArray<number>>): DataPoint => ({
  shape: "summary",
  data: {
    ...at,
    count,
    sum,
    quantileValues: Object.entries(quantiles).flatMap(([quantile, value]) =>
      value === undefined ? [] : [{ quantile: Number(quantile), value }]
    )
  }
})
