/** What does a capture cost of 10 000 recorders that are rolled up into one series? */
import { Effect } from "effect"
import { Metric } from "mvx-metrics"
import { deepStrictEqual, strictEqual } from "node:assert"
import { processorTime } from "../harness/measure.ts"
import { limit, product, type Question } from "../harness/Question.ts"
import { median } from "../harness/statistics.ts"
import { makeRuntime, recorderIds, SaveAttempt, saveAttempt } from "./saves.ts"

const events = Array.from({ length: 10 }, (_, i) => saveAttempt(i))

const Saves = Metric.fromDimensions("saves", [SaveAttempt], (d) => ({
  total: d.count(),
  failure_total: d.count({ when: (event) => event.outcome === "FAILURE" })
}))
const Durations = Metric.fromDimensions("durations", [SaveAttempt], (d) => ({
  duration_ms: d.histogram((event) => event.durationMs)
}))
const metrics = [Saves, Durations]

const of = "a capture of 10 000 in roll-up"
const column = "per recorder and metric"

const question: Question = {
  title: "what a capture costs of recorders that are rolled up into one series",
  columns: { [column]: "us" },
  cases: {
    [of]: product(async ({ short }) => {
      const count = short ? 1_000 : 10_000
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

      for (let i = 0; i < (short ? 1 : 5); i++) await capture()
      const elapsed: Array<number> = []
      for (let i = 0; i < (short ? 3 : 15); i++) elapsed.push(await capture())
      return { [column]: median(elapsed) }
    })
  },
  claims: [limit("capture of 10 000 recorders in roll-up, per recorder and metric", [of, column], "us", 1)],
  rounds: 3
}
export default question
