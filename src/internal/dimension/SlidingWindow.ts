import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { agreeAsSums, finiteSum, type Kind, MergeConflict, nobody, type Owner } from "./Kind.ts"

export const defaultWindowMs = 60_000

export const defaultSlices = 60

/**
 * The sums of the newest slots: slot `i` is the time from `i * windowMs / slices`
 * milliseconds to the next slot. There is one more of them than a window has
 * slices, since a window begins and ends within a slot.
 */
export class RateState {
  declare readonly owner: Owner
  declare readonly windowMs: number
  declare readonly slices: number
  /** The newest slot: `-Infinity` before the first amount. */
  declare newest: number
  /** Where its sum is. The sum of the slot before is at the place before, the first place coming after the last. */
  declare head: number
  declare readonly sums: Array<number>

  constructor(
    owner: Owner,
    windowMs: number,
    slices: number,
    newest: number,
    head: number,
    sums: Array<number>
  ) {
    this.owner = owner
    this.windowMs = windowMs
    this.slices = slices
    this.newest = newest
    this.head = head
    this.sums = sums
  }
}

const owned = (state: RateState, owner: Owner): RateState =>
  owner !== nobody && state.owner === owner
    ? state
    : new RateState(owner, state.windowMs, state.slices, state.newest, state.head, state.sums.slice())

/** Where the sum is of the slot that is so many slots older than the newest. */
const place = (state: RateState, older: number): number => {
  const at = state.head - older
  return at < 0 ? at + state.sums.length : at
}

/** The slots up to this one begin with zero, in place of the oldest. */
const advance = (state: RateState, slot: number): void => {
  const slots = Math.min(slot - state.newest, state.sums.length)
  for (let passed = 0; passed < slots; passed++) {
    state.head = state.head + 1 === state.sums.length ? 0 : state.head + 1
    state.sums[state.head] = 0
  }
  state.newest = slot
}

/** Adds to a slot of a state that may be changed. A slot older than the sums reach has gone by. */
const addTo = (state: RateState, slot: number, amount: number): void => {
  if (slot > state.newest) advance(state, slot)
  const older = state.newest - slot
  if (older >= state.sums.length) return
  const at = place(state, older)
  state.sums[at] = finiteSum(state.sums[at]!, amount)
}

const add = (state: RateState, amount: number, time: number, owner: Owner): RateState => {
  const slot = Math.floor(time / (state.windowMs / state.slices))
  if (state.newest - slot > state.slices) return state
  const mine = owned(state, owner)
  addTo(mine, slot, amount)
  return mine
}

const view = (state: RateState, time: number): number => {
  const position = time / (state.windowMs / state.slices)
  const slot = Math.floor(position)
  const partOfOldest = 1 - (position - slot)
  let sum = 0
  for (let older = 0; older <= state.slices; older++) {
    const age = slot - state.newest + older
    if (age > state.slices) break
    if (age < 0) continue
    const amount = state.sums[place(state, older)]!
    sum = finiteSum(sum, age === state.slices ? amount * partOfOldest : amount)
  }
  return Math.min(sum / (state.windowMs / 1000), Number.MAX_VALUE)
}

const merge = (a: RateState, b: RateState, owner: Owner): RateState => {
  if (a.windowMs !== b.windowMs || a.slices !== b.slices) {
    const [first, second] = [a, b].map(({ slices, windowMs }) => `${windowMs} ms in ${slices} slices`)
    throw new MergeConflict(`expected rates over one window, found ${first} and ${second}`)
  }
  if (b.newest === -Infinity) return a
  const mine = owned(a, owner)
  for (let older = 0; older <= b.slices; older++) addTo(mine, b.newest - older, b.sums[place(b, older)]!)
  return mine
}

const agree = (a: RateState, b: RateState): boolean =>
  a.windowMs === b.windowMs && a.slices === b.slices && a.newest === b.newest
  && a.sums.every((_, older) => agreeAsSums(a.sums[place(a, older)]!, b.sums[place(b, older)]!, []))

/** The sums from the newest slot back, up to the oldest that is not zero. None: there was no amount yet. */
const stored = (state: RateState): ReadonlyArray<number> => {
  if (state.newest === -Infinity) return []
  const sums = state.sums.map((_, older) => state.sums[place(state, older)]!)
  return sums.slice(0, 1 + Math.max(0, sums.findLastIndex((sum) => sum !== 0)))
}

/**
 * An amount per second over the last `windowMs` milliseconds, as seen at the time
 * of the read: of the slot in which that window begins counts as much as lies in
 * the window, as if its amount were spread evenly. So it is wrong by less than the
 * amount of that one slot.
 *
 * An amount that is older than the window before the newest slot is left out. A
 * read at an earlier time sees the slots up to then, as far back as they are kept.
 */
export const rate = (windowMs: number, slices: number): Kind<RateState, number, number> => {
  const zeros = Array.from({ length: slices + 1 }, () => 0)
  const initial = new RateState(nobody, windowMs, slices, -Infinity, 0, zeros)
  return {
    initial,
    add,
    view,
    merge,
    diff: (later) => later,
    codec: Schema.Struct({
      windowMs: Schema.Literal(windowMs),
      slices: Schema.Literal(slices),
      newest: Schema.Finite.check(Schema.makeFilter((slot) => Number.isInteger(slot), { expected: "an integer" })),
      sums: Schema.Array(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))).check(Schema.isMaxLength(slices + 1))
    }).pipe(Schema.decodeTo(
      Schema.declare((u): u is RateState => u instanceof RateState && u.windowMs === windowMs && u.slices === slices),
      SchemaTransformation.transform({
        decode: ({ newest, sums }) =>
          sums.length === 0 ? initial : new RateState(
            nobody,
            windowMs,
            slices,
            newest,
            slices,
            [...zeros.slice(sums.length), ...sums.toReversed()]
          ),
        encode: (state) => ({
          windowMs,
          slices,
          newest: state.newest === -Infinity ? 0 : state.newest,
          sums: stored(state)
        })
      })
    )),
    merging: "approximate",
    agree
  }
}
