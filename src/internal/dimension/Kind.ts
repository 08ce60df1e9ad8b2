import type * as Schema from "effect/Schema"

/**
 * Who may change a state in place.
 *
 * A state that carries the owner of the fold in hand was made by that fold and
 * has been seen by nobody else; every other state is as if frozen, and copied
 * before the first change. To hand a state out costs nothing: the fold takes
 * another owner. `nobody` owns nothing, which makes the step pure.
 *
 * States share structure. So an owner is done for once anybody else, `nobody`
 * included, has stepped from one of its states and the result is kept.
 */
export type Owner = number

export const nobody: Owner = 0

let lastOwner = nobody

/** An owner that no state carries yet. */
export const newOwner = (): Owner => ++lastOwner

/**
 * How faithfully two states merge.
 *
 * - `exact`: `merge(fold(xs), fold(ys))` equals `fold(xs ++ ys)`.
 * - `approximate`: it does up to a stated bound.
 * - `ordered`: it does when the events of `ys` are later than those of `xs`.
 */
export type Merging = "exact" | "approximate" | "ordered"

/** Two states of one shape that cannot become one. Thrown by `merge`, with the reason as its message. */
export class MergeConflict extends Error {}

/**
 * What can be done with the states of a dimension, whatever it measures.
 *
 * States are immutable to everybody but their owner. They are made of plain
 * arrays, records, numbers and instances of classes that hold such, so that they
 * can be frozen all the way down. Fields of such classes are only declared where
 * they hold fractions: a field that is `undefined` before its first number makes
 * the engine allocate memory for each number after it.
 */
export interface Algebra<in out State, out Value> {
  readonly initial: State
  /** What a snapshot shows: fresh plain data that shares nothing with the state. `time` is that of the read. */
  readonly view: (state: State, time: number) => Value
  /**
   * May change `a` in place where that is the owner's, never `b`, which must not
   * be the owner's: the result may share structure with it. Throws a `MergeConflict`.
   */
  readonly merge: (a: State, b: State, owner: Owner) => State
  /**
   * What came in between: where there is such, `merge(earlier, diff(later, earlier))`
   * is `later`. What has no difference is as it is later. `undefined` where the later state has
   * counted less, so that it cannot have come of the earlier one. Throws a
   * `MergeConflict`.
   */
  readonly diff: (later: State, earlier: State) => State | undefined
  /** JSON-safe. Refuses states of another shape. */
  readonly codec: Schema.Codec<State, any>
  readonly merging: Merging
  /**
   * Whether two states that should be equal are, up to the stated bound. `along`
   * are states that the fold of the same events went through: what is compared
   * with a tolerance relative to the numbers on the way finds them there.
   */
  readonly agree: (a: State, b: State, along: ReadonlyArray<State>) => boolean
}

/**
 * How one kind of measurement folds.
 */
export interface Kind<in out State, in Input, out Value> extends Algebra<State, Value> {
  /** The state after one more input. Never throws; pure for `nobody`. */
  readonly add: (state: State, input: Input, time: number, owner: Owner) => State
}

/** The relative error that sums of floating point numbers may have, depending on the order of their terms. */
const tolerance = 1e-9

/** Above it some order of the same terms may have come to a sum that is too large for a number. */
const tooLarge = Number.MAX_VALUE / 1_024

/** Below it numbers have fewer digits, down to none. */
const smallestNormal = 2 ** -1022

/** Whether two sums agree, `along` being the sums on the way to them. */
export const agreeAsSums = (a: number, b: number, along: ReadonlyArray<number>): boolean => {
  if (a === b) return true
  let scale = Math.max(Math.abs(a), Math.abs(b))
  for (const sum of along) scale = Math.max(scale, Math.abs(sum))
  return scale > tooLarge || Math.abs(a - b) <= Math.max(tolerance * scale, smallestNormal)
}

/** The sum, or the finite number next to it: a sum that has overflowed must not become infinite or NaN. */
export const finiteSum = (a: number, b: number): number => {
  const sum = a + b
  return sum - sum === 0 ? sum : sum > 0 ? Number.MAX_VALUE : -Number.MAX_VALUE
}
