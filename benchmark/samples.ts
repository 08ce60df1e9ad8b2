/** What does a series cost to be read as a sample, of 10 000 by two labels? */
import { Metric } from "mvx-metrics"
import { strictEqual } from "node:assert"
import { combinations, Request } from "./dimensionFixture.ts"
import { collectGarbage, median, report, time } from "./harness.ts"

const events = combinations(100, 100).map((labels) => new Request(labels))
const Requests = Metric.fromDimensions("requests", [Request], (d) => ({
  total: d.by(
    { route: (event) => event.route, client: (event) => event.client },
    d.count(),
    { limit: events.length }
  )
}))
const state = Metric.fold(Requests, events)

const read = (): number => {
  let samples: ReadonlyArray<Metric.Sample> = []
  const elapsed = time(() => {
    samples = Metric.samples(Requests, state)
  })
  strictEqual(samples.length, events.length)
  strictEqual(samples.every(({ value }) => value === 1), true)
  return elapsed / events.length
}

for (let i = 0; i < 50; i++) read()
collectGarbage()
report({
  name: "a sample, of 10 000 series by two labels",
  unit: "ns",
  limit: 500,
  value: median(Array.from({ length: 101 }, read))
})
