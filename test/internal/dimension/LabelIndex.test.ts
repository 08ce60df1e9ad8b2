import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { LabelIndex } from "../../../src/internal/dimension/LabelIndex.ts"

type Labels = ReadonlyArray<string>

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** Few enough that many combinations begin alike, more than are found without a hash, and some that an object has already. */
const anyLabel = Arbitrary.schema(
  Schema.Literals(["a", "b", "c", "d", "e", "f", "g", "h", "i", "", "__proto__", "constructor", "0"])
)

const anyWidth = int(1, 4)

const labelsOf = (width: number) => Arbitrary.array(anyLabel, { minLength: width, maxLength: width })

/** Combinations that differ. */
const combinationsOf = (width: number) =>
  Arbitrary.map(
    Arbitrary.array(labelsOf(width), { maxLength: 40 }),
    (all): ReadonlyArray<Labels> => Array.from(new Map(all.map((labels) => [JSON.stringify(labels), labels])).values())
  )

/** As an object has them: those that look like integers first. */
const namesOf = (width: number) => ["b", "a", "1", "constructor"].slice(0, width)

const indexOf = (width: number, combinations: ReadonlyArray<Labels>): LabelIndex => {
  const index = new LabelIndex(namesOf(width))
  for (const labels of combinations) index.add(labels)
  return index
}

const numeric = (a: number, b: number) => a - b

/** Takes no more than so many steps of a walk, from a place on. */
const walk = (index: LabelIndex, size: number, from = -1, count = Infinity): ReadonlyArray<number> => {
  const places: Array<number> = []
  for (let place = from; places.length < count && (place = index.after(place, size)) >= 0;) places.push(place)
  return places
}

/** Those with the same first label together, and so on: each group where the first of it came. */
const grouped = (combinations: ReadonlyArray<Labels>, places: ReadonlyArray<number>, at = 0): ReadonlyArray<number> => {
  const labelOf = (place: number) => combinations[place]![at]
  return places.length < 2 ?
    places :
    Array.from(new Set(places.map(labelOf))).flatMap((label) =>
      grouped(combinations, places.filter((place) => labelOf(place) === label), at + 1)
    )
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

  it("finds places among few labels and among many, from the first to the last that came", () => {
    const many = Array.from({ length: 30 }, (_, i) => `${i}`)
    const combinations = many.flatMap((first) => many.slice(0, Number(first) + 1).map((second) => [first, second]))
    const index = indexOf(2, [])
    for (const [place, labels] of combinations.entries()) {
      assert.isUndefined(index.find2(labels[0]!, labels[1]!))
      index.add(labels)
      for (let known = 0; known <= place; known++) {
        assert.strictEqual(index.find2(combinations[known]![0]!, combinations[known]![1]!), known)
      }
    }
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

  it.prop("has the labels of a place by name, the same record each time, which nobody can change", [
    Arbitrary.flatMap(anyWidth, combinationsOf),
    int(0, 40)
  ], ([combinations, at]) => {
    const names = namesOf(combinations[0]?.length ?? 1)
    const index = indexOf(names.length, combinations)
    const fork = index.fork(Math.min(at, combinations.length))
    for (const [place, values] of combinations.entries()) {
      const labels = index.labelsAt(place)
      assert.deepStrictEqual(labels, Object.fromEntries(names.map((name, at) => [name, values[at]!])))
      assert.isTrue(Object.isFrozen(labels))
      assert.strictEqual(index.labelsAt(place), labels)
      assert.deepStrictEqual(index.valuesAt(place), values)
      if (place < fork.size) assert.strictEqual(fork.labelsAt(place), labels)
    }
  })
})

describe("a LabelIndex beside another", () => {
  const labels = Array.from({ length: 40 }, (_, i) => [`${i}`])
  const [index, one, other] = [indexOf(1, labels), indexOf(1, labels.toReversed()), indexOf(1, labels)]
  const learnAll = (from: LabelIndex) => {
    for (const [at, [label]] of labels.entries()) {
      if (index.placesBeside(from)[at] === undefined) index.learn(from, at, index.find1(label!)!)
    }
  }

  it("knows where the places of the other are in it, as far as it was told", () => {
    const index = indexOf(1, labels)
    assert.isUndefined(index.placesBeside(one)[7])
    index.learn(one, 7, 32)
    assert.strictEqual(index.placesBeside(one)[7], 32)
    assert.isUndefined(index.placesBeside(one)[6])
    assert.isUndefined(index.placesBeside(one)[8])
  })

  it("does not forget one because of another that comes as often, and learns nothing of that meanwhile", () => {
    learnAll(one)
    const known = index.placesBeside(one)
    assert.lengthOf(known, 40)
    for (let turn = 0; turn < 30; turn++) {
      assert.isUndefined(index.placesBeside(other)[turn])
      index.learn(other, turn, 0)
      assert.strictEqual(index.placesBeside(one), known)
    }
    assert.notInclude(known.slice(1), 0)
  })

  it("takes another one that keeps coming", () => {
    learnAll(one)
    for (let times = 0; times <= 80; times++) learnAll(other)
    for (const at of labels.keys()) assert.strictEqual(index.placesBeside(other)[at], at)
  })

  it("keeps nobody while it is empty: all recorders share it", () => {
    const empty = indexOf(1, [])
    empty.placesBeside(one)
    empty.learn(one, 0, 0)
    assert.isUndefined(empty.placesBeside(one)[0])
  })
})

describe("a walk over a LabelIndex", () => {
  it.prop("comes by every place below its size, those with the same first labels one after the other", [
    Arbitrary.flatMap(anyWidth, combinationsOf),
    int(0, 40)
  ], ([combinations, at]) => {
    const index = indexOf(combinations[0]?.length ?? 1, combinations)
    const size = Math.min(at, combinations.length)
    assert.deepStrictEqual(walk(index, size), grouped(combinations, Array.from({ length: size }, (_, place) => place)))
  })

  it.prop(
    "comes once by every place below its size, whatever the index learns in the middle of it",
    [
      Arbitrary.flatMap(anyWidth, (width) =>
        Arbitrary.all([
          combinationsOf(width),
          Arbitrary.array(Arbitrary.all([int(0, 3), int(1, 5), int(0, 9)]), { maxLength: 60 })
        ]))
    ],
    ([[combinations, steps]]) => {
      const index = indexOf(combinations[0]?.length ?? 1, [])
      const rest = combinations.slice()
      const walks: Array<{ readonly size: number; readonly seen: Array<number> }> = []
      for (const [does, count, which] of steps) {
        if (does < 2) { for (const labels of rest.splice(0, count)) index.add(labels) }
        else if (does === 2) walks.push({ size: index.size, seen: [] })
        else if (walks.length > 0) {
          const { seen, size } = walks[which % walks.length]!
          if (seen.length < size) seen.push(...walk(index, size, seen.at(-1), count))
        }
      }
      for (const labels of rest) index.add(labels)
      for (const { seen, size } of walks) {
        if (seen.length < size) seen.push(...walk(index, size, seen.at(-1)))
        assert.deepStrictEqual(seen.toSorted(numeric), Array.from({ length: size }, (_, place) => place))
      }
    },
    { arbitrary: { runs: 300 } }
  )
})
