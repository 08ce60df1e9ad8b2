import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  References,
  Schema,
  type Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { Event, Metric, Recorder } from "mvx-metrics"
import {
  All,
  BrokenView,
  collectLogs,
  emitAll,
  Hit,
  Hits,
  hits,
  interruptions,
  Miss,
  outcome,
  settle,
  suspending,
  throwingAt,
  until
} from "./support.ts"

const make = (options: Partial<Recorder.Options<Scope.Scope>> = {}) =>
  Recorder.make({ entityId: "cache", metrics: [Hits], ...options })

const totalOf = (recorder: Recorder.RecorderService, metric: typeof Hits | typeof All = Hits) =>
  Effect.map(recorder.snapshot(metric as typeof All), (s) => s.dimensions.total)

/** A metric that runs `f` for each hit, from inside the reducer. */
const spying = (f: (event: Hit) => void, name = "cache.spying") =>
  Metric.rename(Metric.filter(Hits, (event) => (f(event), true)), name)

describe("options", () => {
  const wrong: ReadonlyArray<readonly [option: string, value: unknown, expected: string, found: string]> = [
    ["entityId", " ", "a non-blank string", "\" \""],
    ["entityId", undefined, "a non-blank string", "undefined"],
    ["capacity", 0, "a positive integer", "0"],
    ["capacity", 1.5, "a positive integer", "1.5"],
    ["capacity", NaN, "a positive integer", "NaN"],
    ["capacity", Infinity, "a positive integer", "Infinity"],
    ["capacity", "10", "a positive integer", "\"10\""],
    ["overflow", "slide", "one of \"fold\", \"drop\", \"fail\"", "\"slide\""],
    ["onDefect", "ignore", "one of \"isolate\", \"fail\"", "\"ignore\""],
    ["linger", -1, `a duration of zero or more, such as "5 millis"`, "-1"],
    ["linger", NaN, `a duration of zero or more, such as "5 millis"`, "NaN"],
    ["linger", "soon", `a duration of zero or more, such as "5 millis"`, "\"soon\""],
    ["linger", "Infinity", "at most 2147483647 ms", "\"Infinity\""],
    ["stopTimeout", -1, `a duration of zero or more, such as "5 millis"`, "-1"],
    ["stopTimeout", "for ever", `a duration of zero or more, such as "5 millis"`, "\"for ever\""],
    ["metrics", 5, "an array of metrics", "5"],
    ["labels", { region: 1 }, "a record of strings", "an object with the fields region"],
    ["labels", ["a"], "a record of strings", "an array of 1"],
    ["onStarting", () => {}, "an Effect", "a function"],
    ["onStopped", 1, "an Effect", "1"],
    ["onMetricChanged", "log", "a function from a change to an Effect", "\"log\""]
  ]

  it.effect.each(wrong)("refuse a wrong %s: %s", ([option, value, expected, found]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(make({ [option]: value }))
      assert.instanceOf(error, Recorder.InvalidOptionError)
      assert.deepStrictEqual([error.option, error.expected, error.given], [option, expected, found])
    }))

  it.effect("trim the entity id and keep the labels", () =>
    Effect.gen(function*() {
      const labels = { region: "eu" }
      const recorder = yield* make({ entityId: "  cache ", labels })
      labels.region = "us"
      const plain = yield* make()
      assert.isTrue(Object.isFrozen((yield* plain.capture).labels) && Object.isFrozen((yield* recorder.capture).labels))
      const capture = yield* recorder.capture
      assert.deepStrictEqual([recorder.entityId, capture.entityId, capture.recorderId], ["cache", "cache", "cache"])
      assert.deepStrictEqual(capture.labels, { region: "eu" })
    }))

  it.effect("refuse metrics that cannot be registered", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* outcome(make({ metrics: [Hits, Metric.rename(All, "cache.hits")] })),
        "MetricNameTakenError"
      )
      assert.strictEqual(yield* outcome(make({ metrics: [{} as never] })), "InvalidMetricError")
    }))
})

describe("registerMetric", () => {
  it.effect("accepts the same definition again, and no other one under its name", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      emitAll(recorder, hits(1, 2))
      yield* recorder.registerMetric(Hits)
      assert.strictEqual(yield* totalOf(recorder), 2)
      const error = yield* Effect.flip(recorder.registerMetric(Metric.describe(Hits, "other")))
      assert.instanceOf(error, Recorder.MetricNameTakenError)
      assert.deepStrictEqual([error.entityId, error.name], ["cache", "cache.hits"])
      assert.strictEqual(
        error.message,
        "Recorder \"cache\": expected a free metric name, found another metric registered as \"cache.hits\""
      )
    }))

  it.effect.each([null, undefined, 1, "cache.hits", {}, { ...Hits }])(
    "refuses what is no metric: %o",
    (garbage) =>
      Effect.gen(function*() {
        const recorder = yield* make()
        const error = yield* Effect.flip(recorder.registerMetric(garbage as never))
        assert.instanceOf(error, Metric.InvalidMetricError)
        assert.strictEqual(error.expected, "a metric made by Metric.make")
      })
  )

  it.effect("lets a late metric see exactly the events accepted after it", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: "1 hour" })
      const late = [1, 2, 3].map((n) => Metric.rename(All, `late.${n}`))
      emitAll(recorder, hits(1, 10))
      yield* recorder.registerMetric(late[0]!)
      emitAll(recorder, hits(11, 15))
      yield* recorder.registerMetric(late[1]!)
      yield* recorder.registerMetric(late[2]!)
      yield* recorder.unregisterMetric("late.3")
      emitAll(recorder, hits(16, 16))
      const snapshots = yield* recorder.snapshots
      assert.deepStrictEqual(Object.values(snapshots).map((s) => (s.dimensions as { total: number }).total), [16, 6, 1])
    }))

  it.effect("in a reducer takes effect with the events accepted after it", () =>
    Effect.gen(function*() {
      const Spy = spying((event) => {
        if (event.n === 2) Effect.runSync(recorder.registerMetric(All))
      })
      const recorder: Recorder.Handle = yield* make({ metrics: [Spy] })
      emitAll(recorder, hits(1, 5))
      yield* recorder.flush
      assert.strictEqual(yield* totalOf(recorder, All), 0)
      emitAll(recorder, hits(6, 7))
      assert.strictEqual(yield* totalOf(recorder, All), 2)
    }))

  it.effect("keeps the order of registration", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ metrics: [All, Hits] })
      assert.deepStrictEqual(yield* recorder.metrics, [All, Hits])
    }))
})

describe("unregisterMetric", () => {
  it.effect("takes the metric and its values out; registered again it starts anew, in another epoch", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      emitAll(recorder, hits(1, 3))
      const before = (yield* recorder.capture).metrics[0]!
      assert.isTrue(yield* recorder.unregisterMetric("cache.hits"))
      assert.isFalse(yield* recorder.unregisterMetric("cache.hits"))
      assert.deepStrictEqual(yield* recorder.snapshots, {})
      emitAll(recorder, hits(4, 4))
      yield* recorder.registerMetric(Hits)
      const after = (yield* recorder.capture).metrics[0]!
      assert.deepStrictEqual(after.state, { total: 0, last: -1 })
      assert.isTrue(after.epoch > before.epoch)
    }))

  it.effect("from inside a reducer ends its changes with the event in hand", () =>
    Effect.gen(function*() {
      const Spy = spying((event) => {
        if (event.n === 2) Effect.runSync(recorder.unregisterMetric("cache.hits"))
      })
      const recorder: Recorder.Handle = yield* make({ metrics: [Spy, Hits] })
      const changes = yield* collect(recorder.changes)
      emitAll(recorder, hits(1, 3))
      yield* recorder.flush
      yield* settle
      assert.isFalse(changes.some((change) => change.metric === "cache.hits" && change.offset > 2))
      assert.deepStrictEqual(Object.keys(yield* recorder.snapshots), ["cache.spying"])
    }))
})

/** What a stream has emitted so far. */
const collect = <A>(stream: Stream.Stream<A>) =>
  Effect.gen(function*() {
    const items: Array<A> = []
    yield* Effect.forkScoped(Stream.runForEach(stream, (item) => Effect.sync(() => void items.push(item))), {
      startImmediately: true
    })
    return items
  })

describe("registerEvent", () => {
  it.effect.each([null, undefined, 1, "cache.hit", {}, { _tag: 1 }])(
    "refuses what is no event: %o",
    (garbage) =>
      Effect.gen(function*() {
        const recorder = yield* make()
        const error = yield* Effect.flip(recorder.registerEvent(garbage as never))
        assert.instanceOf(error, Event.InvalidEventError)
        assert.isFalse(recorder.registerEventUnsafe(garbage as never))
        yield* recorder.start
        assert.isFalse(recorder.registerEventUnsafe(garbage as never))
        assert.strictEqual((yield* recorder.stats).refused.invalidEvent, 3)
      })
  )

  it.effect("never throws, whatever the event does", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      let readable = true
      const hostile = Object.defineProperty({}, "_tag", {
        get: () => {
          if (!readable) throw new Error("no tag any more")
          return "cache.hit"
        }
      }) as Event.MetricEvent
      emitAll(recorder, hits(1, 1))
      assert.isTrue(recorder.registerEventUnsafe(hostile))
      emitAll(recorder, hits(2, 2))
      readable = false
      for (let n = 0; n < 3; n++) assert.isFalse(recorder.registerEventUnsafe(hostile))
      assert.deepStrictEqual(yield* totalOf(recorder), 2)
      const stats = yield* recorder.stats
      assert.strictEqual(stats.accepted, stats.folded)
      assert.strictEqual(stats.refused.invalidEvent, 3)
    }))

  it.effect("registerEventUnsafe can be passed around as a function", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      const { registerEventUnsafe } = recorder
      hits(1, 3).forEach(registerEventUnsafe)
      assert.strictEqual(yield* totalOf(recorder), 3)
    }))

  it.effect("events of plain literals and of other classes count by their tag", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ metrics: [All, Hits] })
      yield* recorder.registerEvent({ _tag: "cache.hit", n: 4 } as Event.MetricEvent)
      yield* recorder.registerEvent({ _tag: "other" })
      assert.deepStrictEqual((yield* recorder.snapshot(Hits)).dimensions, { total: 1, last: 4 })
      assert.strictEqual(yield* totalOf(recorder, All), 2)
    }))

  it.effect("counts folded events that no metric took as ignored", () =>
    Effect.gen(function*() {
      const Odd = Metric.make("odd", {
        events: [Hit],
        initial: { total: 0 },
        reduce: (s, e) => e.n % 2 === 1 ? Option.some({ total: s.total + 1 }) : Option.none()
      })
      const recorder = yield* make({ metrics: [Odd] })
      emitAll(recorder, [...hits(1, 4), new Miss()])
      yield* recorder.flush
      assert.strictEqual((yield* recorder.stats).ignored, 3)
    }))
})

describe("overflow", () => {
  it.effect("folds in place by default: a burst beyond the capacity undercounts nothing", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 1_000 })
      assert.strictEqual(emitAll(recorder, hits(1, 50_000)), 50_000)
      const stats = yield* recorder.stats
      assert.isTrue(stats.highWater === 1_000 && stats.pending <= 1_000 && stats.folded > 0)
      assert.deepStrictEqual((yield* recorder.snapshot(Hits)).dimensions, { total: 50_000, last: 50_000 })
    }))

  it.effect("folds one slice, not the whole backlog", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 10_000 })
      emitAll(recorder, hits(1, 10_001))
      const { folded } = yield* recorder.stats
      assert.strictEqual(folded, 256)
    }))

  it.effect("works with a capacity of one", () =>
    Effect.gen(function*() {
      for (const linger of [0, "1 hour"] as const) {
        const recorder = yield* make({ capacity: 1, linger })
        emitAll(recorder, hits(1, 10))
        assert.deepStrictEqual((yield* recorder.snapshot(Hits)).dimensions, { total: 10, last: 10 })
        assert.strictEqual((yield* recorder.stats).highWater, 1)
      }
    }))

  it.effect("drops and counts by tag under drop, and registerEvent succeeds", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 3, overflow: "drop" })
      assert.strictEqual(emitAll(recorder, hits(1, 5)), 3)
      yield* recorder.registerEvent(new Miss())
      assert.isFalse(recorder.registerEventUnsafe(new Miss()))
      assert.deepStrictEqual((yield* recorder.snapshot(Hits)).dimensions, { total: 3, last: 3 })
      const stats = yield* recorder.stats
      assert.deepStrictEqual([stats.dropped, stats.droppedByTag], [4, { "cache.hit": 2, "cache.miss": 2 }])
      assert.isTrue(recorder.registerEventUnsafe(new Hit({ n: 6 })))
    }))

  it.effect("bounds the tags that it tells apart", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 1, overflow: "drop" })
      for (let n = 0; n <= 300; n++) recorder.registerEventUnsafe({ _tag: `tag.${n}` })
      const { dropped, droppedByTag } = yield* recorder.stats
      assert.strictEqual(Object.keys(droppedByTag).length, 257)
      assert.deepStrictEqual([dropped, droppedByTag["*"]], [300, 44])
    }))

  it.effect("refuses under fail, with the figures", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 2, overflow: "fail" })
      emitAll(recorder, hits(1, 2))
      const error = yield* Effect.flip(recorder.registerEvent(new Hit({ n: 3 })))
      assert.instanceOf(error, Recorder.QueueOverflowError)
      assert.deepStrictEqual([error.entityId, error.capacity, error.pending], ["cache", 2, 2])
      assert.strictEqual(
        error.message,
        "Recorder \"cache\": expected room for one more event, found 2 pending of 2"
      )
      assert.strictEqual((yield* recorder.stats).refused.overflow, 1)
      yield* recorder.flush
      yield* recorder.registerEvent(new Hit({ n: 3 }))
    }))

  for (const overflow of ["fold", "drop", "fail"] as const) {
    it.effect(`from inside a reducer queues while there is room, and never folds in the middle: ${overflow}`, () =>
      Effect.gen(function*() {
        const answers: Array<boolean> = []
        let depth = 0
        const Spy = spying((event) => {
          depth++
          assert.strictEqual(depth, 1)
          if (event.n === 1) {
            for (let n = 0; n < 5; n++) answers.push(recorder.registerEventUnsafe(new Hit({ n: 10 + n })))
          }
          depth--
        })
        const recorder: Recorder.Handle = yield* make({ metrics: [Spy, Hits], capacity: 4, overflow })
        emitAll(recorder, hits(1, 2))
        yield* recorder.flush
        yield* recorder.flush
        // The event in hand and the one behind it are pending while the first is folded.
        assert.deepStrictEqual(answers, [true, true, false, false, false])
        const stats = yield* recorder.stats
        assert.strictEqual(overflow === "drop" ? stats.dropped : stats.refused.overflow, 3)
        assert.deepStrictEqual((yield* recorder.snapshot(Hits)).dimensions, { total: 4, last: 11 })
      }))
  }

  it.effect.each(["fold", "drop", "fail"] as const)(
    "bounds what a reducer emits into a full queue: %s",
    (overflow) =>
      Effect.gen(function*() {
        let most = 0
        const Spy = spying((event) => {
          if (event.n !== 1) return
          for (let n = 0; n < 50; n++) {
            recorder.registerEventUnsafe(new Miss())
            most = Math.max(most, Effect.runSync(recorder.stats).pending)
          }
        })
        const recorder: Recorder.Handle = yield* make({ metrics: [Spy, Hits], capacity: 10, overflow })
        emitAll(recorder, hits(1, 10))
        yield* recorder.flush
        const stats = yield* recorder.stats
        assert.deepStrictEqual([most, stats.highWater, stats.accepted], [10, 10, 10])
      })
  )

  it.effect("counts in highWater also what a reducer emits", () =>
    Effect.gen(function*() {
      const Spy = spying((event) => {
        if (event.n === 1) { for (let n = 0; n < 50; n++) recorder.registerEventUnsafe(new Miss()) }
      })
      const recorder: Recorder.Handle = yield* make({ metrics: [Spy], capacity: 1_000 })
      emitAll(recorder, hits(1, 100))
      yield* recorder.flush
      assert.strictEqual((yield* recorder.stats).highWater, 150)
    }))

  it.effect("from inside a view neither folds nor mixes offsets", () =>
    Effect.gen(function*() {
      const Emitting = Metric.mapDimensions(Hits, (d) => {
        for (let n = 0; n < 5; n++) recorder.registerEventUnsafe(new Hit({ n: -n }))
        return d
      })
      let recorder: Recorder.Handle = yield* make({ metrics: [] })
      recorder = yield* make({ capacity: 3, metrics: [Emitting, Metric.rename(Hits, "after")] })
      emitAll(recorder, hits(1, 3))
      const snapshots = yield* recorder.snapshots
      assert.deepStrictEqual(snapshots["after"]!.dimensions, { total: 3, last: 3 })
      assert.deepStrictEqual(snapshots["cache.hits"]!.dimensions, { total: 3, last: 3 })
      assert.strictEqual((yield* recorder.stats).refused.overflow, 2)
    }))
})

describe("isolation", () => {
  it.effect("a reducer that throws skips the event; the others, and the queue, lose nothing", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ metrics: [throwingAt(2), Hits, throwingAt(3, "other")] })
      emitAll(recorder, hits(1, 4))
      const snapshots = yield* recorder.snapshots
      assert.deepStrictEqual(Object.values(snapshots).map((s) => (s.dimensions as { total: number }).total), [3, 4, 3])
      assert.deepStrictEqual((yield* recorder.stats).defects, { "cache.throwing": 1, other: 1 })
    }))

  it.effect("a defect is logged once at Error, with metric, event tag and cause", () => {
    const logs = collectLogs()
    return Effect.gen(function*() {
      const Always = spying(() => {
        throw new Error("always")
      })
      const recorder = yield* make({ metrics: [Always, BrokenView] })
      emitAll(recorder, hits(1, 3))
      yield* recorder.snapshots
      yield* recorder.snapshots
      yield* settle
      assert.deepStrictEqual(logs.lines, [
        {
          text: "Error The reducer of a metric threw: cache.spying",
          annotations: { "metrics.recorder": "cache", "metrics.metric": "cache.spying", "metrics.event": "cache.hit" }
        },
        {
          text: "Error The view of a metric threw: cache.broken_view",
          annotations: { "metrics.recorder": "cache", "metrics.metric": "cache.broken_view" }
        }
      ])
      assert.deepStrictEqual((yield* recorder.stats).defects, { "cache.spying": 3, "cache.broken_view": 2 })
    }).pipe(Effect.provide(logs.layer))
  })

  it.effect("a reducer that returns no Option is a defect", () =>
    Effect.gen(function*() {
      const wrong = [undefined, {}, { _tag: "Maybe" }].map((result, n) =>
        Metric.make(`wrong.${n}`, { initial: {}, reduce: () => result as never })
      )
      const recorder = yield* make({ metrics: [...wrong, Hits] })
      emitAll(recorder, hits(1, 1))
      assert.strictEqual(yield* totalOf(recorder), 1)
      assert.deepStrictEqual((yield* recorder.stats).defects, { "wrong.0": 1, "wrong.1": 1, "wrong.2": 1 })
    }))

  it.effect("under fail the failing event counts for no metric, before it or after it", () =>
    Effect.gen(function*() {
      const recorder = yield* make({
        metrics: [Hits, throwingAt(3), Metric.rename(Hits, "after")],
        onDefect: "fail"
      })
      const changes = yield* collect(recorder.changes)
      emitAll(recorder, hits(1, 5))
      const snapshots = yield* recorder.snapshots
      assert.deepStrictEqual(Object.values(snapshots).map((s) => (s.dimensions as { total: number }).total), [2, 2, 2])
      yield* settle
      assert.deepStrictEqual(changes.map((change) => change.offset), [1, 1, 1, 2, 2, 2])
    }))

  it.effect("under fail the emit that happens to fold returns normally", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ metrics: [throwingAt(1)], onDefect: "fail", capacity: 2 })
      emitAll(recorder, hits(1, 2))
      assert.isFalse(recorder.registerEventUnsafe(new Hit({ n: 3 })))
      const stats = yield* recorder.stats
      assert.deepStrictEqual([stats.accepted, stats.discarded, stats.refused.invalidState], [2, 2, 1])
      assert.deepStrictEqual(recorder.snapshotsUnsafe()["cache.throwing"]!.dimensions, { total: 0 })
    }))

  it.effect("a view that throws is left out, fails its own read, and leaves a change without snapshot", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ metrics: [BrokenView, Hits] })
      const changes = yield* collect(recorder.changes)
      emitAll(recorder, hits(1, 1))
      assert.deepStrictEqual(Object.keys(yield* recorder.snapshots), ["cache.hits"])
      const error = yield* Effect.flip(recorder.snapshot(BrokenView))
      assert.instanceOf(error, Recorder.MetricViewError)
      assert.strictEqual(
        error.message,
        "Recorder \"cache\": expected the view of metric \"cache.broken_view\" to return, it threw: view"
      )
      yield* recorder.flush
      yield* settle
      assert.deepStrictEqual(changes.map((change) => change.snapshot?.name), [undefined, "cache.hits"])
    }))
})

describe("reading", () => {
  it.effect("reflects every event accepted before, without waiting for the dispatcher", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: "1 hour" })
      emitAll(recorder, hits(1, 3_000))
      assert.strictEqual(yield* totalOf(recorder), 3_000)
      emitAll(recorder, hits(1, 7))
      assert.deepStrictEqual(recorder.snapshotsUnsafe()["cache.hits"]!.dimensions, { total: 3_007, last: 7 })
    }))

  it.effect("shows all metrics at one offset, also while events keep coming", () =>
    Effect.gen(function*() {
      const slow = spying(() => {
        for (let n = 0; n < 20_000; n++) Math.sqrt(n)
      }, "slow")
      const recorder = yield* make({ metrics: [Hits, slow, Metric.rename(Hits, "last")], capacity: 100_000 })
      emitAll(recorder, hits(1, 2_000))
      const reading = yield* Effect.forkChild(recorder.snapshots, { startImmediately: true })
      let emitted = 2_000
      while (reading.pollUnsafe() === undefined) {
        recorder.registerEventUnsafe(new Hit({ n: ++emitted }))
        yield* settle
      }
      const totals = Object.values(yield* Fiber.join(reading)).map((s) => (s.dimensions as { total: number }).total)
      assert.strictEqual(new Set(totals).size, 1)
      assert.isTrue(totals[0]! >= 2_000)
      assert.isTrue(emitted > 2_000, "the read gave the event loop back")
    }))

  it.effect("from inside a reducer gives the last whole offset", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const Spy = spying((event) => {
        if (event.n !== 3) return
        const unsafe = recorder.snapshotsUnsafe()
        const capture = Effect.runSync(recorder.capture)
        seen.push(unsafe["cache.hits"]!.dimensions, capture.offset, capture.metrics.map((m) => m.state))
        seen.push(Effect.runSync(recorder.snapshot(Hits)).dimensions)
      })
      const recorder: Recorder.Handle = yield* make({ metrics: [Hits, Spy] })
      emitAll(recorder, hits(1, 5))
      yield* recorder.flush
      const two = { total: 2, last: 2 }
      assert.deepStrictEqual(seen, [two, 2, [two, two], two])
    }))

  it.effect("a snapshot neither changes afterwards nor can be used to change the metric", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      emitAll(recorder, hits(1, 1))
      const before = yield* recorder.snapshot(Hits)
      emitAll(recorder, hits(2, 2))
      yield* recorder.flush
      assert.deepStrictEqual(before.dimensions, { total: 1, last: 1 })
      assert.throws(() => ((before.dimensions as { total: number }).total = 9))
      assert.strictEqual(yield* totalOf(recorder), 2)
    }))

  it.effect("of a metric that is not registered fails, also for another definition of its name", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      for (const metric of [All, Metric.describe(Hits, "other")]) {
        const error = yield* Effect.flip(recorder.snapshot(metric as typeof All))
        assert.instanceOf(error, Recorder.MetricNotRegisteredError)
        assert.deepStrictEqual([error.entityId, error.name], ["cache", metric.name])
      }
      assert.strictEqual(yield* outcome(recorder.snapshot(null as never)), "MetricNotRegisteredError")
    }))

  it.effect("a capture refers to the states, and says at what offset and when", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000)
      const recorder = yield* make({ labels: { region: "eu" } })
      yield* TestClock.setTime(5_000)
      emitAll(recorder, hits(1, 2))
      const capture = yield* recorder.capture
      const { metrics, ...rest } = capture
      assert.deepStrictEqual(rest, {
        namespace: undefined,
        export: "own",
        recorderId: "cache",
        entityId: "cache",
        labels: { region: "eu" },
        takenAt: 5_000,
        offset: 2
      })
      assert.deepStrictEqual([metrics[0]!.metric, metrics[0]!.startedAt], [Hits, 1_000])
      assert.strictEqual((yield* recorder.capture).metrics[0]!.state, metrics[0]!.state)
      assert.isFalse(Object.isFrozen(metrics[0]!.state))
    }))

  it.effect("metrics named like members of objects are ordinary metrics", () =>
    Effect.gen(function*() {
      const names = ["__proto__", "constructor", "toString"]
      const recorder = yield* make({ metrics: names.map((name) => Metric.rename(Hits, name)) })
      assert.deepStrictEqual(Object.keys(yield* recorder.snapshots), names)
    }))

  it.effect("reducers see the time of the batch, or the event's own; views that of the read", () =>
    Effect.gen(function*() {
      const Times = Metric.make("times", {
        initial: { at: 0 },
        reduce: (_, __, meta) => Option.some({ at: meta.time }),
        dimensions: (s, meta) => ({ folded_at: s.at, read_at: meta.time })
      })
      const recorder = yield* make({ metrics: [Times], linger: "1 hour" })
      const changes = yield* collect(recorder.changes)
      yield* TestClock.setTime(1_000)
      emitAll(recorder, [new Miss()])
      yield* recorder.flush
      yield* TestClock.setTime(2_000)
      assert.deepStrictEqual((yield* recorder.snapshot(Times)).dimensions, { folded_at: 1_000, read_at: 2_000 })
      emitAll(recorder, [{ _tag: "timed", time: 77 } as Event.MetricEvent])
      assert.deepStrictEqual((yield* recorder.snapshot(Times)).dimensions, { folded_at: 77, read_at: 2_000 })
      yield* settle
      assert.deepStrictEqual(changes.map((c) => c.snapshot!.dimensions), [
        { folded_at: 1_000, read_at: 1_000 },
        { folded_at: 77, read_at: 77 }
      ])
    }))

  it.effect("a recorder that nobody reads runs for ever in bounded memory", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 1_000, metrics: [Hits] })
      for (let round = 0; round < 200; round++) {
        emitAll(recorder, hits(1, 5_000))
        yield* settle
      }
      const stats = yield* recorder.stats
      assert.strictEqual(stats.accepted, 1_000_000)
      assert.isTrue(stats.highWater <= 1_000)
    }))
})

describe("lingering", () => {
  it.live("changes arrive by themselves, at most linger late", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: "5 millis" })
      const first = yield* Effect.forkChild(Stream.runHead(recorder.changes), { startImmediately: true })
      emitAll(recorder, hits(1, 1))
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(first)).sequence, 1)
    }))

  it.effect("changes arrive under a TestClock that nobody adjusts", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: "1 millis" })
      const first = yield* Effect.forkChild(Stream.runHead(recorder.changes), { startImmediately: true })
      emitAll(recorder, hits(1, 1))
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(first)).sequence, 1)
    }))

  it.effect("ends when the queue is more than half full, and not before", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: "1 hour", capacity: 10 })
      emitAll(recorder, hits(1, 4))
      yield* settle
      assert.strictEqual((yield* recorder.stats).pending, 4)
      emitAll(recorder, hits(5, 6))
      yield* settle
      assert.strictEqual((yield* recorder.stats).pending, 0)
    }))

  it.effect("of zero folds in the next turn of the host", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: 0 })
      emitAll(recorder, hits(1, 1))
      assert.strictEqual((yield* recorder.stats).pending, 1)
      yield* settle
      assert.strictEqual((yield* recorder.stats).pending, 0)
    }))

  it.effect("the dispatcher gives the event loop back between slices", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 1_000_000, linger: 0, metrics: [Hits] })
      emitAll(recorder, hits(1, 300_000))
      const pending: Array<number> = []
      while ((yield* recorder.stats).pending > 0) {
        pending.push((yield* recorder.stats).pending)
        yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
      }
      assert.isTrue(pending.length > 2, `drained in ${pending.length} slices`)
      assert.strictEqual(yield* totalOf(recorder), 300_000)
    }))
})

describe("changes", () => {
  it.effect("tell each event that a metric took, in order", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ metrics: [Hits, All] })
      const changes = yield* collect(recorder.changes)
      const events = [new Hit({ n: 5 }), new Miss()]
      emitAll(recorder, events)
      yield* recorder.flush
      yield* settle
      const common = { _tag: "Change", recorderId: "cache", entityId: "cache" }
      assert.deepStrictEqual(
        changes.map(({ _tag, entityId, event, metric, offset, recorderId, sequence, snapshot, state }) => ({
          _tag,
          entityId,
          event,
          metric,
          offset,
          recorderId,
          sequence,
          snapshot,
          state
        })),
        [
          {
            ...common,
            event: events[0],
            metric: "cache.hits",
            offset: 1,
            sequence: 1,
            snapshot: { name: "cache.hits", dimensions: { total: 1, last: 5 } },
            state: { total: 1, last: 5 }
          },
          {
            ...common,
            event: events[0],
            metric: "cache.events",
            offset: 1,
            sequence: 2,
            snapshot: { name: "cache.events", dimensions: { total: 1 } },
            state: { total: 1 }
          },
          {
            ...common,
            event: events[1],
            metric: "cache.events",
            offset: 2,
            sequence: 3,
            snapshot: { name: "cache.events", dimensions: { total: 2 } },
            state: { total: 2 }
          }
        ] as never
      )
    }))

  it.effect("are told apart by isChangeOf, and then typed by the metric", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ metrics: [All, Hits] })
      const changes = yield* collect(recorder.changes)
      emitAll(recorder, [new Hit({ n: 7 })])
      yield* recorder.flush
      yield* settle
      const last = changes.flatMap((change) =>
        Recorder.isChangeOf(change, Hits) ? [change.event.n, change.state.last, change.snapshot?.dimensions.last] : []
      )
      assert.deepStrictEqual(last, [7, 7, 7])
    }))

  it.effect("begin with the events accepted after the subscription", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: "1 hour" })
      emitAll(recorder, hits(1, 3))
      const changes = yield* collect(recorder.changes)
      emitAll(recorder, hits(4, 5))
      yield* recorder.flush
      yield* settle
      assert.deepStrictEqual(changes.map((change) => [change.offset, change.sequence]), [[4, 4], [5, 5]])
    }))

  it.effect("reach every subscriber, none of which disturbs another", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      const first = yield* collect(recorder.changes)
      const died = yield* Effect.forkChild(Stream.runForEach(recorder.changes, () => Effect.die("dead")), {
        startImmediately: true
      })
      const second = yield* collect(recorder.changes)
      emitAll(recorder, hits(1, 3))
      yield* recorder.flush
      assert.isTrue(Exit.isFailure(yield* Fiber.await(died)))
      emitAll(recorder, hits(4, 4))
      yield* recorder.flush
      yield* settle
      assert.deepStrictEqual([first.length, second.length], [4, 4])
    }))

  it.effect("stop being collected when the last subscriber is gone", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      const subscriber = yield* Effect.forkChild(Stream.runDrain(recorder.changes), { startImmediately: true })
      yield* settle
      yield* Fiber.interrupt(subscriber)
      emitAll(recorder, hits(1, 3))
      yield* recorder.flush
      assert.strictEqual((yield* recorder.stats).changesSkipped, 0)
    }))

  it.effect("slide past a slow subscriber, which sees the gap; nothing is held back", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 10 })
      const gate = yield* Deferred.make<void>()
      const seen: Array<number> = []
      yield* Effect.forkScoped(
        Stream.runForEachArray(recorder.changes, (changes) =>
          Effect.andThen(
            Effect.sync(() => void seen.push(...changes.map((c) => c.sequence))),
            Deferred.await(gate)
          )),
        { startImmediately: true }
      )
      emitAll(recorder, hits(1, 1))
      yield* recorder.flush
      yield* settle
      emitAll(recorder, hits(2, 101))
      yield* recorder.flush
      assert.strictEqual(yield* totalOf(recorder), 101)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(seen, [1, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101])
      assert.strictEqual((yield* recorder.stats).changesSkipped, 90)
    }))

  it.effect("run no subscriber in the middle of a fold or on the stack of an emitter", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 2 })
      const changes = yield* collect(recorder.changes)
      yield* settle
      emitAll(recorder, hits(1, 10))
      recorder.snapshotsUnsafe()
      assert.strictEqual(changes.length, 0)
      yield* settle
      assert.isTrue(changes.length > 0)
    }))
})

describe("watch", () => {
  it.effect("gives the snapshots first, then every change without a gap", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: 0 })
      emitAll(recorder, hits(1, 3))
      const items = yield* collect(recorder.watch)
      emitAll(recorder, hits(4, 6))
      yield* recorder.flush
      yield* settle
      assert.deepStrictEqual(items[0], {
        _tag: "Snapshot",
        recorderId: "cache",
        entityId: "cache",
        snapshots: { "cache.hits": { name: "cache.hits", dimensions: { total: 3, last: 3 } } },
        sequence: 3,
        offset: 3
      })
      assert.deepStrictEqual(items.slice(1).map((item) => item._tag === "Change" ? item.sequence : item._tag), [
        4,
        5,
        6
      ])
    }))

  it.effect("has no gap wherever it begins in a running stream of events", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ linger: 0, capacity: 100_000 })
      const watches: Array<ReadonlyArray<Recorder.Snapshot | Recorder.MetricChange | Recorder.Missed>> = []
      for (let round = 0; round < 30; round++) {
        emitAll(recorder, hits(1, round * 37))
        watches.push(yield* collect(recorder.watch))
        emitAll(recorder, hits(1, 11))
      }
      yield* recorder.flush
      yield* settle
      const total = yield* totalOf(recorder)
      for (const [first, ...rest] of watches) {
        if (first?._tag !== "Snapshot") return assert.fail("expected the snapshots first")
        const sequences = rest.map((item) => item._tag === "Change" ? item.sequence : NaN)
        assert.deepStrictEqual(
          sequences,
          Array.from({ length: total - first.sequence }, (_, n) => first.sequence + n + 1)
        )
      }
    }))

  it.effect("has no gap when it begins inside a reducer", () =>
    Effect.gen(function*() {
      const items: Array<Recorder.Snapshot | Recorder.MetricChange | Recorder.Missed> = []
      const Spy = spying((event) => {
        if (event.n !== 3) return
        Effect.runFork(Stream.runForEach(recorder.watch, (item) => Effect.sync(() => void items.push(item))))
      })
      const recorder: Recorder.Handle = yield* make({ metrics: [Spy] })
      emitAll(recorder, hits(1, 6))
      recorder.snapshotsUnsafe()
      emitAll(recorder, hits(7, 8))
      yield* recorder.flush
      yield* settle
      assert.deepStrictEqual(items.map((item) => item._tag === "Missed" ? item.count : item.offset), [
        2,
        3,
        4,
        5,
        6,
        7,
        8
      ])
    }))

  it.effect("says how many changes a slow reader missed, where it missed them", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ capacity: 5 })
      const gate = yield* Deferred.make<void>()
      const seen: Array<unknown> = []
      yield* Effect.forkScoped(
        Stream.runForEachArray(recorder.watch, (items) =>
          Effect.andThen(
            Effect.sync(() => {
              for (const item of items) {
                seen.push(
                  item._tag === "Change" ? item.sequence : item._tag === "Missed" ? { missed: item.count } : item._tag
                )
              }
            }),
            Deferred.await(gate)
          )),
        { startImmediately: true }
      )
      emitAll(recorder, hits(1, 20))
      yield* recorder.flush
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      emitAll(recorder, hits(21, 21))
      yield* recorder.flush
      yield* settle
      assert.deepStrictEqual(seen, ["Snapshot", { missed: 15 }, 16, 17, 18, 19, 20, 21])
    }))
})

describe("onMetricChanged", () => {
  it.effect("runs for events that a metric took, one at a time, in order, after the state changed", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const recorder: Recorder.Handle = yield* make({
        onMetricChanged: (change) =>
          Effect.gen(function*() {
            log.push(`begin ${change.sequence}`)
            yield* Effect.yieldNow
            const { total } = (yield* recorder.snapshot(Hits)).dimensions
            log.push(`end ${change.sequence} of ${total}`)
          }).pipe(Effect.orDie)
      })
      emitAll(recorder, [new Miss(), ...hits(1, 3)])
      yield* recorder.flush
      assert.deepStrictEqual(log, ["begin 1", "end 1 of 3", "begin 2", "end 2 of 3", "begin 3", "end 3 of 3"])
    }))

  it.effect("that fails is counted for the metric and logged once; the next change is delivered", () => {
    const logs = collectLogs()
    return Effect.gen(function*() {
      const seen: Array<number> = []
      const recorder = yield* make({
        onMetricChanged: (change) => {
          seen.push(change.sequence)
          return change.sequence === 3
            ? Effect.die("defect")
            : change.sequence === 4
            ? Effect.void
            : Effect.fail("typed")
        }
      })
      emitAll(recorder, hits(1, 5))
      yield* recorder.flush
      yield* settle
      assert.deepStrictEqual(seen, [1, 2, 3, 4, 5])
      assert.deepStrictEqual((yield* recorder.stats).defects, { "cache.hits": 4 })
      assert.deepStrictEqual(logs.lines.map((line) => line.text), ["Error onMetricChanged failed: cache.hits"])
    }).pipe(Effect.provide(logs.layer))
  })

  it.effect("whose fiber somebody interrupts is a failing one, and the next change is delivered", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const recorder = yield* make({
        onMetricChanged: (change) =>
          Effect.withFiber((fiber) => {
            seen.push(change.sequence)
            if (change.sequence === 2) fiber.interruptUnsafe()
            return Effect.yieldNow
          })
      })
      emitAll(recorder, hits(1, 4))
      yield* recorder.flush
      assert.deepStrictEqual([seen, (yield* recorder.stats).defects], [[1, 2, 3, 4], { "cache.hits": 1 }] as never)
    }))

  it.effect("that interrupts itself or throws is a failing one", () =>
    Effect.gen(function*() {
      const recorder = yield* make({
        onMetricChanged: (change) => {
          if (change.sequence === 1) throw new Error("thrown")
          return Effect.interrupt
        }
      })
      emitAll(recorder, hits(1, 2))
      yield* recorder.flush
      assert.deepStrictEqual((yield* recorder.stats).defects, { "cache.hits": 2 })
    }))

  it.effect("that is slow delays nothing but itself, and skips the oldest changes", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const seen: Array<number> = []
      const recorder = yield* make({
        capacity: 4,
        onMetricChanged: (change) =>
          Effect.andThen(Effect.sync(() => void seen.push(change.sequence)), Deferred.await(gate))
      })
      emitAll(recorder, hits(1, 1))
      yield* until("the hook runs", Effect.map(recorder.snapshots, () => seen.length === 1))
      emitAll(recorder, hits(2, 20))
      assert.strictEqual(yield* totalOf(recorder), 20)
      const flushing = yield* Effect.forkChild(recorder.flush, { startImmediately: true })
      yield* settle
      assert.isUndefined(flushing.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(flushing)
      assert.deepStrictEqual(seen, [1, 17, 18, 19, 20])
      assert.strictEqual((yield* recorder.stats).changesSkipped, 15)
    }))

  it.effect("gives each change a scope of its own", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const recorder = yield* make({
        onMetricChanged: ({ sequence }) =>
          Effect.acquireRelease(
            Effect.sync(() => void log.push(`open ${sequence}`)),
            () => Effect.sync(() => void log.push(`close ${sequence}`))
          )
      })
      emitAll(recorder, hits(1, 2))
      yield* recorder.flush
      assert.deepStrictEqual(log, ["open 1", "close 1", "open 2", "close 2"])
    }))
})

describe("flush", () => {
  it.effect("waits for what was accepted before it, not for what comes later", () =>
    Effect.gen(function*() {
      const gates = yield* Effect.forEach([1, 2], () => Deferred.make<void>())
      const recorder = yield* make({ onMetricChanged: (change) => Deferred.await(gates[change.sequence - 1]!) })
      emitAll(recorder, hits(1, 1))
      yield* recorder.snapshots
      yield* settle
      const flushing = yield* Effect.forkChild(recorder.flush, { startImmediately: true })
      emitAll(recorder, hits(2, 2))
      yield* recorder.snapshots
      yield* settle
      assert.isUndefined(flushing.pollUnsafe())
      yield* Deferred.succeed(gates[0]!, undefined)
      yield* Fiber.join(flushing)
      yield* Deferred.succeed(gates[1]!, undefined)
    }))

  it.effect("does not wait for events that come while its fold gives way", () =>
    Effect.gen(function*() {
      const slow = spying(() => {
        for (const end = performance.now() + 0.05; performance.now() < end;);
      })
      const recorder = yield* make({
        metrics: [slow],
        linger: "1 hour",
        stopTimeout: 0,
        onMetricChanged: (change) => change.offset > 500 ? Effect.never : Effect.void
      })
      emitAll(recorder, hits(1, 500))
      const flushing = yield* Effect.forkChild(recorder.flush, { startImmediately: true })
      emitAll(recorder, hits(501, 501))
      yield* Fiber.join(flushing)
      assert.isTrue((yield* recorder.stats).folded >= 500)
    }))

  it.effect("can be interrupted, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ onMetricChanged: () => Effect.never, stopTimeout: 0 })
      emitAll(recorder, hits(1, 1))
      const flushing = yield* Effect.forkChild(recorder.flush, { startImmediately: true })
      yield* settle
      yield* Fiber.interrupt(flushing)
      assert.strictEqual(yield* totalOf(recorder), 1)
    }))
})

describe("the functions for code that states facts", () => {
  const recording = Layer.effectContext(
    Effect.map(
      make({ metrics: [Hits, All] }),
      (handle) => Context.make(Recorder.Recorder, handle).pipe(Context.add(Owner, handle))
    )
  )

  it.effect("registerEvent hands over to the recorder in the context", () =>
    Effect.gen(function*() {
      yield* Recorder.registerEvent(new Hit({ n: 1 }))
      const recorder = yield* Recorder.Recorder
      assert.strictEqual(yield* totalOf(recorder), 1)
      assert.strictEqual(yield* outcome(Recorder.registerEvent(null as never)), "InvalidEventError")
    }).pipe(Effect.provide(recording)))

  it.effect("emit does nothing without a recorder, and counts a refusal with one", () =>
    Effect.gen(function*() {
      yield* Recorder.emit(new Hit({ n: 1 }))
      yield* Effect.gen(function*() {
        yield* Recorder.emit(new Hit({ n: 1 }))
        yield* Recorder.emit(null as never)
        const stats = yield* (yield* Owner).stats
        assert.deepStrictEqual([stats.accepted, stats.refused.invalidEvent], [1, 1])
      }).pipe(Effect.provide(recording))
    }))

  it.effect("register does nothing without a recorder, and logs a refusal once", () => {
    const logs = collectLogs()
    return Effect.gen(function*() {
      yield* Recorder.register(Hits)
      const other = Metric.describe(Hits, "other")
      const Late = Metric.rename(Hits, "late")
      yield* Effect.gen(function*() {
        yield* Recorder.register(other, Late)
        yield* Recorder.register(other)
        yield* Recorder.register(Metric.describe(Hits, "made anew at each call"))
        assert.deepStrictEqual(yield* (yield* Owner).metrics, [Hits, All, Late])
      }).pipe(Effect.provide(recording))
      assert.deepStrictEqual(logs.lines.map((line) => line.text), ["Error A metric was not registered"])
    }).pipe(Effect.provide(logs.layer))
  })

  describe("observe", () => {
    class Saved extends Event.Class<Saved>()("saved", { exit: Schema.String, ms: Schema.Finite }) {}
    const exitOf = (exit: Exit.Exit<unknown, unknown>) =>
      Exit.isSuccess(exit) ? "success" : exit.cause.reasons.map((reason) => reason._tag).join()
    const saved = (exit: Exit.Exit<unknown, unknown>, duration: Duration.Duration) =>
      new Saved({ exit: exitOf(exit), ms: Duration.toMillis(duration) })
    const Last = Metric.make("last", {
      events: [Saved],
      initial: { total: 0, exit: "", ms: -1 },
      reduce: (s, e) => Option.some({ total: s.total + 1, exit: e.exit, ms: e.ms })
    })
    const withLast = Layer.fresh(Layer.effectContext(
      Effect.map(
        make({ metrics: [Last, All] }),
        (handle) => Context.make(Recorder.Recorder, handle).pipe(Context.add(Owner, handle))
      )
    ))
    const last = Effect.flatMap(Owner, (recorder) => Effect.map(recorder.snapshot(Last), (s) => s.dimensions))

    it.effect("states success, typed failure, defect and interruption, each with its duration", () =>
      Effect.gen(function*() {
        const rows: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, string]> = [
          [Effect.succeed(1), "success"],
          [Effect.fail("no"), "Fail"],
          [Effect.die("bug"), "Die"],
          [Effect.interrupt, "Interrupt"]
        ]
        for (const [ending, expected] of rows) {
          const fiber = yield* Effect.forkChild(
            Effect.andThen(Effect.sleep("250 millis"), ending).pipe(Recorder.observe(saved), Effect.exit),
            { startImmediately: true }
          )
          yield* TestClock.adjust("250 millis")
          const exit = yield* Fiber.join(fiber)
          assert.strictEqual(exitOf(exit), expected)
          const { ms, exit: seen } = yield* last
          assert.deepStrictEqual([seen, ms], [expected, 250])
        }
      }).pipe(Effect.provide(withLast)))

    it.effect("states an interruption from outside", () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Recorder.observe(Effect.never, saved), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* last).exit, "Interrupt")
      }).pipe(Effect.provide(withLast)))

    it.effect("takes the time of each run by itself, also where the wall clock is set back", () =>
      Effect.gen(function*() {
        const durations: Array<number> = []
        const observed = Recorder.observe(Effect.sleep("250 millis"), (_, duration) => {
          durations.push(Duration.toMillis(duration))
          return undefined
        })
        const first = yield* Effect.forkChild(observed, { startImmediately: true })
        yield* TestClock.adjust("100 millis")
        const second = yield* Effect.forkChild(observed, { startImmediately: true })
        yield* TestClock.adjust("150 millis")
        yield* Fiber.join(first)
        yield* TestClock.setTime(50)
        yield* Fiber.interrupt(second)
        assert.deepStrictEqual(durations, [250, 150])
      }).pipe(Effect.provide(withLast)))

    it.effect("keeps the result and the requirements, with and without a recorder", () =>
      Effect.gen(function*() {
        let calls = 0
        const observed = Recorder.observe(Effect.succeed("value"), () => {
          calls++
          return undefined
        })
        assert.strictEqual(yield* observed, "value")
        assert.strictEqual(calls, 0)
        assert.strictEqual(yield* Effect.provide(observed, withLast), "value")
        assert.strictEqual(calls, 1)
      }))

    it.effect("counts a function that throws or makes no event, and touches nothing", () =>
      Effect.gen(function*() {
        const throwing = () => {
          throw new Error("f")
        }
        assert.strictEqual(yield* Recorder.observe(Effect.succeed(1), throwing), 1)
        assert.strictEqual(yield* Recorder.observe(Effect.succeed(2), () => "no event" as never), 2)
        assert.strictEqual(yield* Recorder.observe(Effect.succeed(3), { onStart: throwing, onExit: throwing }), 3)
        const { accepted, refused } = yield* (yield* Owner).stats
        assert.deepStrictEqual([accepted, refused.invalidEvent], [0, 4])
      }).pipe(Effect.provide(withLast)))

    it.effect("states the end of a run that began once, and of no other", () =>
      Effect.gen(function*() {
        const seen = new Set<string>()
        for (const withStart of [false, true]) {
          for (const [budget, turns] of interruptions) {
            for (const effect of [Effect.never, Effect.yieldNow, Effect.fail("x"), Effect.die("y")]) {
              let [started, began, ended] = [0, 0, 0]
              const onStart = () => (started++, undefined)
              const onExit = () => (ended++, undefined)
              const observed = Effect.suspend(() => (began++, effect)).pipe(
                Recorder.observe<unknown, unknown>(withStart ? { onStart, onExit } : onExit)
              )
              const fiber = yield* Effect.forkChild(suspending(budget)(observed), { startImmediately: true })
              for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
              yield* Fiber.interrupt(fiber)
              assert.isTrue(began <= ended && ended <= 1, `${budget} ${turns}: ${began} ${ended}`)
              if (withStart) assert.strictEqual(started, ended)
              seen.add(`${withStart} ${ended}`)
            }
          }
        }
        assert.strictEqual(seen.size, 4, "some were interrupted before they began")
      }).pipe(Effect.provide(withLast)))

    it.effect("with onStart and onExit counts what is in flight, whatever happens", () =>
      Effect.gen(function*() {
        const InFlight = Metric.make("in_flight", {
          events: ["start", "end"],
          initial: { now: 0, most: 0 },
          reduce: (s, e) => {
            const now = s.now + (e._tag === "start" ? 1 : -1)
            return Option.some({ now, most: Math.max(s.most, now) })
          }
        })
        const recorder = yield* Owner
        yield* recorder.registerMetric(InFlight)
        const observe = Recorder.observe({ onStart: () => ({ _tag: "start" }), onExit: () => ({ _tag: "end" }) })
        for (const [budget, turns] of interruptions) {
          const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
          for (const effect of [Effect.never, Effect.yieldNow, Effect.fail("x"), Effect.die("y")]) {
            fibers.push(yield* Effect.forkChild(suspending(budget)(observe(effect)), { startImmediately: true }))
          }
          for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
          yield* Fiber.interruptAll(fibers)
          for (const exit of yield* Fiber.awaitAll(fibers)) {
            const defects = Exit.isFailure(exit) ? exit.cause.reasons.filter(Cause.isDieReason) : []
            assert.isTrue(defects.every(({ defect }) => defect === "y"), "the result is the effect's own")
          }
        }
        const { most, now } = (yield* recorder.snapshot(InFlight)).dimensions
        assert.isTrue(now === 0 && most > 0, `${now} ${most}`)
      }).pipe(Effect.provide(withLast)))
  })
})

/** The handle behind the recorder of a test. */
class Owner extends Context.Service<Owner, Recorder.Handle>()("mvx-metrics/test/Recorder/Owner") {}

describe("layers", () => {
  it.effect("layer gives a running recorder, and stops it with the layer", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const layer = Recorder.layer({
        entityId: "cache",
        metrics: [Hits],
        onStarting: Effect.sync(() => void log.push("start")),
        onStopped: Effect.sync(() => void log.push("stop"))
      })
      const total = yield* Effect.gen(function*() {
        assert.deepStrictEqual(log, ["start"])
        yield* Recorder.emit(new Hit({ n: 1 }))
        return yield* totalOf(yield* Recorder.Recorder)
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual([total, log], [1, ["start", "stop"]] as never)
    }))

  it.effect("layer fails where the recorder does not start, or an option is wrong", () =>
    Effect.gen(function*() {
      const build = (options: Recorder.Options) => outcome(Effect.provide(Effect.void, Recorder.layer(options)))
      assert.strictEqual(yield* build({ entityId: "cache", onStarting: Effect.fail("boom") }), "RecorderStartError")
      assert.strictEqual(yield* build({ entityId: "" }), "InvalidOptionError")
    }))

  it.effect("layerMetrics registers metrics in the recorder below it", () =>
    Effect.gen(function*() {
      const layer = Recorder.layerMetrics(Hits, All).pipe(Layer.provideMerge(Recorder.layer({ entityId: "cache" })))
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* (yield* Recorder.Recorder).metrics, [Hits, All])
      }).pipe(Effect.provide(layer))
      const clash = Recorder.layerMetrics(Hits, Metric.describe(Hits, "x")).pipe(
        Layer.provide(Recorder.layer({ entityId: "c" }))
      )
      assert.strictEqual(yield* outcome(Effect.provide(Effect.void, clash)), "MetricNameTakenError")
    }))

  it.effect("layerNoop keeps nothing, and lets everything succeed", () =>
    Effect.gen(function*() {
      const recorder = yield* Recorder.Recorder
      yield* recorder.registerMetric(Hits)
      yield* recorder.registerEvent(new Hit({ n: 1 }))
      assert.isTrue(recorder.registerEventUnsafe(new Hit({ n: 1 })))
      yield* recorder.flush
      assert.deepStrictEqual([yield* recorder.snapshots, yield* recorder.metrics], [{}, []] as never)
      assert.isFalse(yield* recorder.unregisterMetric("cache.hits"))
      assert.deepStrictEqual(yield* Stream.runCollect(recorder.changes), [])
      assert.strictEqual(yield* outcome(recorder.snapshot(Hits)), "MetricNotRegisteredError")
    }).pipe(Effect.provide(Recorder.layerNoop)))
})

describe("diagnostics", () => {
  it.effect("log lifecycle and registration at Debug and reads at Trace, never the handoff", () => {
    const logs = collectLogs()
    return Effect.gen(function*() {
      const recorder = yield* make({ metrics: [] })
      yield* recorder.registerMetric(Hits)
      yield* recorder.start
      yield* settle
      emitAll(recorder, hits(1, 3))
      yield* recorder.registerEvent(new Hit({ n: 1 }))
      yield* recorder.snapshots
      yield* recorder.stop
      yield* settle
      assert.deepStrictEqual(
        logs.lines,
        [
          "Debug Metric registered: cache.hits",
          "Debug Recorder started",
          "Trace Read: snapshots",
          "Debug Recorder stopped"
        ].map((text) => ({ text, annotations: { "metrics.recorder": "cache" } }))
      )
    }).pipe(Effect.provide(logs.layer), Effect.provideService(References.MinimumLogLevel, "Trace"))
  })
})

describe("two recorders with one metric", () => {
  it.effect("share nothing", () =>
    Effect.gen(function*() {
      const [left, right] = yield* Effect.all([make({ entityId: "left" }), make({ entityId: "right" })])
      emitAll(left, hits(1, 3))
      emitAll(right, hits(1, 1))
      assert.deepStrictEqual([yield* totalOf(left), yield* totalOf(right)], [3, 1])
    }))
})
