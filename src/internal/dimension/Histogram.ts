import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Count } from "./Count.ts"
import { agreeAsSums, finiteSum, type Kind, MergeConflict, nobody, type Owner } from "./Kind.ts"

/**
 * What a histogram shows. `counts[i]` is how many values were above
 * `boundaries[i - 1]` and at most `boundaries[i]`; the last one, how many were
 * above all boundaries. `min` and `max` are `undefined` before the first value.
 */
export interface HistogramValue {
  readonly count: number
  readonly sum: number
  readonly min: number | undefined
  readonly max: number | undefined
  readonly boundaries: ReadonlyArray<number>
  readonly counts: ReadonlyArray<number>
}

/**
 * `min` is above `max` before the first value.
 *
 * The fields are only declared: defined, they would be `undefined` before they
 * are numbers, and then each new number takes memory of its own.
 */
export class HistogramState {
  declare readonly owner: Owner
  declare readonly boundaries: ReadonlyArray<number>
  declare readonly counts: Array<number>
  declare sum: number
  declare min: number
  declare max: number

  constructor(
    owner: Owner,
    boundaries: ReadonlyArray<number>,
    counts: Array<number>,
    sum: number,
    min: number,
    max: number
  ) {
    this.owner = owner
    this.boundaries = boundaries
    this.counts = counts
    this.sum = sum
    this.min = min
    this.max = max
  }
}

/** Those of the OpenTelemetry SDK: made for milliseconds. */
export const defaultBoundaries: ReadonlyArray<number> = [
  0,
  5,
  10,
  25,
  50,
  75,
  100,
  250,
  500,
  750,
  1000,
  2500,
  5000,
  7500,
  10000
]

/** What was expected, where boundaries will not do. None at all will: one bucket then takes every value. */
export const checkBoundaries = (boundaries: ReadonlyArray<number>): string | undefined =>
  Array.isArray(boundaries) &&
    boundaries.every((boundary, at) => Number.isFinite(boundary) && (at === 0 || boundary > boundaries[at - 1]))
    ? undefined
    : "finite numbers in strictly ascending order"

/** The state itself where it is the owner's, else a copy that is. */
const owned = (state: HistogramState, owner: Owner): HistogramState =>
  owner !== nobody && state.owner === owner
    ? state
    : new HistogramState(owner, state.boundaries, state.counts.slice(), state.sum, state.min, state.max)

/**
 * The number of boundaries below the value. Up to some twenty of them, looking
 * at one after the other is faster than halving, as the processor guesses the
 * way: so halving ends early.
 */
const bucketOf = (boundaries: ReadonlyArray<number>, value: number): number => {
  let low = 0
  let high = boundaries.length
  while (high - low > 16) {
    const middle = (low + high) >>> 1
    if (value > boundaries[middle]!) low = middle + 1
    else high = middle
  }
  while (low < high && value > boundaries[low]!) low++
  return low
}

const add = (state: HistogramState, value: number, owner: Owner): HistogramState => {
  const next = owned(state, owner)
  next.counts[bucketOf(next.boundaries, value)]!++
  next.sum = finiteSum(next.sum, value)
  // Plus 0, which makes 0 of -0: JSON knows no -0, and which of the two came first must not matter.
  if (value < next.min) next.min = value + 0
  if (value > next.max) next.max = value + 0
  return next
}

const checkSame = (a: HistogramState, b: HistogramState): void => {
  if (!isSame(a.boundaries, b.boundaries)) {
    throw new MergeConflict(`the boundaries are ${list(a.boundaries)} and ${list(b.boundaries)}`)
  }
}

const merge = (a: HistogramState, b: HistogramState, owner: Owner): HistogramState => {
  checkSame(a, b)
  const next = owned(a, owner)
  for (let at = 0; at < b.counts.length; at++) next.counts[at]! += b.counts[at]!
  next.sum = finiteSum(next.sum, b.sum)
  if (b.min < next.min) next.min = b.min
  if (b.max > next.max) next.max = b.max
  return next
}

/** The extremes of what came in between are not known: those of all values are kept, as bounds. */
const diff = (later: HistogramState, earlier: HistogramState): HistogramState | undefined => {
  checkSame(later, earlier)
  const counts = later.counts.map((count, at) => count - earlier.counts[at]!)
  if (counts.some((count) => count < 0)) return undefined
  const sum = finiteSum(later.sum, -earlier.sum)
  return new HistogramState(nobody, later.boundaries, counts, sum, later.min, later.max)
}

const view = (state: HistogramState): HistogramValue => {
  const count = totalOf(state.counts)
  return {
    count,
    sum: state.sum,
    min: count === 0 ? undefined : state.min,
    max: count === 0 ? undefined : state.max,
    boundaries: state.boundaries.slice(),
    counts: state.counts.slice()
  }
}

const agree = (a: HistogramState, b: HistogramState, along: ReadonlyArray<HistogramState>): boolean =>
  isSame(a.boundaries, b.boundaries) &&
  isSame(a.counts, b.counts) &&
  a.min === b.min &&
  a.max === b.max &&
  agreeAsSums(a.sum, b.sum, along.map(({ sum }) => sum))

/** Counts the values in buckets whose upper bounds are the boundaries, and which belong to their buckets. */
export const histogram = (boundaries: ReadonlyArray<number>): Kind<HistogramState, number, HistogramValue> => {
  const own = boundaries.slice()
  const Stored = Schema.Struct({
    boundaries: Schema.Array(Schema.Finite),
    counts: Schema.Array(Count),
    sum: Schema.Finite,
    ...StoredExtremes
  }).check(Schema.makeFilter((stored) => {
    if (!isSame(stored.boundaries, own)) {
      return `Expected the boundaries ${list(own)}, found ${list(stored.boundaries)}`
    }
    return stored.counts.length === own.length + 1
      ? checkStoredExtremes(stored, totalOf(stored.counts))
      : `Expected ${own.length + 1} counts, found ${stored.counts.length}`
  }))

  return {
    initial: new HistogramState(nobody, own, Array.from({ length: own.length + 1 }, () => 0), 0, Infinity, -Infinity),
    add: (state, input, _time, owner) => add(state, input, owner),
    view,
    merge,
    diff,
    codec: Stored.pipe(Schema.decodeTo(
      Schema.declare((u): u is HistogramState => u instanceof HistogramState),
      SchemaTransformation.transform({
        decode: ({ counts, sum, min = Infinity, max = -Infinity }) =>
          new HistogramState(nobody, own, counts.slice(), sum, min, max),
        encode: (state) => ({
          boundaries: state.boundaries,
          counts: state.counts,
          sum: state.sum,
          ...storedExtremes(state)
        })
      })
    )),
    merging: "approximate",
    agree
  }
}

const list = (numbers: ReadonlyArray<number>): string => `[${numbers.join(", ")}]`

/** Whether the numbers are the same ones. */
export const isSame = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean =>
  a === b || (a.length === b.length && a.every((number, at) => number === b[at]))

/** The sum of the counts. */
export const totalOf = (counts: ReadonlyArray<number>): number => {
  let total = 0
  for (let at = 0; at < counts.length; at++) total += counts[at]!
  return total
}

/** The fields of a stored minimum and maximum: absent before the first value, as JSON has no infinity. */
export const StoredExtremes = {
  min: Schema.optionalKey(Schema.Finite),
  max: Schema.optionalKey(Schema.Finite)
}

type StoredExtremes = Schema.Struct.Type<typeof StoredExtremes>

export const storedExtremes = ({ max, min }: { readonly min: number; readonly max: number }): StoredExtremes =>
  min > max ? {} : { min, max }

/** What is wrong with a stored minimum and maximum. They may be there without a value: a difference keeps them. */
export const checkStoredExtremes = ({ max, min }: StoredExtremes, count: number): string | undefined => {
  if (min !== undefined && max !== undefined) {
    return min <= max ? undefined : `Expected a min of at most the max, found ${min} and ${max}`
  }
  return count === 0 && min === max ? undefined : `Expected a min and a max of ${count} values`
}
