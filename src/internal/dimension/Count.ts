import * as Schema from "effect/Schema"
import type { Kind } from "./Kind.ts"

/** A count that may have been stored. */
export const Count: Schema.Codec<number> = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** How many events there were. */
export const count: Kind<number, void, number> = {
  initial: 0,
  add: (state) => state + 1,
  view: (state) => state,
  merge: (a, b) => a + b,
  diff: (later, earlier) => later < earlier ? undefined : later - earlier,
  codec: Count,
  merging: "exact",
  agree: (a, b) => a === b
}
