import type { ExponentialValue } from "../../../internal/dimension/ExponentialHistogram.ts"
import type { HistogramValue } from "../../../internal/dimension/Histogram.ts"
import { type Range, rangesOf } from "../buckets.ts"

type Distribution = HistogramValue | ExponentialValue

type Extremes = Pick<Distribution, "min" | "max">

/** A value that stands for so many. */
export interface Observation {
  readonly value: number
  readonly times: number
}

/**
 * What a distribution may have been made of: one observation for each bucket
 * that something is in. The values are not beyond the extremes.
 *
 * A bucket does not tell where in it its values are. What stands for them lies at
 * the same fraction of every bucket, and the sum of the values tells which one:
 * it is the sum of the observations as well. So a value that came alone, or many
 * that are equal, are told as they were.
 */
export const observationsOf = (distribution: Distribution, extremes: Extremes = distribution): Array<Observation> => {
  const buckets = bucketsOf(distribution, extremes)
  const { sum } = distribution
  if (buckets.length === 1) {
    const { count, high, low } = buckets[0]!
    return [{ value: Math.min(Math.max(sum / count, low), high), times: count }]
  }
  const least = buckets.reduce((total, { count, low }) => total + count * low, 0)
  const width = buckets.reduce((total, { count, high, low }) => total + count * (high - low), 0)
  const exact = (sum - least) / width
  const fraction = Number.isFinite(exact) ? Math.min(Math.max(exact, 0), 1) : 0.5
  return buckets.map(({ count, high, low }) => ({ value: low + fraction * (high - low), times: count }))
}

/** The buckets that something is in. Of several, all have two ends. */
const bucketsOf = (distribution: Distribution, { max = Infinity, min = -Infinity }: Extremes): Array<Range> => {
  const buckets = rangesOf(distribution).flatMap((range): ReadonlyArray<Range> => {
    if (!(range.count >= 1)) return []
    const high = Math.min(range.high, max)
    return [{ low: Math.min(Math.max(range.low, min), high), high, count: Math.floor(range.count) }]
  })
  return buckets.length === 1 ? buckets : buckets.map(({ count, high, low }) => ({
    low: Number.isFinite(low) ? low : high,
    high: Number.isFinite(high) ? high : low,
    count
  }))
}
