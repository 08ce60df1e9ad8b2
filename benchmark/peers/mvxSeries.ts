import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, ManagedRuntime, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Event, Metric, MetricsLive, Recorder } from "mvx-metrics"
import * as Prometheus from "mvx-metrics/exporters/Prometheus"
import { createServer } from "node:http"
import { makeRecorder } from "./mvx.ts"
import { type Labels, type Scraped, type Series, totalsOf, totalsOfText } from "./Series.ts"

export class Request extends Event.Class<Request>()("http.request", { route: Schema.String, client: Schema.String }) {}

/** Counters with room for so many series. */
export const counters = (count: number, limit: number): ReadonlyArray<Metric.Any> =>
  Array.from(
    { length: count },
    (_, at) =>
      Metric.fromDimensions(count === 1 ? "requests" : `requests_${at}`, [Request], (d) => ({
        total: d.by({ route: (event) => event.route, client: (event) => event.client }, d.count(), { limit })
      }))
  )

const counted = (recorder: Recorder.Recorder["Service"]) => ({
  record: (labels: Labels) => {
    recorder.registerEventUnsafe(new Request(labels))
  },
  settle: () => Effect.runPromise(recorder.flush)
})

const samplesIn = ({ metrics, takenAt }: Recorder.RecorderCapture): ReadonlyArray<Metric.Sample> =>
  metrics.flatMap(({ metric, state }) => Metric.samples(metric, state, { time: takenAt }))

const totalsOfSamples = (samples: ReadonlyArray<Metric.Sample>) =>
  totalsOf(samples.map(({ labels, value }) => [labels, value]))

/** References to the states, which nothing changes any more. */
export const capture = (limit: number): Series<Recorder.RecorderCapture> => {
  const recorder = makeRecorder({ metrics: counters(1, limit) })
  return {
    ...counted(recorder),
    read: () => Effect.runPromise(recorder.capture),
    totals: (read) => totalsOfSamples(samplesIn(read))
  }
}

/** A capture, and each series of it. */
export const samples = (limit: number): Series<ReadonlyArray<Metric.Sample>> => {
  const recorder = makeRecorder({ metrics: counters(1, limit) })
  return {
    ...counted(recorder),
    read: () => Effect.runPromise(Effect.map(recorder.capture, samplesIn)),
    totals: totalsOfSamples
  }
}

/** The default recorder with so many metrics of the same events. */
const live = (metrics: number, limit: number) =>
  Recorder.layerMetrics(...counters(metrics, limit)).pipe(Layer.provideMerge(MetricsLive))

export const text = async (limit: number): Promise<Series<string>> => {
  const runtime = ManagedRuntime.make(live(1, limit))
  return {
    ...counted(await runtime.runPromise(Recorder.Recorder)),
    read: () => runtime.runPromise(Prometheus.format()),
    totals: totalsOfText
  }
}

export const scraped = async (metrics: number, limit: number): Promise<Scraped> => {
  const runtime = ManagedRuntime.make(
    HttpRouter.serve(Prometheus.layer(), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 })),
      Layer.provideMerge(live(metrics, limit))
    )
  )
  const url = await runtime.runPromise(
    HttpServer.addressFormattedWith((address) => Effect.succeed(`${address}/metrics`))
  )
  return { ...counted(await runtime.runPromise(Recorder.Recorder)), url }
}
