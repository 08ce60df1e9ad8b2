import { Effect, Schema, Scope } from "effect"
import { Event, Metric, Recorder } from "mvx-metrics"
import { type Counting, keyOf, names } from "./Counting.ts"

export class Request extends Event.Class<Request>()("http.request", {
  method: Schema.String,
  route: Schema.String
}) {}

/** A recorder that lives as long as the process. */
export const makeRecorder = (options: Partial<Recorder.Options>): Recorder.Handle =>
  Effect.runSync(Scope.provide(Recorder.make({ entityId: "benchmark", ...options }), Scope.makeUnsafe()))

/** So many metrics that count requests by two labels. */
export const labelled = (count: number): ReadonlyArray<Metric.Any> =>
  names(count).map((name) =>
    Metric.fromDimensions(name, [Request], (d) => ({
      total: d.by({ method: (event) => event.method, route: (event) => event.route }, d.count())
    }))
  )

export const countsOf = (recorder: Recorder.Handle): Promise<ReadonlyArray<Record<string, number>>> =>
  Effect.runPromise(
    Effect.map(recorder.capture, ({ metrics, takenAt }) =>
      metrics.map(({ metric, state }) =>
        Object.fromEntries(
          Metric.samples(metric, state, { time: takenAt }).map(({ labels: { method, route }, value }) => [
            method === undefined ? "" : keyOf(method, route!),
            value as number
          ])
        )
      ))
  )

/** One fact, and so many metrics of it. */
export const counting = (metrics: ReadonlyArray<Metric.Any>): Counting => {
  const recorder = makeRecorder({ metrics })
  const { registerEventUnsafe } = recorder
  return {
    record: (method, route) => {
      registerEventUnsafe(new Request({ method, route }))
    },
    settle: () => Effect.runPromise(recorder.flush),
    counts: () => countsOf(recorder)
  }
}
