import type { BucketsValue, ExponentialValue } from "../../internal/dimension/ExponentialHistogram.ts"
import type { HistogramValue } from "../../internal/dimension/Histogram.ts"
import type * as Metric from "../../Metric.ts"
import { type Point, seriesKey } from "./Series.ts"

type Value = Metric.Sample["value"]

/** What a series has counted, and since when: Unix milliseconds. */
export interface Since {
  readonly value: Value
  readonly startedAt: number
}

/** One read of all series against what was acknowledged before. */
export interface BaselineRead {
  /**
   * What the series of a point has counted since the last committed read.
   *
   * Counters and histograms count from where the committed read ended: intervals
   * of a series follow each other without a gap. Where there is no such read, or
   * the values began anew after it (another epoch), they count from the point's
   * own start. One that fell in the same epoch, as that of a hand-written view
   * may, counts as having begun anew right after the committed read. The extremes
   * of what came in between are not known: `min` and `max` are `undefined` then.
   *
   * Other kinds, and values that are not finite, are as they are.
   */
  since(point: Point): Since
  /** What was read is acknowledged: the next read counts from here. No other read has begun since. */
  commit(): void
}

/** What one series had counted when it was last acknowledged. */
interface Acknowledged {
  readonly epoch: number
  readonly value: Value
  readonly takenAt: number
}

/**
 * How many series that a read did not show are remembered, of values that go on.
 * A view that throws shows them again once it does not: were they forgotten,
 * everything would count twice.
 */
const maxMissing = 10_000

/** What came since the last acknowledged export. */
export class Baseline {
  private acknowledged: ReadonlyMap<string, Acknowledged> = new Map()
  private readonly captured: { readonly epochs: ReadonlySet<number> }

  /** `captured` has the epochs of all that the last read was made of, also of what it did not show. */
  constructor(captured: { readonly epochs: ReadonlySet<number> }) {
    this.captured = captured
  }

  /** Begins a read. */
  read(): BaselineRead {
    const earlier = this.acknowledged
    const later = new Map<string, Acknowledged>()
    return {
      since: (point) => {
        const { family, source, value } = point
        if (family.kind !== "counter" && family.kind !== "histogram") return { value, startedAt: source.startedAt }
        const key = seriesKey(point)
        const before = earlier.get(key)
        if (!isMeasured(value)) {
          if (before !== undefined) later.set(key, before)
          return { value, startedAt: source.startedAt }
        }
        later.set(key, { epoch: source.epoch, value, takenAt: source.takenAt })
        return before === undefined || before.epoch !== source.epoch
          ? { value, startedAt: source.startedAt }
          : { value: growthOf(value, before.value) ?? value, startedAt: before.takenAt }
      },
      commit: () => {
        let missing = 0
        for (const [key, series] of earlier) {
          // Those that were shown last come first.
          if (later.has(key) || !this.captured.epochs.has(series.epoch) || missing++ >= maxMissing) continue
          later.set(key, series)
        }
        this.acknowledged = later
      }
    }
  }
}

const isMeasured = (value: Value): boolean => {
  if (typeof value !== "object") return typeof value === "bigint" || Number.isFinite(value)
  const counts = isExplicit(value)
    ? value.counts
    : isExponential(value)
    ? [value.zeroCount, ...value.positive.counts, ...value.negative.counts]
    : []
  return Number.isFinite(value.count) && Number.isFinite(value.sum) && counts.every(Number.isFinite)
}

/** By how much a value has grown; `undefined` where it has not, or is of another shape. */
const growthOf = (later: Value, earlier: Value): Value | undefined => {
  if (isNumber(later)) {
    if (!isNumber(earlier) || later < earlier) return undefined
    return typeof later === "bigint" && typeof earlier === "bigint" ? later - earlier : Number(later) - Number(earlier)
  }
  if (isExplicit(later)) return isExplicit(earlier) ? growthOfExplicit(later, earlier) : undefined
  if (isExponential(later)) return isExponential(earlier) ? growthOfExponential(later, earlier) : undefined
  return undefined
}

const isNumber = (value: Value): value is number | bigint => typeof value === "number" || typeof value === "bigint"

const isExplicit = (value: Value): value is HistogramValue => typeof value === "object" && "boundaries" in value

const isExponential = (value: Value): value is ExponentialValue => typeof value === "object" && "scale" in value

const growthOfExplicit = (later: HistogramValue, earlier: HistogramValue): HistogramValue | undefined => {
  const { boundaries } = later
  const isAlike = boundaries.length === earlier.boundaries.length &&
    boundaries.every((boundary, at) => boundary === earlier.boundaries[at])
  if (!isAlike || later.count < earlier.count) return undefined
  const counts = later.counts.map((count, at) => count - earlier.counts[at]!)
  if (!counts.every(isCount)) return undefined
  return {
    count: later.count - earlier.count,
    sum: later.sum - earlier.sum,
    min: undefined,
    max: undefined,
    boundaries,
    counts
  }
}

const growthOfExponential = (later: ExponentialValue, earlier: ExponentialValue): ExponentialValue | undefined => {
  // The scale only gets smaller, and an index at one scale is that at another, shifted.
  const by = earlier.scale - later.scale
  const zeroCount = later.zeroCount - earlier.zeroCount
  if (by < 0 || !isCount(zeroCount) || later.count < earlier.count) return undefined
  const positive = growthOfBuckets(later.positive, earlier.positive, by)
  const negative = growthOfBuckets(later.negative, earlier.negative, by)
  if (positive === undefined || negative === undefined) return undefined
  return {
    count: later.count - earlier.count,
    sum: later.sum - earlier.sum,
    min: undefined,
    max: undefined,
    scale: later.scale,
    zeroCount,
    positive,
    negative
  }
}

const growthOfBuckets = (later: BucketsValue, earlier: BucketsValue, by: number): BucketsValue | undefined => {
  const counts = later.counts.slice()
  for (let at = 0; at < earlier.counts.length; at++) {
    const count = earlier.counts[at]!
    const place = ((earlier.offset + at) >> by) - later.offset
    if (count !== 0 && !(counts[place]! >= count)) return undefined
    if (count !== 0) counts[place]! -= count
  }
  const first = counts.findIndex((count) => count > 0)
  if (first === -1) return { offset: 0, counts: [] }
  return { offset: later.offset + first, counts: counts.slice(first, counts.findLastIndex((count) => count > 0) + 1) }
}

/** Also false where it is not a number. */
const isCount = (difference: number): boolean => difference >= 0
