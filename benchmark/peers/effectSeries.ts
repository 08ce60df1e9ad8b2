import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, ManagedRuntime, Metric } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { type Counted, type Scraped, type Series, totalsOf, totalsOfText } from "./Series.ts"

const counted = (context: Context.Context<never>): Counted => ({
  record: ({ client, route }) => Metric.counter("requests", { attributes: { route, client } }).updateUnsafe(1, context)
})

const ownRegistry = () => Context.make(Metric.MetricRegistry, new Map())

export const snapshot = (): Series<ReadonlyArray<Metric.Metric.Snapshot>> => {
  const context = ownRegistry()
  return {
    ...counted(context),
    read: () => Metric.snapshotUnsafe(context),
    totals: (read) =>
      totalsOf(read.map(({ attributes, state }) => [attributes!, (state as Metric.CounterState<number>).count]))
  }
}

export const text = (): Series<string> => {
  const context = ownRegistry()
  return { ...counted(context), read: () => PrometheusMetrics.formatUnsafe(context), totals: totalsOfText }
}

/** The registry that all share. */
export const scraped = async (): Promise<Scraped> => {
  const runtime = ManagedRuntime.make(
    HttpRouter.serve(PrometheusMetrics.layerHttp(), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 }))
    )
  )
  const url = await runtime.runPromise(
    HttpServer.addressFormattedWith((address) => Effect.succeed(`${address}/metrics`))
  )
  return { ...counted(Context.empty()), url }
}
