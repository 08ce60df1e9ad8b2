import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  References,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { Metric, MetricsLive, Recorder, Runtime } from "mvx-metrics"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import {
  All,
  BrokenView,
  collectLogs,
  emitAll,
  Hit,
  Hits,
  hits,
  interruptions,
  outcome,
  settle,
  statusOf,
  suspending,
  throwingAt,
  until
} from "./support.ts"

/** A hook that waits until it is let through, and says that it is there. */
const makeGate = Effect.map(
  Effect.all([Deferred.make<void>(), Deferred.make<void>()]),
  ([reached, opened]) => ({
    pass: Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(opened)),
    reached: Deferred.await(reached),
    open: Deferred.succeed(opened, undefined)
  })
)

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const statusOfRuntime = (runtime: Runtime.MetricsRuntimeService) => Effect.map(runtime.status, (status) => status._tag)

const totals = (snapshots: Record<string, Record<string, Metric.MetricSnapshot>>) =>
  Object.fromEntries(
    Object.entries(snapshots).map(([id, metrics]) => [
      id,
      (metrics["cache.hits"]?.dimensions as { readonly total: number } | undefined)?.total
    ])
  )

/** Collects garbage, which Node lets in when it is asked. */
const collectGarbage: () => void = (() => {
  setFlagsFromString("--expose-gc")
  return runInNewContext("gc") as () => void
})()

class Broken extends Error {
  readonly _tag = "Broken"
}

const broken = Effect.fail(new Broken("broken"))

const tooLate = (id: string) =>
  `"${id}" (Recorder "${id}": expected to stop within its stopTimeout, found work left ` +
  `(folded 0, discarded 0, changes skipped 0))`

describe("creating a recorder", () => {
  it.effect("gives it running, under its trimmed id, which is its entity unless told otherwise", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const recorder = yield* runtime.createRecorder("  a ")
      assert.strictEqual(recorder.entityId, "a")
      assert.strictEqual(yield* statusOf(recorder), "Running")
      assert.strictEqual(yield* runtime.getRecorder(" a"), recorder)
      const other = yield* runtime.createRecorder("b", { entityId: " storage " })
      assert.strictEqual(other.entityId, "storage")
      assert.deepStrictEqual(yield* runtime.recorderIds, ["a", "b"])
    }))

  it.effect("is complete at once where no hook runs", () =>
    Effect.gen(function*() {
      const total = yield* Effect.sync(() =>
        Effect.runSync(Effect.scoped(Effect.gen(function*() {
          const runtime = yield* Runtime.make()
          const kept = yield* runtime.createRecorder("kept", { metrics: [Hits] })
          yield* runtime.recorder("scoped", { metrics: [Hits] })
          yield* runtime.createRecorder("removed")
          kept.registerEventUnsafe(new Hit({ n: 1 }))
          yield* runtime.removeRecorder("removed")
          const snapshots = yield* runtime.snapshots
          yield* runtime.shutdown
          return totals(snapshots)
        })))
      )
      assert.deepStrictEqual(total, { kept: 1, scoped: 0 })
    }))

  it.effect.each([["", `""`], ["  ", `"  "`], [undefined, "undefined"], [7, "7"], [null, "null"]] as const)(
    "refuses the id %j",
    ([id, found]) =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.make()
        const error = yield* Effect.flip(runtime.createRecorder(id as string))
        assert.strictEqual(error._tag, "InvalidRecorderIdError")
        assert.strictEqual(error.message, `Expected a non-blank recorder id, found ${found}`)
        assert.strictEqual(yield* outcome(runtime.getRecorder(id as string)), "RecorderNotFoundError")
        assert.strictEqual(yield* outcome(runtime.removeRecorder(id as string)), "RecorderNotFoundError")
      })
  )

  const other = Metric.make("cache.hits", { initial: {}, reduce: () => Option.none() })

  it.effect.each(
    [
      ["capacity", { capacity: 0 }, "InvalidOptionError"],
      ["metrics", { metrics: Hits }, "InvalidOptionError"],
      ["wrap", { wrap: 1 }, "InvalidOptionError"],
      ["wrapped", { wrap: () => Effect.succeed({}) }, "InvalidOptionError"],
      ["what wrap returns", { wrap: (base: Recorder.Handle) => base }, "InvalidOptionError"],
      ["entityId", { entityId: " " }, "InvalidOptionError"],
      ["options", null, "InvalidOptionError"],
      ["a metric", { metrics: [Hits, {}] }, "InvalidMetricError"],
      ["metrics of one name", { metrics: [Hits, other] }, "MetricNameTakenError"]
    ] as ReadonlyArray<readonly [string, any, string]>
  )("refuses a wrong value: %s; the id stays free", ([, options, tag]) =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      assert.strictEqual(yield* outcome(runtime.createRecorder("a", options)), tag)
      assert.deepStrictEqual(yield* runtime.recorderIds, [])
      yield* runtime.createRecorder("a", { metrics: [Hits, Hits] })
    }))

  it.effect("refuses an id that exists, is being created, or is being removed", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const [starting, stopping] = yield* Effect.all([makeGate, makeGate])
      const creator = yield* fork(runtime.createRecorder("a", { onStarting: starting.pass, onStopped: stopping.pass }))
      yield* starting.reached
      const error = yield* Effect.flip(runtime.createRecorder(" a"))
      assert.strictEqual(error.message, `Expected a free recorder id, found "a" in use`)
      assert.strictEqual(yield* outcome(runtime.getRecorder("a")), "RecorderNotFoundError")
      assert.strictEqual(yield* outcome(runtime.removeRecorder("a")), "RecorderNotFoundError")
      assert.deepStrictEqual([yield* runtime.recorderIds, yield* runtime.captures], [[], []])
      yield* starting.open
      assert.strictEqual(yield* Fiber.join(creator), yield* runtime.getRecorder("a"))
      assert.strictEqual(yield* outcome(runtime.createRecorder("a")), "RecorderAlreadyExistsError")
      const remover = yield* fork(runtime.removeRecorder("a"))
      yield* stopping.reached
      assert.strictEqual(yield* outcome(runtime.createRecorder("a")), "RecorderAlreadyExistsError")
      yield* stopping.open
      yield* Fiber.join(remover)
      yield* runtime.createRecorder("a")
    }))

  it.effect("that fails in a hook releases everything, and frees the id before the caller hears of it", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const log: Array<string> = []
      const acquire = (name: string) =>
        Effect.asVoid(Effect.acquireRelease(
          Effect.sync(() => log.push(`acquire ${name}`)),
          () => Effect.andThen(Effect.yieldNow, Effect.sync(() => log.push(`release ${name}`)))
        ))
      const failures = {
        RecorderStartError: { onStarting: Effect.andThen(acquire("hook"), broken) },
        Broken: { wrap: () => Effect.andThen(acquire("wrap"), broken) },
        InvalidOptionError: { wrap: () => Effect.as(acquire("wrap"), null as unknown as Recorder.Handle) }
      }
      for (const [tag, options] of Object.entries(failures)) {
        assert.strictEqual(yield* outcome(runtime.createRecorder("a", options)), tag)
        assert.strictEqual(Option.isNone(yield* runtime.findRecorder("a")), true)
        assert.strictEqual(log.at(-1)?.startsWith("release"), true, log.join())
      }
      const error = yield* Effect.flip(runtime.createRecorder("a", { onStarting: broken }))
      assert.instanceOf(Cause.squash((error as Recorder.RecorderStartError).cause), Broken)
      yield* runtime.createRecorder("a")
      assert.strictEqual((yield* runtime.stats).recorders, 1)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("that is interrupted, wherever it is, leaves nothing", () =>
    Effect.gen(function*() {
      for (const [budget, turns] of interruptions) {
        const runtime = yield* Runtime.make()
        let held = 0
        const hold = Effect.asVoid(Effect.acquireRelease(
          Effect.sync(() => held++),
          () => Effect.sync(() => held--)
        ))
        const scope = yield* Scope.make()
        const creator = yield* Effect.forkChild(
          runtime.recorder("a", { onStarting: hold, wrap: (base) => Effect.as(hold, base) }).pipe(
            Scope.provide(scope),
            suspending(budget)
          )
        )
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(creator)
        const exit = yield* Fiber.await(creator)
        const ids = yield* runtime.recorderIds
        if (Exit.isSuccess(exit)) assert.deepStrictEqual(ids, ["a"])
        // Either it is gone, or its scope has it.
        assert.strictEqual(held, ids.length * 2)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual([held, yield* runtime.recorderIds], [0, []])
        yield* runtime.createRecorder("a")
      }
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("gives the runtime's options to a recorder that has none of its own", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({
        namespace: " shop ",
        labels: { region: "eu", tier: "1" },
        capacity: 2,
        overflow: "drop"
      })
      assert.strictEqual(runtime.namespace, "shop")
      const offered = Effect.fnUntraced(function*(recorder: Recorder.Handle) {
        emitAll(recorder, hits(1, 5))
        const { accepted, dropped, refused } = yield* recorder.stats
        return [accepted, dropped, refused.overflow]
      })
      assert.deepStrictEqual(yield* offered(yield* runtime.createRecorder("a")), [2, 3, 0])
      const own = yield* runtime.createRecorder("b", { capacity: 3, overflow: "fail", labels: { tier: "2" } })
      assert.deepStrictEqual(yield* offered(own), [3, 0, 2])
      assert.deepStrictEqual(
        (yield* runtime.captures).map(({ labels, namespace, recorderId }) => [namespace, recorderId, labels]),
        [["shop", "a", { region: "eu", tier: "1" }], ["shop", "b", { region: "eu", tier: "2" }]]
      )
    }))

  it.effect("gives a runtime's onDefect, linger and stopTimeout to its recorders", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ onDefect: "fail", stopTimeout: "1 minute" })
      const failing = yield* runtime.createRecorder("failing", { metrics: [throwingAt(1)] })
      failing.registerEventUnsafe(new Hit({ n: 1 }))
      yield* failing.flush
      assert.strictEqual(yield* statusOf(failing), "Failure")
      yield* runtime.createRecorder("slow", { onStopped: Effect.never })
      const removal = yield* fork(outcome(runtime.removeRecorder("slow")))
      yield* settle
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(removal.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.strictEqual(yield* Fiber.join(removal), "RecorderStopError")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect.each(
    [
      { namespace: " " },
      { namespace: 1 },
      { capacity: 1.5 },
      { overflow: "block" },
      { linger: -1 },
      { linger: "30 days" },
      { stopTimeout: "soon" },
      { labels: { a: 1 } },
      null
    ] as ReadonlyArray<any>
  )("of a runtime with the options %j is not possible", (options) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcome(Runtime.make(options)), "InvalidOptionError")
    }))
})

describe("a scoped recorder", () => {
  it.effect("is stopped and removed when its scope closes", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const recorder = yield* Effect.scoped(Effect.gen(function*() {
        const recorder = yield* runtime.recorder("a", { metrics: [Hits] })
        assert.deepStrictEqual(yield* runtime.recorderIds, ["a"])
        recorder.registerEventUnsafe(new Hit({ n: 1 }))
        return recorder
      }))
      assert.deepStrictEqual([yield* runtime.recorderIds, yield* statusOf(recorder)], [[], "Stopped"])
      assert.deepStrictEqual((yield* recorder.snapshot(Hits)).dimensions, { total: 1, last: 1 })
      assert.strictEqual(yield* outcome(recorder.start), "RecorderInvalidStateError")
    }))

  it.effect("that was removed by hand leaves another of its id alone", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const scope = yield* Scope.make()
      yield* Scope.provide(runtime.recorder("a"), scope)
      yield* runtime.removeRecorder("a")
      const other = yield* runtime.createRecorder("a")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* runtime.getRecorder("a"), other)
      assert.strictEqual(yield* statusOf(other), "Running")
    }))

  it.effect("waits at the close of its scope for the removal that somebody else has begun", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const stopping = yield* makeGate
      const scope = yield* Scope.make()
      yield* Scope.provide(runtime.recorder("a", { onStopped: stopping.pass }), scope)
      yield* fork(runtime.removeRecorder("a"))
      yield* stopping.reached
      const closing = yield* fork(Scope.close(scope, Exit.void))
      yield* settle
      assert.isUndefined(closing.pollUnsafe())
      yield* stopping.open
      yield* Fiber.join(closing)
    }))

  it.effect("logs what goes wrong at the close of its scope, which does not fail", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      const runtime = yield* Runtime.make({ namespace: "shop" })
      yield* Effect.scoped(runtime.recorder("a", { onStopped: broken })).pipe(Effect.provide(layer))
      yield* settle
      const line = lines.find(({ text }) => text.includes("scope closed"))
      assert.strictEqual(line?.text, "Error A recorder did not stop cleanly when its scope closed")
      assert.deepStrictEqual(line?.annotations, { "metrics.runtime": "shop", "metrics.recorder": "a" })
      assert.deepStrictEqual(yield* runtime.recorderIds, [])
    }))

  it.effect("whose scope is closed already is gone at once", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      const recorder = yield* Scope.provide(runtime.recorder("a"), scope)
      assert.deepStrictEqual([yield* runtime.recorderIds, yield* statusOf(recorder)], [[], "Stopped"])
    }))
})

describe("stopping and removing", () => {
  it.effect("stopRecorder stops and keeps a recorder, and gives its report again", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const recorder = yield* runtime.createRecorder("a", { metrics: [Hits] })
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      const report = { folded: 1, discarded: 0, changesSkipped: 0 }
      assert.deepStrictEqual(yield* runtime.stopRecorder("a"), report)
      assert.deepStrictEqual(yield* runtime.stopRecorder(" a "), report)
      assert.strictEqual(yield* statusOf(yield* runtime.getRecorder("a")), "Stopped")
      yield* recorder.start
      recorder.registerEventUnsafe(new Hit({ n: 2 }))
      assert.deepStrictEqual(yield* runtime.stopRecorder("a"), { ...report, folded: 2 })
      assert.strictEqual(yield* outcome(runtime.stopRecorder("b")), "RecorderNotFoundError")
    }))

  it.effect("removes a recorder without failing that had not stopped cleanly before", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      yield* runtime.createRecorder("a", { onStopped: Effect.fail("boom") })
      assert.strictEqual(yield* outcome(runtime.stopRecorder("a")), "RecorderStopError")
      assert.strictEqual(yield* outcome(runtime.removeRecorder("a")), "ok")
    }))

  it.effect("stopRecorder says why a recorder that has failed cannot be stopped", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const recorder = yield* runtime.createRecorder("a", { metrics: [throwingAt(1)], onDefect: "fail" })
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      yield* recorder.flush
      const error = yield* Effect.flip(runtime.stopRecorder("a"))
      assert.strictEqual(error._tag, "RecorderInvalidStateError")
      assert.match(error.message, /found Failure \(reducer 1\)/)
      assert.strictEqual(yield* statusOf(yield* runtime.removeRecorder("a")), "Failure")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("removeRecorder gives the recorder back, which can be read and not be started", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const created = yield* runtime.createRecorder("a", { metrics: [Hits] })
      created.registerEventUnsafe(new Hit({ n: 1 }))
      const removed = yield* runtime.removeRecorder("a")
      assert.strictEqual(removed, created)
      assert.deepStrictEqual((yield* removed.snapshot(Hits)).dimensions, { total: 1, last: 1 })
      assert.isFalse(removed.registerEventUnsafe(new Hit({ n: 2 })))
      assert.strictEqual(yield* outcome(removed.start), "RecorderInvalidStateError")
      assert.strictEqual(yield* outcome(runtime.removeRecorder("a")), "RecorderNotFoundError")
      assert.notStrictEqual(yield* runtime.createRecorder("a"), removed)
    }))

  it.effect("removeRecorder frees the id also when the stop fails or takes too long", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      yield* runtime.createRecorder("a", { onStopped: broken })
      const error = yield* Effect.flip(runtime.removeRecorder("a"))
      assert.strictEqual(error._tag, "RecorderStopError")
      assert.instanceOf(Cause.squash((error as Recorder.RecorderStopError).cause), Broken)
      yield* runtime.createRecorder("a", { onStopped: Effect.never })
      const removal = yield* fork(Effect.flip(runtime.removeRecorder("a")))
      yield* settle
      yield* TestClock.adjust("1 minute")
      yield* settle
      const late = yield* Fiber.join(removal)
      assert.strictEqual(late._tag, "RecorderStopError")
      const cause = Cause.squash((late as Recorder.RecorderStopError).cause)
      assert.instanceOf(cause, Recorder.StopTimeoutError)
      yield* runtime.createRecorder("a")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect.each(
    [
      ["a stop", false],
      ["a removal", true]
    ] as const
  )(
    "a removal that a reducer begins, in the middle of the fold of %s, loses no change",
    ([, isRemoval]) =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.make({ linger: "1 hour" })
        const Removing = Metric.make("cache.removing", {
          events: [Hit],
          initial: { total: 0 },
          reduce: (s, e) => {
            if (e.n === 3) Effect.runFork(Scope.close(scope, Exit.void))
            return Option.some({ total: s.total + 1 })
          }
        })
        const scope = yield* Scope.make()
        const recorder = yield* Scope.provide(runtime.recorder("a", { metrics: [Removing] }), scope)
        const changes = yield* fork(Stream.runCollect(recorder.changes))
        const statuses = yield* fork(Stream.runCollect(recorder.statusChanges))
        emitAll(recorder, hits(1, 10))
        yield* isRemoval ? runtime.removeRecorder("a") : recorder.stop
        assert.strictEqual((yield* Fiber.join(changes)).length, 10)
        assert.deepStrictEqual((yield* Fiber.join(statuses)).map(({ _tag }) => _tag), [
          "Running",
          "Stopping",
          "Stopped"
        ])
        yield* settle
        assert.deepStrictEqual([yield* runtime.captures, yield* statusOf(recorder)], [[], "Stopped"])
        assert.strictEqual((yield* runtime.stats).folded, 10)
      })
  )

  it.effect("a recorder that is being removed is not found, and shows until it is gone", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const stopping = yield* makeGate
      const recorder = yield* runtime.createRecorder("a", { metrics: [Hits], onStopped: stopping.pass })
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      const remover = yield* fork(runtime.removeRecorder("a"))
      yield* stopping.reached
      assert.strictEqual(yield* outcome(runtime.stopRecorder("a")), "RecorderNotFoundError")
      assert.strictEqual(yield* outcome(runtime.getRecorder("a")), "RecorderNotFoundError")
      assert.deepStrictEqual(yield* runtime.recorderIds, [])
      assert.deepStrictEqual(totals(yield* runtime.snapshots), { a: 1 })
      yield* stopping.open
      yield* Fiber.join(remover)
      assert.deepStrictEqual(totals(yield* runtime.snapshots), {})
    }))

  it.effect("interrupting who waits for a removal does not interrupt the removal", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const stopping = yield* makeGate
      yield* runtime.createRecorder("a", { onStopped: stopping.pass })
      const remover = yield* fork(runtime.removeRecorder("a"))
      yield* stopping.reached
      yield* Fiber.interrupt(remover)
      yield* stopping.open
      yield* until("the id is free", Effect.map(runtime.stats, ({ recorders }) => recorders === 0))
      yield* settle
      yield* runtime.createRecorder("a")
    }))

  it.effect("of eight creators of an id one wins, of eight removers one gets the recorder", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const [starting, stopping] = yield* Effect.all([makeGate, makeGate])
      const eight = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
        fork(Effect.all(Array.from({ length: 8 }, () => outcome(effect)), { concurrency: "unbounded" }))
      const creators = yield* eight(
        runtime.createRecorder("a", { onStarting: starting.pass, onStopped: stopping.pass })
      )
      yield* starting.reached
      yield* starting.open
      const created = yield* Fiber.join(creators)
      assert.deepStrictEqual(created.toSorted(), [
        ...Array.from({ length: 7 }, () => "RecorderAlreadyExistsError"),
        "ok"
      ])
      const removers = yield* eight(runtime.removeRecorder("a"))
      yield* stopping.reached
      // While the hook of the removal runs, all who come get nothing.
      assert.strictEqual(yield* outcome(runtime.createRecorder("a")), "RecorderAlreadyExistsError")
      assert.strictEqual(yield* outcome(runtime.removeRecorder("a")), "RecorderNotFoundError")
      yield* stopping.open
      const removed = yield* Fiber.join(removers)
      assert.deepStrictEqual(removed.toSorted(), [...Array.from({ length: 7 }, () => "RecorderNotFoundError"), "ok"])
    }))

  it.effect("of two who remove, one gets it, and two who stop both succeed, wherever the scheduler cuts in", () =>
    Effect.gen(function*() {
      for (const budget of [3, 4, 5, 6, 7, 8]) {
        const runtime = yield* Runtime.make()
        const both = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
          suspending(budget)(Effect.all([outcome(effect), outcome(effect)], { concurrency: "unbounded" }))
        yield* runtime.createRecorder("a")
        assert.deepStrictEqual(yield* both(runtime.stopRecorder("a")), ["ok", "ok"])
        const removed = yield* both(runtime.removeRecorder("a"))
        assert.deepStrictEqual(removed.toSorted(), ["RecorderNotFoundError", "ok"])
      }
    }))

  it.effect("eight creators and eight removers of an id, all at once, leave as many as were created and not removed", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const count = { starts: 0, ends: 0 }
      const slow = (key: keyof typeof count) =>
        Effect.andThen(Effect.all([Effect.yieldNow, Effect.yieldNow]), Effect.sync(() => void count[key]++))
      const results = yield* Effect.all(
        Array.from({ length: 16 }, (_, i) =>
          i % 2 === 0
            ? outcome(runtime.createRecorder("a", { onStarting: slow("starts"), onStopped: slow("ends") }))
            : outcome(
              Effect.retry(runtime.removeRecorder("a"), { times: 3, while: () => Effect.as(Effect.yieldNow, true) })
            )),
        { concurrency: "unbounded" }
      )
      const won = (remainder: number) => results.filter((result, i) => i % 2 === remainder && result === "ok").length
      assert.deepStrictEqual(
        new Set(results),
        new Set(["ok", "RecorderAlreadyExistsError", "RecorderNotFoundError"])
      )
      assert.strictEqual((yield* runtime.recorderIds).length, won(0) - won(1))
      assert.deepStrictEqual(count, { starts: won(0), ends: won(1) })
    }))
})

describe("reading a runtime", () => {
  it.effect("gives what all recorders hold, by id and metric name", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      for (const id of ["a", "__proto__", "b"]) {
        const recorder = yield* runtime.createRecorder(id, { metrics: [Hits, All, BrokenView] })
        emitAll(recorder, hits(1, 3))
      }
      const snapshots = yield* runtime.snapshots
      assert.deepStrictEqual(Object.keys(snapshots), ["a", "__proto__", "b"])
      for (const metrics of Object.values(snapshots)) {
        // One whose view throws is left out.
        assert.deepStrictEqual(Object.keys(metrics), ["cache.hits", "cache.events"])
        assert.deepStrictEqual(metrics["cache.hits"]?.dimensions, { total: 3, last: 3 })
      }
      assert.isTrue(Object.isFrozen(snapshots))
      assert.deepStrictEqual(
        (yield* runtime.captures).map(({ metrics, offset, recorderId }) => [recorderId, offset, metrics.length]),
        [["a", 3, 3], ["__proto__", 3, 3], ["b", 3, 3]]
      )
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("gives the event loop back while it folds a large backlog, and while there are many recorders", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ capacity: 2_000_000, linger: "1 hour" })
      const recorder = yield* runtime.createRecorder("a", { metrics: [Hits] })
      emitAll(recorder, hits(1, 300_000))
      let turns = 0
      const ticking = setInterval(() => turns++, 0)
      assert.deepStrictEqual(totals(yield* runtime.snapshots), { a: 300_000 })
      assert.isAbove(turns, 1)
      for (let n = 0; n < 20_000; n++) yield* runtime.createRecorder(`idle-${n}`, { metrics: [Hits] })
      turns = 0
      assert.strictEqual((yield* runtime.captures).length, 20_001)
      assert.isAbove(turns, 1)
      turns = 0
      assert.strictEqual((yield* runtime.shutdown).recorders, 20_001)
      clearInterval(ticking)
      assert.isAbove(turns, 1)
    }))

  it.effect("sums the statistics, those of removed recorders included", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ capacity: 2, overflow: "drop" })
      for (const id of ["a", "b"]) {
        const recorder = yield* runtime.createRecorder(id, { metrics: [throwingAt(1), Hits] })
        emitAll(recorder, hits(1, 5))
        recorder.registerEventUnsafe(null as any)
        yield* recorder.flush
        recorder.registerEventUnsafe({ _tag: "cache.other" })
      }
      yield* runtime.removeRecorder("a")
      assert.deepStrictEqual(yield* runtime.stats, {
        recorders: 1,
        accepted: 6,
        folded: 5,
        ignored: 1,
        dropped: 6,
        droppedByTag: { "cache.hit": 6 },
        refused: { invalidEvent: 2, invalidState: 0, overflow: 0 },
        defects: { "cache.throwing": 2 },
        skipped: {},
        overLimit: {},
        discarded: 0,
        pending: 1,
        highWater: 2,
        changesSkipped: 0
      })
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("works in every state, also after the shutdown", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const recorder = yield* runtime.createRecorder("a", { metrics: [Hits] })
      emitAll(recorder, hits(1, 3))
      yield* runtime.shutdown
      assert.deepStrictEqual(totals(yield* runtime.snapshots), { a: 3 })
      assert.deepStrictEqual((yield* runtime.captures).map(({ offset }) => offset), [3])
      assert.deepStrictEqual(yield* runtime.recorderIds, ["a"])
      assert.strictEqual((yield* runtime.stats).folded, 3)
      assert.strictEqual((yield* runtime.stopRecorder("a")).folded, 3)
      assert.strictEqual(yield* runtime.removeRecorder("a"), recorder)
      assert.deepStrictEqual(yield* runtime.captures, [])
      assert.strictEqual((yield* runtime.stats).folded, 3)
    }))

  it.effect("and ending it is logged, with its name", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      yield* Effect.gen(function*() {
        const runtime = yield* Runtime.make({ namespace: "shop" })
        yield* runtime.captures
        yield* runtime.snapshots
        yield* runtime.shutdown
        yield* settle
      }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "Trace"))
      assert.deepStrictEqual(lines.map(({ text }) => text), [
        "Trace Read: captures of all recorders",
        "Trace Read: snapshots of all recorders",
        "Debug Metrics runtime is shutting down",
        "Debug Metrics runtime has ended"
      ])
      for (const { annotations } of lines) assert.deepStrictEqual(annotations, { "metrics.runtime": "shop" })
    }))

  it.effect("annotates what its recorders log with its name", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      const runtime = yield* Runtime.make({ namespace: "shop" })
      yield* Effect.gen(function*() {
        const recorder = yield* runtime.createRecorder("a", { metrics: [throwingAt(1)] })
        recorder.registerEventUnsafe(new Hit({ n: 1 }))
        yield* recorder.flush
        yield* runtime.removeRecorder("a")
        yield* settle
      }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "Debug"))
      assert.deepStrictEqual(lines.map(({ text }) => text), [
        "Debug Recorder started",
        "Debug Recorder created",
        "Error The reducer of a metric threw: cache.throwing",
        "Debug Recorder stopped",
        "Debug Recorder removed"
      ])
      for (const { annotations } of lines) {
        assert.deepInclude(annotations, { "metrics.runtime": "shop", "metrics.recorder": "a" })
      }
    }))

  it.effect("says since when the statistics count", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(5_000)
      const runtime = yield* Runtime.make()
      yield* TestClock.setTime(9_000)
      yield* runtime.createRecorder("a")
      assert.strictEqual(runtime.startedAt, 5_000)
      const program = Effect.map(Runtime.MetricsRuntime, ({ startedAt }) => startedAt)
      assert.strictEqual(yield* Effect.provide(program, Runtime.layer()), 9_000)
    }))

  it.effect("at once gives the same captures, with all that was accepted, and waits for nobody", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ linger: "1 hour", capacity: 100_000 })
      const Sums = Metric.fromDimensions("cache.sums", [Hit], (d) => ({ total: d.count(), sum: d.sum((e) => e.n) }))
      const ids = ["own", "__proto__", "part", "other part"]
      for (const id of ids) {
        const recorder = yield* runtime.createRecorder(id, {
          metrics: [Sums],
          ...(id.endsWith("part") ? { export: "rollup" } : {})
        })
        emitAll(recorder, hits(1, 50_000))
      }
      const shown = (captures: ReadonlyArray<Recorder.RecorderCapture>) =>
        captures.map(({ metrics, ...capture }) => ({
          ...capture,
          metrics: metrics.map(({ metric, state, ...rest }) => ({ ...rest, shown: Metric.snapshot(metric, state) }))
        }))
      const captures = shown(runtime.capturesUnsafe())
      assert.deepStrictEqual(
        captures.map(({ metrics, offset, recorderId }) => [recorderId, offset, metrics[0]!.shown.dimensions]),
        [["own", 50_000], ["__proto__", 50_000], ["", 100_000]].map(([id, total]) => [
          id,
          total,
          { total, sum: total as number * 25_000.5 }
        ])
      )
      assert.deepStrictEqual(captures, shown(yield* runtime.captures))
      yield* runtime.removeRecorder("own")
      assert.deepStrictEqual(runtime.capturesUnsafe().map(({ recorderId }) => recorderId), ["__proto__", ""])
      yield* runtime.shutdown
      assert.deepStrictEqual(shown(runtime.capturesUnsafe()), shown(yield* runtime.captures))
    }))

  it.effect("at once reads the recorder underneath a custom one", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ linger: "1 hour" })
      const recorder = yield* runtime.createRecorder("a", {
        metrics: [Hits],
        wrap: (base) =>
          Effect.succeed(
            Recorder.decorate(base, { capture: Effect.map(base.capture, (capture) => ({ ...capture, offset: -1 })) })
          )
      })
      emitAll(recorder, hits(1, 3))
      assert.deepStrictEqual((yield* runtime.captures).map(({ offset }) => offset), [-1])
      assert.deepStrictEqual(runtime.capturesUnsafe().map(({ offset }) => offset), [3])
    }))

  it.effect("at once from inside a reducer or a view gives the last whole offset", () =>
    Effect.gen(function*() {
      const seen: Array<readonly [offset: number, state: unknown]> = []
      const runtime: Runtime.Handle = yield* Runtime.make({ linger: "1 hour" })
      const look = () => {
        for (const { metrics: [hits], offset } of runtime.capturesUnsafe()) seen.push([offset, hits!.state])
      }
      const Looking = Metric.make("cache.looking", {
        events: [Hit],
        initial: { total: 0 },
        reduce: (s) => {
          look()
          return Option.some({ total: s.total + 1 })
        }
      })
      const recorder = yield* runtime.createRecorder("a", { metrics: [Hits, Looking] })
      yield* runtime.createRecorder("b", { metrics: [Hits] })
      emitAll(recorder, hits(1, 2))
      recorder.snapshotsUnsafe()
      assert.deepStrictEqual(runtime.capturesUnsafe().map(({ offset }) => offset), [2, 0])
      const before = { total: 0, last: -1 }
      assert.deepStrictEqual(seen, [[0, before], [0, before], [1, { total: 1, last: 1 }], [0, before]])
    }))
})

describe("the changes of a runtime", () => {
  const collect = Effect.fnUntraced(function*(runtime: Runtime.MetricsRuntimeService) {
    const seen: Array<string> = []
    const fiber = yield* fork(
      Stream.runForEach(
        runtime.changes,
        ({ recorderId, sequence }) => Effect.sync(() => void seen.push(`${recorderId} ${sequence}`))
      )
    )
    return { seen, fiber }
  })

  it.effect("are those of all recorders, also of later ones, and end with it", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const a = yield* runtime.createRecorder("a", { metrics: [Hits] })
      emitAll(a, hits(1, 2))
      const [first, second] = [yield* collect(runtime), yield* collect(runtime)]
      emitAll(a, hits(3, 4))
      const b = yield* runtime.createRecorder("b", { metrics: [Hits] })
      emitAll(b, hits(1, 2))
      yield* until("both have all", Effect.sync(() => first.seen.length === 4 && second.seen.length === 4))
      yield* runtime.removeRecorder("b")
      yield* settle
      assert.isUndefined(first.fiber.pollUnsafe())
      emitAll(a, hits(5, 5))
      yield* runtime.shutdown
      yield* Fiber.join(first.fiber)
      yield* Fiber.join(second.fiber)
      assert.deepStrictEqual(first.seen.filter((change) => change.startsWith("a")), ["a 3", "a 4", "a 5"])
      assert.deepStrictEqual(first.seen.filter((change) => change.startsWith("b")), ["b 1", "b 2"])
      assert.deepStrictEqual(second.seen, first.seen)
      assert.deepStrictEqual(yield* Stream.runCollect(runtime.changes), [])
    }))

  it.effect("all reach a subscriber who is not slow, however many are made at once", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ capacity: 1_000 })
      const busy = yield* runtime.createRecorder("busy", { metrics: [Hits, All], capacity: 200_000, linger: "1 hour" })
      let seen = 0
      yield* fork(Stream.runForEachArray(runtime.changes, (changes) =>
        Effect.sync(() => {
          seen += changes.length
        })))
      emitAll(busy, hits(1, 99_000))
      yield* settle
      assert.strictEqual(seen, 0)
      emitAll(busy, hits(1, 1_002))
      yield* until("it has all", Effect.sync(() => seen === 200_004))
      assert.strictEqual((yield* runtime.stats).changesSkipped, 0)
    }))

  it.effect("that a slow subscriber misses count for the runtime, and for no recorder", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ capacity: 10 })
      const recorder = yield* runtime.createRecorder("a", { metrics: [Hits] })
      const stuck = yield* makeGate
      const slow = yield* fork(Stream.runForEach(runtime.changes, () => stuck.pass))
      const { seen } = yield* collect(runtime)
      for (let n = 1; n <= 30; n++) {
        recorder.registerEventUnsafe(new Hit({ n }))
        yield* recorder.flush
        yield* until("the fast one has it", Effect.sync(() => seen.length === n))
      }
      // The first is in the hands of the slow one, the last ten are in its buffer.
      assert.strictEqual((yield* runtime.stats).changesSkipped, 19)
      assert.strictEqual((yield* recorder.stats).changesSkipped, 0)
      assert.strictEqual((yield* runtime.stopRecorder("a")).changesSkipped, 0)
      yield* Fiber.interrupt(slow)
      assert.strictEqual((yield* runtime.shutdown).changesSkipped, 19)
    }))
})

describe("an idle recorder", () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length

  it.live("holds no timer, however many there are", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ linger: "1 milli" })
      // Others have timers too: what counts is the difference within one turn.
      const added = (work: () => void) => {
        const before = timers()
        work()
        return timers() - before
      }
      const recorders: Array<Recorder.Handle> = []
      const create = () => {
        for (let n = 0; n < 100; n++) {
          recorders.push(Effect.runSync(runtime.createRecorder(`r${n}`, { metrics: [Hits] })))
        }
      }
      const emit = () => {
        for (const recorder of recorders) recorder.registerEventUnsafe(new Hit({ n: 1 }))
      }
      assert.strictEqual(added(create), 0)
      for (let round = 0; round < 3; round++) {
        // One for all of them, and each time a new one: the one before is gone.
        assert.strictEqual(added(emit), 1)
        yield* until("all is folded", Effect.map(runtime.stats, ({ pending }) => pending === 0))
      }
    }))

  it.live("that is removed before its rest is over leaves no timer", () =>
    Effect.gen(function*() {
      const before = timers()
      const runtime = yield* Runtime.make({ linger: "1 hour" })
      yield* Effect.scoped(Effect.gen(function*() {
        const recorder = yield* runtime.recorder("a", { metrics: [Hits] })
        recorder.registerEventUnsafe(new Hit({ n: 1 }))
        assert.strictEqual(timers(), before + 1)
      }))
      assert.strictEqual(timers(), before)
    }))

  it.live(
    "is one of 10 000 that come and go and leave heap and registry where they were",
    () =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.make()
        const round = Effect.forEach(
          Array.from({ length: 10_000 }, (_, n) => `connection-${n}`),
          (id) =>
            Effect.scoped(Effect.gen(function*() {
              const recorder = yield* runtime.recorder(id, { metrics: [Hits, All] })
              recorder.registerEventUnsafe(new Hit({ n: 1 }))
            })),
          { discard: true }
        )
        const heap = Effect.gen(function*() {
          yield* settle
          collectGarbage()
          return process.memoryUsage().heapUsed
        })
        yield* round
        const before = yield* heap
        yield* round
        const after = yield* heap
        assert.isBelow(after - before, 500_000)
        const { folded, recorders } = yield* runtime.stats
        assert.deepStrictEqual([folded, recorders, yield* runtime.recorderIds], [20_000, 0, []])
      }),
    30_000
  )
})

describe("shutting a runtime down", () => {
  it.effect("stops every recorder, refuses new ones, and reports what all did", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const stopping = yield* makeGate
      const a = yield* runtime.createRecorder("a", { metrics: [Hits], onStopped: stopping.pass })
      const b = yield* runtime.createRecorder("b", { metrics: [Hits] })
      const removed = yield* runtime.createRecorder("removed", { metrics: [Hits] })
      for (const recorder of [a, b, removed]) emitAll(recorder, hits(1, 2))
      yield* runtime.removeRecorder("removed")
      const shutdown = yield* fork(runtime.shutdown)
      yield* stopping.reached
      assert.strictEqual(yield* statusOfRuntime(runtime), "Stopping")
      for (const create of [runtime.createRecorder("c"), runtime.recorder("c")]) {
        const error = yield* Effect.flip(create)
        assert.match(error.message, /^Runtime: (createRecorder|recorder) expects Running, found Stopping$/)
      }
      assert.deepStrictEqual([yield* statusOf(a), yield* statusOf(b)], ["Stopping", "Stopped"])
      yield* stopping.open
      const report = { recorders: 2, folded: 6, discarded: 0, changesSkipped: 0, failures: [] }
      assert.deepStrictEqual(yield* Fiber.join(shutdown), report)
      assert.deepStrictEqual(yield* runtime.status, { _tag: "Closed", report })
      assert.strictEqual(yield* outcome(runtime.createRecorder("c")), "RuntimeInvalidStateError")
      assert.isFalse(a.registerEventUnsafe(new Hit({ n: 1 })))
    }))

  it.effect("stops them at the same time, each within its own limit", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ stopTimeout: "10 seconds" })
      const gates = yield* Effect.all([makeGate, makeGate])
      for (const [n, gate] of gates.entries()) yield* runtime.createRecorder(`gate-${n}`, { onStopped: gate.pass })
      yield* runtime.createRecorder("never", { onStopped: Effect.never })
      yield* runtime.createRecorder("never, sooner", { onStopped: Effect.never, stopTimeout: "1 second" })
      const shutdown = yield* fork(Effect.flip(runtime.shutdown))
      for (const { reached } of gates) yield* reached
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.strictEqual(yield* statusOf(yield* runtime.getRecorder("never, sooner")), "Failure")
      assert.strictEqual(yield* statusOf(yield* runtime.getRecorder("never")), "Stopping")
      for (const { open } of gates) yield* open
      yield* TestClock.adjust("9 seconds")
      yield* settle
      const error = yield* Fiber.join(shutdown)
      assert.strictEqual(error._tag, "RuntimeShutdownError")
      assert.strictEqual(
        error.message,
        `Expected all recorders to stop, 2 did not: ${tooLate("never")}, ${tooLate("never, sooner")}`
      )
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("names every recorder that did not stop, with its cause, and keeps none from stopping", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const good = yield* runtime.createRecorder("good")
      for (const id of ["a", "b"]) yield* runtime.createRecorder(id, { onStopped: Effect.fail(new Broken(id)) })
      const last = yield* runtime.createRecorder("last", { onStopped: Effect.void })
      const error = yield* Effect.flip(runtime.shutdown)
      assert.strictEqual(error._tag, "RuntimeShutdownError")
      const failures = (error as Runtime.RuntimeShutdownError).failures
      const found = failures.map(({ cause, recorderId }) => [recorderId, (Cause.squash(cause) as Error).message])
      assert.deepStrictEqual(found, [["a", "a"], ["b", "b"]])
      assert.deepStrictEqual([yield* statusOf(good), yield* statusOf(last)], ["Stopped", "Stopped"])
      const status = yield* runtime.status
      assert.deepStrictEqual(status._tag === "Closed" && status.report.failures, failures)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("is not failed by a recorder that had failed before, which is in the report", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const failed = yield* runtime.createRecorder("a", { metrics: [throwingAt(1)], onDefect: "fail" })
      failed.registerEventUnsafe(new Hit({ n: 1 }))
      yield* failed.flush
      const { discarded, failures } = yield* runtime.shutdown
      assert.strictEqual(discarded, 1)
      assert.deepStrictEqual(failures.map(({ recorderId }) => recorderId), ["a"])
      assert.strictEqual((Cause.squash(failures[0]!.cause) as Error).message, "reducer 1")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("is not failed either by one that had failed before and is being removed; it counts those that were there", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const releasing = yield* makeGate
      const recorder = yield* runtime.createRecorder("a", {
        onStopped: broken,
        wrap: (base) => Effect.as(Effect.addFinalizer(() => releasing.pass), base)
      })
      const removal = yield* fork(outcome(runtime.removeRecorder("a")))
      yield* releasing.reached
      assert.strictEqual(yield* statusOf(recorder), "Failure")
      const shutdown = yield* fork(runtime.shutdown)
      yield* settle
      assert.isUndefined(shutdown.pollUnsafe())
      yield* releasing.open
      const { failures, recorders } = yield* Fiber.join(shutdown)
      assert.deepStrictEqual([recorders, failures.map(({ recorderId }) => recorderId)], [1, ["a"]])
      assert.instanceOf(Cause.squash(failures[0]!.cause), Broken)
      assert.strictEqual(yield* Fiber.join(removal), "RecorderStopError")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("has one outcome for all callers, those that come later included", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const stopping = yield* makeGate
      yield* runtime.createRecorder("a", { onStopped: Effect.andThen(stopping.pass, broken) })
      const callers = yield* Effect.forEach([1, 2, 3], () => fork(Effect.flip(runtime.shutdown)))
      yield* stopping.reached
      // One who is interrupted takes nobody along.
      yield* Fiber.interrupt(callers[0]!)
      yield* stopping.open
      const [second, third] = [yield* Fiber.join(callers[1]!), yield* Fiber.join(callers[2]!)]
      assert.strictEqual(second, third)
      assert.strictEqual(yield* Effect.flip(runtime.shutdown), second)
      assert.strictEqual(second._tag, "RuntimeShutdownError")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("is what the close of its scope does, and logs", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      const runtime = yield* Effect.scoped(Effect.gen(function*() {
        const runtime = yield* Runtime.make({ namespace: "shop" })
        yield* runtime.createRecorder("a", { onStopped: broken })
        return runtime
      })).pipe(Effect.provide(layer))
      yield* settle
      assert.strictEqual(yield* statusOfRuntime(runtime), "Closed")
      const line = lines.find(({ text }) => text.includes("runtime"))
      assert.strictEqual(line?.text, "Error Metrics runtime did not shut down cleanly")
      assert.deepStrictEqual(line?.annotations, { "metrics.runtime": "shop" })
    }))

  it.effect("waits for a removal that is on its way, and reports its failure", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const stopping = yield* makeGate
      yield* runtime.createRecorder("a", { onStopped: Effect.andThen(stopping.pass, broken) })
      const removal = yield* fork(outcome(runtime.removeRecorder("a")))
      yield* stopping.reached
      const shutdown = yield* fork(Effect.flip(runtime.shutdown))
      yield* settle
      assert.isUndefined(shutdown.pollUnsafe())
      yield* stopping.open
      assert.strictEqual(yield* Fiber.join(removal), "RecorderStopError")
      assert.strictEqual((yield* Fiber.join(shutdown))._tag, "RuntimeShutdownError")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("ends a creation that is on its way: nobody is handed a dying recorder", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const log: Array<string> = []
      const starting = yield* makeGate
      const hold = Effect.acquireRelease(
        Effect.sync(() => void log.push("acquire")),
        () => Effect.andThen(settle, Effect.sync(() => void log.push("release")))
      )
      const creator = yield* fork(Effect.flip(runtime.createRecorder("a", {
        wrap: (base) => Effect.as(hold, base),
        onStarting: Effect.andThen(hold, starting.pass),
        onStopped: Effect.sync(() => void log.push("stopped"))
      })))
      yield* starting.reached
      const report = yield* runtime.shutdown
      assert.deepStrictEqual(log, ["acquire", "acquire", "release", "release"])
      const error = yield* Fiber.join(creator)
      assert.strictEqual(error.message, "Runtime: createRecorder expects Running, found Stopping")
      assert.deepStrictEqual([report.recorders, report.failures, yield* runtime.recorderIds], [0, [], []])
    }))

  it.effect("does not wait for ever for a creation that cannot be interrupted", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const starting = yield* makeGate
      yield* fork(Effect.exit(runtime.createRecorder("a", {
        wrap: (base) => Effect.as(Effect.uninterruptible(Effect.andThen(starting.pass, Effect.never)), base)
      })))
      yield* starting.reached
      yield* starting.open
      const shutdown = yield* fork(runtime.shutdown)
      yield* settle
      assert.isUndefined(shutdown.pollUnsafe())
      yield* TestClock.adjust("5 seconds")
      yield* settle
      assert.deepStrictEqual((yield* Fiber.join(shutdown)).failures, [])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("at any point of a creation leaves either a stopped recorder or none", () =>
    Effect.gen(function*() {
      const seen = new Set<string>()
      for (const [budget, turns] of interruptions) {
        const runtime = yield* Runtime.make()
        let held = 0
        const hold = Effect.asVoid(Effect.acquireRelease(
          Effect.sync(() => held++),
          () => Effect.sync(() => held--)
        ))
        const creator = yield* Effect.forkChild(
          Effect.exit(runtime.createRecorder("a", { onStarting: hold, wrap: (base) => Effect.as(hold, base) })).pipe(
            suspending(budget)
          )
        )
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        const { failures, recorders } = yield* runtime.shutdown
        const exit = yield* Fiber.join(creator)
        if (Exit.isSuccess(exit)) {
          seen.add("created")
          assert.deepStrictEqual([recorders, yield* statusOf(exit.value)], [1, "Stopped"])
        } else {
          seen.add("refused")
          assert.instanceOf(Cause.squash(exit.cause), Runtime.RuntimeInvalidStateError)
          assert.strictEqual(recorders, 0)
        }
        assert.deepStrictEqual([held, failures], [0, []])
      }
      assert.deepStrictEqual(seen.size, 2)
    }))

  it.effect("of one runtime leaves another alone", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* Runtime.make(), yield* Runtime.make()]
      yield* one.createRecorder("a", { metrics: [Hits] })
      const recorder = yield* other.createRecorder("a", { metrics: [Hits] })
      emitAll(recorder, hits(1, 3))
      const seen = yield* fork(Stream.runCollect(one.changes))
      yield* one.shutdown
      assert.deepStrictEqual(yield* Fiber.join(seen), [])
      assert.deepStrictEqual([totals(yield* one.snapshots), totals(yield* other.snapshots)], [{ a: 0 }, { a: 3 }])
      assert.deepStrictEqual([yield* statusOfRuntime(one), yield* statusOfRuntime(other)], ["Closed", "Running"])
      assert.strictEqual(yield* statusOf(recorder), "Running")
    }))
})

describe("from inside a hook", () => {
  const hooks = ["onStarting", "onMetricChanged", "onStopped"] as const

  const inside = (
    hook: typeof hooks[number],
    effect: Effect.Effect<unknown, unknown>
  ): Recorder.Options["onStopped"] | any => {
    const run = Effect.asVoid(effect)
    return { [hook]: hook === "onMetricChanged" ? () => run : run }
  }

  it.effect.each(hooks)(
    "%s, the shutdown begins and succeeds at once with the report so far",
    (hook) =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.make()
        const reports: Array<number> = []
        const shutdown = Effect.map(runtime.shutdown, ({ recorders }) => void reports.push(recorders))
        const creation = yield* Effect.exit(
          runtime.createRecorder("a", { metrics: [Hits], ...inside(hook, shutdown) })
        )
        if (Exit.isSuccess(creation)) {
          creation.value.registerEventUnsafe(new Hit({ n: 1 }))
          if (hook === "onStopped") yield* runtime.stopRecorder("a")
        } else {
          assert.instanceOf(Cause.squash(creation.cause), Runtime.RuntimeInvalidStateError)
        }
        yield* until("it is closed", Effect.map(runtime.status, ({ _tag }) => _tag === "Closed"))
        assert.deepStrictEqual((yield* runtime.shutdown).failures, [])
        // One that is being created does not count.
        assert.deepStrictEqual(reports, [hook === "onStarting" ? 0 : 1])
      })
  )

  it.effect.each(["onMetricChanged", "onStopped"] as const)(
    "%s, a removal of the recorder begins and succeeds at once",
    (hook) =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.make()
        const removed: Array<string> = []
        const removal = Effect.map(runtime.removeRecorder("a"), ({ entityId }) => void removed.push(entityId))
        const recorder = yield* runtime.createRecorder("a", { metrics: [Hits], ...inside(hook, removal) })
        recorder.registerEventUnsafe(new Hit({ n: 1 }))
        if (hook === "onStopped") yield* recorder.stop
        yield* until("it is gone", Effect.map(runtime.captures, (captures) => captures.length === 0))
        assert.deepStrictEqual([removed, yield* statusOf(recorder)], [["a"], "Stopped"])
      })
  )

  it.effect("the close of the recorder's own scope does not wait for the recorder", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const scope = yield* Scope.make()
      const recorder = yield* Scope.provide(
        runtime.recorder("a", { metrics: [Hits], onMetricChanged: () => Scope.close(scope, Exit.void) }),
        scope
      )
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      yield* until("it has stopped", Effect.map(recorder.status, ({ _tag }) => _tag === "Stopped"))
    }))

  it.effect("of a recorder that was made in a hook, the outer recorder is not waited for", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ stopTimeout: "1 day" })
      const reports: Array<number> = []
      const outer: Recorder.Handle = yield* runtime.createRecorder("outer", {
        onStopped: Effect.gen(function*() {
          yield* runtime.createRecorder("inner", {
            onStopped: Effect.map(Effect.suspend(() => outer.stop), ({ folded }) => void reports.push(folded))
          })
          yield* runtime.removeRecorder("inner")
        })
      })
      yield* outer.stop
      assert.deepStrictEqual(reports, [0])
    }))

  it.effect("another recorder can be created, read, stopped and removed", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const done: Array<unknown> = []
      yield* runtime.createRecorder("a", {
        onStarting: Effect.gen(function*() {
          const recorder = yield* runtime.createRecorder("b", { metrics: [Hits], onStopped: Effect.yieldNow })
          recorder.registerEventUnsafe(new Hit({ n: 1 }))
          done.push(totals(yield* runtime.snapshots), yield* outcome(runtime.createRecorder("a")))
          yield* runtime.stopRecorder("b")
          done.push(yield* statusOf(yield* runtime.removeRecorder("b")))
        })
      })
      assert.deepStrictEqual(done, [{ b: 1 }, "RecorderAlreadyExistsError", "Stopped"])
    }))
})

describe("a runtime whose dispatcher is interrupted from outside", () => {
  /** A metric whose reducer interrupts the fiber that folds. */
  const Interrupting = Metric.make("cache.interrupting", {
    events: ["interrupt"],
    initial: {},
    reduce: () => {
      Fiber.getCurrent()?.interruptUnsafe()
      return Option.none()
    }
  })

  const make = Effect.fnUntraced(function*(options: Runtime.RecorderOptions<never, Scope.Scope> = {}) {
    const runtime = yield* Runtime.make({ linger: 0 })
    const recorder = yield* runtime.createRecorder("a", { metrics: [Hits, Interrupting], ...options })
    return { runtime, recorder }
  })

  it.effect("is in Failure and its recorders Cancelled, with the cause; its changes end, its values stay", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      const { recorder, runtime } = yield* make().pipe(Effect.provide(layer))
      const idle = yield* runtime.createRecorder("idle")
      const changes = yield* fork(Stream.runCollect(runtime.changes))
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      recorder.registerEventUnsafe({ _tag: "interrupt" })
      yield* until("it has failed", Effect.map(runtime.status, ({ _tag }) => _tag === "Failure"))
      assert.deepStrictEqual([yield* statusOf(recorder), yield* statusOf(idle)], ["Cancelled", "Cancelled"])
      const status = yield* runtime.status
      assert.isTrue("cause" in status && Cause.hasInterrupts(status.cause))
      assert.strictEqual((yield* Fiber.join(changes)).length, 1)
      assert.deepStrictEqual(totals(yield* runtime.snapshots).a, 1)
      const refused = yield* Effect.flip(runtime.createRecorder("b"))
      assert.strictEqual(refused._tag, "RuntimeInvalidStateError")
      assert.isDefined((refused as Runtime.RuntimeInvalidStateError).cause)
      assert.isFalse(recorder.registerEventUnsafe(new Hit({ n: 2 })))
      yield* settle
      assert.include(lines.map(({ text }) => text), "Error Metrics runtime ended in Failure")
    }))

  it.effect("undoes creations, and a shutdown releases what is left, and says that it has failed", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const stopping = yield* makeGate
      const { recorder, runtime } = yield* make({
        onStarting: Effect.asVoid(Effect.acquireRelease(Effect.void, () => Effect.sync(() => log.push("release")))),
        onStopped: Effect.andThen(stopping.pass, Effect.sync(() => void log.push("stopped")))
      })
      const starting = yield* makeGate
      const creator = yield* fork(Effect.flip(runtime.createRecorder("b", { onStarting: starting.pass })))
      yield* starting.reached
      recorder.registerEventUnsafe({ _tag: "interrupt" })
      assert.match((yield* Fiber.join(creator)).message, /^Runtime: createRecorder expects Running, found Failure/)
      const shutdown = yield* fork(Effect.flip(runtime.shutdown))
      yield* stopping.reached
      assert.deepStrictEqual(log, [])
      yield* stopping.open
      const error = yield* Fiber.join(shutdown)
      assert.deepStrictEqual([error._tag, log], ["RuntimeInvalidStateError", ["stopped", "release"]])
      assert.strictEqual(yield* Effect.flip(runtime.shutdown), error)
      assert.strictEqual(yield* statusOfRuntime(runtime), "Failure")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
})

describe("a runtime whose dispatcher is interrupted while it shuts down", () => {
  it.effect("is in Failure; its recorders end, and the shutdown names those that it cut off", () =>
    Effect.gen(function*() {
      let dispatcher: Fiber.Fiber<unknown, unknown> | undefined
      const Watching = Metric.make("cache.watching", {
        initial: {},
        reduce: () => {
          dispatcher = Fiber.getCurrent()
          return Option.none()
        }
      })
      const runtime = yield* Runtime.make({ linger: 0 })
      const stopping = yield* makeGate
      const recorder = yield* runtime.createRecorder("a", { metrics: [Watching], onStopped: stopping.pass })
      const stopped = yield* runtime.createRecorder("b")
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      yield* settle
      const shutdown = yield* fork(Effect.flip(runtime.shutdown))
      yield* stopping.reached
      dispatcher!.interruptUnsafe()
      yield* settle
      assert.deepStrictEqual([yield* statusOfRuntime(runtime), yield* statusOf(recorder)], ["Failure", "Cancelled"])
      assert.strictEqual(yield* statusOf(stopped), "Stopped")
      yield* stopping.open
      const error = yield* Fiber.join(shutdown)
      assert.strictEqual(
        error.message,
        `Expected all recorders to stop, 1 did not: "a" (All fibers interrupted without error)`
      )
      assert.strictEqual(yield* statusOfRuntime(runtime), "Failure")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
})

describe("a custom recorder", () => {
  const log: Array<string> = []

  it.effect("is what the runtime hands out, starts, stops and reads", () =>
    Effect.gen(function*() {
      log.length = 0
      const say = (text: string) => Effect.sync(() => void log.push(text))
      const runtime = yield* Runtime.make()
      const recorder = yield* runtime.createRecorder("a", {
        metrics: [Hits],
        onStarting: say("onStarting"),
        onStopped: say("onStopped"),
        wrap: (base) =>
          Effect.as(
            Effect.acquireRelease(say("wrap"), () => say("release")),
            Recorder.decorate(base, {
              start: Effect.andThen(say("start"), base.start),
              stop: Effect.andThen(
                Effect.andThen(say("stop"), base.registerEvent(new Hit({ n: 9 }))),
                base.stop
              ) as any,
              snapshots: Effect.map(
                base.snapshots,
                (snapshots) => ({ ...snapshots, own: { name: "own", dimensions: {} } })
              ),
              capture: Effect.map(base.capture, (capture) => ({ ...capture, labels: { custom: "yes" } }))
            })
          )
      })
      assert.strictEqual(yield* runtime.getRecorder("a"), recorder)
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      assert.deepStrictEqual(Object.keys((yield* runtime.snapshots).a!), ["cache.hits", "own"])
      assert.deepStrictEqual((yield* runtime.captures)[0]!.labels, { custom: "yes" })
      const removed = yield* runtime.removeRecorder("a")
      assert.strictEqual(removed, recorder)
      // The event that its own stop handed over was taken before the recorder under it stopped.
      assert.deepStrictEqual((yield* removed.snapshot(Hits)).dimensions, { total: 2, last: 9 })
      assert.deepStrictEqual(log, ["wrap", "start", "onStarting", "stop", "onStopped", "release"])
    }))

  it.effect("is made in a span", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ namespace: "shop" })
      const spans: Array<unknown> = []
      yield* runtime.createRecorder("a", {
        wrap: (base) =>
          Effect.map(Effect.orDie(Effect.currentSpan), ({ attributes, name }) => {
            spans.push(name, Object.fromEntries(attributes))
            return base
          })
      })
      assert.deepStrictEqual(spans, [
        "mvx-metrics.recorder.wrap",
        { "metrics.runtime": "shop", "metrics.recorder": "a" }
      ])
    }))

  it.effect("is stopped once, whoever asks for it after that", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      let stops = 0
      yield* runtime.createRecorder("a", {
        wrap: (base) =>
          Effect.succeed(Recorder.decorate(base, { stop: Effect.tap(base.stop, () => Effect.sync(() => stops++)) }))
      })
      yield* runtime.stopRecorder("a")
      yield* runtime.stopRecorder("a")
      yield* runtime.removeRecorder("a")
      assert.strictEqual(stops, 1)
    }))

  it.effect("may have been started by wrap, or stopped by hand", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const recorder = yield* runtime.createRecorder("a", { wrap: (base) => Effect.as(Effect.orDie(base.start), base) })
      assert.strictEqual(yield* statusOf(recorder), "Running")
      yield* recorder.stop
      assert.strictEqual(yield* statusOf(yield* runtime.removeRecorder("a")), "Stopped")
    }))

  it.effect("that wrap has brought to an end is not created", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const error = yield* Effect.flip(runtime.createRecorder("a", {
        onStarting: broken,
        wrap: (base) => Effect.as(Effect.ignore(base.start), base)
      }))
      assert.strictEqual(error._tag, "RecorderStartError")
      assert.instanceOf(Cause.squash((error as Recorder.RecorderStartError).cause), Broken)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("whose stop never ends is stopped all the same, and reported", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const released: Array<string> = []
      const recorder = yield* runtime.createRecorder("a", {
        wrap: (base) =>
          Effect.as(
            Effect.addFinalizer(() => Effect.sync(() => void released.push("released"))),
            Recorder.decorate(base, { stop: Effect.never })
          )
      })
      const shutdown = yield* fork(Effect.flip(runtime.shutdown))
      yield* settle
      yield* TestClock.adjust("5 seconds")
      yield* settle
      const error = yield* Fiber.join(shutdown)
      assert.strictEqual(error.message, `Expected all recorders to stop, 1 did not: ${tooLate("a")}`)
      assert.deepStrictEqual([released, yield* statusOf(recorder)], [["released"], "Stopped"])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("has as long for its stop as the recorder under it, and once more", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ stopTimeout: "10 seconds" })
      const log: Array<string> = []
      const late = (text: string) => Effect.andThen(Effect.sleep("7 seconds"), Effect.sync(() => void log.push(text)))
      const recorder = yield* runtime.createRecorder("a", {
        metrics: [Hits],
        onMetricChanged: () => late("change"),
        onStopped: late("stopped"),
        wrap: (base) => Effect.succeed(Recorder.decorate(base, { stop: Effect.tap(base.stop, late("written")) }))
      })
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      const removal = yield* fork(outcome(runtime.removeRecorder("a")))
      for (let second = 0; second < 21; second++) {
        yield* settle
        assert.isUndefined(removal.pollUnsafe())
        yield* TestClock.adjust("1 second")
      }
      yield* settle
      assert.deepStrictEqual([yield* Fiber.join(removal), log], ["ok", ["change", "stopped", "written"]])
    }))

  it.effect("is stopped also where the recorder under it was not started, or has failed", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const stops: Array<string> = []
      const make = (id: string, members: Partial<Recorder.Handle>) =>
        runtime.createRecorder(id, {
          metrics: [throwingAt(1)],
          onDefect: "fail",
          wrap: (base) =>
            Effect.succeed(Recorder.decorate(base, {
              stop: Effect.andThen(Effect.sync(() => void stops.push(id)), base.stop),
              ...members
            }))
        })
      yield* make("idle", { start: Effect.void })
      const failed = yield* make("failed", {})
      failed.registerEventUnsafe(new Hit({ n: 1 }))
      yield* failed.flush
      yield* runtime.removeRecorder("idle")
      yield* runtime.shutdown
      assert.deepStrictEqual(stops, ["idle", "failed"])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("whose stop throws as it is read is stopped all the same, and reported", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const recorder = yield* runtime.createRecorder("a", {
        wrap: (base) =>
          Effect.succeed(Recorder.decorate(base, {
            get stop(): never {
              throw new Broken("stop")
            },
            get capture(): never {
              throw new Broken("capture")
            }
          }))
      })
      assert.deepStrictEqual(yield* runtime.captures, [])
      assert.match((yield* Effect.flip(runtime.removeRecorder("a"))).message, /it ended with: stop/)
      assert.strictEqual(yield* statusOf(recorder), "Stopped")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("cannot be started again while it is being removed", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const stopping = yield* makeGate
      const recorder = yield* runtime.createRecorder("a", {
        wrap: (base) => Effect.succeed(Recorder.decorate(base, { stop: Effect.tap(base.stop, stopping.pass) }))
      })
      const removal = yield* fork(runtime.removeRecorder("a"))
      yield* stopping.reached
      assert.strictEqual(yield* outcome(recorder.start), "RecorderInvalidStateError")
      yield* stopping.open
      yield* Fiber.join(removal)
    }))

  it.effect("that throws does not change what the code does that it measures", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      const runtime = yield* Runtime.make()
      const recorder = yield* runtime.createRecorder("a", {
        wrap: (base) =>
          Effect.succeed(Recorder.decorate(base, {
            registerEventUnsafe: () => {
              throw new Broken("event")
            },
            registerMetric: () => Effect.die(new Broken("metric"))
          }))
      })
      const code = Effect.gen(function*() {
        yield* Recorder.register(Hits)
        yield* Recorder.emit(new Hit({ n: 1 }))
        return yield* Effect.succeed("done")
      }).pipe(Recorder.observe({ onStart: () => new Hit({ n: 2 }), onExit: () => new Hit({ n: 3 }) }))
      assert.strictEqual(
        yield* Effect.provideService(code, Recorder.Recorder, recorder).pipe(Effect.provide(layer)),
        "done"
      )
      assert.deepStrictEqual(lines.map(({ text }) => text), ["Error A metric was not registered"])
    }))

  it.effect("that removes itself while it ends does not wait for itself", () =>
    Effect.gen(function*() {
      for (const id of ["a", "b"]) {
        const runtime = yield* Runtime.make()
        const remove = Effect.ignore(runtime.removeRecorder(id))
        yield* runtime.createRecorder(id, {
          wrap: (base) =>
            Effect.as(
              Effect.addFinalizer(() => id === "a" ? remove : Effect.void),
              Recorder.decorate(base, { stop: id === "b" ? Effect.tap(base.stop, remove) : base.stop })
            )
        })
        assert.deepStrictEqual((yield* runtime.shutdown).failures, [])
      }
    }))

  it.effect("that cannot be read is left out of the reads, and logged", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      const runtime = yield* Runtime.make()
      yield* Effect.gen(function*() {
        yield* runtime.createRecorder("a", {
          wrap: (base) =>
            Effect.succeed(Recorder.decorate(base, { capture: Effect.die("a"), snapshots: Effect.die("a") }))
        })
        yield* runtime.createRecorder("b")
        assert.deepStrictEqual((yield* runtime.captures).map(({ recorderId }) => recorderId), ["b"])
        assert.deepStrictEqual(Object.keys(yield* runtime.snapshots), ["b"])
        yield* settle
      }).pipe(Effect.provide(layer))
      assert.include(lines.map(({ text }) => text), "Error A custom recorder could not be read")
    }))

  it.effect("that does not answer does not keep the others from being read", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      const runtime = yield* Runtime.make()
      yield* Effect.gen(function*() {
        yield* runtime.createRecorder("a", {
          wrap: (base) => Effect.succeed(Recorder.decorate(base, { capture: Effect.uninterruptible(Effect.never) }))
        })
        yield* runtime.createRecorder("b")
        assert.deepStrictEqual((yield* runtime.captures).map(({ recorderId }) => recorderId), ["b"])
        yield* settle
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(lines.map(({ text }) => text), ["Error A custom recorder could not be read"])
    }))

  it.effect("that answers at once is read at once", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      yield* runtime.createRecorder("a", { wrap: (base) => Effect.succeed(Recorder.decorate(base, {})) })
      const captures = yield* Effect.sync(() => Effect.runSync(runtime.captures))
      assert.deepStrictEqual(captures.map(({ recorderId }) => recorderId), ["a"])
    }))

  it.effect("is read no longer than somebody waits for it", () =>
    Effect.gen(function*() {
      let interrupted = 0
      const capture = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const runtime = yield* Runtime.make()
      yield* runtime.createRecorder("a", { wrap: (base) => Effect.succeed(Recorder.decorate(base, { capture })) })
      const read = yield* fork(runtime.captures)
      yield* settle
      assert.strictEqual(interrupted, 0)
      yield* Fiber.interrupt(read)
      yield* settle
      assert.strictEqual(interrupted, 1)
    }))

  it.effect("that fails to release what it acquired fails its removal", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      yield* runtime.createRecorder("a", {
        wrap: (base) => Effect.as(Effect.addFinalizer(() => Effect.die(new Broken("release"))), base)
      })
      const error = yield* Effect.flip(runtime.removeRecorder("a"))
      assert.match(error.message, /"a": expected the stop to succeed, it ended with: release/)
      yield* runtime.createRecorder("a")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))
})

describe("layers", () => {
  const environment = (env: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env }))

  const dimensionsOf = (id: string) =>
    Runtime.MetricsRuntime.use((runtime) => Effect.map(runtime.snapshots, (snapshots) => totals(snapshots)[id]))

  it.effect("give code the recorder of a runtime, and end with the scope", () =>
    Effect.gen(function*() {
      let kept: Recorder.Handle | undefined
      const program = Effect.gen(function*() {
        yield* Recorder.emit(new Hit({ n: 1 }))
        kept = yield* Runtime.MetricsRuntime.use((runtime) => runtime.getRecorder("cache"))
        return yield* dimensionsOf("cache")
      })
      const live = Runtime.layerRecorder("cache", { metrics: [Hits] }).pipe(Layer.provideMerge(Runtime.layer()))
      assert.strictEqual(yield* Effect.provide(program, live), 1)
      assert.strictEqual(yield* statusOf(kept!), "Stopped")
    }))

  it.effect("take the options of a runtime from the configuration", () =>
    Effect.gen(function*() {
      const live = Runtime.layerConfig({ namespace: Config.String("NAME"), capacity: Config.succeed(0) })
      const program = Runtime.MetricsRuntime.useSync(({ namespace }) => namespace)
      assert.strictEqual(yield* outcome(Effect.provide(program, Layer.provide(live, environment({})))), "ConfigError")
      const error = yield* Effect.flip(Effect.provide(program, Layer.provide(live, environment({ NAME: "shop" }))))
      assert.strictEqual(error._tag, "InvalidOptionError")
    }))

  it.effect("MetricsLive is a runtime and its default recorder, configured by the environment", () =>
    Effect.gen(function*() {
      const live = Layer.provide(
        MetricsLive,
        environment({
          METRICS_NAMESPACE: " shop ",
          METRICS_CAPACITY: "3",
          METRICS_OVERFLOW: "drop",
          METRICS_LINGER: "1 minute",
          METRICS_STOP_TIMEOUT: "7 seconds"
        })
      )
      const program = Effect.gen(function*() {
        const runtime = yield* Runtime.MetricsRuntime
        const recorder = yield* Recorder.Recorder
        assert.strictEqual(recorder, yield* runtime.getRecorder("default"))
        assert.deepStrictEqual([runtime.namespace, recorder.entityId], ["shop", "default"])
        assert.strictEqual(emitAll(recorder, hits(1, 5)), 3)
        yield* runtime.createRecorder("slow", { onStopped: Effect.never })
        const removal = yield* fork(outcome(runtime.removeRecorder("slow")))
        yield* settle
        yield* TestClock.adjust("6999 millis")
        assert.isUndefined(removal.pollUnsafe())
        // The default recorder rests as long as the environment says, and past half its capacity no more.
        assert.strictEqual((yield* runtime.stats).pending, 0)
        yield* TestClock.adjust("1 milli")
        yield* settle
        assert.strictEqual(yield* Fiber.join(removal), "RecorderStopError")
        emitAll(recorder, hits(1, 1))
        yield* settle
        return (yield* runtime.stats).pending
      })
      assert.strictEqual(yield* Effect.provide(program, live), 1)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")))

  it.effect("MetricsLive has the documented defaults", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const runtime = yield* Runtime.MetricsRuntime
        const recorder = yield* Recorder.Recorder
        assert.strictEqual(runtime.namespace, "default")
        assert.strictEqual(emitAll(recorder, hits(1, 10_001)), 10_001)
        return (yield* runtime.stats).highWater
      })
      assert.strictEqual(yield* Effect.provide(program, Layer.provide(MetricsLive, environment({}))), 10_000)
    }))

  it.effect.each(
    [
      ["METRICS_NAMESPACE", " "],
      ["METRICS_CAPACITY", "0"],
      ["METRICS_CAPACITY", "1.5"],
      ["METRICS_CAPACITY", "many"],
      ["METRICS_OVERFLOW", "block"],
      ["METRICS_LINGER", "-1 millis"],
      ["METRICS_LINGER", "30 days"],
      ["METRICS_LINGER", "soon"],
      ["METRICS_STOP_TIMEOUT", "-1 millis"],
      ["METRICS_STOP_TIMEOUT", "late"]
    ] as const
  )("MetricsLive refuses %s=%s with an error that names the key", ([key, value]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Effect.provide(Effect.void, Layer.provide(MetricsLive, environment({ [key]: value })))
      )
      assert.strictEqual(error._tag, "ConfigError")
      assert.include(error.message, key)
      assert.include(error.message, "Expected")
    }))
})
