import { MeterProvider } from "@opentelemetry/sdk-metrics"
import { type Entities, sumOf } from "./Entities.ts"
import { Reader } from "./opentelemetry.ts"

const make = () => {
  const reader = new Reader()
  const provider = new MeterProvider({ readers: [reader] })
  const meter = provider.getMeter("benchmark")
  return {
    reader,
    provider,
    requests: meter.createCounter("requests"),
    milliseconds: meter.createCounter("milliseconds")
  }
}

/** A provider of its own for each. */
export const providers = (ids: ReadonlyArray<string>): Entities => {
  const all: Array<ReturnType<typeof make>> = []
  return {
    create: () => {
      for (const _ of ids) all.push(make())
    },
    record: (at, ms) => {
      const { milliseconds, requests } = all[at]!
      requests.add(1)
      milliseconds.add(ms)
    },
    totals: async () =>
      sumOf(
        await Promise.all(all.map(async ({ reader }) => {
          const { resourceMetrics: { scopeMetrics: [scope] } } = await reader.collect()
          const [requests, milliseconds] = scope!.metrics.map(({ dataPoints: [point] }) => Number(point!.value))
          return { requests: requests!, milliseconds: milliseconds! }
        }))
      ),
    end: async () => {
      for (const { provider } of all) await provider.shutdown()
      all.length = 0
    }
  }
}
