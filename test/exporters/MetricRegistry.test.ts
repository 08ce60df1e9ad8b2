import { NodeSocket, NodeSocketServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Logger, Metric as EffectMetric, Option, Queue, Scope } from "effect"
import { DevToolsClient, type DevToolsSchema, DevToolsServer } from "effect/devtools"
import { FetchHttpClient } from "effect/http"
import { OtlpExporter, OtlpMetrics, OtlpSerialization, PrometheusMetrics } from "effect/observability"
import { SocketServer } from "effect/socket"
import { type Dimension, Metric, type Recorder, Runtime } from "mvx-metrics"
import * as MetricRegistry from "mvx-metrics/exporters/MetricRegistry"
import { Requests, requests } from "../integration/EveryDimension.ts"
import { type Export, labelsOf, metricsOf, OtlpReceiver, pointsOf } from "../integration/OtlpReceiver.ts"
import { BrokenView, emitAll, Hit } from "../support.ts"

type Registry = EffectMetric.MetricRegistry

const contextOf = (registry: Registry) => Context.make(EffectMetric.MetricRegistry, registry)

const snapshotOf = (registry: Registry) => EffectMetric.snapshotUnsafe(contextOf(registry))

/** What Effect's own exporter for Prometheus makes of a registry, but for the figures of the runtime. */
const textOf = (registry: Registry): ReadonlyArray<string> =>
  PrometheusMetrics.formatUnsafe(contextOf(registry)).split("\n").filter((line) =>
    line !== "" && !line.includes("mvx_metrics_")
  )

/** The states of the series of a name, by their attributes. */
const statesOf = (registry: Registry, name: string) =>
  snapshotOf(registry).filter(({ id }) => id === name).map(({ attributes, state }) => [attributes, state])

/** The numbers of the counters and gauges of a name. */
const numbersOf = (registry: Registry, name: string): ReadonlyArray<number | bigint> =>
  snapshotOf(registry).flatMap((series) => {
    if (series.id !== name) return []
    if (series.type === "Counter") return [series.state.count]
    return series.type === "Gauge" ? [series.state.value] : []
  })

const sum = (numbers: ReadonlyArray<number | bigint>): number => numbers.reduce<number>((a, b) => a + Number(b), 0)

/** The names in a registry, but for the figures of the runtime. */
const namesOf = (registry: Registry): ReadonlyArray<string> =>
  [...new Set(snapshotOf(registry).map(({ id }) => id))].filter((id) => !id.startsWith("mvx_metrics_")).toSorted()

/** How many series are said to be left out, by reason. */
const leftOutOf = (registry: Registry): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    snapshotOf(registry).flatMap((series) =>
      series.id === "mvx_metrics_series_left_out" && series.type === "Gauge" && series.state.value !== 0
        ? [[series.attributes!["reason"], series.state.value]]
        : []
    )
  )

interface Options {
  readonly around?: Registry
  readonly namespace?: string
  readonly wrap?: (runtime: Runtime.Handle) => Runtime.MetricsRuntimeService
}

/** A runtime whose series are in a registry, until `close`. */
const bridge = Effect.fnUntraced(
  function*({ around = new Map(), namespace = "shop", wrap = (runtime) => runtime }: Options = {}) {
    const runtime = yield* Runtime.make({ namespace })
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const context = yield* MetricRegistry.layer.pipe(
      Layer.provide(Layer.succeed(Runtime.MetricsRuntime, wrap(runtime))),
      Layer.buildWithScope(scope),
      Effect.provideService(EffectMetric.MetricRegistry, around)
    )
    const registry: Registry = Context.get(context, EffectMetric.MetricRegistry)
    return { around, registry, runtime, close: Scope.close(scope, Exit.void) }
  }
)

/** A bridge, and a recorder with metrics. */
const bridgeOf = Effect.fnUntraced(function*(
  metrics: ReadonlyArray<Metric.Any>,
  options: Options & Pick<Runtime.RecorderOptions, "labels" | "export"> = {}
) {
  const bridged = yield* bridge(options)
  const recorder = yield* bridged.runtime.createRecorder("orders", {
    metrics,
    labels: options.labels,
    export: options.export
  })
  return { ...bridged, recorder }
})

/** Calls back for every capture. */
const onCapture = (f: () => void) => (runtime: Runtime.Handle): Runtime.MetricsRuntimeService =>
  Object.create(runtime, {
    capturesUnsafe: {
      value: () => {
        f()
        return runtime.capturesUnsafe()
      }
    }
  })

/** Ends the run of code that goes on. */
const nextRun = Effect.promise(() => Promise.resolve())

interface Exporter {
  readonly export: Effect.Effect<Export>
  /** With the end of the exporter. */
  readonly lastExport: Effect.Effect<Export>
}

/** Effect's own exporter for OTLP over a registry. */
const exporting = (
  registry: Registry,
  serialization = OtlpSerialization.layerJson
): Effect.Effect<Exporter, never, Scope.Scope> =>
  Effect.gen(function*() {
    const receiver = yield* OtlpReceiver.make
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const context = yield* OtlpMetrics.layer({ url: receiver.url, resource: { serviceName: "shop" } }).pipe(
      Layer.provide([FetchHttpClient.layer, serialization]),
      Layer.buildWithScope(scope),
      Effect.provideService(EffectMetric.MetricRegistry, registry)
    )
    const { flush } = Context.get(context, OtlpExporter.Flusher)
    const sentBy = (effect: Effect.Effect<void>) =>
      Effect.gen(function*() {
        const before = receiver.exports.length
        yield* effect
        assert.strictEqual(receiver.exports.length, before + 1, "nothing was exported")
        return receiver.exports.at(-1)!
      })
    return { export: sentBy(flush), lastExport: sentBy(Scope.close(scope, Exit.void)) }
  })

const exportedNames = (sent: Export): ReadonlyArray<string> =>
  metricsOf(sent).map(({ name }) => name).filter((name) => !name.startsWith("mvx_metrics_")).toSorted()

/** Collects the errors that are logged. */
const collectErrors = () => {
  const errors: Array<unknown> = []
  const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
    if (logLevel === "Error") {
      errors.push(...cause.reasons.length > 0 ? [Cause.squash(cause)] : (message as Array<unknown>).slice(0, 1))
    }
  })
  return { errors, layer: Logger.layer([logger]) }
}

/** What a logged refusal says. */
const refusalsOf = (errors: ReadonlyArray<unknown>) =>
  errors.map((error) => {
    assert.instanceOf(error, MetricRegistry.SeriesRefusedError)
    const { expected, found, reason, series } = error
    return { reason, series, expected, found }
  })

interface Placed {
  readonly _tag: "order.placed"
  readonly user: string
  readonly cents: number
}

const placed = (user: string, cents = 100): Placed => ({ _tag: "order.placed", user, cents })

const Orders = Metric.fromDimensions("orders", ["order.placed"], (d: Dimension.Builder<Placed>) => ({
  total: d.count(),
  by_user: d.by("user", (e) => e.user, d.count())
}))

const place = (recorder: Recorder.RecorderService, ...users: ReadonlyArray<string>) =>
  emitAll(recorder, users.map((user) => placed(user)))

/** A metric that shows what it is told to, in the instruments that it is told. */
const showing = (
  name: string,
  initial: Readonly<Record<string, unknown>>,
  instruments: Metric.Instruments = {}
): Metric.Any =>
  Metric.make(name, {
    events: ["show"],
    initial,
    reduce: (_, event: { readonly _tag: "show"; readonly state: Readonly<Record<string, unknown>> }) =>
      Option.some(event.state),
    instruments
  })

const show = (recorder: Recorder.RecorderService, state: Readonly<Record<string, unknown>>) =>
  assert.isTrue(recorder.registerEventUnsafe({ _tag: "show", state } as never))

const histogramOf = (overrides: Partial<Dimension.HistogramValue> = {}): Dimension.HistogramValue => ({
  count: 0,
  sum: 0,
  min: undefined,
  max: undefined,
  boundaries: [10, 100],
  counts: [0, 0, 0],
  ...overrides
})

const histogram: Metric.Instruments = { size: { kind: "histogram" } }

describe("MetricRegistry", () => {
  describe("kinds", () => {
    const every = Metric.fromDimensions("every", ["order.placed"], (d: Dimension.Builder<Placed>) => ({
      total: d.count(),
      open: d.upDown((e) => 300 - e.cents),
      last: d.last((e) => e.cents, { unit: "ct" }),
      amount: d.histogram((e) => e.cents, { boundaries: [100, 1000], unit: "ct" }),
      wait: d.quantiles((e) => e.cents, { quantiles: [0, 1], unit: "ms" }),
      by_user: d.by("user", (e) => e.user, d.count())
    }), { description: "Orders,\nall of them" })

    const labels: Readonly<Record<string, unknown>> = { region: "eu", recorder_id: "orders" }

    it.effect("the text of Effect's exporter for Prometheus has every series", () =>
      Effect.gen(function*() {
        const { recorder, registry } = yield* bridgeOf([every], { labels: { region: "eu" } })
        emitAll(recorder, [placed("ada", 50), placed("a\"b\\c\nd", 5000), placed("ada", 100)])
        assert.deepStrictEqual(textOf(registry), [
          "# HELP every_total Orders,\\nall of them",
          "# TYPE every_total counter",
          `every_total{region="eu",recorder_id="orders"} 3`,
          "# HELP every_open Orders,\\nall of them",
          "# TYPE every_open gauge",
          `every_open{region="eu",recorder_id="orders"} -4250`,
          "# HELP every_last Orders,\\nall of them",
          "# TYPE every_last gauge",
          `every_last{region="eu",recorder_id="orders"} 100`,
          "# HELP every_amount Orders,\\nall of them",
          "# TYPE every_amount histogram",
          `every_amount_bucket{region="eu",recorder_id="orders",le="100"} 2`,
          `every_amount_bucket{region="eu",recorder_id="orders",le="1000"} 2`,
          `every_amount_bucket{region="eu",recorder_id="orders",le="+Inf"} 3`,
          `every_amount_sum{region="eu",recorder_id="orders"} 5150`,
          `every_amount_count{region="eu",recorder_id="orders"} 3`,
          "# HELP every_wait Orders,\\nall of them",
          "# TYPE every_wait summary",
          `every_wait{region="eu",recorder_id="orders",quantile="0"} 50`,
          `every_wait{region="eu",recorder_id="orders",quantile="1"} 5000`,
          `every_wait_sum{region="eu",recorder_id="orders"} 5150`,
          `every_wait_count{region="eu",recorder_id="orders"} 3`,
          "# HELP every_by_user Orders,\\nall of them",
          "# TYPE every_by_user counter",
          `every_by_user{region="eu",recorder_id="orders",user="ada"} 2`,
          `every_by_user{region="eu",recorder_id="orders",user="a\\"b\\\\c\\nd"} 1`
        ])
      }))

    /** What is not a number of a point. */
    const beside = new Set(["attributes", "exemplars", "startTimeUnixNano", "timeUnixNano"])

    for (const serialization of ["layerJson", "layerProtobuf"] as const) {
      it.effect(`Effect's exporter for OTLP sends every series: ${serialization}`, () =>
        Effect.gen(function*() {
          const { recorder, registry } = yield* bridgeOf([every], { labels: { region: "eu" } })
          const otlp = yield* exporting(registry, OtlpSerialization[serialization])
          emitAll(recorder, [placed("ada", 50), placed("bob", 5000), placed("ada", 100)])
          const sent = yield* otlp.export
          const shown = metricsOf(sent).flatMap(({ description, gauge, histogram, name, sum, summary, unit }) => {
            if (name.startsWith("mvx_metrics_")) return []
            assert.strictEqual(description, "Orders,\nall of them")
            const points = pointsOf(sent, name).map((point) =>
              Object.fromEntries([
                ...Object.entries(labelsOf(point)),
                ...Object.entries(point).filter(([field]) => !beside.has(field))
              ])
            )
            const kind = sum === undefined
              ? { gauge, histogram, summary }
              : { [sum.isMonotonic === true ? "monotonic" : "other"]: sum }
            return [[name, Object.keys(kind).find((key) => (kind as any)[key]), unit, ...points]]
          })
          const amount = { count: "3", sum: 5150, min: 50, max: 5000, explicitBounds: [100, 1000] }
          const wait = { quantileValues: [{ quantile: 0, value: 50 }, { quantile: 1, value: 5000 }] }
          assert.deepStrictEqual(shown, [
            ["every_total", "monotonic", "1", { ...labels, asDouble: 3 }],
            ["every_open", "gauge", "1", { ...labels, asDouble: -4250 }],
            ["every_last", "gauge", "ct", { ...labels, unit: "ct", asDouble: 100 }],
            ["every_amount", "histogram", "ct", { ...labels, unit: "ct", ...amount, bucketCounts: ["2", "0", "1"] }],
            ["every_wait", "summary", "ms", { ...labels, unit: "ms", ...wait, count: "3", sum: 5150 }],
            [
              "every_by_user",
              "monotonic",
              "1",
              { ...labels, user: "ada", asDouble: 2 },
              { ...labels, user: "bob", asDouble: 1 }
            ]
          ])
        }))
    }

    it.effect("the Effect DevTools get every series", () =>
      Effect.gen(function*() {
        const { recorder, registry } = yield* bridgeOf([every])
        const metrics = yield* devTools(
          registry,
          Effect.sync(() => emitAll(recorder, [placed("ada", 50), placed("bob", 5000)]))
        )
        assert.deepStrictEqual(
          metrics.filter(({ id }) => id.startsWith("every_")).map(({ id, state, type }) => [id, type, state]),
          [
            ["every_total", "Counter", { count: 2, incremental: true }],
            ["every_open", "Gauge", { value: -4450 }],
            ["every_last", "Gauge", { value: 5000 }],
            ["every_amount", "Histogram", { buckets: [[100, 1], [1000, 1]], count: 2, min: 50, max: 5000, sum: 5050 }],
            ["every_wait", "Summary", { quantiles: [[0, 50], [1, 5000]], count: 2, min: 50, max: 5000, sum: 5050 }],
            ["every_by_user", "Counter", { count: 1, incremental: true }],
            ["every_by_user", "Counter", { count: 1, incremental: true }]
          ]
        )
      }))

    it.effect("every built-in dimension has the values and labels of its samples", () =>
      Effect.gen(function*() {
        const { errors, layer } = collectErrors()
        const { recorder, registry, runtime } = yield* Effect.provide(bridgeOf([Requests]), layer)
        emitAll(recorder, requests(300))
        const [capture] = yield* runtime.captures
        const samples = Metric.samples(Requests, capture!.metrics[0]!.state as never, { time: capture!.takenAt })
        const expected = samples.map(({ dimension, kind, labels, unit, value }) => {
          const attributes = { recorder_id: "orders", ...labels, ...unit === undefined ? {} : { unit } }
          const id = `app.requests_${dimension}`
          if (kind === "counter") return { id, type: "Counter", attributes, numbers: value }
          if (kind !== "histogram" && kind !== "summary") return { id, type: "Gauge", attributes, numbers: value }
          const type = kind === "histogram" ? "Histogram" : "Summary"
          return { id, type, attributes, numbers: { count: value.count, sum: value.sum } }
        })
        const shown = snapshotOf(registry).filter(({ id }) => id.startsWith("app.requests_")).map((series) => {
          const { attributes, id, type } = series
          if (series.type === "Counter") return { id, type, attributes, numbers: series.state.count }
          if (series.type === "Gauge") return { id, type, attributes, numbers: series.state.value }
          if (series.type === "Frequency") throw new Error("a frequency")
          return { id, type, attributes, numbers: { count: series.state.count, sum: series.state.sum } }
        })
        assert.isAbove(shown.length, 50)
        assert.deepStrictEqual(shown, expected as never)
        assert.deepStrictEqual(errors, [])
      }))

    it.effect("an exponential histogram has at most 40 buckets, each with the values up to its bound", () =>
      Effect.gen(function*() {
        const Amounts = Metric.fromDimensions("amounts", ["order.placed"], (d: Dimension.Builder<Placed>) => ({
          cents: d.exponentialHistogram((e) => e.cents, { maxSize: 160 })
        }))
        const { recorder, registry } = yield* bridgeOf([Amounts])
        // None of them is a power of two, and so a bound.
        const values = Array.from({ length: 500 }, (_, at) => at % 50 === 0 ? 0 : (at - 100.3) * (1 + at % 17))
        emitAll(recorder, values.map((cents) => placed("ada", cents)))
        const [[, state] = []] = statesOf(registry, "amounts_cents")
        const { buckets, count, max, min } = state as EffectMetric.HistogramState
        assert.isAbove(buckets.length, 20)
        assert.isAtMost(buckets.length, 41)
        for (const [bound, upTo] of buckets) {
          assert.strictEqual(upTo, values.filter((value) => value <= bound).length, `up to ${bound}`)
        }
        assert.deepStrictEqual({ count, max, min }, { count: 500, max: Math.max(...values), min: Math.min(...values) })
      }))

    it.effect("what the runtime says about itself is there, under its name", () =>
      Effect.gen(function*() {
        const { recorder, registry, runtime } = yield* bridgeOf([Orders], { namespace: "eu shop" })
        place(recorder, "ada", "bob")
        assert.deepStrictEqual(statesOf(registry, "mvx_metrics_accepted_total"), [[
          { runtime: "eu shop" },
          { count: 2, incremental: true }
        ]])
        yield* runtime.removeRecorder("orders")
        assert.isFalse(recorder.registerEventUnsafe(placed("ada")))
        assert.deepStrictEqual(statesOf(registry, "mvx_metrics_recorders"), [[{ runtime: "eu shop" }, { value: 0 }]])
      }))

    it.effect("attributes of the program's own metrics are not those of a runtime", () =>
      Effect.gen(function*() {
        const requests = EffectMetric.counter("http_requests")
        const { registry } = yield* Effect.provideService(
          bridgeOf([Orders]),
          EffectMetric.CurrentMetricAttributes,
          { service: "web" }
        )
        const context = Context.merge(
          contextOf(registry),
          Context.make(EffectMetric.CurrentMetricAttributes, { service: "web" })
        )
        requests.updateUnsafe(1, context)
        const shown = EffectMetric.snapshotUnsafe(context)
        const attributesOf = (name: string) => shown.filter(({ id }) => id === name).map(({ attributes }) => attributes)
        assert.deepStrictEqual(attributesOf("http_requests"), [{ service: "web" }])
        assert.deepStrictEqual(attributesOf("orders_total"), [{ recorder_id: "orders" }])
      }))

    it.effect("a unit goes out as the unit, not as a label of Prometheus", () =>
      Effect.gen(function*() {
        const Sizes = Metric.fromDimensions("sizes", ["order.placed"], (d: Dimension.Builder<Placed>) => ({
          bytes_total: d.sum((e) => e.cents, { unit: "By" })
        }))
        const { recorder, registry } = yield* bridgeOf([Sizes])
        place(recorder, "ada")
        const otlp = yield* exporting(registry)
        const metric = metricsOf(yield* otlp.export).find(({ name }) => name === "sizes_bytes_total")
        assert.strictEqual(metric?.unit, "By")
        assert.deepStrictEqual(statesOf(registry, "sizes_bytes_total"), [
          [{ recorder_id: "orders", unit: "By" }, { count: 100, incremental: true }]
        ])
        assert.include(textOf(registry), `sizes_bytes_total{recorder_id="orders"} 100`)
      }))
  })

  describe("reads", () => {
    for (const place of ["on top of the layer", "beside it"] as const) {
      const readerOf = ({ around, registry }: { around: Registry; registry: Registry }) =>
        place === "beside it" ? around : registry

      it.effect(`each read has what was accepted before it, also in one run of code: ${place}`, () =>
        Effect.gen(function*() {
          const bridged = yield* bridgeOf([Orders])
          const reader = readerOf(bridged)
          assert.strictEqual(bridged.registry.size, new Set(bridged.registry.keys()).size)
          const seen = []
          for (let at = 0; at < 5; at++) {
            emitAll(bridged.recorder, [placed("ada")])
            seen.push(...numbersOf(reader, "orders_total"))
          }
          assert.deepStrictEqual(seen, [1, 2, 3, 4, 5])
        }))

      it.effect(`a read takes one capture: ${place}`, () =>
        Effect.gen(function*() {
          let captures = 0
          const bridged = yield* bridgeOf([Orders], { wrap: onCapture(() => captures++) })
          const reader = readerOf(bridged)
          emitAll(bridged.recorder, ["ada", "bob", "eve"].map((user) => placed(user)))
          snapshotOf(bridged.registry)
          captures = 0
          for (let reads = 1; reads <= 3; reads++) {
            snapshotOf(reader)
            assert.strictEqual(captures, reads)
          }
          PrometheusMetrics.formatUnsafe(contextOf(reader))
          assert.strictEqual(captures, 4)
          yield* Effect.provide(EffectMetric.dump, contextOf(reader))
          assert.strictEqual(captures, 5)
        }))

      it.effect(`all of a read is of one moment, whatever happens during it: ${place}`, () =>
        Effect.gen(function*() {
          const around: Registry = new Map()
          let recorder: Recorder.Handle | undefined
          const gaugeOf = (name: string) =>
            EffectMetric.registerUnsafe(EffectMetric.gauge(name), contextOf(around), {
              get: () => {
                if (recorder !== undefined) {
                  emitAll(recorder, [placed("ada"), placed("bob")])
                }
                return { value: 1 }
              },
              update: () => {},
              modify: () => {}
            })
          gaugeOf("first")
          const bridged = yield* bridgeOf([Orders], { around })
          const reader = readerOf(bridged)
          emitAll(bridged.recorder, [placed("ada"), placed("bob")])
          snapshotOf(bridged.registry)
          gaugeOf("in the middle")
          emitAll(bridged.recorder, [placed("eve")])
          snapshotOf(bridged.registry)
          recorder = bridged.recorder
          const seen = Array.from({ length: 5 }, () => {
            const shown = snapshotOf(reader)
            const of = (name: string) => sum(shown.flatMap((one) => one.id === name ? [(one.state as any).count] : []))
            return [of("orders_total"), of("orders_by_user")]
          })
          // Four with each read, of which those of the gauge that is read first are there if the read begins after it.
          assert.deepStrictEqual(
            seen,
            [3, 7, 11, 15, 19].map((n) => place === "beside it" ? n + 2 : n).map((n) => [n, n])
          )
        }))

      it.effect(`a single series is up to date in every run of code: ${place}`, () =>
        Effect.gen(function*() {
          const bridged = yield* bridgeOf([Orders])
          snapshotOf(bridged.registry)
          const [key] = [...bridged.around].find(([, { id }]) => id === "mvx_metrics_accepted_total")!
          const [later] = [...bridged.around].find(([, { id }]) => id === "orders_total")!
          const read = (key: string) => readerOf(bridged).get(key)!.hooks.get(Context.empty()).count
          emitAll(bridged.recorder, [placed("ada")])
          assert.strictEqual(read(key), 1)
          emitAll(bridged.recorder, [placed("ada")])
          assert.strictEqual(read(key), 2)
          emitAll(bridged.recorder, [placed("ada")])
          yield* nextRun
          assert.strictEqual(read(later), 3)
        }))
    }

    it.effect("a read stays one when a series takes the place of another", () =>
      Effect.gen(function*() {
        let captures = 0
        const [user, cents] = [(e: Placed) => e.user, (e: Placed) => `${e.cents}`]
        const by = (labels: Readonly<Record<string, (event: Placed) => string>>) =>
          Metric.fromDimensions("first", ["order.placed"], (d: Dimension.Builder<Placed>) => ({
            by: d.by(labels, d.count())
          }))
        const level = (kind: "gauge" | "upDownCounter") => showing("second", { level: 1 }, { level: { kind } })
        const { around, recorder, registry } = yield* bridgeOf([by({ user, cents }), level("gauge"), Orders], {
          wrap: onCapture(() => captures++)
        })
        place(recorder, "ada")
        snapshotOf(registry)
        const again = [by({ cents, user }), level("upDownCounter")]
        for (const [at, metric] of again.entries()) {
          yield* recorder.unregisterMetric(metric.name)
          yield* recorder.registerMetric(metric)
          place(recorder, "ada")
          for (const reader of [registry, registry, around]) {
            captures = 0
            assert.deepStrictEqual(numbersOf(reader, "orders_total"), [2 + at])
            assert.strictEqual(captures, 1)
          }
        }
        assert.deepStrictEqual(numbersOf(registry, "first_by"), [2])
        assert.deepStrictEqual(numbersOf(registry, "second_level"), [1])
      }))

    it.effect("nothing is read unless somebody reads", () =>
      Effect.gen(function*() {
        let captures = 0
        const { recorder } = yield* bridgeOf([Orders], { wrap: onCapture(() => captures++) })
        assert.strictEqual(captures, 1)
        emitAll(recorder, Array.from({ length: 1000 }, (_, at) => placed(`${at}`)))
        yield* recorder.flush
        assert.strictEqual(captures, 1)
      }))

    it.effect("a new label value is in the same read on top of the layer, and one read later beside it", () =>
      Effect.gen(function*() {
        const { around, recorder, registry } = yield* bridgeOf([Orders])
        place(recorder, "ada")
        assert.deepStrictEqual(numbersOf(registry, "orders_by_user"), [1])
        place(recorder, "bob", "bob")
        assert.deepStrictEqual(numbersOf(registry, "orders_by_user"), [1, 2])
        place(recorder, "eve", "eve", "eve")
        assert.deepStrictEqual(numbersOf(around, "orders_by_user"), [1, 2])
        assert.deepStrictEqual(numbersOf(around, "orders_by_user"), [1, 2, 3])
      }))

    it.effect("the last export on top of the layer has what came since the one before", () =>
      Effect.gen(function*() {
        const { recorder, registry } = yield* bridgeOf([Orders])
        const otlp = yield* exporting(registry)
        place(recorder, "ada")
        yield* otlp.export
        place(recorder, "ada", "bob")
        const sent = yield* otlp.lastExport
        assert.deepStrictEqual(pointsOf(sent, "orders_total").map(({ asDouble }) => asDouble), [3])
        assert.deepStrictEqual(
          pointsOf(sent, "orders_by_user").map((point) => [labelsOf(point)["user"], point.asDouble]),
          [["ada", 2], ["bob", 1]]
        )
      }))

    it.effect("an application of layers exports a last time before its runtime goes", () =>
      Effect.gen(function*() {
        const receiver = yield* OtlpReceiver.make
        const exporter = OtlpMetrics.layer({ url: receiver.url, resource: { serviceName: "shop" } }).pipe(
          Layer.provide([MetricRegistry.layer, FetchHttpClient.layer, OtlpSerialization.layerJson]),
          Layer.provideMerge(Runtime.layer({ namespace: "shop" }))
        )
        const program = Effect.gen(function*() {
          const runtime = yield* Runtime.MetricsRuntime
          const recorder = yield* runtime.createRecorder("orders", { metrics: [Orders] })
          place(recorder, "ada")
        })
        const around: Registry = new Map()
        yield* program.pipe(
          Effect.provide(exporter),
          Effect.provideService(EffectMetric.MetricRegistry, around)
        )
        assert.deepStrictEqual(
          receiver.exports.map((sent) => pointsOf(sent, "orders_total").map(({ asDouble }) => asDouble)),
          [[1]]
        )
        assert.strictEqual(around.size, 0)
      }))

    it.effect("a view may read the registry", () =>
      Effect.gen(function*() {
        let registry: Registry | undefined
        let seen: ReadonlyArray<unknown> = []
        let captures = 0
        const Curious = Metric.make("curious", {
          events: ["order.placed"],
          initial: { total: 0 },
          reduce: (s) => Option.some({ total: s.total + 1 }),
          dimensions: (s) => {
            if (registry !== undefined && registry.size > 0) seen = numbersOf(registry, "curious_total")
            return s
          }
        })
        const bridged = yield* bridgeOf([Curious], { wrap: onCapture(() => captures++) })
        snapshotOf(bridged.registry)
        registry = bridged.registry
        place(bridged.recorder, "ada")
        captures = 0
        assert.deepStrictEqual(numbersOf(bridged.registry, "curious_total"), [1])
        assert.deepStrictEqual(seen, [0])
        assert.strictEqual(captures, 1)
      }))

    it.effect("a read whose runtime cannot be read shows what was there, and the defect is logged", () => {
      const { errors, layer } = collectErrors()
      return Effect.gen(function*() {
        let isBroken = false
        const { around, recorder, registry } = yield* bridgeOf([Orders], {
          wrap: onCapture(() => {
            if (isBroken) throw new Error("no captures")
          })
        })
        place(recorder, "ada")
        const before = snapshotOf(registry)
        isBroken = true
        place(recorder, "bob")
        assert.deepStrictEqual(snapshotOf(registry), before)
        assert.deepStrictEqual(snapshotOf(around), before)
        assert.deepStrictEqual(textOf(registry).includes(`orders_total{recorder_id="orders"} 1`), true)
        assert.deepStrictEqual(errors.map(String), Array(3).fill("Error: no captures"))
        isBroken = false
        assert.deepStrictEqual(numbersOf(registry, "orders_total"), [2])
      }).pipe(Effect.provide(layer))
    })
  })

  describe("coming and going", () => {
    it.effect("a removed recorder leaves nothing behind", () =>
      Effect.gen(function*() {
        const { around, registry, runtime } = yield* bridge()
        const before = new Set(registry.keys())
        const recorder = yield* runtime.createRecorder("orders", { metrics: [Orders] })
        place(recorder, "ada", "bob")
        // Two of them are figures of the runtime, for each metric.
        assert.strictEqual(registry.size, before.size + 5)
        yield* runtime.removeRecorder("orders")
        assert.deepStrictEqual(namesOf(registry), [])
        assert.deepStrictEqual(new Set(around.keys()), before)
      }))

    it.effect("beside the layer, a removed recorder shows once more, as it was", () =>
      Effect.gen(function*() {
        const { around, registry, runtime } = yield* bridge()
        const recorder = yield* runtime.createRecorder("orders", { metrics: [Orders] })
        place(recorder, "ada")
        snapshotOf(registry)
        yield* runtime.removeRecorder("orders")
        assert.deepStrictEqual(numbersOf(around, "orders_total"), [1])
        assert.deepStrictEqual(namesOf(around), [])
      }))

    it.effect("an unregistered metric goes, the others stay", () =>
      Effect.gen(function*() {
        const { recorder, registry } = yield* bridgeOf([Orders, showing("other", { level: 1 })])
        assert.deepStrictEqual(namesOf(registry), ["orders_total", "other_level"])
        yield* recorder.unregisterMetric("orders")
        assert.deepStrictEqual(namesOf(registry), ["other_level"])
      }))

    it.effect("what is registered again under its name shows as what it is now", () =>
      Effect.gen(function*() {
        const counter = showing("level", { depth: 1 }, { depth: { kind: "counter" } })
        const gauge = showing("level", { depth: 2 }, { depth: { kind: "gauge", unit: "m" } })
        const converted = showing("level", { depth: 2000 }, { depth: { kind: "gauge", unit: "mm" } })
        const described = Metric.describe(showing("level", { depth: 3 }), "How deep it is")
        const { around, recorder, registry } = yield* bridgeOf([counter])
        const shown = () =>
          snapshotOf(registry).filter(({ id }) => id === "level_depth").map((
            { attributes, description, state, type }
          ) => [type, attributes?.["unit"], description, state])
        assert.deepStrictEqual(shown(), [["Counter", undefined, undefined, { count: 1, incremental: true }]])
        yield* recorder.unregisterMetric("level")
        yield* recorder.registerMetric(gauge)
        assert.deepStrictEqual(shown(), [["Gauge", "m", undefined, { value: 2 }]])
        yield* recorder.unregisterMetric("level")
        yield* recorder.registerMetric(converted)
        assert.deepStrictEqual(shown(), [["Gauge", "mm", undefined, { value: 2000 }]])
        yield* recorder.unregisterMetric("level")
        yield* recorder.registerMetric(described)
        assert.include(textOf(around), `level_depth{recorder_id="orders"} 2000`)
        assert.deepStrictEqual(shown(), [["Gauge", undefined, "How deep it is", { value: 3 }]])
        assert.deepStrictEqual(leftOutOf(registry), {})
      }))

    it.effect("without the layer the registry is as it was", () =>
      Effect.gen(function*() {
        const around: Registry = new Map()
        const requests = EffectMetric.counter("http_requests")
        requests.updateUnsafe(1, contextOf(around))
        const before = [...around]
        const { close, recorder, registry, runtime } = yield* bridgeOf([Orders], { around })
        place(recorder, "ada")
        assert.isAbove(registry.size, before.length)
        yield* close
        assert.deepStrictEqual([...around], before)
        yield* runtime.createRecorder("more", { metrics: [Orders] })
        assert.deepStrictEqual([...registry], before)
      }))

    it.effect("what somebody takes out of the registry comes back with the next read", () =>
      Effect.gen(function*() {
        const { recorder, registry } = yield* bridgeOf([Orders])
        place(recorder, "ada")
        const before = new Set(registry.keys())
        registry.clear()
        assert.deepStrictEqual(new Set(registry.keys()), before)
        assert.deepStrictEqual(numbersOf(registry, "orders_total"), [1])
      }))

    it.effect("10 000 recorders come and go", () =>
      Effect.gen(function*() {
        const { registry, runtime } = yield* bridge()
        const before = registry.size
        const ids = Array.from({ length: 10_000 }, (_, at) => `connection ${at}`)
        for (const id of ids) place(yield* runtime.createRecorder(id, { metrics: [Orders] }), "ada")
        assert.strictEqual(registry.size, before + 20_002)
        assert.strictEqual(sum(numbersOf(registry, "orders_total")), 10_000)
        for (const id of ids) yield* runtime.removeRecorder(id)
        assert.strictEqual(registry.size, before)
      }), 30_000)
  })

  describe("names", () => {
    const counter = showing("shop", { orders_total: 1 })
    const gauge = showing("shop_orders", { total: 2 }, { total: { kind: "gauge" } })
    const fine = showing("fine", { level: 1 })

    it.effect("of two kinds under one name, the first goes out with everything else", () => {
      const { errors, layer } = collectErrors()
      return Effect.gen(function*() {
        const { registry } = yield* bridgeOf([counter, gauge, fine])
        const otlp = yield* exporting(registry)
        assert.deepStrictEqual(exportedNames(yield* otlp.export), ["fine_level", "shop_orders_total"])
        assert.deepStrictEqual(exportedNames(yield* otlp.export), ["fine_level", "shop_orders_total"])
        assert.deepStrictEqual(leftOutOf(registry), { name: 1 })
        assert.deepStrictEqual(refusalsOf(errors), [{
          reason: "name",
          series: `gauge "total" of metric "shop_orders"`,
          expected: "the name shop_orders_total for itself",
          found: `counter "orders_total" of metric "shop" under it`
        }])
      }).pipe(Effect.provide(layer))
    })

    const summary = { count: 0, sum: 0, quantiles: {} }
    const alike: ReadonlyArray<readonly [Metric.Any, Metric.Any]> = [
      [showing("shop.orders", { total: 1 }), showing("shop_orders", { total: 1 })],
      [showing("1st", { level: 1 }), showing("_1st", { level: 1 })],
      [showing(":a", { level: 1 }), showing("_:a", { level: 1 })],
      [showing("a", { "b_": 1 }), showing("a_", { b: 1 })],
      [showing("file", { size: histogramOf() }, histogram), showing("file_size", { count: 1 })],
      [showing("file", { size: histogramOf() }, histogram), showing("file_size", { bucket: 1 })],
      [showing("file", { wait: summary }, { wait: { kind: "summary" } }), showing("file_wait", { sum: 1 })]
    ]
    for (const [first, second] of alike) {
      const [name, other] = [first, second].map((metric) =>
        `${metric.name}_${Object.keys(metric.initial as object)[0]}`
      )
      it.effect(`two that Prometheus would take for one: ${name}, ${other}`, () => {
        const { errors, layer } = collectErrors()
        return Effect.gen(function*() {
          const { registry } = yield* bridgeOf([first, second, fine])
          assert.deepStrictEqual(namesOf(registry), ["fine_level", name!].toSorted())
          assert.deepStrictEqual(leftOutOf(registry), { name: 1 })
          assert.strictEqual(refusalsOf(errors).length, 1)
        }).pipe(Effect.provide(layer))
      })
    }

    it.effect("a metric of the program that was there before keeps its name", () => {
      const { errors, layer } = collectErrors()
      return Effect.gen(function*() {
        const around: Registry = new Map()
        EffectMetric.gauge("shop_orders_total").updateUnsafe(7, contextOf(around))
        const { registry } = yield* bridgeOf([counter, fine], { around })
        const otlp = yield* exporting(registry)
        const sent = yield* otlp.export
        assert.deepStrictEqual(exportedNames(sent), ["fine_level", "shop_orders_total"])
        assert.deepStrictEqual(pointsOf(sent, "shop_orders_total").map(({ asDouble }) => asDouble), [7])
        assert.deepStrictEqual(leftOutOf(registry), { name: 1 })
        assert.deepStrictEqual(refusalsOf(errors), [{
          reason: "name",
          series: `counter "orders_total" of metric "shop"`,
          expected: "the name shop_orders_total for itself",
          found: `Gauge "shop_orders_total" of the program under it`
        }])
      }).pipe(Effect.provide(layer))
    })

    it.effect("a metric of the program that comes later gets its name, until it goes", () => {
      const { errors, layer } = collectErrors()
      return Effect.gen(function*() {
        const { registry } = yield* bridgeOf([counter, fine])
        const otlp = yield* exporting(registry)
        assert.deepStrictEqual(pointsOf(yield* otlp.export, "shop_orders_total").length, 1)
        const own = EffectMetric.gauge("shop_orders_total")
        own.updateUnsafe(7, contextOf(registry))
        const sent = yield* otlp.export
        assert.deepStrictEqual(exportedNames(sent), ["fine_level", "shop_orders_total"])
        assert.deepStrictEqual(pointsOf(sent, "shop_orders_total").map(({ asDouble }) => asDouble), [7])
        assert.strictEqual(errors.length, 1)
        EffectMetric.removeUnsafe(own, contextOf(registry))
        assert.deepStrictEqual(numbersOf(registry, "shop_orders_total"), [1])
        assert.deepStrictEqual(leftOutOf(registry), {})
      }).pipe(Effect.provide(layer))
    })

    it.effect("what Prometheus would take for the name of a series of the program is not used", () =>
      Effect.gen(function*() {
        const around: Registry = new Map()
        EffectMetric.counter("http-requests.total").updateUnsafe(1, contextOf(around))
        EffectMetric.histogram("size", { boundaries: [1] }).updateUnsafe(1, contextOf(around))
        EffectMetric.counter("load_count").updateUnsafe(1, contextOf(around))
        const { registry } = yield* bridgeOf([
          showing("http", { requests_total: 1 }),
          showing("size", { sum: 1 }),
          showing("the", { load: histogramOf() }, { load: { kind: "histogram" } }),
          showing("load", { "": 1 }),
          fine
        ], { around })
        assert.deepStrictEqual(namesOf(registry), [
          "fine_level",
          "http-requests.total",
          "load_",
          "load_count",
          "size",
          "the_load"
        ])
        assert.deepStrictEqual(leftOutOf(registry), { name: 2 })
      }))

    it.effect("a histogram that would have a name of the program among its own is left out", () =>
      Effect.gen(function*() {
        const around: Registry = new Map()
        EffectMetric.counter("file_size_count").updateUnsafe(1, contextOf(around))
        const { registry } = yield* bridgeOf([showing("file", { size: histogramOf() }, histogram), fine], { around })
        assert.deepStrictEqual(namesOf(registry), ["file_size_count", "fine_level"])
      }))

    it.effect("a name of which Prometheus knows no character is left out", () => {
      const { errors, layer } = collectErrors()
      return Effect.gen(function*() {
        const { registry } = yield* bridgeOf([showing("数", { 値: 1 }), fine])
        assert.deepStrictEqual(textOf(registry), ["# TYPE fine_level gauge", `fine_level{recorder_id="orders"} 1`])
        assert.deepStrictEqual(refusalsOf(errors), [{
          reason: "name",
          series: `gauge "値" of metric "数"`,
          expected: "a name with a character that Prometheus knows",
          found: `"数_値"`
        }])
      }).pipe(Effect.provide(layer))
    })

    for (
      const [what, other] of [
        ["another kind", gauge],
        ["another unit", showing("shop_orders", { total: 2 }, { total: { kind: "counter", unit: "{order}" } })],
        ["another name, to Prometheus the same", showing("shop.orders", { total: 2 })]
      ] as const
    ) {
      it.effect(`of two runtimes in one registry the first has a name, the other waits for it: ${what}`, () => {
        const { errors, layer } = collectErrors()
        return Effect.gen(function*() {
          const first = yield* bridgeOf([counter], { namespace: "first", labels: { region: "eu" } })
          const second = yield* bridgeOf([other, fine], {
            namespace: "second",
            around: first.around,
            labels: { region: "us" }
          })
          const otlp = yield* exporting(second.registry)
          assert.deepStrictEqual(exportedNames(yield* otlp.export), ["fine_level", "shop_orders_total"])
          assert.deepStrictEqual(refusalsOf(errors).map(({ expected, found }) => [expected, found]), [[
            "the name shop_orders_total for itself",
            `Counter "shop_orders_total" of the runtime "first" under it`
          ]])
          yield* first.close
          assert.deepStrictEqual(numbersOf(second.registry, `${other.name}_total`), [2])
        }).pipe(Effect.provide(layer))
      })
    }

    it.effect("two runtimes share a name that means the same, whatever they say about it", () =>
      Effect.gen(function*() {
        const first = yield* bridgeOf([Orders], { namespace: "first", labels: { region: "eu" } })
        const second = yield* bridgeOf([Metric.describe(Orders, "All orders")], {
          namespace: "second",
          labels: { region: "us" },
          around: first.around
        })
        place(first.recorder, "ada")
        place(second.recorder, "ada", "bob")
        assert.deepStrictEqual(statesOf(second.registry, "orders_total"), [
          [{ region: "eu", recorder_id: "orders" }, { count: 1, incremental: true }],
          [{ region: "us", recorder_id: "orders" }, { count: 2, incremental: true }]
        ])
        assert.deepStrictEqual(leftOutOf(second.registry), {})
      }))

    it.effect("metrics of one name that are described differently are one series each", () =>
      Effect.gen(function*() {
        const { registry, runtime } = yield* bridge()
        const ids = ["a", "b"]
        for (const id of ids) {
          const metrics = [Metric.describe(Orders, `Those of ${id}`)]
          place(yield* runtime.createRecorder(id, { metrics }), "ada")
        }
        assert.deepStrictEqual(textOf(registry).filter((line) => line.includes("orders_total")), [
          "# HELP orders_total Those of a",
          "# TYPE orders_total counter",
          `orders_total{recorder_id="a"} 1`,
          `orders_total{recorder_id="b"} 1`
        ])
        yield* runtime.removeRecorder("a")
        assert.deepStrictEqual(textOf(registry).filter((line) => line.includes("orders_total")), [
          "# HELP orders_total Those of b",
          "# TYPE orders_total counter",
          `orders_total{recorder_id="b"} 1`
        ])
      }))
  })

  describe("one series twice", () => {
    it.effect("two runtimes that are called the same: the later one's series wait until the other is gone", () => {
      const { errors, layer } = collectErrors()
      return Effect.gen(function*() {
        const first = yield* bridgeOf([Orders], { namespace: "default" })
        const second = yield* bridgeOf([Metric.describe(Orders, "Others")], {
          namespace: "default",
          around: first.around
        })
        place(first.recorder, "ada")
        place(second.recorder, "ada", "ada", "bob")
        const read = () => [
          numbersOf(second.registry, "orders_total"),
          statesOf(second.registry, "orders_by_user").map(([attributes]) => (attributes as any).user).toSorted(),
          numbersOf(second.registry, "mvx_metrics_accepted_total")
        ]
        assert.deepStrictEqual(read(), [[1], ["ada", "bob"], [1]])
        assert.deepStrictEqual(read(), [[1], ["ada", "bob"], [1]])
        const total = refusalsOf(errors).find(({ series }) => series.includes(`"total"`))
        assert.deepStrictEqual(total, {
          reason: "duplicate",
          series: `counter "total" of metric "orders"`,
          expected: "every combination of labels once",
          found: `that of the runtime "default" with {"recorder_id":"orders"}`
        })
        yield* first.close
        assert.deepStrictEqual(read(), [[3], ["ada", "bob"], [3]])
        assert.deepStrictEqual(leftOutOf(second.registry), {})
      }).pipe(Effect.provide(layer))
    })

    it.effect("the first runtime does not lose a series to one that has come since", () =>
      Effect.gen(function*() {
        const first = yield* bridgeOf([Orders], { namespace: "first" })
        const second = yield* bridgeOf([Orders], { namespace: "second", around: first.around })
        place(second.recorder, "bob", "bob")
        assert.deepStrictEqual(numbersOf(first.registry, "orders_by_user"), [2])
        place(first.recorder, "bob")
        assert.deepStrictEqual(numbersOf(first.registry, "orders_by_user"), [2])
        yield* second.runtime.removeRecorder("orders")
        snapshotOf(first.registry)
        assert.deepStrictEqual(numbersOf(first.registry, "orders_by_user"), [1])
      }))

    it.effect("a layer in the registry of another one is a part of the same reads", () =>
      Effect.gen(function*() {
        let captures = 0
        const wrap = onCapture(() => captures++)
        const first = yield* bridgeOf([Orders], { namespace: "first", labels: { region: "eu" }, wrap })
        const second = yield* bridgeOf([Orders], {
          namespace: "second",
          labels: { region: "us" },
          around: first.registry,
          wrap
        })
        captures = 0
        place(first.recorder, "ada")
        place(second.recorder, "ada")
        for (const registry of [first.registry, second.registry]) {
          assert.deepStrictEqual(numbersOf(registry, "orders_total"), [1, 1])
        }
        assert.strictEqual(captures, 4)
        yield* second.close
        assert.deepStrictEqual(numbersOf(second.registry, "orders_total"), [1])
      }))

    it.effect("an empty label is none, as to Prometheus", () =>
      Effect.gen(function*() {
        const rolledUp = { export: "rollup" } as const
        const first = yield* bridgeOf([Orders], { namespace: "first", ...rolledUp })
        const second = yield* bridgeOf([Orders], {
          namespace: "second",
          around: first.around,
          labels: { zone: "" },
          ...rolledUp
        })
        assert.deepStrictEqual(statesOf(second.registry, "orders_total").map(([attributes]) => attributes), [{}])
      }))

    it.effect("a series that Prometheus could not tell from another one is left out", () => {
      const { errors, layer } = collectErrors()
      return Effect.gen(function*() {
        const { registry, runtime } = yield* bridge()
        for (const [id, labels] of [["a", { "a.b": "x" }], ["b", { a_b: "x" }]] as const) {
          const recorder = yield* runtime.createRecorder(id, { metrics: [Orders], labels, export: "rollup" })
          place(recorder, "ada")
        }
        assert.deepStrictEqual(textOf(registry).filter((line) => line.startsWith("orders_total")), [
          `orders_total{a_b="x"} 1`
        ])
        assert.deepStrictEqual(leftOutOf(registry), { duplicate: 2 })
        assert.strictEqual(errors.length, 2)
      }).pipe(Effect.provide(layer))
    })

    it.effect("when labels are called otherwise from now on, the series stays one", () =>
      Effect.gen(function*() {
        const by = (label: string) =>
          Metric.fromDimensions("orders", ["order.placed"], (d: Dimension.Builder<Placed>) => ({
            by: d.by(label, (e) => e.user, d.count())
          }))
        const { recorder, registry } = yield* bridgeOf([by("user.id")])
        place(recorder, "ada")
        assert.deepStrictEqual(numbersOf(registry, "orders_by"), [1])
        yield* recorder.unregisterMetric("orders")
        yield* recorder.registerMetric(by("user_id"))
        place(recorder, "ada", "ada")
        assert.deepStrictEqual(statesOf(registry, "orders_by"), [
          [{ recorder_id: "orders", user_id: "ada" }, { count: 2, incremental: true }]
        ])
      }))
  })

  describe("labels", () => {
    interface Answered {
      readonly _tag: "answered"
    }

    const answered: Answered = { _tag: "answered" }

    const by = (...labels: ReadonlyArray<string>) =>
      Metric.fromDimensions("answers", ["answered"], (d: Dimension.Builder<Answered>) => ({
        total: d.count(),
        by: d.by(Object.fromEntries(labels.map((label) => [label, () => "x"])), d.count())
      }))

    for (const labels of [["http.route", "http_route"], ["a:b", "a-b"], ["a__b", "a_b"], ["1st", "_1st"]]) {
      it.effect(`two that Prometheus would take for one are left out: ${labels.join(", ")}`, () => {
        const { errors, layer } = collectErrors()
        return Effect.gen(function*() {
          const { recorder, registry } = yield* bridgeOf([by(...labels)])
          emitAll(recorder, [answered])
          assert.deepStrictEqual(namesOf(registry), ["answers_total"])
          assert.deepStrictEqual(leftOutOf(registry), { label: 1 })
          const [refusal] = refusalsOf(errors)
          assert.strictEqual(refusal?.reason, "label")
          for (const label of labels) assert.include(refusal?.found, JSON.stringify(label))
        }).pipe(Effect.provide(layer))
      })
    }

    it.effect("those that Prometheus tells apart go out", () =>
      Effect.gen(function*() {
        const { recorder, registry } = yield* bridgeOf([by("user", "user_", "le", "quantile")])
        emitAll(recorder, [answered])
        assert.include(
          textOf(registry),
          `answers_by{recorder_id="orders",user="x",user_="x",le="x",quantile="x"} 1`
        )
      }))

    for (const label of ["unit", "time_unit", "__name__", "recorder_id", "recorder.id"]) {
      it.effect(`what the exporters need is left out: ${label}`, () =>
        Effect.gen(function*() {
          const { recorder, registry } = yield* bridgeOf([by(label)])
          emitAll(recorder, [answered])
          assert.deepStrictEqual(namesOf(registry), ["answers_total"])
          assert.deepStrictEqual(leftOutOf(registry), { label: 1 })
        }))
    }

    it.effect("histograms have no le and summaries no quantile", () =>
      Effect.gen(function*() {
        const Answers = Metric.fromDimensions("answers", ["answered"], (d: Dimension.Builder<Answered>) => ({
          size: d.by("le", () => "x", d.histogram(() => 1)),
          span: d.by("le", () => "x", d.exponentialHistogram(() => 1)),
          wait: d.by("quantile", () => "x", d.quantiles(() => 1, { quantiles: [0.5] })),
          fine: d.by("quantile", () => "x", d.histogram(() => 1))
        }))
        const { recorder, registry } = yield* bridgeOf([Answers])
        emitAll(recorder, [answered])
        assert.deepStrictEqual(namesOf(registry), ["answers_fine"])
        assert.deepStrictEqual(leftOutOf(registry), { label: 3 })
      }))

    it.effect("a recorder has none that the exporters need", () =>
      Effect.gen(function*() {
        const { registry, runtime } = yield* bridge()
        const all = [{ unit: "ms" }, { "": "x" }, { "a.b": "x", a_b: "y" }]
        for (const [at, labels] of all.entries()) {
          yield* runtime.createRecorder(`${at}`, { metrics: [Orders], labels })
        }
        yield* runtime.createRecorder("fine", { metrics: [Orders], labels: { region: "eu" } })
        assert.deepStrictEqual(textOf(registry), [
          "# TYPE orders_total counter",
          `orders_total{region="eu",recorder_id="fine"} 0`
        ])
        assert.deepStrictEqual(leftOutOf(registry), { label: 3 })
      }))
  })

  describe("values", () => {
    const odd = { nan: NaN, infinite: Infinity, negative: -Infinity, huge: 2n ** 70n, large: 2n ** 60n }

    it.effect("NaN and infinities go out as such", () =>
      Effect.gen(function*() {
        const { registry } = yield* bridgeOf([showing("odd", odd)])
        assert.deepStrictEqual(textOf(registry).filter((line) => !line.startsWith("#")), [
          `odd_nan{recorder_id="orders"} NaN`,
          `odd_infinite{recorder_id="orders"} +Inf`,
          `odd_negative{recorder_id="orders"} -Inf`,
          `odd_huge{recorder_id="orders"} ${2 ** 70}`,
          `odd_large{recorder_id="orders"} ${2n ** 60n}`
        ])
        const otlp = yield* exporting(registry)
        const sent = yield* otlp.export
        assert.deepStrictEqual(
          Object.keys(odd).map((name) => pointsOf(sent, `odd_${name}`).map(({ asDouble, asInt }) => asInt ?? asDouble)),
          [[NaN], [Infinity], [-Infinity], [2 ** 70], [`${2n ** 60n}`]]
        )
        const metrics = yield* devTools(registry)
        assert.deepStrictEqual(
          metrics.filter(({ id }) => id.startsWith("odd_")).map(({ state }) => (state as any).value),
          [NaN, Infinity, -Infinity, 2 ** 70, 2n ** 60n]
        )
      }))

    it.effect("distributions of nothing are empty", () =>
      Effect.gen(function*() {
        const Empty = Metric.fromDimensions("empty", ["order.placed"], (d: Dimension.Builder<Placed>) => ({
          histogram: d.histogram((e) => e.cents, { boundaries: [10] }),
          exponential: d.exponentialHistogram((e) => e.cents),
          quantiles: d.quantiles((e) => e.cents, { quantiles: [0.5] })
        }))
        const { registry } = yield* bridgeOf([Empty])
        const states = ["histogram", "exponential", "quantiles"].map((name) => statesOf(registry, `empty_${name}`))
        const empty = { count: 0, sum: 0, min: 0, max: 0 }
        assert.deepStrictEqual(states.map(([series]) => series![1]), [
          { ...empty, buckets: [[10, 0]] },
          { ...empty, buckets: [] },
          { ...empty, quantiles: [[0.5, undefined]] }
        ])
        assert.deepStrictEqual(textOf(registry).filter((line) => line.startsWith("empty_quantiles")), [
          `empty_quantiles_sum{recorder_id="orders"} 0`,
          `empty_quantiles_count{recorder_id="orders"} 0`
        ])
        const otlp = yield* exporting(registry)
        const sent = yield* otlp.export
        assert.deepStrictEqual(
          ["histogram", "exponential", "quantiles"].map((name) =>
            pointsOf(sent, `empty_${name}`).map(({ bucketCounts, count, quantileValues }) => [
              count,
              bucketCounts ?? quantileValues
            ])
          ),
          [[["0", ["0", "0"]]], [["0", ["0"]]], [["0", []]]]
        )
      }))

    const unfit: ReadonlyArray<readonly [string, unknown, Metric.InstrumentKind]> = [
      ["half a value", histogramOf({ count: 0.5 }), "histogram"],
      ["NaN values", histogramOf({ count: NaN }), "histogram"],
      ["a bucket of less than none", histogramOf({ counts: [1, -1, 0] }), "histogram"],
      ["a bucket of half a value", histogramOf({ counts: [0, 0, 0.5] }), "histogram"],
      ["too many to be whole", histogramOf({ count: 1e21 }), "histogram"],
      [
        "half a zero",
        { ...histogramOf(), boundaries: undefined, scale: 0, zeroCount: 0.5, ...exponentialOf([], []) },
        "histogram"
      ],
      [
        "half a positive",
        { ...histogramOf(), boundaries: undefined, scale: 0, zeroCount: 0, ...exponentialOf([0.5], []) },
        "histogram"
      ],
      [
        "half a negative",
        { ...histogramOf(), boundaries: undefined, scale: 0, zeroCount: 0, ...exponentialOf([], [0.5]) },
        "histogram"
      ],
      ["a quantile above one", { count: 1, sum: 1, quantiles: { 50: 1 } }, "summary"],
      ["a quantile that is no number", { count: 1, sum: 1, quantiles: { median: 1 } }, "summary"],
      ["a summary of half a value", { count: 0.5, sum: 1, quantiles: { 0.5: 1 } }, "summary"]
    ]
    for (const [what, value, kind] of unfit) {
      it.effect(`what a receiver would refuse, with everything else, is left out: ${what}`, () => {
        const { errors, layer } = collectErrors()
        return Effect.gen(function*() {
          const sound = kind === "histogram" ? histogramOf() : { count: 1, sum: 1, quantiles: { 0.5: 1 } }
          const { recorder, registry } = yield* bridgeOf([
            showing("odd", { size: sound }, { size: { kind } }),
            Metric.rename(Orders, "fine")
          ])
          assert.deepStrictEqual(namesOf(registry), ["fine_total", "odd_size"])
          const shown = typeof value === "object" && "scale" in value! ? withoutBoundaries(value) : value
          show(recorder, { size: shown })
          assert.deepStrictEqual(namesOf(registry), ["fine_total"])
          assert.deepStrictEqual(leftOutOf(registry), { value: 1 })
          assert.strictEqual(refusalsOf(errors)[0]?.series, `${kind} "size" of metric "odd"`)
          const metrics = yield* devTools(registry)
          assert.isTrue(metrics.some(({ id }) => id === "fine_total"))
          show(recorder, { size: sound })
          assert.deepStrictEqual(namesOf(registry), ["fine_total", "odd_size"])
        }).pipe(Effect.provide(layer))
      })
    }

    it.effect("a view that throws takes nothing else with it", () => {
      const { errors, layer } = collectErrors()
      return Effect.gen(function*() {
        const Fine = Metric.rename(Orders, "fine")
        const { recorder, registry } = yield* bridgeOf([BrokenView, Fine])
        assert.deepStrictEqual(namesOf(registry), ["cache.broken_view_total", "fine_total"])
        emitAll(recorder, [new Hit({ n: 1 }), placed("ada")])
        const otlp = yield* exporting(registry)
        assert.deepStrictEqual(exportedNames(yield* otlp.export), ["fine_by_user", "fine_total"])
        assert.deepStrictEqual(namesOf(registry), ["fine_by_user", "fine_total"])
        assert.deepStrictEqual(leftOutOf(registry), { view: 1 })
        assert.deepStrictEqual(
          refusalsOf(errors.filter((error) => error instanceof MetricRegistry.SeriesRefusedError)).map((
            { found, reason, series }
          ) => [reason, series, found]),
          [["view", `metric "cache.broken_view"`, "Error: view"]]
        )
      }).pipe(Effect.provide(layer))
    })
  })

  describe("as a map", () => {
    it.effect("the registry is the one around it", () =>
      Effect.gen(function*() {
        const { around, recorder, registry } = yield* bridgeOf([Orders])
        const reads: ReadonlyArray<(registry: Registry) => unknown> = [
          (registry) => registry.size,
          (registry) => [...registry],
          (registry) => [...registry.keys()],
          (registry) => [...registry.values()],
          (registry) => [...registry.entries()],
          (registry) => Array.from(new Map(registry)),
          (registry) => {
            const found: Array<unknown> = []
            registry.forEach(function(this: unknown, metadata, key, map) {
              assert.strictEqual(this, "this")
              assert.strictEqual(map, registry)
              found.push([key, metadata])
            }, "this")
            return found
          }
        ]
        for (const [at, read] of reads.entries()) {
          // A label value that is new must be there at once.
          place(recorder, `${at}`)
          const found = read(registry)
          assert.deepStrictEqual(found, read(around))
          assert.strictEqual(around.size, [...registry].length)
          assert.isTrue([...around.values()].some(({ attributes }) => attributes?.["user"] === `${at}`))
        }
        assert.instanceOf(registry, Map)
        const [[key, metadata]] = [...registry] as [[string, any]]
        assert.isTrue(registry.has(key))
        assert.strictEqual(registry.get(key), metadata)
        assert.strictEqual(registry.set("other", metadata), registry)
        assert.strictEqual(around.get("other"), metadata)
        assert.isTrue(registry.delete("other"))
        assert.isFalse(registry.delete("other"))
        assert.isFalse(around.has("other"))
      }))

    it.effect("the program's own metrics are in both, wherever they are updated", () =>
      Effect.gen(function*() {
        const { around, close, registry } = yield* bridge()
        const requests = EffectMetric.counter("http_requests")
        yield* Effect.provideService(EffectMetric.update(requests, 2), EffectMetric.MetricRegistry, registry)
        yield* Effect.provideService(EffectMetric.update(requests, 3), EffectMetric.MetricRegistry, around)
        assert.deepStrictEqual(numbersOf(registry, "http_requests"), [5])
        yield* close
        assert.deepStrictEqual(numbersOf(around, "http_requests"), [5])
        assert.deepStrictEqual(numbersOf(registry, "http_requests"), [5])
      }))

    it.effect("updates of the program's own metrics read nothing", () =>
      Effect.gen(function*() {
        let captures = 0
        const { registry } = yield* bridge({ wrap: onCapture(() => captures++) })
        captures = 0
        for (let at = 0; at < 100; at++) EffectMetric.counter(`own_${at}`).updateUnsafe(1, contextOf(registry))
        assert.strictEqual(captures, 0)
      }))
  })
})

function exponentialOf(positive: ReadonlyArray<number>, negative: ReadonlyArray<number>) {
  return { positive: { offset: 0, counts: positive }, negative: { offset: 0, counts: negative } }
}

function withoutBoundaries(value: object): object {
  const { boundaries: _, counts: _counts, ...exponential } = value as Record<string, unknown>
  return exponential
}

/** The metrics that the Effect DevTools are sent, over a real socket, after something was done. */
const devTools = (
  registry: Registry,
  before: Effect.Effect<unknown> = Effect.void
): Effect.Effect<ReadonlyArray<DevToolsSchema.Metric>> =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
    const snapshots = yield* Queue.unbounded<ReadonlyArray<DevToolsSchema.Metric>>()
    yield* DevToolsServer.run((client) =>
      Effect.gen(function*() {
        yield* client.send({ _tag: "MetricsRequest" })
        for (;;) {
          const request = yield* Queue.take(client.queue)
          if (request._tag === "MetricsSnapshot") yield* Queue.offer(snapshots, request.metrics)
        }
      })
    ).pipe(Effect.provideService(SocketServer.SocketServer, server), Effect.forkScoped)
    yield* before
    const { port } = server.address as { readonly port: number }
    yield* DevToolsClient.make.pipe(
      Effect.provide(NodeSocket.layerNet({ host: "127.0.0.1", port })),
      Effect.provideService(EffectMetric.MetricRegistry, registry)
    )
    return yield* Queue.take(snapshots)
  })).pipe(Effect.orDie)
