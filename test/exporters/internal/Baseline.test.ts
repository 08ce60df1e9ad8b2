import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { Dimension, Metric } from "mvx-metrics"
import { Baseline } from "../../../src/exporters/internal/Baseline.ts"
import { Family, type Point, seriesName, type Source, type Target } from "../../../src/exporters/internal/Series.ts"

type Value = Metric.Sample["value"]

const target: Target = {
  nameOf: seriesName,
  labelOf: (label) => label,
  namesOf: (name) => [name],
  reserved: () => []
}

const family = (kind: Metric.InstrumentKind): Family =>
  new Family({ metric: "a", dimension: "total", kind, unit: undefined }, "a_total", undefined, target)

const source = (takenAt: number, epoch = 1, startedAt = 100): Source => ({
  labels: { recorder_id: "web" },
  labelKeys: new Set(["recorder_id"]),
  epoch,
  startedAt,
  takenAt
})

const point = (
  kind: Metric.InstrumentKind,
  value: Value,
  from: Source,
  labels: Record<string, string> = {}
): Point => ({
  family: family(kind),
  source: from,
  labels,
  value
})

const counter = (value: number | bigint, from: Source, labels?: Record<string, string>) =>
  point("counter", value, from, labels)

/** Reads one point and acknowledges it. */
const readOf = (baseline: Baseline, ...points: ReadonlyArray<Point>) => {
  const read = baseline.read()
  const found = points.map((point) => read.since(point))
  read.commit()
  return found
}

const explicit = (counts: ReadonlyArray<number>, sum: number, boundaries: ReadonlyArray<number> = [1, 2]) => ({
  count: counts.reduce((a, b) => a + b, 0),
  sum,
  min: 0.5,
  max: 9,
  boundaries,
  counts
})

interface Took {
  readonly _tag: "took"
  readonly ms: number
}

const Durations = Metric.fromDimensions("durations", ["took"], (d: Dimension.Builder<Took>) => ({
  ms: d.exponentialHistogram((e) => e.ms, { maxSize: 4 })
}))

const shownOf = (values: ReadonlyArray<number>) =>
  Metric.snapshot(Durations, Metric.fold(Durations, values.map((ms): Took => ({ _tag: "took", ms })))).dimensions.ms

/** The counts of buckets, by their indexes at a scale that is smaller by so much. */
const byIndex = (
  { counts, offset }: { readonly offset: number; readonly counts: ReadonlyArray<number> },
  by: number
): ReadonlyMap<number, number> => {
  const found = new Map<number, number>()
  counts.forEach((count, place) => {
    const index = (offset + place) >> by
    if (count > 0) found.set(index, (found.get(index) ?? 0) + count)
  })
  return found
}

describe("Baseline", () => {
  it("counts from the start of the values where nothing was acknowledged", () => {
    assert.deepStrictEqual(readOf(new Baseline({ epochs: new Set([1, 2]) }), counter(5, source(200))), [{
      value: 5,
      startedAt: 100
    }])
  })

  it("counts from where the acknowledged read ended", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    readOf(baseline, counter(5, source(200)))
    assert.deepStrictEqual(readOf(baseline, counter(7, source(300))), [{ value: 2, startedAt: 200 }])
    assert.deepStrictEqual(readOf(baseline, counter(7, source(400))), [{ value: 0, startedAt: 300 }])
  })

  it("keeps what was read and not acknowledged for the next read", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    readOf(baseline, counter(5, source(200)))
    assert.deepStrictEqual(baseline.read().since(counter(7, source(300))), { value: 2, startedAt: 200 })
    assert.deepStrictEqual(readOf(baseline, counter(9, source(400))), [{ value: 4, startedAt: 200 }])
  })

  it("keeps big integers exact", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    readOf(baseline, counter(2n ** 60n, source(200)))
    assert.deepStrictEqual(readOf(baseline, counter(2n ** 60n + 1n, source(300))), [{ value: 1n, startedAt: 200 }])
    assert.deepStrictEqual(readOf(baseline, counter(2 ** 61, source(400))), [{ value: 2 ** 60, startedAt: 300 }])
  })

  it("tells series apart by their labels", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    readOf(baseline, counter(5, source(200), { route: "/a" }), counter(1, source(200), { route: "/b" }))
    assert.deepStrictEqual(
      readOf(baseline, counter(4, source(300), { route: "/b" }), counter(6, source(300), { route: "/a" })),
      [{ value: 3, startedAt: 200 }, { value: 1, startedAt: 200 }]
    )
  })

  it("counts from the start of the values in another epoch", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    readOf(baseline, counter(5, source(200)))
    assert.deepStrictEqual(readOf(baseline, counter(8, source(300, 2, 250))), [{ value: 8, startedAt: 250 }])
  })

  it("takes a value that fell in the same epoch for one that has begun anew", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    readOf(baseline, counter(5, source(200)))
    assert.deepStrictEqual(readOf(baseline, counter(3, source(300))), [{ value: 3, startedAt: 200 }])
    assert.deepStrictEqual(readOf(baseline, counter(4, source(400))), [{ value: 1, startedAt: 300 }])
  })

  it("leaves other kinds as they are", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    const summary = { count: 3, sum: 6, quantiles: { "0.5": 2 } }
    const points = (from: Source) => [
      point("gauge", 5, from, { of: "gauge" }),
      point("upDownCounter", 6, from, { of: "upDown" }),
      point("summary", summary, from, { of: "summary" })
    ]
    const expected = [5, 6, summary].map((value) => ({ value, startedAt: 100 }))
    assert.deepStrictEqual(readOf(baseline, ...points(source(200))), expected)
    assert.deepStrictEqual(readOf(baseline, ...points(source(300))), expected)
  })

  it("does not count from a value that is not finite", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    readOf(baseline, counter(5, source(200)))
    for (let takenAt = 300; takenAt < 1_500; takenAt += 100) {
      assert.deepStrictEqual(readOf(baseline, counter(NaN, source(takenAt))), [{ value: NaN, startedAt: 100 }])
    }
    assert.deepStrictEqual(readOf(baseline, counter(7, source(1_500))), [{ value: 2, startedAt: 200 }])
  })

  it("remembers a series that is not shown for as long as its values go on, and forgets one that is gone", () => {
    const epochs = new Set([1])
    const baseline = new Baseline({ epochs })
    readOf(baseline, counter(5, source(200)))
    for (let reads = 0; reads < 60; reads++) readOf(baseline)
    assert.deepStrictEqual(readOf(baseline, counter(7, source(300))), [{ value: 2, startedAt: 200 }])
    epochs.clear()
    readOf(baseline)
    assert.deepStrictEqual(readOf(baseline, counter(8, source(400))), [{ value: 8, startedAt: 100 }])
  })

  it("remembers no more than 10 000 series that are not shown", () => {
    const baseline = new Baseline({ epochs: new Set([1]) })
    const numbered = (at: number): Point => ({ ...counter(5, source(200)), labels: { at: String(at) } })
    const read = baseline.read()
    for (let at = 0; at < 10_001; at++) read.since(numbered(at))
    read.commit()
    readOf(baseline)
    const valueOf = (at: number) => baseline.read().since(numbered(at)).value
    assert.deepStrictEqual([valueOf(0), valueOf(9_999), valueOf(10_000)], [0, 0, 5])
  })

  it("counts the buckets of a histogram, whose extremes are known of all values only", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    const first = explicit([1, 2, 3], 20)
    assert.deepStrictEqual(readOf(baseline, point("histogram", first, source(200))), [{ value: first, startedAt: 100 }])
    assert.deepStrictEqual(readOf(baseline, point("histogram", explicit([1, 5, 3], 26), source(300))), [{
      value: { count: 3, sum: 6, min: undefined, max: undefined, boundaries: [1, 2], counts: [0, 3, 0] },
      startedAt: 200
    }])
  })

  it("takes a histogram of which a bucket fell, or with other boundaries, for one that has begun anew", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    readOf(baseline, point("histogram", explicit([1, 2, 3], 20), source(200)))
    for (const other of [explicit([0, 9, 9], 40), explicit([1, 9, 9], 40, [1, 3]), explicit([9, 9], 40, [1])]) {
      const found = baseline.read().since(point("histogram", other, source(300)))
      assert.deepStrictEqual(found, { value: other, startedAt: 200 })
    }
  })

  it.prop(
    "counts the buckets of an exponential histogram at the scale of the later read",
    [Arbitrary.array(Arbitrary.schema(Schema.Finite), { maxLength: 30 }), Arbitrary.schema(Schema.Natural)],
    ([values, some]) => {
      const split = some % (values.length + 1)
      const before = shownOf(values.slice(0, split))
      const all = shownOf(values)
      const after = shownOf(values.slice(split))

      const baseline = new Baseline({ epochs: new Set([1, 2]) })
      readOf(baseline, point("histogram", before, source(200)))
      const [found] = readOf(baseline, point("histogram", all, source(300)))
      const growth = found!.value as typeof all

      const by = after.scale - all.scale
      assert.deepStrictEqual([growth.scale, growth.count, growth.zeroCount], [all.scale, after.count, after.zeroCount])
      assert.deepStrictEqual(byIndex(growth.positive, 0), byIndex(after.positive, by))
      assert.deepStrictEqual(byIndex(growth.negative, 0), byIndex(after.negative, by))
    }
  )

  it("shows no buckets where no value came", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    const shown = shownOf([1, -2])
    readOf(baseline, point("histogram", shown, source(200)))
    const nothing = { offset: 0, counts: [] }
    assert.deepStrictEqual(readOf(baseline, point("histogram", shown, source(300))), [{
      value: { ...shown, count: 0, sum: 0, min: undefined, max: undefined, positive: nothing, negative: nothing },
      startedAt: 200
    }])
  })

  it("takes an exponential histogram of which a bucket fell, or that became finer, for one that has begun anew", () => {
    const baseline = new Baseline({ epochs: new Set([1, 2]) })
    const exponential = (scale: number, offset: number, counts: ReadonlyArray<number>, zeroCount = 1) => ({
      count: counts.reduce((a, b) => a + b, zeroCount),
      sum: 10,
      min: 0,
      max: 9,
      scale,
      zeroCount,
      positive: { offset, counts },
      negative: { offset: 0, counts: [] }
    })
    readOf(baseline, point("histogram", exponential(2, 4, [1, 2]), source(200)))
    const others = [
      exponential(2, 4, [0, 9]),
      exponential(2, 5, [9]),
      exponential(3, 0, [9, 9, 9]),
      exponential(2, 4, [9, 9], 0),
      explicit([9, 9, 9], 40)
    ]
    for (const other of others) {
      const found = baseline.read().since(point("histogram", other, source(300)))
      assert.deepStrictEqual(found, { value: other, startedAt: 200 })
    }
  })
})
