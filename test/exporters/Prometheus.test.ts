import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Layer, Option, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { type Dimension, Event, Metric, Recorder, Runtime } from "mvx-metrics"
import * as Prometheus from "mvx-metrics/exporters/Prometheus"
import { request } from "node:http"
import { gunzipSync } from "node:zlib"
import { Collection } from "../../src/exporters/internal/Collection.ts"
import { Collector } from "../../src/exporters/internal/Collector.ts"
import { Exposition } from "../../src/exporters/internal/prometheus/Exposition.ts"
import { prometheusTargets } from "../../src/exporters/internal/prometheus/names.ts"
import { collectLogs } from "../support.ts"

class Seen extends Event.Class<Seen>()("seen", { label: Schema.String, value: Schema.Finite }) {}

const seen = (value: number, label = "a") => new Seen({ label, value })

const value = (e: Seen) => e.value
const label = (e: Seen) => e.label

const ofDimensions = (
  name: string,
  dimensions: (d: Dimension.Builder<Seen>) => Readonly<Record<string, Dimension.Dimension<Seen, any, any>>>,
  description?: string
): Metric.Any => Metric.fromDimensions(name, [Seen], dimensions, { description })

/** A hand-written view of something that never changes. */
const showing = (name: string, shown: object, instruments: object = {}): Metric.Any =>
  Metric.make(name, { initial: shown, reduce: () => Option.none(), instruments })

/** A runtime with these recorders, which have folded the events. */
const runtimeOf = (
  recorders: Readonly<Record<string, Runtime.RecorderOptions>>,
  events: ReadonlyArray<Seen> = []
) =>
  Effect.gen(function*() {
    const runtime = yield* Runtime.make({ linger: 60_000 })
    for (const [id, options] of Object.entries(recorders)) {
      const recorder = yield* runtime.createRecorder(id, options)
      for (const event of events) recorder.registerEventUnsafe(event)
      // What is pending shows in a scrape.
      yield* recorder.flush
    }
    return runtime
  })

const provideRuntime = (runtime: Runtime.Handle) => Effect.provideService(Runtime.MetricsRuntime, runtime)

/** The lines that are not about the runtime itself. */
const shownOf = (text: string): string => text.split("\n").filter((line) => !line.includes("mvx_metrics")).join("\n")

const formatted = (runtime: Runtime.Handle, options?: Parameters<typeof Prometheus.format>[0]) =>
  Effect.map(Prometheus.format(options).pipe(provideRuntime(runtime)), shownOf)

/** Both formats of what one recorder shows. */
const bothOf = (
  metrics: ReadonlyArray<Metric.Any>,
  events: ReadonlyArray<Seen> = [],
  options: Prometheus.Options = {}
) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(1_700_000_000_123)
    const runtime = yield* runtimeOf({ r: { metrics } }, events)
    return {
      text: yield* formatted(runtime, options),
      openmetrics: yield* formatted(runtime, { ...options, format: "openmetrics" })
    }
  })

const of = `{recorder_id="r"}`

const created = 1_700_000_000.123

describe("the text of", () => {
  it.effect.each<[string, Metric.Any, text: string, openmetrics: string]>([
    [
      "a counter",
      ofDimensions("m.a", (d) => ({ total: d.count() })),
      `# HELP m_a_total m.a: total
# TYPE m_a_total counter
m_a_total${of} 2
`,
      `# HELP m_a m.a: total
# TYPE m_a counter
m_a_total${of} 2
m_a_created${of} ${created}
`
    ],
    [
      "a counter with a unit",
      ofDimensions("m", (d) => ({ spent_ms: d.sum(value, { unit: "ms" }) })),
      `# HELP m_spent_seconds_total m: spent_ms
# TYPE m_spent_seconds_total counter
m_spent_seconds_total${of} 2.001
`,
      `# HELP m_spent_seconds m: spent_ms
# TYPE m_spent_seconds counter
# UNIT m_spent_seconds seconds
m_spent_seconds_total${of} 2.001
m_spent_seconds_created${of} ${created}
`
    ],
    [
      "what may fall",
      ofDimensions("m", (d) => ({ open: d.upDown((e) => -e.value) })),
      `# HELP m_open m: open
# TYPE m_open gauge
m_open${of} -2001
`,
      `# HELP m_open m: open
# TYPE m_open gauge
m_open${of} -2001
`
    ],
    [
      "gauges, of any number",
      showing("m", {
        nan: NaN,
        up: Infinity,
        down: -Infinity,
        big: 2n ** 70n,
        zero: -0,
        small: 1e-7,
        large: 1e21
      }),
      `# HELP m_nan m: nan
# TYPE m_nan gauge
m_nan${of} NaN
# HELP m_up m: up
# TYPE m_up gauge
m_up${of} +Inf
# HELP m_down m: down
# TYPE m_down gauge
m_down${of} -Inf
# HELP m_big m: big
# TYPE m_big gauge
m_big${of} 1180591620717411303424
# HELP m_zero m: zero
# TYPE m_zero gauge
m_zero${of} 0
# HELP m_small m: small
# TYPE m_small gauge
m_small${of} 1e-7
# HELP m_large m: large
# TYPE m_large gauge
m_large${of} 1e+21
`,
      ""
    ],
    [
      "gauges with a unit that stands inside of the name",
      showing("m", { "latency_seconds.max": 9, size_kb: 4n }, {
        "latency_seconds.max": { kind: "gauge", unit: "ms" },
        size_kb: { kind: "gauge", unit: "kBy" }
      }),
      `# HELP m_latency_seconds_max m: latency_seconds.max
# TYPE m_latency_seconds_max gauge
m_latency_seconds_max${of} 0.009
# HELP m_size_bytes m: size_kb
# TYPE m_size_bytes gauge
m_size_bytes${of} 4000
`,
      `# HELP m_latency_seconds_max m: latency_seconds.max
# TYPE m_latency_seconds_max gauge
m_latency_seconds_max${of} 0.009
# HELP m_size_bytes m: size_kb
# TYPE m_size_bytes gauge
# UNIT m_size_bytes bytes
m_size_bytes${of} 4000
`
    ],
    [
      "a histogram",
      ofDimensions("m", (d) => ({ wait: d.histogram(value, { unit: "ms", boundaries: [0.5, 1500] }) })),
      `# HELP m_wait_seconds m: wait
# TYPE m_wait_seconds histogram
m_wait_seconds_bucket{recorder_id="r",le="0.0005"} 0
m_wait_seconds_bucket{recorder_id="r",le="1.5"} 1
m_wait_seconds_bucket{recorder_id="r",le="+Inf"} 2
m_wait_seconds_sum${of} 2.001
m_wait_seconds_count${of} 2
`,
      `# HELP m_wait_seconds m: wait
# TYPE m_wait_seconds histogram
# UNIT m_wait_seconds seconds
m_wait_seconds_bucket{recorder_id="r",le="0.0005"} 0
m_wait_seconds_bucket{recorder_id="r",le="1.5"} 1
m_wait_seconds_bucket{recorder_id="r",le="+Inf"} 2
m_wait_seconds_sum${of} 2.001
m_wait_seconds_count${of} 2
m_wait_seconds_created${of} ${created}
`
    ],
    [
      "a histogram without boundaries",
      ofDimensions("m", (d) => ({ wait: d.histogram(value, { boundaries: [] }) })),
      `# HELP m_wait m: wait
# TYPE m_wait histogram
m_wait_bucket{recorder_id="r",le="+Inf"} 2
m_wait_sum${of} 2001
m_wait_count${of} 2
`,
      `# HELP m_wait m: wait
# TYPE m_wait histogram
m_wait_bucket{recorder_id="r",le="+Inf"} 2
m_wait_sum${of} 2001
m_wait_count${of} 2
m_wait_created${of} ${created}
`
    ],
    [
      "a histogram with a boundary that is infinite",
      showing(
        "m",
        { wait: { count: 3, sum: 9, boundaries: [1, Infinity], counts: [1, 2, 0] } },
        { wait: { kind: "histogram" } }
      ),
      `# HELP m_wait m: wait
# TYPE m_wait histogram
m_wait_bucket{recorder_id="r",le="1"} 1
m_wait_bucket{recorder_id="r",le="+Inf"} 3
m_wait_sum${of} 9
m_wait_count${of} 3
`,
      `# HELP m_wait m: wait
# TYPE m_wait histogram
m_wait_bucket{recorder_id="r",le="1"} 1
m_wait_bucket{recorder_id="r",le="+Inf"} 3
m_wait_sum${of} 9
m_wait_count${of} 3
m_wait_created${of} ${created}
`
    ],
    [
      "a histogram whose last boundary is infinite in the unit of Prometheus",
      showing(
        "m",
        { way: { count: 3, sum: 9, boundaries: [1, 1e306], counts: [1, 2, 0] } },
        { way: { kind: "histogram", unit: "km" } }
      ),
      `# HELP m_way_meters m: way
# TYPE m_way_meters histogram
m_way_meters_bucket{recorder_id="r",le="1000"} 1
m_way_meters_bucket{recorder_id="r",le="+Inf"} 3
m_way_meters_sum${of} 9000
m_way_meters_count${of} 3
`,
      `# HELP m_way_meters m: way
# TYPE m_way_meters histogram
# UNIT m_way_meters meters
m_way_meters_bucket{recorder_id="r",le="1000"} 1
m_way_meters_bucket{recorder_id="r",le="+Inf"} 3
m_way_meters_sum${of} 9000
m_way_meters_count${of} 3
m_way_meters_created${of} ${created}
`
    ],
    [
      "a histogram of what is below zero",
      ofDimensions("m", (d) => ({ below: d.histogram((e) => -e.value, { boundaries: [-5, 0] }) })),
      `# HELP m_below m: below
# TYPE m_below histogram
m_below_bucket{recorder_id="r",le="-5"} 1
m_below_bucket{recorder_id="r",le="0"} 2
m_below_bucket{recorder_id="r",le="+Inf"} 2
m_below_sum${of} -2001
m_below_count${of} 2
`,
      `# HELP m_below m: below
# TYPE m_below histogram
m_below_bucket{recorder_id="r",le="-5"} 1
m_below_bucket{recorder_id="r",le="0"} 2
m_below_bucket{recorder_id="r",le="+Inf"} 2
m_below_sum${of} -2001
m_below_count${of} 2
m_below_created${of} ${created}
`
    ],
    [
      "an exponential histogram",
      ofDimensions("m", (d) => ({ size: d.exponentialHistogram(value, { maxSize: 2 }) })),
      `# HELP m_size m: size
# TYPE m_size histogram
m_size_bucket{recorder_id="r",le="0.0000152587890625"} 0
m_size_bucket{recorder_id="r",le="1"} 1
m_size_bucket{recorder_id="r",le="65536"} 2
m_size_bucket{recorder_id="r",le="+Inf"} 2
m_size_sum${of} 2001
m_size_count${of} 2
`,
      `# HELP m_size m: size
# TYPE m_size histogram
m_size_bucket{recorder_id="r",le="0.0000152587890625"} 0
m_size_bucket{recorder_id="r",le="1"} 1
m_size_bucket{recorder_id="r",le="65536"} 2
m_size_bucket{recorder_id="r",le="+Inf"} 2
m_size_sum${of} 2001
m_size_count${of} 2
m_size_created${of} ${created}
`
    ],
    [
      "a summary",
      showing(
        "m",
        { wait: { count: 3, sum: 4_500, quantiles: { 0.5: 500, 0.99: undefined } } },
        { wait: { kind: "summary", unit: "ms" } }
      ),
      `# HELP m_wait_seconds m: wait
# TYPE m_wait_seconds summary
m_wait_seconds{recorder_id="r",quantile="0.5"} 0.5
m_wait_seconds_sum${of} 4.5
m_wait_seconds_count${of} 3
`,
      `# HELP m_wait_seconds m: wait
# TYPE m_wait_seconds summary
# UNIT m_wait_seconds seconds
m_wait_seconds{recorder_id="r",quantile="0.5"} 0.5
m_wait_seconds_sum${of} 4.5
m_wait_seconds_count${of} 3
m_wait_seconds_created${of} ${created}
`
    ],
    [
      "labels and descriptions that need escaping",
      ofDimensions("m", (d) => ({ by: d.by("http.label", label, d.count()) }), " What \"a\" does:\n\\ more "),
      `# HELP m_by_total What "a" does:\\n\\\\ more
# TYPE m_by_total counter
m_by_total{recorder_id="r",http_label="a"} 1
m_by_total{recorder_id="r",http_label="q\\"\\\\\\n🚀"} 1
`,
      `# HELP m_by What \\"a\\" does:\\n\\\\ more
# TYPE m_by counter
m_by_total{recorder_id="r",http_label="a"} 1
m_by_created{recorder_id="r",http_label="a"} ${created}
m_by_total{recorder_id="r",http_label="q\\"\\\\\\n🚀"} 1
m_by_created{recorder_id="r",http_label="q\\"\\\\\\n🚀"} ${created}
`
    ],
    [
      "an empty description",
      ofDimensions("m", (d) => ({ total: d.count() }), " \n"),
      `# HELP m_total m: total
# TYPE m_total counter
m_total${of} 2
`,
      `# HELP m m: total
# TYPE m counter
m_total${of} 2
m_created${of} ${created}
`
    ],
    [
      "distributions by labels: the lines of one series together",
      ofDimensions("m", (d) => ({ by: d.by("label", label, d.histogram(value, { boundaries: [1] })) })),
      `# HELP m_by m: by
# TYPE m_by histogram
m_by_bucket{recorder_id="r",label="a",le="1"} 1
m_by_bucket{recorder_id="r",label="a",le="+Inf"} 1
m_by_sum{recorder_id="r",label="a"} 1
m_by_count{recorder_id="r",label="a"} 1
m_by_bucket{recorder_id="r",label="q\\"\\\\\\n🚀",le="1"} 0
m_by_bucket{recorder_id="r",label="q\\"\\\\\\n🚀",le="+Inf"} 1
m_by_sum{recorder_id="r",label="q\\"\\\\\\n🚀"} 2000
m_by_count{recorder_id="r",label="q\\"\\\\\\n🚀"} 1
`,
      `# HELP m_by m: by
# TYPE m_by histogram
m_by_bucket{recorder_id="r",label="a",le="1"} 1
m_by_bucket{recorder_id="r",label="a",le="+Inf"} 1
m_by_sum{recorder_id="r",label="a"} 1
m_by_count{recorder_id="r",label="a"} 1
m_by_created{recorder_id="r",label="a"} ${created}
m_by_bucket{recorder_id="r",label="q\\"\\\\\\n🚀",le="1"} 0
m_by_bucket{recorder_id="r",label="q\\"\\\\\\n🚀",le="+Inf"} 1
m_by_sum{recorder_id="r",label="q\\"\\\\\\n🚀"} 2000
m_by_count{recorder_id="r",label="q\\"\\\\\\n🚀"} 1
m_by_created{recorder_id="r",label="q\\"\\\\\\n🚀"} ${created}
`
    ]
  ])("%s", ([, metric, text, openmetrics]) =>
    Effect.gen(function*() {
      const both = yield* bothOf([metric], [seen(1), seen(2_000, "q\"\\\n🚀")])
      assert.strictEqual(both.text, text)
      assert.strictEqual(both.openmetrics, `${openmetrics || text}# EOF\n`)
    }))

  it.effect("numbers and names as they are, where they are wanted so", () =>
    Effect.gen(function*() {
      const metric = ofDimensions("m", (d) => ({
        spent_ms: d.sum(value, { unit: "ms" }),
        wait_ms: d.histogram(value, { unit: "ms", boundaries: [5] })
      }))
      const both = yield* bothOf([metric], [seen(1), seen(2_000)], { units: "asIs" })
      assert.strictEqual(
        both.openmetrics,
        `# HELP m_spent_ms m: spent_ms
# TYPE m_spent_ms counter
m_spent_ms_total${of} 2001
m_spent_ms_created${of} ${created}
# HELP m_wait_ms m: wait_ms
# TYPE m_wait_ms histogram
m_wait_ms_bucket{recorder_id="r",le="5"} 1
m_wait_ms_bucket{recorder_id="r",le="+Inf"} 2
m_wait_ms_sum${of} 2001
m_wait_ms_count${of} 2
m_wait_ms_created${of} ${created}
# EOF
`
      )
      assert.include(both.text, `m_spent_ms_total${of} 2001\n`)
      assert.include(both.text, `m_wait_ms_bucket{recorder_id="r",le="5"} 1\n`)
    }))

  it.effect("a runtime where nobody records is its own figures", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(2_500)
      const runtime = yield* Runtime.make({ namespace: "a \"shop\"" })
      const linesOf = (text: string) =>
        text.split("\n").filter((line) => /^(# (HELP|TYPE|UNIT) )?mvx_metrics_(accepted|pending)|^# EOF|^$/.test(line))
      const text = yield* Prometheus.format().pipe(provideRuntime(runtime))
      assert.deepStrictEqual(linesOf(text), [
        "# HELP mvx_metrics_accepted_total Events taken into the queues of recorders",
        "# TYPE mvx_metrics_accepted_total counter",
        `mvx_metrics_accepted_total{runtime="a \\"shop\\""} 0`,
        "# HELP mvx_metrics_pending Accepted events that wait to be folded",
        "# TYPE mvx_metrics_pending gauge",
        `mvx_metrics_pending{runtime="a \\"shop\\""} 0`,
        ""
      ])
      const openmetrics = yield* Prometheus.format({ format: "openmetrics" }).pipe(provideRuntime(runtime))
      assert.deepStrictEqual(linesOf(openmetrics), [
        "# HELP mvx_metrics_accepted Events taken into the queues of recorders",
        "# TYPE mvx_metrics_accepted counter",
        `mvx_metrics_accepted_total{runtime="a \\"shop\\""} 0`,
        `mvx_metrics_accepted_created{runtime="a \\"shop\\""} 2.5`,
        "# HELP mvx_metrics_pending Accepted events that wait to be folded",
        "# TYPE mvx_metrics_pending gauge",
        `mvx_metrics_pending{runtime="a \\"shop\\""} 0`,
        "# EOF",
        ""
      ])
    }))

  it.effect("many recorders has each family once, with all its lines", () =>
    Effect.gen(function*() {
      const many = ofDimensions("many", (d) => ({
        total: d.count(),
        wait: d.histogram(value, { boundaries: [1] }),
        by: d.by("label", label, d.struct({ n: d.count(), max: d.max(value) }))
      }))
      const more = ofDimensions("more", (d) => ({ total: d.count() }))
      const runtime = yield* runtimeOf({
        a: { metrics: [many] },
        b: { metrics: [more, many], labels: { region: "eu" } },
        c: { metrics: [many, more], export: "rollup" },
        d: { metrics: [many] }
      }, [seen(1), seen(2, "b")])
      for (const format of ["text", "openmetrics"] as const) {
        const text = yield* formatted(runtime, { format })
        const begun = text.split("\n").filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]!)
        assert.deepStrictEqual(
          begun,
          format === "text"
            ? ["many_total", "many_wait", "many_by_n_total", "many_by_max", "more_total"]
            : ["many", "many_wait", "many_by_n", "many_by_max", "more"]
        )
        for (const [at, family] of text.split(/^# HELP /m).slice(1).entries()) {
          const lines = family.split("\n").slice(2).filter((line) => line !== "" && line !== "# EOF")
          assert.isTrue(lines.every((line) => line.startsWith(begun[at]!)))
          const series = new Set(lines.map((line) => line.split(" ")[0]))
          assert.strictEqual(series.size, lines.length)
        }
        assert.include(text, `many_total{region="eu",recorder_id="b"} 2\n`)
        assert.include(text, `many_total 2\n`)
        assert.include(text, `many_by_max{label="b"} 2\n`)
      }
    }))

  it.effect("counters that began anew says so by the time at which they did", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000)
      const runtime = yield* Runtime.make({ linger: 60_000 })
      const counted = ofDimensions("m", (d) => ({ total: d.count() }))
      const recorder = yield* runtime.createRecorder("r", { metrics: [counted] })
      recorder.registerEventUnsafe(seen(1))
      const read = Effect.map(formatted(runtime, { format: "openmetrics" }), (text) => text.split("\n").slice(2, 4))
      assert.deepStrictEqual(yield* read, [`m_total${of} 1`, `m_created${of} 1`])
      yield* TestClock.setTime(9_000)
      yield* recorder.unregisterMetric("m")
      yield* recorder.registerMetric(counted)
      assert.deepStrictEqual(yield* read, [`m_total${of} 0`, `m_created${of} 9`])
    }))

  /** What a reader of the format makes of a line. */
  const parsed = (line: string) => {
    const [, name, labels, shown] = /^([a-zA-Z_][a-zA-Z0-9_]*)\{(.*)\} (\S+)$/.exec(line)!
    const all: Record<string, string> = {}
    let rest = labels!
    while (rest !== "") {
      const [whole, label, text] = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\n"])*)",?/.exec(rest)!
      assert.isFalse(Object.hasOwn(all, label!))
      all[label!] = text!.replace(/\\([\\n"])/g, (_, char) => char === "n" ? "\n" : char)
      rest = rest.slice(whole.length)
    }
    return { name: name!, labels: all, value: shown! }
  }

  it.effect.prop(
    "any labels is read back as they are",
    [Arbitrary.array(Arbitrary.schema(Schema.String), { maxLength: 12 }), Schema.Literals(["text", "openmetrics"])],
    ([labels, format]) =>
      Effect.gen(function*() {
        const Labelled = ofDimensions("m", (d) => ({ by: d.by("of", label, d.count()) }))
        const known = labels.filter((text) => (text as any).isWellFormed())
        const runtime = yield* runtimeOf({ r: { metrics: [Labelled] } }, known.map((text) => seen(1, text)))
        const text = yield* formatted(runtime, { format })
        const lines = text.split("\n").filter((line) => line.startsWith("m_by_total")).map(parsed)
        const counts = new Map<string, number>()
        for (const text of known) counts.set(text, (counts.get(text) ?? 0) + 1)
        assert.deepStrictEqual(
          lines.map(({ labels, name, value }) => [name, labels, value]),
          Array.from(counts, ([of, count]) => ["m_by_total", { recorder_id: "r", of }, `${count}`])
        )
      }),
    { arbitrary: { runs: 60 } }
  )

  it.effect("very many series is whole, whatever the length of its lines", () =>
    Effect.gen(function*() {
      const events = Array.from({ length: 3_000 }, (_, n) =>
        seen(n, `${n}${"ü🚀".repeat(n % 97)}${n === 1_500 ? "x".repeat(200_000) : ""}`))
      const Labelled = ofDimensions("m", (d) => ({ by: d.by("of", label, d.max(value), { limit: 10_000 }) }))
      const runtime = yield* runtimeOf({ r: { metrics: [Labelled] } }, events)
      const text = yield* formatted(runtime)
      assert.deepStrictEqual(
        text.split("\n"),
        [
          "# HELP m_by m: by",
          "# TYPE m_by gauge",
          ...events.map(({ label, value }) =>
            `m_by{recorder_id="r",of="${label}"} ${value}`
          ),
          ""
        ]
      )
    }))
})

describe("the pieces of a text", () => {
  it.effect("are neither many nor large, whether it is of many families or of a large one", () =>
    Effect.gen(function*() {
      const Large = ofDimensions("large", (d) => ({ by: d.by("of", label, d.max(value), { limit: 20_000 }) }))
      const Many = showing("many", Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`n${n}`, n])))
      const events = Array.from({ length: 10_000 }, (_, n) => seen(n, `${n}`))
      const runtime = yield* runtimeOf({ r: { metrics: [Large, Many] } }, events)
      const collector = yield* Collector.make(prometheusTargets.base).pipe(provideRuntime(runtime))
      const exposition = new Exposition("text", "base")
      yield* collector.each(exposition.add)
      const lengths = Array.from(exposition.pieces(), ({ length }) => length)
      assert.isAbove(lengths.length, 2)
      assert.isAtLeast(Math.min(...lengths.slice(0, -1)), 65_536)
      assert.isAtMost(Math.max(...lengths), 2 * 65_536)
    }))
})

describe("the text that is sent while it is made", () => {
  const large = (name: string) =>
    ofDimensions(name, (d) => ({ by: d.by("of", label, d.max(value), { limit: 20_000 }) }))

  /** The pieces of a runtime, taken after each step, and how many there were when its own figures began. */
  const taken = (runtime: Runtime.Handle) =>
    Effect.gen(function*() {
      const exposition = new Exposition("openmetrics")
      const pieces: Array<Uint8Array> = []
      let early = 0
      const collection = new Collection(prometheusTargets.base, (point) => {
        if (point.family.isOwn && early === 0) early = pieces.length
        exposition.add(point)
      })
      const [captures, stats] = [yield* runtime.captures, yield* runtime.stats]
      for (const _ of collection.run(captures, stats, runtime, 0)) {
        pieces.push(...exposition.take((metric) => collection.isComplete(metric)))
      }
      pieces.push(...exposition.pieces())
      return { early, lengths: pieces.map(({ length }) => length), text: Buffer.concat(pieces).toString() }
    })

  /** As when nothing is taken before the end. */
  const whole = (runtime: Runtime.Handle) =>
    Effect.gen(function*() {
      const exposition = new Exposition("openmetrics")
      const collection = new Collection(prometheusTargets.base, exposition.add)
      for (const _ of collection.run(yield* runtime.captures, yield* runtime.stats, runtime, 0));
      return Buffer.concat(Array.from(exposition.pieces())).toString()
    })

  const events = Array.from({ length: 8_000 }, (_, n) => seen(n, `${n}`))

  it.effect("is the same, and is gone before the rest is made where one recorder has each metric", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({ r: { metrics: [large("a"), showing("b", { n: 1 }), large("c")] } }, events)
      const { early, lengths, text } = yield* taken(runtime)
      assert.strictEqual(text, yield* whole(runtime))
      assert.isAbove(early, 4)
      assert.isAtLeast(Math.min(...lengths.slice(0, -1)), 65_536)
    }))

  it.effect("has each family once, whichever recorders have it", () =>
    Effect.gen(function*() {
      const [a, b, c] = [large("a"), large("b"), large("c")]
      const runtime = yield* runtimeOf(
        { one: { metrics: [a, b] }, two: { metrics: [b, c] }, three: { metrics: [c, a] } },
        events
      )
      const expected = yield* whole(runtime)
      const { early, text } = yield* taken(runtime)
      assert.isTrue(text === expected)
      assert.isAbove(early, 4)
    }))

  it.effect("is whole beside what a custom recorder captured that is no capture", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({
        r: { metrics: [large("a")] },
        wrong: {
          metrics: [large("a")],
          wrap: (base) =>
            Effect.succeed(Recorder.decorate(base, {
              capture: Effect.map(base.capture, (capture) => ({ ...capture, metrics: [null] as never }))
            }))
        }
      }, events)
      assert.isTrue((yield* taken(runtime)).text === (yield* whole(runtime)))
    }))
})

describe("Prometheus.format", () => {
  it.effect("refuses options that there are not", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make()
      const errorOf = (options: object) => Effect.flip(Prometheus.format(options).pipe(provideRuntime(runtime)))
      const error = yield* errorOf({ format: "html" })
      assert.strictEqual(error._tag, "InvalidOptionError")
      assert.strictEqual(
        error.message,
        `Invalid option \`format\`: expected one of "text", "openmetrics", found "html"`
      )
      assert.strictEqual(
        (yield* errorOf({ units: "SI" })).message,
        `Invalid option \`units\`: expected one of "base", "asIs", found "SI"`
      )
    }))

  it.effect("goes on beside what cannot be published, and logs that once for all reads", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const runtime = yield* runtimeOf({
        r: {
          metrics: [ofDimensions("m.x", (d) => ({ total: d.count() })), ofDimensions("m", (d) => ({ x: d.count() }))]
        }
      })
      for (let time = 0; time < 2; time++) {
        const text = yield* Prometheus.format().pipe(provideRuntime(runtime), Effect.provide(logs.layer))
        assert.include(text, `m_x_total${of} 0\n`)
        assert.include(text, `mvx_metrics_series_left_out{runtime="default",reason="name"} 1\n`)
      }
      assert.strictEqual(logs.lines.length, 1)
    }))
})

describe("Prometheus.check", () => {
  const { layer } = collectLogs()
  const check = (runtime: Runtime.Handle, options?: Prometheus.Options) =>
    Prometheus.check(options).pipe(provideRuntime(runtime), Effect.provide(layer))

  it.effect("says nothing where all can be published", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({ r: { metrics: [ofDimensions("m", (d) => ({ total: d.count() }))] } })
      assert.isUndefined(yield* check(runtime))
    }))

  it.effect("fails with the first series that cannot", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({
        r: {
          metrics: [
            showing("m.x", { y: 1 }),
            showing("m", { x_y: 1, less_total: -1 }),
            showing("n", { less_total: NaN })
          ]
        }
      })
      const error = yield* Effect.flip(check(runtime))
      assert.instanceOf(error, Prometheus.SeriesRefusedError)
      assert.strictEqual(
        error.message,
        `Not published: gauge "x_y" of metric "m": expected the name m_x_y for itself, found gauge "y" of metric "m.x" under it`
      )
    }))

  it.effect("looks at the names that are asked for", () =>
    Effect.gen(function*() {
      const unit = (name: string, unit: string) => showing(name, { x: 1 }, { x: { kind: "gauge", unit } })
      const runtime = yield* runtimeOf({
        r: {
          metrics: [
            showing("m", { x_ms: 1, x_s: 2 }, {
              x_ms: { kind: "gauge", unit: "ms" },
              x_s: { kind: "gauge", unit: "s" }
            }),
            unit("n", "ms")
          ]
        }
      })
      const error = yield* Effect.flip(check(runtime))
      assert.strictEqual(error._tag === "SeriesRefusedError" ? error.reason : error._tag, "name")
      assert.isUndefined(yield* check(runtime, { units: "asIs" }))
      assert.strictEqual((yield* Effect.flip(check(runtime, { units: "SI" as never })))._tag, "InvalidOptionError")
    }))
})

describe("Prometheus.negotiate", () => {
  it.each<[string | undefined, Prometheus.Format]>([
    // What Prometheus 2 and 3 send, with and without the formats that one can choose there.
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      "openmetrics"
    ],
    [
      "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      "openmetrics"
    ],
    [
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      "openmetrics"
    ],
    [
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
      "openmetrics"
    ],
    ["text/plain;version=0.0.4;q=1,*/*;q=0.1", "text"],
    ["text/plain;version=0.0.4", "text"],
    // What others send.
    [undefined, "text"],
    ["", "text"],
    ["*/*", "text"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text"],
    ["application/json", "text"],
    ["application/openmetrics-text", "openmetrics"],
    ["application/openmetrics-text;version=\"1.0.0\"", "openmetrics"],
    ["APPLICATION/OpenMetrics-Text ; Version=1.0.0 ; Q=0.5 , text/plain ; q=0.4", "openmetrics"],
    // By how welcome they are.
    ["application/openmetrics-text;q=0.5,text/plain;q=0.5", "openmetrics"],
    ["application/openmetrics-text;q=0.4,text/plain;q=0.5", "text"],
    ["application/openmetrics-text;q=0.4,text/plain;q=0.2,text/plain;q=0.5", "text"],
    ["application/openmetrics-text;q=0.4,application/openmetrics-text;q=0.6,text/plain;q=0.5", "openmetrics"],
    ["application/openmetrics-text;q=0.4,text/plain;q=0.5,text/plain;q=0.2", "text"],
    ["application/openmetrics-text;q=0.4,text/plain;q=much", "openmetrics"],
    ["application/openmetrics-text;q=0.4,text/plain;version=9", "text"],
    ["application/openmetrics-text;q=0,*/*", "text"],
    ["application/openmetrics-text;q=0", "text"],
    ["application/openmetrics-text;q=0.1,text/*;q=0.2", "text"],
    ["application/openmetrics-text;q=0.1,*/*;q=0.2", "text"],
    ["application/openmetrics-text;q=0.3,*/*;q=0.9,text/*;q=0.2", "openmetrics"],
    ["application/openmetrics-text;q=0.3,text/*;q=0.9,text/plain;q=0.2", "openmetrics"],
    // Versions that there are not, and what is no header.
    ["application/openmetrics-text;version=2.0.0", "text"],
    ["application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;q=0.1", "openmetrics"],
    ["application/openmetrics-text;version=1.0.0.0", "text"],
    ["application/openmetrics-text;version=", "text"],
    ["application/openmetrics-text;q=much", "text"],
    ["application/openmetrics-text;q", "openmetrics"],
    ["application/openmetrics-textual", "text"],
    [";;,,;q=,=,\"", "text"],
    ["__proto__;__proto__=1,application/openmetrics-text;__proto__=2", "openmetrics"]
  ])("%s is %s", (accept, format) => {
    assert.strictEqual(Prometheus.negotiate(accept), format)
  })
})

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Buffer
}

/** A request that Node sends as it is told. */
const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  Effect.flatMap(HttpServer.HttpServer, ({ address }) => {
    assert("port" in address)
    return Effect.callback<Answer>((resume) => {
      const asked = request(
        { host: "127.0.0.1", port: address.port, path, method, headers, agent: false },
        (answer) => {
          const pieces: Array<Buffer> = []
          answer.on("data", (piece: Buffer) => pieces.push(piece))
          answer.on("end", () =>
            resume(
              Effect.succeed({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(pieces) })
            ))
          answer.on("error", (error) => resume(Effect.die(error)))
        }
      )
      asked.on("error", (error) => resume(Effect.die(error)))
      asked.end()
    })
  })

describe("Prometheus.layer", () => {
  const Labelled = ofDimensions("m", (d) => ({
    total: d.count(),
    by: d.by("label", label, d.max(value, { unit: "ms" }), { limit: 20_000 })
  }))

  const runtime = (events: ReadonlyArray<Seen>) =>
    Layer.effect(Runtime.MetricsRuntime, runtimeOf({ r: { metrics: [Labelled] } }, events))

  /** A server with these routes, on a port that is free. */
  const serving = (
    events: ReadonlyArray<Seen> = [seen(5)],
    routes: Layer.Layer<
      never,
      any,
      HttpRouter.HttpRouter | Runtime.MetricsRuntime | Layer.Success<typeof NodeHttpServer.layerTest>
    > = Prometheus.layer()
  ) =>
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layerTest),
      Layer.provideMerge(runtime(events))
    )

  const text = "text/plain; version=0.0.4; charset=utf-8"
  const openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"

  it.effect("answers in the format that is asked for", () =>
    Effect.gen(function*() {
      for (
        const [accept, type, format] of [
          [undefined, text, "text"],
          ["text/plain", text, "text"],
          ["application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1", openmetrics, "openmetrics"]
        ] as const
      ) {
        const { body, headers, status } = yield* ask("/metrics", accept === undefined ? {} : { accept })
        assert.deepStrictEqual([status, headers["content-type"]], [200, type])
        assert.strictEqual(type, Prometheus.contentTypes[format])
        assert.strictEqual(body.toString(), yield* Prometheus.format({ format }))
        assert.include(body.toString(), `m_by_seconds{recorder_id="r",label="a"} 0.005\n`)
      }
    }).pipe(Effect.provide(serving())))

  it.effect("answers in gzip where that is welcome, and says what the answer depends on", () =>
    Effect.gen(function*() {
      const expected = yield* Prometheus.format()
      for (const encoding of ["gzip", "deflate, gzip;q=0.5", "*", "br, gzip"]) {
        const { body, headers, status } = yield* ask("/metrics", { "accept-encoding": encoding })
        assert.deepStrictEqual(
          [status, headers["content-encoding"], headers["content-type"]],
          [200, "gzip", text],
          encoding
        )
        assert.strictEqual(gunzipSync(body).toString(), expected)
        assert.deepStrictEqual(`${headers.vary}`.toLowerCase().split(", ").toSorted(), ["accept", "accept-encoding"])
      }
      for (const encoding of [undefined, "identity", "br", "gzip;q=0", "*;q=0, identity"]) {
        const { body, headers, status } = yield* ask(
          "/metrics",
          encoding === undefined ? {} : { "accept-encoding": encoding }
        )
        assert.deepStrictEqual([status, headers["content-encoding"]], [200, undefined], encoding)
        assert.strictEqual(body.toString(), expected)
        assert.deepStrictEqual(`${headers.vary}`.toLowerCase().split(", ").toSorted(), ["accept", "accept-encoding"])
      }
    }).pipe(Effect.provide(serving())))

  it.effect("sends very many series whole, plain and in gzip, to several at once", () =>
    Effect.gen(function*() {
      const expected = yield* Prometheus.format({ format: "openmetrics" })
      assert.isAbove(expected.length, 1_000_000)
      const accept = "application/openmetrics-text"
      const answers = yield* Effect.all([
        ask("/metrics", { accept }),
        ask("/metrics", { accept, "accept-encoding": "gzip" }),
        ask("/metrics"),
        ask("/metrics", { accept })
      ], { concurrency: "unbounded" })
      const [plain, zipped, other, again] = answers.map(({ body }) => body)
      assert.isTrue(plain!.toString() === expected)
      assert.isTrue(gunzipSync(zipped!).toString() === expected)
      assert.isBelow(zipped!.length, expected.length / 4)
      assert.isTrue(other!.toString() === (yield* Prometheus.format()))
      assert.isTrue(again!.toString() === expected)
    }).pipe(
      Effect.provide(
        serving(Array.from({ length: 20_000 }, (_, n) => seen(n, `${n} ünïcode 🚀 ${"x".repeat(n % 50)}`)))
      )
    ))

  it.effect("shows in each scrape what there is then", () =>
    Effect.gen(function*() {
      const recorder = yield* Effect.flatMap(Runtime.MetricsRuntime, (runtime) => runtime.getRecorder("r"))
      for (let n = 2; n < 5; n++) {
        recorder.registerEventUnsafe(seen(1))
        assert.include((yield* ask("/metrics")).body.toString(), `\nm_total{recorder_id="r"} ${n}\n`)
      }
    }).pipe(Effect.provide(serving())))

  it.effect("answers at its path alone, whichever that is, and once for each that there is", () =>
    Effect.gen(function*() {
      const statusOf = (path: string) => Effect.map(ask(path), ({ status }) => status)
      assert.deepStrictEqual(
        yield* Effect.forEach(["/internal/figures", "/internal/figures?x=1", "/metrics", "/", "/hello"], statusOf),
        [200, 200, 404, 404, 200]
      )
      assert.include((yield* ask("/internal/figures")).body.toString(), "m_by_seconds")
      assert.include((yield* ask("/as-is")).body.toString(), `m_by{recorder_id="r",label="a"} 5\n`)
    }).pipe(Effect.provide(serving(
      [seen(5)],
      Layer.mergeAll(
        Prometheus.layer({ path: "/internal/figures" }),
        Prometheus.layer({ path: "/as-is", units: "asIs" }),
        HttpRouter.add("GET", "/hello", HttpServerResponse.text("hello"))
      )
    ))))

  it.effect("answers wherever it is asked where its path is *", () =>
    Effect.gen(function*() {
      assert.include((yield* ask("/any/thing")).body.toString(), `m_by_seconds`)
    }).pipe(Effect.provide(serving([seen(5)], Prometheus.layer({ path: "*" })))))

  it.effect("gives the headers alone to who asks for those, and nothing to who would change something", () =>
    Effect.gen(function*() {
      const head = yield* ask("/metrics", {}, "HEAD")
      assert.deepStrictEqual([head.status, head.headers["content-type"], head.body.length], [200, text, 0])
      const zipped = yield* ask("/metrics", { "accept-encoding": "gzip" }, "HEAD")
      assert.deepStrictEqual([zipped.status, zipped.body.length], [200, 0])
      for (const method of ["POST", "PUT", "DELETE"]) {
        assert.strictEqual((yield* ask("/metrics", {}, method)).status, 404, method)
      }
      assert.strictEqual((yield* ask("/metrics")).status, 200)
    }).pipe(Effect.provide(serving())))

  it.effect("goes on after a reader that went away in the middle", () =>
    Effect.gen(function*() {
      const { address } = yield* HttpServer.HttpServer
      assert("port" in address)
      for (const encoding of ["identity", "gzip"]) {
        yield* Effect.callback<void>((resume) => {
          const headers = { "accept-encoding": encoding }
          const asked = request(
            { host: "127.0.0.1", port: address.port, path: "/metrics", headers, agent: false },
            (answer) => {
              answer.once("data", () => {
                answer.destroy()
                resume(Effect.void)
              })
              answer.on("error", () => {})
            }
          )
          asked.on("error", () => {})
          asked.end()
        })
        assert.strictEqual((yield* ask("/metrics")).body.toString(), yield* Prometheus.format())
      }
    }).pipe(Effect.provide(serving(Array.from({ length: 20_000 }, (_, n) => seen(n, `${n}`))))))

  it.effect.each<[string, object, string]>([
    ["units that there are not", { units: "SI" }, "`units`: expected one of \"base\", \"asIs\", found \"SI\""],
    [
      "a path that does not begin as one",
      { path: "metrics" },
      "`path`: expected a path that begins with /, found \"metrics\""
    ],
    ["a path that is none", { path: 7 }, "`path`: expected a path that begins with /, found 7"]
  ])("refuses %s, when it is made", ([, options, message]) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(serving([], Prometheus.layer(options)))))
      assert(Exit.isFailure(exit))
      const [reason] = exit.cause.reasons
      assert(reason?._tag === "Fail")
      assert.strictEqual((reason.error as Error).message, `Invalid option ${message}`)
    }))

  it.effect("has its own runtime where there are several", () =>
    Effect.gen(function*() {
      const one = yield* runtimeOf({ one: { metrics: [Labelled] } })
      const two = yield* runtimeOf({ two: { metrics: [Labelled] } })
      const at = (path: `/${string}`, runtime: Runtime.Handle) =>
        Prometheus.layer({ path }).pipe(Layer.provide(Layer.succeed(Runtime.MetricsRuntime, runtime)))
      yield* Effect.gen(function*() {
        assert.include((yield* ask("/one")).body.toString(), `m_total{recorder_id="one"} 0\n`)
        assert.include((yield* ask("/two")).body.toString(), `m_total{recorder_id="two"} 0\n`)
      }).pipe(Effect.provide(serving([], Layer.mergeAll(at("/one", one), at("/two", two)))))
    }))
})
