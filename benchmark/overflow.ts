/** How long does an emit take that finds the queue full and has to fold a slice first? */
import { HandFold, makeRecorder, metrics, sameResult, saveAttempt } from "./fixture.ts"
import { median, quantile, report, time } from "./harness.ts"

const capacity = 10_000
/** A caller who finds the queue full makes room for so many: in each block one emit folds, the slowest. */
const block = 256
const blocks = 2_000

const recorder = makeRecorder({ metrics: metrics(10), capacity, overflow: "fold" })
const hand = new HandFold(metrics(10))
for (let i = 0; i < capacity; i++) recorder.registerEventUnsafe(saveAttempt(i))

const timesInterrupted = (): number => process.resourceUsage().involuntaryContextSwitches

const slowest: Array<number> = []
for (let at = capacity; at < capacity + blocks * block; at += block) {
  const before = timesInterrupted()
  let longest = 0
  for (let i = at; i < at + block; i++) {
    longest = Math.max(longest, time(() => recorder.registerEventUnsafe(saveAttempt(i))))
  }
  // Where another process got the processor meanwhile, the time is not the recorder's.
  if (timesInterrupted() === before) slowest.push(longest)
}

for (let i = 0; i < capacity + blocks * block; i++) hand.buffer.push(saveAttempt(i))
hand.fold()
sameResult(recorder, hand)

const name = "an emit into a full queue, 10 metrics"
report({ name: `${name}, median`, unit: "ms", limit: 1, value: median(slowest) / 1e6 })
report({ name: `${name}, p99`, unit: "ms", limit: 1, value: quantile(slowest, 0.99) / 1e6 })
