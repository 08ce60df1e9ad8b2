import { type CollectionResult, MeterProvider } from "@opentelemetry/sdk-metrics"
import { Reader } from "./opentelemetry.ts"
import { type Series, totalsOf } from "./Series.ts"

export const collected = (limit: number): Series<CollectionResult> => {
  // One of them is for what is beyond the limit.
  const reader = new Reader({ cardinalitySelector: () => limit + 1 })
  const counter = new MeterProvider({ readers: [reader] }).getMeter("benchmark").createCounter("requests")
  return {
    record: ({ client, route }) => counter.add(1, { route, client }),
    read: () => reader.collect(),
    totals: ({ resourceMetrics: { scopeMetrics } }) =>
      totalsOf(scopeMetrics[0]!.metrics[0]!.dataPoints.map(({ attributes, value }) => [attributes, value]))
  }
}
