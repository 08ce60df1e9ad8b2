import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, References } from "effect"
import { Dispatcher, notListed } from "../../src/internal/Dispatcher.ts"
import { settle, until } from "../support.ts"

const make = Effect.acquireRelease(
  Effect.sync(() => {
    const ends: Array<Exit.Exit<void>> = []
    return { ends, dispatcher: new Dispatcher(Context.empty(), (exit) => ends.push(exit)) }
  }),
  ({ dispatcher }) => Effect.sync(() => dispatcher.close())
)

/** A backlog of so many events; `log` receives what is folded of it. */
const backlog = (name: string, events: number, log: Array<string>) => ({
  place: notListed,
  foldSome: (count: number) => {
    const step = Math.min(count, events)
    events -= step
    log.push(`${name} ${step}`)
    return events > 0
  }
})

describe("Dispatcher", () => {
  it.effect("takes those that have work in turn, a few events of each", () =>
    Effect.gen(function*() {
      const { dispatcher } = yield* make
      const log: Array<string> = []
      dispatcher.schedule(backlog("a", 300, log), 0)
      dispatcher.schedule(backlog("b", 200, log), 0)
      yield* settle
      assert.deepStrictEqual(log, ["a 128", "b 128", "a 128", "b 72", "a 44"])
    }))

  it.live("rests as long as the first to be due allows", () =>
    Effect.gen(function*() {
      const { dispatcher } = yield* make
      const log: Array<string> = []
      dispatcher.schedule(backlog("patient", 1, log), 3_600_000)
      dispatcher.schedule(backlog("hurried", 1, log), 1)
      dispatcher.schedule(backlog("late", 1, log), 3_600_000)
      yield* until("the first is due", Effect.sync(() => log.length > 0))
      assert.deepStrictEqual(log, ["patient 1", "hurried 1", "late 1"])
    }))

  it.effect("folds at once when it is told to hasten", () =>
    Effect.gen(function*() {
      const { dispatcher } = yield* make
      const log: Array<string> = []
      dispatcher.schedule(backlog("a", 1, log), 3_600_000)
      yield* settle
      assert.deepStrictEqual(log, [])
      dispatcher.hasten()
      dispatcher.hasten()
      yield* settle
      assert.deepStrictEqual(log, ["a 1"])
    }))

  it.effect("forgets a recorder wherever it stands, and folds the others", () =>
    Effect.gen(function*() {
      const { dispatcher } = yield* make
      const log: Array<string> = []
      const backlogs = ["a", "b", "c", "d"].map((name) => backlog(name, 200, log))
      const last = {
        place: notListed,
        foldSome: () => {
          log.push("last")
          // From inside of its own turn, and one that has its turn later.
          dispatcher.forget(last)
          dispatcher.forget(backlogs[3]!)
          return true
        }
      }
      for (const backlog of [...backlogs, last]) dispatcher.schedule(backlog, 3_600_000)
      dispatcher.forget(backlogs[1]!)
      dispatcher.forget(backlogs[1]!)
      dispatcher.hasten()
      yield* settle
      assert.deepStrictEqual(log, ["a 128", "c 128", "d 128", "last", "a 72", "c 72"])
      // Its list is empty, and as good as new.
      dispatcher.schedule(backlogs[1]!, 0)
      yield* settle
      assert.deepStrictEqual(log.slice(6), ["b 128", "b 72"])
    }))

  it.effect("goes on after thousands of turns", () =>
    Effect.gen(function*() {
      const { dispatcher } = yield* make
      const log: Array<string> = []
      dispatcher.schedule(backlog("large", 600_000, log), 0)
      dispatcher.schedule(backlog("small", 1, log), 0)
      const forgotten = backlog("forgotten", 1_000_000, log)
      dispatcher.schedule(forgotten, 0)
      yield* until(
        "the large one is folded",
        Effect.sync(() => log.filter((line) => line.startsWith("large")).length === 4_688)
      )
      dispatcher.forget(forgotten)
      yield* settle
      const { length } = log
      yield* settle
      assert.strictEqual(log.length, length)
    }))

  it.effect("never misses a wake-up, also when its fiber has to give way between any two operations", () =>
    Effect.gen(function*() {
      for (const budget of [3, 4, 5]) {
        const dispatcher = new Dispatcher(Context.make(References.MaxOpsBeforeYield, budget), () => {})
        let turns = 0
        dispatcher.schedule({
          place: notListed,
          foldSome: () => {
            for (const end = performance.now() + 2; performance.now() < end;);
            return ++turns < 10
          }
        }, 0)
        yield* until("all turns are taken", Effect.sync(() => turns === 10))
        dispatcher.close()
      }
    }))

  it.effect("tells its owner of an end that the owner did not ask for", () =>
    Effect.gen(function*() {
      const { dispatcher, ends } = yield* make
      let fiber: Fiber.Fiber<unknown, unknown> | undefined
      dispatcher.schedule({
        place: notListed,
        foldSome: () => {
          fiber = Fiber.getCurrent()
          return false
        }
      }, 0)
      yield* settle
      yield* Fiber.interrupt(fiber!)
      assert.isTrue(ends.length === 1 && Exit.hasInterrupts(ends[0]!))
      const other = yield* make
      other.dispatcher.close()
      yield* settle
      assert.deepStrictEqual(other.ends, [])
    }))
})
