/** The series of a runtime as metrics of Effect. */
import * as EffectMetric from "effect/Metric"
import { describe } from "../../../internal/describe.ts"
import type { InstrumentKind } from "../../../Metric.ts"
import { bucketsOf } from "../buckets.ts"
import type { Family, Point } from "../Series.ts"

/** The kind that is nearest to a type of Effect. */
export const kinds: Readonly<Record<EffectMetric.Metric.Type, InstrumentKind>> = {
  Counter: "counter",
  Frequency: "counter",
  Gauge: "gauge",
  Histogram: "histogram",
  Summary: "summary"
}

/** A metric of Effect of the same kind. It names the series, and counts nothing itself. */
export const metricOf = (
  { description, kind, name, unit }: Family,
  labels: Readonly<Record<string, string>>
): EffectMetric.Metric<any, any> => {
  // Effect's exporters know the unit by an attribute.
  const given = { description, attributes: unit === undefined ? labels : { ...labels, unit } }
  switch (kind) {
    case "counter":
      return EffectMetric.counter(name, given)
    case "upDownCounter":
    case "gauge":
      return EffectMetric.gauge(name, given)
    case "histogram":
      return EffectMetric.histogram(name, { ...given, boundaries: [] })
    case "summary":
      return EffectMetric.summary(name, { ...given, maxAge: 0, maxSize: 0, quantiles: [] })
  }
}

/** The value of a point in the shape of the state of such a metric. */
export const stateOf = ({ family, value }: Point): object => {
  if (typeof value === "number" || typeof value === "bigint") {
    const shown = typeof value === "bigint" && BigInt.asIntN(64, value) !== value ? Number(value) : value
    return family.kind === "counter" ? { count: shown, incremental: true } : { value: shown }
  }
  const { count, sum } = value
  if ("quantiles" in value) {
    const quantiles = Object.entries(value.quantiles).map(([quantile, value]) => [Number(quantile), value] as const)
    const known = quantiles.flatMap(([, value]) => value ?? [])
    const [min, max] = known.length === 0 ? [0, 0] : [Math.min(...known), Math.max(...known)]
    return { quantiles, count, min, max, sum }
  }
  const { bounds, cumulative } = bucketsOf(value)
  const buckets = bounds.map((bound, at) => [bound, cumulative[at]!] as const)
  return { buckets, count, min: value.min ?? 0, max: value.max ?? 0, sum }
}

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0

/** What about a value would be refused by who gets it from an exporter, together with everything else. */
export const faultOf = ({ value }: Point): { readonly expected: string; readonly found: string } | undefined => {
  if (typeof value === "number" || typeof value === "bigint") return undefined
  const counts = [
    value.count,
    ..."boundaries" in value ? value.counts : [],
    ..."scale" in value ? [value.zeroCount, ...value.positive.counts, ...value.negative.counts] : []
  ]
  // Which counts would be another message with every read.
  if (!counts.every(isCount)) return { expected: "counts that are whole numbers of zero or more", found: "others" }
  if (!("quantiles" in value)) return undefined
  const outside = Object.keys(value.quantiles).find((quantile) => !(Number(quantile) >= 0 && Number(quantile) <= 1))
  return outside === undefined ? undefined : { expected: "quantiles from 0 to 1", found: describe(outside) }
}
