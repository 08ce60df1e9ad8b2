import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Latch, Scope } from "effect"
import { TestClock } from "effect/testing"
import { periodically } from "../../../src/exporters/internal/Periodic.ts"
import { collectLogs, interruptions, settle, suspending } from "../../support.ts"

const options = { exporter: "somewhere", interval: Duration.seconds(10), shutdownTimeout: Duration.seconds(3) }

/** Counts what runs, and what runs at the same time. */
const makeRuns = (run: (n: number) => Effect.Effect<void> = () => Effect.void) => {
  const runs = { started: 0, ended: 0, interrupted: 0, now: 0, most: 0 }
  return {
    runs,
    run: Effect.suspend(() => {
      runs.most = Math.max(runs.most, ++runs.now)
      return run(++runs.started)
    }).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          runs.now--
          if (Exit.hasInterrupts(exit)) runs.interrupted++
          else runs.ended++
        })
      )
    )
  }
}

/** Closes a scope, and says when it is closed, in milliseconds from now. */
const closing = (scope: Scope.Closeable) =>
  Effect.gen(function*() {
    const closed = { after: undefined as number | undefined }
    const clock = yield* TestClock.testClockWith(Effect.succeed)
    const from = clock.currentTimeMillisUnsafe()
    yield* Effect.forkChild(
      Effect.andThen(
        // As a program does at its end.
        Effect.uninterruptible(Scope.close(scope, Exit.void)),
        Effect.sync(() => closed.after = clock.currentTimeMillisUnsafe() - from)
      ),
      { startImmediately: true }
    )
    yield* settle
    return closed
  })

const start = (run: Effect.Effect<void>, given: Partial<typeof options> = {}) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Scope.provide(periodically({ ...options, ...given, run }), scope)
    return scope
  })

describe("periodically", () => {
  it.effect("runs after each interval, not before the first", () =>
    Effect.gen(function*() {
      const { run, runs } = makeRuns()
      yield* start(run)
      const seen: Array<number> = []
      for (const seconds of [0, 9, 1, 9, 1, 30]) {
        yield* TestClock.adjust(Duration.seconds(seconds))
        seen.push(runs.ended)
      }
      assert.deepStrictEqual(seen, [0, 0, 1, 1, 2, 5])
    }))

  it.effect("never runs two at a time: the interval begins when a run ends", () =>
    Effect.gen(function*() {
      const { run, runs } = makeRuns(() => Effect.sleep("25 seconds"))
      yield* start(run)
      yield* TestClock.adjust("34 seconds")
      assert.deepStrictEqual([runs.started, runs.ended], [1, 0])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([runs.started, runs.ended], [1, 1])
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(runs.started, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(runs.started, 2)
      assert.strictEqual(runs.most, 1)
    }))

  it.effect("goes on after a run that fails, and says so", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const { run, runs } = makeRuns((n) => n === 1 ? Effect.die(new Error("broken")) : Effect.void)
      yield* Effect.provide(start(run), logs.layer)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual([runs.started, runs.ended], [2, 2])
      assert.deepStrictEqual(logs.lines.map(({ text }) => text), ["Error An export to somewhere failed"])
    }))

  it.effect("goes on after a run that is interrupted, and says nothing", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const { run, runs } = makeRuns((n) => n === 1 ? Effect.interrupt : Effect.void)
      yield* Effect.provide(start(run), logs.layer)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual([runs.started, runs.interrupted, runs.ended], [2, 1, 1])
      assert.deepStrictEqual(logs.lines, [])
    }))

  it.effect("runs a last time when the scope closes, and no more after that", () =>
    Effect.gen(function*() {
      const { run, runs } = makeRuns(() => Effect.sleep("1 second"))
      const scope = yield* start(run)
      yield* TestClock.adjust("5 seconds")
      const closed = yield* closing(scope)
      assert.deepStrictEqual([runs.started, runs.ended, closed.after], [1, 0, undefined])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([runs.ended, closed.after], [1, 1_000])
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(runs.started, 1)
    }))

  it.effect("closes also where the last run fails", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const { run, runs } = makeRuns(() => Effect.die("broken"))
      const scope = yield* Effect.provide(start(run), logs.layer)
      const closed = yield* Effect.provide(closing(scope), logs.layer)
      assert.deepStrictEqual([runs.ended, closed.after], [1, 0])
      assert.deepStrictEqual(logs.lines.map(({ text }) => text), ["Error An export to somewhere failed"])
    }))

  it.effect("lets the run in flight end before the last one", () =>
    Effect.gen(function*() {
      const { run, runs } = makeRuns((n) => Effect.sleep(n === 1 ? "2 seconds" : "500 millis"))
      const scope = yield* start(run)
      yield* TestClock.adjust("10 seconds")
      const closed = yield* closing(scope)
      yield* TestClock.adjust("1999 millis")
      assert.deepStrictEqual([runs.started, runs.ended, closed.after], [1, 0, undefined])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([runs.started, runs.ended, closed.after], [2, 1, undefined])
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(runs, { started: 2, ended: 2, interrupted: 0, now: 0, most: 1 })
      assert.strictEqual(closed.after, 2_500)
    }))

  it.effect("gives the run in flight and the last one no more than `shutdownTimeout` together", () =>
    Effect.gen(function*() {
      const { run, runs } = makeRuns(() => Effect.sleep("2 seconds"))
      const scope = yield* start(run)
      yield* TestClock.adjust("10 seconds")
      const closed = yield* closing(scope)
      yield* TestClock.adjust("2999 millis")
      assert.deepStrictEqual([runs.started, runs.ended, closed.after], [2, 1, undefined])
      yield* TestClock.adjust("1 millis")
      yield* settle
      assert.deepStrictEqual(runs, { started: 2, ended: 1, interrupted: 1, now: 0, most: 1 })
      assert.strictEqual(closed.after, 3_000)
    }))

  it.effect("interrupts a run that is stuck, in flight or the last one, and closes", () =>
    Effect.gen(function*() {
      for (const before of [Duration.seconds(10), Duration.zero]) {
        const { run, runs } = makeRuns(() => Effect.never)
        const scope = yield* start(run)
        yield* TestClock.adjust(before)
        const closed = yield* closing(scope)
        yield* TestClock.adjust("3 seconds")
        yield* settle
        assert.deepStrictEqual(runs, { started: 1, ended: 0, interrupted: 1, now: 0, most: 1 })
        assert.strictEqual(closed.after, 3_000)
      }
    }))

  it.effect("closes also where nobody moves the clock on, and says that the last export did not end", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const { run, runs } = makeRuns(() => Effect.never)
      const scope = yield* start(run, { shutdownTimeout: Duration.millis(5) })
      yield* Effect.provide(Scope.close(scope, Exit.void), logs.layer)
      yield* settle
      assert.deepStrictEqual(runs, { started: 1, ended: 0, interrupted: 1, now: 0, most: 1 })
      assert.deepStrictEqual(logs.lines.map(({ text }) => text), [
        "Warn The last export to somewhere did not end within 5ms"
      ])
    }))

  it.effect("closes also where the run cannot be interrupted", () =>
    Effect.gen(function*() {
      const latch = yield* Latch.make()
      const { run, runs } = makeRuns(() => Effect.uninterruptible(latch.await))
      const scope = yield* start(run)
      const closed = yield* closing(scope)
      yield* TestClock.adjust("3 seconds")
      yield* settle
      assert.strictEqual(closed.after, 3_000)
      assert.strictEqual(runs.now, 1)
      yield* latch.open
      yield* settle
      assert.deepStrictEqual(runs, { started: 1, ended: 0, interrupted: 1, now: 0, most: 1 })
    }))

  it.effect("waits for no run where `shutdownTimeout` is zero", () =>
    Effect.gen(function*() {
      const { run, runs } = makeRuns(() => Effect.never)
      const scope = yield* start(run, { shutdownTimeout: Duration.zero })
      yield* TestClock.adjust("10 seconds")
      const closed = yield* closing(scope)
      yield* TestClock.adjust(0)
      yield* settle
      assert.strictEqual(closed.after, 0)
      assert.deepStrictEqual([runs.now, runs.most], [0, 1])
    }))

  it.effect("runs interruptibly, also where it was started from what is not", () =>
    Effect.gen(function*() {
      const { run, runs } = makeRuns(() => Effect.never)
      const scope = yield* Effect.uninterruptible(start(run))
      yield* TestClock.adjust("10 seconds")
      const closed = yield* closing(scope)
      yield* TestClock.adjust("3 seconds")
      yield* settle
      assert.deepStrictEqual([closed.after, runs.interrupted], [3_000, 1])
    }))

  it.effect.each(
    [
      ["while it waits", Duration.seconds(5), 1],
      ["as a run is due", Duration.seconds(10), 2],
      ["in the middle of a run", Duration.seconds(11), 2]
    ] as const
  )("ends with a last run wherever its program is interrupted: %s", ([, after, expected]) =>
    Effect.gen(function*() {
      for (const [budget, turns] of interruptions) {
        const { run, runs } = makeRuns(() => Effect.sleep("2 seconds"))
        const ready = yield* Deferred.make<void>()
        const program = yield* Effect.forkChild(
          periodically({ ...options, run }).pipe(
            Effect.andThen(Deferred.succeed(ready, undefined)),
            Effect.andThen(Effect.never),
            Effect.scoped,
            suspending(budget)
          ),
          { startImmediately: true }
        )
        yield* Deferred.await(ready)
        yield* Effect.yieldNow
        const clock = yield* TestClock.testClockWith(Effect.succeed)
        yield* Effect.forkChild(clock.adjust(after), { startImmediately: true })
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        const interruption = yield* Effect.forkChild(Fiber.interrupt(program), { startImmediately: true })
        for (let second = 0; second < 5; second++) {
          yield* settle
          yield* TestClock.adjust("1 second")
        }
        yield* Fiber.join(interruption)
        yield* settle
        const what = `budget ${budget}, turns ${turns}`
        assert.deepStrictEqual([runs.now, runs.most], [0, 1], what)
        assert.isAtLeast(runs.started, 1, what)
        assert.isAtMost(runs.started, expected, what)
        const { started } = runs
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(runs.started, started, what)
      }
    }))
})
