/** How long does a change take to a subscriber while another recorder of the runtime folds a million events? */
import { Effect, Stream } from "effect"
import { strictEqual } from "node:assert"
import { setTimeout } from "node:timers/promises"
import { collectGarbage, macrotask, until } from "../harness/measure.ts"
import { type Case, limit, product, type Question } from "../harness/Question.ts"
import { median, quantile } from "../harness/statistics.ts"
import { makeRuntime, metrics, saveAttempt } from "./saves.ts"

const delays = (ofRuntime: boolean): Case["run"] => async ({ short }) => {
  const backlog = short ? 100_000 : 1_000_000
  const wanted = short ? 3 : 100
  const runtime = makeRuntime()
  const busy = Effect.runSync(runtime.createRecorder("busy", { metrics: metrics(1), capacity: 2 * backlog }))
  const other = Effect.runSync(runtime.createRecorder("other", { metrics: metrics(1) }))

  let emitted = 0
  let emittedAt = 0
  let received = 0
  let lastDelay = 0
  Effect.runFork(Stream.runForEachArray(ofRuntime ? runtime.changes : other.changes, (changes) =>
    Effect.sync(() => {
      const now = performance.now()
      for (const { recorderId } of changes) {
        if (recorderId !== "other") continue
        lastDelay = now - emittedAt
        received++
      }
    })))
  await macrotask()

  /** Milliseconds from the emit of an event until the subscriber has its change. */
  const probe = async (): Promise<number> => {
    emittedAt = performance.now()
    strictEqual(other.registerEventUnsafe(saveAttempt(emitted++)), true)
    await until(() => received === emitted)
    return lastDelay
  }

  const isFolding = (): boolean => Effect.runSync(busy.stats).pending > 0

  for (let i = 0; i < 20; i++) await probe()

  // They are old before it begins: what it takes to collect a million new events is not the runtime's.
  const events = Array.from({ length: backlog }, (_, i) => saveAttempt(i))
  const delays: Array<number> = []
  let bursts = 0
  while (delays.length < wanted) {
    bursts++
    for (const event of events) busy.registerEventUnsafe(event)
    collectGarbage()
    while (isFolding()) {
      const delay = await probe()
      if (isFolding()) delays.push(delay)
      await setTimeout(Math.random() * 5)
    }
  }
  strictEqual(Effect.runSync(busy.stats).folded, bursts * backlog)
  strictEqual(Effect.runSync(other.stats).folded, received)
  return { median: median(delays), p95: quantile(delays, 0.95) }
}

const own = "to a subscriber of that recorder"
const all = "to a subscriber of the runtime"

const question: Question = {
  title: "how long a change of a recorder takes while another one folds a million events",
  columns: { median: "ms", p95: "ms" },
  cases: { [own]: product(delays(false)), [all]: product(delays(true)) },
  claims: [
    limit("a change of another recorder while 10^6 events are folded: p95", [own, "p95"], "ms", 20),
    limit("the same to a subscriber of all changes", [all, "p95"], "ms", 20)
  ],
  rounds: 3
}
export default question
