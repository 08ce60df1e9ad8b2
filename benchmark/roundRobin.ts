/**
 * What does an event cost from its construction to the new state when each goes to
 * another of 10 000 recorders, against the same events for one recorder?
 */
import { Effect, Option } from "effect"
import { Metric, type Recorder } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { makeRuntime, recorderIds, SaveAttempt, saveAttempt } from "./fixture.ts"
import { compare, processorTime, report, type Side } from "./harness.ts"

/** How many events each recorder has between two turns of the dispatcher. */
const turn = Number(process.argv[2] ?? 10)
const count = 10_000
const events = count * turn
const inARow = Math.max(4, 400_000 / events)

let left = 0
let done: () => void = () => {}

/** Tells when all is folded: to ask so many recorders would cost more than the fold. */
const Saves = Metric.make("saves", {
  events: [SaveAttempt],
  initial: { total: 0, failure_total: 0, duration_ms_total: 0 },
  reduce: (state, event) => {
    if (--left === 0) done()
    return Option.some({
      total: state.total + 1,
      failure_total: state.failure_total + (event.outcome === "FAILURE" ? 1 : 0),
      duration_ms_total: state.duration_ms_total + event.durationMs
    })
  }
})

/** Recorders with room for so many events in all. */
const makeRecorders = (count: number, room: number): ReadonlyArray<Recorder.Handle> => {
  const runtime = makeRuntime({ capacity: room / count })
  return recorderIds(count).map((id) => Effect.runSync(runtime.createRecorder(id, { metrics: [Saves] })))
}

/** One burst, and the dispatcher's fold of it. */
const fold = async (recorders: ReadonlyArray<Recorder.Handle>): Promise<void> => {
  left = events
  const folded = new Promise<void>((resolve) => {
    done = resolve
  })
  for (let i = 0; i < events;) {
    for (const recorder of recorders) recorder.registerEventUnsafe(saveAttempt(i++))
  }
  await folded
}

/**
 * Processor time, because the dispatcher rests between bursts; a few bursts, so
 * that the side that made the garbage is the one that collects it.
 */
const folding = (recorders: ReadonlyArray<Recorder.Handle>): Side => async () => {
  const before = processorTime()
  for (let i = 0; i < inARow; i++) await fold(recorders)
  return (processorTime() - before) / (inARow * events)
}

const many = makeRecorders(count, 4 * events)
const one = makeRecorders(1, 4 * events)

const figure = await compare(
  { name: `round-robin over 10 000 recorders, ${turn} each / one recorder`, unit: "x", limit: turn === 1 ? 8 : 2.5 },
  folding(many),
  folding(one),
  { pairs: 12 }
)

interface Totals {
  readonly total: number
  readonly failure_total: number
  readonly duration_ms_total: number
}

const sum = (recorders: ReadonlyArray<Recorder.Handle>): Totals => {
  const sum = { total: 0, failure_total: 0, duration_ms_total: 0 }
  for (const recorder of recorders) {
    const { dimensions } = recorder.snapshotsUnsafe()[Saves.name]!
    for (const name of Object.keys(sum) as Array<keyof Totals>) sum[name] += (dimensions as Totals)[name]
  }
  return sum
}
deepStrictEqual(sum(many), sum(one))
report(figure)
