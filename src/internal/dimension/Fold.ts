import type { MetricEvent } from "../../Event.ts"
import type { Meta } from "../EventMeta.ts"
import type { FieldsState } from "./Fields.ts"
import { generateFold } from "./generateFold.ts"
import { interpretFold } from "./interpretFold.ts"
import { newOwner, nobody, type Owner } from "./Kind.ts"
import type { Struct } from "./Node.ts"

/**
 * The step of a metric made of dimensions: at once, or in two halves.
 *
 * `read` runs all code of the user's, which may throw or fold something itself,
 * and only then leaves what it found in the registers; `write` runs none. So
 * several metrics can take an event together or not at all, also where states are
 * changed in place.
 */
export interface Fold<in out Registers = any> {
  /**
   * The state after the event, `undefined` where no dimension counts it. Throws
   * before it changes anything. Who the owner is counts after the code of the
   * user's, which may have handed the state out.
   */
  readonly step: (state: FieldsState, event: any, meta: Meta, by: Folding) => FieldsState | undefined
  /** What `read` leaves for `write`. */
  readonly registers: () => Registers
  /** Whether any dimension counts the event. */
  readonly read: (event: any, meta: Meta, registers: Registers) => boolean
  readonly write: (state: FieldsState, owner: Owner, registers: Registers) => FieldsState
}

/** Where a joint fold finds a state, and leaves the next one. */
export interface Place {
  state: unknown
  /** Who may change the state in place: `nobody`, where it was shared. */
  owner: Owner
}

/** Who may change the state of a place from now on. */
export const takeOver = (place: Place): Owner => place.owner === nobody ? place.owner = newOwner() : place.owner

/**
 * Folds an event into several states, in place: all of the user's code runs
 * before anything is changed. Returns the places that counted it, as bits, or
 * `failedForGood` where the recorder said not to go on without the metric that threw.
 */
export type JointFold<P extends Place> = (
  places: ReadonlyArray<P>,
  event: any,
  meta: Meta,
  recorder: { readonly reducerFailed: (place: P, event: any, defect: unknown) => boolean }
) => number

export const failedForGood = -1

/** Who folds, as far as states are concerned. */
export interface Folding {
  readonly owner: Owner
}

/** A pure fold. */
export const purely: Folding = { owner: nobody }

/** The fold of these dimensions, as fast as the place allows. */
export const foldOf = (root: Struct): Fold => generateFold(root) ?? interpretFold(root)

/** The same fold for the events for which the predicate holds. */
export const filtered = (fold: Fold, predicate: (event: any) => unknown): Fold => ({
  ...fold,
  step: (state, event, meta, by) => predicate(event) ? fold.step(state, event, meta, by) : undefined,
  read: (event, meta, registers) => predicate(event) ? fold.read(event, meta, registers) : false
})

/** The same fold over what a function makes of the events. */
export const mapped = (
  fold: Fold,
  f: (event: MetricEvent, meta: Meta) => readonly [MetricEvent, Meta]
): Fold => ({
  ...fold,
  step: (state, event, meta, by) => fold.step(state, ...f(event, meta), by),
  read: (event, meta, registers) => {
    const [inner, innerMeta] = f(event, meta)
    return fold.read(inner, innerMeta, registers)
  }
})
