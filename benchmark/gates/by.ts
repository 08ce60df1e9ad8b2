/** What does an event cost a count by one label or by two in a batch fold, against maps by hand? */
import { Metric } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { paired, pairsOf, time } from "../harness/measure.ts"
import { type Case, limit, product, type Question } from "../harness/Question.ts"
import { combinations, type Labels, repeated, Request } from "./labels.ts"
import { burst, bursts } from "./saves.ts"

const RequestsByOne = Metric.fromDimensions("requests", [Request], (d) => ({
  total: d.by({ client: (event) => event.client }, d.count())
}))

const RequestsByTwo = Metric.fromDimensions("requests", [Request], (d) => ({
  total: d.by({ route: (event) => event.route, client: (event) => event.client }, d.count())
}))

type Series = ReadonlyArray<{ readonly labels: object; readonly value: number }>

interface ByHand {
  readonly fold: (events: ReadonlyArray<Request>) => void
  readonly total: Series
}

interface Count {
  count: number
}

/** The counts are in objects, so that one more is one look less into the maps. */
class ByOne implements ByHand {
  private readonly counts = new Map<string, Count>()

  fold(events: ReadonlyArray<Request>): void {
    const { counts } = this
    for (const { client } of events) {
      const found = counts.get(client)
      if (found === undefined) counts.set(client, { count: 1 })
      else found.count++
    }
  }

  get total(): Series {
    return Array.from(this.counts, ([client, { count }]) => ({ labels: { client }, value: count }))
  }
}

class ByTwo implements ByHand {
  private readonly counts = new Map<string, Map<string, Count>>()

  fold(events: ReadonlyArray<Request>): void {
    const { counts } = this
    for (const { client, route } of events) {
      let clients = counts.get(route)
      if (clients === undefined) counts.set(route, clients = new Map())
      const found = clients.get(client)
      if (found === undefined) clients.set(client, { count: 1 })
      else found.count++
    }
  }

  get total(): Series {
    return Array.from(
      this.counts,
      ([route, clients]) => Array.from(clients, ([client, { count }]) => ({ labels: { route, client }, value: count }))
    ).flat()
  }
}

const column = "/ maps by hand"

const folding = (
  metric: typeof RequestsByOne | typeof RequestsByTwo,
  makeByHand: () => ByHand,
  labels: ReadonlyArray<Labels>
): Case["run"] =>
async (effort) => {
  const events = repeated(labels, burst).map((of) => new Request(of))
  let ours = metric.initial
  let theirs = makeByHand()
  const value = await paired(
    bursts(() =>
      time(() => {
        ours = Metric.fold(metric, events)
      })
    ),
    bursts(() => {
      const byHand = makeByHand()
      theirs = byHand
      return time(() => byHand.fold(events))
    }),
    { pairs: pairsOf(effort) }
  )
  deepStrictEqual(Metric.snapshot(metric, ours).dimensions.total, theirs.total)
  return { [column]: value }
}

const one = "a count by one label"
const two = "a count by two labels"

const question: Question = {
  title: "what a count by labels costs in a batch fold",
  columns: { [column]: "x" },
  cases: {
    [one]: product(folding(RequestsByOne, () => new ByOne(), combinations(1, 12))),
    [two]: product(folding(RequestsByTwo, () => new ByTwo(), combinations(4, 3)))
  },
  claims: [
    limit("a count by one label / a map by hand", [one, column], "x", 3),
    limit("a count by two labels / nested maps by hand", [two, column], "x", 3)
  ],
  rounds: 3
}
export default question
