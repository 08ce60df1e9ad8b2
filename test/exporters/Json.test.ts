import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, FileSystem, Layer, Option, Scope, Sink, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type Dimension, Event, Metric, type Recorder, Runtime } from "mvx-metrics"
import * as Json from "mvx-metrics/exporters/Json"
import { All, BrokenView, collectLogs, Hit, Hits, hits, outcome, settle, until } from "../support.ts"

const shop = Runtime.layer({ namespace: "shop" })

const recorderOf = (
  metrics: ReadonlyArray<Metric.Any>,
  options: Runtime.RecorderOptions = {},
  id = "documents"
) => Runtime.MetricsRuntime.use((runtime) => runtime.createRecorder(id, { metrics, ...options }))

const recordAll = (recorder: Recorder.RecorderService, events: ReadonlyArray<Event.MetricEvent>) =>
  Effect.sync(() => {
    for (const event of events) recorder.registerEventUnsafe(event)
  })

const parsed = (lines: Iterable<string>): Array<any> => {
  const text = Array.from(lines).join("")
  if (text === "") return []
  assert.isTrue(text.endsWith("\n"))
  return text.slice(0, -1).split("\n").map((line) => JSON.parse(line))
}

/** A sink of text that remembers it. `before` is run before each element is taken. */
const remembering = <E = never>(before: Effect.Effect<void, E> = Effect.void) => {
  const texts: Array<string> = []
  const decoder = new TextDecoder()
  const sink = Sink.forEach((bytes: Uint8Array) =>
    Effect.andThen(before, Effect.sync(() => texts.push(decoder.decode(bytes))))
  )
  return { sink, lines: () => parsed(texts), texts }
}

/** Lets an interval pass, and what it leads to be done. */
const pass = (duration: Duration.Input) => Effect.andThen(TestClock.adjust(duration), settle)

const isOwn = ({ metric }: { readonly metric: string }) => metric === "mvx_metrics"

const Odd = Metric.make("odd", {
  events: ["odd"],
  initial: { n: 0 },
  reduce: (s, _: { readonly _tag: "odd"; readonly value: unknown }) => Option.some({ n: s.n + 1 })
})

const odd = (value: unknown) => ({ _tag: "odd", value })

describe("Json", () => {
  describe("captures", () => {
    it.effect("is a line for each series, and for each of the runtime's own figures", () =>
      Effect.gen(function*() {
        const Saves = Metric.fromDimensions("saves", ["saved"], (d: Dimension.Builder<Saved>) => ({
          total: d.count(),
          by_user: d.by("user", (e) => e.user, d.struct({ bytes: d.sum((e) => e.bytes, { unit: "By" }) })),
          size: d.histogram((e) => e.bytes, { boundaries: [10, 100], unit: "By" }),
          never: d.histogram(() => 1, { boundaries: [], when: () => false })
        }))
        yield* TestClock.setTime(1000)
        const recorder = yield* recorderOf([Saves], { labels: { region: "eu" } })
        yield* recordAll(recorder, [saved(7, "ann"), saved(20, "ann")])
        yield* TestClock.setTime(61_000)

        const lines = yield* Stream.runCollect(Json.captures)
        const values = parsed(lines)
        const common = {
          time: "1970-01-01T00:01:01.000Z",
          runtime: "shop",
          metric: "saves",
          startedAt: "1970-01-01T00:00:01.000Z"
        }
        const labels = { region: "eu", recorder_id: "documents" }
        assert.deepStrictEqual(values.filter((value) => !isOwn(value)), [
          { ...common, dimension: "total", kind: "counter", labels, value: 2 },
          {
            ...common,
            dimension: "by_user.bytes",
            kind: "counter",
            unit: "By",
            labels: { ...labels, user: "ann" },
            value: 27
          },
          {
            ...common,
            dimension: "size",
            kind: "histogram",
            unit: "By",
            labels,
            distribution: { count: 2, sum: 27, min: 7, max: 20, boundaries: [10, 100], counts: [1, 1, 0] }
          },
          {
            ...common,
            dimension: "never",
            kind: "histogram",
            labels,
            distribution: { count: 0, sum: 0, boundaries: [], counts: [0] }
          }
        ])
        assert.strictEqual(
          lines[0],
          `{"time":"1970-01-01T00:01:01.000Z","runtime":"shop","metric":"saves","dimension":"total","kind":"counter",` +
            `"labels":{"region":"eu","recorder_id":"documents"},"startedAt":"1970-01-01T00:00:01.000Z","value":2}\n`
        )
        assert.deepInclude(values.filter(isOwn), {
          ...common,
          metric: "mvx_metrics",
          dimension: "accepted_total",
          kind: "counter",
          labels: { runtime: "shop" },
          startedAt: "1970-01-01T00:00:00.000Z",
          value: 2
        })
      }).pipe(Effect.provide(shop)))

    it.effect("writes numbers that JSON does not know as strings", () =>
      Effect.gen(function*() {
        const shown = { nan: NaN, up: Infinity, down: -Infinity, big: 2n ** 64n, small: -0 }
        yield* recorderOf([Metric.make("odd", { initial: shown, reduce: () => Option.none() })])
        const values = parsed(yield* Stream.runCollect(Json.captures)).filter((value) => !isOwn(value))
        assert.deepStrictEqual(values.map(({ value }) => value), ["NaN", "Infinity", "-Infinity", `${2n ** 64n}`, 0])
      }).pipe(Effect.provide(shop)))

    it.effect("takes names as the code has them, also where others would clash", () =>
      Effect.gen(function*() {
        const gauge = { kind: "gauge" } as const
        const make = (name: string, dimension: string, instrument?: Metric.Instrument) =>
          Metric.make(name, {
            initial: { [dimension]: 1 } as Record<string, number>,
            reduce: () => Option.none(),
            instruments: instrument === undefined ? {} : { [dimension]: instrument }
          })
        yield* recorderOf([make("a", "b_total"), make("a_b", "total"), make("http.route", "n_total")])
        yield* recorderOf([make("http.route", "n_total", gauge)], {}, "other")
        const values = parsed(yield* Stream.runCollect(Json.captures)).filter((value) => !isOwn(value))
        assert.deepStrictEqual(values.map(({ dimension, kind, metric }) => `${metric} ${dimension} ${kind}`), [
          "a b_total counter",
          "a_b total counter",
          "http.route n_total counter",
          "http.route n_total gauge"
        ])
      }).pipe(Effect.provide(shop)))

    it.effect("goes on after a view that throws, and what has no JSON", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        const plain = { count: 1, sum: 1, boundaries: [], counts: [1] }
        const cycle: object & { self?: unknown } = { ...plain }
        cycle.self = cycle
        const Cyclic = Metric.make("cyclic", {
          events: [Hit],
          initial: { n: 0 },
          reduce: ({ n }) => Option.some({ n: n + 1 }),
          dimensions: ({ n }: { readonly n: number }) => ({ before: 1, odd: n === 0 ? plain : cycle, after: 1 }),
          instruments: { odd: { kind: "histogram" } }
        })
        const memory = remembering()
        yield* Layer.build(Json.layerCaptures({ sink: memory.sink, interval: "1 second" }))
        const recorder = yield* recorderOf([BrokenView, Cyclic, All])
        yield* recordAll(recorder, hits(1, 1))
        yield* pass("1 second")
        yield* pass("1 second")

        const values = memory.lines().filter((value) => !isOwn(value))
        assert.deepStrictEqual(values.map(({ dimension, metric, value }) => [metric, dimension, value]), [
          ["cyclic", "before", 1],
          ["cyclic", "odd", undefined],
          ["cyclic", "after", 1],
          ["cache.events", "total", 1],
          ["cyclic", "before", 1],
          ["cyclic", "odd", undefined],
          ["cyclic", "after", 1],
          ["cache.events", "total", 1]
        ])
        assert.match(values[1]!.error, /^Metric "cyclic": expected values that have JSON, found TypeError: /)
        assert.isUndefined(values[1]!.distribution)
        assert.deepStrictEqual(logs.lines.map(({ text }) => text.split(": ")[0]!.replace(/mvx.*\//, "")), [
          "Error SeriesRefusedError",
          "Error NoJsonError"
        ])
      }).pipe(Effect.provide(Layer.provideMerge(shop, logs.layer)))
    })
  })

  describe("layerCaptures", () => {
    it.effect("appends to a file on an interval, and a last time at the end", () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const file = yield* fs.makeTempFileScoped()
        yield* fs.writeFileString(file, "{\"metric\":\"earlier\"}\n")
        const linesOf = Effect.map(Effect.orDie(fs.readFileString(file)), (text) => parsed([text]))
        const program = Effect.gen(function*() {
          const recorder = yield* recorderOf([Hits])
          yield* recordAll(recorder, hits(1, 3))
          // The file is opened, and the clock waited for, once this shows.
          yield* until(
            "the first captures are written",
            Effect.andThen(TestClock.adjust("1 minute"), Effect.map(linesOf, (lines) => lines.length > 1))
          )
          yield* recordAll(recorder, hits(4, 5000))
        })
        const live = Json.layerCaptures({ sink: fs.sink(file, { flag: "a" }), interval: "1 minute" })
        yield* Effect.provide(program, Layer.provideMerge(live, shop))

        const lines = yield* linesOf
        assert.strictEqual(lines[0].metric, "earlier")
        const totals = lines.filter(({ dimension, metric }) => metric === "cache.hits" && dimension === "total")
        assert.isAtLeast(totals.length, 2)
        assert.strictEqual(totals[0].value, 3)
        assert.strictEqual(totals.at(-1).value, 5000)
        assert.isAbove(Date.parse(totals[0].time), 0)
      }).pipe(Effect.provide(NodeServices.layer)))

    it.effect("writes every ten seconds unless told otherwise", () =>
      Effect.gen(function*() {
        const memory = remembering()
        yield* Layer.build(Json.layerCaptures({ sink: memory.sink }))
        yield* pass("9 seconds")
        assert.lengthOf(memory.lines(), 0)
        yield* pass("1 second")
        const { length } = memory.lines()
        assert.isAbove(length, 0)
        yield* pass("10 seconds")
        assert.lengthOf(memory.lines(), 2 * length)
      }).pipe(Effect.provide(shop)))

    it.effect("writes only at the end when asked to", () =>
      Effect.gen(function*() {
        const memory = remembering()
        const program = Effect.gen(function*() {
          const recorder = yield* recorderOf([All])
          yield* recordAll(recorder, hits(1, 2))
          yield* pass("1 day")
          assert.lengthOf(memory.lines(), 0)
        })
        const live = Json.layerCaptures({ sink: memory.sink, interval: Duration.infinity })
        yield* Effect.provide(program, Layer.provideMerge(live, shop))
        assert.deepStrictEqual(memory.lines().filter((line) => !isOwn(line)).map(({ value }) => value), [2])
      }))

    it.effect("reads no faster than the sink writes", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const memory = remembering(Deferred.await(gate))
        yield* Layer.build(Json.layerCaptures({ sink: memory.sink, interval: "1 second" }))
        yield* recorderOf([All])
        for (let second = 0; second < 5; second++) yield* pass("1 second")
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        const times = () => memory.lines().filter((line) => !isOwn(line)).map(({ time }) => Date.parse(time))
        assert.deepStrictEqual(times(), [1000])
        yield* pass("1 second")
        assert.deepStrictEqual(times(), [1000, 6000])
      }).pipe(Effect.provide(shop)))

    it.effect("writes last captures also when the end comes while others are written", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const memory = remembering(Deferred.await(gate))
        const scope = yield* Scope.make()
        yield* Layer.buildWithScope(Json.layerCaptures({ sink: memory.sink, interval: "1 second" }), scope)
        const recorder = yield* recorderOf([All])
        yield* pass("1 second")
        yield* recordAll(recorder, hits(1, 2))
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* settle
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(memory.lines().filter((line) => !isOwn(line)).map(({ value }) => value), [0, 2])
      }).pipe(Effect.provide(shop)))

    it.effect("writes very many series in parts", () =>
      Effect.gen(function*() {
        const Users = Metric.fromDimensions("users", ["saved"], (d: Dimension.Builder<Saved>) => ({
          by: d.by("user", (e) => e.user, d.count(), { limit: 20_000 })
        }))
        const memory = remembering()
        const program = Effect.gen(function*() {
          const recorder = yield* recorderOf([Users])
          yield* recordAll(recorder, Array.from({ length: 20_000 }, (_, user) => saved(1, `${user}`)))
        })
        const live = Json.layerCaptures({ sink: memory.sink, interval: Duration.infinity })
        yield* Effect.provide(program, Layer.provideMerge(live, shop))
        assert.lengthOf(memory.lines().filter((line) => !isOwn(line)), 20_000)
        assert.isAtMost(Math.max(...memory.texts.map(({ length }) => length)), 2_000_000)
      }))

    it.effect("logs once that a sink has failed, and is at rest from then on", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        let calls = 0
        const { sink } = remembering(Effect.suspend(() => {
          calls++
          return Effect.fail("disk full")
        }))
        const recorder = yield* Effect.scoped(Effect.gen(function*() {
          yield* Layer.build(Json.layerCaptures({ sink, interval: "1 second" }))
          const recorder = yield* recorderOf([All])
          for (let second = 0; second < 3; second++) yield* pass("1 second")
          return recorder
        }))
        assert.strictEqual(calls, 1)
        assert.deepStrictEqual(logs.lines.map(({ text }) => text.replace(/mvx.*\//, "")), [
          "Error SinkFailedError: No more captures are written: " +
          "expected a sink that takes them, found \"disk full\""
        ])
        assert.isTrue(recorder.registerEventUnsafe(new Hit({ n: 1 })))
      }).pipe(Effect.provide(Layer.provideMerge(shop, logs.layer)))
    })

    it.effect("is at rest when the sink wants no more", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        const texts: Array<Uint8Array> = []
        const sink = Sink.take<Uint8Array>(1).pipe(Sink.map((taken) => texts.push(...taken)))
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Layer.build(Json.layerCaptures({ sink, interval: "1 second" }))
          for (let second = 0; second < 3; second++) yield* pass("1 second")
        }))
        assert.lengthOf(texts, 1)
        assert.deepStrictEqual(logs.lines, [])
      }).pipe(Effect.provide(Layer.provideMerge(shop, logs.layer)))
    })

    it.effect("ends within its time when the sink is stuck", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        const scope = yield* Scope.make()
        const sink = Sink.forEach((_: Uint8Array) => Effect.uninterruptible(Effect.never))
        yield* Layer.buildWithScope(Json.layerCaptures({ sink, interval: "1 second", shutdownTimeout: 500 }), scope)
        yield* pass("1 second")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* pass(499)
        assert.isUndefined(closing.pollUnsafe())
        yield* pass(1)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(logs.lines.map(({ text }) => text), [
          "Warn The last captures could not be written in time"
        ])
      }).pipe(Effect.provide(Layer.provideMerge(shop, logs.layer)))
    })

    it.effect("refuses options that it does not know", () =>
      Effect.gen(function*() {
        const sink = Sink.drain
        const wrong: ReadonlyArray<Json.CapturesOptions> = [
          { sink: {} as never },
          { sink, interval: 0 },
          { sink, interval: NaN },
          { sink, shutdownTimeout: "soon" as never }
        ]
        for (const options of wrong) {
          const build = Effect.scoped(Layer.build(Json.layerCaptures(options)))
          assert.strictEqual(yield* outcome(build), "InvalidOptionError")
        }
        for (const options of [{ sink: undefined as never }, { sink, dimensions: 1 as never }]) {
          const build = Effect.scoped(Layer.build(Json.layerChanges(options)))
          assert.strictEqual(yield* outcome(build), "InvalidOptionError")
        }
      }).pipe(Effect.provide(shop)))
  })

  describe("changes", () => {
    it.effect("is a line for each event that a metric took", () =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.make({ namespace: "shop" })
        const recorder = yield* runtime.createRecorder("cache-1", { entityId: "cache", metrics: [Hits, All] })
        const reading = yield* Stream.runCollect(Json.changes).pipe(
          Effect.provideService(Runtime.MetricsRuntime, runtime),
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.setTime(2000)
        yield* recordAll(recorder, [new Hit({ n: 7 }), { _tag: "cache.miss" }])
        yield* runtime.shutdown
        const common = { time: "1970-01-01T00:00:02.000Z", runtime: "shop", recorder: "cache-1", entity: "cache" }
        assert.deepStrictEqual(parsed(yield* Fiber.join(reading)), [
          {
            ...common,
            metric: "cache.hits",
            sequence: 1,
            offset: 1,
            event: { _tag: "cache.hit", n: 7 },
            dimensions: { total: 1, last: 7 }
          },
          {
            ...common,
            metric: "cache.events",
            sequence: 2,
            offset: 1,
            event: { _tag: "cache.hit", n: 7 },
            dimensions: { total: 1 }
          },
          {
            ...common,
            metric: "cache.events",
            sequence: 3,
            offset: 2,
            event: { _tag: "cache.miss" },
            dimensions: { total: 2 }
          }
        ])
      }))

    it.effect("writes what an event holds, and goes on after what has no JSON", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        const cycle: { self?: unknown } = {}
        cycle.self = cycle
        const throwing = {
          toJSON: () => {
            throw new Error("no JSON")
          }
        }
        const values = [
          new Map([["a", 1n]]),
          new Map([[1, NaN]]),
          new Set([new Date(0)]),
          new Uint8Array([1, 2]),
          new Error("cause"),
          cycle,
          new Map([["cycle", new Map([["self", throwing]])]]),
          Option.some(-Infinity),
          "line\nbreak\u2028"
        ]
        const memory = remembering()
        const program = Effect.gen(function*() {
          const recorder = yield* recorderOf([Odd, BrokenView])
          yield* recordAll(recorder, [...values.map(odd), new Hit({ n: 1 })])
        })
        yield* Effect.provide(program, Layer.provideMerge(Json.layerChanges({ sink: memory.sink }), shop))
        const lines = memory.lines()
        assert.deepStrictEqual(lines.map(({ sequence }) => sequence), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        assert.deepStrictEqual(lines.slice(0, 9).map(({ event }) => event?.value), [
          { a: "1" },
          [[1, "NaN"]],
          ["1970-01-01T00:00:00.000Z"],
          [1, 2],
          "Error: cause",
          undefined,
          undefined,
          { _id: "Option", _tag: "Some", value: "-Infinity" },
          "line\nbreak\u2028"
        ])
        assert.match(lines[5].error, /^Metric "odd": .* found TypeError: /)
        assert.match(lines[6].error, /^Metric "odd": .* found Error: no JSON$/)
        assert.strictEqual(lines[9].metric, "cache.broken_view")
        assert.notProperty(lines[9], "dimensions")
        assert.lengthOf(logs.lines.filter(({ text }) => text.includes("NoJsonError")), 1)
      }).pipe(Effect.provide(logs.layer))
    })
  })

  describe("layerChanges", () => {
    it.effect("writes every change into a file, up to those of what was accepted at the end", () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const file = yield* fs.makeTempFileScoped()
        const program = Effect.gen(function*() {
          const one = yield* recorderOf([Hits], {}, "one")
          const two = yield* recorderOf([Hits, All], {}, "two")
          yield* recordAll(one, hits(1, 1000))
          yield* settle
          const runtime = yield* Runtime.MetricsRuntime
          yield* recordAll(yield* recorderOf([All], {}, "gone"), hits(1, 10))
          yield* runtime.removeRecorder("gone")
          yield* recordAll(one, hits(1001, 2000))
          yield* recordAll(two, hits(1, 3000))
        })
        const live = Json.layerChanges({ sink: fs.sink(file) })
        yield* Effect.provide(program, Layer.provideMerge(live, shop))

        const lines = parsed([yield* fs.readFileString(file)])
        const sequences = (id: string) =>
          lines.flatMap(({ recorder, sequence }) => recorder === id ? sequence as number : [])
        assert.deepStrictEqual(sequences("one"), upTo(2000))
        assert.deepStrictEqual(sequences("two"), upTo(6000))
        assert.deepStrictEqual(sequences("gone"), upTo(10))
        const events = yield* Effect.forEach(
          lines.filter(({ recorder }) => recorder === "one"),
          ({ event }) => Event.decode(Hit)(event)
        )
        assert.deepStrictEqual(Metric.fold(Hits, events), { total: 2000, last: 2000 })
      }).pipe(Effect.provide(NodeServices.layer)))

    it.effect("has the changes from before the sink was open", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const memory = remembering()
        const sink = Sink.unwrap(Effect.as(Deferred.await(gate), memory.sink))
        yield* Layer.build(Json.layerChanges({ sink }))
        const recorder = yield* recorderOf([All])
        yield* recordAll(recorder, hits(1, 10))
        yield* recorder.flush
        yield* settle
        assert.lengthOf(memory.texts, 0)
        yield* Deferred.succeed(gate, undefined)
        yield* until("the changes are written", Effect.sync(() => memory.lines().length === 10))
      }).pipe(Effect.provide(shop)))

    it.effect("lets a slow sink finish at the end", () =>
      Effect.gen(function*() {
        const memory = remembering(settle)
        const program = Effect.gen(function*() {
          const recorder = yield* recorderOf([All])
          for (let round = 0; round < 5; round++) {
            yield* recordAll(recorder, hits(1, 100))
            yield* recorder.flush
            yield* settle
          }
          yield* recordAll(recorder, hits(1, 100))
        })
        yield* Effect.provide(program, Layer.provideMerge(Json.layerChanges({ sink: memory.sink }), shop))
        assert.deepStrictEqual(memory.lines().map(({ sequence }) => sequence as number), upTo(600))
      }))

    it.effect("shows a gap where the sink was too slow, and never holds recording back", () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const memory = remembering(Deferred.await(gate))
        const program = Effect.gen(function*() {
          const recorder = yield* recorderOf([All])
          for (let round = 0; round < 10; round++) {
            yield* recordAll(recorder, hits(1, 100))
            yield* recorder.flush
            yield* settle
          }
          yield* Deferred.succeed(gate, undefined)
          const runtime = yield* Runtime.MetricsRuntime
          return (yield* runtime.stats).changesSkipped
        })
        const small = Runtime.layer({ capacity: 200 })
        const live = Layer.provideMerge(Json.layerChanges({ sink: memory.sink }), small)
        const skipped = yield* Effect.provide(program, live)
        const sequences = memory.lines().map(({ sequence }) => sequence as number)
        assert.isAbove(skipped, 0)
        assert.lengthOf(sequences, 1000 - skipped)
        assert.deepStrictEqual(sequences.slice(-200), upTo(1000).slice(-200))
        assert.strictEqual(sequences[0], 1)
      }))

    it.effect("writes long lines few at once", () =>
      Effect.gen(function*() {
        const memory = remembering()
        const program = Effect.gen(function*() {
          const recorder = yield* recorderOf([Odd])
          yield* recordAll(recorder, Array.from({ length: 100 }, () => odd("x".repeat(100_000))))
        })
        yield* Effect.provide(program, Layer.provideMerge(Json.layerChanges({ sink: memory.sink }), shop))
        assert.deepStrictEqual(memory.lines().map(({ sequence }) => sequence as number), upTo(100))
        assert.isAtMost(Math.max(...memory.texts.map(({ length }) => length)), 400_000)
      }))

    it.effect("leaves out what metrics show when asked to", () =>
      Effect.gen(function*() {
        const memory = remembering()
        const program = Effect.flatMap(recorderOf([All]), (recorder) => recordAll(recorder, hits(7, 7)))
        const live = Json.layerChanges({ sink: memory.sink, dimensions: false })
        yield* Effect.provide(program, Layer.provideMerge(live, shop))
        const [line] = memory.lines()
        assert.notProperty(line, "dimensions")
        assert.deepStrictEqual(line.event, { _tag: "cache.hit", n: 7 })
      }))

    it.effect("lets go of the changes when the sink has failed", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        const { sink } = remembering(Effect.fail("disk full"))
        yield* Layer.build(Json.layerChanges({ sink }))
        const recorder = yield* recorderOf([All])
        yield* recordAll(recorder, hits(1, 10))
        yield* recorder.flush
        yield* until("the failure is logged", Effect.sync(() => logs.lines.length > 0))
        yield* settle
        yield* recordAll(recorder, hits(1, 50_000))
        yield* recorder.flush
        const runtime = yield* Runtime.MetricsRuntime
        assert.strictEqual((yield* runtime.stats).changesSkipped, 0)
        assert.deepStrictEqual(logs.lines.map(({ text }) => text.replace(/mvx.*\//, "")), [
          "Error SinkFailedError: No more changes are written: " +
          "expected a sink that takes them, found \"disk full\""
        ])
      }).pipe(Effect.provide(Layer.provideMerge(shop, logs.layer)))
    })

    it.effect("ends with the runtime, where that ends first", () =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.make()
        const done = yield* Deferred.make<void>()
        const memory = remembering()
        const sink = Sink.ensuring(memory.sink, Deferred.succeed(done, undefined))
        const scope = yield* Scope.make()
        yield* Layer.buildWithScope(Json.layerChanges({ sink }), scope).pipe(
          Effect.provideService(Runtime.MetricsRuntime, runtime)
        )
        const recorder = yield* runtime.createRecorder("one", { metrics: [All] })
        yield* recordAll(recorder, hits(1, 10))
        yield* runtime.shutdown
        yield* Deferred.await(done)
        assert.lengthOf(memory.lines(), 10)
        yield* Scope.close(scope, Exit.void)
      }))

    it.effect("ends within its time when the sink is stuck", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        const scope = yield* Scope.make()
        const sink = Sink.forEach((_: Uint8Array) => Effect.never)
        yield* Layer.buildWithScope(Json.layerChanges({ sink }), scope)
        const recorder = yield* recorderOf([All])
        yield* recordAll(recorder, hits(1, 10))
        yield* recorder.flush
        yield* settle
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* pass(2999)
        assert.isUndefined(closing.pollUnsafe())
        yield* pass(1)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(logs.lines.map(({ text }) => text), [
          "Warn The last changes could not be written in time"
        ])
      }).pipe(Effect.provide(Layer.provideMerge(shop, logs.layer)))
    })
  })
})

interface Saved {
  readonly _tag: "saved"
  readonly bytes: number
  readonly user: string
}

const saved = (bytes: number, user: string): Saved => ({ _tag: "saved", bytes, user })

const upTo = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, at) => at + 1)
