/** What does one event per macrotask cost, as a service states one per request? */
import { macrotask, paired, processorTime } from "./harness/measure.ts"
import { type Case, floor, peer, product, type Question, ratio } from "./harness/Question.ts"
import { type Counting, Requests } from "./peers/Counting.ts"

/** A loop of so many macrotasks that do something: processor time of each, all threads of the process included. */
const loop = async (count: number, each: () => void, end: () => Promise<void>): Promise<number> => {
  const before = processorTime()
  await new Promise<void>((resolve) => {
    let left = count
    const step = () => {
      each()
      if (--left > 0) setImmediate(step)
      else resolve()
    }
    setImmediate(step)
  })
  await end()
  return (processorTime() - before) / count
}

const of = (make: () => Promise<(counters: number) => Counting>, all = [1, 3]): Case["run"] => async ({ short }) => {
  const counting = await make()
  const above = async (counters: number): Promise<number> => {
    const counted = counting(counters)
    const requests = new Requests(counted.record)
    const nothing = new Requests(() => {})
    const count = short ? 500 : 20_000
    const cost = await paired(
      () => loop(count, () => requests.run(1), () => counted.settle?.() ?? macrotask()),
      () => loop(count, () => nothing.run(1), macrotask),
      { pairs: short ? 1 : 9, relate: (subject, bare) => subject - bare }
    )
    await requests.check(counted, counters)
    return cost
  }
  const readings: Record<string, number> = {}
  for (const counters of all) readings[counters === 1 ? "1 metric" : `${counters} metrics`] = await above(counters)
  return readings
}

const ours = "mvx-metrics, one event"
const official = "@prometheus-io/client, k inc({ 2 labels })"

const question: Question = {
  title: "one event per macrotask: processor time above that of the bare loop, until it is counted",
  columns: { "1 metric": "ns", "3 metrics": "ns" },
  cases: {
    [ours]: product(of(async () => {
      const { counting, labelled } = await import("./peers/mvx.ts")
      return (counters) => counting(labelled(counters))
    })),
    [official]: peer(of(async () => {
      const { labelled, official } = await import("./peers/prometheus.ts")
      const client = await official()
      return (counters) => labelled(client, counters)
    })),
    "prom-client, k inc({ 2 labels })": peer(of(async () => {
      const { labelled, predecessor } = await import("./peers/prometheus.ts")
      const client = await predecessor()
      return (counters) => labelled(client, counters)
    })),
    "OpenTelemetry, k add(1, { 2 attributes })": peer(
      of(async () => (await import("./peers/opentelemetry.ts")).labelled)
    ),
    "Effect Metric, k withAttributes({ 2 })": peer(of(async () => (await import("./peers/effectMetric.ts")).labelled)),
    "Effect Metric, k counters kept": peer(of(async () => (await import("./peers/effectMetric.ts")).kept)),
    "diagnostics_channel, k folds by hand": peer(
      of(async () => (await import("./peers/byHand.ts")).diagnosticsChannel)
    ),
    "k maps of maps, by hand": floor(of(async () => (await import("./peers/byHand.ts")).maps)),
    "a field incremented": floor(of(async () => {
      const { field } = await import("./peers/byHand.ts")
      return () => field()
    }, [1]))
  },
  claims: [
    {
      claim: "one event per macrotask, above the bare loop",
      unit: "ns",
      atMost: 80,
      value: (reading) => reading(ours, "1 metric")
    },
    ratio("one event per macrotask / @prometheus-io/client inc({ 2 labels })", [ours, official], "1 metric", 1)
  ]
}
export default question
