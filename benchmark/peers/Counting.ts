/**
 * The work that libraries are compared by: requests are counted, by nothing, or by
 * two labels in so many counters. Each library does it as its documentation has it.
 */
import { deepStrictEqual } from "node:assert"

/** How many requests of each combination of labels were counted. Without labels, under the empty text. */
export type Counts = Readonly<Record<string, number>>

export interface Counting {
  /** What stands in production code. */
  readonly record: (method: string, route: string) => void
  /** Waits until all that was recorded is counted, where that is put off. */
  readonly settle?: () => Promise<void>
  /** What each counter says itself. */
  readonly counts: () => Promise<ReadonlyArray<Counts>>
}

const methods = ["GET", "PUT", "DELETE"]
const routes = ["/documents", "/documents/:id", "/search", "/health"]

/** All combinations of the labels. */
export const combinations: ReadonlyArray<readonly [method: string, route: string]> = methods.flatMap((method) =>
  routes.map((route) => [method, route] as const)
)

/** In an order without a pattern that a processor would learn in a moment. */
const order = Array.from({ length: 1_024 }, (_, i) => combinations[(i * 7_919 + (i >> 3)) % combinations.length]!)
const methodAt = order.map(([method]) => method)
const routeAt = order.map(([, route]) => route)

export const keyOf = (method: string, route: string): string => `${method} ${route}`

/** Records requests, and notes nothing of its own: what should have been counted can be said from the numbers. */
export class Requests {
  private next = 0
  private readonly record: Counting["record"]

  constructor(record: Counting["record"]) {
    this.record = record
  }

  run(count: number): void {
    const { record } = this
    const end = this.next + count
    for (let i = this.next; i < end; i++) record(methodAt[i & 1_023]!, routeAt[i & 1_023]!)
    this.next = end
  }

  /** Throws unless all of that was counted, in each of so many counters. */
  async check({ counts, settle }: Counting, counters = 1): Promise<void> {
    await settle?.()
    const expected: Record<string, number> = {}
    for (const [i, [method, route]] of order.entries()) {
      const times = Math.floor((this.next - 1 - i) / order.length) + 1
      if (times > 0) expected[keyOf(method, route)] = (expected[keyOf(method, route)] ?? 0) + times
    }
    const found = await counts()
    const isUnlabelled = found.every((counts) => Object.keys(counts).join() === "")
    const each = isUnlabelled ? { "": this.next } : expected
    deepStrictEqual(found, Array.from({ length: counters }, () => each))
  }
}

/** So many names of counters. */
export const names = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, at) => `requests_${at}`)
