import { Data, Option, Schema } from "effect"
import { Dimension, Event, Metric } from "mvx-metrics"
import { describe, expectTypeOf, it } from "vitest"

class SaveAttempt extends Event.Class<SaveAttempt>()("save.attempt", {
  outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
  durationMs: Schema.Finite,
  note: Schema.optionalKey(Schema.String)
}) {}

class Removed extends Event.Class<Removed>()("removed", {}) {}

class Validated extends Schema.TaggedClass<Validated>()("validated", { n: Schema.Finite }) {}

class Classic extends Data.TaggedClass("classic")<{ readonly n: number }> {}

describe("Event.Class", () => {
  it("types the fields and the tag", () => {
    const event = new SaveAttempt({ outcome: "SUCCESS", durationMs: 1 })
    expectTypeOf(event._tag).toEqualTypeOf<"save.attempt">()
    expectTypeOf(event.outcome).toEqualTypeOf<"SUCCESS" | "FAILURE">()
    expectTypeOf(event).toHaveProperty("note").toEqualTypeOf<string | undefined>()
    expectTypeOf(SaveAttempt.tag).toEqualTypeOf<"save.attempt">()
    expectTypeOf<typeof SaveAttempt["Type"]>().toEqualTypeOf<SaveAttempt>()
  })

  it("wants every required field, and none that is not there", () => {
    // @ts-expect-error durationMs is missing
    const missing = () => new SaveAttempt({ outcome: "SUCCESS" })
    // @ts-expect-error an optional field is absent, not undefined
    const undefinedField = () => new SaveAttempt({ outcome: "SUCCESS", durationMs: 1, note: undefined })
    // @ts-expect-error there is no such field
    const unknown = () => new SaveAttempt({ outcome: "SUCCESS", durationMs: 1, other: 1 })
    // @ts-expect-error a required argument
    const nothing = () => new SaveAttempt()
    const empty = () => new Removed()
    // @ts-expect-error fields are readonly
    const assign = (event: SaveAttempt) => void (event.durationMs = 2)
    // @ts-expect-error the class names itself
    const unnamed = () => class extends Event.Class()("x", {}) {}
    void [missing, undefinedField, unknown, nothing, empty, assign, unnamed]
  })

  it("decodes a union into its members", () => {
    const decode = Event.decode(Event.union(SaveAttempt, Removed))
    type Decoded = ReturnType<typeof decode> extends import("effect").Effect.Effect<infer A, infer E> ? [A, E] : never
    expectTypeOf<Decoded[0]>().toEqualTypeOf<SaveAttempt | Removed>()
    expectTypeOf<Decoded[1]>().toEqualTypeOf<Event.UnknownEventError | Schema.SchemaError>()
  })
})

describe("Metric.make", () => {
  it("infers the event from the classes, the state from `initial`, the dimensions from the view", () => {
    const SaveDuration = Metric.make("save.average_duration", {
      events: [SaveAttempt],
      initial: { total: 0, duration_ms_total: 0 },
      reduce: (s, e, meta) => {
        expectTypeOf(s).toEqualTypeOf<{ total: number; duration_ms_total: number }>()
        expectTypeOf(e).toEqualTypeOf<SaveAttempt>()
        expectTypeOf(meta).toEqualTypeOf<Metric.Meta>()
        return Option.some({ total: s.total + 1, duration_ms_total: s.duration_ms_total + e.durationMs })
      },
      dimensions: (s) => ({ ...s, average_duration_ms: s.total === 0 ? 0 : s.duration_ms_total / s.total })
    })
    expectTypeOf(SaveDuration).toEqualTypeOf<
      Metric.Metric<
        "save.average_duration",
        SaveAttempt,
        { total: number; duration_ms_total: number },
        { average_duration_ms: number; total: number; duration_ms_total: number }
      >
    >()
    expectTypeOf(Metric.snapshot(SaveDuration, SaveDuration.initial).dimensions.average_duration_ms).toBeNumber()
    expectTypeOf(Metric.snapshot(SaveDuration, SaveDuration.initial).name).toEqualTypeOf<"save.average_duration">()
  })

  it("shows the state where there is no view", () => {
    const Count = Metric.make("count", {
      events: [SaveAttempt, Removed],
      initial: { total: 0 },
      reduce: (state, event) => {
        expectTypeOf(event).toEqualTypeOf<SaveAttempt | Removed>()
        return Option.some({ total: state.total + 1 })
      }
    })
    expectTypeOf<Metric.DimensionsOf<typeof Count>>().toEqualTypeOf<{ total: number }>()
    expectTypeOf<Metric.StateOf<typeof Count>>().toEqualTypeOf<{ total: number }>()
    expectTypeOf<Metric.EventOf<typeof Count>>().toEqualTypeOf<SaveAttempt | Removed>()
  })

  it("takes schema classes, tags and annotated events", () => {
    Metric.make("a", {
      events: [Validated, "plain"],
      initial: 0,
      reduce: (n, e) => {
        expectTypeOf(n).toBeNumber()
        expectTypeOf(e).toEqualTypeOf<Validated | { readonly _tag: "plain" }>()
        return Option.some(n + 1)
      },
      dimensions: (n) => ({ n })
    })
    const byTag = Metric.make("b", {
      events: ["classic"],
      initial: { n: 0 },
      reduce: (s, e: Classic) => Option.some({ n: s.n + e.n })
    })
    expectTypeOf<Metric.EventOf<typeof byTag>>().toEqualTypeOf<Classic>()
    const all = Metric.make("c", { initial: { n: 0 }, reduce: (s, e) => Option.some({ n: s.n + e._tag.length }) })
    expectTypeOf<Metric.EventOf<typeof all>>().toEqualTypeOf<Event.MetricEvent>()
  })

  it("refuses a state of another shape, instruments of other dimensions, and classes without a tag", () => {
    const wrong = () => [
      Metric.make("a", {
        events: [Removed],
        initial: { total: 0 },
        // @ts-expect-error the state lacks `total`
        reduce: () => Option.some({})
      }),
      Metric.make("a", {
        events: [Removed],
        initial: { total: 0 },
        reduce: () => Option.none(),
        // @ts-expect-error no such dimension
        instruments: { other: { kind: "counter" } }
      }),
      Metric.make("a", {
        // @ts-expect-error a class whose tag cannot be read
        events: [Classic],
        initial: {},
        reduce: () => Option.none()
      })
    ]
    void wrong
  })
})

describe("combinators", () => {
  const Count = Metric.make("count", {
    events: [SaveAttempt],
    initial: { total: 0 },
    reduce: (s) => Option.some({ total: s.total + 1 })
  })

  it("infer in both forms", () => {
    const first = Metric.filter(Count, (e) => e.durationMs > 1)
    const last = Count.pipe(Metric.filter((e) => e.durationMs > 1))
    expectTypeOf(first).toEqualTypeOf(Count)
    expectTypeOf(last).toEqualTypeOf(Count)
    expectTypeOf(Count.pipe(Metric.rename("renamed")).name).toEqualTypeOf<"renamed">()
    expectTypeOf(Metric.rename(Count, "renamed").name).toEqualTypeOf<"renamed">()
    const mapped = Count.pipe(Metric.mapDimensions((d) => ({ twice: d.total * 2 })))
    expectTypeOf<Metric.DimensionsOf<typeof mapped>>().toEqualTypeOf<{ twice: number }>()
    const f = () => new SaveAttempt({ outcome: "SUCCESS", durationMs: 1 })
    const other = Count.pipe(Metric.mapEvent({ events: [Removed], f }))
    expectTypeOf<Metric.EventOf<typeof other>>().toEqualTypeOf<Removed>()
    expectTypeOf(Metric.mapEvent(Count, { events: [Removed], f })).toEqualTypeOf(other)
  })
})

describe("Metric.fromDimensions", () => {
  const Saves = Metric.fromDimensions("saves", [SaveAttempt], (d) => ({
    total: d.count({ when: (e) => e.outcome === "FAILURE" }),
    duration_ms: d.histogram((e) => e.durationMs, { unit: "ms" }),
    quantiles: d.quantiles((e) => e.durationMs, { quantiles: [0.5, 0.99] }),
    mean: d.mean((e) => e.durationMs),
    by_outcome: d.by("outcome", (e) => e.outcome, d.count()),
    by_note: d.by("note", (e) => e.note, d.struct({ n: d.count() })),
    by_ms: d.by("ms", (e) => e.durationMs, d.count()),
    by_both: d.by({ outcome: (e) => e.outcome, note: (e) => e.note }, d.count())
  }))
  type Shown = Metric.DimensionsOf<typeof Saves>

  it("infers the event, and types what is shown", () => {
    expectTypeOf<Metric.EventOf<typeof Saves>>().toEqualTypeOf<SaveAttempt>()
    expectTypeOf<Shown["total"]>().toEqualTypeOf<number>()
    expectTypeOf<Shown["duration_ms"]["count"]>().toEqualTypeOf<number>()
    expectTypeOf<Shown["mean"]>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Shown["quantiles"]["quantiles"][0.99]>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Shown["by_outcome"]["SUCCESS"]>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Shown["by_outcome"]["otel.metric.overflow"]>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Shown["by_note"][string]["n"]>().toEqualTypeOf<number>()
    expectTypeOf<Shown["by_ms"][404]>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Shown["by_both"][number]["labels"]["note"]>().toEqualTypeOf<string | undefined>()
    expectTypeOf<Shown["by_both"][number]["value"]>().toEqualTypeOf<number>()
  })

  it("takes events by tag, with the builder annotated", () => {
    type Hit = { readonly _tag: "hit"; readonly bytes: number }
    const Hits = Metric.fromDimensions(
      "hits",
      ["hit"],
      (d: Dimension.Builder<Hit>) => ({ bytes: d.sum((e) => e.bytes) })
    )
    expectTypeOf<Metric.EventOf<typeof Hits>>().toEqualTypeOf<Hit>()
    // @ts-expect-error another tag
    const wrong = () => Metric.fromDimensions("hits", ["miss"], (d: Dimension.Builder<Hit>) => ({ n: d.count() }))
    void wrong
  })

  it("refuses what does not fit", () => {
    const wrong = () =>
      Metric.fromDimensions("saves", [SaveAttempt], (d) => ({
        // @ts-expect-error no such field
        size: d.sum((e) => e.size),
        // @ts-expect-error not a number
        outcome: d.sum((e) => e.outcome),
        // @ts-expect-error an object is no label
        by: d.by("event", (e) => e, d.count()),
        // @ts-expect-error a label without a dimension
        none: d.by("outcome", (e) => e.outcome),
        // @ts-expect-error neither
        limited: d.by("outcome", (e) => e.outcome, d.count(), { onLimit: "keep" })
      }))
    const size = Dimension.builder<{ readonly _tag: "other"; readonly size: number }>().sum((e) => e.size)
    // @ts-expect-error a dimension of other events
    const others = () => Metric.fromDimensions("saves", [SaveAttempt], () => ({ size }))
    const Other = Metric.fromDimensions("other", [SaveAttempt], (d) => ({ total: d.count() }))
    // @ts-expect-error the state of another metric
    const other = () => Metric.merge(Saves, Saves.initial, Other.initial)
    void [wrong, others, other]
  })
})
