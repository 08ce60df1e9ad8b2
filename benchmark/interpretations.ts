/** What does one fact cost that so many metrics count by two labels each, until all of them have? */
import { measure } from "./harness/measure.ts"
import {
  type Case,
  type Effort,
  floor,
  peer,
  product,
  type Question,
  ratio,
  type Readings
} from "./harness/Question.ts"
import { type Counting, Requests } from "./peers/Counting.ts"

const burst = 1_000

const endToEnd = async (counting: Counting, counters: number, effort: Effort): Promise<number> => {
  const requests = new Requests(counting.record)
  const reading = await measure(async () => {
    const start = performance.now()
    requests.run(burst)
    await counting.settle?.()
    return (performance.now() - start) * 1e6 / burst
  }, effort)
  await requests.check(counting, counters)
  return reading
}

const column = (counters: number) => counters === 1 ? "1 metric" : `${counters} metrics`

/** One after the other in one process: what the compiler made of one is not what it makes of three. */
const of = (make: () => Promise<(counters: number) => Counting>, all = [1, 3, 10]): Case["run"] => async (effort) => {
  const counting = await make()
  const readings: Record<string, number> = {}
  for (const counters of all) readings[column(counters)] = await endToEnd(counting(counters), counters, effort)
  return readings as Readings
}

const ours = "mvx-metrics, one event"
const byReducer = "mvx-metrics, reducer by hand"
const pushed = "array push + batch fold, same reducer"
const official = "@prometheus-io/client, k inc({ 2 labels })"
const opentelemetry = "OpenTelemetry, k add(1, { 2 attributes })"
const effect = "Effect Metric, k withAttributes({ 2 })"

const question: Question = {
  title: "one fact, counted by k metrics by two labels each, from the call to the new states",
  columns: { "1 metric": "ns", "3 metrics": "ns", "10 metrics": "ns" },
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
    "@prometheus-io/client, k children kept": peer(of(async () => {
      const { kept, official } = await import("./peers/prometheus.ts")
      const client = await official()
      return (counters) => kept(client, counters)
    })),
    "prom-client, k inc({ 2 labels })": peer(of(async () => {
      const { labelled, predecessor } = await import("./peers/prometheus.ts")
      const client = await predecessor()
      return (counters) => labelled(client, counters)
    })),
    [opentelemetry]: peer(of(async () => (await import("./peers/opentelemetry.ts")).labelled)),
    [effect]: peer(of(async () => (await import("./peers/effectMetric.ts")).labelled)),
    "Effect Metric, k counters kept": peer(of(async () => (await import("./peers/effectMetric.ts")).kept)),
    "diagnostics_channel, k folds by hand": peer(
      of(async () => (await import("./peers/byHand.ts")).diagnosticsChannel)
    ),
    "k maps of maps, by hand": floor(of(async () => (await import("./peers/byHand.ts")).maps)),
    [byReducer]: product(of(async () => {
      const { counting, totals } = await import("./peers/mvx.ts")
      return () => counting([totals])
    }, [1])),
    [pushed]: floor(of(async () => {
      const { pushing } = await import("./peers/pushing.ts")
      const { totals } = await import("./peers/mvx.ts")
      return () => pushing(totals)
    }, [1]))
  },
  claims: [
    ratio("into 3 metrics / 3 inc of @prometheus-io/client", [ours, official], column(3), 0.4),
    ratio("into 3 metrics / 3 add of OpenTelemetry", [ours, opentelemetry], column(3), 0.1),
    ratio("into 3 metrics / 3 updates of Effect Metric", [ours, effect], column(3), 0.07),
    ratio("into 10 metrics / 10 inc of @prometheus-io/client", [ours, official], column(10), 0.35),
    ratio("into 10 metrics / 10 add of OpenTelemetry", [ours, opentelemetry], column(10), 0.08),
    ratio("into 10 metrics / 10 updates of Effect Metric", [ours, effect], column(10), 0.06),
    ratio("end to end with one metric / array push + batch fold", [byReducer, pushed], column(1), 1.5)
  ]
}
export default question
