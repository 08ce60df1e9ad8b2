/** What somebody without a library writes, and what nobody goes below. */
import { channel } from "node:diagnostics_channel"
import { type Counting, keyOf, names } from "./Counting.ts"

type Counted = Map<string, Map<string, number>>

const count = (counted: Counted, method: string, route: string): void => {
  let byRoute = counted.get(method)
  if (byRoute === undefined) counted.set(method, byRoute = new Map())
  byRoute.set(route, (byRoute.get(route) ?? 0) + 1)
}

const countsOf = (counted: Counted) =>
  Object.fromEntries(
    Array.from(counted).flatMap(([method, byRoute]) =>
      Array.from(byRoute, ([route, count]) => [keyOf(method, route), count])
    )
  )

/** A field that is incremented. */
export const field = (): Counting => {
  const state = { total: 0 }
  return {
    record: () => {
      state.total++
    },
    counts: async () => [{ "": state.total }]
  }
}

/** Maps of maps that are changed in place. */
export const maps = (counters: number): Counting => {
  const all = names(counters).map((): Counted => new Map())
  return {
    record: (method, route) => {
      for (let at = 0; at < counters; at++) count(all[at]!, method, route)
    },
    counts: async () => all.map(countsOf)
  }
}

let lastChannel = 0

/** The event is published on a channel, and whoever subscribes counts it in maps of maps. */
export const diagnosticsChannel = (counters: number): Counting => {
  // A channel is known by its name everywhere in the process.
  const requests = channel(`benchmark.requests.${lastChannel++}`)
  const all = names(counters).map((): Counted => new Map())
  for (const counted of all) {
    requests.subscribe((message) => {
      const { method, route } = message as { readonly method: string; readonly route: string }
      count(counted, method, route)
    })
  }
  return {
    record: (method, route) => {
      if (requests.hasSubscribers) requests.publish({ method, route })
    },
    counts: async () => all.map(countsOf)
  }
}

/** Subscribers to other channels, which nothing is published on. */
export const subscribeElsewhere = (count: number): void => {
  for (let at = 0; at < count; at++) channel(`benchmark.others.${at}`).subscribe(() => {})
}

/** All facts are published on one channel, and each subscriber passes over what others want. */
export const filtered = (others: number): Counting => {
  const facts = channel(`benchmark.facts.${others}`)
  const counted: Counted = new Map()
  for (const tag of [...names(others), "request"]) {
    facts.subscribe((message) => {
      const fact = message as { readonly tag: string; readonly method: string; readonly route: string }
      if (fact.tag === tag) count(counted, fact.method, fact.route)
    })
  }
  return {
    record: (method, route) => {
      if (facts.hasSubscribers) facts.publish({ tag: "request", method, route })
    },
    counts: async () => [countsOf(counted)]
  }
}
