/** What does an event cost a count by one label or by two in a batch fold, against maps by hand? */
import { Metric } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { combinations, repeated, Request } from "./dimensionFixture.ts"
import { burst, bursts, compare, report, time } from "./harness.ts"

const labels = Number(process.argv[2] ?? 1)
const events = repeated(labels === 1 ? combinations(1, 12) : combinations(4, 3), burst).map((of) => new Request(of))

const Requests = Metric.fromDimensions("requests", [Request], (d) => ({
  total: labels === 1
    ? d.by({ client: (event) => event.client }, d.count())
    : d.by({ route: (event) => event.route, client: (event) => event.client }, d.count())
}))

interface Count {
  count: number
}

/** The counts are in objects, so that one more is one look less into the maps. */
class ByOne {
  private readonly counts = new Map<string, Count>()

  fold(events: ReadonlyArray<Request>): void {
    const { counts } = this
    for (const { client } of events) {
      const found = counts.get(client)
      if (found === undefined) counts.set(client, { count: 1 })
      else found.count++
    }
  }

  get total(): Array<{ readonly labels: object; readonly value: number }> {
    return Array.from(this.counts, ([client, { count }]) => ({ labels: { client }, value: count }))
  }
}

class ByTwo {
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

  get total(): Array<{ readonly labels: object; readonly value: number }> {
    return Array.from(
      this.counts,
      ([route, clients]) => Array.from(clients, ([client, { count }]) => ({ labels: { route, client }, value: count }))
    ).flat()
  }
}

let ours = Requests.initial
let theirs: ByOne | ByTwo = new ByOne()

const figure = await compare(
  { name: `count by labels: ${labels} / maps by hand`, unit: "x", limit: 3 },
  bursts(() =>
    time(() => {
      ours = Metric.fold(Requests, events)
    })
  ),
  bursts(() => {
    const byHand = labels === 1 ? new ByOne() : new ByTwo()
    theirs = byHand
    return time(() => byHand.fold(events))
  })
)
deepStrictEqual(Metric.snapshot(Requests, ours).dimensions.total, theirs.total)
report(figure)
