/**
 * How much memory does a series take, of 2 000 by two labels with a count each?
 *
 * What the heap has more of after a collection than it had before. The texts of the
 * labels were there before: they are the events'. How many series have one first
 * label makes a difference: they share what belongs to it.
 */
import { Metric } from "mvx-metrics"
import { strictEqual } from "node:assert"
import { combinations, repeated, Request } from "./dimensionFixture.ts"
import { collectGarbage, macrotask, report } from "./harness.ts"

const series = 2_000
const routes = Number(process.argv[2] ?? 40)
const clients = series / routes
const states = 100
const each = 3

const Requests = Metric.fromDimensions("requests", [Request], (d) => ({
  total: d.by({ route: (event) => event.route, client: (event) => event.client }, d.count())
}))

/** Bytes of the heap that are in use. */
const heap = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    await macrotask()
    collectGarbage()
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const events = repeated(combinations(routes, clients), each * series).map((labels) => new Request(labels))
const fold = () => Array.from({ length: states }, () => Metric.fold(Requests, events))

// Code and caches are not the series'.
fold()
const before = await heap()
const folded = fold()
const after = await heap()

report({
  name: `a series of 2 000 by two labels, of ${routes} and ${clients} values`,
  unit: "kB",
  limit: 0.2,
  value: (after - before) / (states * series) / 1e3
})
for (const state of folded) {
  const samples = Metric.samples(Requests, state)
  strictEqual(samples.length, series)
  strictEqual(samples.every(({ value }) => value === each), true)
}
