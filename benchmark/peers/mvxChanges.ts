import { Effect, Latch, Stream } from "effect"
import { Metric, type Recorder } from "mvx-metrics"
import { strictEqual } from "node:assert"
import { Requests } from "./Counting.ts"
import { countsIn, makeRecorder, Request, totals } from "./mvx.ts"
import { counters, Request as Labelled } from "./mvxSeries.ts"
import { combinations } from "./Series.ts"
import { capacity, type Telling } from "./Telling.ts"

const telling = (recorder: Recorder.Handle) => ({
  settle: () => Effect.runPromise(recorder.flush),
  subscribe: (receive: (received: number) => void) => {
    Effect.runFork(
      Stream.runForEachArray(recorder.changes, (changes) => Effect.sync(() => receive(changes.length)))
    )
  },
  subscribeSlow: (receive: (received: number, missed: number) => void) => {
    const latch = Latch.makeUnsafe()
    Effect.runFork(Stream.runForEachArray(recorder.watch, (items) => {
      const missed = items.reduce((sum, item) => item._tag === "Missed" ? sum + item.count : sum, 0)
      receive(items.filter(({ _tag }) => _tag === "Change").length, missed)
      return latch.await
    }))
    return () => {
      latch.openUnsafe()
    }
  },
  tellsMissed: true as const
})

/** A reducer written by hand. */
export const byReducer = (): Telling & { readonly fold: () => void } => {
  const recorder = makeRecorder({ metrics: [totals], capacity })
  const { registerEventUnsafe } = recorder
  const requests = new Requests((method, route) => {
    registerEventUnsafe(new Request({ method, route }))
  })
  const told = telling(recorder)
  return {
    ...told,
    /** The fold alone. */
    fold: () => {
      recorder.snapshotsUnsafe()
    },
    emit: (count) => requests.run(count),
    check: () =>
      requests.check({
        record: () => {},
        settle: told.settle,
        counts: async () => {
          const { metrics } = await Effect.runPromise(recorder.capture)
          return metrics.map(({ metric, state }) => countsIn(metric, state))
        }
      })
  }
}

/** A count by two labels, with so many series. */
export const bySeries = (count: number): Telling => {
  const recorder = makeRecorder({ metrics: [...counters(1, count)], capacity })
  const { registerEventUnsafe } = recorder
  const labels = combinations(count)
  let emitted = 0
  return {
    ...telling(recorder),
    emit: (count) => {
      for (const end = emitted + count; emitted < end; emitted++) {
        registerEventUnsafe(new Labelled(labels[emitted % labels.length]!))
      }
    },
    check: async () => {
      const { metrics } = await Effect.runPromise(recorder.capture)
      const samples = metrics.flatMap(({ metric, state }) => Metric.samples(metric, state))
      strictEqual(samples.length, Math.min(count, emitted))
      strictEqual(samples.reduce((sum, { value }) => sum + Number(value), 0), emitted)
    }
  }
}
