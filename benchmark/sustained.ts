/** What becomes of memory and of the event loop at full speed, for a long time, while nobody reads? */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { heapInUse, macrotask } from "./harness/measure.ts"
import { type Case, limit, peer, product, type Question } from "./harness/Question.ts"
import { type Counting, Requests } from "./peers/Counting.ts"

const burst = 1_000
const counters = 3

/** So many events after each of which the others are the growth: what is made once is there by then. */
const warmup = 1_000_000

const of = (make: () => Promise<Counting>, seconds: number, least = 0): Case["run"] => async ({ short }) => {
  const counting = await make()
  const requests = new Requests(counting.record)
  let made = 0
  /** Until it says so; after each burst the event loop turns once, and whatever wants to goes on. */
  const run = async (until: () => boolean): Promise<void> => {
    while (!until()) {
      requests.run(burst)
      made += burst
      await macrotask()
    }
  }
  await run(() => made >= (short ? warmup / 10 : warmup))
  const heap = await heapInUse()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const [before, start] = [made, performance.now()]
  delay.enable()
  await run(() => performance.now() - start >= (short ? 300 : seconds * 1_000))
  delay.disable()
  const elapsed = performance.now() - start
  const events = made - before
  const growth = await heapInUse() - heap
  await requests.check(counting, counters)
  if (!short && events < least) throw new Error(`Expected ${least} events in ${seconds} s, found ${events}`)
  return {
    "wall time per event": elapsed * 1e6 / events,
    "heap growth": growth / 1e6,
    "longest pause": delay.max / 1e6
  }
}

const ours = "mvx-metrics, into 3 metrics, 60 s"

const question: Question = {
  title: "bursts of 1 000 without a rest, never read: wall time, the heap after a collection, the longest pause",
  columns: { "wall time per event": "ns", "heap growth": "MB", "longest pause": "ms" },
  rounds: 1,
  cases: {
    [ours]: product(of(
      async () => {
        const { counting, labelled } = await import("./peers/mvx.ts")
        return counting(labelled(counters))
      },
      60,
      1e8
    )),
    "@prometheus-io/client, 3 inc({ 2 labels }), 3 s": peer(of(
      async () => {
        const { labelled, official } = await import("./peers/prometheus.ts")
        return labelled(await official(), counters)
      },
      3
    )),
    "OpenTelemetry, 3 add(1, { 2 attributes }), 3 s": peer(
      of(async () => (await import("./peers/opentelemetry.ts")).labelled(counters), 3)
    ),
    "Effect Metric, 3 withAttributes({ 2 }), 3 s": peer(
      of(async () => (await import("./peers/effectMetric.ts")).labelled(counters), 3)
    )
  },
  claims: [
    limit("heap growth over more than 10^8 events", [ours, "heap growth"], "MB", 2)
  ]
}
export default question
