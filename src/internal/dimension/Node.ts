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

/** How many events were beyond the limit of each dimension with labels, by its name. Only those with any. */
export const overflows = (root: Struct, state: FieldsState): ReadonlyArray<readonly [string, number]> =>
  root.fields.flatMap((node, at) => {
    const over = overOf(node, state[`f${at}`])
    return over === 0 ? [] : [[root.names[at]!, over] as const]
  })

const overOf = (node: Node, state: any): number => {
  switch (node._tag) {
    case "Leaf":
      return 0
    case "Struct":
      return node.fields.reduce((sum, field, at) => sum + overOf(field, (state as FieldsState)[`f${at}`]), 0)
    case "Labelled": {
      let { over } = state as SeriesState
      if (hasLabels(node.inner)) (state as SeriesState).forEach((_, inner) => over += overOf(node.inner, inner))
      return over
    }
  }
}

const hasLabels = (node: Node): boolean =>
  node._tag === "Labelled" || (node._tag === "Struct" && node.fields.some(hasLabels))
