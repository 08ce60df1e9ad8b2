/** The floor of a handoff: the same event on an array, which the same metric folds later. */
import { Metric } from "mvx-metrics"
import type { Counting } from "./Counting.ts"
import { keyOf } from "./Counting.ts"
import { labelled, Request } from "./mvx.ts"

export const pushing = (): Counting => {
  const metric = labelled(1)[0]!
  let waiting: Array<Request> = []
  let state = metric.initial
  return {
    record: (method, route) => {
      waiting.push(new Request({ method, route }))
    },
    settle: async () => {
      state = Metric.merge(metric, state, Metric.fold(metric, waiting))
      waiting = []
    },
    counts: async () => [
      Object.fromEntries(
        Metric.samples(metric, state).map(({ labels: { method, route }, value }) => [
          keyOf(method!, route!),
          value as number
        ])
      )
    ]
  }
}
