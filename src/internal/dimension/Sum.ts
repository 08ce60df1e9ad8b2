import * as Schema from "effect/Schema"
import { agreeAsSums, finiteSum, type Kind } from "./Kind.ts"

const signed: Kind<number, number, number> = {
  initial: 0,
  add: finiteSum,
  view: (state) => state,
  merge: finiteSum,
  diff: (later, earlier) => finiteSum(later, -earlier),
  codec: Schema.Finite,
  merging: "approximate",
  agree: agreeAsSums
}

/** The sum of amounts that may be negative. */
export const upDown = signed

/** The sum of amounts that are not negative: it only grows. */
export const sum: Kind<number, number, number> = {
  ...signed,
  diff: (later, earlier) => later < earlier ? undefined : later - earlier,
  codec: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
}
