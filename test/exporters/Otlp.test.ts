import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Schema, Tracer } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { OtlpSerialization } from "effect/observability"
import { TestClock } from "effect/testing"
import { type Dimension, Event, Metric, Recorder, Runtime } from "mvx-metrics"
import * as Otlp from "mvx-metrics/exporters/Otlp"
import { Requests, requests } from "../integration/EveryDimension.ts"
import {
  application,
  applicationWith,
  type DataPoint,
  type Export,
  labelsOf,
  metricsOf,
  type OtlpMetric,
  OtlpReceiver,
  pointsIn,
  pointsOf,
  rhythm
} from "../integration/OtlpReceiver.ts"
import { All, collectLogs, emitAll, Hit, Hits, hits, outcome } from "../support.ts"

const start = 1_700_000_000_000

/** A receiver, at a time that receivers know. */
const makeReceiver = Effect.andThen(TestClock.setTime(start), OtlpReceiver.make)

const nanos = (millis: number): string => `${millis}000000`

/** The numbers of a point that says what a sample does. */
const numbersOf = (sample: Metric.Sample): Partial<DataPoint> => {
  switch (sample.kind) {
    case "counter":
    case "upDownCounter":
    case "gauge":
      return { asDouble: Number(sample.value) }
    case "summary":
      return {
        count: String(sample.value.count),
        sum: sample.value.sum,
        quantileValues: Object.entries(sample.value.quantiles).map(([quantile, estimate]) => ({
          quantile: Number(quantile),
          value: estimate!
        }))
      }
    case "histogram": {
      const { value } = sample
      const { count, max, min, sum } = value
      const common = { count: String(count), min: min!, max: max!, ...(min! < 0 ? {} : { sum }) }
      if ("boundaries" in value) {
        return { ...common, bucketCounts: value.counts.map(String), explicitBounds: value.boundaries }
      }
      const bucketsOf = ({ counts, offset }: typeof value.positive) => ({ offset, bucketCounts: counts.map(String) })
      return {
        ...common,
        scale: value.scale,
        zeroCount: String(value.zeroCount),
        positive: bucketsOf(value.positive),
        negative: bucketsOf(value.negative)
      }
    }
  }
}

/** The kind of data of a metric, and what is said of all its points. */
const dataOf = ({ kind, value }: Metric.Sample): object => {
  const aggregationTemporality = "AGGREGATION_TEMPORALITY_CUMULATIVE"
  switch (kind) {
    case "counter":
      return { shape: "sum", isMonotonic: true, aggregationTemporality }
    case "upDownCounter":
      return { shape: "sum", isMonotonic: false, aggregationTemporality }
    case "histogram":
      return { shape: "boundaries" in value ? "histogram" : "exponentialHistogram", aggregationTemporality }
    default:
      return { shape: kind }
  }
}

/** What is said of one point, and of all points of its metric. */
const described = (metric: OtlpMetric, point: DataPoint) => {
  const { exponentialHistogram, gauge, histogram, metadata: _metadata, sum, summary, ...said } = metric
  const { attributes, exemplars: _exemplars, ...numbers } = point
  const [shape, data] = Object.entries({ exponentialHistogram, gauge, histogram, sum, summary }).find(([, data]) =>
    data !== undefined
  )!
  const { dataPoints: _dataPoints, ...ofAll } = data!
  return { shape, ...said, ...ofAll, labels: labelsOf({ attributes }), ...numbers }
}

/** What was sent of some metrics, point by point. */
const sentOf = (sent: Export, prefix: string) =>
  metricsOf(sent).filter(({ name }) => name.startsWith(prefix)).flatMap((metric) =>
    pointsIn(metric).map((point) => described(metric, point))
  )

/** In an order that does not depend on where things come from. */
const sorted = (all: ReadonlyArray<object>): ReadonlyArray<object> =>
  all
    .map((one) => Object.entries(one).filter(([, value]) => value !== undefined))
    .map((entries) => Object.fromEntries(entries.toSorted(([a], [b]) => a < b ? -1 : 1)))
    .toSorted((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

/** The number, the start and the end of each point. */
const intervalsOf = (sent: Export, name: string) =>
  pointsOf(sent, name).map(({ asDouble, startTimeUnixNano, timeUnixNano }) => [
    asDouble,
    Number(startTimeUnixNano!.slice(0, -6)) - start,
    Number(timeUnixNano!.slice(0, -6)) - start
  ])

/** What one export says of a metric whose view is written by hand. */
const exportOf = (
  dimensions: object,
  instruments: Metric.Instruments,
  serialization = OtlpSerialization.layerProtobuf
) =>
  Effect.gen(function*() {
    const receiver = yield* makeReceiver
    const app = yield* application(receiver, {}, { serialization })
    const ByHand = Metric.make("by.hand", {
      initial: {},
      reduce: () => Option.none(),
      dimensions: () => dimensions,
      instruments
    })
    yield* app.runtime.createRecorder("web", { metrics: [Hits, ByHand] })
    yield* app.nextExport
    return receiver.exports[0]!
  })

describe("Otlp", () => {
  it.effect.each(
    [
      ["JSON", OtlpSerialization.layerJson, undefined],
      ["Protocol Buffers", OtlpSerialization.layerProtobuf, "none"],
      ["compressed JSON", OtlpSerialization.layerJson, "gzip"],
      ["compressed Protocol Buffers", OtlpSerialization.layerProtobuf, "gzip"]
    ] as const
  )(
    "shows every built-in dimension as the snapshot does, in %s",
    ([, serialization, compression]) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const app = yield* application(receiver, { compression }, { serialization })
        yield* TestClock.adjust(1_000)
        const recorder = yield* app.runtime.createRecorder("web", { metrics: [Requests], labels: { region: "eu" } })
        emitAll(recorder, requests(300))
        yield* TestClock.adjust(9_000)
        yield* app.atRest

        const [sent] = receiver.exports
        assert.strictEqual(sent!.headers["content-encoding"], compression === "gzip" ? "gzip" : undefined)
        const [capture] = yield* app.runtime.captures
        const [{ state }] = capture!.metrics as unknown as [{ readonly state: Metric.StateOf<typeof Requests> }]
        const common = { description: "Requests that were answered", timeUnixNano: nanos(start + 10_000) }
        const shown = (sample: Metric.Sample) => ({
          ...common,
          name: `app.requests_${sample.dimension}`,
          unit: sample.unit,
          ...dataOf(sample),
          labels: { region: "eu", recorder_id: "web", ...sample.labels },
          startTimeUnixNano: sample.kind === "gauge" ? undefined : nanos(start + 1_000),
          ...numbersOf(sample)
        })
        const expected = Metric.samples(Requests, state, { time: start + 10_000 }).map(shown)
        assert.isAbove(expected.length, 50)
        const names = metricsOf(sent!).map(({ name }) => name)
        assert.strictEqual(new Set(names).size, names.length)
        assert.deepStrictEqual(sorted(sentOf(sent!, "app.requests_")), sorted(expected))
      })
  )

  it.effect("says who sends, and with what", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* application(receiver, {
        resource: {
          serviceName: "shop",
          serviceVersion: "1.2.3",
          attributes: { "service.instance.id": "a", port: 80 }
        },
        headers: { Authorization: "Bearer secret" }
      })
      yield* app.close
      const [{ headers, message }] = receiver.exports as [Export]
      assert.strictEqual(headers.authorization, "Bearer secret")
      assert.strictEqual(headers["user-agent"], "OTel-OTLP-Exporter-mvx-metrics")
      assert.strictEqual(headers["content-type"], "application/x-protobuf")
      assert.strictEqual(message.resourceMetrics.length, 1)
      const [{ resource, scopeMetrics }] = message.resourceMetrics
      const attributes = Object.fromEntries(resource.attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
      assert.strictEqual(attributes["service.name"], "shop")
      assert.strictEqual(attributes["service.version"], "1.2.3")
      assert.strictEqual(attributes["service.instance.id"], "a")
      assert.strictEqual(attributes["port"], "80")
      assert.deepStrictEqual(scopeMetrics.map(({ scope }) => scope.name), ["mvx-metrics"])
    }))

  it.effect("names series as OpenTelemetry names instruments, and leaves labels as they are", () =>
    Effect.gen(function*() {
      const sent = yield* exportOf(
        { "é.t/a-t_e": { "ключ": 1 }, "two words": { total: 2 } },
        { "é.t/a-t_e": { label: "http.route 🚀", of: { kind: "gauge" } } }
      )
      const found = sentOf(sent, "by.hand").map(({ labels, name }) => [name, labels])
      assert.deepStrictEqual(found, [
        ["by.hand__.t/a-t_e", { recorder_id: "web", "http.route 🚀": "ключ" }],
        ["by.hand_two_words.total", { recorder_id: "web" }]
      ])
    }))

  it.effect.each(
    [
      ["JSON", OtlpSerialization.layerJson],
      ["Protocol Buffers", OtlpSerialization.layerProtobuf]
    ] as const
  )("takes bigints for integers and numbers for doubles, in %s", ([, serialization]) =>
    Effect.gen(function*() {
      const dimensions = {
        a_total: 2n ** 60n + 1n,
        b: -5n,
        c_total: 2n ** 70n,
        d: 7,
        e: NaN,
        f: Infinity,
        g: -Infinity,
        h: 2 ** 60
      }
      const sent = yield* exportOf(dimensions, {}, serialization)
      const found = Object.fromEntries(
        sentOf(sent, "by.hand").map(({ asDouble, asInt, name }) => [name.slice(8), [asInt, asDouble]])
      )
      assert.deepStrictEqual(found, {
        a_total: ["1152921504606846977", undefined],
        b: ["-5", undefined],
        c_total: [undefined, 2 ** 70],
        d: [undefined, 7],
        e: [undefined, NaN],
        f: [undefined, Infinity],
        g: [undefined, -Infinity],
        h: [undefined, 2 ** 60]
      })
    }))

  it.effect.each(
    [
      ["JSON", OtlpSerialization.layerJson],
      ["Protocol Buffers", OtlpSerialization.layerProtobuf]
    ] as const
  )("keeps large counts exact, in %s", ([, serialization]) =>
    Effect.gen(function*() {
      const large = 2 ** 52 + 1
      const extremes = { count: large + 3, sum: 0, min: 0, max: 0 }
      const buckets = { offset: -3, counts: [large] }
      const none = { offset: 0, counts: [] }
      const dimensions = {
        explicit: { ...extremes, boundaries: [1], counts: [large, 3] },
        exponential: { ...extremes, scale: -2, zeroCount: 3, positive: buckets, negative: none }
      }
      const kinds = { explicit: { kind: "histogram" }, exponential: { kind: "histogram" } } as const
      const sent = yield* exportOf(dimensions, kinds, serialization)
      const [explicit] = pointsOf(sent, "by.hand_explicit")
      assert.deepStrictEqual([explicit!.count, explicit!.bucketCounts], [String(large + 3), [String(large), "3"]])
      const [exponential] = pointsOf(sent, "by.hand_exponential")
      assert.deepStrictEqual(exponential!.positive, { offset: -3, bucketCounts: [String(large)] })
      assert.deepStrictEqual(exponential!.negative, { offset: 0, bucketCounts: [] })
      assert.strictEqual(exponential!.scale, -2)
    }))

  it.effect("ends no interval before it begins, whatever the clock does", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* application(receiver, { temporality: "delta" })
      yield* TestClock.adjust(0.5)
      const recorder = yield* app.runtime.createRecorder("web", { metrics: [Hits] })
      yield* TestClock.setTime(start - 5_000.5)
      emitAll(recorder, hits(1, 2))
      yield* app.close
      assert.deepStrictEqual(intervalsOf(receiver.exports[0]!, "cache.hits_total"), [[2, -5_001, -5_001]])
    }))

  it.effect("takes no label without a name", () =>
    Effect.gen(function*() {
      const things = [{ labels: { "": "nameless" }, value: 1 }, { labels: { name: "a" }, value: 2 }]
      const sent = yield* exportOf({ things }, { things: { labels: ["name"], of: { kind: "gauge" } } })
      assert.deepStrictEqual(pointsOf(sent, "by.hand_things").map(({ asDouble }) => asDouble), [2])
    }))

  it.effect("shows no quantiles and no extremes of nothing", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* application(receiver)
      yield* app.runtime.createRecorder("web", { metrics: [Requests] })
      yield* app.close
      const [summary] = pointsOf(receiver.exports[0]!, "app.requests_wait_ms")
      assert.deepStrictEqual([summary!.count, summary!.sum, summary!.quantileValues], ["0", 0, []])
      const half = yield* exportOf(
        { estimates: { count: 1, sum: 1, quantiles: { "0.5": undefined, "1": 1 } } },
        { estimates: { kind: "summary" } }
      )
      assert.deepStrictEqual(pointsOf(half, "by.hand_estimates")[0]!.quantileValues, [{ quantile: 1, value: 1 }])
      const [histogram] = pointsOf(receiver.exports[0]!, "app.requests_duration")
      assert.deepStrictEqual([histogram!.count, histogram!.sum], ["0", 0])
      assert.deepStrictEqual([histogram!.min, histogram!.max], [undefined, undefined])
    }))

  it.effect("sends very many series in one request", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* application(receiver)
      const Many = Metric.fromDimensions("many", [Hit], (d) => ({
        hits: d.by("n", (e) => String(e.n), d.count(), { limit: 5_000 }),
        total: d.count()
      }))
      const recorder = yield* app.runtime.createRecorder("web", { metrics: [Many] })
      emitAll(recorder, hits(1, 5_000))
      yield* app.nextExport
      const [sent] = receiver.exports
      assert.isAbove(sent!.body.length, 4 * 2 ** 16)
      const found = pointsOf(sent!, "many_hits").map((point) => labelsOf(point).n)
      assert.deepStrictEqual(found, Array.from({ length: 5_000 }, (_, index) => String(index + 1)))
      assert.deepStrictEqual(pointsOf(sent!, "many_total").map(({ asDouble }) => asDouble), [5_000])
    }))

  it.effect("keeps apart two kinds of histogram under one name", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* application(receiver)
      const sizes = (d: Dimension.Builder<Hit>, isExponential: boolean) => ({
        size: isExponential ? d.exponentialHistogram((e) => e.n) : d.histogram((e) => e.n)
      })
      const [explicit, exponential] = [false, true].map((isExponential) =>
        Metric.fromDimensions("cache", [Hit], (d) => sizes(d, isExponential))
      )
      yield* app.runtime.createRecorder("a", { metrics: [explicit!] })
      yield* app.runtime.createRecorder("b", { metrics: [exponential!] })
      yield* app.close
      const found = sentOf(receiver.exports[0]!, "cache_size").map(({ labels, shape }) => [labels.recorder_id, shape])
      assert.deepStrictEqual(found, [["a", "histogram"], ["b", "exponentialHistogram"]])
    }))

  it.effect("leaves out what OTLP has no form for, says so once, and sends the rest", () =>
    Effect.gen(function*() {
      const { layer, lines } = collectLogs()
      const explicit = { count: 3, sum: 3, min: 1, max: 1, boundaries: [1, 2], counts: [3, 0, 0] }
      const buckets = { offset: 0, counts: [1] }
      const exponential = {
        count: 1,
        sum: 1,
        min: 1,
        max: 1,
        scale: 0,
        zeroCount: 0,
        positive: buckets,
        negative: buckets
      }
      const dimensions = {
        good: explicit,
        half: { ...explicit, counts: [1.5, 1.5, 0] },
        falling: { ...explicit, counts: [4, -1, 0] },
        none: { ...explicit, count: NaN },
        endless: { ...explicit, sum: Infinity },
        finer: { ...exponential, positive: { offset: 0, counts: [0.5] } },
        lower: { ...exponential, negative: { offset: 0, counts: [0.5] } },
        zero: { ...exponential, zeroCount: -1 },
        quantiles: { count: 1.5, sum: 1, quantiles: {} },
        nan_total: NaN,
        infinite_total: Infinity
      }
      const kinds = Object.keys(dimensions).map((name): [string, Metric.Instrument] => [
        name,
        { kind: name.endsWith("_total") ? "counter" : name === "quantiles" ? "summary" : "histogram" }
      ])
      const receiver = yield* makeReceiver
      const app = yield* application(receiver, { temporality: "delta" }).pipe(Effect.provide(layer))
      const ByHand = Metric.make("by.hand", {
        initial: {},
        reduce: () => Option.none(),
        dimensions: () => dimensions,
        instruments: Object.fromEntries(kinds)
      })
      yield* app.runtime.createRecorder("web", { metrics: [ByHand, Hits] })
      yield* app.nextExport
      yield* app.nextExport

      for (const sent of receiver.exports) {
        assert.deepStrictEqual(sentOf(sent, "by.hand").map(({ name }) => name), ["by.hand_good"])
        assert.strictEqual(pointsOf(sent, "cache.hits_total").length, 1)
      }
      assert.strictEqual(receiver.exports.length, 2)
      const told = lines.map(({ text }) => text).filter((text) => text.startsWith("Error"))
      assert.strictEqual(told.length, Object.keys(dimensions).length - 1)
      for (const [at, name] of Object.keys(dimensions).slice(1).entries()) assert.include(told[at], `"${name}"`)
      const leftOut = pointsOf(receiver.exports[1]!, "mvx_metrics_series_left_out").find((point) =>
        labelsOf(point).reason === "value"
      )
      assert.strictEqual(leftOut!.asDouble, told.length)
    }))

  it.effect("counts from when the recorder got the metric", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* application(receiver)
      yield* TestClock.adjust(2_000)
      yield* app.runtime.createRecorder("a", { metrics: [Hits] })
      yield* TestClock.adjust(3_000)
      yield* app.runtime.createRecorder("b", { metrics: [Hits] })
      yield* TestClock.adjust(5_000)
      yield* app.atRest
      yield* app.nextExport
      const [first, second] = receiver.exports
      assert.deepStrictEqual(intervalsOf(first!, "cache.hits_total"), [[0, 2_000, 10_000], [0, 5_000, 10_000]])
      assert.deepStrictEqual(intervalsOf(second!, "cache.hits_total"), [[0, 2_000, 20_000], [0, 5_000, 20_000]])
    }))

  it.effect.each(["cumulative", "delta"] as const)(
    "shows a %s value that began anew with a start of its own",
    (temporality) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const app = yield* application(receiver, { temporality })
        const first = yield* app.runtime.createRecorder("web", { metrics: [Hits] })
        emitAll(first, hits(1, 3))
        yield* app.nextExport
        yield* TestClock.adjust(4_000)
        yield* app.runtime.removeRecorder("web")
        const second = yield* app.runtime.createRecorder("web", { metrics: [Hits] })
        emitAll(second, hits(1, 5))
        yield* TestClock.adjust(6_000)
        yield* app.atRest
        emitAll(second, hits(1, 2))
        yield* app.nextExport
        assert.deepStrictEqual(
          receiver.exports.flatMap((sent) => intervalsOf(sent, "cache.hits_total")),
          temporality === "delta"
            ? [[3, 0, 10_000], [5, 14_000, 20_000], [2, 20_000, 30_000]]
            : [[3, 0, 10_000], [5, 14_000, 20_000], [7, 14_000, 30_000]]
        )
      })
  )

  it.effect("sends as a delta what grows, and nothing else", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* application(receiver, { temporality: "delta" })
      const recorder = yield* app.runtime.createRecorder("web", { metrics: [Requests] })
      emitAll(recorder, requests(100))
      yield* app.nextExport
      emitAll(recorder, requests(40))
      yield* app.nextExport

      const [, sent] = receiver.exports
      const [capture] = yield* app.runtime.captures
      const [{ state }] = capture!.metrics as unknown as [{ readonly state: Metric.StateOf<typeof Requests> }]
      const after = Metric.fold(Requests, requests(40), { time: start + 10_000 })
      const samplesOf = (state: Metric.StateOf<typeof Requests>) =>
        new Map(
          Metric.samples(Requests, state, { time: start + 20_000 }).map((sample) => [
            `${sample.dimension} ${JSON.stringify(Object.entries(sample.labels))}`,
            sample
          ])
        )
      const [all, grown] = [samplesOf(state), samplesOf(after)]
      const points = sentOf(sent!, "app.requests_")
      assert.strictEqual(points.length, all.size)
      for (
        const { aggregationTemporality, labels: { recorder_id: _, ...labels }, name, shape, ...point } of points as any
      ) {
        const key = `${name.slice("app.requests_".length)} ${JSON.stringify(Object.entries(labels))}`
        const { kind } = all.get(key)!
        const isDelta = kind === "counter" || kind === "histogram"
        if (shape !== "gauge" && shape !== "summary") {
          assert.strictEqual(aggregationTemporality, `AGGREGATION_TEMPORALITY_${isDelta ? "DELTA" : "CUMULATIVE"}`)
        }
        if (shape !== "gauge") {
          assert.strictEqual(point.startTimeUnixNano, nanos(isDelta ? start + 10_000 : start), key)
        }
        const { explicitBounds: _bounds, max: _max, min: _min, scale, sum, ...expected } = numbersOf(
          (isDelta ? grown : all).get(key)!
        ) as any
        if (scale === undefined) {
          for (const [field, value] of Object.entries(expected)) assert.deepStrictEqual(point[field], value, key)
        } else {
          assert.deepStrictEqual([point.count, point.zeroCount], [expected.count, expected.zeroCount])
        }
        if (sum !== undefined && point.sum !== undefined) assert.closeTo(point.sum, sum, 1e-6, key)
        if (isDelta) assert.deepStrictEqual([point.min, point.max], [undefined, undefined])
      }
    }))

  it.effect("sends the runtime's own figures, also where there is nothing else", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* application(receiver)
      yield* app.close
      const names = metricsOf(receiver.exports[0]!).map(({ name }) => name)
      assert.isTrue(names.every((name) => name.startsWith("mvx_metrics_")))
      assert.includeMembers(names, [
        "mvx_metrics_accepted_total",
        "mvx_metrics_recorders",
        "mvx_metrics_otlp_failed_requests_total",
        "mvx_metrics_otlp_rejected_points_total"
      ])
      const [failed] = pointsOf(receiver.exports[0]!, "mvx_metrics_otlp_failed_requests_total")
      assert.deepStrictEqual(labelsOf(failed!), { runtime: "shop" })
    }))

  it.effect("is neither traced nor measured", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const spans: Array<string> = []
      const tracer = Tracer.make({
        span: (options) => {
          spans.push(options.name)
          return new Tracer.NativeSpan(options)
        }
      })
      class Sent extends Event.Class<Sent>()("http.sent", { n: Schema.Int }) {}
      const measured = Layer.effect(
        HttpClient.HttpClient,
        HttpClient.HttpClient.useSync(HttpClient.transformResponse(Recorder.observe(() => new Sent({ n: 1 }))))
      ).pipe(Layer.provide(FetchHttpClient.layer))
      const exporter = Otlp.layer({ url: receiver.url, ...rhythm }).pipe(
        Layer.provideMerge(Runtime.layerRecorder("web", { metrics: [All] })),
        Layer.withSpan("application")
      )
      const app = yield* applicationWith(exporter, { client: measured }).pipe(Effect.withTracer(tracer))
      yield* app.nextExport
      yield* app.nextExport
      assert.deepStrictEqual(receiver.exports.map(({ headers }) => [headers.traceparent, headers.b3]), [
        [undefined, undefined],
        [undefined, undefined]
      ])
      assert.deepStrictEqual(spans, ["application"])
      assert.deepStrictEqual(pointsOf(receiver.exports[1]!, "cache.events_total").map(({ asDouble }) => asDouble), [0])
    }))

  it.effect("refuses wrong options, and does not tell secrets", () =>
    Effect.gen(function*() {
      const url = "http://127.0.0.1:4318/v1/metrics"
      const wrong: ReadonlyArray<readonly [option: string, options: any]> = [
        ["options", null],
        ["url", {}],
        ["url", { url: "" }],
        ["url", { url: "localhost:4318" }],
        ["url", { url: "/v1/metrics" }],
        ["url", { url: "ftp://localhost/v1/metrics" }],
        ["url", { url: "http://" }],
        ["url", { url: "http//localhost:4318?api-key=secret" }],
        ["url", { url: "http://user:secret@localhost:4318" }],
        ["url", { url: "http://secret@localhost:4318" }],
        ["headers", { url, headers: "a=b" }],
        ["headers", { url, headers: { authorization: "Bearer secret\n" } }],
        ["headers", { url, headers: { "not a name": "secret" } }],
        ["headers", { url, headers: { authorization: 5 } }],
        ["compression", { url, compression: "br" }],
        ["temporality", { url, temporality: "lowmemory" }],
        ["interval", { url, interval: 0 }],
        ["interval", { url, interval: "soon" }],
        ["requestTimeout", { url, requestTimeout: "-1 second" }],
        ["shutdownTimeout", { url, shutdownTimeout: NaN }],
        ["resource", { url, resource: null }],
        ["resource.serviceName", { url, resource: { serviceName: " " } }],
        ["resource.serviceVersion", { url, resource: { serviceVersion: 1 } }]
      ]
      for (const [option, options] of wrong) {
        const error = yield* Effect.flip(applicationWith(Otlp.layer(options)))
        assert.strictEqual(error._tag, "InvalidOptionError", option)
        assert.strictEqual(error.option, option)
        assert.notInclude(error.message, "secret")
      }
    }))
})

describe("Otlp.layerFromConfig", () => {
  /** What an application sends with such an environment, at its end. */
  const sentWith = (env: Record<string, string>, options?: Partial<Otlp.Options>) =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const [origin] = receiver.url.split("/v1/")
      const provider = ConfigProvider.fromEnv({
        env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, value.replace("ORIGIN", origin!)]))
      })
      const app = yield* applicationWith(Otlp.layerFromConfig(options)).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, provider)
      )
      const recorder = yield* app.runtime.createRecorder("web", { metrics: [Requests] })
      emitAll(recorder, requests(50))
      yield* TestClock.adjust(1_000)
      yield* app.close
      return receiver
    })

  const on = { OTEL_EXPORTER_OTLP_ENDPOINT: "ORIGIN" }

  const temporalityOf = (sent: Export) =>
    metricsOf(sent).find(({ name }) => name === "app.requests_total")!.sum!.aggregationTemporality

  it.effect("exports where there is an endpoint, and nothing turns it off", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [env: Record<string, string>, paths: ReadonlyArray<string>]> = [
        [{}, []],
        [on, ["/v1/metrics"]],
        [{ OTEL_EXPORTER_OTLP_ENDPOINT: "ORIGIN/" }, ["/v1/metrics"]],
        [{ OTEL_EXPORTER_OTLP_ENDPOINT: "ORIGIN/collector/?a=b" }, ["/collector/v1/metrics?a=b"]],
        [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "ORIGIN/m" }, [
          "/m"
        ]],
        [{ ...on, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "ORIGIN/m/" }, ["/m/"]],
        [{ ...on, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "" }, ["/v1/metrics"]],
        [{ ...on, OTEL_METRICS_EXPORTER: "console, OTLP" }, ["/v1/metrics"]],
        [{ ...on, OTEL_METRICS_EXPORTER: "none" }, []],
        [{ ...on, OTEL_METRICS_EXPORTER: "prometheus" }, []],
        [{ ...on, OTEL_SDK_DISABLED: "True" }, []],
        [{ ...on, OTEL_SDK_DISABLED: "false" }, ["/v1/metrics"]]
      ]
      for (const [env, paths] of cases) {
        const sent = yield* sentWith(env)
        assert.deepStrictEqual(sent.paths, paths, JSON.stringify(env))
      }
    }))

  it.effect("reads headers, compression, temporality and interval", () =>
    Effect.gen(function*() {
      const { exports: [sent, last] } = yield* sentWith({
        ...on,
        OTEL_EXPORTER_OTLP_HEADERS: "a=lost",
        OTEL_EXPORTER_OTLP_METRICS_HEADERS: "api-key=a%20b=c, tenant = shop",
        OTEL_EXPORTER_OTLP_COMPRESSION: "GZIP",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "Delta",
        OTEL_METRIC_EXPORT_INTERVAL: "1000"
      })
      assert.isDefined(last)
      assert.strictEqual(sent!.headers["api-key"], "a b=c")
      assert.strictEqual(sent!.headers["tenant"], "shop")
      assert.isUndefined(sent!.headers["a"])
      assert.strictEqual(sent!.headers["content-encoding"], "gzip")
      assert.strictEqual(temporalityOf(sent!), "AGGREGATION_TEMPORALITY_DELTA")
    }))

  it.effect("takes little memory for delta", () =>
    Effect.gen(function*() {
      const env = { ...on, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "lowmemory" }
      const { exports: [sent] } = yield* sentWith(env)
      assert.strictEqual(temporalityOf(sent!), "AGGREGATION_TEMPORALITY_DELTA")
    }))

  it.effect("puts options before the environment", () =>
    Effect.gen(function*() {
      const env = {
        ...on,
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
        OTEL_EXPORTER_OTLP_HEADERS: "a=b",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "delta",
        OTEL_SERVICE_NAME: "environment"
      }
      const { exports: [sent] } = yield* sentWith(env, {
        compression: "none",
        headers: { c: "d", "User-Agent": "shop" },
        temporality: undefined,
        resource: { serviceName: "code" }
      })
      assert.isUndefined(sent!.headers["content-encoding"])
      assert.deepStrictEqual([sent!.headers["a"], sent!.headers["c"]], [undefined, "d"])
      assert.strictEqual(sent!.headers["user-agent"], "shop")
      assert.strictEqual(temporalityOf(sent!), "AGGREGATION_TEMPORALITY_DELTA")
      assert.strictEqual(serviceOf(sent!)["service.name"], "code")
    }))

  it.effect("finds out what the service is", () =>
    Effect.gen(function*() {
      const attributes = "service.name=listed,deployment.environment.name=a%2Cb"
      const cases: ReadonlyArray<readonly [Record<string, string>, Otlp.Options["resource"], string]> = [
        [{}, undefined, "unknown_service:node"],
        [{ OTEL_RESOURCE_ATTRIBUTES: attributes }, undefined, "listed"],
        [{ OTEL_RESOURCE_ATTRIBUTES: attributes, OTEL_SERVICE_NAME: "named" }, undefined, "named"],
        [{ OTEL_SERVICE_NAME: "named" }, { attributes: { "service.name": "attribute" } }, "attribute"],
        [{ OTEL_SERVICE_NAME: "named" }, { serviceName: "code", attributes: { "service.name": "attribute" } }, "code"]
      ]
      for (const [env, resource, name] of cases) {
        const { exports: [sent] } = yield* sentWith({ ...on, ...env }, { resource })
        const service = serviceOf(sent!)
        assert.strictEqual(service["service.name"], name)
        assert.strictEqual(
          service["deployment.environment.name"],
          env["OTEL_RESOURCE_ATTRIBUTES"] === undefined ? undefined : "a,b"
        )
      }
      const { exports: [sent] } = yield* sentWith({ ...on, OTEL_SERVICE_VERSION: "9" })
      assert.strictEqual(serviceOf(sent!)["service.version"], "9")
    }))

  it.effect("fails with the key of what it does not understand", () =>
    Effect.gen(function*() {
      const wrong: Record<string, string> = {
        OTEL_SDK_DISABLED: "perhaps",
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "nowhere",
        OTEL_EXPORTER_OTLP_ENDPOINT: "nowhere",
        OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: "br",
        OTEL_EXPORTER_OTLP_COMPRESSION: "br",
        OTEL_EXPORTER_OTLP_METRICS_HEADERS: "a=%zz",
        OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: "soon",
        OTEL_EXPORTER_OTLP_TIMEOUT: "0",
        OTEL_METRIC_EXPORT_INTERVAL: "-1",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "both",
        OTEL_RESOURCE_ATTRIBUTES: "a=%zz"
      }
      for (const [key, value] of Object.entries(wrong)) {
        const error = yield* Effect.flip(sentWith({ ...on, [key]: value }))
        assert.strictEqual(error._tag, "ConfigError", key)
        assert.include(error.message, key)
      }
      const scheme = yield* outcome(sentWith({ OTEL_EXPORTER_OTLP_ENDPOINT: "ftp://localhost" }))
      assert.strictEqual(scheme, "InvalidOptionError")
    }))

  const serviceOf = ({ message }: Export): Readonly<Record<string, string | undefined>> =>
    Object.fromEntries(
      message.resourceMetrics[0]!.resource.attributes.map(({ key, value }) => [key, value.stringValue])
    )

  it.effect("only says so where the environment of an explicit exporter cannot be read", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const { layer, lines } = collectLogs()
      const app = yield* application(receiver, { resource: { attributes: { a: "b" } } }).pipe(
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromEnv({ env: { OTEL_RESOURCE_ATTRIBUTES: "x=%zz", OTEL_SERVICE_NAME: "named" } })
        ),
        Effect.provide(layer)
      )
      yield* app.close
      assert.deepStrictEqual(lines.map(({ text }) => text), [
        "Error OTLP exports do without the resource of the environment, which cannot be read"
      ])
      const service = serviceOf(receiver.exports[0]!)
      assert.deepStrictEqual([service["a"], service["service.name"]], ["b", "unknown_service:node"])
    }))
})
