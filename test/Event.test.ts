import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Equal, Schema } from "effect"
import { Event } from "mvx-metrics"
import { spawnSync } from "node:child_process"
import { interpretConstructor } from "../src/internal/eventConstructor.ts"

class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
  outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
  durationMs: Schema.Finite,
  reason: Schema.optionalKey(Schema.String)
}) {
  get failed(): boolean {
    return this.outcome === "FAILURE"
  }
}

class Expired extends Event.Class<Expired>()("cache.expired", { at: Schema.Date }) {}

class Tick extends Event.Class<Tick>()("clock.tick", {}) {}

const StorageEvent = Event.union(SaveAttempt, Expired, Tick)

const caught = (f: () => unknown): unknown => {
  try {
    f()
  } catch (error) {
    return error
  }
  return assert.fail("expected a throw")
}

describe("Event.Class", () => {
  it("assigns the tag and the fields as own properties, in the order of the definition", () => {
    const event = new SaveAttempt({ reason: "disk full", durationMs: 2.5, outcome: "FAILURE" })
    assert.deepStrictEqual(Object.entries(event), [
      ["_tag", "document_storage.save.attempt"],
      ["outcome", "FAILURE"],
      ["durationMs", 2.5],
      ["reason", "disk full"]
    ])
    assert.strictEqual(SaveAttempt.tag, "document_storage.save.attempt")
  })

  it("keeps the members of the class body and is an instance of it", () => {
    const event = new SaveAttempt({ outcome: "FAILURE", durationMs: 1 })
    assert.isTrue(event.failed)
    assert.isTrue(event instanceof SaveAttempt)
    assert.strictEqual(event.constructor, SaveAttempt)
  })

  it("leaves an optional field absent that is not given or is undefined", () => {
    assert.isFalse("reason" in new SaveAttempt({ outcome: "SUCCESS", durationMs: 1 }))
    assert.isFalse("reason" in new SaveAttempt({ outcome: "SUCCESS", durationMs: 1, reason: undefined as never }))
  })

  it("takes no argument where there is nothing to give", () => {
    assert.deepStrictEqual({ ...new Tick() }, { _tag: "clock.tick" })
    assert.deepStrictEqual({ ...new Tick({}) }, { _tag: "clock.tick" })
  })

  it("does not validate on construction", () => {
    assert.strictEqual(new SaveAttempt({ outcome: "MAYBE" as never, durationMs: NaN }).outcome, "MAYBE")
  })

  it("compares instances by their fields", () => {
    const make = (durationMs: number) => new SaveAttempt({ outcome: "SUCCESS", durationMs })
    assert.isTrue(Equal.equals(make(1), make(1)))
    assert.isFalse(Equal.equals(make(1), make(2)))
  })

  it("is a schema whose values are instances", () => {
    const event = new SaveAttempt({ outcome: "SUCCESS", durationMs: 1 })
    assert.isTrue(Schema.is(SaveAttempt)(event))
    assert.isFalse(Schema.is(SaveAttempt)({ ...event }))
    assert.isTrue(Schema.is(Schema.Array(StorageEvent))([event, new Tick()]))
  })

  it("accepts field names that are not identifiers", () => {
    class Odd extends Event.Class<Odd>()(`quote"s`, { "a b": Schema.String, "]=1;//": Schema.Finite }) {}
    assert.deepStrictEqual({ ...new Odd({ "a b": "x", "]=1;//": 2 }) }, { _tag: `quote"s`, "a b": "x", "]=1;//": 2 })
  })

  it("refuses a blank tag, reserved field names and constructor defaults", () => {
    const define = (tag: string, fields: Schema.Struct.Fields) => caught(() => Event.Class<any>()(tag, fields))
    const errors = [
      define(" ", {}),
      define("a", { _tag: Schema.String }),
      define("a", Object.fromEntries([["__proto__", Schema.String]])),
      define("a", null as never),
      define("a", { [Symbol.iterator]: Schema.String } as never),
      define("a", { b: Schema.String.pipe(Schema.withConstructorDefault(Effect.succeed("c"))) })
    ]
    assert.deepStrictEqual(errors.map((error) => error instanceof Event.InvalidOptionError && error.message), [
      "Invalid option `tag`: expected a non-blank string, found \" \"",
      "Invalid option `fields`: expected names other than \"_tag\" and \"__proto__\", found \"_tag\"",
      "Invalid option `fields`: expected names other than \"_tag\" and \"__proto__\", found \"__proto__\"",
      "Invalid option `fields`: expected a record of schemas, by names that are strings, found null",
      "Invalid option `fields`: expected a record of schemas, by names that are strings, found an object without fields",
      "Invalid option `fields`: expected fields without a constructor default, found \"b\""
    ])
  })

  it("has a fallback constructor that makes the same instances", () => {
    const Fallback = interpretConstructor("document_storage.save.attempt", [
      { name: "outcome", optional: false },
      { name: "reason", optional: true }
    ])
    assert.deepStrictEqual(Object.entries(new Fallback({ outcome: "SUCCESS", reason: undefined })), [
      ["_tag", "document_storage.save.attempt"],
      ["outcome", "SUCCESS"]
    ])
    assert.deepStrictEqual({ ...new Fallback() }, {
      _tag: "document_storage.save.attempt",
      outcome: undefined
    } as object)
  })

  it("works where code generation is forbidden", () => {
    const program = `
      import { Event } from "mvx-metrics"
      import { Effect, Schema } from "effect"
      const Base = Event.Class()("a.b", { n: Schema.Finite, note: Schema.optionalKey(Schema.String) })
      class Hit extends Base {}
      const hit = new Hit({ n: 1 })
      const back = Effect.runSync(Event.decode(Hit)(Effect.runSync(Event.encode(Hit)(hit))))
      console.log(JSON.stringify(hit), Schema.is(Hit)(hit), back instanceof Hit, Hit.tag)
    `
    const flags = ["--conditions=mvx-metrics-source", "--disallow-code-generation-from-strings", "--input-type=module"]
    const { stderr, stdout } = spawnSync(process.execPath, [...flags, "-e", program], { encoding: "utf8" })
    assert.strictEqual(stdout, `{"_tag":"a.b","n":1} true true a.b\n`, stderr)
  })
})

describe("Event.isMetricEvent", () => {
  class Classic extends Data.TaggedClass("classic")<{ readonly n: number }> {}
  class Validated extends Schema.TaggedClass<Validated>()("validated", {}) {}

  it.each([
    new Tick(),
    new Classic({ n: 1 }),
    new Validated({}),
    { _tag: "literal" }
  ])("holds for every object with a string tag: %o", (value) => {
    assert.isTrue(Event.isMetricEvent(value))
  })

  it.each([null, undefined, "tag", 1, {}, { _tag: 1 }, [], () => {}])("does not hold for %o", (value) => {
    assert.isFalse(Event.isMetricEvent(value))
  })
})

describe("Event.decode and Event.encode", () => {
  it.effect.prop(
    "give back every event that was encoded, through JSON",
    [StorageEvent],
    ([event]) =>
      Effect.gen(function*() {
        const encoded = yield* Event.encode(StorageEvent)(event)
        const decoded = yield* Event.decode(StorageEvent)(JSON.parse(JSON.stringify(encoded)))
        // As text, because JSON knows no negative zero.
        assert.strictEqual(JSON.stringify(decoded), JSON.stringify(event))
        assert.strictEqual(Object.getPrototypeOf(decoded), Object.getPrototypeOf(event))
      })
  )

  it.effect("take one class as well as a union", () =>
    Effect.gen(function*() {
      const event = new Expired({ at: new Date(0) })
      const encoded = yield* Event.encode(Expired)(event)
      assert.deepStrictEqual(encoded, { _tag: "cache.expired", at: "1970-01-01T00:00:00.000Z" })
      assert.deepStrictEqual(yield* Event.decode(Expired)(encoded), event)
    }))

  it.effect("fail with UnknownEventError for a tag that is not known", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Event.decode(StorageEvent)({ _tag: "cache.hit" }))
      assert.isTrue(error instanceof Event.UnknownEventError)
      assert.deepStrictEqual({ ...error }, {
        _tag: "UnknownEventError",
        tag: "cache.hit",
        known: ["document_storage.save.attempt", "cache.expired", "clock.tick"]
      } as object)
      assert.strictEqual(
        error.message,
        "Unknown event \"cache.hit\": expected one of \"document_storage.save.attempt\", \"cache.expired\", \"clock.tick\""
      )
    }))

  it.effect("fail with SchemaError for a bad payload, and for what is no event", () =>
    Effect.gen(function*() {
      for (const input of [{ _tag: "cache.expired", at: "soon" }, { at: 1 }, null, "cache.expired"]) {
        const error = yield* Effect.flip(Event.decode(StorageEvent)(input))
        assert.isTrue(Schema.isSchemaError(error), String(error))
      }
    }))

  it.effect("drop fields that an older reader does not know", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Event.decode(Tick)({ _tag: "clock.tick", added: 1 }), new Tick())
    }))

  it.effect("refuse to encode an event whose fields are not of the declared types", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Event.encode(SaveAttempt)(new SaveAttempt({ outcome: "SUCCESS", durationMs: NaN }))
      )
      assert.isTrue(Schema.isSchemaError(error))
    }))

  it("refuse classes without a readable tag", () => {
    const error = caught(() => Event.union(class NoTag {} as never))
    assert.isTrue(error instanceof Event.InvalidOptionError)
  })
})
