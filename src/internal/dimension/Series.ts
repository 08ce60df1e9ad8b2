import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Count } from "./Count.ts"
import { type Algebra, newOwner, nobody, type Owner } from "./Kind.ts"
import { LabelIndex } from "./LabelIndex.ts"
import { Vector } from "./Vector.ts"

/**
 * The name of the series that takes the events beyond the limit of a label, as
 * OpenTelemetry calls it.
 */
export const overflowKey = "otel.metric.overflow"

/** How many series a dimension with labels has at most, unless it says otherwise: as in OpenTelemetry. */
export const defaultLimit = 2_000

/** What becomes of events beyond the limit: they go into the one series of the overflow, or nowhere. */
export type OnLimit = "other" | "drop"

/** A series of a dimension with several labels. */
export interface LabelledValue<Labels extends string, Value> {
  /** By name; the overflow has the one label {@link overflowKey}, which is `"true"`. */
  readonly labels: { readonly [K in Labels | typeof overflowKey]?: string }
  readonly value: Value
}

export const overflowLabels: Readonly<Record<string, string>> = Object.freeze({ [overflowKey]: "true" })

/** One state for each combination of labels. */
export class SeriesState {
  readonly owner: Owner
  /** Shared with older and newer states: see there. */
  index: LabelIndex
  /** How many series there are; their places are those below. */
  size: number
  values: Vector<unknown>
  /** The series of the events beyond the limit. */
  other: unknown
  /** How many events were beyond the limit. */
  over: number

  constructor(owner: Owner, index: LabelIndex, size: number, values: Vector<unknown>, other: unknown, over: number) {
    this.owner = owner
    this.index = index
    this.size = size
    this.values = values
    this.other = other
    this.over = over
  }

  /** This state where the owner may change it, else a copy of his. */
  ownedBy(owner: Owner): SeriesState {
    return owner !== nobody && this.owner === owner
      ? this
      : new SeriesState(owner, this.index, this.size, this.values, this.other, this.over)
  }

  /** The slots that hold the value of a place, to be changed by the owner of this state. */
  slotsOf(place: number, owner: Owner): Array<unknown> {
    const { values } = this
    if (owner !== nobody && values.owner === owner) return values.slotsOf(place, owner)
    return (this.values = values.ownedBy(owner)).slotsOf(place, owner)
  }

  /** The place of labels that `find` did not find here, or -1 where there is no room for one more. */
  admit(labels: ReadonlyArray<string>, limit: number): number {
    if (this.size >= limit || (labels.length === 1 && labels[0] === overflowKey)) return -1
    // The empty index is that of the initial state, which all recorders share.
    if (this.index.size !== this.size || this.size === 0) this.index = this.index.fork(this.size)
    this.size++
    return this.index.add(labels)
  }

  /** The place of labels, also those that are new, or -1 where there is no room for one more. */
  place(labels: ReadonlyArray<string>, limit: number): number {
    const place = this.index.find(labels)
    return place !== undefined && place < this.size ? place : this.admit(labels, limit)
  }

  get(labels: ReadonlyArray<string>): unknown {
    const place = this.index.find(labels)
    // Nothing is at the place of a newer state's series.
    return place === undefined ? undefined : this.values.get(place)
  }

  /** Calls back for each series but that of the overflow. */
  forEach(f: (labels: ReadonlyArray<string>, state: unknown, place: number) => void): void {
    const { index, size, values } = this
    for (let place = index.after(-1, size); place >= 0; place = index.after(place, size)) {
      f(index.valuesAt(place), values.get(place), place)
    }
  }
}

const isSeriesState = (u: unknown): u is SeriesState => u instanceof SeriesState

interface SeriesOptions {
  /** The names of the labels. */
  readonly names: ReadonlyArray<string>
  readonly inner: Algebra<any, unknown>
  readonly limit: number
  /** Whether a snapshot is a record by the one label. */
  readonly isRecord: boolean
}

/** What can be done with the states of a dimension that has labels. */
export const series = ({ inner, isRecord, limit, names }: SeriesOptions): Algebra<SeriesState, unknown> => {
  const initial = new SeriesState(nobody, new LabelIndex(names), 0, Vector.empty, undefined, 0)

  const record = (state: SeriesState, time: number): object => {
    const record: Record<string, unknown> = Object.create(null)
    state.forEach(([label], state) => record[label!] = inner.view(state, time))
    if (state.other !== undefined) record[overflowKey] = inner.view(state.other, time)
    return record
  }

  const list = (state: SeriesState, time: number): Array<LabelledValue<string, unknown>> => {
    const list: Array<LabelledValue<string, unknown>> = []
    state.forEach((values, state) => {
      const labels: Record<string, string> = {}
      for (let at = 0; at < names.length; at++) labels[names[at]!] = values[at]!
      list.push({ labels, value: inner.view(state, time) })
    })
    if (state.other !== undefined) list.push({ labels: overflowLabels, value: inner.view(state.other, time) })
    return list
  }

  /** What does not fit becomes part of the overflow, also where events beyond the limit are dropped: nothing is lost. */
  const merge = (a: SeriesState, b: SeriesState, owner: Owner): SeriesState => {
    if (b === initial) return a
    if (a === initial) return b
    const merged = a.ownedBy(owner)
    merged.over += b.over
    const mergeOther = (other: unknown) => {
      merged.other = inner.merge(merged.other ?? inner.initial, other, owner)
    }
    b.forEach((labels, state) => {
      const place = merged.place(labels, limit)
      if (place < 0) return mergeOther(state)
      const before = merged.values.get(place)
      merged.values = merged.values.set(place, before === undefined ? state : inner.merge(before, state, owner), owner)
    })
    if (b.other !== undefined) mergeOther(b.other)
    return merged
  }

  const diff = (later: SeriesState, earlier: SeriesState): SeriesState | undefined => {
    if (later.over < earlier.over) return undefined
    const owner = newOwner()
    const between = later.ownedBy(owner)
    let isAfter = true
    earlier.forEach((labels, before) => {
      const place = later.index.find(labels)
      const after = later.get(labels)
      const difference = after === undefined ? undefined : inner.diff(after, before)
      if (difference === undefined) isAfter = false
      else between.values = between.values.set(place!, difference, owner)
    })
    if (earlier.other !== undefined) {
      between.other = later.other === undefined ? undefined : inner.diff(later.other, earlier.other)
      isAfter &&= between.other !== undefined
    }
    between.over = later.over - earlier.over
    return isAfter ? between : undefined
  }

  /** Each series, and what they amount to so far: the last is the total. */
  const totals = (state: SeriesState): Array<unknown> => {
    const totals: Array<unknown> = [inner.initial]
    const add = (state: unknown) => totals.push(state, inner.merge(totals.at(-1), state, nobody))
    state.forEach((_, state) => add(state))
    if (state.other !== undefined) add(state.other)
    return totals
  }

  const agree = (a: SeriesState, b: SeriesState, along: ReadonlyArray<SeriesState>): boolean => {
    if (a.other !== undefined || b.other !== undefined) {
      // Which series are kept apart beyond the limit depends on the order; what they amount to does not, unless that
      // is a matter of the order, too.
      return inner.merging === "ordered" ||
        inner.agree(totals(a).at(-1), totals(b).at(-1), [a, b, ...along].flatMap(totals))
    }
    let agrees = a.size === b.size && a.over === b.over
    a.forEach((labels, state) => {
      const other = b.get(labels)
      agrees &&= other !== undefined &&
        inner.agree(state, other, along.map((state) => state.get(labels)).filter((state) => state !== undefined))
    })
    return agrees
  }

  const Labels = Schema.Array(Schema.String).check(Schema.isBetweenLength(names.length, names.length))
  const isUnique = Schema.makeFilter((series: ReadonlyArray<readonly [ReadonlyArray<string>, unknown]>) => {
    if (names.length === 1 && series.some(([labels]) => labels[0] === overflowKey)) {
      return `Expected no label "${overflowKey}", which is that of the overflow`
    }
    const distinct = new Set(series.map(([labels]) => JSON.stringify(labels))).size
    return distinct === series.length ? undefined : "Expected every combination of labels to be there once"
  })
  const codec = Schema.Struct({
    series: Schema.Array(Schema.Tuple([Labels, inner.codec])).check(isUnique),
    other: Schema.optionalKey(inner.codec),
    over: Count
  }).pipe(Schema.decodeTo(
    Schema.declare(isSeriesState),
    SchemaTransformation.transform({
      decode: ({ other, over, series }) => {
        const owner = newOwner()
        const index = initial.index.fork(0)
        let values: Vector<unknown> = Vector.empty
        for (const [labels, state] of series) values = values.set(index.add(labels), state, owner)
        return new SeriesState(nobody, index, series.length, values, other, over)
      },
      encode: (state) => {
        const series: Array<readonly [ReadonlyArray<string>, unknown]> = []
        state.forEach((labels, state, place) => series[place] = [labels, state])
        return { series, ...(state.other === undefined ? {} : { other: state.other }), over: state.over }
      }
    })
  ))

  return { initial, view: isRecord ? record : list, merge, diff, codec, merging: inner.merging, agree }
}
