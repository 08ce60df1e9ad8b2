import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Metric, type Recorder, Runtime } from "mvx-metrics"
import * as StatsD from "mvx-metrics/exporters/StatsD"
import { emitAll, until } from "../support.ts"
import { Requests, requests } from "./EveryDimension.ts"
import { describeWith } from "./programs.ts"
import { make, statsd } from "./StatsDServer.ts"

type Numbers = Record<string, number>

type KeyOf = (name: string, labels: ReadonlyArray<readonly [string, string]>) => string

/** What a server should hold of a runtime: worked out from its samples, with no part of the exporter. */
const expectedOf = (captures: ReadonlyArray<Recorder.RecorderCapture>, keyOf: KeyOf) => {
  const counters: Numbers = {}
  const gauges: Numbers = {}
  // Of each histogram, how many values were not below zero.
  const timings: Numbers = {}
  for (const { labels, metrics, recorderId, takenAt } of captures) {
    const own: Record<string, string> = recorderId === "" ? labels : { ...labels, recorder_id: recorderId }
    for (const { metric, state } of metrics) {
      for (const sample of Metric.samples(metric, state, { time: takenAt })) {
        const key = (suffix: string, more: Record<string, string> = {}) =>
          keyOf(
            `${metric.name}_${sample.dimension}${suffix}`,
            Object.entries({ ...own, ...sample.labels, ...more }).toSorted(([a], [b]) => a < b ? -1 : 1)
          )
        switch (sample.kind) {
          case "counter":
            counters[key("")] = Number(sample.value)
            continue
          case "gauge":
          case "upDownCounter":
            gauges[key("")] = Number(sample.value)
            continue
          case "summary":
            for (const [quantile, estimate] of Object.entries(sample.value.quantiles)) {
              gauges[key("", { quantile })] = estimate!
            }
            break
          case "histogram": {
            const { value } = sample
            const below = value.min! >= 0
              ? []
              : "boundaries" in value
              ? value.counts.filter((_, at) => (value.boundaries[at] ?? Infinity) <= 0)
              : value.negative.counts
            timings[key("")] = value.count - below.reduce((total, count) => total + count, 0)
          }
        }
        counters[key("_count")] = sample.value.count
        counters[key("_sum")] = sample.value.sum
      }
    }
  }
  return { counters, gauges, timings }
}

/** Sums of fractions depend on their order. */
const rounded = (numbers: Numbers): Numbers =>
  Object.fromEntries(
    Object.entries(numbers)
      .filter(([name, value]) => value !== 0 && name.startsWith("shop.app."))
      .map(([name, value]) => [name, Number(value.toPrecision(12))])
      .toSorted(([a], [b]) => a! < b! ? -1 : 1)
  )

/** Characters that the server takes out of a name, or has others for. */
const kept = (text: string): string => text.replace(/\s+/g, "_").replace(/\//g, "-").replace(/[^\w\-.;=]/g, "")

const ways: ReadonlyArray<readonly [name: string, options: StatsD.Options, keyOf: KeyOf]> = [
  [
    "dotted names",
    { tags: "names" },
    (name, labels) => {
      const part = (text: string) => text.replace(/[^a-zA-Z0-9_-]/g, "_") || "_"
      return [`shop.${name}`, ...labels.flat().map(part)].join(".")
    }
  ],
  [
    "tags",
    { tags: "dogstatsd", histograms: "timings" },
    (name, labels) => {
      const tags = labels.map(([label, text]) => `;${label}=${text.replace(/[:|@#,\s]/g, "_")}`)
      return kept(`shop.${name}${tags.join("")}`)
    }
  ]
]

describeWith([statsd], "StatsD", () => {
  it.effect.each(ways)(
    "has the totals of the snapshot, with %s, when the app has ended in mid interval",
    ([_, options, keyOf]) =>
      Effect.gen(function*() {
        const server = yield* make
        const app = yield* Scope.make()
        const context = yield* Layer.buildWithScope(
          StatsD.layer({ ...options, prefix: "shop", port: server.port, interval: "10 seconds" }).pipe(
            Layer.provideMerge(Runtime.layer())
          ),
          app
        )
        const runtime = yield* Effect.provide(Runtime.MetricsRuntime, context)
        const recorder = yield* runtime.createRecorder("default", { metrics: [Requests], labels: { zone: "a b" } })
        const connections = { export: "rollup", labels: { zone: "c" }, metrics: [Requests] } as const
        const exported = until(
          "everything has come",
          Effect.map(runtime.stats, ({ accepted }) => server.total("shop.mvx_metrics_accepted_total") === accepted)
        )
        for (const count of [1, 250, 1_000]) {
          emitAll(recorder, requests(count))
          yield* Effect.scoped(Effect.gen(function*() {
            emitAll(yield* runtime.recorder("connection", connections), requests(count))
          }))
          yield* TestClock.adjust("10 seconds")
          yield* exported
        }
        emitAll(recorder, requests(30))
        yield* TestClock.adjust("4 seconds")
        const { counters, gauges, timings } = expectedOf(yield* runtime.captures, keyOf)
        yield* Scope.close(app, Exit.void)
        yield* exported
        assert.deepStrictEqual(rounded(server.counters), rounded(counters))
        assert.deepStrictEqual(rounded(server.gauges), rounded(gauges))
        assert.deepStrictEqual(rounded(server.timings), rounded(timings))
        assert.strictEqual(server.counters["statsd.bad_lines_seen"], 0)
      }).pipe(Effect.provide(NodeServices.layer))
  )
})
