/** Effect's own metrics, outside a fiber. */
import { Context, Metric } from "effect"
import { combinations, type Counting, keyOf, names } from "./Counting.ts"

const make = () => {
  const context = Context.make(Metric.MetricRegistry, new Map())
  const counts: Counting["counts"] = async () => {
    const all = new Map<string, Record<string, number>>()
    for (const { attributes, id, state } of Metric.snapshotUnsafe(context)) {
      const of = all.get(id) ?? {}
      const { count } = state as Metric.CounterState<number>
      // The counter itself is there as well, with nothing in it.
      if (attributes?.method !== undefined) of[keyOf(attributes.method, attributes.route!)] = count
      else if (count > 0) of[""] = count
      all.set(id, of)
    }
    return Array.from(all.values())
  }
  return { context, counts }
}

export const unlabelled = (): Counting => {
  const { context, counts } = make()
  const counter = Metric.counter("requests")
  return { record: () => counter.updateUnsafe(1, context), counts }
}

/** With attributes that are made for each update. */
export const labelled = (count: number): Counting => {
  const { context, counts } = make()
  const counters = names(count).map((name) => Metric.counter(name))
  const [counter] = counters
  return {
    record: count === 1
      ? (method, route) => Metric.withAttributes(counter!, { method, route }).updateUnsafe(1, context)
      : (method, route) => {
        for (let at = 0; at < count; at++) {
          Metric.withAttributes(counters[at]!, { method, route }).updateUnsafe(1, context)
        }
      },
    counts
  }
}

/** A counter of its own for each combination of attributes, which the program has to look up itself. */
export const kept = (count: number): Counting => {
  const { context, counts } = make()
  const counters = new Map<string, Map<string, ReadonlyArray<Metric.Counter<number>>>>()
  for (const [method, route] of combinations) {
    if (!counters.has(method)) counters.set(method, new Map())
    counters.get(method)!.set(route, names(count).map((id) => Metric.counter(id, { attributes: { method, route } })))
  }
  return {
    record: (method, route) => {
      const found = counters.get(method)!.get(route)!
      for (let at = 0; at < count; at++) found[at]!.updateUnsafe(1, context)
    },
    counts
  }
}
