/** What does one event per macrotask cost, as a service states one per request? */
import { macrotask, paired, processorTime } from "./harness/measure.ts"
import { type Case, floor, limit, peer, product, type Question, ratio } from "./harness/Question.ts"
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

const of = (make: () => Promise<Counting>): Case["run"] => async ({ short }) => {
  const counting = await make()
  const requests = new Requests(counting.record)
  const nothing = new Requests(() => {})
  const count = short ? 500 : 8_000
  const cost = await paired(
    () => loop(count, () => requests.run(1), () => counting.settle?.() ?? macrotask()),
    () => loop(count, () => nothing.run(1), macrotask),
    { pairs: short ? 1 : 32, warmup: short ? 1 : 40, relate: (subject, bare) => subject - bare }
  )
  await requests.check(counting)
  return { "above the bare loop": cost }
}

const ours = "mvx-metrics, an event of two fields"
const official = "@prometheus-io/client, inc({ 2 labels })"

const question: Question = {
  title: "one event per macrotask, counted by two labels: processor time of all threads",
  columns: { "above the bare loop": "ns" },
  cases: {
    [ours]: product(of(async () => {
      const { counting, labelled } = await import("./peers/mvx.ts")
      return counting(labelled(1))
    })),
    [official]: peer(of(async () => {
      const { labelled, official } = await import("./peers/prometheus.ts")
      return labelled(await official(), 1)
    })),
    "prom-client, inc({ 2 labels })": peer(of(async () => {
      const { labelled, predecessor } = await import("./peers/prometheus.ts")
      return labelled(await predecessor(), 1)
    })),
    "OpenTelemetry, add(1, { 2 attributes })": peer(
      of(async () => (await import("./peers/opentelemetry.ts")).labelled(1))
    ),
    "Effect Metric, withAttributes({ 2 })": peer(of(async () => (await import("./peers/effectMetric.ts")).labelled(1))),
    "Effect Metric, counters kept": peer(of(async () => (await import("./peers/effectMetric.ts")).kept(1))),
    "diagnostics_channel, counted by hand": peer(
      of(async () => (await import("./peers/byHand.ts")).diagnosticsChannel(1))
    ),
    "a map of maps, by hand": floor(of(async () => (await import("./peers/byHand.ts")).maps(1)))
  },
  claims: [
    limit("one event per macrotask, above the bare loop", [ours, "above the bare loop"], "ns", 80),
    ratio(
      "one event per macrotask / @prometheus-io/client inc({ 2 labels })",
      [ours, official],
      "above the bare loop",
      1
    )
  ]
}
export default question
