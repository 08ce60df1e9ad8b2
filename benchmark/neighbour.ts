/** How long does a change take to a subscriber while another recorder of the runtime folds a million events? */
import { Effect, Stream } from "effect"
import { strictEqual } from "node:assert"
import { setTimeout } from "node:timers/promises"
import { makeRuntime, metrics, saveAttempt } from "./fixture.ts"
import { collectGarbage, macrotask, quantile, report, until } from "./harness.ts"

const ofRuntime = process.argv[2] === "runtime"
const backlog = 1_000_000
const wanted = 100

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
report({
  name: `change of another recorder${ofRuntime ? ", to all of them" : ""}, 10^6 folding: p95`,
  unit: "ms",
  limit: 20,
  value: quantile(delays, 0.95)
})
