/** The work that readings are compared by: requests are counted by two labels, in so many series. */
import { strictEqual } from "node:assert"

export interface Labels {
  readonly route: string
  readonly client: string
}

/** How many series there are in what was read, and what they add up to. */
export type Totals = readonly [series: number, sum: number]

/** A counter of one library. */
export interface Counted {
  /** What stands in production code. */
  readonly record: (labels: Labels) => void
  /** Waits until all that was recorded is counted, where that is put off. */
  readonly settle?: () => Promise<void>
}

/** How all of it is read. */
export interface Series<A> extends Counted {
  readonly read: () => A | Promise<A>
  readonly totals: (read: A) => Totals
}

/** Where all of it can be scraped. */
export interface Scraped extends Counted {
  readonly url: string
}

/** So many texts, as a program has them at hand: strings are put together when they are first looked at. */
const texts = (count: number, prefix: string): ReadonlyArray<string> =>
  Array.from(new Set(Array.from({ length: count }, (_, i) => `${prefix}-${i}`)))

/** So many combinations of labels, in an order without neighbours. */
export const combinations = (count: number): ReadonlyArray<Labels> => {
  const clients = 10 ** Math.floor(Math.log10(count) / 2)
  const client = texts(clients, "client")
  const route = texts(count / clients, "route")
  return Array.from({ length: count }, (_, i) => {
    // A prime that does not divide the number: each combination occurs once.
    const at = (i * 7_919) % count
    return { route: route[at % route.length]!, client: client[Math.floor(at / route.length)]! }
  })
}

/** What was read of each series. Both labels must be there. */
export const totalsOf = (series: ReadonlyArray<readonly [labels: object, value: unknown]>): Totals => [
  series.length,
  series.reduce((sum, [labels, value]) => {
    const { client, route } = labels as Partial<Labels>
    strictEqual(route?.startsWith("route-") && client?.startsWith("client-"), true)
    return sum + Number(value)
  }, 0)
]

/** What a text in the format of Prometheus says of the requests. */
export const totalsOfText = (text: string): Totals =>
  totalsOf(
    text.split("\n").filter((line) => line.startsWith("requests")).map((line) => [
      Object.fromEntries(Array.from(line.matchAll(/(\w+)="([^"]*)"/g), ([, name, value]) => [name, value])),
      line.slice(line.lastIndexOf(" "))
    ])
  )
