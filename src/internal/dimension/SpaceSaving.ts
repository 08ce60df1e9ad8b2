import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Count } from "./Count.ts"
import { type Kind, MergeConflict, nobody, type Owner } from "./Kind.ts"

/** An item, and how often it was there: at most `count` times, and at least `count - error` times. */
export interface TopKEntry {
  readonly item: string
  readonly count: number
  readonly error: number
}

/** With more, each event of an observed recorder would copy megabytes. */
const mostCounters = 2 ** 16

/** What was expected, where a number of items to show will not do. */
export const checkK = (k: number): string | undefined =>
  Number.isSafeInteger(k) && k >= 1 && k <= mostCounters ? undefined : `an integer from 1 to ${mostCounters}`

/** What was expected, where a number of counters will not do. */
export const checkCapacity = (capacity: number, k: number): string | undefined =>
  Number.isSafeInteger(capacity) && capacity >= k && capacity <= mostCounters
    ? undefined
    : `an integer from k = ${k} to ${mostCounters}`

/**
 * The counters, by descending count: the counter at one place of each array.
 *
 * The sum of the counts is at most `total`, and with a counter to spare every
 * count is exact. An item without a counter was there at most as often as the
 * smallest count of a full state says: at most `total / capacity` times.
 */
export class TopKState {
  readonly owner: Owner
  readonly capacity: number
  /** How many items there were. */
  total: number
  readonly items: Array<string>
  readonly counts: Array<number>
  readonly errors: Array<number>
  /** Where an item's counter is. Absent until an owner changes its own state: to build it takes as long as to search. */
  places: Map<string, number> | undefined

  constructor(
    owner: Owner,
    capacity: number,
    total: number,
    items: Array<string>,
    counts: Array<number>,
    errors: Array<number>
  ) {
    this.owner = owner
    this.capacity = capacity
    this.total = total
    this.items = items
    this.counts = counts
    this.errors = errors
    this.places = undefined
  }
}

/** How often an item without a counter may have been there. */
const least = ({ capacity, counts }: TopKState): number => counts.length < capacity ? 0 : counts[capacity - 1]!

/** The first place with the count of this one. */
const firstAlike = (counts: ReadonlyArray<number>, place: number): number => {
  const count = counts[place]!
  if (place === 0 || counts[place - 1]! > count) return place
  let low = 0
  let high = place - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (counts[middle]! > count) low = middle + 1
    else high = middle
  }
  return low
}

/** A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams" (2005). */
const add = (state: TopKState, item: string, owner: Owner): TopKState => {
  if (owner === nobody || state.owner !== owner) {
    const { capacity, counts, errors, items, total } = state
    const copy = new TopKState(owner, capacity, total, items.slice(), counts.slice(), errors.slice())
    count(copy, item, items.indexOf(item))
    return copy
  }
  state.places ??= new Map(state.items.map((item, place) => [item, place]))
  count(state, item, state.places.get(item) ?? -1)
  return state
}

/** Counts the item, whose counter is at the place. */
const count = (state: TopKState, item: string, place: number): void => {
  state.total++
  if (place !== -1) increment(state, place)
  else if (state.items.length < state.capacity) append(state, item)
  else replace(state, item)
}

/** The counter becomes the first of those with its count, and so may have one more without leaving the order. */
const increment = ({ counts, errors, items, places }: TopKState, place: number): void => {
  const first = firstAlike(counts, place)
  if (first !== place) {
    const item = items[place]!
    const other = items[first]!
    const error = errors[place]!
    items[place] = other
    errors[place] = errors[first]!
    items[first] = item
    errors[first] = error
    if (places !== undefined) {
      places.set(other, place)
      places.set(item, first)
    }
  }
  counts[first]! += 1
}

const append = ({ counts, errors, items, places }: TopKState, item: string): void => {
  if (places !== undefined) places.set(item, items.length)
  items.push(item)
  counts.push(1)
  errors.push(0)
}

/** Takes over one of the smallest counters, whose count the item may have had before. */
const replace = ({ counts, errors, items, places }: TopKState, item: string): void => {
  const first = firstAlike(counts, counts.length - 1)
  if (places !== undefined) {
    places.delete(items[first]!)
    places.set(item, first)
  }
  items[first] = item
  errors[first] = counts[first]!
  counts[first]! += 1
}

/** By descending count; the order of the items makes equal counts come out equally everywhere. */
const compare = (a: TopKEntry, b: TopKEntry): number => b.count - a.count || (a.item < b.item ? -1 : 1)

const entryAt = ({ counts, errors, items }: TopKState, place: number): TopKEntry => ({
  item: items[place]!,
  count: counts[place]!,
  error: errors[place]!
})

const view = (state: TopKState, k: number): ReadonlyArray<TopKEntry> => {
  const entries: Array<TopKEntry> = []
  for (let place = 0; place < state.items.length; place++) {
    if (place >= k && state.counts[place]! < state.counts[k - 1]!) break
    entries.push(entryAt(state, place))
  }
  return entries.toSorted(compare).slice(0, k)
}

/**
 * An item that is missing in one state may have been there as often as that
 * state's smallest count. No other choice of as many counters has a greater sum
 * of counts in either state, so that the sum of those kept is at most the total.
 *
 * P. K. Agarwal et al., "Mergeable Summaries" (2013); M. Cafaro, M. Pulimeno,
 * P. Tempesta, "A parallel space saving algorithm for frequent items and the
 * Hurwitz zeta distribution" (2016).
 */
const merge = (a: TopKState, b: TopKState, owner: Owner): TopKState => {
  if (a.capacity !== b.capacity) {
    throw new MergeConflict(`expected most frequent items of one capacity, found ${a.capacity} and ${b.capacity}`)
  }
  if (b.total === 0) return a
  const leastA = least(a)
  const leastB = least(b)
  const entries = new Map<string, TopKEntry>()
  for (let place = 0; place < a.items.length; place++) {
    const { count, error, item } = entryAt(a, place)
    entries.set(item, { item, count: count + leastB, error: error + leastB })
  }
  for (let place = 0; place < b.items.length; place++) {
    const { count, error, item } = entryAt(b, place)
    const entry = entries.get(item)
    entries.set(
      item,
      entry === undefined
        ? { item, count: count + leastA, error: error + leastA }
        : { item, count: entry.count - leastB + count, error: entry.error - leastB + error }
    )
  }
  const kept = Array.from(entries.values()).toSorted(compare).slice(0, a.capacity)
  return fromEntries(owner, a.capacity, a.total + b.total, kept)
}

const fromEntries = (
  owner: Owner,
  capacity: number,
  total: number,
  entries: ReadonlyArray<TopKEntry>
): TopKState =>
  new TopKState(
    owner,
    capacity,
    total,
    entries.map(({ item }) => item),
    entries.map(({ count }) => count),
    entries.map(({ error }) => error)
  )

/** Whether each item may have been in both equally often. */
const agree = (a: TopKState, b: TopKState): boolean => {
  if (a.capacity !== b.capacity || a.total !== b.total) return false
  const entriesOf = (state: TopKState) =>
    new Map(state.items.map((item, place) => [item, entryAt(state, place)] as const))
  const inA = entriesOf(a)
  const inB = entriesOf(b)
  const absentInA = { count: least(a), error: least(a) }
  const absentInB = { count: least(b), error: least(b) }
  for (const item of [...a.items, ...b.items]) {
    const { count: mostA, error: errorA } = inA.get(item) ?? absentInA
    const { count: mostB, error: errorB } = inB.get(item) ?? absentInB
    if (mostA < mostB - errorB || mostB < mostA - errorA) return false
  }
  return true
}

type Stored = {
  readonly capacity: number
  readonly total: number
  readonly entries: ReadonlyArray<readonly [item: string, count: number, error: number]>
}

/** What is wrong with it, if anything is. */
const check = ({ capacity, entries, total }: Stored): string | undefined => {
  if (entries.length > capacity) return `Expected at most ${capacity} entries, got ${entries.length}`
  if (new Set(entries.map(([item]) => item)).size < entries.length) return "Expected entries of different items"
  let sum = 0
  let before = Infinity
  for (const [, count, error] of entries) {
    if (count > before) return `Expected entries by descending count, got ${count} after ${before}`
    if (error >= count) return `Expected errors below the counts, got ${error} for a count of ${count}`
    before = count
    sum += count
  }
  return sum > total ? `Expected counts of ${total} together at most, got ${sum}` : undefined
}

/**
 * The `k` most frequent items, by descending count, out of `capacity` counters.
 *
 * Every item that makes up more than one part in `capacity` of all items has a
 * counter, also after merging; no count is too small, and none is too great by
 * more than that part.
 */
export const topK = (k: number, capacity: number): Kind<TopKState, string, ReadonlyArray<TopKEntry>> => ({
  initial: new TopKState(nobody, capacity, 0, [], [], []),
  add: (state, item, _time, owner) => add(state, item, owner),
  view: (state) => view(state, k),
  merge,
  diff: (later) => later,
  codec: Schema.Struct({
    capacity: Schema.Literal(capacity),
    total: Count,
    entries: Schema.Array(Schema.Tuple([Schema.String, Count, Count]))
  }).check(Schema.makeFilter(check)).pipe(Schema.decodeTo(
    Schema.declare((u): u is TopKState => u instanceof TopKState && u.capacity === capacity),
    SchemaTransformation.transform({
      decode: ({ entries, total }) =>
        fromEntries(nobody, capacity, total, entries.map(([item, count, error]) => ({ item, count, error }))),
      encode: ({ counts, errors, items, total }) => ({
        capacity,
        total,
        entries: items.map((item, place) => [item, counts[place]!, errors[place]!] as const)
      })
    })
  )),
  merging: "approximate",
  agree
})
