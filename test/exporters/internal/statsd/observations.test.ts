import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Dimension, Event, Metric } from "mvx-metrics"
import { type Observation, observationsOf } from "../../../../src/exporters/internal/statsd/observations.ts"

type Distribution = Dimension.HistogramValue | Dimension.ExponentialValue

const boundaries = [-10, 0, 10, 100]

class Took extends Event.Class<Took>()("took", { ms: Schema.Finite }) {}

const Takes = Metric.fromDimensions("takes", [Took], (d) => ({
  explicit: d.histogram((e) => e.ms, { boundaries }),
  exponential: d.exponentialHistogram((e) => e.ms, { maxSize: 20 })
}))

const distributionsOf = (values: ReadonlyArray<number>): ReadonlyArray<Distribution> => {
  const { explicit, exponential } = Metric.snapshot(
    Takes,
    Metric.fold(Takes, values.map((ms) => new Took({ ms })))
  ).dimensions
  return [explicit, exponential]
}

const total = (observations: ReadonlyArray<Observation>, of: (observation: Observation) => number): number =>
  observations.reduce((sum, observation) => sum + of(observation), 0)

const Values = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: -1_000, maximum: 1_000 })))

describe("observations", () => {
  it.prop("have the count and the sum of the values, and are not beyond them", [Values], ([values]) => {
    for (const distribution of distributionsOf(values)) {
      const observations = observationsOf(distribution)
      assert.strictEqual(total(observations, ({ times }) => times), values.length)
      assert.closeTo(total(observations, ({ times, value }) => times * value), distribution.sum, 1e-6)
      for (const { value } of observations) {
        assert.isAtLeast(value, Math.min(...values))
        assert.isAtMost(value, Math.max(...values))
      }
    }
  })

  it.prop("are in the buckets that the values are in", [Values], ([values]) => {
    const [distribution] = distributionsOf(values) as [Dimension.HistogramValue, Dimension.ExponentialValue]
    const counts = distribution.counts.map(() => 0)
    for (const { times, value } of observationsOf(distribution)) {
      const bucket = boundaries.findIndex((boundary) => value <= boundary)
      counts[bucket === -1 ? boundaries.length : bucket]! += times
    }
    assert.deepStrictEqual(counts, distribution.counts.slice())
  })

  it.prop("are the values, where all are equal", [
    Schema.Int,
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))
  ], ([
    value,
    times
  ]) => {
    for (const distribution of distributionsOf(Array.from({ length: times }, () => value))) {
      assert.deepStrictEqual(observationsOf(distribution), [{ value: value + 0, times }])
    }
  })

  it("are at the same fraction of each bucket", () => {
    const distribution = { count: 4, min: undefined, max: undefined, boundaries, counts: [0, 0, 3, 1, 0] }
    // A quarter: 3 * 2.5 + 32.5 is 40; a half would be 70.
    assert.deepStrictEqual(observationsOf({ ...distribution, sum: 40 }), [
      { value: 2.5, times: 3 },
      { value: 32.5, times: 1 }
    ])
  })

  it("are bounded by the extremes of more values", () => {
    const since = { count: 2, sum: 150, min: undefined, max: undefined, boundaries, counts: [1, 0, 0, 0, 1] }
    assert.deepStrictEqual(observationsOf(since, { min: -50, max: 300 }), [
      { value: -50 + (100 / 240) * 40, times: 1 },
      { value: 100 + (100 / 240) * 200, times: 1 }
    ])
  })

  it("are at the end of a bucket that has only one", () => {
    const distribution = { count: 2, sum: 500, min: undefined, max: undefined, boundaries, counts: [1, 0, 0, 0, 1] }
    assert.deepStrictEqual(observationsOf(distribution), [{ value: -10, times: 1 }, { value: 100, times: 1 }])
  })

  it("are the mean where nothing else is known", () => {
    const distribution = { count: 4, sum: 10, min: undefined, max: undefined, boundaries: [], counts: [4] }
    assert.deepStrictEqual(observationsOf(distribution), [{ value: 2.5, times: 4 }])
  })

  it("stay in their buckets when the sum cannot be right", () => {
    const distribution = { count: 2, sum: 1e9, min: undefined, max: undefined, boundaries, counts: [0, 1, 1, 0, 0] }
    assert.deepStrictEqual(observationsOf(distribution), [{ value: 0, times: 1 }, { value: 10, times: 1 }])
    assert.deepStrictEqual(observationsOf({ ...distribution, sum: NaN }), [
      { value: -5, times: 1 },
      { value: 5, times: 1 }
    ])
  })

  it("are none where nothing was counted", () => {
    for (const distribution of distributionsOf([])) assert.deepStrictEqual(observationsOf(distribution), [])
  })
})
