/**
 * What does a counter by two labels cost to be rendered to text, of 10 000,
 * against the official client of Prometheus?
 */
import { Counter, Registry } from "@prometheus-io/client"
import { Effect, Layer, ManagedRuntime } from "effect"
import { Metric, MetricsLive, Recorder, Runtime } from "mvx-metrics"
import * as Prometheus from "mvx-metrics/exporters/Prometheus"
import { strictEqual } from "node:assert"
import { combinations, Request } from "./dimensionFixture.ts"
import { compare, report } from "./harness.ts"

const labels = combinations(100, 100)

const Requests = Metric.fromDimensions("requests", [Request], (d) => ({
  total: d.by({ route: (event) => event.route, client: (event) => event.client }, d.count(), { limit: labels.length })
}))
const runtime = ManagedRuntime.make(Recorder.layerMetrics(Requests).pipe(Layer.provideMerge(MetricsLive)))
await runtime.runPromise(Effect.forEach(labels, (fields) => Recorder.emit(new Request(fields)), { discard: true }))
await runtime.runPromise(Runtime.MetricsRuntime.use(({ captures }) => captures))

const registry = new Registry()
const counter = new Counter({
  name: "requests_total",
  help: "requests: total",
  labelNames: ["route", "client", "recorder_id"],
  registers: [registry]
})
for (const fields of labels) counter.inc({ ...fields, recorder_id: "default" })

const linesOf = (text: string): ReadonlyArray<string> =>
  text.split("\n").filter((line) => line.startsWith("requests_total")).toSorted()

const render = (): Promise<string> => runtime.runPromise(Prometheus.format())
strictEqual(linesOf(await render()).length, labels.length)
strictEqual(linesOf(await render())[0]!.endsWith("} 1"), true)
strictEqual(linesOf(await registry.metrics()).length, labels.length)

const timed = (work: () => Promise<string>) => async () => {
  const start = performance.now()
  // As a server would, which sends bytes.
  Buffer.from(await work())
  return (performance.now() - start) * 1e6 / labels.length
}

report(
  await compare(
    { name: "a counter to text, of 10 000 / @prometheus-io/client", unit: "x", limit: 0.8 },
    timed(render),
    timed(() => registry.metrics()),
    { pairs: 30 }
  )
)
await runtime.dispose()
