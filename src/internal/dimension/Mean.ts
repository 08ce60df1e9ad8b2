import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Count } from "./Count.ts"
import { agreeAsSums, finiteSum, type Kind, nobody, type Owner } from "./Kind.ts"

/** A sum and a count, not their quotient: so means merge as faithfully as sums do. */
export class MeanState {
  declare readonly owner: Owner
  declare count: number
  declare sum: number

  constructor(owner: Owner, count: number, sum: number) {
    this.owner = owner
    this.count = count
    this.sum = sum
  }
}

const added = (state: MeanState, count: number, sum: number, owner: Owner): MeanState => {
  if (owner === nobody || state.owner !== owner) {
    return new MeanState(owner, state.count + count, finiteSum(state.sum, sum))
  }
  state.count += count
  state.sum = finiteSum(state.sum, sum)
  return state
}

/** The arithmetic mean of the values. */
export const mean: Kind<MeanState, number, number | undefined> = {
  initial: new MeanState(nobody, 0, 0),
  add: (state, input, _time, owner) => added(state, 1, input, owner),
  view: ({ count, sum }) => count === 0 ? undefined : sum / count,
  merge: (a, b, owner) => added(a, b.count, b.sum, owner),
  diff: (later, earlier) =>
    later.count < earlier.count ? undefined : added(later, -earlier.count, -earlier.sum, nobody),
  codec: Schema.Struct({ count: Count, sum: Schema.Finite }).pipe(Schema.decodeTo(
    Schema.declare((u): u is MeanState => u instanceof MeanState),
    SchemaTransformation.transform({
      decode: ({ count, sum }) => new MeanState(nobody, count, sum),
      encode: ({ count, sum }) => ({ count, sum })
    })
  )),
  merging: "approximate",
  agree: (a, b, along) => a.count === b.count && agreeAsSums(a.sum, b.sum, along.map(({ sum }) => sum))
}
