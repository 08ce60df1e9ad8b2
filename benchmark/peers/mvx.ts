import { Effect, Option, Schema, Scope } from "effect"
import { Event, Metric, Recorder } from "mvx-metrics"
import { type Counting, type Counts, keyOf, names } from "./Counting.ts"

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

/** A metric whose reducer is written by hand, and makes a fresh state for each event. */
export const totals: Metric.Any = Metric.make("totals", {
  events: [Request],
  initial: { requests_total: 0, writes_total: 0, search_total: 0 },
  reduce: (state, event) =>
    Option.some({
      requests_total: state.requests_total + 1,
      writes_total: state.writes_total + (event.method === "GET" ? 0 : 1),
      search_total: state.search_total + (event.route === "/search" ? 1 : 0)
    }),
  dimensions: ({ requests_total }) => ({ requests_total })
})

const wantingOthers = (count: number): ReadonlyArray<Metric.Any> =>
  Array.from({ length: count }, (_, at) =>
    Metric.make(`others_${at}`, {
      events: [`other.${at}`],
      initial: { total: 0 },
      reduce: (state) => Option.some({ total: state.total + 1 })
    }))

/** What a metric has counted. */
export const countsIn = (metric: Metric.Any, state: unknown): Counts =>
  Object.fromEntries(
    Metric.samples(metric, state).map(({ labels: { method, route }, value }) => [
      method === undefined ? "" : keyOf(method, route!),
      value as number
    ])
  )

const countsOf = (recorder: Recorder.Handle): Promise<ReadonlyArray<Counts>> =>
  Effect.runPromise(
    Effect.map(recorder.capture, ({ metrics }) =>
      metrics.filter(({ metric }) =>
        metric.tags?.includes(Request.tag)
      ).map(({ metric, state }) => countsIn(metric, state)))
  )

/** One fact, and so many metrics of it. */
export const counting = (metrics: ReadonlyArray<Metric.Any>): Counting => countingBeside(metrics, 0)

/** The same, with metrics that are registered before and want other facts. */
export const countingBeside = (metrics: ReadonlyArray<Metric.Any>, others: number): Counting => {
  const recorder = makeRecorder({ metrics: [...wantingOthers(others), ...metrics] })
  const { registerEventUnsafe } = recorder
  return {
    record: (method, route) => {
      registerEventUnsafe(new Request({ method, route }))
    },
    settle: () => Effect.runPromise(recorder.flush),
    counts: () => countsOf(recorder)
  }
}
