/** The events that gates of dimensions share: with labels, or with values as they occur. */
import { Schema } from "effect"
import { Event } from "mvx-metrics"
import { outcome, SaveAttempt } from "./saves.ts"

export class Request extends Event.Class<Request>()("http.request", {
  route: Schema.String,
  client: Schema.String
}) {}

/** So many different labels, as a program has them at hand. */
const texts = (count: number, prefix: string): ReadonlyArray<string> => {
  const texts = Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
  // Strings are put together when they are first looked at.
  return Array.from(new Set(texts))
}

export interface Labels {
  readonly route: string
  readonly client: string
}

/** All combinations of so many routes and so many clients, in an order without neighbours. */
export const combinations = (routes: number, clients: number): ReadonlyArray<Labels> => {
  const size = routes * clients
  const route = texts(routes, "route")
  const client = texts(clients, "client")
  return Array.from({ length: size }, (_, i) => {
    // A prime that does not divide the size: each combination occurs once.
    const at = (i * 7_919) % size
    return { route: route[at % routes]!, client: client[Math.floor(at / routes)]! }
  })
}

/** Numbers between 0 and 1, the same ones in each process. */
const randomFrom = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let hash = Math.imul(seed ^ (seed >>> 15), seed | 1)
  hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61)
  return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32
}

/** So many batches of save attempts with log-normal durations: a median of 20 ms, one in a hundred above 650 ms. */
export const durationBatches = (batches: number, size: number): ReadonlyArray<ReadonlyArray<SaveAttempt>> => {
  const random = randomFrom(1)
  // By Box and Muller.
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return Array.from(
    { length: batches },
    () =>
      Array.from(
        { length: size },
        (_, i) => new SaveAttempt({ outcome: outcome(i), durationMs: 20 * Math.exp(1.5 * normal()) })
      )
  )
}

/** One after the other, and again. */
export const rotating = <A>(all: ReadonlyArray<A>): () => A => {
  let next = 0
  return () => all[next++ % all.length]!
}

/** So many, one after the other, and again. */
export const repeated = <A>(all: ReadonlyArray<A>, count: number): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, i) => all[i % all.length]!)
