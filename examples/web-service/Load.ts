import { NodeHttpClient } from "@effect/platform-node"
import { Clock, Console, Effect, Random } from "effect"
import { HttpApiClient } from "effect/http-api"
import { Metric, Recorder } from "mvx-metrics"
import { DocumentsApi } from "./DocumentsApi.ts"
import { RequestFinished } from "./HttpEvents.ts"

/** One more look at facts that the service states anyway. */
const Requests = Metric.fromDimensions("load.requests", [RequestFinished], (d) => {
  const when = (e: RequestFinished) => e.route === "/documents/:id"
  return {
    total: d.count({ when }),
    duration: d.quantiles((e) => e.seconds, { quantiles: [0.5, 0.99], unit: "s", when })
  }
})

const connections = 16
const mostDocuments = 200
const noise = new Uint8Array(16_384).map((_, i) => 33 + i % 94)

/** A request as clients make them: two reads for each write, and some for what is not there. */
export const makeRequest = (url: string) =>
  Effect.map(HttpApiClient.make(DocumentsApi, { baseUrl: url }), ({ documents }) =>
    Effect.gen(function*() {
      const params = { id: `load-${yield* Random.nextIntBetween(1, mostDocuments)}` }
      const kind = yield* Random.next
      if (kind < 0.6) return yield* documents.get({ params })
      if (kind < 0.65) return yield* documents.delete({ params })
      const payload = noise.subarray(yield* Random.nextIntBetween(0, noise.length - 1))
      return yield* documents.put({ params, payload })
    }))

/** Makes requests to a service for some seconds, and prints what became of them: by its own count, and by the metrics. */
export const run = Effect.fnUntraced(function*(url: string, seconds: number) {
  yield* Recorder.register(Requests)
  const request = yield* makeRequest(url)
  const until = (yield* Clock.currentTimeMillis) + 1_000 * seconds
  const tally = { answered: 0, "not found": 0, failed: 0 }

  const count = (outcome: keyof typeof tally) => Effect.sync(() => tally[outcome]++)
  const connection = request.pipe(
    Effect.andThen(count("answered")),
    Effect.catchTag("DocumentNotFound", () => count("not found")),
    Effect.catch(() => count("failed")),
    Effect.repeat({ while: () => Effect.map(Clock.currentTimeMillis, (now) => now < until) })
  )
  yield* Effect.replicateEffect(connection, connections, { concurrency: "unbounded", discard: true })

  const made = Object.values(tally).reduce((sum, count) => sum + count, 0)
  const outcomes = Object.entries(tally).map(([outcome, count]) => `${count} ${outcome}`).join(", ")
  yield* Console.log(`Made ${made} requests in ${seconds} s: ${outcomes}`)
  const { dimensions: { duration, total } } = yield* Recorder.Recorder.use((recorder) => recorder.snapshot(Requests))
  const [median, p99] = [duration.quantiles["0.5"], duration.quantiles["0.99"]].map((s) =>
    (1_000 * (s ?? 0)).toFixed(1)
  )
  yield* Console.log(`The metrics say ${total} requests, half of them within ${median} ms, 99 % within ${p99} ms`)
}, Effect.provide(NodeHttpClient.layerUndici))
