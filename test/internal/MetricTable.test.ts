import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Dimension, Metric, Recorder } from "mvx-metrics"

interface Hit {
  readonly _tag: "cache.hit"
  readonly bytes: number
}

const hit = (bytes: number): Hit => ({ _tag: "cache.hit", bytes })

/** A metric of dimensions whose second selector is given. */
const hits = (name: string, select: (event: Hit) => number = (event) => event.bytes) =>
  Metric.fromDimensions(name, ["cache.hit"], (d: Dimension.Builder<Hit>) => ({
    total: d.count(),
    bytes: d.sum(select),
    by: d.by("bytes", (event) => event.bytes, d.count())
  }))

const totals = (snapshots: Record<string, Metric.MetricSnapshot>) =>
  Object.values(snapshots).map(({ dimensions }) => (dimensions as { readonly total: number }).total)

describe("metrics of dimensions in a recorder", () => {
  it.effect("count an event in no dimension, and other metrics count it, when a selector throws", () =>
    Effect.gen(function*() {
      const Fragile = hits("fragile", ({ bytes }) => {
        if (bytes === 2) throw new Error("fragile")
        return bytes
      })
      for (const metrics of [[Fragile], [hits("first"), Fragile, hits("last")]]) {
        const recorder = yield* Recorder.make({ entityId: "cache", metrics, linger: 60_000 })
        for (const bytes of [1, 2, 3]) recorder.registerEventUnsafe(hit(bytes))
        const { dimensions } = yield* recorder.snapshot(Fragile)
        assert.deepStrictEqual({ ...dimensions, by: { ...dimensions.by } }, { total: 2, bytes: 4, by: { 1: 1, 3: 1 } })
        assert.deepStrictEqual(totals(yield* recorder.snapshots), metrics.map((metric) => metric === Fragile ? 2 : 3))
        assert.deepStrictEqual((yield* recorder.stats).defects, { fragile: 1 })
      }
    }))

  it.effect("skip an event whose time cannot be read, where the time counts", () =>
    Effect.gen(function*() {
      const broken: Hit = Object.defineProperty(hit(2), "time", {
        get: () => {
          throw new Error("no time")
        }
      })
      const last = (name: string) =>
        Metric.fromDimensions(name, ["cache.hit"], (d: Dimension.Builder<Hit>) => ({
          total: d.count(),
          last: d.last((event) => event.bytes)
        }))
      for (const metrics of [[last("last")], [hits("hits"), last("last"), hits("more")]]) {
        const recorder = yield* Recorder.make({ entityId: "cache", metrics, linger: 60_000 })
        for (const event of [hit(1), broken, hit(3)]) recorder.registerEventUnsafe(event)
        assert.deepStrictEqual(
          totals(yield* recorder.snapshots),
          metrics.map(({ name }) => name === "last" ? 2 : 3)
        )
        assert.deepStrictEqual((yield* recorder.stats).defects, { last: 1 })
      }
    }))

  it.effect("count right where code generation is forbidden after they were defined", () =>
    Effect.gen(function*() {
      const counting = (name: string, tags: ReadonlyArray<string>) =>
        Metric.fromDimensions(name, tags, (d) => ({ total: d.count() }))
      const metrics = [counting("first", ["x", "y"]), counting("second", ["x", "y"]), counting("third", ["z"])]
      const recorder = yield* Recorder.make({ entityId: "cache", metrics, linger: 60_000 })
      for (const _tag of ["z", "x", "x", "x", "y", "y"]) recorder.registerEventUnsafe({ _tag })
      const { Function } = globalThis
      yield* Effect.acquireUseRelease(
        Effect.sync(() => {
          globalThis.Function = function() {
            throw new EvalError("Code generation from strings disallowed for this context")
          } as unknown as FunctionConstructor
        }),
        () => Effect.sync(() => recorder.snapshotsUnsafe()),
        () => Effect.sync(() => globalThis.Function = Function)
      )
      assert.deepStrictEqual(totals(recorder.snapshotsUnsafe()), [5, 5, 1])
      assert.strictEqual((yield* recorder.stats).ignored, 0)
    }))

  it.effect("ignore an event whose tag cannot be read any more", () =>
    Effect.gen(function*() {
      let isReadable = true
      const vanishing = Object.defineProperty({}, "_tag", {
        get: () => {
          if (!isReadable) throw new Error("no tag")
          return "cache.hit"
        }
      }) as Hit
      const recorder = yield* Recorder.make({
        entityId: "cache",
        metrics: [hits("first"), hits("last")],
        linger: 60_000
      })
      for (const event of [hit(1), vanishing, hit(3)]) recorder.registerEventUnsafe(event)
      isReadable = false
      assert.deepStrictEqual(totals(yield* recorder.snapshots), [2, 2])
      assert.strictEqual((yield* recorder.stats).ignored, 1)
    }))

  it.effect("show the events before, in all metrics, to a selector that reads in the middle of a fold", () =>
    Effect.gen(function*() {
      const seen: Array<ReadonlyArray<number>> = []
      let recorder: Recorder.Handle | undefined = undefined
      const Curious = hits("curious", ({ bytes }) => {
        seen.push(totals(recorder!.snapshotsUnsafe()))
        return bytes
      })
      recorder = yield* Recorder.make({
        entityId: "cache",
        metrics: [hits("first"), Curious, hits("last")],
        linger: 60_000
      })
      for (const bytes of [1, 2, 3]) recorder.registerEventUnsafe(hit(bytes))
      yield* recorder.flush
      assert.deepStrictEqual(seen, [[0, 0, 0], [1, 1, 1], [2, 2, 2]])
    }))

  it.effect("never change what a selector captured in the middle of a fold", () =>
    Effect.gen(function*() {
      for (const others of [[], [hits("other")]]) {
        let read = () => 0
        const Curious = hits("curious", ({ bytes }) => {
          // Not each time: what was handed out before is copied anyway.
          if (bytes === 2) read()
          return bytes
        })
        const metrics = [Curious, ...others]
        const recorder = yield* Recorder.make({ entityId: "cache", metrics, linger: 60_000 })
        const captures: Array<readonly [string, () => string]> = []
        read = () => {
          const [capture] = Effect.runSync(recorder.capture).metrics
          const show = () => JSON.stringify(Metric.snapshot(Curious, capture!.state as never))
          return captures.push([show(), show])
        }
        for (const bytes of [1, 2, 1, 2, 1]) {
          recorder.registerEventUnsafe(hit(bytes))
          recorder.snapshotsUnsafe()
        }
        assert.strictEqual(captures.length, 2)
        for (const [then, show] of captures) assert.strictEqual(show(), then)
        assert.deepStrictEqual((yield* recorder.snapshot(Curious)).dimensions.bytes, 7)
      }
    }))

  it.effect("count right when a selector makes another recorder fold the same metrics", () =>
    Effect.gen(function*() {
      const First = hits("first")
      const other = yield* Recorder.make({ entityId: "other", metrics: [First, hits("second")], linger: 60_000 })
      const Nosy = hits("nosy", ({ bytes }) => {
        other.registerEventUnsafe(hit(bytes * 10))
        other.snapshotsUnsafe()
        Metric.fold(First, [hit(7)])
        return bytes
      })
      const recorder = yield* Recorder.make({ entityId: "cache", metrics: [First, Nosy], linger: 60_000 })
      for (const bytes of [1, 2, 3]) recorder.registerEventUnsafe(hit(bytes))
      const bytesOf = (recorder: Recorder.Handle) =>
        Effect.map(recorder.snapshot(First), ({ dimensions }) => [dimensions.bytes, Object.keys(dimensions.by)])
      assert.deepStrictEqual(yield* bytesOf(recorder), [6, ["1", "2", "3"]])
      assert.deepStrictEqual(yield* bytesOf(other), [60, ["10", "20", "30"]])
    }))

  it.effect("say what they could not count, also when they are taken out", () =>
    Effect.gen(function*() {
      const Limited = Metric.fromDimensions("limited", ["cache.hit"], (d: Dimension.Builder<Hit>) => ({
        bytes: d.sum((event) => event.bytes),
        mean: d.mean((event) => event.bytes),
        by: d.by("bytes", (event) => event.bytes, d.by({ half: (event) => event.bytes / 2 }, d.count(), { limit: 1 }), {
          limit: 2,
          onLimit: "drop"
        })
      }))
      const recorder = yield* Recorder.make({ entityId: "cache", metrics: [Limited, hits("other")], linger: 60_000 })
      for (const bytes of [1, NaN, 2, -1, 3, 4, Infinity]) recorder.registerEventUnsafe(hit(bytes))
      const uncounted = Effect.map(
        recorder.stats,
        ({ defects, overLimit, skipped }) => ({ defects, overLimit, skipped })
      )
      yield* recorder.flush
      const expected = { defects: {}, skipped: { limited: 5, other: 3 }, overLimit: { "limited.by": 5 } }
      assert.deepStrictEqual(yield* uncounted, expected)
      yield* recorder.unregisterMetric("limited")
      assert.deepStrictEqual(yield* uncounted, expected)
      yield* recorder.registerMetric(Limited)
      recorder.registerEventUnsafe(hit(NaN))
      yield* recorder.flush
      assert.deepStrictEqual((yield* uncounted).skipped, { limited: 7, other: 4 })
    }))
})
