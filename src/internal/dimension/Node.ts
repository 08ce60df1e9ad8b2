import { describe } from "../describe.ts"
import type { Instrument } from "../Instrument.ts"
import { type FieldsState } from "./Fields.ts"
import type { Algebra, Kind } from "./Kind.ts"
import type { OnLimit, SeriesState } from "./Series.ts"

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

const hasLabels = (node: Node): boolean =>
  node._tag === "Labelled" || (node._tag === "Struct" && node.fields.some(hasLabels))
