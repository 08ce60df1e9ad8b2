import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Count } from "./Count.ts"
import { agreeAsSums, finiteSum, type Kind, nobody, type Owner } from "./Kind.ts"

/**
 * What a variance shows: of all values, not an estimate from a sample.
 * `undefined` before the first value.
 */
export interface VarianceValue {
  readonly count: number
  readonly mean: number | undefined
  readonly variance: number | undefined
  readonly stddev: number | undefined
}

/** The mean, and the sum of the squares of the distances from it. */
export class VarianceState {
  declare readonly owner: Owner
  declare count: number
  declare mean: number
  declare squares: number

  constructor(owner: Owner, count: number, mean: number, squares: number) {
    this.owner = owner
    this.count = count
    this.mean = mean
    this.squares = squares
  }
}

const of = (state: VarianceState, count: number, mean: number, squares: number, owner: Owner): VarianceState => {
  if (owner === nobody || state.owner !== owner) return new VarianceState(owner, count, mean, squares)
  state.count = count
  state.mean = mean
  state.squares = squares
  return state
}

/** B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products" (1962). */
const add = (state: VarianceState, input: number, owner: Owner): VarianceState => {
  const count = state.count + 1
  const distance = finiteSum(input, -state.mean)
  // A distance that is too large for a number says nothing of the mean any more.
  const mean = Math.abs(distance) === Number.MAX_VALUE
    ? state.mean - state.mean / count + input / count
    : state.mean + distance / count
  return of(state, count, mean, finiteSum(state.squares, distance * finiteSum(input, -mean)), owner)
}

/** T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979). */
const merge = (a: VarianceState, b: VarianceState, owner: Owner): VarianceState => {
  if (b.count === 0) return a
  if (a.count === 0) return of(a, b.count, b.mean, b.squares, owner)
  const count = a.count + b.count
  const distance = finiteSum(b.mean, -a.mean)
  // Weighted by both, and not `a.mean` and a part of the distance: so that it does not matter which one is first.
  const mean = finiteSum(a.mean * (a.count / count), b.mean * (b.count / count))
  const between = distance * distance * (a.count / count) * b.count
  return of(a, count, mean, finiteSum(finiteSum(a.squares, b.squares), between), owner)
}

/** The merge, solved for the part that came later. */
const diff = (later: VarianceState, earlier: VarianceState): VarianceState | undefined => {
  if (later.count < earlier.count) return undefined
  if (earlier.count === 0) return later
  const count = later.count - earlier.count
  if (count === 0) return variance.initial
  const mean = finiteSum(later.mean, finiteSum(later.mean, -earlier.mean) * (earlier.count / count))
  const distance = finiteSum(mean, -earlier.mean)
  const between = distance * distance * (earlier.count / later.count) * count
  const squares = finiteSum(finiteSum(later.squares, -earlier.squares), -between)
  return new VarianceState(nobody, count, mean, Math.max(0, squares))
}

/** Errors in the squares grow with the distance of the values from zero, as seen from their mean. */
const agree = (a: VarianceState, b: VarianceState, along: ReadonlyArray<VarianceState>): boolean =>
  a.count === b.count
  && (isTooLarge(a) || isTooLarge(b) || agreeAsSums(a.mean, b.mean, along.map(({ mean }) => mean)))
  && agreeAsSums(
    a.squares,
    b.squares,
    [a, b, ...along].map(({ count, mean, squares }) => Math.min(squares + count * mean * mean, Number.MAX_VALUE))
  )

const isTooLarge = ({ squares }: VarianceState): boolean => squares === Number.MAX_VALUE

/** Mean, variance and standard deviation of the values. */
export const variance: Kind<VarianceState, number, VarianceValue> = {
  initial: new VarianceState(nobody, 0, 0, 0),
  add: (state, input, _time, owner) => add(state, input, owner),
  view: ({ count, mean, squares }) =>
    count === 0
      ? { count, mean: undefined, variance: undefined, stddev: undefined }
      : { count, mean, variance: squares / count, stddev: Math.sqrt(squares / count) },
  merge,
  diff,
  codec: Schema.Struct({
    count: Count,
    mean: Schema.Finite,
    squares: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
  }).check(
    Schema.makeFilter(({ count, mean, squares }) =>
      count > 0 || (mean === 0 && squares === 0) ||
      `Expected neither mean nor squares of no value, found ${mean}, ${squares}`
    )
  ).pipe(Schema.decodeTo(
    Schema.declare((u): u is VarianceState => u instanceof VarianceState),
    SchemaTransformation.transform({
      decode: ({ count, mean, squares }) => new VarianceState(nobody, count, mean, squares),
      encode: ({ count, mean, squares }) => ({ count, mean, squares })
    })
  )),
  merging: "approximate",
  agree
}
