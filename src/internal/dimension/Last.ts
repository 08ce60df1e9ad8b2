import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { type Kind, nobody, type Owner } from "./Kind.ts"

/** A value and when it was: `undefined` before the first. */
export class LastState {
  declare readonly owner: Owner
  declare value: number | undefined
  /** Unix milliseconds. */
  declare time: number

  constructor(owner: Owner, value: number | undefined, time: number) {
    this.owner = owner
    this.value = value
    this.time = time
  }
}

/** The newest value. Of values with one time it is the last one in a fold, and the greatest one in a merge. */
export const last: Kind<LastState, number, number | undefined> = {
  initial: new LastState(nobody, undefined, 0),
  add: (state, input, time, owner) => {
    if (state.value !== undefined && time < state.time) return state
    if (owner === nobody || state.owner !== owner) return new LastState(owner, input, time)
    state.value = input
    state.time = time
    return state
  },
  view: ({ value }) => value,
  merge: (a, b) => {
    if (b.value === undefined) return a
    if (a.value === undefined || b.time > a.time) return b
    return b.time === a.time && b.value > a.value ? b : a
  },
  diff: (later) => later,
  codec: Schema.Struct({ value: Schema.optionalKey(Schema.Finite), time: Schema.Finite }).pipe(Schema.decodeTo(
    Schema.declare((u): u is LastState => u instanceof LastState),
    SchemaTransformation.transform({
      decode: ({ time, value }) => new LastState(nobody, value, time),
      encode: ({ time, value }) => value === undefined ? { time } : { value, time }
    })
  )),
  merging: "ordered",
  agree: (a, b) => a.value === b.value && (a.value === undefined || a.time === b.time)
}
