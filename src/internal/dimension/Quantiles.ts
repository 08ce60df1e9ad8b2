import { countOf, exponentialHistogram, type ExponentialState, indexOf } from "./ExponentialHistogram.ts"
import type { Kind } from "./Kind.ts"

/** What quantiles show: under the key `0.99` about the value that 99 % of the values are at most. */
export interface QuantilesValue<Q extends ReadonlyArray<number>> {
  readonly count: number
  readonly sum: number
  /** `undefined` before the first value. */
  readonly quantiles: { readonly [K in Q[number]]: number | undefined }
}

/** What was expected, where a list of quantiles will not do. */
export const checkQuantiles = (quantiles: ReadonlyArray<number>): string | undefined =>
  Array.isArray(quantiles) &&
    quantiles.length > 0 &&
    quantiles.every((quantile) => typeof quantile === "number" && quantile >= 0 && quantile <= 1) &&
    new Set(quantiles).size === quantiles.length
    ? undefined
    : "one or more different numbers from 0 to 1"

/**
 * Estimates of quantiles, from an exponential histogram.
 *
 * The quantile `q` of `n` values is the one with the rank `ceil(q * n)` in
 * ascending order (the nearest rank; 0 is the minimum). The estimate of it lies
 * in the bucket that the value is in, hence its relative error is below
 * `2 ** (2 ** -scale) - 1`, whatever the distribution. The minimum and the
 * maximum are exact, as is zero. Subnormal numbers count as the smallest normal
 * one, about 2.2e-308, and are estimated as if they were it.
 *
 * The scale follows from the ratio between the greatest and the smallest
 * magnitude, values of either sign being taken by themselves. 160 buckets have
 *
 * | scale | up to the ratio | relative error below |
 * | ----: | --------------: | -------------------: |
 * |     7 |             2.3 |               0.54 % |
 * |     6 |             5.5 |                1.1 % |
 * |     5 |              31 |                2.2 % |
 * |     4 |             980 |                4.5 % |
 * |     3 |         960 000 |                9.1 % |
 * |     2 |        9.2 10^11 |                 19 % |
 *
 * so that durations from 1 ms to 15 minutes are known to 9.1 %; to 2.2 %, with
 * 640 buckets.
 */
export const quantiles = <const Q extends ReadonlyArray<number>>(
  quantiles: Q,
  maxSize: number
): Kind<ExponentialState, number, QuantilesValue<Q>> => {
  const own = quantiles.slice()
  return {
    ...exponentialHistogram(maxSize),
    view: (state) => {
      const count = countOf(state)
      const estimates: Record<string, number | undefined> = {}
      for (const quantile of own) {
        estimates[quantile] = count === 0 ? undefined : estimate(state, count, rankOf(quantile, count))
      }
      return { count, sum: state.sum, quantiles: estimates as QuantilesValue<Q>["quantiles"] }
    }
  }
}

/** About the value with the rank among so many. */
const estimate = (state: ExponentialState, count: number, rank: number): number => {
  const bucket = bucketOf(state, rank)
  // The extremes of a difference of two states need not be in it.
  if (rank === 1 && isIn(state.min, bucket, state.scale)) return state.min
  if (rank === count && isIn(state.max, bucket, state.scale)) return state.max
  const value = bucket.sign * 2 ** ((bucket.index + bucket.fraction) * 2 ** -state.scale)
  return Math.min(Math.max(value, state.min), state.max)
}

/** Where a value is: the bucket of its magnitude, and how far it is into it. */
interface Bucket {
  readonly sign: number
  readonly index: number
  readonly fraction: number
}

const bucketOf = ({ negative, positive, zeroCount }: ExponentialState, rank: number): Bucket => {
  let left = rank
  for (let at = negative.counts.length - 1; at >= 0; at--) {
    const count = negative.counts[at]!
    if (left <= count) return { sign: -1, index: negative.offset + at, fraction: 1 - (left - 0.5) / count }
    left -= count
  }
  if (left <= zeroCount) return { sign: 0, index: 0, fraction: 0 }
  left -= zeroCount
  let at = 0
  while (left > positive.counts[at]!) left -= positive.counts[at++]!
  return { sign: 1, index: positive.offset + at, fraction: (left - 0.5) / positive.counts[at]! }
}

const isIn = (value: number, { index, sign }: Bucket, scale: number): boolean =>
  Math.sign(value) === sign && (sign === 0 || indexOf(Math.abs(value), scale) === index)

/** Rounded to what a number can tell apart: 0.07 * 100 is 7.000000000000001, and the rank is 7. */
const rankOf = (quantile: number, count: number): number =>
  Math.max(1, Math.ceil(Number((quantile * count).toPrecision(15))))
