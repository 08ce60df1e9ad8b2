/**
 * How much memory does a series take, of 2 000 by two labels with a count each?
 *
 * What the heap has more of after a collection than it had before. The texts of the
 * labels were there before: they are the events'. How many series have one first
 * label makes a difference: they share what belongs to it.
 */
import { Metric } from "mvx-metrics"
import { strictEqual } from "node:assert"
import { heapInUse } from "../harness/measure.ts"
import { limit, product, type Question } from "../harness/Question.ts"
import { combinations, repeated, Request } from "./labels.ts"

const series = 2_000
const each = 3

const Requests = Metric.fromDimensions("requests", [Request], (d) => ({
  total: d.by({ route: (event) => event.route, client: (event) => event.client }, d.count())
}))

const bytesOfSeries = async (routes: number, states: number): Promise<number> => {
  const events = repeated(combinations(routes, series / routes), each * series).map((labels) => new Request(labels))
  const fold = () => Array.from({ length: states }, () => Metric.fold(Requests, events))
  // Code and caches are not the series'.
  fold()
  const before = await heapInUse()
  const folded = fold()
  const after = await heapInUse()
  for (const state of folded) {
    const samples = Metric.samples(Requests, state)
    strictEqual(samples.length, series)
    strictEqual(samples.every(({ value }) => value === each), true)
  }
  return (after - before) / (states * series)
}

const of = "a series by two labels, of 2 000"

const question: Question = {
  title: "the memory of a series, where the labels have 40 and 50 values, or 2 000 and 1",
  columns: { "40 and 50": "B", "2 000 and 1": "B" },
  cases: {
    [of]: product(async ({ short }) => {
      const states = short ? 10 : 100
      return { "40 and 50": await bytesOfSeries(40, states), "2 000 and 1": await bytesOfSeries(2_000, states) }
    })
  },
  claims: [
    limit("a series of 2 000 by two labels, of 40 and 50 values", [of, "40 and 50"], "B", 200),
    limit("a series of 2 000 by two labels, of 2 000 and 1 values", [of, "2 000 and 1"], "B", 200)
  ],
  rounds: 3
}
export default question
