import { Data, Option, Schema } from "effect"
import { Event, Metric } from "mvx-metrics"
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
