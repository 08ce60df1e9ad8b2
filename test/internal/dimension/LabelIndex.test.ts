import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { LabelIndex, type LabelWalk } from "../../../src/internal/dimension/LabelIndex.ts"

type Labels = ReadonlyArray<string>

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** Few enough that many combinations begin alike, and some that an object has already. */
const anyLabel = Arbitrary.schema(Schema.Literals(["a", "b", "c", "d", "", "__proto__", "constructor", "0"]))

const anyWidth = int(1, 4)

const labelsOf = (width: number) => Arbitrary.array(anyLabel, { minLength: width, maxLength: width })

/** Combinations that differ. */
const combinationsOf = (width: number) =>
  Arbitrary.map(
    Arbitrary.array(labelsOf(width), { maxLength: 40 }),
    (all): ReadonlyArray<Labels> => Array.from(new Map(all.map((labels) => [JSON.stringify(labels), labels])).values())
  )

const indexOf = (width: number, combinations: ReadonlyArray<Labels>): LabelIndex => {
  const index = new LabelIndex(width)
  for (const labels of combinations) index.add(labels)
  return index
}

const byPlace = (entries: ReadonlyArray<readonly [labels: Labels, place: number]>) =>
  entries.toSorted(([, a], [, b]) => a - b)

/** Takes so many steps of a walk, and copies what it shows. */
const step = (walk: LabelWalk, count: number) => {
  const entries: Array<readonly [labels: Labels, place: number]> = []
  const hasMore = walk.some(count, (labels, place) => entries.push([labels.slice(), place]))
  return { entries, hasMore }
}

const walkAll = (index: LabelIndex, size: number, count: number) => {
  const walk = index.walk(size)
  const all: Array<readonly [labels: Labels, place: number]> = []
  for (;;) {
    const { entries, hasMore } = step(walk, count)
    all.push(...entries)
    if (!hasMore) return all
  }
}

describe("LabelIndex", () => {
  it.prop("finds the place of every combination, in the order in which they came", [
    Arbitrary.flatMap(anyWidth, combinationsOf)
  ], ([combinations]) => {
    const width = combinations[0]?.length ?? 1
    const index = indexOf(width, combinations)
    assert.strictEqual(index.size, combinations.length)
    for (const [place, labels] of combinations.entries()) {
      assert.strictEqual(index.find(labels), place)
      if (width === 1) assert.strictEqual(index.find1(labels[0]!), place)
      if (width === 2) assert.strictEqual(index.find2(labels[0]!, labels[1]!), place)
    }
    assert.isUndefined(index.find(Array.from({ length: width }, () => "unknown")))
  })

  it.prop("forked, knows the places below a size and learns on its own", [
    Arbitrary.flatMap(anyWidth, combinationsOf),
    int(0, 40)
  ], ([combinations, at]) => {
    const width = combinations[0]?.length ?? 1
    const size = Math.min(at, combinations.length)
    const index = indexOf(width, combinations)
    const fork = index.fork(size)
    fork.add(Array.from({ length: width }, () => "own"))
    assert.strictEqual(fork.size, size + 1)
    assert.strictEqual(index.size, combinations.length)
    for (const [place, labels] of combinations.entries()) {
      assert.strictEqual(fork.find(labels), place < size ? place : undefined)
    }
  })
})

describe("a walk over a LabelIndex", () => {
  it.prop("comes by what forEach comes by, in the same order, in steps of any length", [
    Arbitrary.flatMap(anyWidth, combinationsOf),
    int(0, 40),
    int(1, 50)
  ], ([combinations, at, count]) => {
    const index = indexOf(combinations[0]?.length ?? 1, combinations)
    const size = Math.min(at, combinations.length)
    const visited: Array<readonly [labels: Labels, place: number]> = []
    index.forEach(size, (labels, place) => visited.push([labels, place]))
    assert.deepStrictEqual(walkAll(index, size, count), visited)
    assert.deepStrictEqual(byPlace(visited), combinations.slice(0, size).map((labels, place) => [labels, place]))
  })

  it.prop(
    "comes once by every combination below its size, whatever the index learns in the middle of it",
    [
      Arbitrary.flatMap(anyWidth, (width) =>
        Arbitrary.all([
          combinationsOf(width),
          Arbitrary.array(Arbitrary.all([int(0, 3), int(1, 5), int(0, 9)]), { maxLength: 60 })
        ]))
    ],
    ([[combinations, steps]]) => {
      const index = new LabelIndex(combinations[0]?.length ?? 1)
      const rest = combinations.slice()
      const walks: Array<{
        readonly walk: LabelWalk
        readonly size: number
        readonly seen: Array<readonly [labels: Labels, place: number]>
      }> = []
      for (const [does, count, which] of steps) {
        if (does < 2) { for (const labels of rest.splice(0, count)) index.add(labels) }
        else if (does === 2) walks.push({ walk: index.walk(index.size), size: index.size, seen: [] })
        else if (walks.length > 0) {
          const { seen, walk } = walks[which % walks.length]!
          seen.push(...step(walk, count).entries)
        }
      }
      for (const labels of rest) index.add(labels)
      for (const { seen, size, walk } of walks) {
        for (;;) {
          const { entries, hasMore } = step(walk, 3)
          seen.push(...entries)
          if (!hasMore) break
        }
        assert.deepStrictEqual(byPlace(seen), combinations.slice(0, size).map((labels, place) => [labels, place]))
      }
    },
    { arbitrary: { runs: 300 } }
  )

  it("calls back for no more than it is asked for, and has no more once it is through", () => {
    const index = indexOf(2, [["a", "x"], ["a", "y"], ["b", "x"], ["c", "z"]])
    const walk = index.walk(3)
    assert.deepStrictEqual(step(walk, 2), { entries: [[["a", "x"], 0], [["a", "y"], 1]], hasMore: true })
    assert.deepStrictEqual(step(walk, 0), { entries: [], hasMore: true })
    assert.deepStrictEqual(step(walk, 2), { entries: [[["b", "x"], 2]], hasMore: false })
    for (const count of [2, 0]) assert.deepStrictEqual(step(walk, count), { entries: [], hasMore: false })
  })

  it("of nothing is through at once, also where the index has learned something since", () => {
    const index = new LabelIndex(1)
    const walk = index.walk(0)
    index.add(["a"])
    assert.deepStrictEqual(step(walk, 10), { entries: [], hasMore: false })
  })
})
