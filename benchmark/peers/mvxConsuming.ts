import { Effect } from "effect"
import { Metric, type Recorder } from "mvx-metrics"
import { deepStrictEqual, strictEqual } from "node:assert"
import { capacity, type Consuming } from "./Consuming.ts"
import { Requests } from "./Counting.ts"
import { makeRecorder, Request, totals } from "./mvx.ts"

/** So many metrics of each event. */
const metrics = (count: number): ReadonlyArray<Metric.Any> =>
  Array.from({ length: count }, (_, at) => at === 0 ? totals : Metric.rename(totals, `totals.${at}`))

/** How many events each of the metrics has counted. */
const foldedIn = (recorder: Recorder.Handle): number => {
  const counts = Object.values(recorder.snapshotsUnsafe()).map(({ dimensions }) => dimensions)
  for (const dimensions of counts) deepStrictEqual(dimensions, counts[0])
  return (counts[0] as { readonly requests_total: number }).requests_total
}

export const consuming = (overflow: NonNullable<Recorder.Options["overflow"]>, count = 1): Consuming => {
  const recorder = makeRecorder({ metrics: metrics(count), capacity, overflow })
  const { registerEventUnsafe } = recorder
  return {
    offer: (method, route) => registerEventUnsafe(new Request({ method, route })),
    settle: () => Effect.runPromise(recorder.flush),
    folded: () => foldedIn(recorder),
    check: (offered, accepted) => {
      const stats = Effect.runSync(recorder.stats)
      const lost = offered - accepted
      strictEqual(stats.accepted, accepted)
      strictEqual(stats.folded, accepted)
      strictEqual(stats.dropped, overflow === "drop" ? lost : 0)
      strictEqual(stats.refused.overflow, overflow === "fail" ? lost : 0)
      strictEqual(lost === 0, overflow === "fold")
      strictEqual(stats.highWater, capacity)
    }
  }
}

/** A recorder with room for so many events. */
export const draining = (backlog: number, count: number) => {
  const recorder = makeRecorder({ metrics: metrics(count), capacity: backlog })
  const { registerEventUnsafe } = recorder
  const requests = new Requests((method, route) => {
    registerEventUnsafe(new Request({ method, route }))
  })
  return {
    fill: () => requests.run(backlog),
    isDone: () => Effect.runSync(recorder.stats).pending === 0,
    check: () => strictEqual(foldedIn(recorder), backlog)
  }
}
