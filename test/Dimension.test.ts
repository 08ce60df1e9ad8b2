import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { Dimension, Metric } from "mvx-metrics"

interface Fact {
  readonly _tag: "fact"
  readonly value: number
  readonly text?: string
  readonly time?: number
}

const fact = (value: number, text?: string): Fact => ({ _tag: "fact", value, ...(text === undefined ? {} : { text }) })

const d = Dimension.builder<Fact>()
const value = (event: Fact) => event.value
const text = (event: Fact) => event.text

/** What a dimension shows after some events, folded as part of a metric. */
const shown = <Value>(
  dimension: Dimension.Dimension<Fact, any, Value>,
  facts: ReadonlyArray<Fact>,
  options: { readonly time?: number } = {}
): Value => {
  const metric = Metric.fromDimensions("m", ["fact"], (_: Dimension.Builder<Fact>) => ({ it: dimension }))
  return Metric.snapshot(metric, Metric.fold(metric as Metric.Any, facts, options) as any, options).dimensions.it
}

/** What a throwing definition says. */
const fault = (define: () => unknown): string => {
  try {
    define()
  } catch (error) {
    return (error as Error).message
  }
  return "no error"
}

const facts = [4, 1, 7].map((value) => fact(value))

describe("what dimensions show", () => {
  it.each<[string, Dimension.Dimension<Fact, any, unknown>, unknown, unknown]>([
    ["count", d.count(), 0, 3],
    ["sum", d.sum(value), 0, 12],
    ["upDown", d.upDown((event) => 3 - event.value), 0, -3],
    ["min", d.min(value), undefined, 1],
    ["max", d.max(value), undefined, 7],
    ["mean", d.mean(value), undefined, 4],
    [
      "variance",
      d.variance(value),
      { count: 0, mean: undefined, variance: undefined, stddev: undefined },
      { count: 3, mean: 4, variance: 6, stddev: Math.sqrt(6) }
    ],
    ["last", d.last(value), undefined, 7],
    [
      "histogram",
      d.histogram(value, { boundaries: [1, 5] }),
      { count: 0, sum: 0, min: undefined, max: undefined, boundaries: [1, 5], counts: [0, 0, 0] },
      { count: 3, sum: 12, min: 1, max: 7, boundaries: [1, 5], counts: [1, 1, 1] }
    ],
    ["distinct", d.distinct(value), 0, 3],
    ["topK", d.topK(value, { k: 1 }), [], [{ item: "1", count: 1, error: 0 }]],
    ["rate of events", d.rate({ window: "1 second" }), 0, 3],
    ["rate of sums", d.rate(value, { window: 2_000 }), 0, 6],
    ["struct", d.struct({ n: d.count(), min: d.min(value) }), { n: 0, min: undefined }, { n: 3, min: 1 }]
  ])("%s", (_, dimension, before, after) => {
    assert.deepStrictEqual([shown(dimension, []), shown(dimension, facts)], [before, after])
  })

  it("exponential histograms and quantiles", () => {
    const { count, max, min, positive, sum } = shown(d.exponentialHistogram(value), facts)
    assert.deepStrictEqual(
      [count, sum, min, max, positive.counts.reduce((sum, count) => sum + count, 0)],
      [3, 12, 1, 7, 3]
    )
    const { quantiles } = shown(d.quantiles(value, { quantiles: [0, 0.5, 1] }), facts)
    assert.deepStrictEqual([quantiles[0], quantiles[1]], [1, 7])
    assert.approximately(quantiles[0.5]!, 4, 0.2)
  })

  it("are what counts only, under `when`", () => {
    const when = (event: Fact) => event.value > 3
    assert.deepStrictEqual(
      [d.count({ when }), d.sum(value, { when }), d.topK(value, { when })].map((dimension) =>
        shown<unknown>(dimension, facts)
      ),
      [2, 11, [{ item: "4", count: 1, error: 0 }, { item: "7", count: 1, error: 0 }]]
    )
    assert.deepStrictEqual({ ...shown(d.by("value", value, d.count(), { when }), facts) }, { 4: 1, 7: 1 })
  })

  it("do not count where there is nothing to measure", () => {
    const facts = [1, undefined, 3].map((value) => fact(value as number))
    assert.deepStrictEqual(
      [d.sum(value), d.min(value), d.mean(value), d.last(value), d.distinct(value)].map((dimension) =>
        shown<unknown>(dimension, facts)
      ),
      [4, 1, 2, 3, 2]
    )
    assert.deepStrictEqual(Object.keys(shown(d.by("value", value, d.max(value)), facts)), ["1", "3"])
    const metric = Metric.fromDimensions(
      "m",
      ["fact"],
      (_: Dimension.Builder<Fact>) => ({ sum: d.sum(value), top: d.topK(value) })
    )
    assert.isTrue(Option.isNone(metric.reduce(metric.initial, fact(undefined as never), { time: 0 })))
    assert.isTrue(Option.isSome(metric.reduce(metric.initial, fact(NaN), { time: 0 })))
  })

  it("count as a struct what `when` lets through", () => {
    const struct = d.struct({ n: d.count(), sum: d.sum(value, { when: (event) => event.value < 5 }) }, {
      when: (event) => event.value > 1
    })
    assert.deepStrictEqual(shown(struct, facts), { n: 2, sum: 4 })
  })

  it("is the newest value by the time of the events, and in a batch the last", () => {
    const at = (time: number, value: number): Fact => ({ _tag: "fact", time, value })
    assert.strictEqual(shown(d.last(value), [at(2, 5), at(1, 6)]), 5)
    assert.strictEqual(shown(d.last(value), [at(2, 5), at(2, 4)]), 4)
    assert.strictEqual(shown(d.last(value), [at(NaN, 5), at(Infinity, 4), at(2, 6)], { time: 3 }), 4)
  })

  it("falls, as a rate, while nothing happens", () => {
    const metric = Metric.fromDimensions(
      "m",
      ["fact"],
      (_: Dimension.Builder<Fact>) => ({ rate: d.rate({ window: "10 seconds" }) })
    )
    const state = Metric.fold(metric, Array.from({ length: 20 }, () => fact(1)), { time: 100_000 })
    const rateAt = (time: number) => Metric.snapshot(metric, state, { time }).dimensions.rate
    assert.deepStrictEqual([100_000, 109_000, 120_000].map(rateAt), [2, 2, 0])
  })

  it("never is anything that is not a finite number", () => {
    const facts = [2, NaN, Infinity, -Infinity, "3", null, 4].map((value) => fact(value as number))
    assert.deepStrictEqual(
      [d.sum, d.upDown, d.min, d.max, d.mean, d.last].map((dimension) => shown<unknown>(dimension(value), facts)),
      [6, 6, 2, 4, 3, 4]
    )
    assert.deepStrictEqual(shown(d.histogram(value, { boundaries: [3] }), facts).counts, [1, 1])
    assert.strictEqual(shown(d.exponentialHistogram(value), facts).count, 2)
    assert.strictEqual(shown(d.variance(value), facts).count, 2)
    assert.strictEqual(shown(d.rate(value, { window: "1 second" }), facts), 6)
  })

  it("never falls, as a sum, and stays finite", () => {
    assert.strictEqual(shown(d.sum(value), [fact(2), fact(-1)]), 2)
    const most = fact(Number.MAX_VALUE)
    assert.strictEqual(shown(d.sum(value), [most, most]), Number.MAX_VALUE)
    assert.strictEqual(shown(d.upDown((event) => -event.value), [most, most]), -Number.MAX_VALUE)
    assert.deepStrictEqual(
      Object.values(shown(d.variance(value), [most, fact(-Number.MAX_VALUE), most])).map(Number.isFinite),
      [true, true, true, true]
    )
  })
})

describe("labels", () => {
  it("are the keys of a record, whatever they are called", () => {
    const names = ["__proto__", "constructor", "", "toString", "a"]
    const by = shown(d.by("text", text, d.count()), [...names, "a"].map((name) => fact(1, name)))
    assert.deepStrictEqual(Object.entries(by), [["__proto__", 1], ["constructor", 1], ["", 1], ["toString", 1], [
      "a",
      2
    ]])
    assert.isNull(Object.getPrototypeOf(by))
    assert.isTrue(Object.isFrozen(by))
  })

  it("stand for numbers and booleans by their text, and for what is absent by the empty text", () => {
    const labels = [1, "1", true, "true", 10n, undefined, null, ""]
    const by = shown(d.by("text", text, d.count()), labels.map((label) => fact(1, label as string)))
    assert.deepStrictEqual({ ...by }, { 1: 2, true: 2, 10: 1, "": 3 } as {})
  })

  it("are told apart together, when there are several", () => {
    const by = d.by({ text, parity: (event) => event.value % 2 === 0 }, d.sum(value))
    assert.deepStrictEqual(shown(by, [fact(1, "a"), fact(2, "a"), fact(3, "a"), fact(1, "b")]), [
      { labels: { text: "a", parity: "false" }, value: 4 },
      { labels: { text: "a", parity: "true" }, value: 2 },
      { labels: { text: "b", parity: "false" }, value: 1 }
    ])
  })

  it("do not get a series for an event that the dimension inside does not count", () => {
    const by = d.by("text", text, d.sum(value, { when: (event) => event.value > 1 }))
    assert.deepStrictEqual(Object.keys(shown(by, [fact(1, "a"), fact(NaN, "b"), fact(2, "c")])), ["c"])
  })

  it("beyond the limit go into the overflow, or nowhere", () => {
    const many = ["a", "b", "c", "a", "d"].map((name) => fact(2, name))
    assert.deepStrictEqual({ ...shown(d.by("text", text, d.count(), { limit: 2 }), many) }, {
      a: 2,
      b: 1,
      [Dimension.overflowKey]: 2
    })
    assert.deepStrictEqual({ ...shown(d.by("text", text, d.count(), { limit: 2, onLimit: "drop" }), many) }, {
      a: 2,
      b: 1
    })
    assert.deepStrictEqual(shown(d.by({ text }, d.sum(value), { limit: 1 }), many), [
      { labels: { text: "a" }, value: 4 },
      { labels: { [Dimension.overflowKey]: "true" }, value: 6 }
    ])
  })

  it("are 2 000 at most, unless said otherwise", () => {
    const many = Array.from({ length: 2_010 }, (_, index) => fact(index))
    const by = shown(d.by("value", value, d.count()), many)
    assert.deepStrictEqual([Object.keys(by).length, by[Dimension.overflowKey]], [2_001, 10])
  })

  it("count as beyond the limit when they have the name of the overflow", () => {
    const by = d.by("text", text, d.count())
    assert.deepStrictEqual({ ...shown(by, [fact(1, Dimension.overflowKey)]) }, { [Dimension.overflowKey]: 1 })
    const metric = Metric.fromDimensions("m", ["fact"], (_: Dimension.Builder<Fact>) => ({ by }))
    const state = Metric.fold(metric, [fact(1, Dimension.overflowKey), fact(1, "a")])
    assert.deepStrictEqual(Metric.samples(metric, state).map(({ labels, value }) => ({ labels, value })), [
      { labels: { text: "a" }, value: 1 },
      { labels: { [Dimension.overflowKey]: "true" }, value: 1 }
    ])
  })

  it("can be within labels", () => {
    const by = d.by("text", text, d.by({ value }, d.count()))
    assert.deepStrictEqual({ ...shown(by, [fact(1, "a"), fact(1, "a"), fact(2, "b")]) }, {
      a: [{ labels: { value: "1" }, value: 2 }],
      b: [{ labels: { value: "2" }, value: 1 }]
    })
  })
})

describe("a dimension alone", () => {
  it("steps, shows, merges and is stored", () => {
    const sum = d.sum(value, { unit: "By" })
    const state = sum.step(sum.step(sum.initial, fact(2), { time: 0 }), fact(NaN), { time: 0 })
    assert.strictEqual(sum.value(sum.combine.combine(state, state), { time: 0 }), 4)
    assert.strictEqual(Schema.encodeSync(sum.codec)(state), 2)
    assert.deepStrictEqual([sum.instrument, sum.merging], [{ kind: "counter", unit: "By" }, "approximate"])
    assert.isTrue(Dimension.isDimension(sum))
    assert.isFalse(Dimension.isDimension({ initial: 0 }))
  })

  it("is stepped and read at the time that is given", () => {
    const rate = d.rate({ window: "1 second" })
    const state = rate.step(rate.initial, fact(1), { time: 5_000 })
    assert.deepStrictEqual([rate.value(state, { time: 5_000 }), rate.value(state, { time: 9_000 })], [1, 0])
    const last = d.last(value)
    const newer = last.step(last.initial, fact(1), { time: 5_000 })
    assert.strictEqual(last.value(last.step(newer, fact(2), { time: 4_000 }), { time: 0 }), 1)
  })

  it("says how faithfully it merges", () => {
    assert.deepStrictEqual(
      [d.count(), d.max(value), d.mean(value), d.last(value), d.by("text", text, d.count()), d.topK(text)]
        .map(({ merging }) => merging),
      ["exact", "exact", "approximate", "ordered", "exact", "approximate"]
    )
    assert.strictEqual(d.struct({ count: d.count(), sum: d.sum(value) }).merging, "approximate")
    assert.strictEqual(d.struct({ sum: d.sum(value), last: d.last(value) }).merging, "ordered")
  })

  it("says how it is published", () => {
    assert.deepStrictEqual(
      [
        d.upDown(value),
        d.last(value, { unit: "Cel" }),
        d.quantiles(value, { quantiles: [0.5], unit: "ms" }),
        d.rate(),
        d.rate(value, { unit: "By" }),
        d.topK(text, { label: "url" }),
        d.by("text", text, d.histogram(value)),
        d.by({ text }, d.struct({ n: d.count() }))
      ].map(({ instrument }) => instrument),
      [
        { kind: "upDownCounter" },
        { kind: "gauge", unit: "Cel" },
        { kind: "summary", unit: "ms" },
        { kind: "gauge", unit: "1/s" },
        { kind: "gauge", unit: "By/s" },
        { items: "url", of: { kind: "gauge" } },
        { label: "text", of: { kind: "histogram" } },
        { labels: ["text"], of: { dimensions: { n: { kind: "counter" } } } }
      ]
    )
  })
})

describe("a wrong definition", () => {
  const any = d as any
  it.each<[string, () => unknown, string]>([
    ["no selector", () => any.sum(), "Invalid option `f`: expected a function of the event, found undefined"],
    [
      "a selector that is none",
      () => any.last("value"),
      "Invalid option `f`: expected a function of the event, found \"value\""
    ],
    ["options that are none", () => any.count(1), "Invalid option `options`: expected an object, found 1"],
    ["when", () => any.count({ when: true }), "Invalid option `when`: expected a function of the event, found true"],
    ["unit", () => any.sum(value, { unit: 1 }), "Invalid option `unit`: expected a string, found 1"],
    [
      "boundaries out of order",
      () => d.histogram(value, { boundaries: [1, 1] }),
      "Invalid option `boundaries`: expected finite numbers in strictly ascending order, found an array of 2"
    ],
    [
      "an infinite boundary",
      () => d.histogram(value, { boundaries: [1, Infinity] }),
      "Invalid option `boundaries`: expected finite numbers in strictly ascending order, found an array of 2"
    ],
    ["no bucket", () => d.exponentialHistogram(value, { maxSize: 1 }), "Invalid option `maxSize`: expected an integer"],
    ["no quantile", () => d.quantiles(value, { quantiles: [] }), "Invalid option `quantiles`: expected"],
    ["a quantile above 1", () => d.quantiles(value, { quantiles: [99] }), "Invalid option `quantiles`: expected"],
    ["precision", () => d.distinct(text, { precision: 3 }), "Invalid option `precision`: expected an integer"],
    ["k", () => d.topK(text, { k: 0 }), "Invalid option `k`: expected"],
    [
      "capacity below k",
      () => d.topK(text, { k: 10, capacity: 5 }),
      "Invalid option `capacity`: expected an integer from k = 10 to 65536, found 5"
    ],
    [
      "a window of nothing",
      () => d.rate({ window: 0 }),
      "Invalid option `window`: expected a finite duration of 60 ms or more"
    ],
    [
      "a window that is none",
      () => any.rate({ window: "soon" }),
      "Invalid option `window`: expected a finite duration of 60 ms or more"
    ],
    [
      "limit",
      () => d.by("text", text, d.count(), { limit: 0 }),
      "Invalid option `limit`: expected a positive integer, found 0"
    ],
    [
      "onLimit",
      () => any.by("text", text, d.count(), { onLimit: "keep" }),
      "Invalid option `onLimit`: expected one of \"other\", \"drop\", found \"keep\""
    ],
    ["a blank label", () => d.by(" ", text, d.count()), "Invalid option `labels`: expected a name that is not blank"],
    ["__proto__ as a label", () => d.by("__proto__", text, d.count()), "Invalid option `labels`: expected a name"],
    [
      "the label of the overflow",
      () => d.by(Dimension.overflowKey, text, d.count()),
      "Invalid option `labels`: expected"
    ],
    ["no labels", () => any.by({}, d.count()), "Invalid option `labels`: expected the name of a label"],
    ["a label without a function", () => any.by({ text: "a" }, d.count()), "Invalid option `f`: expected a function"],
    [
      "a label within itself",
      () => d.by("text", text, d.struct({ by: d.by({ text }, d.count()) })),
      "Invalid option `labels`: expected a name that the dimension does not have for another label, found \"text\""
    ],
    [
      "nothing inside",
      () => any.by("text", text),
      "Invalid option `inner`: expected a dimension, such as d.count(), found undefined"
    ],
    ["an empty struct", () => d.struct({}), "Invalid option `dimensions`: expected a record of dimensions"],
    [
      "a struct of numbers",
      () => any.struct({ n: 1 }),
      "Invalid option `n`: expected a dimension, such as d.count(), found 1"
    ]
  ])("is refused: %s", (_, define, message) => {
    assert.include(fault(define), message)
  })
})
