import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Option, Schema, Stream } from "effect"
import { type Dimension, Event, Metric, Recorder } from "mvx-metrics"
import { type Sample, samplesOf } from "../../src/internal/Sample.ts"
import { samplesIn } from "../../src/internal/samplesIn.ts"

class Reading extends Event.Class<Reading>()("reading", {
  value: Schema.Int.check(Schema.isBetween({ minimum: -1_000, maximum: 1_000 })),
  label: Schema.Literals(["a", "b", "c", "", "__proto__", "1"]),
  text: Schema.String,
  time: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))
}) {}

const value = (e: Reading) => e.value
const label = (e: Reading) => e.label
const text = (e: Reading) => e.text

const Every = Metric.fromDimensions("every", [Reading], (d) => {
  const few = d.struct({
    total: d.count(),
    max: d.max(value, { unit: "ms" }),
    top: d.topK(text, { k: 2 }),
    inner: d.struct({ n: d.count(), low: d.min(value) })
  })
  return {
    total: d.count(),
    sum: d.sum((e) => Math.abs(e.value), { unit: "By" }),
    upDown: d.upDown(value),
    min: d.min(value),
    never: d.max(() => undefined),
    mean: d.mean(value),
    variance: d.variance(value, { unit: "ms" }),
    last: d.last(value),
    histogram: d.histogram(value, { boundaries: [-10, 10] }),
    exponential: d.exponentialHistogram(value),
    quantiles: d.quantiles(value, { quantiles: [0, 0.5] }),
    distinct: d.distinct(text),
    topK: d.topK(text, { k: 3 }),
    rate: d.rate(),
    struct: d.struct({ inner: d.struct({ n: d.count(), low: d.min(value) }), by: d.by("label", label, d.count()) }),
    by: d.by("label", label, d.count()),
    by_two: d.by({ label, tag: (e) => e._tag }, few),
    nested: d.by("label", label, d.by("text", text, d.struct({ n: d.count(), by: d.by("value", value, d.count()) }))),
    limited: d.by("text", text, few, { limit: 2 }),
    limited_inside: d.by("label", label, d.by("text", text, d.count(), { limit: 1 }), { limit: 2 }),
    dropped: d.by("text", text, d.mean(value), { limit: 1, onLimit: "drop" })
  }
})

/** Reads another way than the view of a metric of dimensions. */
const metrics: ReadonlyArray<readonly [string, Metric.Any]> = [
  ["as it is defined", Every],
  ["renamed", Metric.rename(Every, "other")],
  ["described", Metric.describe(Every, "about")],
  ["filtered", Metric.filter(Every, (e) => e.value > 0)],
  [
    "of other events",
    Metric.mapEvent(Every, { events: ["reading"], f: (e: Reading) => ({ ...e, label: "a" as const }) })
  ],
  ["shown as it is", Metric.mapDimensions(Every, (shown) => shown)],
  ["shown in part", Metric.mapDimensions(Every, ({ by_two, total }) => ({ total, by_two }))],
  [
    "shown differently",
    Metric.mapDimensions(Every, ({ by, ...rest }, { time }) => ({ ...rest, by: { ...by, more: 1 }, time }))
  ],
  [
    "with a reducer",
    Metric.make("hand", {
      events: [Reading],
      initial: { total: 0, by: {} as Readonly<Record<string, number>> },
      reduce: (s, e) => Option.some({ total: s.total + 1, by: { ...s.by, [`_${e.label}`]: e.value } }),
      instruments: { by: { label: "label", of: { kind: "gauge" } } }
    })
  ]
]

/** One text for each sample: two of the same are two. */
const texts = (samples: Iterable<Sample>) => Array.from(samples, (sample) => JSON.stringify(sample)).toSorted()

const inBatches = (metric: Metric.Any, state: unknown, time: number) =>
  Array.from(samplesIn(metric, state, time)).flat()

const shownBy = (metric: Metric.Any, state: unknown, time: number) =>
  samplesOf(metric.instruments, metric.dimensions(state, { time }) as object)

/** Readings that differ. */
const many = (from: number, to: number): ReadonlyArray<Reading> =>
  Array.from({ length: to - from }, (_, at) => {
    const n = from + at
    return new Reading({ value: n, label: n % 3 === 0 ? "a" : "b", text: String(n), time: 0 })
  })

/** Does not differ for ever. */
const remainder = (e: Reading) => e.value % 500

const Growing = Metric.fromDimensions("growing", [Reading], (d) => ({
  total: d.count(),
  by_value: d.by("value", remainder, d.struct({ n: d.count(), max: d.max((e) => Number(e.text)) })),
  by_text: d.by({ label, text }, d.count()),
  nested: d.by("label", label, d.by("value", remainder, d.histogram(value, { boundaries: [500] }))),
  limited: d.by("text", text, d.count(), { limit: 300 })
}))

const someReadings = Arbitrary.array(Arbitrary.schema(Reading), { maxLength: 40 })

describe("samplesIn", () => {
  it.prop("shows what the view of a metric shows, whatever became of the metric", [someReadings], ([readings]) => {
    for (const [name, metric] of metrics) {
      const state = Metric.fold(metric, readings)
      for (const time of [0, 100_000]) {
        assert.deepStrictEqual(texts(inBatches(metric, state, time)), texts(shownBy(metric, state, time)), name)
      }
    }
  }, { arbitrary: { runs: 25 } })

  it("shows the series of an overflow by its own label, beside those around it", () => {
    const readings = ["x", "y", "z"].map((text) => new Reading({ value: 1, label: "a", text, time: 0 }))
    const { initial } = Every
    const labelsOf = (dimension: string, state: typeof initial) =>
      inBatches(Every, state, 0).filter((sample) => sample.dimension === dimension).map(({ labels }) => labels)
    assert.deepStrictEqual(labelsOf("limited.total", initial), [])
    const state = Metric.fold(Every, readings)
    assert.deepStrictEqual(labelsOf("limited.total", state), [
      { text: "x" },
      { text: "y" },
      { "otel.metric.overflow": "true" }
    ])
    assert.deepStrictEqual(labelsOf("limited_inside", state), [
      { label: "a", text: "x" },
      { label: "a", "otel.metric.overflow": "true" }
    ])
    assert.deepStrictEqual(labelsOf("dropped", state), [{ text: "x" }])
  })

  it("makes no batch of nothing", () => {
    const Nothing = Metric.fromDimensions("nothing", [Reading], (d) => ({ by: d.by("label", label, d.count()) }))
    assert.deepStrictEqual(Array.from(samplesIn(Nothing, Nothing.initial, 0)), [])
  })

  it("makes no batch of series that show nothing", () => {
    const Never = Metric.fromDimensions("never", [Reading], (d) => ({
      by: d.by("value", value, d.max(() => undefined), { limit: 1_000 })
    }))
    const events = many(0, 500)
    const state = Metric.fold(Never, events.concat(new Reading({ ...events[0]!, value: 700 })))
    assert.deepStrictEqual(Array.from(samplesIn(Never, state, 0)), [])
  })

  it("shows the series that come after more dimensions than a batch has room for", () => {
    const Wide = Metric.fromDimensions("wide", [Reading], (d) => ({
      ...Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`n${at}`, d.count()])),
      by: d.by("value", value, d.count())
    }))
    const state = Metric.fold(Wide, many(0, 1_000))
    const batches = Array.from(samplesIn(Wide, state, 0))
    assert.isAtMost(Math.max(...batches.map(({ length }) => length)), 512)
    assert.deepStrictEqual(texts(batches.flat()), texts(shownBy(Wide, state, 0)))
  })

  it("shows series in the order of the view, and all at once what it shows in batches", () => {
    const state = Metric.fold(Every, many(0, 400))
    const all = Metric.samples(Every, state)
    assert.deepStrictEqual(inBatches(Every, state, 0), all)
    const { dimensions } = Metric.snapshot(Every, state)
    const shown = all.filter(({ dimension }) => dimension === "by_two.total")
    assert.deepStrictEqual(
      shown.map(({ labels, value }) => ({ labels, value })),
      dimensions.by_two.map(({ labels, value }) => ({ labels, value: value.total }))
    )
  })

  it("has the labels of a series in one record for all reads, which nobody can change", () => {
    const events = many(0, 10)
    const state = Metric.fold(Growing, events)
    const labelsOf = (state: typeof Growing.initial) =>
      Metric.samples(Growing, state).filter(({ dimension }) => dimension === "by_text").map(({ labels }) => labels)
    const labels = labelsOf(state)
    assert.strictEqual(labels.length, 10)
    for (const [at, again] of labelsOf(state).entries()) assert.strictEqual(again, labels[at])
    for (const own of labels) assert.throws(() => Object.assign(own, { text: "other" }), TypeError)
  })

  it("throws what a view throws, where its batch is taken", () => {
    const Throwing = Metric.mapDimensions(Every, (shown, { time }) => {
      if (time > 0) throw new Error("view")
      return shown
    })
    const batches = samplesIn(Throwing, Throwing.initial, 1)
    assert.throws(() => batches.next(), "view")
  })

  it.each<[string, (d: Dimension.Builder<Reading>) => Readonly<Record<string, Dimension.Dimension<any, any, any>>>]>([
    ["by a label", (d) => ({ by: d.by("value", value, d.count(), { limit: 10_000 }) })],
    ["by several", (d) => ({ by: d.by({ value, label }, d.count(), { limit: 10_000 }) })],
    ["of several dimensions", (d) => ({
      one: d.by("value", value, d.count(), { limit: 10_000 }),
      other: d.by("value", value, d.struct({ n: d.count(), max: d.max(value) }), { limit: 10_000 })
    })],
    ["by one label, then another", (d) => ({
      by: d.by("label", label, d.by("value", value, d.count(), { limit: 10_000 }))
    })],
    ["by very many labels, then few", (d) => ({
      by: d.by("value", value, d.by("label", label, d.count()), { limit: 10_000 })
    })],
    ["of dimensions together", (d) => ({ all: d.struct({ by: d.by("value", value, d.count(), { limit: 10_000 }) }) })]
  ])("makes few of very many series at once: %s", (_, dimensions) => {
    const metric: Metric.Any = Metric.fromDimensions("many", [Reading], dimensions)
    const state = Metric.fold(metric, many(0, 5_000))
    const batches = Array.from(samplesIn(metric, state, 0))
    assert.isAtMost(Math.max(...batches.map(({ length }) => length)), 512)
    assert.isAtLeast(Math.min(...batches.map(({ length }) => length)), 1)
    assert.deepStrictEqual(texts(batches.flat()), texts(shownBy(metric, state, 0)))
  })

  it.effect.prop(
    "shows what was captured, whatever the recorder folds between two batches",
    [
      Arbitrary.schema(Schema.Boolean),
      Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 }))), {
        minLength: 1,
        maxLength: 6
      })
    ],
    ([isObserved, counts]) =>
      Effect.gen(function*() {
        const recorder = yield* Recorder.make({ entityId: "growing", metrics: [Growing], linger: 60_000 })
        if (isObserved) yield* Effect.forkScoped(Stream.runDrain(recorder.changes), { startImmediately: true })
        const reads: Array<{ readonly batches: Iterator<ReadonlyArray<Sample>>; readonly expected: Array<string> }> = []
        const shown: Array<Array<Sample>> = []
        let next = 0
        for (const count of counts) {
          const { metrics: [captured] } = yield* recorder.capture
          const { metric, state } = captured!
          reads.push({ batches: samplesIn(metric, state, 0), expected: texts(shownBy(metric, state, 0)) })
          shown.push([])
          for (const event of many(next, next + count)) recorder.registerEventUnsafe(event)
          next += count
          recorder.snapshotsUnsafe()
          for (const [at, { batches }] of reads.entries()) shown[at]!.push(...batches.next().value ?? [])
        }
        for (const [at, { batches, expected }] of reads.entries()) {
          for (let batch = batches.next(); !batch.done; batch = batches.next()) shown[at]!.push(...batch.value)
          assert.deepStrictEqual(texts(shown[at]!), expected)
        }
      }),
    { arbitrary: { runs: 15 } }
  )
})
