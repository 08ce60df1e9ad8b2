import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { type Kind, MergeConflict, newOwner, nobody, type Owner } from "./Kind.ts"
import { Vector } from "./Vector.ts"

/** A standard error of 0.8 %. */
export const defaultPrecision = 14

/** What was expected, where the precision is none. */
export const checkPrecision = (precision: number): string | undefined =>
  Number.isInteger(precision) && precision >= 4 && precision <= 18 ? undefined : "an integer from 4 to 18"

/** A rank is at most 61, which takes 6 bits; five of them make an integer that no engine boxes. */
const ranksPerWord = 5
const bitsPerRank = 6
const rankMask = (1 << bitsPerRank) - 1

/** Of the items whose hash begins with a register's index, the register keeps the highest rank. */
export class DistinctState {
  readonly owner: Owner
  readonly precision: number
  /** Words of registers; those that are zero are absent. */
  registers: Vector<number>
  /** How many registers hold each rank. This is all an estimate needs: one does not have to visit the registers. */
  readonly multiplicities: Array<number>

  constructor(owner: Owner, precision: number, registers: Vector<number>, multiplicities: Array<number>) {
    this.owner = owner
    this.precision = precision
    this.registers = registers
    this.multiplicities = multiplicities
  }
}

/**
 * MurmurHash3_x86_32 of the little-endian bytes of the text's UTF-16 code units.
 *
 * A. Appleby, https://github.com/aappleby/smhasher, MurmurHash3.cpp.
 */
export const murmur3 = (text: string, seed: number): number => {
  const blocks = text.length & ~1
  let hash = seed
  for (let at = 0; at < blocks; at += 2) {
    hash ^= scramble(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16))
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  if (blocks !== text.length) hash ^= scramble(text.charCodeAt(blocks))
  hash ^= text.length << 1
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

const scramble = (block: number): number => {
  const product = Math.imul(block, 0xcc9e2d51)
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593)
}

/**
 * The hash of an item has 64 bits, each half being a hash with a seed of its own.
 * States are stored and merged elsewhere: neither seed may ever change.
 */
const highSeed = 0
const lowSeed = 0x9747b28c

/** Where the first one is in the bits that follow the index: 65 - precision when there is none. */
const rankOf = (item: string, high: number, precision: number): number => {
  const rest = high << precision
  return rest === 0
    ? 33 - precision + Math.clz32(murmur3(item, lowSeed))
    : 1 + Math.clz32(rest)
}

const add = (state: DistinctState, item: string, owner: Owner): DistinctState => {
  const high = murmur3(item, highSeed)
  return raise(state, high >>> (32 - state.precision), rankOf(item, high, state.precision), owner)
}

/** The state in which the register has at least the rank. */
const raise = (state: DistinctState, index: number, rank: number, owner: Owner): DistinctState => {
  const at = Math.floor(index / ranksPerWord)
  const place = index - at * ranksPerWord
  const word = state.registers.get(at) ?? 0
  const before = rankAt(word, place)
  return rank <= before ? state : replace(state, at, word, word + ((rank - before) << (place * bitsPerRank)), owner)
}

const rankAt = (word: number, place: number): number => (word >>> (place * bitsPerRank)) & rankMask

/** The state with another word at this place: all that ever changes. */
const replace = (state: DistinctState, at: number, before: number, word: number, owner: Owner): DistinctState => {
  const mine = owner !== nobody && state.owner === owner
    ? state
    : new DistinctState(owner, state.precision, state.registers, state.multiplicities.slice())
  mine.registers = mine.registers.set(at, word, owner)
  for (let place = 0; place < ranksPerWord; place++) {
    const rank = rankAt(word, place)
    const rankBefore = rankAt(before, place)
    if (rank === rankBefore) continue
    while (mine.multiplicities.length <= rank) mine.multiplicities.push(0)
    mine.multiplicities[rankBefore]! -= 1
    mine.multiplicities[rank]! += 1
  }
  return mine
}

const merge = (a: DistinctState, b: DistinctState, owner: Owner): DistinctState => {
  if (a.precision !== b.precision) {
    throw new MergeConflict(`expected distinct counts of one precision, found ${a.precision} and ${b.precision}`)
  }
  // An owner for the time of the merge spares a pure one a copy for each word.
  const mine = owner === nobody ? newOwner() : owner
  let merged = a
  b.registers.forEach((theirs, at) => {
    const ours = merged.registers.get(at) ?? 0
    const word = highestRanks(ours, theirs)
    if (word !== ours) merged = replace(merged, at, ours, word, mine)
  })
  return merged
}

/** The word with the higher rank at each place. */
const highestRanks = (a: number, b: number): number => {
  if (a === b) return a
  let word = 0
  for (let place = 0; place < ranksPerWord; place++) {
    const mask = rankMask << (place * bitsPerRank)
    word |= Math.max(a & mask, b & mask)
  }
  return word
}

/**
 * The improved raw estimator: O. Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches" (2017), algorithm 6. It needs no correction for small or
 * large numbers.
 */
const estimate = ({ multiplicities, precision }: DistinctState): number => {
  const registers = 2 ** precision
  const highest = 64 - precision
  let z = registers * tau(1 - (multiplicities[highest + 1] ?? 0) / registers)
  for (let rank = Math.min(highest, multiplicities.length - 1); rank >= 1; rank--) {
    z = 0.5 * (z + multiplicities[rank]!)
  }
  z += registers * sigma(multiplicities[0]! / registers)
  // There are no more hashes than that, and all registers at their highest would make it infinite.
  return Math.min(Math.round(registers * registers / (2 * Math.LN2 * z)), 2 ** 64)
}

const sigma = (x: number): number => {
  if (x === 1) return Infinity
  let y = 1
  let z = x
  for (let before = NaN; z !== before; y += y) {
    x *= x
    before = z
    z += x * y
  }
  return z
}

const tau = (x: number): number => {
  if (x === 0 || x === 1) return 0
  let y = 1
  let z = 1 - x
  for (let before = NaN; z !== before;) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}

const equal = (a: DistinctState, b: DistinctState): boolean => {
  if (a.precision !== b.precision || a.multiplicities[0] !== b.multiplicities[0]) return false
  let same = true
  a.registers.forEach((word, at) => {
    if (b.registers.get(at) !== word) same = false
  })
  return same
}

/** The ranks from 1 as characters that no JSON escapes, and that are no digits. */
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%()*+-"

/**
 * The registers in their order, as text: a letter for a rank, and a decimal
 * number for that many zeros. It is small for few items, and for many no longer
 * than the registers in base 64.
 */
const write = ({ precision, registers }: DistinctState): string => {
  let text = ""
  let next = 0
  registers.forEach((word, at) => {
    for (let place = 0; place < ranksPerWord; place++) {
      const rank = rankAt(word, place)
      if (rank === 0) continue
      const index = at * ranksPerWord + place
      if (index !== next) text += index - next
      text += letters[rank - 1]
      next = index + 1
    }
  })
  const all = 2 ** precision
  return next === all ? text : text + (all - next)
}

/** The state, or what is wrong with the text. */
const read = (text: string, initial: DistinctState): DistinctState | string => {
  const all = 2 ** initial.precision
  const highest = 65 - initial.precision
  const owner = newOwner()
  let state = initial
  let zeros = 0
  let next = 0
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit >= 0 && digit <= 9) {
      zeros = zeros * 10 + digit
      continue
    }
    const rank = letters.indexOf(text[at]!) + 1
    if (rank === 0 || rank > highest) return `Expected ranks up to ${letters[highest - 1]}, got ${text[at]} at ${at}`
    next += zeros
    zeros = 0
    if (next < all) state = raise(state, next, rank, owner)
    next++
  }
  next += zeros
  if (next !== all) return `Expected ${all} registers, got ${next > all ? "more" : next}`
  return new DistinctState(nobody, initial.precision, state.registers, state.multiplicities)
}

/**
 * How many different items there were, as an integer.
 *
 * The estimate has a standard error of 1.04 / sqrt(2 ** precision). That of a
 * merge is the one that all the items together would have had.
 */
export const distinct = (precision: number): Kind<DistinctState, string, number> => {
  const initial = new DistinctState(nobody, precision, Vector.empty, [2 ** precision])
  return {
    initial,
    add: (state, item, _time, owner) => add(state, item, owner),
    view: estimate,
    merge,
    diff: (later) => later,
    codec: Schema.Struct({ precision: Schema.Literal(precision), registers: Schema.String }).pipe(Schema.decodeTo(
      Schema.declare((u): u is DistinctState => u instanceof DistinctState && u.precision === precision),
      SchemaTransformation.transformEffect({
        decode: ({ registers }, options) => {
          const state = read(registers, initial)
          return typeof state === "string"
            ? Effect.fail(new SchemaIssue.InvalidValue({ message: state }, registers, options))
            : Effect.succeed(state)
        },
        encode: (state) => Effect.succeed({ precision, registers: write(state) })
      })
    )),
    merging: "exact",
    agree: equal
  }
}
