/**
 * How much more processor time does a request of the example service take with
 * its metrics than with `Recorder.layerNoop`?
 *
 * One process has the service twice, once with each recorder, and so shares
 * what the compiler made of it; this one makes the requests, in turns.
 */
import { NodeHttpClient, NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer, Random } from "effect"
import { HttpServer } from "effect/http"
import { MetricsLive, Recorder } from "mvx-metrics"
import { strictEqual } from "node:assert"
import { fork } from "node:child_process"
import { once } from "node:events"
import * as DocumentStorageMetrics from "../examples/document-storage/DocumentStorageMetrics.ts"
import * as Load from "../examples/web-service/Load.ts"
import * as WebService from "../examples/web-service/WebService.ts"
import { median, processorTime, report } from "./harness.ts"

const requests = 64
const connections = 16
const warmUps = 30
const quadruples = 150

interface Service {
  readonly url: string
  /** Folds what the recorder still has, so that the cost falls on those who caused it. */
  readonly flush: Effect.Effect<void>
}

/** Starts a service that states its facts to the recorder of a layer. */
const start = (metrics: typeof DocumentStorageMetrics.layer): Promise<Service> =>
  new Promise((resolve, reject) =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const { flush } = yield* Recorder.Recorder
      return yield* HttpServer.addressFormattedWith((url) => Effect.sync(() => resolve({ url, flush }))).pipe(
        Effect.andThen(Effect.never),
        Effect.provide(WebService.layer({ folder, port: 0 }))
      )
    }).pipe(
      Effect.scoped,
      Effect.provide([metrics, NodeServices.layer]),
      Effect.runPromise,
      (ended) => ended.catch(reject)
    )
  )

const serve = async (): Promise<void> => {
  const withMetrics = await start(DocumentStorageMetrics.layer)
  const without = await start(Recorder.layerNoop.pipe(Layer.provideMerge(MetricsLive)))
  process.on("message", async () => {
    await Effect.runPromise(Effect.andThen(withMetrics.flush, without.flush))
    process.send!(processorTime())
  })
  process.on("disconnect", () => process.exit())
  process.send!([withMetrics.url, without.url])
}

/** How many requests for documents the metrics of a service have counted. */
const counted = async (url: string): Promise<number> => {
  const { default: metrics } = await (await fetch(`${url}/snapshots`)).json() as any
  const series: ReadonlyArray<any> = metrics["http.server.request"]?.dimensions.duration ?? []
  return series
    .filter(({ labels }) => labels["http.route"] === "/documents/:id")
    .reduce((sum, { value }) => sum + value.count, 0)
}

const measure = Effect.gen(function*() {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(new URL(import.meta.url), ["serve"])),
    (child) => Effect.sync(() => child.kill())
  )
  const answer = Effect.promise(async () => (await once(child, "message"))[0])
  const [withMetrics, without]: readonly [string, string] = yield* answer
  const elapsed: Effect.Effect<number> = Effect.suspend(() => {
    child.send("elapsed")
    return answer
  })

  const side = Effect.fnUntraced(function*(url: string) {
    const request = Effect.catchTag(yield* Load.makeRequest(url), "DocumentNotFound", () => Effect.void)
    return Effect.fnUntraced(function*(seed: number) {
      const before = yield* elapsed
      yield* Effect.replicateEffect(request, requests, { concurrency: connections, discard: true }).pipe(
        Random.withSeed(seed),
        Effect.orDie
      )
      return ((yield* elapsed) - before) / requests
    })
  })
  const subject = yield* side(withMetrics)
  const baseline = yield* side(without)

  const measured: Array<readonly [subject: number, baseline: number]> = []
  for (let seed = 0; seed < warmUps + quadruples; seed++) {
    const first = yield* subject(seed)
    const second = (yield* baseline(seed)) + (yield* baseline(seed))
    measured.push([(first + (yield* subject(seed))) / 2, second / 2])
  }
  const made = 2 * requests * measured.length
  strictEqual(yield* Effect.promise(() => counted(withMetrics)), made)
  strictEqual(yield* Effect.promise(() => counted(without)), 0)
  return measured.slice(warmUps)
})

if (process.argv[2] === "serve") {
  await serve()
} else {
  const measured = await Effect.runPromise(
    Effect.scoped(measure).pipe(Effect.provide([NodeHttpClient.layerUndici, NodeServices.layer]))
  )
  report({
    name: "processor time of a request, with metrics / without",
    unit: "x",
    limit: 1.03,
    value: median(measured.map(([subject, baseline]) => subject / baseline)),
    sides: [median(measured.map(([subject]) => subject)), median(measured.map(([, baseline]) => baseline))]
  })
}
