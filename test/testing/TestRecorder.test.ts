import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Effect, Exit, Fiber, Layer, Option, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Event, Metric, Recorder } from "mvx-metrics"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as TestRecorder from "../../src/testing/TestRecorder.ts"
import { blocksOf, verbatim } from "../docs/blocks.ts"
import { All, BrokenView, Hit, Hits, hits, Miss, outcome, settle, throwingAt } from "../support.ts"

const noEvents = [null, undefined, 1, "cache.hit", {}, { _tag: 1 }] as ReadonlyArray<unknown> as ReadonlyArray<
  Event.MetricEvent
>

const withMetrics = (...metrics: ReadonlyArray<Metric.Any>) =>
  Recorder.layerMetrics(...metrics).pipe(Layer.provideMerge(TestRecorder.layer))

const dimensionsOf = <M extends Metric.Any>(metric: M) =>
  Recorder.Recorder.use((recorder) => Effect.map(recorder.snapshot(metric), (snapshot) => snapshot.dimensions))

/** Remembers when each hit was. */
const Times = Metric.make("cache.times", {
  events: [Hit, "cache.timed"],
  initial: { at: [] as ReadonlyArray<number> },
  reduce: (s, _, meta) => Option.some({ at: [...s.at, meta.time] })
})

describe("events", () => {
  it.effect("are those that code hands over in whatever way, in order", () =>
    Effect.gen(function*() {
      const [a, b, c, d] = hits(1, 4) as [Hit, Hit, Hit, Hit]
      yield* Recorder.emit(a)
      yield* Recorder.registerEvent(b)
      const { registerEventUnsafe } = yield* Recorder.Recorder
      assert.isTrue(registerEventUnsafe(c))
      yield* Recorder.observe(Effect.void, () => d)
      const events = yield* TestRecorder.events
      assert.lengthOf(events, 4)
      for (const [index, event] of [a, b, c, d].entries()) assert.strictEqual(events[index], event)
    }).pipe(Effect.provide(TestRecorder.layer)))

  it.effect("do not change after they were read", () =>
    Effect.gen(function*() {
      yield* Recorder.emit(new Miss())
      const before = yield* TestRecorder.events
      yield* Recorder.emit(new Miss())
      assert.lengthOf(before, 1)
    }).pipe(Effect.provide(TestRecorder.layer)))

  it.effect.prop(
    "are what the metrics have folded, after each of them",
    { events: Schema.Array(Schema.Union([Hit, Miss])) },
    ({ events }) =>
      Effect.gen(function*() {
        for (const [index, event] of events.entries()) {
          yield* Recorder.emit(event)
          assert.deepStrictEqual(yield* TestRecorder.events, events.slice(0, index + 1))
          assert.deepStrictEqual(yield* dimensionsOf(Hits), Metric.fold(Hits, events.slice(0, index + 1)))
          assert.deepStrictEqual(yield* dimensionsOf(All), { total: index + 1 })
        }
      }).pipe(Effect.provide(withMetrics(Hits, All)))
  )

  it.effect("are kept in the order of fibers that emit at once", () =>
    Effect.gen(function*() {
      const emit = (event: Event.MetricEvent) => Effect.andThen(Effect.yieldNow, Recorder.registerEvent(event))
      yield* Effect.forEach(hits(1, 20), emit, { concurrency: "unbounded" })
      const events = yield* TestRecorder.eventsOf(Hit)
      assert.deepStrictEqual(yield* dimensionsOf(Hits), { total: 20, last: events.at(-1)!.n })
      assert.deepStrictEqual(events.map((hit) => hit.n).toSorted((a, b) => a - b), hits(1, 20).map((hit) => hit.n))
    }).pipe(Effect.provide(withMetrics(Hits))))
})

describe("eventsOf", () => {
  class Stored extends Schema.TaggedClass<Stored>()("cache.stored", { key: Schema.String }) {}
  class Evicted extends Data.TaggedClass("cache.evicted")<{ readonly key: string }> {}
  class Cleared {
    readonly _tag = "cache.cleared"
  }
  interface Timed {
    readonly _tag: "cache.timed"
    readonly time: number
  }
  const timed: Timed = { _tag: "cache.timed", time: 1 }
  const all = [
    new Hit({ n: 1 }),
    new Stored({ key: "a" }),
    new Evicted({ key: "b" }),
    new Cleared(),
    timed,
    new Hit({ n: 2 })
  ]
  const emitAll = Effect.forEach(all, Recorder.emit, { discard: true })

  it.effect("finds those of each kind of class, typed by it", () =>
    Effect.gen(function*() {
      yield* emitAll
      const numbers: ReadonlyArray<number> = (yield* TestRecorder.eventsOf(Hit)).map((event) => event.n)
      assert.deepStrictEqual(numbers, [1, 2])
      const stored: ReadonlyArray<string> = (yield* TestRecorder.eventsOf(Stored)).map((event) => event.key)
      assert.deepStrictEqual(stored, ["a"])
      const evicted: ReadonlyArray<string> = (yield* TestRecorder.eventsOf(Evicted)).map((event) => event.key)
      assert.deepStrictEqual(evicted, ["b"])
      assert.lengthOf(yield* TestRecorder.eventsOf(Cleared), 1)
      assert.lengthOf(yield* TestRecorder.eventsOf(Miss), 0)
    }).pipe(Effect.provide(TestRecorder.layer)))

  it.effect("finds those of a tag", () =>
    Effect.gen(function*() {
      yield* emitAll
      const times: ReadonlyArray<number> = (yield* TestRecorder.eventsOf<Timed>("cache.timed")).map((e) => e.time)
      assert.deepStrictEqual(times, [1])
      const tags: ReadonlyArray<string> = (yield* TestRecorder.eventsOf("cache.evicted")).map((e) => e._tag)
      assert.deepStrictEqual(tags, ["cache.evicted"])
    }).pipe(Effect.provide(TestRecorder.layer)))

  it.effect("goes by the tag of a class that lets it be read, as a metric does", () =>
    Effect.gen(function*() {
      yield* Recorder.emit({ _tag: "cache.hit" })
      assert.lengthOf(yield* TestRecorder.eventsOf(Hit), 1)
      assert.strictEqual((yield* dimensionsOf(Hits)).total, 1)
    }).pipe(Effect.provide(withMetrics(Hits))))
})

describe("what is not an event", () => {
  it.effect("is refused and kept, whichever way it was handed over", () =>
    Effect.gen(function*() {
      const recorder = yield* Recorder.Recorder
      for (const given of noEvents) {
        yield* Recorder.emit(given)
        assert.isFalse(recorder.registerEventUnsafe(given))
        assert.strictEqual(yield* outcome(Recorder.registerEvent(given)), "InvalidEventError")
      }
      assert.deepStrictEqual(yield* TestRecorder.refused, noEvents.flatMap((given) => [given, given, given]))
      assert.deepStrictEqual(yield* TestRecorder.events, [])
    }).pipe(Effect.provide(TestRecorder.layer)))

  it.effect("shows as null where observe got no event", () =>
    Effect.gen(function*() {
      const observed = Recorder.observe(Effect.succeed("result"), () => {
        throw new Error("observer")
      })
      assert.strictEqual(yield* observed, "result")
      assert.deepStrictEqual(yield* TestRecorder.refused, [null])
    }).pipe(Effect.provide(TestRecorder.layer)))
})

describe("time", () => {
  it.effect("is that of the clock when the event was handed over; the event's own wins", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000)
      yield* Recorder.emit(new Hit({ n: 1 }))
      yield* TestClock.adjust("1 minute")
      yield* Recorder.emit({ _tag: "cache.timed", time: 5 } as Event.MetricEvent)
      yield* Recorder.emit(new Hit({ n: 2 }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* dimensionsOf(Times), { at: [1_000, 5, 61_000] })
    }).pipe(Effect.provide(withMetrics(Times))))

  it.effect("takes no timer of the host", () =>
    Effect.gen(function*() {
      const recorder = yield* Recorder.Recorder
      const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length
      // Within one turn nobody else's timers come and go.
      const before = timers()
      for (const hit of hits(1, 1_000)) recorder.registerEventUnsafe(hit)
      assert.strictEqual(timers(), before)
    }).pipe(Effect.provide(withMetrics(Hits))))
})

describe("a metric that throws", () => {
  it.effect("skips the event, stops no other, and shows in defects every time", () =>
    Effect.gen(function*() {
      yield* Effect.forEach([...hits(1, 3), ...hits(2, 2)], Recorder.registerEvent)
      const defects = yield* TestRecorder.defects
      assert.deepStrictEqual(
        defects.map(({ cause, metric, tag }) => [metric, tag, String(Cause.squash(cause))]),
        [["cache.throwing", "cache.hit", "Error: reducer 2"], ["cache.throwing", "cache.hit", "Error: reducer 2"]]
      )
      assert.strictEqual((yield* dimensionsOf(Hits)).total, 4)
      assert.lengthOf(yield* TestRecorder.events, 4)
    }).pipe(Effect.provide(withMetrics(throwingAt(2), Hits))))

  it.effect("shows in defects without a tag where it is the view", () =>
    Effect.gen(function*() {
      yield* Recorder.emit(new Hit({ n: 1 }))
      assert.deepStrictEqual(yield* TestRecorder.defects, [])
      assert.strictEqual(yield* outcome(dimensionsOf(BrokenView)), "MetricViewError")
      assert.deepStrictEqual(
        (yield* TestRecorder.defects).map(({ cause, metric, tag }) => [metric, tag, String(Cause.squash(cause))]),
        [["cache.broken_view", undefined, "Error: view"]]
      )
    }).pipe(Effect.provide(withMetrics(BrokenView))))

  it.effect("shows again after a clear", () =>
    Effect.gen(function*() {
      yield* Recorder.emit(new Hit({ n: 1 }))
      yield* TestRecorder.clear
      assert.deepStrictEqual(yield* TestRecorder.defects, [])
      yield* Recorder.emit(new Hit({ n: 1 }))
      assert.lengthOf(yield* TestRecorder.defects, 1)
    }).pipe(Effect.provide(withMetrics(throwingAt(1)))))
})

describe("a reducer that emits what it takes", () => {
  it.effect("hangs nothing; what it emitted counts in the next read", () =>
    Effect.gen(function*() {
      const recorder = yield* Recorder.Recorder
      const echo = Metric.make("cache.echo", {
        events: [Hit],
        initial: { total: 0 },
        reduce: (s, e) => {
          recorder.registerEventUnsafe(new Hit({ n: e.n + 1 }))
          return Option.some({ total: s.total + 1 })
        }
      })
      yield* recorder.registerMetric(echo)
      yield* Recorder.emit(new Hit({ n: 1 }))
      assert.deepStrictEqual(yield* TestRecorder.events, hits(1, 2))
      assert.deepStrictEqual(yield* dimensionsOf(echo), { total: 2 })
    }).pipe(Effect.provide(TestRecorder.layer)))
})

describe("clear", () => {
  it.effect("forgets everything that was handed over, and keeps the metrics at their initial states", () =>
    Effect.gen(function*() {
      const recorder = yield* Recorder.Recorder
      for (const event of [...hits(1, 2), ...noEvents]) recorder.registerEventUnsafe(event)
      yield* TestRecorder.clear
      assert.deepStrictEqual(yield* TestRecorder.events, [])
      assert.deepStrictEqual(yield* TestRecorder.refused, [])
      assert.deepStrictEqual(yield* recorder.metrics, [Hits, All])
      assert.deepStrictEqual(yield* dimensionsOf(Hits), Hits.initial)
      yield* Recorder.emit(new Hit({ n: 7 }))
      assert.deepStrictEqual(yield* TestRecorder.events, [new Hit({ n: 7 })])
      assert.deepStrictEqual([yield* dimensionsOf(Hits), yield* dimensionsOf(All)], [
        { total: 1, last: 7 },
        { total: 1 }
      ])
    }).pipe(Effect.provide(withMetrics(Hits, All))))

  it.effect("leaves streams of changes open", () =>
    Effect.gen(function*() {
      const recorder = yield* Recorder.Recorder
      const changes = yield* Effect.forkChild(recorder.changes.pipe(Stream.take(2), Stream.runCollect))
      yield* settle
      yield* Recorder.emit(new Hit({ n: 1 }))
      yield* TestRecorder.clear
      yield* Recorder.emit(new Hit({ n: 2 }))
      assert.deepStrictEqual(
        (yield* Fiber.join(changes)).map(({ offset, sequence, snapshot }) => [
          offset,
          sequence,
          snapshot?.dimensions
        ]),
        [[1, 1, { total: 1, last: 1 }], [2, 2, { total: 1, last: 2 }]]
      )
    }).pipe(Effect.provide(withMetrics(Hits))))
})

describe("as a recorder", () => {
  it.effect("it has the errors of every recorder", () =>
    Effect.gen(function*() {
      const recorder = yield* TestRecorder.make
      yield* recorder.registerMetric(Hits)
      yield* recorder.registerMetric(Hits)
      assert.strictEqual(yield* outcome(recorder.registerMetric(Metric.describe(Hits, "x"))), "MetricNameTakenError")
      assert.strictEqual(yield* outcome(recorder.registerMetric({} as Metric.Any)), "InvalidMetricError")
      assert.strictEqual(yield* outcome(recorder.snapshot(All)), "MetricNotRegisteredError")
      assert.isTrue(yield* recorder.unregisterMetric("cache.hits"))
      assert.isFalse(yield* recorder.unregisterMetric("cache.hits"))
      assert.deepStrictEqual(yield* recorder.snapshots, {})
    }))

  it.effect("a metric counts what is handed over after its registration", () =>
    Effect.gen(function*() {
      const recorder = yield* TestRecorder.make
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      yield* recorder.registerMetric(Hits)
      recorder.registerEventUnsafe(new Hit({ n: 2 }))
      yield* recorder.flush
      assert.deepStrictEqual((yield* recorder.snapshots)["cache.hits"]?.dimensions, { total: 1, last: 2 })
    }))

  it.effect("it ends with its scope, and can be read after that", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const recorder = yield* Scope.provide(TestRecorder.make, scope)
      const changes = yield* Effect.forkChild(Stream.runCollect(recorder.changes))
      yield* settle
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* Fiber.join(changes), [])
      assert.strictEqual(yield* outcome(recorder.registerEvent(new Hit({ n: 2 }))), "RecorderInvalidStateError")
      assert.deepStrictEqual(yield* recorder.events, [new Hit({ n: 1 })])
      assert.deepStrictEqual(yield* recorder.refused, [new Hit({ n: 2 })])
    }))

  it.effect("the layer makes one for both services, and another each time it is provided", () =>
    Effect.gen(function*() {
      const both = Effect.all([Recorder.Recorder, TestRecorder.TestRecorder])
      const [recorder, same] = yield* Effect.provide(both, TestRecorder.layer)
      assert.strictEqual<Recorder.RecorderService>(recorder, same)
      assert.strictEqual(recorder.entityId, "test")
      const [another] = yield* Effect.provide(both, TestRecorder.layer)
      assert.notStrictEqual(recorder, another)
    }))

  it("everything is synchronous", () => {
    const program = Effect.gen(function*() {
      yield* Effect.forEach(hits(1, 100), Recorder.emit, { discard: true })
      yield* Recorder.Recorder.use((recorder) => recorder.flush)
      return [(yield* dimensionsOf(Hits)).total, (yield* TestRecorder.events).length]
    })
    assert.deepStrictEqual(Effect.runSync(Effect.provide(program, withMetrics(Hits))), [100, 100])
  })
})

// Those are whole test files: Node alone cannot run them.
describe("the tests in the guide", async () => {
  const root = fileURLToPath(new URL("../..", import.meta.url))
  const page = "docs/testing.md"
  const blocks = blocksOf(page, await readFile(join(root, page), "utf8"))
    .filter(({ code }) => code.includes(`from "@effect/vitest"`))
  await mkdir(join(root, ".docs"), { recursive: true })
  const folder = await mkdtemp(join(root, ".docs", "tests-"))
  try {
    for (const block of blocks) {
      const file = join(folder, `${block.line}.ts`)
      await writeFile(file, verbatim(block))
      await import(pathToFileURL(file).href)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
