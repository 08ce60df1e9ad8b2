import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Option, Schema } from "effect"
import { Event, Metric } from "mvx-metrics"

class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
  outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
  durationMs: Schema.Finite
}) {}

class Removed extends Event.Class<Removed>()("document_storage.removed", {}) {}

const saved = (durationMs: number) => new SaveAttempt({ outcome: "SUCCESS", durationMs })
const failed = (durationMs: number) => new SaveAttempt({ outcome: "FAILURE", durationMs })

const SaveAttempts = Metric.make("document_storage.save.attempts", {
  events: [SaveAttempt],
  initial: { total: 0, success_total: 0, failure_total: 0 },
  reduce: (state, event) =>
    Option.some({
      total: state.total + 1,
      success_total: state.success_total + (event.outcome === "SUCCESS" ? 1 : 0),
      failure_total: state.failure_total + (event.outcome === "FAILURE" ? 1 : 0)
    })
})

const SaveDuration = Metric.make("document_storage.save.average_duration", {
  events: [SaveAttempt],
  initial: { total: 0, duration_ms_total: 0 },
  reduce: (s, e) => Option.some({ total: s.total + 1, duration_ms_total: s.duration_ms_total + e.durationMs }),
  dimensions: (s) => ({ ...s, average_duration_ms: s.total === 0 ? 0 : s.duration_ms_total / s.total })
})

/** Every optional part given, to see that combinators keep it. */
const Complete = Metric.make("complete", {
  events: [SaveAttempt],
  description: "all parts",
  initial: { total: 0, last: 0 },
  reduce: (s, e, meta) => Option.some({ total: s.total + e.durationMs, last: meta.time }),
  instruments: { total: { kind: "counter", unit: "ms" }, last: { kind: "gauge" } },
  combine: { combine: (a, b) => ({ total: a.total + b.total, last: Math.max(a.last, b.last) }) },
  state: Schema.Struct({ total: Schema.Finite, last: Schema.Finite }),
  version: 2
})

const messageOf = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    if (error instanceof Metric.InvalidMetricError) return error.message
    throw error
  }
  return assert.fail("expected a throw")
}

describe("Metric.fold", () => {
  it("folds events into a state, from the initial one", () => {
    const state = Metric.fold(SaveAttempts, [saved(1), failed(2), saved(3)])
    assert.deepStrictEqual(state, { total: 3, success_total: 2, failure_total: 1 })
    assert.deepStrictEqual(SaveAttempts.initial, { total: 0, success_total: 0, failure_total: 0 })
  })

  it("lets several metrics read one event in their own ways", () => {
    const events = [saved(1), failed(4)]
    assert.deepStrictEqual(Metric.fold(SaveDuration, events), { total: 2, duration_ms_total: 5 })
    assert.strictEqual(Metric.fold(SaveAttempts, events).failure_total, 1)
  })

  it("passes over events that the metric did not name, and keeps the state for None", () => {
    const Long = Metric.make("long", {
      events: [SaveAttempt],
      initial: { total: 0 },
      reduce: (s, e) => e.durationMs > 10 ? Option.some({ total: s.total + 1 }) : Option.none()
    })
    assert.deepStrictEqual(Metric.fold(Long, [new Removed(), saved(1), saved(11)]), { total: 1 })
  })

  it("offers every event to a metric without `events`", () => {
    const All = Metric.make("all", { initial: { total: 0 }, reduce: (s) => Option.some({ total: s.total + 1 }) })
    assert.deepStrictEqual(Metric.fold(All, [new Removed(), saved(1), { _tag: "other" }]), { total: 3 })
  })

  it("tells reducers the given time, or the event's own", () => {
    const Last = Metric.make("last", {
      initial: { at: -1 },
      reduce: (_, __: { readonly _tag: string; readonly time?: number }, meta) => Option.some({ at: meta.time })
    })
    assert.deepStrictEqual(Metric.fold(Last, [{ _tag: "a" }]), { at: 0 })
    assert.deepStrictEqual(Metric.fold(Last, [{ _tag: "a" }], { time: 7 }), { at: 7 })
    assert.deepStrictEqual(Metric.fold(Last, [{ _tag: "a", time: 5 }], { time: 7 }), { at: 5 })
    assert.deepStrictEqual(Metric.fold(Last, [{ _tag: "a", time: NaN }], { time: 7 }), { at: 7 })
  })

  it("can be called data-last", () => {
    assert.deepStrictEqual(SaveAttempts.pipe(Metric.fold([saved(1)])).total, 1)
    assert.deepStrictEqual(SaveDuration.pipe(Metric.snapshot({ total: 2, duration_ms_total: 4 })).dimensions, {
      total: 2,
      duration_ms_total: 4,
      average_duration_ms: 2
    })
  })

  it("lets a reducer's defect through, and refuses a result that is no Option", () => {
    const defect = new Error("boom")
    const Throwing = Metric.make("throwing", {
      initial: {},
      reduce: () => {
        throw defect
      }
    })
    assert.throws(() => Metric.fold(Throwing, [saved(1)]), "boom")
    const Wrong = Metric.make("wrong", { initial: {}, reduce: () => ({}) as never })
    assert.strictEqual(
      messageOf(() => Metric.fold(Wrong, [saved(1)])),
      "Invalid metric \"wrong\": expected `reduce` to return an Option, found an object without fields"
    )
  })

  it.effect.prop("of two lists is the fold of the second from where the first ended", [
    Schema.Array(SaveAttempt),
    Schema.Array(SaveAttempt)
  ], ([left, right]) =>
    Effect.sync(() => {
      const initial = Metric.fold(SaveAttempts, left)
      const resumed = Metric.make("resumed", {
        events: [SaveAttempt],
        initial,
        reduce: SaveAttempts.reduce
      })
      assert.deepStrictEqual(Metric.fold(resumed, right), Metric.fold(SaveAttempts, [...left, ...right]))
    }))
})

describe("Metric.snapshot", () => {
  it("shows the state, or the view of it", () => {
    assert.deepStrictEqual(Metric.snapshot(SaveAttempts, SaveAttempts.initial), {
      name: "document_storage.save.attempts",
      dimensions: { total: 0, success_total: 0, failure_total: 0 }
    })
    assert.deepStrictEqual(Metric.snapshot(SaveDuration, { total: 3, duration_ms_total: 7.5 }), {
      name: "document_storage.save.average_duration",
      dimensions: { total: 3, duration_ms_total: 7.5, average_duration_ms: 2.5 }
    })
  })

  it("tells the view the time of the read", () => {
    const Age = Metric.make("age", {
      initial: { since: 100 },
      reduce: () => Option.none(),
      dimensions: (s, meta) => ({ age_ms: meta.time - s.since })
    })
    assert.deepStrictEqual(Metric.snapshot(Age, { since: 100 }, { time: 350 }).dimensions, { age_ms: 250 })
  })

  it("is a frozen copy, all the way down, that keeps own keys and prototypes", () => {
    const series = Object.assign(Object.create(null), { "": 1, constructor: 2 })
    Object.defineProperty(series, "__proto__", { value: { n: 3 }, enumerable: true })
    const state = { list: [{ n: 1 }], series, at: new Date(5), seen: new Set(["a"]), by: new Map([["a", { n: 1 }]]) }
    const Deep = Metric.make("deep", { initial: state, reduce: () => Option.none() })
    const { dimensions } = Metric.snapshot(Deep, state)
    assert.deepStrictEqual(dimensions, state)
    assert.isTrue(
      Object.isFrozen(dimensions) && Object.isFrozen(dimensions.list) && Object.isFrozen(dimensions.list[0])
    )
    assert.isNull(Object.getPrototypeOf(dimensions.series))
    assert.deepStrictEqual(Object.keys(dimensions.series), ["", "constructor", "__proto__"])
    state.list[0]!.n = 2
    state.at.setTime(9)
    state.seen.add("b")
    state.by.get("a")!.n = 2
    assert.strictEqual(dimensions.list[0]!.n, 1)
    assert.strictEqual(dimensions.at.getTime(), 5)
    assert.strictEqual(dimensions.seen.size, 1)
    assert.strictEqual(dimensions.by.get("a")!.n, 1)
    assert.isFalse(Object.isFrozen(state))
  })
})

describe("Metric.make", () => {
  class Classic extends Data.TaggedClass("classic")<{ readonly n: number }> {}
  class Validated extends Schema.TaggedClass<Validated>()("validated", { n: Schema.Finite }) {}
  const reduce = () => Option.none()

  it("reads the tags of classes, and names each once", () => {
    const metric = Metric.make("a", { events: [SaveAttempt, Validated, "plain", "plain"], initial: {}, reduce })
    assert.deepStrictEqual(metric.tags, ["document_storage.save.attempt", "validated", "plain"])
    assert.isUndefined(Metric.make("a", { initial: {}, reduce }).tags)
  })

  it("is recognised by isMetric, and is immutable", () => {
    assert.isTrue(Metric.isMetric(SaveAttempts))
    assert.isFalse(Metric.isMetric({ ...SaveAttempts, name: "copy" }))
    assert.isTrue(Object.isFrozen(SaveAttempts))
  })

  it("accepts a view that throws on the initial state", () => {
    const metric = Metric.make("a", {
      initial: {},
      reduce,
      dimensions: (): { readonly n: number } => {
        throw new Error("boom")
      },
      instruments: { n: { kind: "counter" } }
    })
    assert.deepStrictEqual(metric.instruments, { n: { kind: "counter" } })
  })

  const make = (definition: object) =>
    messageOf(() => Metric.make("m", { initial: { n: 0 }, reduce, ...definition } as never))

  it("says which part of a definition is wrong, and why", () => {
    assert.deepStrictEqual(
      [
        messageOf(() => Metric.make(" ", { initial: {}, reduce })),
        messageOf(() => Metric.make(1 as never, { initial: {}, reduce })),
        messageOf(() => Metric.make("m", null as never)),
        make({ initial: undefined }),
        make({ initial: 1 }),
        make({ initial: [1] }),
        make({ reduce: "count" }),
        make({ dimensions: {} }),
        make({ events: [] }),
        make({ events: "a.b" }),
        make({ events: ["a", ""] }),
        make({ events: [Classic] }),
        make({ events: [{ tag: "object" }] }),
        make({ combine: {} }),
        make({ state: {} }),
        make({ version: 0 }),
        make({ version: 1.5 })
      ],
      [
        "Invalid metric: expected the name to be a non-blank string, found \" \"",
        "Invalid metric: expected the name to be a non-blank string, found 1",
        "Invalid metric \"m\": expected a definition, found null",
        "Invalid metric \"m\": expected `initial` to be given, found undefined",
        "Invalid metric \"m\": expected `initial` to be a record, or `dimensions` to make one of it, found 1",
        "Invalid metric \"m\": expected `initial` to be a record, or `dimensions` to make one of it, found an array of 1",
        "Invalid metric \"m\": expected `reduce` to be a function, found \"count\"",
        "Invalid metric \"m\": expected `dimensions` to be a function, found an object without fields",
        "Invalid metric \"m\": expected `events` to be a non-empty array, or absent for every event, found an array of 0",
        "Invalid metric \"m\": expected `events` to be a non-empty array, or absent for every event, found \"a.b\"",
        "Invalid metric \"m\": expected `events` to hold tags, or event classes with a readable tag, found \"\"",
        "Invalid metric \"m\": expected `events` to hold tags, or event classes with a readable tag, found function Classic",
        "Invalid metric \"m\": expected `events` to hold tags, or event classes with a readable tag, found an object with the fields tag",
        "Invalid metric \"m\": expected `combine` to be a Combiner, found an object without fields",
        "Invalid metric \"m\": expected `state` to be a Schema, found an object without fields",
        "Invalid metric \"m\": expected `version` to be a positive integer, found 0",
        "Invalid metric \"m\": expected `version` to be a positive integer, found 1.5"
      ]
    )
  })

  it("refuses instruments that do not fit the dimensions", () => {
    assert.deepStrictEqual(
      [
        make({ instruments: { other: { kind: "counter" } } }),
        make({ instruments: { n: { kind: "timer" } } }),
        make({ instruments: { n: { kind: "gauge", unit: 1 } } }),
        make({ instruments: { n: { kind: "histogram" } } }),
        make({ initial: { n: "text" }, instruments: { n: { kind: "counter" } } }),
        make({ instruments: "counter" })
      ],
      [
        "Invalid metric \"m\": expected `instruments` to name dimensions among n, found \"other\"",
        "Invalid metric \"m\": expected the kind of dimension \"n\" to be one of counter, upDownCounter, gauge, histogram, summary, found \"timer\"",
        "Invalid metric \"m\": expected the unit of dimension \"n\" to be a string, found 1",
        "Invalid metric \"m\": expected dimension \"n\" of kind histogram to show a distribution: { count, sum, boundaries, counts }, or what an exponential histogram shows, found 0",
        "Invalid metric \"m\": expected dimension \"n\" of kind counter to show a number, or a record of numbers, found \"text\"",
        "Invalid metric \"m\": expected `instruments` to be a record, found \"counter\""
      ]
    )
  })

  it("refuses a view that shows something else than a record, and numbers that are none", () => {
    assert.deepStrictEqual(
      [
        make({ dimensions: () => 1 }),
        make({ dimensions: () => [1] }),
        make({ initial: { n: [1] }, instruments: { n: { kind: "counter" } } }),
        make({ initial: { n: null }, instruments: { n: { kind: "gauge" } } })
      ],
      [
        "Invalid metric \"m\": expected `dimensions` to show a record, found 1",
        "Invalid metric \"m\": expected `dimensions` to show a record, found an array of 1",
        "Invalid metric \"m\": expected dimension \"n\" of kind counter to show a number, or a record of numbers, found an array of 1",
        "Invalid metric \"m\": expected dimension \"n\" of kind gauge to show a number, or a record of numbers, found null"
      ]
    )
  })

  it("cannot be changed afterwards", () => {
    assert.isTrue(Object.isFrozen(Complete.instruments) && Object.isFrozen(Complete.tags))
  })

  it("refuses a dimension that stands twice", () => {
    assert.strictEqual(
      make({ initial: { "a.b": 1, a: { b: 2 } } }),
      "Invalid metric \"m\": expected every dimension to have a name of its own, found \"a.b\""
    )
  })

  it("refuses a view that holds itself", () => {
    const a: Record<string, unknown> = { b: 1 }
    a.itself = a
    assert.strictEqual(
      make({ initial: { a } }),
      "Invalid metric \"m\": expected a view that does not hold itself, found \"a.itself\""
    )
  })
})

describe("combinators", () => {
  const kept = ({ combine, instruments, state, version }: Metric.Any) => ({ combine, instruments, state, version })

  it("each keep how the metric is merged, stored and exported", () => {
    const f = (e: { readonly _tag: "other"; readonly ms: number }) => saved(e.ms)
    const derived: ReadonlyArray<Metric.Any> = [
      Complete.pipe(Metric.filter((e) => e.durationMs > 1)),
      Complete.pipe(Metric.mapEvent({ events: ["other"], f })),
      Complete.pipe(Metric.mapDimensions((d) => ({ ...d, more: 1 }))),
      Complete.pipe(Metric.rename("renamed")),
      Complete.pipe(Metric.describe("described"))
    ]
    for (const metric of derived) {
      assert.deepStrictEqual(kept(metric), kept(Complete))
      assert.isTrue(Metric.isMetric(metric))
    }
    assert.deepStrictEqual(derived.map((metric) => metric.description), [
      ...Array.from({ length: 4 }, () => "all parts"),
      "described"
    ])
    assert.strictEqual(Complete.name, "complete")
  })

  it("filter passes on only events for which the predicate holds", () => {
    const metric = Metric.filter(SaveAttempts, (e) => e.outcome === "FAILURE")
    assert.deepStrictEqual(Metric.fold(metric, [saved(1), failed(1)]), { total: 1, success_total: 0, failure_total: 1 })
  })

  it.effect.prop(
    "filter with a predicate that always holds changes nothing",
    [Schema.Array(SaveAttempt)],
    ([events]) =>
      Effect.sync(() =>
        assert.deepStrictEqual(Metric.fold(Metric.filter(Complete, () => true), events), Metric.fold(Complete, events))
      )
  )

  it("mapEvent folds other events, at the time that they or what they become carry", () => {
    const other = (ms: number, more: object = {}) => ({ _tag: "other" as const, ms, ...more })
    const metric = Metric.mapEvent(Complete, { events: ["other"], f: (e: ReturnType<typeof other>) => saved(e.ms) })
    assert.deepStrictEqual(metric.tags, ["other"])
    assert.deepStrictEqual(Metric.fold(metric, [saved(9), other(2)], { time: 4 }), { total: 2, last: 4 })
    assert.deepStrictEqual(Metric.fold(metric, [other(2, { time: 3 })], { time: 4 }), { total: 2, last: 3 })
    const timed = Metric.mapEvent(Complete, {
      events: [Removed],
      f: () => Object.assign(saved(1), { time: 8 })
    })
    assert.deepStrictEqual(Metric.fold(timed, [new Removed()]), { total: 1, last: 8 })
  })

  it("mapEvent without events is offered every event", () => {
    const metric = Metric.mapEvent(Complete, { f: (_: Event.MetricEvent) => saved(1) })
    assert.isUndefined(metric.tags)
    assert.deepStrictEqual(Metric.fold(metric, [{ _tag: "x" }, { _tag: "y" }]).total, 2)
  })

  it("mapDimensions changes the view, and lets go instruments of dimensions that are no longer shown", () => {
    const metric = Metric.mapDimensions(Complete, (d, meta) => ({ total: d.total, read_at: meta.time }))
    assert.deepStrictEqual(Metric.snapshot(metric, { total: 2, last: 1 }, { time: 5 }).dimensions, {
      total: 2,
      read_at: 5
    })
    assert.deepStrictEqual(metric.instruments, { total: { kind: "counter", unit: "ms" } })
  })

  it("check what they make as a definition is checked", () => {
    assert.deepStrictEqual(
      [
        messageOf(() => Metric.filter(Complete, 5 as never)),
        messageOf(() => Metric.mapEvent(Complete, { events: ["x"], f: 5 as never })),
        messageOf(() => Metric.mapDimensions(Complete, 5 as never)),
        messageOf(() => Metric.mapDimensions(Complete, () => ({ total: "text" }))),
        messageOf(() => Metric.mapDimensions(Complete, () => ({ "a.b": 1, a: { b: 2 } })))
      ],
      [
        "Invalid metric \"complete\": expected filter to be given a function, found 5",
        "Invalid metric \"complete\": expected mapEvent to be given a function, found 5",
        "Invalid metric \"complete\": expected mapDimensions to be given a function, found 5",
        "Invalid metric \"complete\": expected dimension \"total\" of kind counter to show a number, or a record of numbers, found \"text\"",
        "Invalid metric \"complete\": expected every dimension to have a name of its own, found \"a.b\""
      ]
    )
  })

  it("rename refuses a blank name", () => {
    assert.strictEqual(
      messageOf(() => Metric.rename(SaveAttempts, "")),
      "Invalid metric: expected the name to be a non-blank string, found \"\""
    )
  })
})
