import { assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Option, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type Dimension, type Event, Metric, Runtime } from "mvx-metrics"
import * as Prometheus from "mvx-metrics/exporters/Prometheus"
import { collectLogs, emitAll } from "../support.ts"
import { names, Request, Requests, requests } from "./EveryDimension.ts"
import { assertSameSeries, expectedFigures, expectedSeries, type Series } from "./expectedSeries.ts"
import { describeWith, prometheusClient, promtool, runWith } from "./programs.ts"

const now = Date.UTC(2026, 0, 1)

/** What a runtime with one recorder says in both formats, and the runtime. */
const render = Effect.fnUntraced(function*(
  metrics: ReadonlyArray<Metric.Any>,
  events: Iterable<Event.MetricEvent> = [],
  options: Omit<Runtime.RecorderOptions, "metrics"> = {}
) {
  yield* TestClock.setTime(now)
  const runtime = yield* Runtime.make()
  const recorder = yield* runtime.createRecorder("default", { ...options, metrics })
  emitAll(recorder, events)
  const [text, openmetrics] = yield* Effect.provideService(
    Effect.all([Prometheus.format(), Prometheus.format({ format: "openmetrics" })]),
    Runtime.MetricsRuntime,
    runtime
  )
  return { runtime, text, openmetrics }
})

/** What promtool says; it ends with 0 if it has no complaints, with 3 if they are about style, else with 1. */
const check = (text: string) => {
  const { code, stderr, stdout } = runWith(promtool, ["check", "metrics"], text)
  return { code, complaints: `${stdout}${stderr}`.split("\n").filter((line) => line !== "") }
}

const clean = { code: 0, complaints: [] }

interface ParsedFamily {
  readonly name: string
  readonly type: string
  readonly unit: string
  readonly help: string
  readonly samples: ReadonlyArray<readonly [name: string, labels: Record<string, string>, value: string]>
}

const parser = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
text = sys.stdin.buffer.read().decode("utf-8")
for family in text_string_to_metric_families(text):
    samples = [[s.name, s.labels, repr(float(s.value))] for s in family.samples]
    print(json.dumps(dict(name=family.name, type=family.type, unit=family.unit, help=family.documentation, samples=samples)))
`

/** The families of a text in OpenMetrics; fails where the text is not to the letter of the specification. */
const parse = (text: string): ReadonlyArray<ParsedFamily> => {
  const { code, stderr, stdout } = runWith(prometheusClient, ["-c", parser], text)
  assert.strictEqual(code, 0, stderr)
  const families = stdout.split("\n").filter((line) => line !== "").map((line): ParsedFamily => JSON.parse(line))
  const count = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length
  // The parser says nothing of a series that comes twice.
  assert.strictEqual(seriesOf(families).length, count, "every series once")
  return families
}

const seriesOf = (families: ReadonlyArray<ParsedFamily>): Array<Series> =>
  families.flatMap(({ samples }) => samples.map(([name, labels, value]) => ({ name, labels, value: numberOf(value) })))

/** Numbers as Python writes them. */
const numberOf = (text: string): number => Number(text.replace("inf", "Infinity"))

const units = [undefined, "1", "%", "ms", "s", "min", "By", "KiBy", "Cel", "{request}", "By/s", "widgets"]

/** How a dimension stands in a metric: by itself, or once or more for each value of labels. */
const shapes: Readonly<Record<string, (d: Dimension.Builder<Request>, inner: Dimension.Any) => Dimension.Any>> = {
  alone: (_, inner) => inner,
  by_route: (d, inner) => d.by("route", (e) => e.route, inner),
  by_two: (d, inner) => d.by({ method: (e) => e.method, route: (e) => e.route }, inner),
  together: (d, inner) => d.struct({ inner, events: d.count() }),
  nested: (d, inner) => d.by("method", (e) => e.method, d.struct({ inner, events: d.count() }))
}

const everyDimension = (d: Dimension.Builder<Request>, unit: string | undefined): Record<string, Dimension.Any> => ({
  events: d.count({ unit }),
  amount: d.sum((e) => e.bytes, { unit }),
  level: d.upDown((e) => e.inFlight, { unit }),
  smallest: d.min((e) => e.bytes, { unit }),
  greatest: d.max((e) => e.bytes, { unit }),
  average: d.mean((e) => e.bytes, { unit }),
  spread: d.variance((e) => e.bytes, { unit }),
  newest: d.last((e) => e.bytes, { unit }),
  explicit: d.histogram((e) => e.bytes, { unit, boundaries: [1, 10, 100] }),
  exponential: d.exponentialHistogram((e) => e.bytes, { unit }),
  estimates: d.quantiles((e) => e.bytes, { unit, quantiles: [0.5, 0.99] }),
  distinct: d.distinct((e) => e.user, { unit }),
  frequent: d.topK((e) => e.user),
  speed: d.rate((e) => e.bytes, { unit })
})

const everything = units.flatMap((unit, index) =>
  Object.entries(shapes).map(([shape, make]) =>
    Metric.fromDimensions(
      `app.unit${index}.${shape}`,
      [Request],
      (d) => Object.fromEntries(Object.entries(everyDimension(d, unit)).map(([name, inner]) => [name, make(d, inner)]))
    )
  )
)

/** Dimensions named as one names them, with the unit in the name. */
const Named = Metric.fromDimensions("document_storage.saves", [Request], (d) => ({
  total: d.count(),
  failure_total: d.count({ when: () => false }),
  duration_ms: d.histogram((e) => e.durationMs, { unit: "ms" }),
  duration_ms_total: d.sum((e) => e.durationMs, { unit: "ms" }),
  mean_duration_ms: d.mean((e) => e.durationMs, { unit: "ms" }),
  slowest_milliseconds: d.max((e) => e.durationMs, { unit: "ms" }),
  latest_s: d.last((e) => e.durationMs / 1000, { unit: "s" }),
  age_h: d.last((e) => e.durationMs, { unit: "h" }),
  uptime_days: d.last((e) => e.durationMs, { unit: "d" }),
  bytes_total: d.sum((e) => e.bytes, { unit: "By" }),
  size_kb: d.last((e) => e.bytes, { unit: "kBy" }),
  bytes_per_second: d.rate((e) => e.bytes, { unit: "By" }),
  bytes: d.quantiles((e) => e.bytes, { unit: "By", quantiles: [0.5] }),
  per_second: d.rate(),
  load_percent: d.last((e) => e.share, { unit: "%" }),
  seconds_lost: d.sum((e) => e.durationMs / 1000, { unit: "s" }),
  temperature_celsius: d.last((e) => e.celsius, { unit: "Cel" })
}))

/** A metric that shows what it is told. */
const showing = (
  name: string,
  dimensions: Readonly<Record<string, unknown>>,
  instruments: Metric.Instruments = {},
  description?: string
) =>
  Metric.make(name, {
    initial: {},
    reduce: (state) => Option.some(state),
    dimensions: () => dimensions,
    instruments,
    description
  })

const one = (kind: Metric.InstrumentKind): Metric.Instruments => ({ v: { kind } })

/** Names that promtool finds fault with: what the metric is called is up to the user. */
const faulty: ReadonlyArray<readonly [Metric.Any, ...complaints: ReadonlyArray<string>]> = [
  [
    showing("cats", { total: 1 }, { total: { kind: "gauge" } }),
    "cats_total non-counter metrics should not have \"_total\" suffix"
  ],
  [
    showing("dogs", { bucket: 1 }),
    "dogs_bucket non-histogram metrics should not have \"_bucket\" suffix"
  ],
  [
    showing("hens", { sum: 1, count: 2 }),
    "hens_count non-histogram and non-summary metrics should not have \"_count\" suffix",
    "hens_sum non-histogram and non-summary metrics should not have \"_sum\" suffix"
  ],
  [
    showing("owls", { v: { 1: 1 } }, { v: { label: "le", of: { kind: "gauge" } } }),
    "owls_v non-histogram metrics should not have \"le\" label"
  ],
  [
    showing("bees", { v: { 1: 1 } }, { v: { label: "quantile", of: { kind: "counter" } } }),
    "bees_v_total non-summary metrics should not have \"quantile\" label"
  ],
  [
    showing("wildCats", { v: { 1: 1 } }, { v: { label: "howMany", of: { kind: "gauge" } } }),
    "wildCats_v label names should be written in 'snake_case' not 'camelCase'",
    "wildCats_v metric names should be written in 'snake_case' not 'camelCase'"
  ],
  [
    showing("ants", { histogram: 1 }),
    "ants_histogram metric name should not include type 'histogram'"
  ],
  [
    showing("mice", { ms: 1, hours: 1 }),
    "mice_hours use base unit \"seconds\" instead of \"hours\"",
    "mice_ms metric names should not contain abbreviated units"
  ]
]

/** Names that become good ones. */
const hostile: ReadonlyArray<readonly [Metric.Any, name: string]> = [
  [showing("9 lives", { v: 1 }), "_9_lives_v"],
  [showing("\"quoted\"", { v: 1 }), "_quoted__v"],
  [showing("back\\slash", { v: 1 }), "back_slash_v"],
  [showing("new\nline", { "\n": 1 }), "new_line__"],
  [showing("http.server.requests", { "by-status": 1 }), "http_server_requests_by_status"],
  [showing("rules:rate5", { v: 1 }), "rules_rate5_v"],
  [showing("🚀", { v: 1 }), "__v"],
  [showing("日本語", { v: 1 }), "____v"],
  [showing("__name__", { v: 1 }), "__name___v"],
  [showing("frogs", { bucket: 1 }, { bucket: { kind: "counter" } }), "frogs_bucket_total"],
  [showing("toads", { count: 1 }, { count: { kind: "counter" } }), "toads_count_total"],
  [showing("newts", { created: 1 }, { created: { kind: "counter" } }), "newts_created_total"],
  [showing("crows", { "": 1 }), "crows_"],
  [showing("snake", { v: 1 }, one("gauge"), "back\\slash, \"quotes\",\nnew line, \\n, 🚀"), "snake_v"],
  [showing("geese", { v: 1 }, one("gauge"), ""), "geese_v"],
  [
    showing("goats", { v: { "\"": 1, "\\": 2, "\n": 3, "🚀": 4, "": 5, "\r": 6, "}": 7, "\0": 8, "x\\": 9 } }, {
      v: { label: "http.route", of: { kind: "gauge" } }
    }),
    "goats_v"
  ],
  [showing("yaks", { v: { a: 1 } }, { v: { label: "9 🚀", of: { kind: "gauge" } } }), "yaks_v"]
]

const byLabels = (
  name: string,
  labels: ReadonlyArray<string>,
  inner: (d: Dimension.Builder<Request>) => Dimension.Any
) =>
  Metric.fromDimensions(name, [Request], (d) => ({
    v: d.by(Object.fromEntries(labels.map((label) => [label, (e: Request) => e.method])), inner(d))
  }))

/** What would make the text unreadable: one label too many. */
const oneLabelTooMany = [
  byLabels("elks", ["le"], (d) => d.histogram((e) => e.bytes)),
  byLabels("moose", ["quantile"], (d) => d.quantiles((e) => e.bytes, { quantiles: [0.5] })),
  byLabels("deer", ["__name__"], (d) => d.count()),
  byLabels("bison", ["http.route", "http_route"], (d) => d.count()),
  byLabels("camels", ["recorder.id"], (d) => d.count())
]

/** What would make the text unreadable: names that are taken, by the first three. */
const takenNames = [
  Metric.fromDimensions("hens", [Request], (d) => ({ v: d.histogram((e) => e.bytes) })),
  Metric.fromDimensions("pigs", [Request], (d) => ({ v: d.count() })),
  Metric.fromDimensions("cows", [Request], (d) => ({ v: d.quantiles((e) => e.bytes, { quantiles: [0.5] }) })),
  showing("hens.v", { bucket: 1 }),
  showing("hens_v", { count: 1, sum: 2, created: 3 }),
  showing("pigs.v", { total: 1 }, { total: { kind: "gauge" } }),
  showing("pigs_v", { created: 1 }),
  showing("cows.v", { sum: 1, count: 2 }),
  showing("mvx_metrics", { pending: 1 })
]

const anyText = Arbitrary.map(
  Arbitrary.array(
    Arbitrary.schema(Schema.Union([
      Schema.String,
      Schema.Literals(["\"", "\\", "\n", "\r", "{", "}", ",", "=", "#", " ", "\0", "\u2028", "🚀", "ä", "é", "\ufffe"]),
      Schema.Literals(["_", "__", "__name__", "le", "quantile", "_total", "_bucket", "_sum", "_count", "_created", "9"])
    ])),
    { maxLength: 4 }
  ),
  (pieces) => pieces.join("")
)
const anyName = Arbitrary.filter(anyText, (name) => name.trim() !== "")
const anyNumber = Arbitrary.map(
  Arbitrary.schema(Schema.Union([
    Schema.Finite,
    Schema.Int,
    Schema.Literals([0, -1, 1e21, 1e-7, 5e-324, "NaN", "Infinity", "-Infinity"])
  ])),
  Number
)

/** A metric of some series that one dimension shows, told apart by `id` and perhaps by a label that is any text. */
const anyShown = Arbitrary.all({
  name: anyName,
  description: Arbitrary.schema(Schema.UndefinedOr(Schema.String)),
  dimension: anyText,
  kind: Arbitrary.schema(Schema.Literals(["counter", "upDownCounter", "gauge", "histogram", "summary"])),
  label: anyName,
  series: Arbitrary.array(
    Arbitrary.all({ text: anyText, numbers: Arbitrary.array(anyNumber, { minLength: 1, maxLength: 5 }) }),
    { maxLength: 4 }
  )
})
type Shown = typeof anyShown extends Arbitrary.Arbitrary<infer A> ? A : never

/** A value of a kind made of numbers: what is counted is finite and not negative. */
const valueOf = (kind: Metric.InstrumentKind, numbers: ReadonlyArray<number>): unknown => {
  const amount = (value: number) => Number.isFinite(value) ? Math.abs(value) : 0
  const [first = 0] = numbers
  const count = numbers.length
  const sum = amount(first)
  switch (kind) {
    case "counter":
      return amount(first)
    case "upDownCounter":
    case "gauge":
      return first
    case "histogram": {
      const boundaries = [...new Set(numbers.map(amount))].toSorted((a, b) => a - b)
      const counts = [...boundaries.map(() => 0), count]
      return { count, sum, min: undefined, max: undefined, boundaries, counts }
    }
    case "summary":
      return { count, sum, quantiles: { 0.5: sum, 0.99: undefined, 1: Infinity } }
  }
}

const metricOf = ({ description, dimension, kind, label, name, series }: Shown, index: number): Metric.Any =>
  showing(
    name,
    {
      [dimension]: series.map(({ numbers, text }, at) => ({
        labels: { id: `${index}.${at}`, [label]: text },
        value: valueOf(kind, numbers)
      }))
    },
    { [dimension]: { labels: ["id", label], of: { kind } } },
    description
  )

/** Of all lines of a series, the one that says how much. */
const headline: Readonly<Record<string, (name: string, labels: Readonly<Record<string, string>>) => boolean>> = {
  counter: (name) => name.endsWith("_total"),
  gauge: () => true,
  histogram: (_, labels) => labels.le === "+Inf",
  summary: (name, labels) => name.endsWith("_count") && labels.quantile === undefined
}

describeWith([promtool], "promtool check metrics", () => {
  it.effect("has no complaints about any dimension, with any unit, alone, by labels and together", () =>
    Effect.gen(function*() {
      const { text } = yield* render(everything, requests(100))
      assert.deepStrictEqual(check(text), clean)
    }))

  it.effect("has no complaints where nothing was counted yet", () =>
    Effect.gen(function*() {
      const { text } = yield* render(everything)
      assert.deepStrictEqual(check(text), clean)
    }))

  it.effect("has no complaints about names with a unit in them", () =>
    Effect.gen(function*() {
      const { text } = yield* render([Named, Requests], requests(100))
      assert.deepStrictEqual(check(text), clean)
    }))

  it.effect("has no complaints about hostile names and texts", () =>
    Effect.gen(function*() {
      const { text } = yield* render(hostile.map(([metric]) => metric))
      assert.deepStrictEqual(check(text), clean)
      const published = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
      assert.deepStrictEqual(
        published.filter((name) => !name!.startsWith("mvx_metrics_")),
        hostile.map(([, name]) => name)
      )
    }))

  it.effect("never sees what would be one label too many, or a name twice", () =>
    Effect.gen(function*() {
      const { text } = yield* render([...oneLabelTooMany, ...takenNames], requests(2))
      assert.deepStrictEqual(check(text), clean)
      const published = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
      assert.deepStrictEqual(
        published.filter((name) => !name!.startsWith("mvx_metrics_")),
        ["hens_v", "pigs_v_total", "cows_v"]
      )
      const series = 2 * oneLabelTooMany.length
      assert.include(text, `mvx_metrics_series_left_out{runtime="default",reason="label"} ${series}\n`)
      assert.include(text, "mvx_metrics_series_left_out{runtime=\"default\",reason=\"name\"} 9\n")
    }).pipe(Effect.provide(collectLogs().layer)))

  it.effect("complains of nothing but the name that a user has chosen", () =>
    Effect.gen(function*() {
      const { text } = yield* render(faulty.map(([metric]) => metric))
      assert.deepStrictEqual(check(text), {
        code: 3,
        complaints: faulty.flatMap(([, ...complaints]) => complaints).toSorted()
      })
    }))
})

describeWith([promtool, prometheusClient], "any metrics", () => {
  it.effect("can be read, with texts and numbers as they are, unless they are counted as left out", () =>
    Effect.gen(function*() {
      const seed = Number(process.env.PROMTOOL_SEED ?? (yield* Random.nextInt))
      // All at once, because it is the start of a program that takes time.
      const given = yield* Arbitrary.sampleEffect(anyShown, { count: 500, size: 20, seed })
      const shown = [...new Map(given.map((one) => [one.name, one])).values()]
      const { openmetrics, text } = yield* render(shown.map(metricOf))
      const { code, complaints } = check(text)
      assert.include([0, 3], code, `${complaints.join("\n")}\nPROMTOOL_SEED=${seed}`)

      const families = parse(openmetrics)
      const leftOut = seriesOf(families).filter(({ name }) => name === "mvx_metrics_series_left_out")
      const found = families.filter(({ name }) => !name.startsWith("mvx_metrics_")).flatMap(({ samples, type }) =>
        samples.filter(([name, labels]) => headline[type]!(name, labels))
      )
      assert.strictEqual(
        found.length + leftOut.reduce((sum, { value }) => sum + value, 0),
        shown.reduce((sum, { series }) => sum + series.length, 0),
        `PROMTOOL_SEED=${seed}`
      )
      for (const [, { id, recorder_id: _, ...others }, value] of found) {
        const [index, at] = id!.split(".").map(Number)
        const { kind, series } = shown[index!]!
        const { numbers, text } = series[at!]!
        const given = valueOf(kind, numbers)
        if (kind === "histogram") delete others.le
        assert.deepStrictEqual(
          { labels: Object.values(others), value: numberOf(value) },
          // UTF-8 has no halves of characters.
          { labels: [Buffer.from(text).toString()], value: typeof given === "number" ? given + 0 : numbers.length },
          `PROMTOOL_SEED=${seed}`
        )
      }
    }).pipe(Effect.provide(collectLogs().layer)))
})

describeWith([prometheusClient], "the OpenMetrics parser of Prometheus' client", () => {
  it.effect("reads every dimension, with any unit, alone, by labels and together", () =>
    Effect.gen(function*() {
      const { openmetrics } = yield* render([...everything, Named], requests(100))
      const families = parse(openmetrics)
      assert.isAbove(families.length, 1_000)
    }))

  it.effect("reads what the snapshot holds", () =>
    Effect.gen(function*() {
      const { openmetrics, runtime } = yield* render([Requests], requests(1_000))
      // The specification has no sums that fall; Prometheus has, and so they are published.
      const hasFallingSum = /^(# \w+ )?app_requests_(temperature|change)/
      const text = openmetrics.split("\n").filter((line) => !hasFallingSum.test(line)).join("\n")
      assertSameSeries(
        seriesOf(parse(text)),
        [
          ...expectedSeries(yield* runtime.captures, names, "openmetrics"),
          ...expectedFigures(runtime, yield* runtime.stats, "openmetrics")
        ].filter(({ name }) => !hasFallingSum.test(name))
      )
    }))

  it.effect("reads hostile names and texts", () =>
    Effect.gen(function*() {
      const { openmetrics } = yield* render([...hostile, ...faulty].map(([metric]) => metric))
      const families = parse(openmetrics)
      for (const [{ description, name: metric }, name] of hostile) {
        const { help } = families.find((family) => family.name === name.replace(/_total$/, ""))!
        if (description) assert.strictEqual(help, description)
        else assert.include(help, metric)
      }
      const goats = seriesOf(families).filter(({ name }) => name === "goats_v")
      assert.deepStrictEqual(
        Object.fromEntries(goats.map(({ labels, value }) => [labels.http_route, value])),
        { "\"": 1, "\\": 2, "\n": 3, "🚀": 4, "": 5, "\r": 6, "}": 7, "\0": 8, "x\\": 9 }
      )
    }))
})
