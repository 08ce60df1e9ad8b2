/**
 * How long is the event loop held up while a scrape renders 100 000 series? Of 50
 * metrics with 2 000 series each, or of one with all of them.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, ManagedRuntime } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Metric, MetricsLive, Recorder, Runtime } from "mvx-metrics"
import * as Prometheus from "mvx-metrics/exporters/Prometheus"
import { strictEqual } from "node:assert"
import { createServer } from "node:http"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Worker } from "node:worker_threads"
import { combinations, Request } from "./dimensionFixture.ts"
import { collectGarbage, macrotask, report } from "./harness.ts"

const series = 100_000
const isOne = process.argv[2] === "one"
const [metrics, limit] = isOne ? [1, series] : [50, 2_000]

const all = Array.from({ length: metrics }, (_, at) =>
  Metric.fromDimensions(`requests_${at}`, [Request], (d) => ({
    total: d.by({ route: (event) => event.route, client: (event) => event.client }, d.count(), { limit })
  })))

const server = HttpRouter.serve(Prometheus.layer(), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 })),
  Layer.provideMerge(Recorder.layerMetrics(...all).pipe(Layer.provideMerge(MetricsLive)))
)
const runtime = ManagedRuntime.make(server)
await runtime.runPromise(
  Effect.forEach(combinations(limit / 20, 20), (fields) => Recorder.emit(new Request(fields)), { discard: true })
)
await runtime.runPromise(Runtime.MetricsRuntime.use(({ captures }) => captures))
const url = await runtime.runPromise(HttpServer.addressFormattedWith((address) => Effect.succeed(`${address}/metrics`)))

// The one who scrapes has a thread of its own, and makes little of the answer: on two cores it would be measured, too.
const scraper = new Worker(
  `const { parentPort } = require("node:worker_threads")
   parentPort.on("message", async (url) => {
     const body = Buffer.from(await (await fetch(url)).arrayBuffer())
     let lines = 0
     for (let at = 0; (at = body.indexOf("\\nrequests_", at)) >= 0; at++) lines++
     parentPort.postMessage(lines)
   })`,
  { eval: true }
)
const scrape = (): Promise<number> =>
  new Promise((resolve) => {
    scraper.once("message", resolve)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    scraper.postMessage(url)
  })

for (let i = 0; i < 5; i++) strictEqual(await scrape(), series)
collectGarbage()
const delay = monitorEventLoopDelay({ resolution: 1 })
for (let i = 0; i < 20; i++) {
  await macrotask()
  delay.enable()
  await scrape()
  delay.disable()
}
report({
  name: `event-loop delay p99, scrape of 100 000 series of ${isOne ? "one metric" : "50 metrics"}`,
  unit: "ms",
  limit: 10,
  value: delay.percentile(99) / 1e6
})
if (process.send === undefined) console.log("max", delay.max / 1e6, "mean", delay.mean / 1e6, "n", delay.count)
await scraper.terminate()
await runtime.dispose()
