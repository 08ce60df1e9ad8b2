import type { ExponentialValue } from "../../internal/dimension/ExponentialHistogram.ts"
import type { HistogramValue } from "../../internal/dimension/Histogram.ts"

/** How many buckets of an exponential histogram are shown where each costs a series of its own. */
const maxExponential = 40

/**
 * Two buckets from one power of two to the next, which is one scale for six powers
 * of ten: a finer one would be another as soon as a value is farther off.
 */
const finestScale = 1

/** A bucket that has both ends, infinite ones among them. */
export interface Range {
  readonly low: number
  readonly high: number
  readonly count: number
}

/** The buckets of a distribution of either kind as they are, in ascending order. */
export const rangesOf = (value: HistogramValue | ExponentialValue): Array<Range> => {
  if ("boundaries" in value) {
    const { boundaries, counts } = value
    return counts.map((count, at) => ({
      low: boundaries[at - 1] ?? -Infinity,
      high: boundaries[at] ?? Infinity,
      count
    }))
  }
  const { negative, positive, scale, zeroCount } = value
  const below = negative.counts.map((count, at): Range => ({
    low: -boundAt(scale, negative.offset + at + 1),
    high: -boundAt(scale, negative.offset + at),
    count
  }))
  const above = positive.counts.map((count, at): Range => ({
    low: boundAt(scale, positive.offset + at),
    high: boundAt(scale, positive.offset + at + 1),
    count
  }))
  return [...below.toReversed(), { low: 0, high: 0, count: zeroCount }, ...above]
}

/** The lower bound of a bucket of an exponential histogram. */
const boundAt = (scale: number, index: number): number => 2 ** (index * 2 ** -scale)

/**
 * The buckets of a distribution: their upper bounds, and how many values are not
 * above each. (At a negative bound of an exponential histogram: how many are below.)
 */
export interface Buckets {
  /** Ascending. */
  readonly bounds: ReadonlyArray<number>
  readonly cumulative: ReadonlyArray<number>
}

/**
 * The buckets of a distribution of either kind.
 *
 * Those of an exponential histogram are joined two by two until there are few
 * enough, of one scale for most values. The bounds of a coarser scale are among
 * those of a finer one, so the buckets that stay go on counting what they counted.
 * The lower bound of the first one is there, too: nothing is between it and zero.
 */
export const bucketsOf = (value: HistogramValue | ExponentialValue): Buckets => {
  const bounds: Array<number> = []
  const cumulative: Array<number> = []
  let count = 0
  const add = (bound: number, more: number): void => {
    bounds.push(bound)
    cumulative.push(count += more)
  }
  if ("boundaries" in value) {
    for (const [at, bound] of value.boundaries.entries()) add(bound, value.counts[at]!)
    return { bounds, cumulative }
  }
  let { negative, positive, scale } = value
  while (scale > finestScale || positive.counts.length + negative.counts.length > maxExponential) {
    positive = halved(positive)
    negative = halved(negative)
    scale--
  }
  for (let at = negative.counts.length - 1; at >= 0; at--) {
    add(-boundAt(scale, negative.offset + at), negative.counts[at]!)
  }
  if (value.zeroCount > 0 || negative.counts.length > 0) add(0, value.zeroCount)
  const lowest = positive.counts.length > 0 ? boundAt(scale, positive.offset) : 0
  if (lowest > 0) add(lowest, 0)
  for (const [at, more] of positive.counts.entries()) add(boundAt(scale, positive.offset + at + 1), more)
  return { bounds, cumulative }
}

/** The same values by buckets twice as wide. */
export const halved = ({ counts, offset }: ExponentialValue["positive"]): ExponentialValue["positive"] => {
  const first = offset >> 1
  const wider: Array<number> = []
  for (const [at, count] of counts.entries()) {
    const to = ((offset + at) >> 1) - first
    wider[to] = (wider[to] ?? 0) + count
  }
  return { offset: first, counts: wider }
}
