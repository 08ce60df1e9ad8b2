import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import {
  checkBoundaries,
  defaultBoundaries,
  histogram,
  type HistogramState
} from "../../../src/internal/dimension/Histogram.ts"
import { MergeConflict, newOwner, nobody } from "../../../src/internal/dimension/Kind.ts"

const kind = histogram([0, 1, 10])

const fold = (values: ReadonlyArray<number>, from = kind.initial): HistogramState =>
  values.reduce((state, value) => kind.add(state, value, 0, nobody), from)

/** The states that a fold goes through. */
const scan = (values: ReadonlyArray<number>) => values.map((_, at) => fold(values.slice(0, at + 1)))

const show = (values: ReadonlyArray<number>) => kind.view(fold(values), 0)

/** Freezes a state all the way down, so that a change of it throws. */
const frozen = (state: HistogramState): HistogramState => {
  Object.freeze(state.counts)
  return Object.freeze(state)
}

/** Boundaries, what lies next to them, any other number. */
const anyValue = Arbitrary.schema(Schema.Union([Schema.Literals([-0, 0, 1, 10, 1 + 2 ** -52, 1e308]), Schema.Finite]))
const anyValues = Arbitrary.array(anyValue, { maxLength: 20 })

const decode = (stored: unknown) => Schema.decodeUnknownResult(kind.codec)(stored)

describe("Histogram", () => {
  it("counts a value that is a boundary in the bucket below it", () => {
    assert.deepStrictEqual(show([-5, 0, 0.5, 1, 1.5, 10, 11, 12]).counts, [2, 2, 2, 2])
  })

  it("shows the count, the sum, the extremes and the boundaries", () => {
    assert.deepStrictEqual(show([0.5, -2, 30]), {
      count: 3,
      sum: 28.5,
      min: -2,
      max: 30,
      boundaries: [0, 1, 10],
      counts: [1, 1, 0, 1]
    })
  })

  it("shows no extremes before the first value", () => {
    assert.deepStrictEqual(show([]), {
      count: 0,
      sum: 0,
      min: undefined,
      max: undefined,
      boundaries: [0, 1, 10],
      counts: [0, 0, 0, 0]
    })
  })

  it("has one bucket without boundaries", () => {
    const kind = histogram([])
    assert.deepStrictEqual(kind.view(kind.add(kind.initial, 7, 0, nobody), 0).counts, [1])
  })

  it.prop("finds the bucket among any number of boundaries", [
    Arbitrary.schema(Schema.UniqueArray(Schema.Int.check(Schema.isBetween({ minimum: -99, maximum: 99 })))),
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: -199, maximum: 199 })))
  ], ([distinct, twice]) => {
    const boundaries = distinct.toSorted((a, b) => a - b)
    const kind = histogram(boundaries)
    const { counts } = kind.view(kind.add(kind.initial, twice / 2, 0, nobody), 0)
    assert.strictEqual(counts.indexOf(1), boundaries.filter((boundary) => boundary < twice / 2).length)
  }, { arbitrary: { size: 100 } })

  it("finds the bucket of every value among a hundred boundaries", () => {
    const boundaries = Array.from({ length: 100 }, (_, at) => at)
    const kind = histogram(boundaries)
    const values = boundaries.flatMap((boundary) => [boundary - 0.5, boundary])
    const state = [...values, 99.5].reduce((state, value) => kind.add(state, value, 0, nobody), kind.initial)
    assert.deepStrictEqual(kind.view(state, 0).counts, [...boundaries.map(() => 2), 1])
  })

  it("keeps its boundaries when the list that they were given in changes", () => {
    const boundaries = [1, 2]
    const kind = histogram(boundaries)
    boundaries.push(3)
    assert.deepStrictEqual(kind.view(kind.initial, 0).boundaries, [1, 2])
  })

  it("shows nothing that is part of the state", () => {
    const state = fold([1])
    const value = kind.view(state, 0)
    ;(value.counts as Array<number>).fill(9)
    ;(value.boundaries as Array<number>).fill(9)
    assert.deepStrictEqual(kind.view(state, 0), show([1]))
  })

  it("has a finite sum, whatever the values", () => {
    assert.strictEqual(show([1e308, 1e308]).sum, Number.MAX_VALUE)
  })

  it("knows one zero", () => {
    const { max, min } = fold([-0])
    assert.isTrue(Object.is(min, 0) && Object.is(max, 0))
  })

  it("changes in place what is the owner's, and nothing else", () => {
    const owner = newOwner()
    const first = kind.add(frozen(fold([1])), 2, 0, owner)
    assert.strictEqual(kind.add(first, 3, 0, owner), first)
    assert.strictEqual(kind.merge(first, frozen(fold([4])), owner), first)
    assert.deepStrictEqual(kind.view(first, 0), show([1, 2, 3, 4]))
    assert.notStrictEqual(kind.add(frozen(first), 5, 0, newOwner()), first)
    assert.notStrictEqual(kind.merge(first, fold([5]), nobody), first)
  })

  it.prop("is the same from any order of folds and merges", [anyValues, anyValues, anyValues], ([xs, ys, zs]) => {
    const { agree, merge } = kind
    const [x, y, z] = [fold(xs), fold(ys), fold(zs)].map(frozen) as [HistogramState, HistogramState, HistogramState]
    const [xy, yz] = [merge(x, y, nobody), merge(y, z, nobody)]
    const along = [xy, yz, ...[xs, ys, zs, [...xs, ...ys, ...zs]].flatMap(scan)]
    assert.isTrue(agree(fold([...xs, ...ys, ...zs]), merge(xy, z, nobody), along))
    assert.isTrue(agree(merge(xy, z, nobody), merge(x, yz, nobody), along))
    assert.isTrue(agree(xy, merge(y, x, nobody), []))
    assert.isTrue(agree(merge(x, kind.initial, nobody), x, []) && agree(merge(kind.initial, x, nobody), x, []))
  })

  it.each([{ counts: [0, 2, 1, 0] }, { sum: 3.1 }, { min: 0 }, { max: 2.5 }])(
    "does not agree with one of %o",
    (part) => {
      const stored = { boundaries: [0, 1, 10], counts: [0, 1, 2, 0], sum: 6, min: 1, max: 3 }
      const other = Schema.decodeSync(kind.codec)({ ...stored, ...part })
      assert.isTrue(kind.agree(fold([1, 2, 3]), Schema.decodeSync(kind.codec)(stored), []))
      assert.isFalse(kind.agree(fold([1, 2, 3]), other, []))
    }
  )

  it("does not agree with one of other boundaries", () => {
    assert.isFalse(kind.agree(kind.initial, histogram([0, 1, 9]).initial, []))
  })

  it("cannot merge with other boundaries, and says with which", () => {
    const other = histogram([0, 5])
    assert.throws(
      () => kind.merge(kind.initial, other.initial, nobody),
      MergeConflict,
      "the boundaries are [0, 1, 10] and [0, 5]"
    )
    assert.doesNotThrow(() => kind.merge(kind.initial, histogram([0, 1, 10]).initial, nobody))
  })

  it.prop("tells what came in between", [anyValues, anyValues], ([xs, ys]) => {
    const [earlier, later] = [frozen(fold(xs)), frozen(fold([...xs, ...ys]))]
    const between = kind.diff(later, earlier)!
    assert.deepStrictEqual(between.counts, fold(ys).counts)
    assert.isTrue(kind.agree(kind.merge(earlier, between, nobody), later, [between, ...scan([...xs, ...ys])]))
  })

  it("starts anew where there was more earlier, or other boundaries", () => {
    const later = fold([1, 20])
    assert.strictEqual(kind.diff(later, fold([1, 1])), undefined)
    assert.throws(() => kind.diff(later, histogram([]).initial), MergeConflict)
  })

  it("shows no extremes of a difference without values", () => {
    const { count, max, min } = kind.view(kind.diff(fold([5]), fold([5]))!, 0)
    assert.deepStrictEqual([count, min, max], [0, undefined, undefined])
  })

  it.prop("is what it was after it has been stored", [anyValues, anyValues], ([xs, ys]) => {
    for (const state of [fold(xs), kind.diff(fold([...xs, ...ys]), fold(xs))!]) {
      const stored = Schema.encodeSync(kind.codec)(state)
      const restored = Schema.decodeUnknownSync(kind.codec)(JSON.parse(JSON.stringify(stored)))
      assert.deepStrictEqual({ ...restored }, { ...state, owner: nobody })
      assert.deepStrictEqual(kind.view(fold(ys, restored), 0), kind.view(fold(ys, state), 0))
    }
  })

  it.each<[found: object, message: string]>([
    [{ boundaries: [0, 1] }, "Expected the boundaries [0, 1, 10], found [0, 1]"],
    [{ counts: [1, 0, 0] }, "Expected 4 counts, found 3"],
    [{ counts: [1, 0, -1, 0] }, "Expected a value greater than or equal to 0"],
    [{ counts: [1, 0, 0.5, 0] }, "Expected an integer"],
    [{ sum: NaN }, "Expected a finite number"],
    [{ min: 3, max: 2 }, "Expected a min of at most the max, found 3 and 2"],
    [{ min: undefined }, "Expected number"],
    [{ counts: ["1", 0, 0, 0] }, "Expected number"]
  ])("does not take %o for a stored state", (found, message) => {
    const stored = { boundaries: [0, 1, 10], counts: [1, 0, 0, 0], sum: 0, min: 0, max: 0 }
    assert.isTrue(Result.isSuccess(decode(stored)))
    const result = decode({ ...stored, ...found })
    assert.include(Result.isFailure(result) ? result.failure.message : "", message)
  })

  it("takes a state with values for a stored one only with both extremes", () => {
    const stored = { boundaries: [0, 1, 10], counts: [1, 0, 0, 0], sum: 0 }
    for (const extremes of [{}, { min: 0 }, { max: 0 }]) {
      const result = decode({ ...stored, ...extremes })
      assert.include(Result.isFailure(result) ? result.failure.message : "", "Expected a min and a max of 1 values")
    }
    assert.isTrue(Result.isSuccess(decode({ ...stored, counts: [0, 0, 0, 0] })))
    assert.isTrue(Result.isFailure(decode({ ...stored, counts: [0, 0, 0, 0], min: 0 })))
  })

  it("has boundaries that ascend and are finite", () => {
    const expected = "finite numbers in strictly ascending order"
    for (const good of [[], [0], [-1, 0, 0.5], defaultBoundaries]) assert.isUndefined(checkBoundaries(good))
    for (const bad of [[1, 1], [-0, 0], [2, 1], [NaN], [0, Infinity], [-Infinity], ["1"], "1", undefined]) {
      assert.strictEqual(checkBoundaries(bad as ReadonlyArray<number>), expected)
    }
  })
})
