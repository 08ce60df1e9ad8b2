import { describe } from "../describe.ts"
import type { Instrument, InstrumentKind } from "../Instrument.ts"
import { fieldsClass, type FieldsState } from "./Fields.ts"
import { type Algebra, type Kind, newOwner, nobody } from "./Kind.ts"
import { type OnLimit, SeriesState } from "./Series.ts"

/**
 * What a leaf takes from an event: nothing but the event itself, a finite number,
 * a finite number that is not negative, or text.
 */
export type Input = "event" | "finite" | "amount" | "text"

interface Base<in out State> extends Algebra<State, unknown> {
  readonly instrument: Instrument
  readonly when: ((event: any) => unknown) | undefined
}

/** A dimension that measures. */
export interface Leaf extends Base<any> {
  readonly _tag: "Leaf"
  readonly input: Input
  readonly select: (event: any) => unknown
  readonly add: Kind<any, any, unknown>["add"]
  /** Whether `add` looks at the time. */
  readonly isTimed: boolean
}

/** A dimension by labels. */
export interface Labelled extends Base<SeriesState> {
  readonly _tag: "Labelled"
  readonly names: ReadonlyArray<string>
  readonly selects: ReadonlyArray<(event: any) => unknown>
  readonly inner: Node
  readonly limit: number
  readonly onLimit: OnLimit
}

/** Several dimensions together. */
export interface Struct extends Base<FieldsState> {
  readonly _tag: "Struct"
  readonly names: ReadonlyArray<string>
  readonly fields: ReadonlyArray<Node>
}

/** A dimension, as those see it who fold. */
export type Node = Leaf | Labelled | Struct

/** What text stands for a label; an absent value is the empty label. Throws for what is no label. */
export const labelOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value)
  if (value === undefined || value === null) return ""
  throw new TypeError(`Expected a label to be a string, a number, a boolean or absent, found ${describe(value)}`)
}

/** Whether a leaf can take the value that an event has for it. */
export const isInput = (input: Input, value: unknown): boolean => {
  switch (input) {
    case "finite":
      return Number.isFinite(value)
    case "amount":
      return Number.isFinite(value) && (value as number) >= 0
    default:
      return true
  }
}

/** How many events were beyond the limits of a node's labels. */
export const overOf = (node: Node, state: any): number => {
  switch (node._tag) {
    case "Leaf":
      return 0
    case "Struct": {
      let over = 0
      for (let at = 0; at < node.fields.length; at++) over += overOf(node.fields[at]!, (state as FieldsState)[`f${at}`])
      return over
    }
    case "Labelled": {
      let { other, over } = state as SeriesState
      if (!hasLabels(node.inner)) return over
      const { inner } = node
      ;(state as SeriesState).forEach((_, state) => over += overOf(inner, state))
      return other === undefined ? over : over + overOf(inner, other)
    }
  }
}

/** A state with the same series and nothing counted. */
export const skeletonOf = (node: Node, state: any): any => {
  switch (node._tag) {
    case "Leaf":
      return node.initial
    case "Struct": {
      const states = node.fields.map((field, at) => skeletonOf(field, (state as FieldsState)[`f${at}`]))
      return new (fieldsClass(states.length))(nobody, 0, ...states)
    }
    case "Labelled": {
      const { index, size, values } = state as SeriesState
      const owner = newOwner()
      let skeletons = values
      ;(state as SeriesState).forEach((_, inner, place) =>
        skeletons = skeletons.set(place, skeletonOf(node.inner, inner), owner)
      )
      return new SeriesState(nobody, index, size, skeletons, undefined, 0)
    }
  }
}

/**
 * The state, or one like it whose sums are not below those that were shown before.
 * The same terms in another order may come to a little less, and who reads a
 * counter takes that for a new beginning.
 */
export const atLeast = (node: Node, state: any, shown: any): any => {
  switch (node._tag) {
    case "Leaf":
      return "kind" in node.instrument ? leafAtLeast(node.instrument.kind, state, shown) : state
    case "Struct": {
      const states = node.fields.map((field, at) =>
        atLeast(field, (state as FieldsState)[`f${at}`], (shown as FieldsState)[`f${at}`])
      )
      return states.every((next, at) => next === (state as FieldsState)[`f${at}`])
        ? state
        : new (fieldsClass(states.length))(nobody, (state as FieldsState).skipped, ...states)
    }
    case "Labelled": {
      if (!hasSums(node.inner)) return state
      let next = state as SeriesState
      const owner = newOwner()
      ;(shown as SeriesState).forEach((labels, before) => {
        const now = next.get(labels)
        const least = now === undefined ? now : atLeast(node.inner, now, before)
        if (least === now) return
        next = next.ownedBy(owner)
        next.values = next.values.set(next.index.find(labels)!, least, owner)
      })
      return next
    }
  }
}

const leafAtLeast = (kind: InstrumentKind, state: any, shown: any): any => {
  if (kind === "counter") return typeof state === "number" ? Math.max(state, shown) : state
  const isSum = (kind === "histogram" || kind === "summary") && state.min >= 0 && state.sum < shown.sum
  return isSum
    ? Object.assign(Object.create(Object.getPrototypeOf(state)), state, { owner: nobody, sum: shown.sum })
    : state
}

const hasSums = (node: Node): boolean => {
  switch (node._tag) {
    case "Leaf":
      return "kind" in node.instrument && node.instrument.kind !== "gauge" && node.merging !== "exact"
    case "Struct":
      return node.fields.some(hasSums)
    case "Labelled":
      return hasSums(node.inner)
  }
}

/** How many series there are, that of the overflow left out. */
export const seriesIn = (node: Node, state: any): number => {
  switch (node._tag) {
    case "Leaf":
      return 0
    case "Struct":
      return node.fields.reduce((sum, field, at) => sum + seriesIn(field, (state as FieldsState)[`f${at}`]), 0)
    case "Labelled": {
      let { size } = state as SeriesState
      if (hasLabels(node.inner)) (state as SeriesState).forEach((_, inner) => size += seriesIn(node.inner, inner))
      return size
    }
  }
}

/** Whether a dimension has a series for each value of some label. */
export const hasLabels = (node: Node): boolean =>
  node._tag === "Labelled" || (node._tag === "Struct" && node.fields.some(hasLabels))
