import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import {
  checkPrecision,
  defaultPrecision,
  distinct,
  type DistinctState,
  murmur3
} from "../../../src/internal/dimension/HyperLogLog.ts"
import { MergeConflict, newOwner, nobody, type Owner } from "../../../src/internal/dimension/Kind.ts"

const kind = distinct(defaultPrecision)

const fold = (
  items: Iterable<string>,
  owner: Owner = newOwner(),
  precision = defaultPrecision,
  state = distinct(precision).initial
): DistinctState => {
  const { add } = distinct(precision)
  for (const item of items) state = add(state, item, 0, owner)
  return state
}

const numbered = function*(from: number, to: number): Iterable<string> {
  for (let number = from; number < to; number++) yield `item ${number}`
}

const deepFreeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}

const write = (state: DistinctState) => Schema.encodeSync(distinct(state.precision).codec)(state)

const registersOf = (state: DistinctState): string => write(state).registers

/** How ranks up to 52 are written. */
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const throughJson = (state: DistinctState): DistinctState => {
  const { codec } = distinct(state.precision)
  return Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(state))))
}

/** A low precision makes registers collide, and the few bits of the alphabet make items repeat. */
const anyPrecision = Arbitrary.schema(Schema.Literals([4, 5, 8, 14, 18]))
const anyItems = Arbitrary.array(Arbitrary.schema(Schema.String.check(Schema.isMaxLength(4))), { maxLength: 60 })

describe("murmur3", () => {
  /** Four bytes are two code units. */
  const ofBytes = (bytes: string): string =>
    (bytes.match(/../gs) ?? [])
      .map((pair) => String.fromCharCode(pair.charCodeAt(0) | (pair.charCodeAt(1) << 8)))
      .join("")

  it.each<[string, number, number]>([
    ["", 0, 0],
    ["", 1, 0x514e28b7],
    ["test", 0, 0xba6bd213],
    ["test", 0x9747b28c, 0x704b81dc],
    ["aaaa", 0x9747b28c, 0x5a97808a],
    ["aa", 0x9747b28c, 0x5d211726],
    ["abcd", 0x9747b28c, 0xf0478627],
    ["ab", 0x9747b28c, 0x74875592]
  ])("hashes the bytes %j with the seed %d as published", (bytes, seed, hash) => {
    assert.strictEqual(murmur3(ofBytes(bytes), seed) >>> 0, hash)
  })

  it("tells lone surrogates apart", () => {
    assert.notStrictEqual(murmur3("\ud800", 0), murmur3("\ud801", 0))
    assert.notStrictEqual(murmur3("\ud800", 0), murmur3("\ufffd", 0))
  })
})

describe("distinct", () => {
  it("counts few items without an error", () => {
    const owner = newOwner()
    let state = kind.initial
    assert.strictEqual(kind.view(state, 0), 0)
    for (let items = 1; items <= 100; items++) {
      state = kind.add(state, `item ${items}`, 0, owner)
      assert.strictEqual(kind.view(state, 0), items)
    }
  })

  it("counts an item once, and the state stays the same one", () => {
    const state = fold(["a", "b", ""])
    assert.strictEqual(kind.view(state, 0), 3)
    for (const owner of [nobody, newOwner(), state.owner]) {
      assert.strictEqual(fold(["", "b", "a", "a"], owner, defaultPrecision, state), state)
    }
  })

  it("keeps the rank of the 64-bit hash that was computed independently", () => {
    const precision = 18
    const ranks = new Map<number, number>()
    let fromSecondHalf = 0
    for (const item of numbered(0, 100_000)) {
      const bits = (BigInt(murmur3(item, 0) >>> 0) << 32n) | BigInt(murmur3(item, 0x9747b28c) >>> 0)
      const text = bits.toString(2).padStart(64, "0")
      const index = Number.parseInt(text.slice(0, precision), 2)
      const rank = `${text.slice(precision)}1`.indexOf("1") + 1
      if (rank > 32 - precision) fromSecondHalf++
      ranks.set(index, Math.max(rank, ranks.get(index) ?? 0))
    }
    assert.isAbove(fromSecondHalf, 0)

    let expected = ""
    let next = 0
    for (const [index, rank] of [...ranks].toSorted(([a], [b]) => a - b)) {
      expected += (index > next ? String(index - next) : "") +
        letters[rank - 1]
      next = index + 1
    }
    if (next < 2 ** precision) expected += String(2 ** precision - next)
    assert.strictEqual(registersOf(fold(numbered(0, 100_000), newOwner(), precision)), expected)
  })

  it("keeps the stored form of items, since states are merged elsewhere and later", () => {
    assert.deepStrictEqual(write(fold(["a", "b", "ünïcödé", "😀"], newOwner(), 4)), {
      precision: 4,
      registers: "5BA5B3"
    })
  })

  it("estimates what makes the registers the likeliest, from hundreds of items to nearly all hashes", () => {
    const precision = 14
    const { codec, view } = distinct(precision)
    const all = 2 ** precision
    const highest = 65 - precision
    for (let log = 8; log <= 63; log++) {
      const items = 2 ** log
      let zeros = 0
      let ranks = ""
      for (let index = 0; index < all; index++) {
        let rank = 0
        while (rank < highest && Math.exp(-items / (all * 2 ** rank)) < (index + 0.5) / all) rank++
        if (rank === 0) zeros++
        else ranks += letters[rank - 1]
      }
      const registers = zeros === 0 ? ranks : zeros + ranks
      assert.approximately(view(Schema.decodeSync(codec)({ precision, registers }), 0) / items, 1, 0.005, `2 ** ${log}`)
    }
  })

  it.each([4, 6, 10, 14])("estimates within three standard errors, precision %d", (precision) => {
    const state = fold(numbered(0, 50_000), newOwner(), precision)
    assert.approximately(distinct(precision).view(state, 0) / 50_000, 1, 3 * 1.04 / Math.sqrt(2 ** precision))
  })

  it.prop("does not change a state of somebody else", [anyPrecision, anyItems, anyItems], ([precision, xs, ys]) => {
    const state = fold(xs, newOwner(), precision)
    const before = registersOf(state)
    const other = fold(ys, newOwner(), precision, state)
    assert.strictEqual(registersOf(state), before)
    const pure = fold(ys, nobody, precision, deepFreeze(state))
    assert.strictEqual(registersOf(pure), registersOf(other))
    assert.strictEqual(kind.view(pure, 0), kind.view(other, 0))
  })

  describe("merge", () => {
    it.prop("is the fold of all the items", [anyPrecision, anyItems, anyItems, Schema.Boolean], (
      [precision, xs, ys, pure]
    ) => {
      const { agree, merge } = distinct(precision)
      const b = deepFreeze(fold(ys, newOwner(), precision))
      const a = fold(xs, newOwner(), precision)
      const merged = merge(a, b, pure ? nobody : a.owner)
      const all = fold([...xs, ...ys], nobody, precision)
      assert.strictEqual(registersOf(merged), registersOf(all))
      assert.deepStrictEqual(merged.multiplicities, all.multiplicities)
      assert.isTrue(agree(merged, all, []))
      if (pure) assert.strictEqual(registersOf(a), registersOf(fold(xs, nobody, precision)))
    })

    it.prop("is commutative, associative and idempotent", [anyPrecision, anyItems, anyItems, anyItems], (
      [precision, xs, ys, zs]
    ) => {
      const { merge } = distinct(precision)
      const [a, b, c] = [fold(xs, nobody, precision), fold(ys, nobody, precision), fold(zs, nobody, precision)]
      const of = (a: DistinctState, b: DistinctState) => merge(a, b, nobody)
      assert.strictEqual(registersOf(of(a, b)), registersOf(of(b, a)))
      assert.strictEqual(registersOf(of(of(a, b), c)), registersOf(of(a, of(b, c))))
      assert.strictEqual(of(a, a), a)
      assert.strictEqual(registersOf(of(distinct(precision).initial, a)), registersOf(a))
    })

    it("leaves what it was given as it was, many registers at once", () => {
      const a = fold(numbered(0, 20_000))
      const b = fold(numbered(10_000, 30_000))
      const [beforeA, beforeB] = [registersOf(a), registersOf(b)]
      const merged = kind.merge(a, b, nobody)
      assert.strictEqual(registersOf(merged), registersOf(fold(numbered(0, 30_000))))
      assert.strictEqual(registersOf(a), beforeA)
      assert.strictEqual(registersOf(b), beforeB)
      fold(numbered(30_000, 31_000), newOwner(), defaultPrecision, merged)
      assert.strictEqual(registersOf(merged), registersOf(fold(numbered(0, 30_000))))
    })

    it("gives a state that its owner can go on with", () => {
      const owner = newOwner()
      const merged = kind.merge(fold(["a"], owner), fold(["b"]), owner)
      assert.strictEqual(kind.add(merged, "c", 0, owner), merged)
      assert.strictEqual(kind.merge(merged, fold(["d"]), owner), merged)
      assert.strictEqual(registersOf(merged), registersOf(fold(["a", "b", "c", "d"])))
    })

    it("refuses another precision, and names both", () => {
      assert.throws(
        () => kind.merge(kind.initial, distinct(12).initial, nobody),
        MergeConflict,
        "expected distinct counts of one precision, found 14 and 12"
      )
    })
  })

  it("agrees with the same registers only", () => {
    const state = fold(["a", "b"])
    assert.isTrue(kind.agree(state, fold(["b", "a"]), []))
    assert.isFalse(kind.agree(state, fold(["a"]), []))
    assert.isFalse(kind.agree(fold(["a"]), state, []))
    assert.isFalse(kind.agree(state, fold(["a", "c"]), []))
    assert.isFalse(kind.agree(kind.initial, distinct(12).initial, []))
  })

  it("has no difference: it is as it is later", () => {
    const later = fold(["a", "b"])
    assert.strictEqual(kind.diff(later, fold(["a"])), later)
  })

  it("never estimates more than there are hashes, even with every register at its highest", () => {
    for (const precision of [4, 18]) {
      const { codec, view } = distinct(precision)
      const letter = precision === 4 ? "-" : "u"
      const full = Schema.decodeSync(codec)({ precision, registers: letter.repeat(2 ** precision) })
      assert.strictEqual(view(full, 0), 2 ** 64)
    }
  })

  describe("codec", () => {
    it.prop("gives back what it stored, owned by nobody", [anyPrecision, anyItems], ([precision, items]) => {
      const state = fold(items, newOwner(), precision)
      const stored = throughJson(state)
      assert.isTrue(distinct(precision).agree(stored, state, []))
      assert.deepStrictEqual(stored.multiplicities, state.multiplicities)
      assert.strictEqual(stored.owner, nobody)
    })

    it("is small for few items, and for many no longer than one character for each register", () => {
      assert.strictEqual(registersOf(kind.initial), "16384")
      assert.isBelow(registersOf(fold(["a"])).length, 12)
      assert.isBelow(registersOf(fold(numbered(0, 100))).length, 500)
      assert.isAtMost(registersOf(fold(numbered(0, 500_000))).length, 2 ** 14)
    })

    it("does not let a state that was read be changed by others", () => {
      const stored = throughJson(fold(["a"]))
      const before = registersOf(stored)
      fold(["b", "c"], newOwner(), defaultPrecision, stored)
      assert.strictEqual(registersOf(stored), before)
    })

    it.each<[string, unknown, RegExp]>([
      ["another precision", { precision: 12, registers: "4096" }, /Expected 14/],
      ["no registers", { precision: 14 }, /registers/],
      ["registers that are no text", { precision: 14, registers: [1] }, /Expected string/],
      ["too few registers", { precision: 14, registers: "A16382" }, /Expected 16384 registers, got 16383/],
      ["too many registers", { precision: 14, registers: "16384A" }, /Expected 16384 registers, got more/],
      ["very many registers", { precision: 14, registers: "9".repeat(400) }, /Expected 16384 registers, got more/],
      ["no registers at all", { precision: 14, registers: "" }, /Expected 16384 registers, got 0/],
      ["an unknown character", { precision: 14, registers: "1?16382" }, /Expected ranks up to y, got \? at 1/],
      ["a rank that no hash has", { precision: 14, registers: "z16383" }, /Expected ranks up to y, got z at 0/]
    ])("refuses %s", (_, stored, message) => {
      assert.throws(() => Schema.decodeUnknownSync(kind.codec)(stored), message)
    })

    it("refuses to write a state of another precision", () => {
      assert.throws(() => Schema.encodeUnknownSync(kind.codec)(distinct(12).initial))
    })
  })
})

describe("checkPrecision", () => {
  it("takes the integers from 4 to 18", () => {
    for (let precision = 4; precision <= 18; precision++) assert.isUndefined(checkPrecision(precision))
    for (const precision of [3, 19, 4.5, NaN, Infinity, "14" as unknown as number]) {
      assert.strictEqual(checkPrecision(precision), "an integer from 4 to 18")
    }
  })
})
