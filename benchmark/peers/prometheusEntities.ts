import { Counter, Registry } from "@prometheus-io/client"
import { type Entities, sumOf, type Totals } from "./Entities.ts"

const totalsIn = async (registry: Registry): Promise<Totals> => {
  const [requests, milliseconds] = await registry.getMetricsAsJSON() as unknown as ReadonlyArray<{
    readonly values: ReadonlyArray<{ readonly value: number }>
  }>
  const sum = ({ values }: { readonly values: ReadonlyArray<{ readonly value: number }> }) =>
    values.reduce((sum, { value }) => sum + value, 0)
  return { requests: sum(requests!), milliseconds: sum(milliseconds!) }
}

const counters = (registry: Registry, labelNames: ReadonlyArray<string>) => {
  const counter = (name: string) => new Counter({ name, help: name, labelNames, registers: [registry] })
  return { requests: counter("requests_total"), milliseconds: counter("milliseconds_total") }
}

/** A registry of its own for each. */
export const registries = (ids: ReadonlyArray<string>): Entities => {
  const all: Array<ReturnType<typeof counters> & { readonly registry: Registry }> = []
  return {
    create: () => {
      for (const _ of ids) {
        const registry = new Registry()
        all.push({ registry, ...counters(registry, []) })
      }
    },
    record: (at, ms) => {
      const { milliseconds, requests } = all[at]!
      requests.inc()
      milliseconds.inc(ms)
    },
    totals: async () => sumOf(await Promise.all(all.map(({ registry }) => totalsIn(registry)))),
    end: () => {
      for (const { registry } of all) registry.clear()
      all.length = 0
    }
  }
}

/** One registry, and a label that says which of them. */
export const labels = (ids: ReadonlyArray<string>): Entities => {
  const registry = new Registry()
  const { milliseconds, requests } = counters(registry, ["connection"])
  const all: Array<{ readonly requests: Counter.Internal; readonly milliseconds: Counter.Internal }> = []
  return {
    create: () => {
      for (const id of ids) all.push({ requests: requests.labels(id), milliseconds: milliseconds.labels(id) })
    },
    record: (at, ms) => {
      const { milliseconds, requests } = all[at]!
      requests.inc()
      milliseconds.inc(ms)
    },
    totals: () => totalsIn(registry),
    end: () => {
      for (const id of ids) {
        requests.remove(id)
        milliseconds.remove(id)
      }
      all.length = 0
    }
  }
}
