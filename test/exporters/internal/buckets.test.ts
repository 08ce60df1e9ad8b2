import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { Dimension, Metric } from "mvx-metrics"
import { bucketsOf, halved } from "../../../src/exporters/internal/buckets.ts"

interface Measured {
  readonly _tag: "measured"
  readonly value: number
}

const d = Dimension.builder<Measured>()

const exponentialOf = (values: ReadonlyArray<number>, maxSize: number): Dimension.ExponentialValue => {
  const metric = Metric.fromDimensions("m", ["measured"], (_: Dimension.Builder<Measured>) => ({
    it: d.exponentialHistogram((e) => e.value, { maxSize })
  }))
  const state = Metric.fold(metric, values.map((value) => ({ _tag: "measured", value })))
  return Metric.snapshot(metric, state).dimensions.it
}

/** Numbers at the bounds of buckets, next to them, and anywhere; of both signs. */
const anyValue = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Literals(["power", "int", "any"])),
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: -40, maximum: 40 }))),
    Arbitrary.schema(Schema.Finite)
  ]),
  // What is closer to zero than numbers of full precision are is counted with the smallest of those.
  ([kind, int, any]) => kind === "power" ? 2 ** int : kind === "int" ? int : Math.abs(any) < 2 ** -1022 ? 0 : any
)

const anyValues = Arbitrary.array(
  Arbitrary.map(Arbitrary.all([anyValue, Arbitrary.schema(Schema.Boolean)]), ([value, isUp]) => isUp ? value : -value),
  { maxLength: 80 }
)

const anySize = Arbitrary.schema(Schema.Literals([2, 40, 41, 80, 160, 320]))

/** Every bucket as it is, by its upper bound, and how many values are below. */
const fine = ({ negative, positive, scale, zeroCount }: Dimension.ExponentialValue): Map<number, number> => {
  const all = new Map<number, number>()
  let count = 0
  const boundOf = (index: number) => 2 ** (index * 2 ** -scale)
  for (const [at, more] of Array.from(negative.counts.entries()).toReversed()) {
    all.set(-boundOf(negative.offset + at), count += more)
  }
  all.set(0, count += zeroCount)
  if (positive.counts.length > 0) all.set(boundOf(positive.offset), count)
  for (const [at, more] of positive.counts.entries()) all.set(boundOf(positive.offset + at + 1), count += more)
  return all
}

const lengthOf = ({ negative, positive }: Dimension.ExponentialValue) => negative.counts.length + positive.counts.length

const total = (counts: ReadonlyArray<number>) => counts.reduce((sum, count) => sum + count, 0)

describe("the buckets of a histogram with boundaries", () => {
  it("count what is not above each boundary", () => {
    const value = { count: 10, sum: 0, min: -9, max: 9, boundaries: [-1, 0, 5], counts: [1, 2, 3, 4] }
    assert.deepStrictEqual(bucketsOf(value), { bounds: [-1, 0, 5], cumulative: [1, 3, 6] })
  })

  it("are none without boundaries", () => {
    const value = { count: 4, sum: 0, min: 1, max: 1, boundaries: [], counts: [4] }
    assert.deepStrictEqual(bucketsOf(value), { bounds: [], cumulative: [] })
  })
})

describe("the buckets of an exponential histogram", () => {
  it("are those of the values that there are", () => {
    const of = (values: ReadonlyArray<number>) => bucketsOf(exponentialOf(values, 2))
    assert.deepStrictEqual(of([]), { bounds: [], cumulative: [] })
    assert.deepStrictEqual(of([0, 0]), { bounds: [0], cumulative: [2] })
    assert.deepStrictEqual(of([1, 3, 4]), { bounds: [0.25, 1, 4], cumulative: [0, 1, 3] })
    assert.deepStrictEqual(of([-3, -8, 0, 0, 4, 4, 4]).cumulative, [1, 2, 4, 4, 7])
  })

  it("of values below zero go on at zero, also where there is none", () => {
    const value = {
      count: 3,
      sum: -9,
      min: -4,
      max: -1.5,
      scale: 0,
      zeroCount: 0,
      positive: { offset: 0, counts: [] },
      negative: { offset: 0, counts: [1, 2] }
    }
    assert.deepStrictEqual(bucketsOf(value), { bounds: [-2, -1, 0], cumulative: [2, 3, 3] })
  })

  it("have the same bounds as long as the values are of one magnitude", () => {
    const of = (values: ReadonlyArray<number>) => bucketsOf(exponentialOf(values, 160)).bounds
    const few = of([100, 101])
    const many = of(Array.from({ length: 1_000 }, (_, at) => 1 + at))
    assert.deepStrictEqual(few.filter((bound) => many.includes(bound)), few)
  })

  it.prop("are few, ascend and count every value once", [anyValues, anySize], ([values, maxSize]) => {
    const { bounds, cumulative } = bucketsOf(exponentialOf(values, maxSize))
    assert.isAtMost(bounds.filter((bound) => bound !== 0).length, 41)
    assert.strictEqual(bounds.length, cumulative.length)
    for (const [at, bound] of bounds.entries()) {
      if (at > 0) assert.isAbove(bound, bounds[at - 1]!)
      // A value at a bound below zero belongs to the bucket above.
      const below = values.filter((value) => bound < 0 ? value < bound : value <= bound).length
      assert.strictEqual(cumulative[at], below, `not above ${bound}`)
    }
    assert.strictEqual(cumulative.at(-1) ?? 0, values.length)
  }, { arbitrary: { runs: 300 } })

  it.prop("that are joined keep bounds and counts of the finer ones", [anyValues, anySize], ([values, maxSize]) => {
    const value = exponentialOf(values, maxSize)
    const { bounds, cumulative } = bucketsOf(value)
    const all = Array.from(fine(value))
    let others = 0
    for (const [at, bound] of bounds.entries()) {
      const [known, count] = all.findLast(([known]) => known <= bound)!
      assert.strictEqual(cumulative[at], count, `not above ${bound}`)
      if (known !== bound) others++
    }
    // At each end of each sign, they may reach further than the finer ones do.
    assert.isAtMost(others, 3)
    if (lengthOf(value) <= 40 && value.scale <= 1) {
      const shown = all.filter(([bound]) => bound !== 0 || value.zeroCount > 0 || value.negative.counts.length > 0)
      assert.deepStrictEqual(bounds.map((bound, at) => [bound, cumulative[at]]), shown)
    }
  }, { arbitrary: { runs: 300 } })

  it.prop("never count less than before", [anyValues, anyValues, anySize], ([earlier, more, maxSize]) => {
    const before = bucketsOf(exponentialOf(earlier, maxSize))
    const after = bucketsOf(exponentialOf([...earlier, ...more], maxSize))
    for (const [at, bound] of before.bounds.entries()) {
      const now = after.bounds.indexOf(bound)
      if (now >= 0) assert.isAtLeast(after.cumulative[now]!, before.cumulative[at]!)
    }
  })

  it("are joined once they are more than 40", () => {
    const ofLength = (length: number) =>
      bucketsOf({
        count: length,
        sum: 0,
        min: 1,
        max: 1,
        scale: 0,
        zeroCount: 0,
        positive: { offset: 0, counts: Array.from({ length }, () => 1) },
        negative: { offset: 0, counts: [] }
      })
    assert.strictEqual(ofLength(40).bounds.length, 41)
    assert.deepStrictEqual(ofLength(41).bounds.slice(0, 4), [1, 4, 16, 64])
    assert.deepStrictEqual(ofLength(41).cumulative.slice(-2), [40, 41])
  })
})

describe("buckets twice as wide", () => {
  it("take two each, those with an even index first", () => {
    assert.deepStrictEqual(halved({ offset: 2, counts: [1, 2, 4] }), { offset: 1, counts: [3, 4] })
    assert.deepStrictEqual(halved({ offset: -3, counts: [1, 2, 4] }), { offset: -2, counts: [1, 6] })
    assert.deepStrictEqual(halved({ offset: 0, counts: [] }), { offset: 0, counts: [] })
  })

  it.prop("hold all values", [
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: -1_000, maximum: 1_000 }))),
    Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))), { maxLength: 50 })
  ], ([offset, counts]) => {
    const wide = halved({ offset, counts })
    assert.strictEqual(total(wide.counts), total(counts))
    for (const [at, count] of wide.counts.entries()) {
      const index = 2 * (wide.offset + at)
      assert.strictEqual(count, (counts[index - offset] ?? 0) + (counts[index + 1 - offset] ?? 0))
    }
  })
})
