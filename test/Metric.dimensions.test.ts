/** Metrics made of dimensions, and what can be done with the states of any metric. */
import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { Dimension, Event, Metric } from "mvx-metrics"
import { spawnSync } from "node:child_process"

class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
  outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
  durationMs: Schema.Finite
}) {}

const saved = (durationMs: number) => new SaveAttempt({ outcome: "SUCCESS", durationMs })
const failed = (durationMs: number) => new SaveAttempt({ outcome: "FAILURE", durationMs })

const Saves = Metric.fromDimensions("document_storage.saves", [SaveAttempt], (d) => ({
  total: d.count(),
  failure_total: d.count({ when: (e) => e.outcome === "FAILURE" }),
  duration_ms: d.histogram((e) => e.durationMs, { unit: "ms", boundaries: [1, 10] }),
  newest_ms: d.last((e) => e.durationMs, { unit: "ms" }),
  by_outcome: d.by("outcome", (e) => e.outcome, d.struct({ total: d.count(), max_ms: d.max((e) => e.durationMs) }))
}))

/** A metric with a reducer, and everything beside. */
const Bytes = Metric.make("bytes", {
  events: ["upload"],
  initial: { total: 0 },
  reduce: (s, e: { readonly _tag: "upload"; readonly bytes: number }) => Option.some({ total: s.total + e.bytes }),
  combine: { combine: (a, b) => ({ total: a.total + b.total }) },
  state: Schema.Struct({ total: Schema.Finite }),
  version: 3
})

/** One with a reducer and nothing else. */
const Plain = Metric.make("plain", { initial: { total: 0 }, reduce: (s) => Option.some({ total: s.total + 1 }) })

const errorOf = <E extends Error>(type: new(...args: any) => E, f: () => unknown): E => {
  try {
    f()
  } catch (error) {
    assert.instanceOf(error, type)
    return error as E
  }
  return assert.fail("expected a throw")
}

const shown = (state: Metric.StateOf<typeof Saves>) => {
  const { by_outcome, ...rest } = Metric.snapshot(Saves, state).dimensions
  return { ...rest, by_outcome: { ...by_outcome } }
}

const attempts = [saved(0.5), failed(4), saved(20)]

describe("Metric.fromDimensions", () => {
  it("makes an ordinary metric: pure, frozen, with all of its parts", () => {
    assert.isTrue(Metric.isMetric(Saves))
    assert.isTrue(Object.isFrozen(Saves) && Object.isFrozen(Saves.instruments))
    assert.deepStrictEqual([Saves.name, Saves.tags, Saves.version, Saves.description], [
      "document_storage.saves",
      ["document_storage.save.attempt"],
      1,
      undefined
    ])
    const described = Metric.fromDimensions("m", undefined, (d) => ({ n: d.count() }), {
      description: "all",
      version: 2
    })
    assert.deepStrictEqual([described.tags, described.version, described.description], [undefined, 2, "all"])
  })

  it("folds, and shows what each dimension shows", () => {
    assert.deepStrictEqual(shown(Metric.fold(Saves, [...attempts, { _tag: "other" }])), {
      total: 3,
      failure_total: 1,
      duration_ms: { count: 3, sum: 24.5, min: 0.5, max: 20, boundaries: [1, 10], counts: [1, 1, 1] },
      newest_ms: 20,
      by_outcome: { SUCCESS: { total: 2, max_ms: 20 }, FAILURE: { total: 1, max_ms: 4 } }
    })
  })

  it("reduces to another state, and leaves the one before", () => {
    const before = Metric.fold(Saves, attempts)
    const stored = shown(before)
    const after = Option.getOrThrow(Saves.reduce(before, failed(1), { time: 1 }))
    assert.deepStrictEqual([shown(before), shown(after).total], [stored, 4])
  })

  it("ignores an event that no dimension counts", () => {
    const Failures = Metric.fromDimensions("m", [SaveAttempt], (d) => ({
      total: d.count({ when: (e) => e.outcome === "FAILURE" })
    }))
    assert.isTrue(Option.isNone(Failures.reduce(Failures.initial, saved(1), { time: 0 })))
    assert.isTrue(Option.isSome(Failures.reduce(Failures.initial, failed(1), { time: 0 })))
  })

  it("folds the same where code generation is forbidden", () => {
    const program = `
      import { Metric } from "mvx-metrics"
      const M = Metric.fromDimensions("m", ["a"], (d) => ({
        total: d.count(),
        sum: d.sum((e) => e.n),
        by: d.by({ n: (e) => e.n }, d.histogram((e) => e.n, { boundaries: [1] }))
      }))
      const state = Metric.fold(M, [1, 2, 2, NaN].map((n) => ({ _tag: "a", n })))
      console.log(JSON.stringify(Metric.snapshot(M, state).dimensions))
    `
    const flags = ["--conditions=mvx-metrics-source", "--input-type=module"]
    const run = (...more: ReadonlyArray<string>) =>
      spawnSync(process.execPath, [...flags, ...more, "-e", program], { encoding: "utf8" })
    const forbidden = run("--disallow-code-generation-from-strings")
    assert.include(forbidden.stdout, "{\"total\":4,\"sum\":5,", forbidden.stderr)
    assert.strictEqual(forbidden.stdout, run().stdout)
  }, 30_000)

  it("keeps merging, storing and folding under every combinator", () => {
    const events = [{ _tag: "disk.write", ms: 4 } as const, { _tag: "disk.write", ms: 0.5 } as const]
    const metric = Saves.pipe(
      Metric.filter((e) => e.durationMs > 1),
      Metric.mapEvent({ events: ["disk.write"], f: (e: typeof events[number]) => saved(e.ms) }),
      Metric.mapDimensions(({ duration_ms, total }) => ({ total, duration_ms })),
      Metric.rename("disk.writes"),
      Metric.describe("writes")
    )
    const state = Metric.fold(metric, events)
    assert.strictEqual(Metric.snapshot(metric, state).dimensions.total, 1)
    const stepped = events.reduce(
      (state, event) => Option.getOrElse(metric.reduce(state, event, { time: 0 }), () => state),
      metric.initial
    )
    const encode = Schema.encodeSync(Metric.codec(metric))
    assert.deepStrictEqual(encode(stepped), encode(state))
    assert.strictEqual(Metric.snapshot(metric, Metric.merge(metric, state, state)).dimensions.total, 2)
    assert.deepStrictEqual(encode(state).metric, "disk.writes")
    assert.deepStrictEqual(Object.keys(Metric.instruments(metric)), ["total", "duration_ms"])
    assert.deepStrictEqual(Metric.samples(metric, state).map(({ dimension }) => dimension), ["total", "duration_ms"])
  })

  it.each<[string, () => unknown, string]>([
    [
      "a blank name",
      () => Metric.fromDimensions(" ", [SaveAttempt], (d) => ({ n: d.count() })),
      "Invalid metric: expected the name to be a non-blank string, found \" \""
    ],
    [
      "no function",
      () => Metric.fromDimensions("m", [SaveAttempt], undefined as never),
      "Invalid metric \"m\": expected fromDimensions to be given a function, found undefined"
    ],
    [
      "no dimension",
      () => Metric.fromDimensions("m", [SaveAttempt], () => ({})),
      "Invalid metric \"m\": expected the function to return a record of dimensions, found an object without fields"
    ],
    [
      "a wrong option",
      () => Metric.fromDimensions("m", [SaveAttempt], (d) => ({ n: d.by("a", () => "a", d.count(), { limit: 0 }) })),
      "Invalid metric \"m\": expected option `limit` to be a positive integer, found 0"
    ],
    [
      "what is no dimension",
      () => Metric.fromDimensions("m", [SaveAttempt], () => ({ n: 1 }) as never),
      "Invalid metric \"m\": expected \"n\" to be a dimension, such as d.count(), found 1"
    ],
    [
      "two dimensions of one name",
      () => Metric.fromDimensions("m", [SaveAttempt], (d) => ({ "a.b": d.count(), a: d.struct({ b: d.count() }) })),
      "Invalid metric \"m\": expected every dimension to have a name of its own, found \"a.b\""
    ],
    [
      "two dimensions of one name below labels",
      () =>
        Metric.fromDimensions("m", [SaveAttempt], (d) => ({
          "a.b": d.count(),
          a: d.by("outcome", (e) => e.outcome, d.struct({ b: d.count() }))
        })),
      "Invalid metric \"m\": expected every dimension to have a name of its own, found \"a.b\""
    ],
    [
      "a version that is none",
      () => Metric.fromDimensions("m", [SaveAttempt], (d) => ({ n: d.count() }), { version: 0 }),
      "Invalid metric \"m\": expected `version` to be a positive integer, found 0"
    ],
    [
      "no events",
      () => Metric.fromDimensions("m", [], () => ({ n: Dimension.builder<SaveAttempt>().count() }) as any),
      "Invalid metric \"m\": expected `events` to be a non-empty array, or absent for every event, found an array of 0"
    ]
  ])("refuses %s", (_, define, message) => {
    assert.strictEqual(errorOf(Metric.InvalidMetricError, define).message, message)
  })

  it("refuses __proto__ as the name of a dimension", () => {
    const dimensions = (d: Dimension.Builder<any>): any =>
      Object.defineProperty({}, "__proto__", { value: d.count(), enumerable: true })
    assert.throws(() => Metric.fromDimensions("m", [SaveAttempt], dimensions), /names other than "__proto__"/)
  })
})

describe("Metric.instruments and Metric.samples", () => {
  it("flatten what a metric of dimensions shows", () => {
    assert.deepStrictEqual(Metric.instruments(Saves), {
      total: { kind: "counter", labels: [] },
      failure_total: { kind: "counter", labels: [] },
      duration_ms: { kind: "histogram", unit: "ms", labels: [] },
      newest_ms: { kind: "gauge", unit: "ms", labels: [] },
      "by_outcome.total": { kind: "counter", labels: ["outcome"] },
      "by_outcome.max_ms": { kind: "gauge", labels: ["outcome"] }
    })
    const sample = (dimension: string, kind: string, value: unknown, labels = {}, unit?: string) => ({
      dimension,
      kind,
      unit,
      labels,
      value
    })
    assert.deepStrictEqual(Metric.samples(Saves, Metric.fold(Saves, [saved(4)])) as ReadonlyArray<unknown>, [
      sample("total", "counter", 1),
      sample("failure_total", "counter", 0),
      sample(
        "duration_ms",
        "histogram",
        { count: 1, sum: 4, min: 4, max: 4, boundaries: [1, 10], counts: [0, 1, 0] },
        {},
        "ms"
      ),
      sample("newest_ms", "gauge", 4, {}, "ms"),
      sample("by_outcome.total", "counter", 1, { outcome: "SUCCESS" }),
      sample("by_outcome.max_ms", "gauge", 4, { outcome: "SUCCESS" })
    ])
  })

  it("leave out what is not there yet", () => {
    assert.deepStrictEqual(Metric.samples(Saves, Saves.initial).map(({ dimension }) => dimension), [
      "total",
      "failure_total",
      "duration_ms"
    ])
  })

  it("flatten every kind of dimension, with the labels around it", () => {
    const d = Dimension.builder<SaveAttempt>()
    const ms = (e: SaveAttempt) => e.durationMs
    const M = Metric.fromDimensions("m", [SaveAttempt], () => ({
      by: d.by(
        { outcome: (e) => e.outcome },
        d.by(
          "long",
          (e) => e.durationMs > 10,
          d.struct({
            top: d.topK(ms, { k: 1, label: "ms" }),
            spread: d.variance(ms, { unit: "ms" }),
            quantiles: d.quantiles(ms, { quantiles: [1] }),
            exponential: d.exponentialHistogram(ms)
          })
        )
      ),
      rate: d.rate({ window: "1 second" })
    }))
    const labels = { outcome: "SUCCESS", long: "true" }
    const samples = Metric.samples(M, Metric.fold(M, [saved(20)], { time: 10_000 }), { time: 10_000 })
    assert.deepStrictEqual(
      samples.map(({ dimension, kind, labels, unit, value }) => [
        dimension,
        kind,
        unit,
        labels,
        typeof value === "object" ? value.count : value
      ]),
      [
        ["by.top", "gauge", undefined, { ...labels, ms: "20" }, 1],
        ["by.spread.count", "counter", undefined, labels, 1],
        ["by.spread.mean", "gauge", "ms", labels, 20],
        ["by.spread.variance", "gauge", "(ms)2", labels, 0],
        ["by.spread.stddev", "gauge", "ms", labels, 0],
        ["by.quantiles", "summary", undefined, labels, 1],
        ["by.exponential", "histogram", undefined, labels, 1],
        ["rate", "gauge", "1/s", {}, 1]
      ]
    )
    assert.deepStrictEqual(Metric.instruments(M)["by.top"], { kind: "gauge", labels: ["outcome", "long", "ms"] })
  })

  it("take the kind of a number without an instrument from its name", () => {
    const Hand = Metric.make("m", {
      initial: {
        total: 1,
        errors_total: 2,
        subtotal: 3,
        by: { total: 4n, text: "none", on: true, none: null },
        list: [1]
      },
      reduce: () => Option.none()
    })
    assert.deepStrictEqual(
      Metric.samples(Hand, Hand.initial).map(({ dimension, kind, value }) => [dimension, kind, value]),
      [
        ["total", "counter", 1],
        ["errors_total", "counter", 2],
        ["subtotal", "gauge", 3],
        ["by.total", "counter", 4n]
      ]
    )
    assert.deepStrictEqual(Object.keys(Metric.instruments(Hand)), ["total", "errors_total", "subtotal", "by.total"])
  })

  it("take labels, distributions and units from the instruments of a metric with a reducer", () => {
    const Hand = Metric.make("m", {
      initial: {
        by_route: { "/": 1, "/users": 2 } as Readonly<Record<string, number>>,
        sizes: { count: 1, sum: 3, boundaries: [5], counts: [1, 0] },
        latencies: { count: 1, sum: 3, quantiles: { 0.5: 3 } },
        pairs: [{ labels: { a: "x", b: "y" }, value: 5 }],
        nested: { a: 1 }
      },
      reduce: () => Option.none(),
      instruments: {
        by_route: { label: "http.route", of: { kind: "counter" } },
        sizes: { kind: "histogram", unit: "By" },
        latencies: { kind: "summary" },
        pairs: { labels: ["a", "b"], of: { kind: "gauge" } },
        nested: { dimensions: { a: { kind: "upDownCounter" } } }
      }
    })
    assert.deepStrictEqual(
      Metric.samples(Hand, Hand.initial).map(({ dimension, kind, labels }) => [dimension, kind, labels]),
      [
        ["by_route", "counter", { "http.route": "/" }],
        ["by_route", "counter", { "http.route": "/users" }],
        ["sizes", "histogram", {}],
        ["latencies", "summary", {}],
        ["pairs", "gauge", { a: "x", b: "y" }],
        ["nested.a", "upDownCounter", {}]
      ]
    )
  })

  it("refuse instruments that do not fit what is shown", () => {
    const make = (shown: unknown, instrument: unknown) => () =>
      Metric.make("m", {
        initial: { n: shown } as any,
        reduce: () => Option.none(),
        instruments: { n: instrument } as any
      })
    const messages = [
      make(1, { label: "a", of: { kind: "gauge" } }),
      make({}, { label: " ", of: { kind: "gauge" } }),
      make({}, { labels: ["a"], of: { kind: "gauge" } }),
      make([], { labels: "a", of: { kind: "gauge" } }),
      make([], { items: "a", of: { kind: "timer" } }),
      make({ a: "x" }, { dimensions: { a: { kind: "gauge" } } }),
      make(1, { dimensions: {} }),
      make({}, { dimensions: 1 }),
      make({ count: 1, sum: 1 }, { kind: "summary" }),
      make({ count: 1, sum: 1, boundaries: [] }, { kind: "histogram" })
    ].map((define) => errorOf(Metric.InvalidMetricError, define).message.replace("Invalid metric \"m\": expected ", ""))
    assert.deepStrictEqual(messages, [
      "dimension \"n\" with `label` to show a record, found 1",
      "`label` of dimension \"n\" to name labels, found \" \"",
      "dimension \"n\" with `labels` to show an array, found an object without fields",
      "`labels` of dimension \"n\" to name labels, found \"a\"",
      "the kind of dimension \"n\" to be one of counter, upDownCounter, gauge, histogram, summary, found \"timer\"",
      "dimension \"n.a\" of kind gauge to show a number, or a record of numbers, found \"x\"",
      "dimension \"n\" to show a record, found 1",
      "the instrument of dimension \"n\" to have a record of instruments, found 1",
      "dimension \"n\" of kind summary to show a summary: { count, sum, quantiles }, found an object with the fields count, sum",
      "dimension \"n\" of kind histogram to show a distribution: { count, sum, boundaries, counts }, or what an exponential histogram shows, found an object with the fields count, sum, boundaries"
    ])
  })
})

describe("Metric.merge", () => {
  it("makes of two states the one of all events", () => {
    const [first, ...rest] = attempts
    const merged = Metric.merge(Saves, Metric.fold(Saves, [first!], { time: 1 }), Metric.fold(Saves, rest, { time: 2 }))
    assert.deepStrictEqual(shown(merged), shown(Metric.fold(Saves, attempts)))
    assert.deepStrictEqual(Bytes.pipe(Metric.merge({ total: 1 }, { total: 2 })), { total: 3 })
  })

  it("is possible for metrics of dimensions, and with `combine`", () => {
    assert.deepStrictEqual([Saves, Bytes, Plain].map(Metric.canMerge), [true, true, false])
  })

  it("fails with the reason where it is not possible", () => {
    const other = Metric.fromDimensions("other", [SaveAttempt], (d) => ({
      total: d.count(),
      failure_total: d.count(),
      duration_ms: d.histogram((e) => e.durationMs, { boundaries: [2] }),
      newest_ms: d.count(),
      by_outcome: d.by("outcome", (e) => e.outcome, d.count())
    }))
    const error = errorOf(Metric.MetricMergeError, () => Metric.merge(Saves, Saves.initial, other.initial as any))
    assert.deepStrictEqual([error.name, error.reason, error.cause], [
      "document_storage.saves",
      "duration_ms: the boundaries are [1, 10] and [2]",
      undefined
    ])
    assert.strictEqual(
      errorOf(Metric.MetricMergeError, () => Metric.merge(Plain, { total: 1 }, { total: 1 })).message,
      "Metric \"plain\": expected a metric with `combine`, or one made of dimensions"
    )
    const cause = new Error("odd")
    const Odd = Metric.make("odd", {
      initial: { total: 0 },
      reduce: () => Option.none(),
      combine: {
        combine: () => {
          throw cause
        }
      }
    })
    const thrown = errorOf(Metric.MetricMergeError, () => Metric.merge(Odd, { total: 1 }, { total: 1 }))
    assert.deepStrictEqual([thrown.reason, thrown.cause], ["odd", cause])
  })
})

describe("Metric.diff", () => {
  it("is what came in between; gauges and extremes are as they are later", () => {
    const earlier = Metric.fold(Saves, attempts)
    const later = Metric.merge(Saves, earlier, Metric.fold(Saves, [failed(2), failed(3)], { time: 5 }))
    assert.deepStrictEqual(shown(Metric.diff(Saves, later, earlier)), {
      total: 2,
      failure_total: 2,
      duration_ms: { count: 2, sum: 5, min: 0.5, max: 20, boundaries: [1, 10], counts: [0, 2, 0] },
      newest_ms: 3,
      by_outcome: { SUCCESS: { total: 0, max_ms: 20 }, FAILURE: { total: 2, max_ms: 4 } }
    })
  })

  it("of a state that began anew is that state", () => {
    const earlier = Metric.fold(Saves, attempts)
    const later = Metric.fold(Saves, [saved(1)])
    assert.deepStrictEqual(shown(Metric.diff(Saves, later, earlier)), shown(later))
    assert.deepStrictEqual(shown(Saves.pipe(Metric.diff(later, earlier))), shown(later))
  })

  it("needs dimensions", () => {
    assert.strictEqual(
      errorOf(Metric.MetricMergeError, () => Metric.diff(Bytes, { total: 2 }, { total: 1 })).message,
      "Metric \"bytes\": expected a metric made of dimensions, found one with a reducer"
    )
  })
})

describe("Metric.codec", () => {
  const encode = Schema.encodeSync(Metric.codec(Saves))
  const decode = Schema.decodeUnknownSync(Metric.codec(Saves))

  it("stores a state as JSON, and brings it back", () => {
    const state = Metric.fold(Saves, attempts, { time: 7 })
    const stored = JSON.parse(JSON.stringify(encode(state)))
    assert.deepStrictEqual([stored.metric, stored.version], ["document_storage.saves", 1])
    assert.deepStrictEqual(shown(decode(stored)), shown(state))
    assert.deepStrictEqual(shown(Metric.merge(Saves, decode(stored), state)).total, 6)
    assert.deepStrictEqual(
      Schema.decodeUnknownSync(Metric.codec(Bytes))({ metric: "bytes", version: 3, state: { total: 2 } }),
      {
        total: 2
      }
    )
  })

  it.each<[string, (stored: any) => unknown, string[]]>([
    [
      "another metric",
      (stored) => ({ ...stored, metric: "other" }),
      ["Expected the state of metric \"document_storage.saves\", found that of \"other\""]
    ],
    [
      "another version",
      (stored) => ({ ...stored, version: 2 }),
      ["Expected version 1 of metric \"document_storage.saves\", found version 2"]
    ],
    ["a missing part", ({ metric, state }) => ({ metric, state }), ["version"]],
    [
      "another shape",
      (stored) => ({ ...stored, state: { ...stored.state, dimensions: { ...stored.state.dimensions, total: "3" } } }),
      [
        "The stored state of metric \"document_storage.saves\", version 1: Expected ",
        "found \"3\" at state.dimensions.total"
      ]
    ],
    [
      "a dimension more",
      (stored) => ({ ...stored, state: { ...stored.state, dimensions: { ...stored.state.dimensions, more: 1 } } }),
      ["\"document_storage.saves\", version 1: ", "state.dimensions.more"]
    ],
    [
      "a dimension less",
      ({ state: { dimensions: { total: _, ...dimensions }, skipped }, ...stored }) => ({
        ...stored,
        state: { dimensions, skipped }
      }),
      ["\"document_storage.saves\", version 1: Missing key at state.dimensions.total"]
    ],
    [
      "a series with the name of the overflow",
      (stored) => {
        const { dimensions, skipped } = stored.state
        const { over, series } = dimensions.by_outcome
        const by_outcome = { series: [...series, [[Dimension.overflowKey], series[0][1]]], over }
        return { ...stored, state: { dimensions: { ...dimensions, by_outcome }, skipped } }
      },
      ["Expected no label \"otel.metric.overflow\""]
    ],
    [
      "a very long text",
      (stored) => ({ ...stored, metric: "x".repeat(100_000) }),
      ["found that of \"xxx"]
    ],
    [
      "other boundaries",
      (stored) => {
        const { dimensions, skipped } = stored.state
        const duration_ms = { ...dimensions.duration_ms, boundaries: [2, 20] }
        return { ...stored, state: { dimensions: { ...dimensions, duration_ms }, skipped } }
      },
      ["[1, 10]", "[2, 20]"]
    ],
    [
      "a series that is there twice",
      (stored) => {
        const { dimensions, skipped } = stored.state
        const { over, series } = dimensions.by_outcome
        const by_outcome = { series: [...series, series[0]], over }
        return { ...stored, state: { dimensions: { ...dimensions, by_outcome }, skipped } }
      },
      ["every combination of labels to be there once"]
    ],
    ["nothing", () => null, ["null"]]
  ])("refuses %s, and says what was expected and found", (_, change, parts) => {
    const stored = change(encode(Metric.fold(Saves, attempts)))
    const { message } = errorOf(Error, () => decode(stored))
    for (const part of parts) assert.include(message, part)
  })

  it("needs a schema of the state", () => {
    assert.strictEqual(
      errorOf(Metric.InvalidMetricError, () => Metric.codec(Plain)).message,
      "Invalid metric \"plain\": expected `state` to be a Schema, or the metric to be made of dimensions, found undefined"
    )
  })
})
