import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics"
import { type Counting, keyOf, names } from "./Counting.ts"

/** Reads when it is asked to. */
export class Reader extends MetricReader {
  protected override onForceFlush = () => Promise.resolve()
  protected override onShutdown = () => Promise.resolve()
}

const make = (count: number) => {
  const reader = new Reader()
  const meter = new MeterProvider({ readers: [reader] }).getMeter("benchmark")
  const counters = names(count).map((name) => meter.createCounter(name))
  const counts: Counting["counts"] = async () => {
    const { resourceMetrics } = await reader.collect()
    return resourceMetrics.scopeMetrics[0]!.metrics.map(({ dataPoints }) =>
      Object.fromEntries(dataPoints.map(({ attributes: { method, route }, value }) => [
        method === undefined ? "" : keyOf(String(method), String(route)),
        value as number
      ]))
    )
  }
  return { counters, counts }
}

export const unlabelled = (): Counting => {
  const { counters: [counter], counts } = make(1)
  return { record: () => counter!.add(1), counts }
}

export const labelled = (count: number): Counting => {
  const { counters, counts } = make(count)
  const [counter] = counters
  return {
    record: count === 1
      ? (method, route) => counter!.add(1, { method, route })
      : (method, route) => {
        for (let at = 0; at < count; at++) counters[at]!.add(1, { method, route })
      },
    counts
  }
}
