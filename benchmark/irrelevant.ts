/** What do metrics cost that do not want an event? */
import { measure } from "./harness/measure.ts"
import { type Case, type Effort, peer, product, type Question } from "./harness/Question.ts"
import { type Counting, Requests } from "./peers/Counting.ts"

const burst = 1_000

const of = (make: () => Promise<(others: number) => Counting>): Case["run"] => async (effort) => {
  const counting = await make()
  // What the compiler makes of the only one in a process is better than of any other: none of those that count is it.
  await perEvent(counting(1), effort)
  const readings: Record<string, number> = {}
  for (const registered of [1, 10, 100, 1_000]) {
    readings[columnOf(registered)] = await perEvent(counting(registered - 1), effort)
  }
  return readings
}

const columnOf = (registered: number): string => registered.toLocaleString("en").replace(",", " ")

const perEvent = async (counting: Counting, effort: Effort): Promise<number> => {
  const requests = new Requests(counting.record)
  const reading = await measure(async () => {
    const start = performance.now()
    requests.run(burst)
    await counting.settle?.()
    return (performance.now() - start) * 1e6 / burst
  }, effort)
  await requests.check(counting)
  return reading
}

const ours = "mvx-metrics"

const question: Question = {
  title: "so many metrics are registered, and one of them wants the event",
  columns: { "1": "ns", "10": "ns", "100": "ns", "1 000": "ns" },
  cases: {
    [ours]: product(of(async () => {
      const { countingBeside, labelled } = await import("./peers/mvx.ts")
      return (others) => countingBeside(labelled(1), others)
    })),
    "diagnostics_channel, a channel for each event": peer(of(async () => {
      const { diagnosticsChannel, subscribeElsewhere } = await import("./peers/byHand.ts")
      return (others) => {
        subscribeElsewhere(others)
        return diagnosticsChannel(1)
      }
    })),
    "diagnostics_channel, one channel, everybody filters": peer(
      of(async () => (await import("./peers/byHand.ts")).filtered)
    )
  },
  claims: [100, 1_000].map((registered) => ({
    claim: `${registered} metrics of which one wants the event / that one alone`,
    unit: "x",
    atMost: 1.1,
    value: (reading) => reading(ours, columnOf(registered)) / reading(ours, columnOf(1))
  }))
}
export default question
