/** The official client, and its predecessor: both have the same interface. */
import type * as Official from "@prometheus-io/client"
import { combinations, type Counting, keyOf, names } from "./Counting.ts"

export type Client = Pick<typeof Official, "Counter" | "Registry">

export const official = (): Promise<Client> => import("@prometheus-io/client")

export const predecessor = async (): Promise<Client> => {
  const { default: client } = await import("prom-client")
  return client as unknown as Client
}

const labelNames = ["method", "route"] as const

const make = <L extends string>({ Counter, Registry }: Client, count: number, labelNames: ReadonlyArray<L>) => {
  const registry = new Registry()
  const counters = names(count).map((name) => new Counter({ name, help: name, labelNames, registers: [registry] }))
  const counts: Counting["counts"] = async () => {
    const all = await registry.getMetricsAsJSON()
    return all.map(({ values }) =>
      Object.fromEntries(
        (values as ReadonlyArray<Official.MetricValue<string>>).map(({ labels, value }) => [
          labels.method === undefined ? "" : keyOf(String(labels.method), String(labels.route)),
          value
        ])
      )
    )
  }
  return { counters, counts }
}

export const unlabelled = (client: Client): Counting => {
  const { counters: [counter], counts } = make(client, 1, [])
  return { record: () => counter!.inc(), counts }
}

export const labelled = (client: Client, count: number): Counting => {
  const { counters, counts } = make(client, count, labelNames)
  const [counter] = counters
  return {
    record: count === 1
      ? (method, route) => counter!.inc({ method, route })
      : (method, route) => {
        for (let at = 0; at < count; at++) counters[at]!.inc({ method, route })
      },
    counts
  }
}

/** What is got from `labels` once and kept, which the program has to look up itself. */
export const kept = (client: Client, count: number): Counting => {
  const { counters, counts } = make(client, count, labelNames)
  const children = new Map<string, Map<string, ReadonlyArray<Official.Counter.Internal>>>()
  for (const [method, route] of combinations) {
    if (!children.has(method)) children.set(method, new Map())
    children.get(method)!.set(route, counters.map((counter) => counter.labels(method, route)))
  }
  return {
    record: (method, route) => {
      const found = children.get(method)!.get(route)!
      for (let at = 0; at < count; at++) found[at]!.inc()
    },
    counts
  }
}
