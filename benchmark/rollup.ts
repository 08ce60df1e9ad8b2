/** What does a capture cost of 10 000 recorders that are rolled up into one series? */
import { Effect } from "effect"
import { Metric } from "mvx-metrics"
import { deepStrictEqual, strictEqual } from "node:assert"
import { makeRuntime, recorderIds, SaveAttempt, saveAttempt } from "./fixture.ts"
import { median, processorTime, report } from "./harness.ts"

const count = 10_000
const events = Array.from({ length: 10 }, (_, i) => saveAttempt(i))

const Saves = Metric.fromDimensions("saves", [SaveAttempt], (d) => ({
  total: d.count(),
  failure_total: d.count({ when: (event) => event.outcome === "FAILURE" })
}))
const Durations = Metric.fromDimensions("durations", [SaveAttempt], (d) => ({
  duration_ms: d.histogram((event) => event.durationMs)
}))
const metrics = [Saves, Durations]

const runtime = makeRuntime()
const recorders = recorderIds(count).map((id) =>
  Effect.runSync(runtime.createRecorder(id, { export: "rollup", labels: { kind: "connection" }, metrics }))
)

const flush = Effect.forEach(recorders, (recorder) => recorder.flush, { discard: true })
let rounds = 0

/** Between two captures all recorders have work, as between two scrapes. */
const work = async (): Promise<void> => {
  rounds++
  for (const recorder of recorders) for (const event of events) recorder.registerEventUnsafe(event)
  await Effect.runPromise(flush)
}

/** Microseconds per recorder and metric. */
const capture = async (): Promise<number> => {
  await work()
  const before = processorTime()
  const captures = await Effect.runPromise(runtime.captures)
  const elapsed = processorTime() - before
  check(captures.flatMap(({ metrics }) => metrics.map(({ state }) => state as Metric.DimensionsState)))
  return elapsed / 1e3 / (count * metrics.length)
}

const check = (states: ReadonlyArray<Metric.DimensionsState>): void => {
  strictEqual(states.length, metrics.length)
  const times = rounds * count
  const saves = Metric.snapshot(Saves, Metric.fold(Saves, events)).dimensions
  deepStrictEqual(Metric.snapshot(Saves, states[0]!).dimensions, {
    total: times * saves.total,
    failure_total: times * saves.failure_total
  })
  const { counts, sum } = Metric.snapshot(Durations, Metric.fold(Durations, events)).dimensions.duration_ms
  const captured = Metric.snapshot(Durations, states[1]!).dimensions.duration_ms
  deepStrictEqual(captured.counts, counts.map((count) => times * count))
  strictEqual(captured.sum, times * sum)
}

for (let i = 0; i < 5; i++) await capture()
const elapsed: Array<number> = []
for (let i = 0; i < 15; i++) elapsed.push(await capture())
report({
  name: "capture of 10 000 in roll-up, per recorder and metric",
  unit: "us",
  limit: 1,
  value: median(elapsed)
})
