import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Schema } from "effect"
import { exponentialHistogram } from "../../../src/internal/dimension/ExponentialHistogram.ts"
import { newOwner, nobody } from "../../../src/internal/dimension/Kind.ts"
import { checkQuantiles, quantiles } from "../../../src/internal/dimension/Quantiles.ts"

const few = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1] as const
const kind = quantiles(few, 8)

const fold = (values: ReadonlyArray<number>) =>
  values.reduce((state, value) => kind.add(state, value, 0, nobody), kind.initial)

const show = (values: ReadonlyArray<number>) => kind.view(fold(values), 0)

/** The error that the estimate of a value may have. */
const bound = (value: number, scale: number): number => {
  const relative = (2 ** (2 ** -scale) - 1) * (1 + 1e-9)
  const smallest = 2 ** -1022
  const magnitude = Math.abs(value)
  return magnitude === 0 || magnitude >= smallest ? relative * magnitude : (relative + 1) * smallest
}

const SomeValues = Schema.NonEmptyArray(Schema.Union([
  Schema.Literals([0, -0, 1, -1, 8, 1e-300, -1e300, Number.MAX_VALUE]),
  Schema.Int,
  Schema.Finite.check(Schema.isBetween({ minimum: -10, maximum: 10 }))
]))

describe("Quantiles", () => {
  it("are undefined before the first value", () => {
    assert.deepStrictEqual(quantiles([0, 0.5], 8).view(kind.initial, 0), {
      count: 0,
      sum: 0,
      quantiles: { 0: undefined, 0.5: undefined }
    })
  })

  it("of one value are that value", () => {
    for (const value of [3, -3, 0, 1e300, Number.MIN_VALUE]) {
      assert.deepStrictEqual(new Set(Object.values(show([value]).quantiles)), new Set([value]))
    }
  })

  it("have keys as numbers are written", () => {
    const { quantiles: estimates } = quantiles([0.99, 0, 1e-7], 8).view(fold([7]), 0)
    assert.deepStrictEqual(estimates, { "0": 7, "0.99": 7, "1e-7": 7 })
    expectTypeOf(estimates).toEqualTypeOf<
      { readonly 0.99: number | undefined; readonly 0: number | undefined; readonly 1e-7: number | undefined }
    >()
  })

  it("show the count and the sum", () => {
    const { count, sum } = show([1, 2.5, -7])
    assert.deepStrictEqual([count, sum], [3, -3.5])
  })

  it("spread the values of a bucket over it", () => {
    // At scale -2, 5 and 15 are in one bucket, from 1 to 16.
    const kind = quantiles([0.25, 0.5, 0.75], 2)
    const state = [0.5, 5, 5, 15, 15, 15].reduce((state, value) => kind.add(state, value, 0, nobody), kind.initial)
    const { quantiles: estimates } = kind.view(state, 0)
    assert.deepStrictEqual(estimates, { 0.25: 16 ** 0.1, 0.5: 16 ** 0.3, 0.75: 16 ** 0.7 })
  })

  it.prop("lie in the bucket of the value with the nearest rank, the first and the last being exact", [
    SomeValues
  ], ([values]) => {
    const { quantiles: estimates } = show(values)
    const { scale } = fold(values)
    const sorted = values.toSorted((a, b) => a - b)
    for (const quantile of few) {
      const rank = Math.max(1, Math.ceil(quantile * values.length))
      const value = sorted[rank - 1]!
      const estimate = estimates[quantile]!
      assert.isAtMost(Math.abs(estimate - value), bound(value, scale))
      if (rank === 1 || rank === values.length) assert.strictEqual(estimate, value + 0)
    }
  }, { arbitrary: { runs: 500 } })

  it.prop("ascend", [SomeValues], ([values]) => {
    const estimates = few.map((quantile) => show(values).quantiles[quantile]!)
    assert.deepStrictEqual(estimates, estimates.toSorted((a, b) => a - b))
  })

  it("of subnormal numbers are as near as those of the smallest normal one", () => {
    for (const largest of [3e-310, 1e-300, 1]) {
      const values = [Number.MIN_VALUE, 1e-310, 2e-310, 3e-310, largest]
      assert.strictEqual(show(values).quantiles[0], Number.MIN_VALUE)
      assert.isAtMost(Math.abs(show(values).quantiles[0.5]! - 2e-310), bound(2e-310, fold(values).scale))
    }
  })

  it("have the rank that was meant where the product is not exact", () => {
    const kind = quantiles([0.07], 1_000)
    const owner = newOwner()
    let state = kind.initial
    for (let value = 1; value <= 100; value++) state = kind.add(state, value, 0, owner)
    assert.approximately(kind.view(state, 0).quantiles[0.07]!, 7, 0.1)
  })

  it("of a difference are those of the values in between", () => {
    const earlier = fold([1, 4, 0, -1])
    const between = kind.view(kind.diff(kind.merge(earlier, fold([2, 3]), nobody), earlier)!, 0).quantiles
    assert.isAtMost(Math.abs(between[0]! - 2), bound(2, earlier.scale))
    assert.isAtMost(Math.abs(between[1]! - 3), bound(3, earlier.scale))
  })

  it("fold, merge and are stored as an exponential histogram is", () => {
    const histogram = exponentialHistogram(8)
    const state = [1, 2, 1000].reduce((state, value) => histogram.add(state, value, 0, nobody), histogram.initial)
    assert.isTrue(kind.agree(fold([1, 2, 1000]), state, []))
    assert.deepStrictEqual(Schema.encodeSync(kind.codec)(state), Schema.encodeSync(histogram.codec)(state))
  })

  it("stay what they were when the list that they were given in changes", () => {
    const list = [0.5]
    const kind = quantiles(list, 8)
    list.push(0.9)
    assert.deepStrictEqual(Object.keys(kind.view(kind.initial, 0).quantiles), ["0.5"])
  })

  it("are at least one, different, and from 0 to 1", () => {
    for (const good of [[0], [1], [0.5, 0.99, 0, 1]]) assert.isUndefined(checkQuantiles(good))
    for (const bad of [[], [-0.1], [1.1], [50], [NaN], [0.5, 0.5], [0, -0], ["0.5"], 0.5, undefined]) {
      assert.strictEqual(checkQuantiles(bad as ReadonlyArray<number>), "one or more different numbers from 0 to 1")
    }
  })
})
