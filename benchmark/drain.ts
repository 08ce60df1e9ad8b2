/** How long does the dispatcher hold the event loop while it drains a large backlog that nobody reads? */
import { Effect } from "effect"
import { strictEqual } from "node:assert"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout } from "node:timers/promises"
import { makeRecorder, metrics, saveAttempt } from "./fixture.ts"
import { collectGarbage, report } from "./harness.ts"

const drain = async (backlog: number): Promise<number> => {
  const recorder = makeRecorder({ metrics: metrics(10), capacity: backlog })
  for (let i = 0; i < backlog; i++) recorder.registerEventUnsafe(saveAttempt(i))
  collectGarbage()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  while (Effect.runSync(recorder.stats).pending > 0) await setTimeout(1)
  delay.disable()
  strictEqual(Effect.runSync(recorder.stats).folded, backlog)
  return delay.percentile(99) / 1e6
}

await drain(100_000)
report({
  name: "event-loop delay, p99, draining 1 000 000 events, 10 metrics",
  unit: "ms",
  limit: 10,
  value: await drain(1_000_000)
})
