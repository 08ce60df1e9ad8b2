/**
 * The process of the gate `service`: it has the example service twice, with its
 * metrics and without, and so both share what the compiler made of it. It sends
 * where they are, and the processor time so far whenever it is asked.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect, FileSystem, Layer } from "effect"
import { HttpServer } from "effect/http"
import { MetricsLive, Recorder } from "mvx-metrics"
import * as DocumentStorageMetrics from "../../examples/document-storage/DocumentStorageMetrics.ts"
import * as WebService from "../../examples/web-service/WebService.ts"
import { processorTime } from "../harness/measure.ts"

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

const withMetrics = await start(DocumentStorageMetrics.layer)
const without = await start(Recorder.layerNoop.pipe(Layer.provideMerge(MetricsLive)))
process.on("message", async () => {
  await Effect.runPromise(Effect.andThen(withMetrics.flush, without.flush))
  process.send!(processorTime())
})
process.on("disconnect", () => process.exit())
process.send!([withMetrics.url, without.url])
