import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Count } from "./Count.ts"
import { checkStoredExtremes, isSame, StoredExtremes, storedExtremes, totalOf } from "./Histogram.ts"
import { agreeAsSums, finiteSum, type Kind, nobody, type Owner } from "./Kind.ts"

/**
 * Counts of consecutive buckets: `counts[i]` is that of the bucket with the
 * index `offset + i`, which holds magnitudes above `base ** (offset + i)` and at
 * most `base ** (offset + i + 1)`.
 */
export interface BucketsValue {
  readonly offset: number
  readonly counts: ReadonlyArray<number>
}

/**
 * What an exponential histogram shows, in the data model of OpenTelemetry: the
 * base of its buckets is `2 ** (2 ** -scale)`, and negative values are in buckets
 * of their own by their magnitude. `min` and `max` are `undefined` before the
 * first value.
 */
export interface ExponentialValue {
  readonly count: number
  readonly sum: number
  readonly min: number | undefined
  readonly max: number | undefined
  readonly scale: number
  readonly zeroCount: number
  readonly positive: BucketsValue
  readonly negative: BucketsValue
}

/**
 * Neither the first count nor the last one is 0; without a count the offset is 0.
 * So equal counts look equal.
 *
 * The fields are only declared, as those of `HistogramState` are.
 */
export class Buckets {
  declare offset: number
  declare counts: Array<number>

  constructor(offset: number, counts: Array<number>) {
    this.offset = offset
    this.counts = counts
  }
}

/**
 * The scale is the greatest at which the buckets of either sign have been few
 * enough, and the index at one scale is that at another, shifted. So the counts
 * depend on the values alone, not on their order, nor on how they were merged.
 *
 * `min` is above `max` before the first value.
 */
export class ExponentialState {
  declare readonly owner: Owner
  declare maxSize: number
  declare scale: number
  declare zeroCount: number
  declare sum: number
  declare min: number
  declare max: number
  declare readonly positive: Buckets
  declare readonly negative: Buckets

  constructor(
    owner: Owner,
    maxSize: number,
    scale: number,
    zeroCount: number,
    sum: number,
    min: number,
    max: number,
    positive: Buckets,
    negative: Buckets
  ) {
    this.owner = owner
    this.maxSize = maxSize
    this.scale = scale
    this.zeroCount = zeroCount
    this.sum = sum
    this.min = min
    this.max = max
    this.positive = positive
    this.negative = negative
  }
}

/** How many buckets the values of either sign have at most, unless told: as many as in OpenTelemetry. */
export const defaultMaxSize = 160

/**
 * Also that of a state without any value but 0, as the specification recommends
 * for up to one value. The SDK for JavaScript shows 0 then; merged, that would
 * coarsen the other state.
 */
const maxScale = 20

/** All finite numbers are in two buckets of this scale, one for those of at most 1. */
const minScale = -10

/** More would be a histogram of single numbers. */
const mostBuckets = 2 ** 16

/** What was expected, where a number of buckets will not do. */
export const checkMaxSize = (maxSize: number): string | undefined =>
  Number.isSafeInteger(maxSize) && maxSize >= 2 && maxSize <= mostBuckets
    ? undefined
    : `an integer from 2 to ${mostBuckets}`

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)
float[0] = 1
const [low, high] = words[0] === 0 ? [0, 1] : [1, 0]

/** Buckets between two powers of two, at the greatest scale. */
const finest = 2 ** maxScale
const perLog = Math.LOG2E * finest

/**
 * The index of the bucket of a positive number, by the methods that the data
 * model of OpenTelemetry gives as its reference: the exponent, and above scale 0
 * the logarithm.
 *
 * As in the SDK for JavaScript, and as the data model permits, subnormal numbers
 * count as the smallest normal one. Unlike there, the logarithm decides only
 * between the buckets of the number's exponent: rounded, it can be that of the
 * power of two next to the number, as it is for `Number.MAX_SAFE_INTEGER`, which
 * the SDK counts among the numbers above 2 ** 53 at scales above 0, and among
 * those below at the others. Then the same values, in another order, would be
 * other counts, and merging would not be exact. All other numbers have the index
 * that the SDK gives them.
 */
export const indexOf = (magnitude: number, scale: number): number => {
  float[0] = magnitude
  const top = words[high]!
  const biased = top >>> 20
  // A power of two is the upper bound of the last bucket below it.
  if (((top & 0xfffff) | words[low]!) === 0) return exponentIndex(biased - 1024, finest - 1, scale)
  if (biased === 0) return exponentIndex(-1023, finest - 1, scale)
  if (scale <= 0) return (biased - 1023) >> -scale
  const first = (biased - 1023) * finest
  const index = Math.floor(Math.log(magnitude) * perLog)
  return Math.min(Math.max(index, first), first + finest - 1) >> (maxScale - scale)
}

/** The index of a bucket by its exponent and its place among the buckets of that exponent, at the greatest scale. */
const exponentIndex = (exponent: number, place: number, scale: number): number =>
  (exponent * finest + place) >> (maxScale - scale)

/** The state itself where it is the owner's, else a copy that is. */
const owned = (state: ExponentialState, owner: Owner): ExponentialState =>
  owner !== nobody && state.owner === owner ? state : new ExponentialState(
    owner,
    state.maxSize,
    state.scale,
    state.zeroCount,
    state.sum,
    state.min,
    state.max,
    new Buckets(state.positive.offset, state.positive.counts.slice()),
    new Buckets(state.negative.offset, state.negative.counts.slice())
  )

const add = (state: ExponentialState, value: number, owner: Owner): ExponentialState => {
  const next = owned(state, owner)
  next.sum = finiteSum(next.sum, value)
  // Plus 0, which makes 0 of -0: JSON knows no -0, and which of the two came first must not matter.
  if (value < next.min) next.min = value + 0
  if (value > next.max) next.max = value + 0
  if (value === 0) next.zeroCount++
  else if (value > 0) count(next, next.positive, value)
  else count(next, next.negative, -value)
  return next
}

const count = (state: ExponentialState, buckets: Buckets, magnitude: number): void => {
  const index = indexOf(magnitude, state.scale)
  const at = index - buckets.offset
  if (at >= 0 && at < buckets.counts.length) {
    buckets.counts[at]!++
    return
  }
  const range = including(rangeOf(buckets), index, index)
  const by = excess(range, state.maxSize)
  downscale(state, by)
  widen(buckets, shifted(range, by))
  buckets.counts[(index >> by) - buckets.offset]!++
}

/** The first and the last index of some buckets: the last one is below the first where there are none. */
interface Range {
  readonly first: number
  readonly last: number
}

const rangeOf = ({ counts, offset }: Buckets): Range => ({ first: offset, last: offset + counts.length - 1 })

const shifted = ({ first, last }: Range, by: number): Range =>
  last < first ? { first, last } : { first: first >> by, last: last >> by }

const including = (range: Range, first: number, last: number): Range =>
  range.last < range.first
    ? { first, last }
    : last < first
    ? range
    : { first: Math.min(range.first, first), last: Math.max(range.last, last) }

/** By how much the scale must get smaller, for the buckets to be few enough. */
const excess = ({ first, last }: Range, maxSize: number): number => {
  let by = 0
  while ((last >> by) - (first >> by) >= maxSize) by++
  return by
}

const downscale = (state: ExponentialState, by: number): void => {
  if (by === 0) return
  state.scale -= by
  collapse(state.positive, by)
  collapse(state.negative, by)
}

/** Adds up in one bucket what is in one at the smaller scale. */
const collapse = (buckets: Buckets, by: number): void => {
  const { counts, offset } = buckets
  if (counts.length === 0) return
  const { first, last } = shifted(rangeOf(buckets), by)
  for (let at = 0; at < counts.length; at++) {
    const to = ((offset + at) >> by) - first
    // No count is overwritten before it has been added: `to` is at most `at`.
    if (to === at) continue
    const moved = counts[at]!
    counts[at] = 0
    counts[to]! += moved
  }
  counts.length = last - first + 1
  buckets.offset = first
}

/** Copied where counts are needed: faster than to make them one by one. */
const zeros: Array<number> = []

/** Makes place for all indexes of a range that includes the buckets. */
const widen = (buckets: Buckets, { first, last }: Range): void => {
  const { counts, offset } = buckets
  const length = last - first + 1
  if (first === offset && length === counts.length) return
  while (zeros.length < length) zeros.push(0)
  const wide = zeros.slice(0, length)
  for (let at = 0; at < counts.length; at++) wide[offset - first + at] = counts[at]!
  buckets.offset = first
  buckets.counts = wide
}

const merge = (a: ExponentialState, b: ExponentialState, owner: Owner): ExponentialState => {
  const next = owned(a, owner)
  const scale = Math.min(a.scale, b.scale)
  downscale(next, next.scale - scale)
  const positive = union(next.positive, b.positive, b.scale - scale)
  const negative = union(next.negative, b.negative, b.scale - scale)
  next.maxSize = Math.min(next.maxSize, b.maxSize)
  const by = Math.max(excess(positive, next.maxSize), excess(negative, next.maxSize))
  downscale(next, by)
  addBuckets(next.positive, b.positive, b.scale - next.scale, shifted(positive, by))
  addBuckets(next.negative, b.negative, b.scale - next.scale, shifted(negative, by))
  next.zeroCount += b.zeroCount
  next.sum = finiteSum(next.sum, b.sum)
  if (b.min < next.min) next.min = b.min
  if (b.max > next.max) next.max = b.max
  return next
}

/** The range of both, the second being shifted. */
const union = (a: Buckets, b: Buckets, by: number): Range => {
  const { first, last } = shifted(rangeOf(b), by)
  return including(rangeOf(a), first, last)
}

const addBuckets = (to: Buckets, from: Buckets, by: number, range: Range): void => {
  widen(to, range)
  for (let at = 0; at < from.counts.length; at++) {
    to.counts[((from.offset + at) >> by) - range.first]! += from.counts[at]!
  }
}

/** The extremes of what came in between are not known: those of all values are kept, as bounds. */
const diff = (later: ExponentialState, earlier: ExponentialState): ExponentialState | undefined => {
  const by = earlier.scale - later.scale
  const zeroCount = later.zeroCount - earlier.zeroCount
  if (by < 0 || zeroCount < 0) return undefined
  const positive = subtracted(later.positive, earlier.positive, by)
  const negative = subtracted(later.negative, earlier.negative, by)
  if (positive === undefined || negative === undefined) return undefined
  const { max, maxSize, min, scale } = later
  const sum = finiteSum(later.sum, -earlier.sum)
  return new ExponentialState(nobody, maxSize, scale, zeroCount, sum, min, max, positive, negative)
}

/** `undefined` where there was more earlier. */
const subtracted = (later: Buckets, earlier: Buckets, by: number): Buckets | undefined => {
  const counts = later.counts.slice()
  for (let at = 0; at < earlier.counts.length; at++) {
    const place = ((earlier.offset + at) >> by) - later.offset
    if (!(counts[place]! >= earlier.counts[at]!)) return undefined
    counts[place]! -= earlier.counts[at]!
  }
  const first = counts.findIndex((count) => count > 0)
  if (first === -1) return new Buckets(0, [])
  return new Buckets(later.offset + first, counts.slice(first, counts.findLastIndex((count) => count > 0) + 1))
}

/** How many values there were. */
export const countOf = ({ negative, positive, zeroCount }: Stored): number =>
  zeroCount + totalOf(positive.counts) + totalOf(negative.counts)

const view = (state: ExponentialState): ExponentialValue => {
  const count = countOf(state)
  return {
    count,
    sum: state.sum,
    min: count === 0 ? undefined : state.min,
    max: count === 0 ? undefined : state.max,
    scale: state.scale,
    zeroCount: state.zeroCount,
    positive: { offset: state.positive.offset, counts: state.positive.counts.slice() },
    negative: { offset: state.negative.offset, counts: state.negative.counts.slice() }
  }
}

const agree = (a: ExponentialState, b: ExponentialState, along: ReadonlyArray<ExponentialState>): boolean =>
  a.scale === b.scale &&
  a.zeroCount === b.zeroCount &&
  isSameBuckets(a.positive, b.positive) &&
  isSameBuckets(a.negative, b.negative) &&
  a.min === b.min &&
  a.max === b.max &&
  agreeAsSums(a.sum, b.sum, along.map(({ sum }) => sum))

const isSameBuckets = (a: Buckets, b: Buckets): boolean => a.offset === b.offset && isSame(a.counts, b.counts)

const StoredBuckets = Schema.Struct({ offset: Schema.Int, counts: Schema.Array(Count) })

const Stored = Schema.Struct({
  scale: Schema.Int.check(Schema.isBetween({ minimum: minScale, maximum: maxScale })),
  zeroCount: Count,
  sum: Schema.Finite,
  ...StoredExtremes,
  positive: StoredBuckets,
  negative: StoredBuckets
}).check(Schema.makeFilter((stored) =>
  checkBuckets(stored.positive, stored.scale) ??
    checkBuckets(stored.negative, stored.scale) ??
    checkStoredExtremes(stored, countOf(stored))
))

type Stored = Pick<typeof Stored.Type, "zeroCount" | "positive" | "negative">

const checkBuckets = ({ counts, offset }: typeof StoredBuckets.Type, scale: number): string | undefined => {
  if (counts.length === 0) return offset === 0 ? undefined : `Expected the offset 0 of no counts, found ${offset}`
  if (counts[0] === 0 || counts.at(-1) === 0) return "Expected a first and a last count above 0"
  const first = indexOf(Number.MIN_VALUE, scale)
  const last = indexOf(Number.MAX_VALUE, scale)
  return first <= offset && offset + counts.length - 1 <= last
    ? undefined
    : `Expected indexes from ${first} to ${last} at scale ${scale}, found ${offset} to ${offset + counts.length - 1}`
}

/** Counts the values in buckets that grow exponentially, as finely as so many of them allow. */
export const exponentialHistogram = (maxSize: number): Kind<ExponentialState, number, ExponentialValue> => ({
  initial: new ExponentialState(
    nobody,
    maxSize,
    maxScale,
    0,
    0,
    Infinity,
    -Infinity,
    new Buckets(0, []),
    new Buckets(0, [])
  ),
  add: (state, input, _time, owner) => add(state, input, owner),
  view,
  merge,
  diff,
  codec: Stored.pipe(Schema.decodeTo(
    Schema.declare((u): u is ExponentialState => u instanceof ExponentialState),
    SchemaTransformation.transform({
      decode: ({ scale, zeroCount, sum, min = Infinity, max = -Infinity, positive, negative }) => {
        const state = new ExponentialState(
          nobody,
          maxSize,
          scale,
          zeroCount,
          sum,
          min,
          max,
          new Buckets(positive.offset, positive.counts.slice()),
          new Buckets(negative.offset, negative.counts.slice())
        )
        // Stored where more buckets were allowed.
        downscale(state, Math.max(excess(rangeOf(state.positive), maxSize), excess(rangeOf(state.negative), maxSize)))
        return state
      },
      encode: (state) => ({
        scale: state.scale,
        zeroCount: state.zeroCount,
        sum: state.sum,
        ...storedExtremes(state),
        positive: { offset: state.positive.offset, counts: state.positive.counts },
        negative: { offset: state.negative.offset, counts: state.negative.counts }
      })
    })
  )),
  merging: "approximate",
  agree
})
