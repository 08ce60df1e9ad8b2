import { NodeHttpServer, NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, Equal, FileSystem, Layer, Option } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { TestClock } from "effect/testing"
import { Metric, type Recorder, Runtime } from "mvx-metrics"
import * as Prometheus from "mvx-metrics/exporters/Prometheus"
import * as Http from "node:http"
import * as DocumentStorageMetrics from "../../examples/document-storage/DocumentStorageMetrics.ts"
import * as HttpMetrics from "../../examples/web-service/HttpMetrics.ts"
import { collectLogs, emitAll } from "../support.ts"
import { type FamilyNames, names, Request, Requests, requests } from "./EveryDimension.ts"
import { assertSameSeries, expectedFigures, expectedSeries, type Series } from "./expectedSeries.ts"
import { describeWith, prometheus } from "./programs.ts"
import * as PrometheusServer from "./PrometheusServer.ts"
import * as WebServiceProcess from "./WebServiceProcess.ts"

const now = Date.UTC(2026, 0, 1)

/** A service with a runtime and `/metrics`. */
const makeService = Effect.gen(function*() {
  const context = yield* Layer.build(
    HttpRouter.serve(Prometheus.layer(), { disableListenLog: true, disableLogger: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(Http.createServer, { host: "127.0.0.1", port: 0 })),
      Layer.provideMerge(Runtime.layer({ namespace: "service" }))
    )
  )
  return yield* Effect.provide(
    Effect.all({
      runtime: Runtime.MetricsRuntime,
      url: HttpServer.addressFormattedWith((address) => Effect.succeed(`${address}/metrics`))
    }),
    context
  )
})

/** Shows a series twice. */
const Twice = Metric.make("app.twice", {
  initial: {},
  reduce: (state) => Option.some(state),
  dimensions: () => ({
    v: [{ a: "x" }, { a: "x" }, { a: "" }].map((labels, index) => ({ labels, value: index + 1 }))
  }),
  instruments: { v: { labels: ["a"], of: { kind: "gauge" } } }
})

/** What Prometheus should have of it. */
const expectedOf = Effect.fnUntraced(function*(
  runtime: Runtime.MetricsRuntimeService,
  format: PrometheusServer.Format
) {
  const captures = yield* runtime.captures
  return [...expectedSeries(captures, names, format), ...expectedFigures(runtime, yield* runtime.stats, format)]
})

/** Asserts that Prometheus sees a life of a service follow another: a reset, and no count lost or made up. */
const assertReset = Effect.fnUntraced(function*(
  target: PrometheusServer.Target<unknown>,
  name: string,
  [first, second]: readonly [PrometheusServer.Scrape<unknown>, PrometheusServer.Scrape<unknown>]
) {
  const countsOf = ({ series }: PrometheusServer.Scrape<unknown>) => series.filter((one) => one.name === name)
  const both = countsOf(first).map(({ labels, value }) => {
    const again = countsOf(second).find((one) => Equal.equals(one.labels, labels))
    return { name: "", labels, value: value + again!.value }
  })
  assert.isAbove(both.length, 0, name)
  assert.isTrue(both.every(({ value }) => value > 0), name)
  const [{ value: time } = { value: NaN }] = yield* target.query(`timestamp(${name}{$job})`, second.time)
  // Of what begins with 0, until a scrape, nothing is extrapolated.
  assertSameSeries(yield* target.query(`increase(${name}{$job}[1h])`, time), both)
  assertSameSeries(
    yield* target.query(`resets(${name}{$job}[1h])`, time),
    both.map(({ labels, name }) => ({ name, labels, value: 1 }))
  )
})

const exampleMetrics: ReadonlyArray<Metric.Any> = [
  DocumentStorageMetrics.SaveAttempts,
  DocumentStorageMetrics.SaveDuration,
  DocumentStorageMetrics.SavedBytes,
  DocumentStorageMetrics.SaveFailures,
  HttpMetrics.Requests,
  HttpMetrics.Responses,
  HttpMetrics.Server
]

const exampleNames: FamilyNames = {
  "document_storage.save.attempts": {
    total: { name: "document_storage_save_attempts" },
    success_total: { name: "document_storage_save_attempts_success" },
    failure_total: { name: "document_storage_save_attempts_failure" }
  },
  "document_storage.save.duration": {
    average_ms: { name: "document_storage_save_duration_average_seconds", factor: 1e-3 },
    quantiles_ms: { name: "document_storage_save_duration_quantiles_seconds", factor: 1e-3 }
  },
  "document_storage.save.bytes": {
    bytes_total: { name: "document_storage_save_bytes_bytes" },
    bytes_per_second: { name: "document_storage_save_bytes_bytes_per_second" }
  },
  "document_storage.save.failures": {
    by_reason: { name: "document_storage_save_failures_by_reason" }
  },
  "http.server.request": {
    duration: { name: "http_server_request_duration_seconds" },
    body_size: { name: "http_server_request_body_size_bytes" }
  },
  "http.server.response": {
    body_size: { name: "http_server_response_body_size_bytes" }
  },
  "http.server": {
    active_requests: { name: "http_server_active_requests" }
  }
}

type Snapshots = Readonly<Record<string, Readonly<Record<string, Metric.MetricSnapshot>>>>

const snapshotsOf = async (url: string): Promise<Snapshots> => {
  const response = await fetch(new URL("/snapshots", url))
  return await response.json() as Snapshots
}

/** The captures of which these would be the snapshots, as far as it matters. */
const capturesOf = (snapshots: Snapshots): ReadonlyArray<Recorder.RecorderCapture> =>
  Object.entries(snapshots).map(([recorderId, metrics]) => ({
    namespace: "default",
    export: "own",
    recorderId,
    entityId: recorderId,
    labels: {},
    takenAt: 0,
    offset: 0,
    metrics: Object.values(metrics).map(({ dimensions, name }) => {
      const { instruments } = exampleMetrics.find((metric) => metric.name === name)!
      const metric = Metric.make(name, {
        initial: {},
        reduce: (state) => Option.some(state),
        dimensions: () => dimensions as {},
        instruments
      })
      return { metric, state: {}, epoch: 0, startedAt: 0 }
    })
  }))

/** Whether reading the snapshots right before a scrape may change a series. */
const isOfReading = ({ labels, name }: Series): boolean =>
  labels.http_route === "/snapshots" || name === "http_server_active_requests" || name.startsWith("mvx_metrics_")

describeWith([prometheus], "Prometheus", () => {
  layer(Layer.provideMerge(PrometheusServer.layer, NodeServices.layer), { timeout: "60 seconds" })((it) => {
    const formats: ReadonlyArray<readonly [PrometheusServer.Format, contentType: string]> = [
      ["openmetrics", "application/openmetrics-text; version=1.0.0; charset=utf-8"],
      ["text", "text/plain; version=0.0.4; charset=utf-8"]
    ]

    it.effect.each(formats)(
      "has the value of every series that the snapshots hold, of %s",
      ([format, contentType]) =>
        Effect.gen(function*() {
          yield* TestClock.setTime(now)
          const server = yield* PrometheusServer.PrometheusServer
          const { runtime, url } = yield* makeService
          const recorder = yield* runtime.createRecorder("default", {
            metrics: [Requests],
            labels: { "app.zone": "a" }
          })
          for (const [index, zone] of ["b", "b", "c"].entries()) {
            const connection = yield* runtime.createRecorder(`connection-${index}`, {
              export: "rollup",
              labels: { "app.zone": zone, note: "two\nlines \\ \"quoted\" 🚀" },
              metrics: [Requests]
            })
            emitAll(connection, requests(10 + index))
          }
          const target = yield* server.target({ format })
          yield* target.moveTo(url)
          yield* target.scrape
          yield* TestClock.adjust("10 seconds")
          emitAll(recorder, requests(1_000))
          const { headers, samples, series } = yield* target.scrape
          assertSameSeries(series, yield* expectedOf(runtime, format))
          assert.strictEqual(samples, series.length, "every series once")
          assert.strictEqual(headers["content-type"], contentType)
          assert.strictEqual(headers["content-encoding"], "gzip")

          const metadata = yield* target.metadata
          for (const [dimension, { kind }] of Object.entries(Metric.instruments(Requests))) {
            if (dimension === "never") continue
            const { name, unit = "" } = names["app.requests"]![dimension]!
            const isOpen = format === "openmetrics"
            assert.deepStrictEqual(metadata[kind === "counter" && !isOpen ? `${name}_total` : name], {
              type: kind === "upDownCounter" ? "gauge" : kind,
              help: "Requests that were answered",
              unit: isOpen ? unit : ""
            }, dimension)
          }
        })
    )

    it.effect("no longer has the series of a recorder that was removed", () =>
      Effect.gen(function*() {
        const server = yield* PrometheusServer.PrometheusServer
        const { runtime, url } = yield* makeService
        const removed = yield* runtime.createRecorder("removed", { metrics: [Requests] })
        const stays = yield* runtime.createRecorder("stays", { metrics: [Requests] })
        for (const recorder of [removed, stays]) emitAll(recorder, requests(10))
        const target = yield* server.target()
        yield* target.moveTo(url)
        const before = yield* target.scrape
        assertSameSeries(before.series, yield* expectedOf(runtime, "openmetrics"))
        yield* runtime.removeRecorder("removed")
        const after = yield* target.scrape
        assertSameSeries(after.series, yield* expectedOf(runtime, "openmetrics"))
        assert.isBelow(after.series.length, before.series.length)
      }))

    it.effect("sees a restart of the service as a reset of its counters", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now)
        const server = yield* PrometheusServer.PrometheusServer
        const target = yield* server.target()
        /** From the start of the service to its end; what Prometheus has then. */
        const life = (count: number) =>
          Effect.scoped(Effect.gen(function*() {
            const { runtime, url } = yield* makeService
            const recorder = yield* runtime.createRecorder("default", { metrics: [Requests] })
            yield* target.moveTo(url)
            yield* target.scrape
            emitAll(recorder, requests(count))
            const last = yield* target.scrape
            assertSameSeries(last.series, yield* expectedOf(runtime, "openmetrics"))
            return last
          }))
        const first = yield* life(70)
        yield* TestClock.adjust("1 hour")
        const second = yield* life(30)
        for (
          const name of [
            "app_requests_total",
            "app_requests_answered_total",
            "app_requests_bytes_total",
            "app_requests_busy_seconds_total",
            "app_requests_spread_count_total",
            "app_requests_duration_seconds_bucket",
            "app_requests_duration_seconds_sum",
            "app_requests_duration_seconds_count",
            "app_requests_wait_seconds_sum",
            "app_requests_wait_seconds_count",
            "mvx_metrics_accepted_total"
          ]
        ) yield* assertReset(target, name, [first, second])
      }))

    it.effect.each(formats)(
      "has hostile names, texts and numbers as they are, of %s",
      ([format]) =>
        Effect.gen(function*() {
          const server = yield* PrometheusServer.PrometheusServer
          const { runtime, url } = yield* makeService
          const texts = ["", "\"", "\\", "\\n", "\n", "\r\n", "}", "a=\"b\",c", "\t", "\0", "\u2028", "🚀", "NaN"]
          texts.push("x".repeat(20_000))
          const numbers = [
            0,
            1e-320,
            Number.MIN_VALUE,
            Number.MAX_VALUE,
            NaN,
            Infinity,
            -Infinity,
            2n ** 70n,
            0.1 + 0.2
          ]
          const Hostile = Metric.make("9 \"hostile\" {näme}", {
            initial: {},
            reduce: (state) => Option.some(state),
            dimensions: () => ({
              "\n": texts.map((text, index) => ({ labels: { "text\"": text, "0": String(index) }, value: index })),
              "🚀s": numbers.map((value, index) => ({ labels: { __index: String(index) }, value }))
            }),
            instruments: {
              "\n": { labels: ["text\"", "0"], of: { kind: "upDownCounter" } },
              "🚀s": { labels: ["__index"], of: { kind: "gauge" } }
            }
          })
          yield* runtime.createRecorder("default", { metrics: [Hostile] })
          const target = yield* server.target({ format })
          yield* target.moveTo(url)
          const { samples, series } = yield* target.scrape
          assert.strictEqual(samples, series.length, "every series once")
          assertSameSeries(
            series.filter(({ name }) => name === "_9__hostile___n_me___"),
            texts.map((text, index) => ({
              name: "_9__hostile___n_me___",
              labels: { recorder_id: "default", text_: text, _0: String(index) },
              value: index
            }))
          )
          const found = series.filter(({ name }) => name === "_9__hostile___n_me___s")
          assert.deepStrictEqual(
            numbers.map((_, index) => found.find(({ labels }) => labels.__index === String(index))?.value),
            numbers.map(Number)
          )
        })
    )

    it.effect("has every series once, whatever the labels of recorders are", () =>
      Effect.gen(function*() {
        const server = yield* PrometheusServer.PrometheusServer
        const { runtime, url } = yield* makeService
        for (
          const labels of [{}, { zone: "" }, { zone: "a" }, { recorder_id: "own" }, { "app.zone": "b" }, {
            app_zone: "b"
          }]
        ) {
          const options = { export: "rollup", labels, metrics: [Requests] } as const
          emitAll(yield* runtime.createRecorder(JSON.stringify(labels), options), requests(10))
        }
        const own = yield* runtime.createRecorder("own", { metrics: [Requests, Twice] })
        emitAll(own, ["\ud800", "\ud801", "\ufffd"].map((user) => new Request({ ...requests(1)[0]!, user })))
        const target = yield* server.target()
        yield* target.moveTo(url)
        const { samples, series } = yield* target.scrape
        assert.strictEqual(samples, series.length)
        assertSameSeries(series.filter(({ name }) => name === "app_requests_total" || name === "app_twice_v"), [
          { name: "app_twice_v", labels: { recorder_id: "own", a: "x" }, value: 1 },
          { name: "app_twice_v", labels: { recorder_id: "own" }, value: 3 },
          { name: "app_requests_total", labels: {}, value: 10 },
          { name: "app_requests_total", labels: { zone: "a" }, value: 10 },
          { name: "app_requests_total", labels: { app_zone: "b" }, value: 10 },
          { name: "app_requests_total", labels: { recorder_id: "own" }, value: 3 }
        ])
      }).pipe(Effect.provide(collectLogs().layer)))

    it.effect("has the value of every series that the example service shows at /snapshots, over a restart", () =>
      Effect.gen(function*() {
        const server = yield* PrometheusServer.PrometheusServer
        const fs = yield* FileSystem.FileSystem
        const folder = yield* fs.makeTempDirectoryScoped({ prefix: "documents-" })
        const target = yield* server.target({ before: snapshotsOf })
        const life = (documents: ReadonlyArray<string>) =>
          Effect.scoped(Effect.gen(function*() {
            const service = yield* WebServiceProcess.start(["--dir", folder])
            const ask = (method: string, path: string, body?: string) =>
              Effect.map(
                WebServiceProcess.request(service, path, body === undefined ? { method } : { method, body }),
                ({ status }) => status
              )
            yield* target.moveTo(`${service.url}/metrics`)
            yield* target.scrape
            for (const id of documents) {
              assert.include([201, 204], yield* ask("PUT", `/documents/${id}`, id.repeat(9)))
              assert.strictEqual(yield* ask("GET", `/documents/${id}`), 200)
            }
            assert.strictEqual(yield* ask("GET", "/documents/none"), 404)
            assert.strictEqual(yield* ask("PUT", "/documents/empty", ""), 400)
            assert.strictEqual(yield* ask("DELETE", `/documents/${documents[0]}`), 204)
            assert.strictEqual(yield* ask("GET", "/nowhere"), 404)
            const last = yield* target.scrape
            assert.strictEqual(last.samples, last.series.length, "every series once")
            const expected = expectedSeries(capturesOf(last.before), exampleNames, "openmetrics")
            const [series, wanted] = [last.series, expected].map((all) =>
              all.filter((one) => !one.name.endsWith("_created") && !isOfReading(one))
            )
            assertSameSeries(series!, wanted!)
            yield* service.kill("SIGTERM")
            assert.strictEqual((yield* service.ended).code, 0)
            return last
          }))
        const scrapes = [yield* life(["a", "b", "c"]), yield* life(["d", "e"])] as const
        for (const name of ["document_storage_save_attempts_total", "document_storage_save_attempts_success_total"]) {
          yield* assertReset(target, name, scrapes)
        }
      }))
  })
})
