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
  // In another order the same terms may come to a little less, as in a roll-up when a recorder goes.
  diff: (later, earlier) => later >= earlier ? later - earlier : agreeAsSums(later, earlier, []) ? 0 : undefined,
  codec: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
}
