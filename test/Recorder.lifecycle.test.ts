import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, References, Scope, Stream, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { Metric, Recorder } from "mvx-metrics"
import {
  All,
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

const boom = Effect.fail("boom")

/** A hook that counts its runs and ends when told to. */
const controlled = () => {
  const gate = Deferred.makeUnsafe<void, string>()
  const hook = { runs: 0, interrupted: 0, gate, effect: Effect.void as Effect.Effect<void, string> }
  hook.effect = Effect.suspend(() => {
    hook.runs++
    return Effect.onInterrupt(Deferred.await(gate), () => Effect.sync(() => void hook.interrupted++))
  })
  return hook
}

const make = <R = never>(options: Partial<Recorder.Options<R>> = {}) =>
  Recorder.make({ entityId: "cache", metrics: [Hits], ...options })

const totalOf = (recorder: Recorder.Handle) => Effect.map(recorder.snapshot(Hits), (s) => s.dimensions.total)

describe("without hooks", () => {
  it("the whole life of a recorder is synchronous", () => {
    const report = Effect.runSync(Effect.scoped(Effect.gen(function*() {
      const recorder = yield* make()
      yield* recorder.start
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      yield* recorder.registerEvent(new Hit({ n: 2 }))
      return yield* recorder.stop
    })))
    assert.deepStrictEqual(report, { folded: 2, discarded: 0, changesSkipped: 0 })
  })

  it.effect("each stop has a report of its own, whether there was something left to fold or not", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      const folded: Array<number> = []
      for (const read of [Effect.void, recorder.snapshots, Effect.void]) {
        yield* recorder.start
        emitAll(recorder, hits(1, 1))
        yield* read
        folded.push((yield* recorder.stop).folded)
      }
      assert.deepStrictEqual(folded, [1, 2, 3])
    }))

  it.effect("a view may stop its recorder", () =>
    Effect.gen(function*() {
      const stops: Array<Fiber.Fiber<Recorder.StopReport, unknown>> = []
      const stopping = Metric.make("cache.stopping", {
        events: [Hit],
        initial: Hits.initial,
        reduce: Hits.reduce,
        dimensions: (state) => {
          stops.push(Effect.runFork(recorder.stop))
          return state
        }
      })
      const recorder = yield* make({ metrics: [stopping] })
      emitAll(recorder, hits(1, 2))
      assert.deepStrictEqual((yield* recorder.snapshot(stopping)).dimensions, { total: 2, last: 2 })
      assert.deepStrictEqual(yield* Fiber.join(stops[0]!), { folded: 2, discarded: 0, changesSkipped: 0 })
      assert.strictEqual(yield* statusOf(recorder), "Stopped")
    }))

  it("closing the scope is synchronous and folds what was accepted", () => {
    const scope = Scope.makeUnsafe()
    const recorder = Effect.runSync(Scope.provide(make(), scope))
    emitAll(recorder, hits(1, 3))
    Effect.runSync(Scope.close(scope, Exit.void))
    assert.deepStrictEqual(Effect.runSync(recorder.status), {
      _tag: "Stopped",
      report: { folded: 3, discarded: 0, changesSkipped: 0 }
    })
  })
})

describe("a failure without hooks", () => {
  it("leaves closing the scope synchronous", () => {
    const scope = Scope.makeUnsafe()
    const recorder = Effect.runSync(Scope.provide(make({ metrics: [throwingAt(1)], onDefect: "fail" }), scope))
    emitAll(recorder, hits(1, 1))
    recorder.snapshotsUnsafe()
    Effect.runSync(Scope.close(scope, Exit.void))
    assert.strictEqual(Effect.runSync(recorder.status)._tag, "Failure")
  })
})

describe("start", () => {
  it.effect("leads from Virgin to Running", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      assert.strictEqual(yield* statusOf(recorder), "Virgin")
      yield* recorder.start
      assert.strictEqual(yield* statusOf(recorder), "Running")
    }))

  it.effect("is caused by the first event, at once where there is no onStarting", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      assert.isTrue(recorder.registerEventUnsafe(new Hit({ n: 1 })))
      assert.strictEqual(yield* statusOf(recorder), "Running")
    }))

  it.effect("is not caused by something that is no event", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      recorder.registerEventUnsafe(null as never)
      assert.strictEqual(yield* statusOf(recorder), "Virgin")
    }))

  it.effect("accepts and folds events while the hook runs", () =>
    Effect.gen(function*() {
      const hook = controlled()
      const recorder = yield* make({ onStarting: hook.effect })
      assert.strictEqual(emitAll(recorder, hits(1, 5)), 5)
      assert.strictEqual(yield* statusOf(recorder), "Starting")
      assert.strictEqual(yield* totalOf(recorder), 5)
      yield* recorder.registerMetric(All)
      yield* Deferred.succeed(hook.gate, undefined)
      yield* recorder.start
      assert.strictEqual(yield* statusOf(recorder), "Running")
      assert.strictEqual(hook.runs, 1)
    }))

  it.effect("does not run the hook on the stack of the emitter", () =>
    Effect.gen(function*() {
      let ran = false
      const recorder = yield* make({ onStarting: Effect.sync(() => void (ran = true)) })
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      assert.isFalse(ran)
      yield* recorder.start
      assert.isTrue(ran)
    }))

  it.effect("is one for fifty callers, with one run of the hook and one outcome", () =>
    Effect.gen(function*() {
      for (const ending of [Effect.void, boom]) {
        const hook = controlled()
        const recorder = yield* make({ onStarting: hook.effect })
        const callers = yield* Effect.forEach(
          Array.from({ length: 50 }),
          () => Effect.forkChild(outcome(recorder.start), { startImmediately: true })
        )
        yield* until("the hook runs", Effect.sync(() => hook.runs > 0))
        yield* Deferred.into(ending, hook.gate)
        const outcomes = new Set(yield* Effect.forEach(callers, Fiber.join))
        assert.deepStrictEqual([...outcomes], [ending === Effect.void ? "ok" : "RecorderStartError"])
        assert.strictEqual(hook.runs, 1)
      }
    }))

  it.effect("goes on when a caller who waits is interrupted, at whichever point", () =>
    Effect.gen(function*() {
      for (const [budget, turns] of interruptions) {
        const hook = controlled()
        const recorder = yield* make({ onStarting: hook.effect })
        const caller = yield* Effect.forkChild(suspending(budget)(recorder.start), { startImmediately: true })
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(caller)
        yield* Deferred.succeed(hook.gate, undefined)
        yield* Effect.ignore(recorder.start)
        assert.strictEqual(yield* statusOf(recorder), "Running", `budget ${budget}, after ${turns} turns`)
        assert.deepStrictEqual([hook.runs, hook.interrupted], [1, 0])
      }
    }))

  it.effect("that fails leaves Failure, releases what was acquired, and keeps what was folded", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const acquire = Effect.acquireRelease(
        Effect.sync(() => void log.push("open")),
        () => Effect.sync(() => void log.push("close"))
      )
      const recorder = yield* make({
        onStarting: Effect.andThen(acquire, boom),
        onStopped: Effect.sync(() => void log.push("stopped")),
        onMetricChanged: () => Effect.sync(() => void log.push("changed"))
      })
      emitAll(recorder, hits(1, 2))
      const error = yield* Effect.flip(recorder.start)
      assert.instanceOf(error, Recorder.RecorderStartError)
      assert.strictEqual(error.message, "Recorder \"cache\": expected the start to succeed, it ended with: boom")
      assert.deepStrictEqual(log, ["open", "close"], "released before the caller hears of it")
      const status = yield* recorder.status
      assert.isTrue(status._tag === "Failure" && Cause.squash(status.cause) === "boom")
      assert.strictEqual((yield* recorder.stats).accepted, 2)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(recorder.snapshots)))
    }))

  it.effect("that fails tells every later operation the original cause", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ onStarting: boom })
      yield* Effect.exit(recorder.start)
      const operations = {
        start: recorder.start,
        stop: recorder.stop,
        registerEvent: recorder.registerEvent(new Hit({ n: 1 }))
      }
      for (const [operation, effect] of Object.entries(operations)) {
        const error = yield* Effect.flip(effect as Effect.Effect<void, Recorder.RecorderInvalidStateError>)
        assert.deepStrictEqual([error._tag, error.operation, error.state], [
          "RecorderInvalidStateError",
          operation,
          "Failure"
        ])
        assert.strictEqual(Cause.squash(error.cause!), "boom")
      }
      assert.isFalse(recorder.registerEventUnsafe(new Hit({ n: 1 })))
      assert.strictEqual((yield* recorder.stats).refused.invalidState, 2)
    }))

  it.effect("whose fiber somebody interrupts fails, and does not stay", () =>
    Effect.gen(function*() {
      const recorder = yield* make({
        onStarting: Effect.withFiber((fiber) => {
          fiber.interruptUnsafe()
          return Effect.yieldNow
        })
      })
      assert.strictEqual(yield* outcome(recorder.start), "RecorderStartError")
      assert.strictEqual(yield* statusOf(recorder), "Failure")
    }))

  it.effect("caused by an event may fail too, and then ends the recorder", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ onStarting: Effect.die("defect") })
      assert.isTrue(recorder.registerEventUnsafe(new Hit({ n: 1 })))
      yield* until("Failure", Effect.map(statusOf(recorder), (tag) => tag === "Failure"))
      assert.isFalse(recorder.registerEventUnsafe(new Hit({ n: 1 })))
    }))

  it.effect("after a stop runs the hooks anew; metrics and values survive", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const recorder = yield* make({
        onStarting: Effect.acquireRelease(Effect.sync(() => void log.push("open")), () =>
          Effect.sync(() => void log.push("close"))),
        onStopped: Effect.sync(() =>
          void log.push("stopped")
        ),
        onMetricChanged: (change) => Effect.sync(() => void log.push(`change ${change.sequence}`))
      })
      yield* recorder.start
      emitAll(recorder, hits(1, 1))
      const [first] = (yield* recorder.capture).metrics
      assert.deepStrictEqual(yield* recorder.stop, { folded: 1, discarded: 0, changesSkipped: 0 })
      yield* recorder.start
      emitAll(recorder, hits(2, 2))
      yield* recorder.stop
      assert.deepStrictEqual(log, ["open", "change 1", "stopped", "close", "open", "change 2", "stopped", "close"])
      assert.strictEqual(yield* totalOf(recorder), 2)
      assert.strictEqual((yield* recorder.capture).metrics[0]!.epoch, first!.epoch)
    }))
})

describe("an operation in a state that does not allow it", () => {
  const states: Record<string, Effect.Effect<Recorder.Handle, unknown, Scope.Scope>> = {
    Virgin: make(),
    Starting: Effect.tap(
      make({ onStarting: Effect.never }),
      (r) => Effect.forkChild(r.start, { startImmediately: true })
    ),
    Running: Effect.tap(make(), (r) => r.start),
    Stopping: Effect.tap(
      make({ onStopped: Effect.never, stopTimeout: "1 hour" }),
      (r) => Effect.andThen(r.start, Effect.forkChild(r.stop, { startImmediately: true }))
    ),
    Stopped: Effect.tap(make(), (r) => Effect.andThen(r.start, r.stop)),
    Failure: Effect.tap(make({ onStarting: boom }), (r) => Effect.exit(r.start))
  }
  const rows: ReadonlyArray<readonly [state: string, start: string, stop: string, event: string]> = [
    ["Virgin", "ok", "RecorderInvalidStateError", "ok"],
    ["Starting", "joins", "RecorderInvalidStateError", "ok"],
    ["Running", "RecorderInvalidStateError", "ok", "ok"],
    ["Stopping", "RecorderInvalidStateError", "joins", "RecorderInvalidStateError"],
    ["Stopped", "ok", "RecorderInvalidStateError", "RecorderInvalidStateError"],
    ["Failure", "RecorderInvalidStateError", "RecorderInvalidStateError", "RecorderInvalidStateError"]
  ]
  const ask = (effect: Effect.Effect<unknown, { readonly _tag: string }>) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(outcome(effect), { startImmediately: true })
      yield* settle
      const exit = fiber.pollUnsafe()
      return exit === undefined ? "joins" : Exit.isSuccess(exit) ? exit.value : "died"
    })
  // Scopes of recorders that hang are left open on purpose: closing them is another test.
  const within = (state: string) => Effect.provideService(states[state]!, Scope.Scope, Scope.makeUnsafe())

  it.effect.each(rows)("is refused, and changes nothing: %s", ([state, start, stop, event]) =>
    Effect.gen(function*() {
      const actual = [
        yield* ask((yield* within(state)).start),
        yield* ask((yield* within(state)).stop),
        yield* ask((yield* within(state)).registerEvent(new Hit({ n: 1 }))),
        yield* ask((yield* within(state)).registerMetric(All))
      ]
      assert.deepStrictEqual(actual, [start, stop, event, event])
      const recorder = yield* within(state)
      if (stop === "RecorderInvalidStateError") yield* Effect.exit(recorder.stop)
      if (start === "RecorderInvalidStateError") yield* Effect.exit(recorder.start)
      assert.strictEqual(yield* statusOf(recorder), state)
    }))

  it.effect.each(rows)("does not keep anybody from reading: %s", ([state]) =>
    Effect.gen(function*() {
      const recorder = yield* within(state)
      const reads = Effect.all([
        recorder.snapshots,
        recorder.snapshot(Hits),
        recorder.capture,
        recorder.metrics,
        recorder.stats,
        recorder.status,
        Effect.sync(() => recorder.snapshotsUnsafe()),
        Stream.runHead(recorder.watch),
        Stream.runHead(recorder.statusChanges),
        recorder.unregisterMetric("cache.hits")
      ])
      assert.strictEqual((yield* reads).length, 10)
    }))

  it.effect("names the operation, the state and what was expected", () =>
    Effect.gen(function*() {
      const recorder = yield* make()
      const error = yield* Effect.flip(recorder.stop)
      assert.deepStrictEqual({ ...error } as object, {
        _tag: "RecorderInvalidStateError",
        entityId: "cache",
        operation: "stop",
        state: "Virgin",
        expected: "Running or Stopping"
      })
      assert.strictEqual(error.message, "Recorder \"cache\": stop expects Running or Stopping, found Virgin")
    }))
})

describe("stop", () => {
  it.effect("closes acceptance first, and loses nothing that was accepted", () =>
    Effect.gen(function*() {
      const hook = controlled()
      const recorder = yield* make({ onStopped: hook.effect, metrics: [Hits] })
      const accepted = emitAll(recorder, hits(1, 1_000))
      const stopping = yield* Effect.forkChild(recorder.stop, { startImmediately: true })
      assert.isFalse(recorder.registerEventUnsafe(new Hit({ n: 0 })))
      yield* Deferred.succeed(hook.gate, undefined)
      assert.deepStrictEqual(yield* Fiber.join(stopping), { folded: accepted, discarded: 0, changesSkipped: 0 })
      assert.strictEqual(yield* totalOf(recorder), 1_000)
    }))

  it.effect("is one for fifty callers", () =>
    Effect.gen(function*() {
      for (const ending of [Effect.void, boom]) {
        const hook = controlled()
        const recorder = yield* make({ onStopped: hook.effect })
        yield* recorder.start
        const callers = yield* Effect.forEach(
          Array.from({ length: 50 }),
          () => Effect.forkChild(outcome(recorder.stop), { startImmediately: true })
        )
        yield* until("the hook runs", Effect.sync(() => hook.runs > 0))
        yield* Deferred.into(ending, hook.gate)
        const outcomes = new Set(yield* Effect.forEach(callers, Fiber.join))
        assert.deepStrictEqual([...outcomes], [ending === Effect.void ? "ok" : "RecorderStopError"])
        assert.strictEqual(hook.runs, 1)
        assert.strictEqual(yield* statusOf(recorder), ending === Effect.void ? "Stopped" : "Failure")
      }
    }))

  it.effect("goes on when a caller who waits is interrupted, at whichever point", () =>
    Effect.gen(function*() {
      for (const [budget, turns] of interruptions) {
        const hook = controlled()
        const recorder = yield* make({ onStopped: hook.effect })
        yield* recorder.start
        const caller = yield* Effect.forkChild(suspending(budget)(recorder.stop), { startImmediately: true })
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(caller)
        yield* Deferred.succeed(hook.gate, undefined)
        yield* Effect.ignore(recorder.stop)
        assert.strictEqual(yield* statusOf(recorder), "Stopped", `budget ${budget}, after ${turns} turns`)
        assert.deepStrictEqual([hook.runs, hook.interrupted], [1, 0])
      }
    }))

  it.effect("waits for the changes that are still to be delivered to the hook", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const recorder = yield* make({
        onMetricChanged: (change) => Effect.andThen(Effect.yieldNow, Effect.sync(() => void seen.push(change.sequence)))
      })
      emitAll(recorder, hits(1, 50))
      yield* recorder.stop
      assert.deepStrictEqual(seen, Array.from({ length: 50 }, (_, index) => index + 1))
    }))

  it.effect("interrupts a change hook that takes too long, counts what was left, and still runs onStopped", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const recorder = yield* make({
        stopTimeout: "2 seconds",
        onMetricChanged: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push("interrupted"))),
        onStopped: Effect.sync(() => void log.push("stopped"))
      })
      emitAll(recorder, hits(1, 5))
      const stopping = yield* Effect.forkChild(Effect.flip(recorder.stop), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("1999 millis")
      yield* settle
      assert.strictEqual(yield* statusOf(recorder), "Stopping")
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(stopping)
      assert.instanceOf(error, Recorder.StopTimeoutError)
      assert.deepStrictEqual(error.report, { folded: 5, discarded: 0, changesSkipped: 4 })
      assert.deepStrictEqual(log, ["interrupted", "stopped"])
      assert.strictEqual(yield* statusOf(recorder), "Failure")
      assert.deepStrictEqual((yield* recorder.stats).defects, {}, "an interruption of ours is no defect")
    }))

  it.effect("interrupts an onStopped that takes too long", () =>
    Effect.gen(function*() {
      const hook = controlled()
      const recorder = yield* make({ stopTimeout: "2 seconds", onStopped: hook.effect })
      yield* recorder.start
      const stopping = yield* Effect.forkChild(outcome(recorder.stop), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(stopping), "StopTimeoutError")
      yield* settle
      assert.strictEqual(hook.interrupted, 1)
    }))

  it.live("with no time at all still runs each hook, and releases what was acquired, as far as that waits for nothing", () =>
    Effect.gen(function*() {
      const ran: Array<string> = []
      const scope = Scope.makeUnsafe()
      const note = (name: string) => Effect.sync(() => void ran.push(name))
      // On the scheduler of `runSync`, which gives way to nobody.
      const recorder = Effect.runSync(
        Scope.provide(
          make({
            stopTimeout: 0,
            onStarting: Effect.acquireRelease(note("acquired"), () => note("released")),
            onStopped: note("stopped")
          }),
          scope
        )
      )
      yield* recorder.start
      yield* Effect.exit(recorder.stop)
      yield* until("all parts have ended", Effect.sync(() => ran.length === 3))
      assert.deepStrictEqual(ran, ["acquired", "stopped", "released"])
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("does not wait for a hook that cannot be interrupted", () =>
    Effect.gen(function*() {
      const recorder = yield* make({ stopTimeout: "2 seconds", onStopped: Effect.uninterruptible(Effect.never) })
      yield* recorder.start
      const stopping = yield* Effect.forkChild(outcome(recorder.stop), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(stopping), "StopTimeoutError")
    }))

  it.effect("waits for ever where the limit is infinite", () =>
    Effect.gen(function*() {
      const hook = controlled()
      const recorder = yield* make({ stopTimeout: "Infinity", onStopped: hook.effect })
      yield* recorder.start
      const stopping = yield* Effect.forkChild(outcome(recorder.stop), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("365 days")
      yield* settle
      assert.isUndefined(stopping.pollUnsafe())
      yield* Deferred.succeed(hook.gate, undefined)
      assert.strictEqual(yield* Fiber.join(stopping), "ok")
    }))

  it.effect("discards and counts what it cannot fold in time", () =>
    Effect.gen(function*() {
      const slow = throwingAt(-1, "slow")
      const recorder = yield* make({ metrics: [slow], stopTimeout: 0, linger: "1 hour" })
      emitAll(recorder, hits(1, 1_000))
      const error = yield* Effect.flip(recorder.stop)
      assert.instanceOf(error, Recorder.StopTimeoutError)
      const { discarded, folded } = error.report
      assert.isTrue(discarded > 0 && folded > 0)
      assert.strictEqual(discarded + folded, 1_000)
      const stats = yield* recorder.stats
      assert.deepStrictEqual([stats.accepted, stats.pending, stats.discarded], [1_000, 0, discarded])
    }))

  it.effect("fails with what onStopped and the release fail with, after both were tried", () =>
    Effect.gen(function*() {
      const recorder = yield* make({
        onStarting: Effect.acquireRelease(Effect.void, () => Effect.die("release")),
        onStopped: Effect.fail("stopped")
      })
      yield* recorder.start
      const error = yield* Effect.flip(recorder.stop)
      assert.instanceOf(error, Recorder.RecorderStopError)
      assert.deepStrictEqual(
        error.cause.reasons.map((reason) =>
          Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : ""
        ),
        ["stopped", "release"]
      )
      const status = yield* recorder.status
      assert.isTrue(status._tag === "Failure" && status.cause.reasons.length === 2)
    }))

  it.effect("runs onStopped before it releases what onStarting acquired", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const recorder = yield* make({
        onStarting: Effect.acquireRelease(Effect.void, () => Effect.sync(() => void log.push("release"))),
        onStopped: Effect.acquireRelease(
          Effect.sync(() => void log.push("stopped")),
          () => Effect.sync(() => void log.push("own release"))
        )
      })
      yield* recorder.start
      yield* recorder.stop
      assert.deepStrictEqual(log, ["stopped", "own release", "release"])
    }))

  it.effect("from inside a reducer begins at once and folds the rest", () =>
    Effect.gen(function*() {
      const stopping: Array<Fiber.Fiber<unknown, unknown>> = []
      const StopsAtTwo = Metric.filter(Hits, (e) => {
        if (e.n === 2) stopping.push(Effect.runFork(recorder.stop))
        return true
      })
      const recorder: Recorder.Handle = yield* make({ metrics: [StopsAtTwo] })
      emitAll(recorder, hits(1, 5))
      yield* recorder.flush
      assert.deepStrictEqual(yield* Fiber.join(stopping[0]!), { folded: 5, discarded: 0, changesSkipped: 0 })
    }))
})

describe("closing the scope", () => {
  const closed = (
    options: Partial<Recorder.Options<Scope.Scope>>,
    before: (recorder: Recorder.Handle) => Effect.Effect<unknown, unknown>
  ) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const recorder = yield* Scope.provide(make(options), scope)
      yield* Effect.exit(before(recorder))
      yield* Scope.close(scope, Exit.void)
      return recorder
    })

  it.effect("of a Virgin recorder runs no hooks", () =>
    Effect.gen(function*() {
      const recorder = yield* closed({ onStarting: Effect.die("started"), onStopped: Effect.die("stopped") }, () =>
        Effect.void)
      assert.strictEqual(yield* statusOf(recorder), "Stopped")
    }))

  it.effect("of a Starting recorder interrupts the hook, releases, folds, and tells the callers of start", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const callers: Array<Fiber.Fiber<string>> = []
      const recorder = yield* closed({
        onStarting: Effect.andThen(
          Effect.acquireRelease(Effect.void, () => Effect.sync(() => void log.push("release"))),
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push("interrupt")))
        ),
        onStopped: Effect.sync(() => void log.push("stopped"))
      }, (recorder) =>
        Effect.gen(function*() {
          callers.push(yield* Effect.forkDetach(outcome(recorder.start), { startImmediately: true }))
          emitAll(recorder, hits(1, 3))
          yield* settle
        }))
      assert.deepStrictEqual(log, ["interrupt", "release"])
      assert.strictEqual(yield* statusOf(recorder), "Stopped")
      assert.strictEqual(yield* Fiber.join(callers[0]!), "RecorderStartError")
      assert.strictEqual(yield* totalOf(recorder), 3)
    }))

  it.effect("of a Running recorder stops it", () =>
    Effect.gen(function*() {
      let stops = 0
      const recorder = yield* closed({ onStopped: Effect.sync(() => void stops++) }, (r) => r.start)
      assert.deepStrictEqual([yield* statusOf(recorder), stops], ["Stopped", 1])
    }))

  it.effect("of a Stopping recorder joins the stop", () =>
    Effect.gen(function*() {
      const hook = controlled()
      const recorder = yield* closed({ onStopped: hook.effect }, (recorder) =>
        Effect.gen(function*() {
          yield* recorder.start
          yield* Effect.forkDetach(recorder.stop, { startImmediately: true })
          yield* settle
          yield* Effect.forkDetach(Effect.andThen(settle, Deferred.succeed(hook.gate, undefined)))
        }))
      assert.deepStrictEqual([yield* statusOf(recorder), hook.runs], ["Stopped", 1])
    }))

  it.effect("of a Stopped or failed recorder changes nothing", () =>
    Effect.gen(function*() {
      const stopped = yield* closed({}, (r) => Effect.andThen(r.start, r.stop))
      assert.strictEqual(yield* statusOf(stopped), "Stopped")
      const failed = yield* closed({ onStarting: boom }, (r) => r.start)
      assert.strictEqual(yield* statusOf(failed), "Failure")
    }))

  it.effect("waits for a failed recorder to release what is left", () =>
    Effect.gen(function*() {
      let released = false
      yield* closed({
        metrics: [throwingAt(1)],
        onDefect: "fail",
        onStarting: Effect.acquireRelease(Effect.void, () =>
          Effect.andThen(Effect.yieldNow, Effect.sync(() => void (released = true))))
      }, (recorder) =>
        Effect.gen(function*() {
          yield* recorder.start
          emitAll(recorder, hits(1, 1))
          recorder.snapshotsUnsafe()
        }))
      assert.isTrue(released)
    }))

  it.effect("is not undone by a start hook that could not be interrupted and ends later", () =>
    Effect.gen(function*() {
      const hook = controlled()
      const scope = yield* Scope.make()
      const recorder = yield* Scope.provide(
        make({ onStarting: Effect.uninterruptible(hook.effect), stopTimeout: "1 seconds" }),
        scope
      )
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      yield* settle
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(closing)
      yield* Deferred.succeed(hook.gate, undefined)
      yield* settle
      assert.strictEqual(yield* statusOf(recorder), "Failure")
    }))

  it.effect("is final: the recorder cannot be started again", () =>
    Effect.gen(function*() {
      for (const before of [(_: Recorder.Handle) => Effect.void, (r: Recorder.Handle) => Effect.asVoid(r.start)]) {
        const recorder = yield* closed({}, before)
        const error = yield* Effect.flip(recorder.start)
        assert.strictEqual(error._tag, "RecorderInvalidStateError")
        assert.isFalse(recorder.registerEventUnsafe(new Hit({ n: 1 })))
      }
    }))

  it.effect("never fails: a stop that fails is logged and kept in the status", () => {
    const logs = collectLogs()
    return Effect.gen(function*() {
      const recorder = yield* closed({ onStopped: boom }, (r) => r.start)
      const status = yield* recorder.status
      assert.isTrue(status._tag === "Failure" && Cause.squash(status.cause) === "boom")
      yield* settle
      assert.deepInclude(logs.lines, {
        text: "Error A recorder did not stop cleanly",
        annotations: { "metrics.recorder": "cache" }
      })
    }).pipe(Effect.provide(logs.layer))
  })

  it.effect("does not outlast a hook that hangs by more than the limits", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const recorder = yield* Scope.provide(make({ onStopped: Effect.never, stopTimeout: "3 seconds" }), scope)
      yield* recorder.start
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual(yield* statusOf(recorder), "Failure")
    }))

  it.effect("ends the streams of changes and of statuses, a stop does not", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const recorder = yield* Scope.provide(make(), scope)
      const changes = yield* Effect.forkChild(Stream.runCollect(recorder.changes), { startImmediately: true })
      const statuses = yield* Effect.forkChild(Stream.runCollect(recorder.statusChanges), { startImmediately: true })
      emitAll(recorder, hits(1, 1))
      yield* recorder.stop
      yield* recorder.start
      emitAll(recorder, hits(2, 2))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual((yield* Fiber.join(changes)).map((change) => change.sequence), [1, 2])
      assert.deepStrictEqual((yield* Fiber.join(statuses)).map((status) => status._tag), [
        "Virgin",
        "Running",
        "Stopping",
        "Stopped",
        "Running",
        "Stopping",
        "Stopped"
      ])
      assert.deepStrictEqual(yield* Stream.runCollect(recorder.changes), [])
      assert.deepStrictEqual((yield* Stream.runCollect(recorder.statusChanges)).map((status) => status._tag), [
        "Stopped"
      ])
      assert.strictEqual((yield* Stream.runCollect(recorder.watch)).length, 1)
    }))
})

describe("failure of a running recorder", () => {
  const failing = Effect.fnUntraced(function*(options: Partial<Recorder.Options<never>>) {
    const recorder = yield* make({ metrics: [Hits, throwingAt(3)], onDefect: "fail", ...options })
    emitAll(recorder, hits(1, 5))
    return recorder
  })

  it.effect("closes it with the cause, discards and counts the queue, and runs onStopped once", () =>
    Effect.gen(function*() {
      let stops = 0
      const recorder = yield* failing({ onStopped: Effect.sync(() => void stops++) })
      const dimensions = (yield* recorder.snapshot(Hits)).dimensions
      assert.deepStrictEqual(dimensions, { total: 2, last: 2 })
      const status = yield* recorder.status
      assert.isTrue(status._tag === "Failure" && String(Cause.squash(status.cause)) === "Error: reducer 3")
      const stats = yield* recorder.stats
      assert.deepStrictEqual([stats.accepted, stats.folded, stats.discarded, stats.pending], [5, 2, 3, 0])
      yield* until("onStopped", Effect.sync(() => stops > 0))
      yield* settle
      assert.strictEqual(stops, 1)
    }))

  it.effect("while it starts runs no onStopped, interrupts the hook and tells the callers", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const recorder = yield* failing({
        onStarting: Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push("interrupt"))),
        onStopped: Effect.sync(() => void log.push("stopped"))
      })
      const starting = yield* Effect.forkChild(outcome(recorder.start), { startImmediately: true })
      yield* settle
      yield* recorder.flush
      assert.strictEqual(yield* Fiber.join(starting), "RecorderStartError")
      yield* settle
      assert.deepStrictEqual(log, ["interrupt"])
    }))

  it.effect("while it starts is not undone by a start hook that ends in the same moment", () =>
    Effect.gen(function*() {
      const hook = controlled()
      const recorder = yield* failing({ onStarting: hook.effect })
      yield* settle
      recorder.snapshotsUnsafe()
      Deferred.doneUnsafe(hook.gate, Exit.void)
      yield* settle
      assert.strictEqual(yield* statusOf(recorder), "Failure")
    }))

  it.effect("while it stops fails the stop with the cause, and onStopped and the release still run, in order", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const recorder = yield* make({
        metrics: [throwingAt(3)],
        onDefect: "fail",
        onStarting: Effect.acquireRelease(Effect.void, () => Effect.sync(() => void log.push("release"))),
        onStopped: Effect.andThen(settle, Effect.sync(() => void log.push("stopped")))
      })
      yield* recorder.start
      emitAll(recorder, hits(1, 5))
      const error = yield* Effect.flip(recorder.stop)
      assert.instanceOf(error, Recorder.RecorderStopError)
      assert.strictEqual(String(Cause.squash(error.cause)), "Error: reducer 3")
      yield* settle
      assert.deepStrictEqual([log, yield* statusOf(recorder)], [["stopped", "release"], "Failure"] as never)
      const sync = yield* failing({})
      assert.strictEqual(yield* outcome(sync.stop), "RecorderStopError")
    }))

  it.effect("logs a failing onStopped, and keeps the first cause", () => {
    const logs = collectLogs()
    return Effect.gen(function*() {
      const recorder = yield* failing({ onStopped: Effect.die("second") })
      yield* recorder.flush
      yield* settle
      const status = yield* recorder.status
      assert.isTrue(status._tag === "Failure" && String(Cause.squash(status.cause)) === "Error: reducer 3")
      assert.isTrue(logs.lines.some((line) => line.text === "Error A recorder that had failed did not stop cleanly"))
    }).pipe(Effect.provide(logs.layer))
  })

  it.effect("by a failing onMetricChanged, under onDefect fail, discards what was not delivered", () =>
    Effect.gen(function*() {
      let stops = 0
      const recorder = yield* make({
        onDefect: "fail",
        onMetricChanged: (change) => change.sequence === 2 ? boom : Effect.void,
        onStopped: Effect.sync(() => void stops++)
      })
      emitAll(recorder, hits(1, 5))
      yield* recorder.flush
      yield* until("onStopped", Effect.sync(() => stops > 0))
      const status = yield* recorder.status
      assert.isTrue(status._tag === "Failure" && Cause.squash(status.cause) === "boom")
      const stats = yield* recorder.stats
      assert.deepStrictEqual([stats.defects, stats.changesSkipped], [{ "cache.hits": 1 }, 3])
    }))

  it.effect("interrupts the change hook, and waits for its end before onStopped", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const running = Effect.sync(() => void log.push("running"))
      const interrupted = Effect.andThen(settle, Effect.sync(() => void log.push("interrupted")))
      const recorder = yield* make({
        metrics: [throwingAt(3)],
        onDefect: "fail",
        onMetricChanged: () => Effect.andThen(running, Effect.onInterrupt(Effect.never, () => interrupted)),
        onStopped: Effect.sync(() => void log.push("stopped"))
      })
      emitAll(recorder, hits(1, 2))
      yield* until("the hook runs", Effect.map(recorder.snapshots, () => log.length > 0))
      emitAll(recorder, hits(3, 3))
      yield* until("the end", Effect.map(recorder.snapshots, () => log.includes("stopped")))
      assert.deepStrictEqual(log, ["running", "interrupted", "stopped"])
    }))

  it.effect("is final: a later end of the dispatcher does not change it", () =>
    Effect.gen(function*() {
      let dispatcher: Fiber.Fiber<unknown, unknown> | undefined
      const Spy = Metric.filter(throwingAt(2), () => {
        dispatcher = Fiber.getCurrent()
        return true
      })
      const recorder = yield* make({ metrics: [Spy], onDefect: "fail", linger: 0 })
      emitAll(recorder, hits(1, 2))
      yield* until("Failure", Effect.map(statusOf(recorder), (tag) => tag === "Failure"))
      yield* Fiber.interrupt(dispatcher!)
      assert.strictEqual(yield* statusOf(recorder), "Failure")
    }))

  it.effect("by an interrupted dispatcher is Cancelled, with onStopped run and everything counted", () =>
    Effect.gen(function*() {
      let dispatcher: Fiber.Fiber<unknown, unknown> | undefined
      let stops = 0
      const Spy = Metric.filter(Hits, () => {
        dispatcher = Fiber.getCurrent()
        return true
      })
      const recorder = yield* make({ metrics: [Spy], linger: 0, onStopped: Effect.sync(() => void stops++) })
      emitAll(recorder, hits(1, 1))
      yield* until("the dispatcher folds", Effect.sync(() => dispatcher !== undefined))
      yield* Fiber.interrupt(dispatcher!)
      const status = yield* recorder.status
      assert.isTrue(status._tag === "Cancelled" && Cause.hasInterruptsOnly(status.cause))
      assert.strictEqual(yield* outcome(recorder.registerEvent(new Hit({ n: 1 }))), "RecorderInvalidStateError")
      yield* until("onStopped", Effect.sync(() => stops === 1))
    }))
})

describe("a call from inside a hook", () => {
  const calls: Record<string, (recorder: Recorder.Handle) => Effect.Effect<unknown, unknown>> = {
    start: (r) => r.start,
    stop: (r) => r.stop,
    flush: (r) => r.flush,
    snapshots: (r) => r.snapshots,
    capture: (r) => r.capture,
    registerEvent: (r) => r.registerEvent(new Hit({ n: 9 })),
    registerMetric: (r) => r.registerMetric(All),
    "a child's stop": (r) => Effect.flatMap(Effect.forkChild(r.stop), Fiber.join)
  }
  const hooks = ["onStarting", "onMetricChanged", "onStopped"] as const

  for (const [name, call] of Object.entries(calls)) {
    it.effect.each(hooks)(`never waits for itself: ${name} from %s`, (hook) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        let returned = 0
        const inside: Effect.Effect<void> = Effect.suspend(() => Effect.exit(call(recorder))).pipe(
          Effect.map(() => void returned++)
        )
        const recorder: Recorder.Handle = yield* Scope.provide(
          make({ [hook]: hook === "onMetricChanged" ? () => inside : inside, stopTimeout: "1 hour" }),
          scope
        )
        emitAll(recorder, hits(1, 1))
        yield* recorder.flush
        yield* until("start", Effect.map(statusOf(recorder), (tag) => tag !== "Starting"))
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(returned > 0)
        assert.strictEqual(yield* statusOf(recorder), "Stopped")
      }))
  }

  it.effect("does not include what a fiber calls that outlives the hook", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const recorder: Recorder.Handle = yield* make({
        onStarting: Effect.asVoid(Effect.forkDetach(Effect.gen(function*() {
          yield* settle
          emitAll(recorder, hits(1, 3))
          yield* recorder.flush
          seen.push(-1)
        }))),
        onMetricChanged: (change) => Effect.andThen(settle, Effect.sync(() => void seen.push(change.sequence)))
      })
      yield* recorder.start
      yield* until("the flush", Effect.sync(() => seen.includes(-1)))
      assert.deepStrictEqual(seen, [1, 2, 3, -1])
    }))

  it.effect("lets it close the scope of its recorder", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const recorder = yield* Scope.provide(
        make({ onMetricChanged: () => Scope.close(scope, Exit.void), stopTimeout: "1 hour" }),
        scope
      )
      emitAll(recorder, hits(1, 2))
      yield* until("Stopped", Effect.map(statusOf(recorder), (tag) => tag === "Stopped"))
      assert.strictEqual((yield* recorder.stats).folded, 2)
    }))

  it.effect("reports so far, while everybody else gets the whole outcome", () =>
    Effect.gen(function*() {
      const reports: Array<Recorder.StopReport> = []
      const recorder: Recorder.Handle = yield* make({
        onMetricChanged: () =>
          Effect.suspend(() => recorder.stop).pipe(
            Effect.tap((report) => Effect.sync(() => void reports.push(report))),
            Effect.ignore
          )
      })
      emitAll(recorder, hits(1, 3))
      const outside = yield* Effect.forkChild(
        Effect.andThen(until("the stop begins", Effect.sync(() => reports.length > 0)), outcome(recorder.stop))
      )
      yield* Fiber.join(outside)
      assert.deepStrictEqual(reports[0], { folded: 3, discarded: 0, changesSkipped: 0 })
      assert.strictEqual(yield* statusOf(recorder), "Stopped")
    }))
})

describe("hooks", () => {
  it.live("are not waited for by a flush whose changes were skipped before a hook began", () =>
    Effect.gen(function*() {
      const recorder = yield* Recorder.make({
        entityId: "cache",
        metrics: [Hits],
        capacity: 2,
        stopTimeout: 0,
        onMetricChanged: () => Effect.never
      })
      emitAll(recorder, hits(1, 1))
      const flush = yield* Effect.forkChild(recorder.flush, { startImmediately: true })
      emitAll(recorder, hits(2, 3))
      recorder.snapshotsUnsafe()
      yield* settle
      assert.isDefined(flush.pollUnsafe())
    }))

  it.effect("see the context in which the recorder was made", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const tell = (what: string) =>
        Effect.map(References.CurrentLogAnnotations, (a) => void seen.push(`${what} ${a["where"]}`))
      const recorder = yield* make({
        onStarting: tell("start"),
        onMetricChanged: () => tell("change"),
        onStopped: tell("stop")
      }).pipe(Effect.annotateLogs("where", "outside"))
      emitAll(recorder, hits(1, 1))
      yield* recorder.stop.pipe(
        Effect.catchTag("RecorderInvalidStateError", () => Effect.andThen(recorder.start, recorder.stop))
      )
      assert.deepStrictEqual(seen, ["start outside", "change outside", "stop outside"])
    }))

  it.effect("run in spans, except for single changes", () => {
    const spans: Array<string> = []
    const tracer = Tracer.make({
      span: (options) => {
        spans.push(options.name)
        return new Tracer.NativeSpan(options)
      }
    })
    return Effect.gen(function*() {
      const recorder = yield* make({
        onStarting: Effect.void,
        onStopped: Effect.void,
        onMetricChanged: () => Effect.void
      })
      yield* recorder.start
      emitAll(recorder, hits(1, 3))
      yield* recorder.stop
      assert.deepStrictEqual(spans, ["mvx-metrics.recorder.start", "mvx-metrics.recorder.stop"])
    }).pipe(Effect.withTracer(tracer))
  })

  it.effect("receive changes after a restart only when onStarting has ended again", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const gates = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
      let starts = 0
      const recorder = yield* make({
        onStarting: Effect.andThen(
          Effect.suspend(() => Deferred.await(gates[starts++]!)),
          Effect.sync(() => void log.push("started"))
        ),
        onMetricChanged: (change) => Effect.sync(() => void log.push(`change ${change.sequence}`))
      })
      Deferred.doneUnsafe(gates[0]!, Exit.void)
      yield* recorder.start
      yield* recorder.stop
      const starting = yield* Effect.forkChild(recorder.start, { startImmediately: true })
      emitAll(recorder, hits(1, 1))
      yield* recorder.snapshots
      yield* settle
      assert.deepStrictEqual(log, ["started"])
      Deferred.doneUnsafe(gates[1]!, Exit.void)
      yield* Fiber.join(starting)
      yield* recorder.flush
      assert.deepStrictEqual(log, ["started", "started", "change 1"])
    }))

  it.effect("receive changes only after onStarting has ended", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const hook = controlled()
      const recorder = yield* make({
        onStarting: Effect.andThen(hook.effect, Effect.sync(() => void log.push("started"))),
        onMetricChanged: (change) => Effect.sync(() => void log.push(`change ${change.sequence}`))
      })
      emitAll(recorder, hits(1, 2))
      assert.strictEqual(yield* totalOf(recorder), 2)
      yield* settle
      assert.deepStrictEqual(log, [])
      yield* Deferred.succeed(hook.gate, undefined)
      yield* recorder.flush
      assert.deepStrictEqual(log, ["started", "change 1", "change 2"])
    }))
})
