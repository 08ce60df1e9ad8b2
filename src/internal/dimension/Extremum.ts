import * as Schema from "effect/Schema"
import type { Kind } from "./Kind.ts"

/** `undefined` before the first value, which JSON has no word for. */
const Extreme = Schema.UndefinedOr(Schema.Finite)

const extremum = (choose: (a: number, b: number) => number): Kind<number | undefined, number, number | undefined> => ({
  initial: undefined,
  add: (state, input) => state === undefined ? input : choose(state, input),
  view: (state) => state,
  merge: (a, b) => a === undefined ? b : b === undefined ? a : choose(a, b),
  diff: (later) => later,
  codec: Schema.toCodecJson(Extreme) as Schema.Codec<number | undefined, number | null>,
  merging: "exact",
  agree: (a, b) => a === b
})

/** The smallest value so far. */
export const min = extremum(Math.min)

/** The greatest value so far. */
export const max = extremum(Math.max)
