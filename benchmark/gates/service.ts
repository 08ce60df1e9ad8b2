/**
 * How much more processor time does a request of the example service take with
 * its metrics than with `Recorder.layerNoop`?
 *
 * One process has the service twice, once with each recorder; this one makes the
 * requests, in turns.
 */
import { NodeHttpClient, NodeServices } from "@effect/platform-node"
import { Effect, Random } from "effect"
import { strictEqual } from "node:assert"
import { fork } from "node:child_process"
import { once } from "node:events"
import * as Load from "../../examples/web-service/Load.ts"
import { paired, pairsOf } from "../harness/measure.ts"
import { limit, product, type Question } from "../harness/Question.ts"

const connections = 16

/** How many requests for documents the metrics of a service have counted. */
const counted = async (url: string): Promise<number> => {
  const { default: metrics } = await (await fetch(`${url}/snapshots`)).json() as any
  const series: ReadonlyArray<any> = metrics["http.server.request"]?.dimensions.duration ?? []
  return series
    .filter(({ labels }) => labels["http.route"] === "/documents/:id")
    .reduce((sum, { value }) => sum + value.count, 0)
}

const of = "a request with its metrics"
const column = "/ Recorder.layerNoop"

const question: Question = {
  title: "the processor time of a request of the example service",
  columns: { [column]: "x" },
  cases: {
    [of]: product((effort) =>
      Effect.gen(function*() {
        const requests = effort.short ? 16 : 64
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => fork(new URL("serviceProcess.ts", import.meta.url))),
          (child) => Effect.sync(() => child.kill())
        )
        const answer = async () => (await once(child, "message"))[0]
        const [withMetrics, without]: readonly [string, string] = yield* Effect.promise(answer)
        const elapsed = async (): Promise<number> => {
          child.send("elapsed")
          return answer()
        }

        let made = 0
        /** The requests of a side are the same as those of the other one in its turn. */
        const side = Effect.fnUntraced(function*(url: string) {
          const client = yield* Effect.context<Effect.Services<ReturnType<typeof Load.makeRequest>>>()
          const request = Effect.catchTag(yield* Load.makeRequest(url), "DocumentNotFound", () => Effect.void)
          let seed = 0
          return async (): Promise<number> => {
            const before = await elapsed()
            await Effect.replicateEffect(request, requests, { concurrency: connections, discard: true }).pipe(
              Random.withSeed(seed++),
              Effect.provide(client),
              Effect.runPromise
            )
            made += requests
            return (await elapsed()) - before
          }
        })
        const subject = yield* side(withMetrics)
        const baseline = yield* side(without)
        const value = yield* Effect.promise(() => paired(subject, baseline, { pairs: pairsOf(effort, 200) }))
        strictEqual(yield* Effect.promise(() => counted(withMetrics)), made / 2)
        strictEqual(yield* Effect.promise(() => counted(without)), 0)
        return { [column]: value }
      }).pipe(
        Effect.scoped,
        Effect.provide([NodeHttpClient.layerUndici, NodeServices.layer]),
        Effect.runPromise
      )
    )
  },
  claims: [limit("processor time of a request of the service, with metrics / without", [of, column], "x", 1.03)],
  rounds: 3
}
export default question
