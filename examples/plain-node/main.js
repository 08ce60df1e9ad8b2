/**
 * Metrics in plain JavaScript: a web server counts its requests, and has the
 * numbers at /snapshots. With `--port N` it serves until it is told to stop (0 is
 * any free port); without, it makes some requests to itself.
 */
import { Standalone } from "mvx-metrics"
import { once } from "node:events"
import { parseArgs } from "node:util"
import { Durations, Requests } from "./HttpMetrics.js"
import * as WebServer from "./WebServer.js"

const untilToldToStop = () => Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")])

const makeRequests = async (url) => {
  const get = async (path) => (await fetch(new URL(path, url))).json()
  for (const path of ["/", "/", "/missing", "/"]) await get(path)
  console.log(JSON.stringify(await get("/snapshots"), null, 2))
}

const main = async () => {
  const { values } = parseArgs({ options: { port: { type: "string" } } })

  const metrics = Standalone.make({ namespace: "plain-node" })
  await metrics.start()
  const web = await metrics.createRecorder("web", { metrics: [Requests, Durations] })
  const server = WebServer.make(metrics, web)
  try {
    await once(server.listen(values.port ?? 0, "127.0.0.1"), "listening")
    const url = `http://127.0.0.1:${server.address().port}`
    console.log(`Listening at ${url}`)
    await (values.port === undefined ? makeRequests(url) : untilToldToStop())
    await once(server.close(), "close")
  } finally {
    const { folded } = await metrics.shutdown()
    console.log(`Counted ${folded} requests`)
  }
}

main().catch((error) => {
  console.error(`plain-node: ${error.message}`)
  process.exitCode = 1
})
