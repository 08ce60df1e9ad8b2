import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { MergeConflict, newOwner, nobody, type Owner } from "../../../src/internal/dimension/Kind.ts"
import { checkCapacity, checkK, topK, type TopKState } from "../../../src/internal/dimension/SpaceSaving.ts"

const fold = (
  capacity: number,
  items: Iterable<string>,
  owner: Owner = newOwner(),
  state = topK(1, capacity).initial
): TopKState => {
  const { add } = topK(1, capacity)
  for (const item of items) state = add(state, item, 0, owner)
  return state
}

const stored = (state: TopKState) => Schema.encodeSync(topK(1, state.capacity).codec)(state)

const deepFreeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}

const countsOf = (items: ReadonlyArray<string>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

/** Every promise that a state makes of the items that were there. */
const keepsItsPromises = (state: TopKState, items: ReadonlyArray<string>): void => {
  const { capacity } = state
  const entries = topK(capacity, capacity).view(state, 0)
  const counts = countsOf(items)
  assert.strictEqual(state.total, items.length)
  assert.isAtMost(entries.length, capacity)
  assert.isAtMost(entries.reduce((sum, { count }) => sum + count, 0), items.length)
  for (const { count, error, item } of entries) {
    const actual = counts.get(item) ?? 0
    assert.isAtMost(actual, count)
    assert.isAtLeast(actual, count - error)
    assert.isAtLeast(count - error, 1)
    assert.isAtMost(error, items.length / capacity)
  }
  const found = new Set(entries.map(({ item }) => item))
  const least = entries.length < capacity ? 0 : entries.at(-1)!.count
  for (const [item, count] of counts) {
    if (found.has(item)) continue
    assert.isAtMost(count, least)
    assert.isAtMost(count, items.length / capacity)
  }
  assert.isTrue([...state.counts].every((count, place, all) => place === 0 || count <= all[place - 1]!))
  assert.deepStrictEqual(stored(Schema.decodeUnknownSync(topK(1, capacity).codec)(stored(state))), stored(state))
}

/** Few different items, most of them rare. */
const anyItem = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 15 }))),
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 15 })))
  ]),
  ([a, b]) => "abcdefghijklmnop"[Math.min(a, b)]!
)
const anyItems = Arbitrary.array(anyItem, { maxLength: 80 })
const anyCapacity = Arbitrary.schema(Schema.Literals([1, 2, 3, 4, 8, 20]))

describe("topK", () => {
  it("shows the most frequent items by descending count, equal ones in the order of the items", () => {
    const { view } = topK(3, 10)
    assert.deepStrictEqual(view(fold(10, "dccabbbe"), 0), [
      { item: "b", count: 3, error: 0 },
      { item: "c", count: 2, error: 0 },
      { item: "a", count: 1, error: 0 }
    ])
    assert.deepStrictEqual(
      ["dcbaad", "adbcad", "bcadda"].map((items) => view(fold(10, items), 0).map(({ item }) => item).join("")),
      ["adb", "adb", "adb"]
    )
    assert.deepStrictEqual(view(fold(10, "x"), 0), [{ item: "x", count: 1, error: 0 }])
    assert.deepStrictEqual(view(fold(10, ""), 0), [])
  })

  it("gives the counter of a rare item to a new one, which may have been there as often", () => {
    assert.deepStrictEqual(topK(2, 2).view(fold(2, "aaabbc"), 0), [
      { item: "a", count: 3, error: 0 },
      { item: "c", count: 3, error: 2 }
    ])
  })

  it.prop("keeps its promises, changed in place or not", [anyCapacity, anyItems, anyItems], ([capacity, xs, ys]) => {
    const state = fold(capacity, xs)
    keepsItsPromises(state, xs)
    const before = stored(state)
    const owned = fold(capacity, ys, newOwner(), state)
    assert.deepStrictEqual(stored(state), before)
    const pure = fold(capacity, ys, nobody, deepFreeze(fold(capacity, xs, nobody)))
    assert.deepStrictEqual(stored(owned), stored(pure))
    keepsItsPromises(owned, [...xs, ...ys])
  }, { arbitrary: { runs: 500 } })

  it.prop("is exact while there are counters to spare", [anyItems], ([items]) => {
    const entries = topK(20, 20).view(fold(20, items), 0)
    assert.deepStrictEqual(
      new Map(entries.map(({ count, item }) => [item, count])),
      new Map([...countsOf(items)].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)))
    )
    assert.isTrue(entries.every(({ error }) => error === 0))
  })

  it("is changed in place by its owner alone", () => {
    const owner = newOwner()
    const state = fold(2, "ab", owner)
    const { add } = topK(1, 2)
    assert.strictEqual(add(state, "c", 0, owner), state)
    assert.notStrictEqual(add(state, "c", 0, newOwner()), state)
    assert.notStrictEqual(add(state, "c", 0, nobody), state)
    assert.strictEqual(state.total, 3)
  })

  it("shows what shares nothing with the state", () => {
    const { view } = topK(2, 2)
    const owner = newOwner()
    const state = fold(2, "ab", owner)
    const shown = view(state, 0)
    fold(2, "bbbcc", owner, state)
    assert.deepStrictEqual(shown, [{ item: "a", count: 1, error: 0 }, { item: "b", count: 1, error: 0 }])
  })

  describe("merge", () => {
    it.prop("keeps the promises, whatever the order of the parts", [
      anyCapacity,
      Arbitrary.array(anyItems, { minLength: 1, maxLength: 6 }),
      anyItems
    ], ([capacity, parts, after]) => {
      const { agree, merge } = topK(1, capacity)
      const states = parts.map((part) => fold(capacity, part))
      const before = states.map(stored)
      const items = parts.flat()
      const all = fold(capacity, items)

      const oneByOne = states.reduce((merged, state) => merge(merged, state, nobody))
      const backwards = states.reduceRight((merged, state) => merge(merged, state, nobody))
      const half = states.length >> 1
      const empty = topK(1, capacity).initial
      const inHalves = merge(
        states.slice(0, half).reduce((merged, state) => merge(merged, state, nobody), empty),
        states.slice(half).reduce((merged, state) => merge(merged, state, nobody), empty),
        nobody
      )
      for (const merged of [oneByOne, backwards, inHalves]) {
        keepsItsPromises(merged, items)
        assert.isTrue(agree(merged, all, []))
        assert.isTrue(agree(all, merged, []))
      }
      assert.isTrue(agree(oneByOne, inHalves, []))
      assert.deepStrictEqual(states.map(stored), before)
      keepsItsPromises(fold(capacity, after, newOwner(), inHalves), [...items, ...after])
    }, { arbitrary: { runs: 300 } })

    it.prop("is commutative, and the empty state adds nothing", [anyCapacity, anyItems, anyItems], (
      [capacity, xs, ys]
    ) => {
      const { agree, initial, merge } = topK(1, capacity)
      const [a, b] = [fold(capacity, xs), fold(capacity, ys)]
      const one = merge(a, b, nobody)
      const other = merge(b, a, nobody)
      assert.deepStrictEqual(
        topK(capacity, capacity).view(one, 0),
        topK(capacity, capacity).view(other, 0)
      )
      for (const merged of [merge(a, initial, nobody), merge(initial, a, nobody)]) {
        assert.isTrue(agree(merged, a, []))
        assert.deepStrictEqual(topK(capacity, capacity).view(merged, 0), topK(capacity, capacity).view(a, 0))
      }
    })

    it("gives a state that its owner can go on with", () => {
      const owner = newOwner()
      const { merge } = topK(1, 2)
      const merged = merge(fold(2, "aab", owner), fold(2, "ccb"), owner)
      assert.strictEqual(fold(2, "abc", owner, merged), merged)
      keepsItsPromises(merged, [..."aabccbabc"])
    })

    it("refuses another capacity, and names both", () => {
      assert.throws(
        () => topK(1, 3).merge(fold(3, "a"), fold(4, "a"), nobody),
        MergeConflict,
        "expected most frequent items of one capacity, found 3 and 4"
      )
    })
  })

  it("agrees where every item may have been there equally often", () => {
    const { agree } = topK(1, 2)
    const agrees = (xs: string, ys: string) => {
      const [a, b] = [fold(2, xs), fold(2, ys)]
      assert.strictEqual(agree(a, b, []), agree(b, a, []))
      return agree(a, b, [])
    }
    assert.isTrue(agrees("aabc", "caba"))
    assert.isFalse(agrees("aab", "aabb"), "another total")
    assert.isFalse(agrees("aab", "abb"), "another count")
    assert.isFalse(agrees("aa", "ab"), "an item that one of them cannot have seen")
    assert.isTrue(agrees("aabb", "aabc"), "b and c may have been there once or twice")
    assert.isFalse(agrees("aabbbb", "aacccc"), "an item that was there too often to be missing")
    assert.isFalse(agrees("abc", "aab"), "an item that was there too often to be missing, in one of them")
    assert.isFalse(agree(fold(2, "a"), fold(3, "a"), []), "another capacity")
    assert.isFalse(topK(1, 1).agree(fold(1, "ab"), fold(1, "b"), []), "another total alone")
  })

  it("has no difference: it is as it is later", () => {
    const later = fold(2, "aab")
    assert.strictEqual(topK(1, 2).diff(later, fold(2, "a")), later)
  })

  describe("codec", () => {
    const { codec } = topK(2, 3)

    it.prop("gives back what it stored, owned by nobody", [anyCapacity, anyItems, anyItems], ([capacity, xs, ys]) => {
      const { codec } = topK(1, capacity)
      const state = fold(capacity, xs)
      const back = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(stored(state))))
      assert.deepStrictEqual(stored(back), stored(state))
      assert.strictEqual(back.owner, nobody)
      assert.deepStrictEqual(
        stored(fold(capacity, ys, newOwner(), back)),
        stored(fold(capacity, ys, newOwner(), state))
      )
    })

    it("stores the counters by descending count", () => {
      assert.deepStrictEqual(stored(fold(3, "abbcd")), {
        capacity: 3,
        total: 5,
        entries: [["b", 2, 0], ["d", 2, 1], ["c", 1, 0]]
      })
    })

    it.each<[string, unknown, RegExp]>([
      ["another capacity", { capacity: 4, total: 0, entries: [] }, /Expected 3\s+at \["capacity"\]/],
      ["no total", { capacity: 3, entries: [] }, /total/],
      ["a total below zero", { capacity: 3, total: -1, entries: [] }, /total/],
      ["a total that is no integer", { capacity: 3, total: 1.5, entries: [] }, /total/],
      ["a count that is no number", { capacity: 3, total: 1, entries: [["a", NaN, 0]] }, /entries/],
      ["an item that is no text", { capacity: 3, total: 1, entries: [[1, 1, 0]] }, /Expected string/],
      ["an entry without an error", { capacity: 3, total: 1, entries: [["a", 1]] }, /entries/],
      [
        "more entries than counters",
        { capacity: 3, total: 9, entries: [["a", 1, 0], ["b", 1, 0], ["c", 1, 0], ["d", 1, 0]] },
        /Expected at most 3 entries, got 4/
      ],
      ["an item twice", { capacity: 3, total: 9, entries: [["a", 1, 0], ["a", 1, 0]] }, /different items/],
      ["another order", { capacity: 3, total: 9, entries: [["a", 1, 0], ["b", 2, 0]] }, /got 2 after 1/],
      ["a count of zero", { capacity: 3, total: 9, entries: [["a", 0, 0]] }, /got 0 for a count of 0/],
      ["an error as great as the count", { capacity: 3, total: 9, entries: [["a", 2, 2]] }, /got 2 for a count of 2/],
      ["counts above the total", { capacity: 3, total: 3, entries: [["a", 2, 0], ["b", 2, 0]] }, /of 3 together/]
    ])("refuses %s", (_, stored, message) => {
      assert.throws(() => Schema.decodeUnknownSync(codec)(stored), message)
    })

    it("refuses to write a state of another capacity", () => {
      assert.throws(() => Schema.encodeUnknownSync(codec)(topK(2, 4).initial))
    })
  })
})

describe("checkK and checkCapacity", () => {
  it("take at least one item, and at least a counter for each", () => {
    for (const k of [1, 10]) assert.isUndefined(checkK(k))
    for (const k of [0, 1.5, NaN, Infinity]) assert.strictEqual(checkK(k), "an integer from 1 to 65536")
    for (const [capacity, k] of [[1, 1], [100, 10]] as const) assert.isUndefined(checkCapacity(capacity, k))
    for (const capacity of [1, 2.5, Infinity, NaN, 65_537]) {
      assert.strictEqual(checkCapacity(capacity, 2), "an integer from k = 2 to 65536")
    }
  })
})
