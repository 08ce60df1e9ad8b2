import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Option, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Dimension, Event, Metric, Recorder, Runtime } from "mvx-metrics"

class Received extends Event.Class<Received>()("tcp.received", { bytes: Schema.Finite, kind: Schema.String }) {}

class Opened extends Event.Class<Opened>()("tcp.opened", { by: Schema.Literals([1, -1]) }) {}

const Traffic = Metric.fromDimensions("traffic", [Received], (d) => ({
  total: d.count(),
  bytes: d.sum((e) => e.bytes),
  max: d.max((e) => e.bytes),
  by_kind: d.by("kind", (e) => e.kind, d.count())
}))

const Open = Metric.fromDimensions("open", [Opened], (d) => ({ now: d.upDown((e) => e.by) }))

/** A reducer of one's own, with a merge of one's own. */
const Longest = Metric.make("longest", {
  events: [Received],
  initial: { kind: "" },
  reduce: (s, e) => Option.some({ kind: e.kind.length > s.kind.length ? e.kind : s.kind }),
  combine: { combine: (a, b) => a.kind.length >= b.kind.length ? a : b }
})

const received = (bytes: number, kind = "data") => new Received({ bytes, kind })

const rolledUp = { export: "rollup", labels: { side: "server" }, metrics: [Traffic, Open, Longest] } as const

const make = Runtime.make({ namespace: "tcp", linger: 60_000 })

/** What the captures of rollups show, by their labels. */
const rollups = (runtime: Runtime.Handle) =>
  Effect.map(runtime.captures, (captures) =>
    captures.filter(({ export: how }) => how === "rollup").map((capture) => ({
      labels: capture.labels,
      offset: capture.offset,
      shown: Object.fromEntries(
        capture.metrics.map(({ metric, state }) => [metric.name, Metric.snapshot(metric, state).dimensions])
      )
    })))

const trafficOf = (runtime: Runtime.Handle) =>
  Effect.map(rollups(runtime), ([first]) => {
    const { by_kind, ...rest } = first!.shown.traffic as Metric.DimensionsOf<typeof Traffic>
    return { ...rest, by_kind: { ...by_kind } }
  })

describe("recorders with `export: \"rollup\"`", () => {
  it.effect("add up to one capture of the runtime, while they are there and when they are gone", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const scope = yield* Scope.make()
      const one = yield* Scope.provide(runtime.recorder("one", rolledUp), scope)
      const two = yield* runtime.createRecorder("two", rolledUp)
      one.registerEventUnsafe(received(5))
      two.registerEventUnsafe(received(7, "control"))
      two.registerEventUnsafe(received(1))
      const expected = { total: 3, bytes: 13, max: 7, by_kind: { data: 2, control: 1 } }
      assert.deepStrictEqual(yield* trafficOf(runtime), expected)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* trafficOf(runtime), expected)
      two.registerEventUnsafe(received(10))
      yield* runtime.removeRecorder("two")
      assert.deepStrictEqual(yield* trafficOf(runtime), {
        total: 4,
        bytes: 23,
        max: 10,
        by_kind: { data: 3, control: 1 }
      })
      const [rollup] = yield* rollups(runtime)
      assert.deepStrictEqual([rollup!.offset, rollup!.shown.longest], [4, { kind: "control" }])
      assert.deepStrictEqual(yield* runtime.recorderIds, [])
    }))

  it.effect("are not captured one by one, and are still read one by one", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const own = yield* runtime.createRecorder("own", { metrics: [Traffic] })
      const part = yield* runtime.createRecorder("part", rolledUp)
      for (const recorder of [own, part]) recorder.registerEventUnsafe(received(1))
      const captures = yield* runtime.captures
      assert.deepStrictEqual(
        captures.map(({ entityId, export: how, labels, namespace, offset, recorderId }) => ({
          namespace,
          export: how,
          recorderId,
          entityId,
          labels,
          offset
        })),
        [
          { namespace: "tcp", export: "own", recorderId: "own", entityId: "own", labels: {}, offset: 1 },
          { namespace: "tcp", export: "rollup", recorderId: "", entityId: "", labels: { side: "server" }, offset: 1 }
        ]
      )
      assert.deepStrictEqual(Object.keys(yield* runtime.snapshots), ["own", "part"])
      assert.strictEqual((yield* part.snapshot(Traffic)).dimensions.total, 1)
      assert.strictEqual((yield* part.capture).export, "rollup")
    }))

  it.effect("add up by their labels, those of the runtime included, in whatever order", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ linger: 60_000, labels: { region: "eu" } })
      const create = (id: string, labels: Record<string, string>) =>
        Effect.map(runtime.createRecorder(id, { ...rolledUp, labels }), (recorder) => {
          recorder.registerEventUnsafe(received(1))
        })
      yield* create("a", { side: "server", tls: "yes" })
      yield* create("b", { tls: "yes", side: "server" })
      yield* create("c", { side: "client", tls: "yes" })
      yield* create("d", {})
      assert.deepStrictEqual(
        (yield* rollups(runtime)).map(({ labels, offset }) => ({ labels: { ...labels }, offset })),
        [
          { labels: { region: "eu", side: "server", tls: "yes" }, offset: 2 },
          { labels: { region: "eu", side: "client", tls: "yes" }, offset: 1 },
          { labels: { region: "eu" }, offset: 1 }
        ]
      )
    }))

  it.effect("leave 10 000 short lives in one exact series", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      for (let index = 0; index < 10_000; index++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const recorder = yield* runtime.recorder(`connection-${index}`, rolledUp)
          recorder.registerEventUnsafe(new Opened({ by: 1 }))
          recorder.registerEventUnsafe(received(index % 10))
          if (index < 9_990) recorder.registerEventUnsafe(new Opened({ by: -1 }))
        }))
      }
      const [rollup, ...rest] = yield* rollups(runtime)
      assert.deepStrictEqual([rest.length, rollup!.offset], [0, 29_990])
      assert.deepStrictEqual(rollup!.shown.open, { now: 10 })
      assert.deepStrictEqual(yield* trafficOf(runtime), {
        total: 10_000,
        bytes: 45_000,
        max: 9,
        by_kind: { data: 10_000 }
      })
    }))

  it.effect("keep what a metric counted that is taken out", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const recorder = yield* runtime.createRecorder("one", rolledUp)
      recorder.registerEventUnsafe(received(5))
      yield* recorder.flush
      yield* recorder.unregisterMetric("traffic")
      assert.strictEqual((yield* trafficOf(runtime)).total, 1)
      yield* recorder.registerMetric(Traffic)
      recorder.registerEventUnsafe(received(5))
      assert.strictEqual((yield* trafficOf(runtime)).total, 2)
    }))

  it.effect("keep what a recorder counted once, whatever is done with it when it is gone", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      yield* runtime.createRecorder("one", rolledUp)
      const recorder = yield* runtime.removeRecorder("one")
      const two = yield* runtime.createRecorder("two", rolledUp)
      two.registerEventUnsafe(received(5))
      yield* runtime.removeRecorder("two")
      for (const gone of [recorder, two]) yield* gone.unregisterMetric("traffic")
      assert.strictEqual((yield* trafficOf(runtime)).bytes, 5)
      let failed: Recorder.Handle | undefined
      yield* Effect.flip(runtime.createRecorder("three", {
        ...rolledUp,
        wrap: (base) => {
          failed = base
          return Effect.fail("no")
        }
      }))
      yield* failed!.unregisterMetric("traffic")
      assert.strictEqual((yield* trafficOf(runtime)).bytes, 5)
    }))

  it.effect("go on showing the series that they have shown, also when there are too many", () =>
    Effect.gen(function*() {
      const Limited = Metric.fromDimensions("traffic", [Received], (d) => ({
        total: d.count(),
        by_kind: d.by("kind", (e) => e.kind, d.min((e) => e.bytes), { limit: 2 })
      }))
      const runtime = yield* make
      const create = (id: string) => runtime.createRecorder(id, { ...rolledUp, metrics: [Limited] })
      const kinds = Effect.map(rollups(runtime), ([first]) => {
        const { by_kind } = first!.shown.traffic as Metric.DimensionsOf<typeof Limited>
        return { ...by_kind }
      })
      const one = yield* create("one")
      const two = yield* create("two")
      one.registerEventUnsafe(received(1, "a"))
      two.registerEventUnsafe(received(2, "b"))
      assert.deepStrictEqual(yield* kinds, { a: 1, b: 2 })
      one.registerEventUnsafe(received(3, "c"))
      const three = yield* create("three")
      three.registerEventUnsafe(received(4, "d"))
      yield* runtime.removeRecorder("three")
      assert.deepStrictEqual(yield* kinds, { a: 1, b: 2, [Dimension.overflowKey]: 3 })
      yield* runtime.removeRecorder("one")
      assert.deepStrictEqual(yield* kinds, { a: 1, b: 2, [Dimension.overflowKey]: 3 })
      yield* runtime.removeRecorder("two")
      assert.deepStrictEqual(yield* kinds, { a: 1, b: 2, [Dimension.overflowKey]: 3 })
    }))

  it.effect("show no sum below one that they have shown, in whatever order recorders go", () =>
    Effect.gen(function*() {
      const Sums = Metric.fromDimensions("traffic", [Received], (d) => ({
        sum: d.sum((e) => e.bytes),
        sizes: d.histogram((e) => e.bytes, { boundaries: [0.2] }),
        by_kind: d.by("kind", (e) => e.kind, d.struct({ sum: d.sum((e) => e.bytes) }))
      }))
      const runtime = yield* make
      const captured = Effect.map(runtime.captures, ([capture]) => capture!.metrics[0]!.state as typeof Sums.initial)
      const shown = (state: typeof Sums.initial) => {
        const { by_kind, sizes, sum } = Metric.snapshot(Sums, state).dimensions
        return [sum, sizes.sum, by_kind["data"]!.sum]
      }
      const fractions = [0.1, 0.2, 0.3, 0.7, 1.1, 1e-3, 12.34]
      for (const [index, bytes] of fractions.entries()) {
        const recorder = yield* runtime.createRecorder(`${index}`, { ...rolledUp, metrics: [Sums] })
        recorder.registerEventUnsafe(received(bytes))
      }
      let before = yield* captured
      for (const index of [3, 1, 6, 0, 5, 2, 4]) {
        yield* runtime.removeRecorder(`${index}`)
        const after = yield* captured
        assert.deepStrictEqual(shown(after), shown(before))
        assert.deepStrictEqual(shown(Metric.diff(Sums, after, before)), [0, 0, 0])
        before = after
      }
    }))

  it.effect("never change a capture that was taken", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const one = yield* runtime.createRecorder("one", rolledUp)
      const two = yield* runtime.createRecorder("two", rolledUp)
      const shown: Array<() => unknown> = []
      const see = Effect.map(runtime.captures, ([capture]) => {
        const show = () =>
          JSON.stringify(capture!.metrics.map(({ metric, state }) => Metric.snapshot(metric, state).dimensions))
        const then = show()
        shown.push(() => assert.strictEqual(show(), then))
      })
      for (const kind of ["data", "control", "data", "other"]) {
        one.registerEventUnsafe(received(1, kind))
        yield* see
        two.registerEventUnsafe(received(2, kind))
        yield* see
      }
      yield* runtime.removeRecorder("one")
      yield* see
      two.registerEventUnsafe(received(3))
      yield* runtime.removeRecorder("two")
      yield* see
      const three = yield* runtime.createRecorder("three", rolledUp)
      three.registerEventUnsafe(received(4))
      yield* runtime.removeRecorder("three")
      for (const check of shown) check()
      assert.strictEqual((yield* trafficOf(runtime)).total, 10)
    }))

  it.effect("have one epoch, from when their series began", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      yield* TestClock.setTime(1_000)
      yield* runtime.createRecorder("one", rolledUp)
      yield* TestClock.setTime(2_000)
      yield* runtime.removeRecorder("one")
      yield* runtime.createRecorder("two", rolledUp)
      const [first] = yield* runtime.captures
      yield* runtime.removeRecorder("two")
      const [second] = yield* runtime.captures
      assert.deepStrictEqual(first!.metrics.map(({ startedAt }) => startedAt), [1_000, 1_000, 1_000])
      assert.deepStrictEqual(second!.metrics.map(({ epoch }) => epoch), first!.metrics.map(({ epoch }) => epoch))
      assert.strictEqual(first!.takenAt, 2_000)
    }))

  it.effect("are counted once each while recorders go in the middle of a read", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const recorders = 2_000
      for (let index = 0; index < recorders; index++) {
        const recorder = yield* runtime.createRecorder(`${index}`, rolledUp)
        for (let event = 0; event < 20; event++) recorder.registerEventUnsafe(received(1, `${event % 3}`))
      }
      const reading = yield* Effect.forkChild(trafficOf(runtime), { startImmediately: true })
      assert.isUndefined(reading.pollUnsafe(), "the read gives way")
      for (let index = 0; index < recorders; index += 2) yield* runtime.removeRecorder(`${index}`)
      const recorder = yield* runtime.getRecorder(`${recorders - 1}`)
      yield* recorder.unregisterMetric("traffic")
      const { by_kind: _, ...traffic } = yield* Fiber.join(reading)
      assert.deepStrictEqual(traffic, { total: recorders * 20, bytes: recorders * 20, max: 1 })
    }))

  it.effect("are read after the shutdown", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const recorder = yield* runtime.createRecorder("one", rolledUp)
      recorder.registerEventUnsafe(received(5))
      yield* runtime.shutdown
      assert.strictEqual((yield* trafficOf(runtime)).bytes, 5)
    }))

  it.effect("leave nothing of a recorder whose creation failed", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const Plain = Metric.make("plain", { initial: { total: 0 }, reduce: () => Option.none() })
      const fails: ReadonlyArray<Runtime.RecorderOptions<unknown>> = [
        { metrics: [Traffic, Plain] },
        { metrics: [Traffic], onStarting: Effect.fail("no") },
        { metrics: [Traffic], wrap: () => Effect.fail("no") }
      ]
      for (const options of fails) {
        yield* Effect.flip(runtime.createRecorder("one", { ...rolledUp, ...options }))
        assert.deepStrictEqual(yield* runtime.captures, [])
      }
      const Other = Metric.fromDimensions("traffic", [Received], (d) => ({ total: d.count() }))
      const other = yield* runtime.createRecorder("one", { ...rolledUp, metrics: [Other] })
      other.registerEventUnsafe(received(1))
      yield* Effect.flip(runtime.createRecorder("two", { ...rolledUp, metrics: [Open], onStarting: Effect.fail("no") }))
      yield* Effect.flip(
        runtime.createRecorder("two", { ...rolledUp, metrics: [Other], onStarting: Effect.fail("no") })
      )
      const [rollup] = yield* rollups(runtime)
      assert.deepStrictEqual(rollup!.shown, { traffic: { total: 1 } })
      yield* runtime.removeRecorder("one")
      yield* Effect.flip(
        runtime.createRecorder("two", { ...rolledUp, metrics: [Other], onStarting: Effect.fail("no") })
      )
      assert.deepStrictEqual((yield* rollups(runtime))[0]!.shown, { traffic: { total: 1 } })
    }))

  it.effect("stay in their rollup when another creation with the same labels fails", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const recorder = yield* runtime.createRecorder("one", { ...rolledUp, metrics: [] })
      yield* Effect.flip(runtime.createRecorder("two", { ...rolledUp, onStarting: Effect.fail("no") }))
      yield* recorder.registerMetric(Traffic)
      recorder.registerEventUnsafe(received(5))
      assert.strictEqual((yield* trafficOf(runtime)).bytes, 5)
    }))

  it.effect("take no room among the combinations of labels when they have left nothing", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      for (let index = 0; index < 2_100; index++) {
        yield* Effect.scoped(runtime.recorder("one", { ...rolledUp, metrics: [], labels: { peer: `${index}` } }))
      }
      yield* runtime.createRecorder("one", rolledUp)
      assert.deepStrictEqual((yield* rollups(runtime)).map(({ labels }) => labels), [{ side: "server" }])
    }))

  it.effect("do not count what a recorder took whose creation failed", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const failing = runtime.createRecorder("one", {
        ...rolledUp,
        wrap: (base) => {
          base.registerEventUnsafe(received(5))
          return Effect.fail("no")
        }
      })
      yield* Effect.exit(failing)
      assert.deepStrictEqual(yield* runtime.captures, [])
    }))

  it.effect("count what the recorder under a custom one counted", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const recorder = yield* runtime.createRecorder("one", {
        ...rolledUp,
        wrap: (base) =>
          Effect.succeed(
            Recorder.decorate(base, {
              capture: Effect.die("never read"),
              registerEventUnsafe: base.registerEventUnsafe
            })
          )
      })
      recorder.registerEventUnsafe(received(5))
      assert.strictEqual((yield* trafficOf(runtime)).total, 1)
      yield* runtime.removeRecorder("one")
      assert.strictEqual((yield* trafficOf(runtime)).total, 1)
    }))

  it.effect("refuse a metric that cannot merge, and another definition of a name", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const Plain = Metric.make("plain", { initial: { total: 0 }, reduce: () => Option.none() })
      const messageOf = (effect: Effect.Effect<unknown, Runtime.CreateError | Recorder.RecorderInvalidStateError>) =>
        Effect.map(
          Effect.flip(effect as Effect.Effect<unknown, Error>),
          (error) => [error.constructor.name, error.message]
        )
      const recorder = yield* runtime.createRecorder("one", rolledUp)
      assert.deepStrictEqual(yield* messageOf(recorder.registerMetric(Plain)), [
        "InvalidMetricError",
        "Invalid metric \"plain\": expected a way to merge (`combine`, or dimensions), because its recorder has `export: \"rollup\"`, found none"
      ])
      yield* messageOf(runtime.createRecorder("two", { ...rolledUp, metrics: [Plain] }))
      assert.deepStrictEqual(yield* runtime.recorderIds, ["one"])
      const Other = Metric.fromDimensions("traffic", [Received], (d) => ({ total: d.count() }))
      assert.deepStrictEqual(yield* messageOf(runtime.createRecorder("two", { ...rolledUp, metrics: [Other] })), [
        "InvalidMetricError",
        "Invalid metric \"traffic\": expected the definition that other recorders with the same labels roll up, found another one"
      ])
      yield* runtime.createRecorder("two", { ...rolledUp, labels: { side: "client" }, metrics: [Other] })
      yield* runtime.createRecorder("three", { metrics: [Plain, Other] })
    }))

  it.effect("leave a state out that cannot be merged, and count it as a defect", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const Odd = Metric.make("odd", {
        events: [Received],
        initial: { total: 0 },
        reduce: (s, e) => Option.some({ total: s.total + e.bytes }),
        combine: {
          combine: (a, b) => {
            if (b.total === 13) throw new Error("odd")
            return { total: a.total + b.total }
          }
        }
      })
      for (const [id, bytes] of [["one", 1], ["two", 13], ["three", 2]] as const) {
        const recorder = yield* runtime.createRecorder(id, { ...rolledUp, metrics: [Odd, Traffic] })
        recorder.registerEventUnsafe(received(bytes))
      }
      const odd = Effect.map(rollups(runtime), ([rollup]) => [rollup!.shown.odd, (rollup!.shown.traffic as any).total])
      assert.deepStrictEqual(yield* odd, [{ total: 3 }, 3])
      for (const id of ["two", "three"]) yield* runtime.removeRecorder(id)
      assert.deepStrictEqual(yield* odd, [{ total: 3 }, 3])
      assert.deepStrictEqual((yield* runtime.stats).defects, { odd: 2 })
    }))

  it.effect("go into the overflow, with a warning, when there are too many combinations of labels", () =>
    Effect.gen(function*() {
      const warnings: Array<unknown> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") warnings.push(message)
      })
      const captures = yield* Effect.gen(function*() {
        const runtime = yield* make
        for (let index = 0; index < 2_003; index++) {
          const recorder = yield* runtime.createRecorder(`${index}`, { ...rolledUp, labels: { peer: `${index}` } })
          recorder.registerEventUnsafe(received(1))
        }
        yield* Effect.yieldNow
        return yield* runtime.captures
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.strictEqual(captures.length, 2_001)
      const [overflow] = captures.slice(-1)
      assert.deepStrictEqual([overflow!.labels, overflow!.offset], [{ [Dimension.overflowKey]: "true" }, 3])
      assert.deepStrictEqual(warnings.flat(), [
        "Too many combinations of labels are rolled up: more go into the overflow"
      ])
    }))

  it.effect("are read by metric, typed", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const recorder = yield* runtime.createRecorder("one", rolledUp)
      recorder.registerEventUnsafe(received(5))
      const [capture] = yield* runtime.captures
      const bytes: Option.Option<number> = Option.map(Recorder.snapshotOf(capture!, Traffic), (s) => s.dimensions.bytes)
      assert.deepStrictEqual(bytes, Option.some(5))
      assert.isTrue(Option.isNone(Recorder.snapshotOf(Metric.rename(Traffic, "other"))(capture!)))
    }))

  it.effect("are refused with another value of the option", () =>
    Effect.gen(function*() {
      const runtime = yield* make
      const error = yield* Effect.flip(runtime.createRecorder("one", { export: "sum" as never }))
      assert.strictEqual(error.message, "Invalid option `export`: expected one of \"own\", \"rollup\", found \"sum\"")
    }))
})
