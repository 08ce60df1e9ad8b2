/** What does the calling line cost? */
import { macrotask, measure, time } from "./harness/measure.ts"
import { type Case, type Effort, floor, peer, product, type Question, ratio } from "./harness/Question.ts"
import { type Counting, Requests } from "./peers/Counting.ts"

/** Waiting events are at most so many: they are counted outside the time that is taken. */
const most = 4_000

const singles = 20

const calling = async (counting: Counting, effort: Effort) => {
  const requests = new Requests(counting.record)
  let waiting = 0
  const burst = async (size: number): Promise<number> => {
    waiting += size
    if (waiting > most) {
      await counting.settle?.()
      waiting = size
    }
    await macrotask()
    return time(() => requests.run(size))
  }
  /** One by one, and as often nothing at all: to read the clock costs more than one call. */
  const single = async (): Promise<number> => {
    let elapsed = 0
    for (let i = 0; i < singles; i++) elapsed += await burst(1) - await burst(0)
    return elapsed / singles
  }
  const readings = {
    "1": await measure(single, effort),
    "100": await measure(async () => await burst(100) / 100, effort),
    "1 000": await measure(async () => await burst(1_000) / 1_000, effort)
  }
  await requests.check(counting)
  return readings
}

const of = (make: () => Promise<Counting>): Case["run"] => async (effort) => calling(await make(), effort)

const ours = "mvx-metrics, event with two fields"
const official = "@prometheus-io/client, inc({ 2 labels })"
const opentelemetry = "OpenTelemetry, add(1, { 2 attributes })"

const question: Question = {
  title: "what the calling line costs, each of a burst of so many per macrotask",
  columns: { "1": "ns", "100": "ns", "1 000": "ns" },
  cases: {
    [ours]: product(of(async () => {
      const { counting, labelled } = await import("./peers/mvx.ts")
      return counting(labelled(1))
    })),
    [official]: peer(of(async () => {
      const { labelled, official } = await import("./peers/prometheus.ts")
      return labelled(await official(), 1)
    })),
    "@prometheus-io/client, child kept": peer(of(async () => {
      const { kept, official } = await import("./peers/prometheus.ts")
      return kept(await official(), 1)
    })),
    "@prometheus-io/client, inc()": peer(of(async () => {
      const { official, unlabelled } = await import("./peers/prometheus.ts")
      return unlabelled(await official())
    })),
    "prom-client, inc({ 2 labels })": peer(of(async () => {
      const { labelled, predecessor } = await import("./peers/prometheus.ts")
      return labelled(await predecessor(), 1)
    })),
    "prom-client, inc()": peer(of(async () => {
      const { predecessor, unlabelled } = await import("./peers/prometheus.ts")
      return unlabelled(await predecessor())
    })),
    [opentelemetry]: peer(of(async () => (await import("./peers/opentelemetry.ts")).labelled(1))),
    "OpenTelemetry, add(1)": peer(of(async () => (await import("./peers/opentelemetry.ts")).unlabelled())),
    "Effect Metric, withAttributes({ 2 })": peer(of(async () => (await import("./peers/effectMetric.ts")).labelled(1))),
    "Effect Metric, counters kept": peer(of(async () => (await import("./peers/effectMetric.ts")).kept(1))),
    "Effect Metric, no attributes": peer(of(async () => (await import("./peers/effectMetric.ts")).unlabelled())),
    "diagnostics_channel, counted by hand": peer(
      of(async () => (await import("./peers/byHand.ts")).diagnosticsChannel(1))
    ),
    "array push of the event": floor(of(async () => {
      const { labelled } = await import("./peers/mvx.ts")
      const { pushing } = await import("./peers/pushing.ts")
      return pushing(labelled(1)[0]!)
    })),
    "a field incremented": floor(of(async () => (await import("./peers/byHand.ts")).field()))
  },
  claims: [
    ratio("handoff with two fields / @prometheus-io/client inc({ 2 labels })", [ours, official], "1 000", 0.2),
    ratio("handoff with two fields / OpenTelemetry add(1, { 2 attributes })", [ours, opentelemetry], "1 000", 0.05)
  ]
}
export default question
