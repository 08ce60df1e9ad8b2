/** The floor of what is put off: the same event on an array, and a batch fold through the same metric. */
import { Metric } from "mvx-metrics"
import type { Counting } from "./Counting.ts"
import { countsIn, Request } from "./mvx.ts"

export const pushing = (metric: Metric.Any): Counting => {
  let waiting: Array<Request> = []
  let state = metric.initial
  return {
    record: (method, route) => {
      waiting.push(new Request({ method, route }))
    },
    settle: async () => {
      const meta = { time: Date.now() }
      for (const event of waiting) {
        const next = metric.reduce(state, event, meta)
        if (next._tag === "Some") state = next.value
      }
      waiting = []
    },
    counts: async () => [countsIn(metric, state)]
  }
}
