/** What does a change cost of a metric with 2 000 series, made and delivered to one subscriber? */
import { Effect, Stream } from "effect"
import { Metric, type Recorder } from "mvx-metrics"
import { deepStrictEqual, strictEqual } from "node:assert"
import { combinations, Request, rotating } from "./dimensionFixture.ts"
import { makeRecorder } from "./fixture.ts"
import { burst, bursts, compare, macrotask, report, until } from "./harness.ts"

const labels = Number(process.argv[2] ?? 1)
const series = labels === 1 ? combinations(1, 2_000) : combinations(40, 50)
const Requests = Metric.fromDimensions("requests", [Request], (d) => ({
  total: labels === 1
    ? d.by("client", (event) => event.client, d.count())
    : d.by({ route: (event) => event.route, client: (event) => event.client }, d.count())
}))

const observed = makeRecorder({ metrics: [Requests] })
const unobserved = makeRecorder({ metrics: [Requests] })

let delivered = 0
let lastSequence = 0
let lastState: unknown
Effect.runFork(Stream.runForEachArray(observed.changes, (changes) =>
  Effect.sync(() => {
    for (const { sequence, state } of changes) {
      lastSequence = sequence
      lastState = state
    }
    delivered += changes.length
  })))

let offered = 0

/** The fold of bursts, and all that follows until everybody has received what there is. */
const folding = (recorder: Recorder.Handle, received: () => Promise<void>) => {
  const next = rotating(series)
  return bursts(async () => {
    for (let i = 0; i < burst; i++) recorder.registerEventUnsafe(new Request(next()))
    if (recorder === observed) offered += burst
    const start = performance.now()
    await Effect.runPromise(recorder.flush)
    await received()
    return (performance.now() - start) * 1e6
  })
}

const figure = await compare(
  { name: `a change of 2 000 series by labels: ${labels}`, unit: "ns", limit: 1_000 },
  folding(observed, () => until(() => delivered === offered)),
  folding(unobserved, macrotask)
)
const samples = Metric.samples(Requests, lastState as Metric.DimensionsState)
strictEqual(samples.length, series.length)
strictEqual(samples.reduce((sum, { value }) => sum + Number(value), 0), offered)
strictEqual(lastSequence, offered)
deepStrictEqual(observed.snapshotsUnsafe(), unobserved.snapshotsUnsafe())
report({ ...figure, value: figure.sides![0] })
