import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type Dimension, Event, Metric, Recorder, Runtime } from "mvx-metrics"
import { Collector } from "../../../src/exporters/internal/Collector.ts"
import { prometheusTargets } from "../../../src/exporters/internal/prometheus/names.ts"
import { labelsOf, type Point, seriesKey, type Target } from "../../../src/exporters/internal/Series.ts"
import type { SeriesRefusedError } from "../../../src/exporters/internal/SeriesRefusedError.ts"
import { BrokenView, collectLogs, Hit, Hits, throwingAt } from "../../support.ts"

class Seen extends Event.Class<Seen>()("seen", { label: Schema.String, other: Schema.String }) {}

const seen = (label = "a", other = "x") => new Seen({ label, other })

/** Shows what it is given as soon as it has seen something. */
const showing = (name: string, shown: object, instruments: object = {}): Metric.Any =>
  Metric.make(name, {
    initial: { hasSeen: false },
    reduce: () => Option.some({ hasSeen: true }),
    dimensions: ({ hasSeen }) => {
      const dimensions: Readonly<Record<string, unknown>> = { ...shown }
      return hasSeen ? dimensions : Object.fromEntries(Object.keys(shown).map((dimension) => [dimension, undefined]))
    },
    instruments
  })

/** There in every test: whatever is wrong with others, it is published. */
const Good = showing("good", { total: 7 })

const ofDimensions = (
  name: string,
  dimensions: (d: Dimension.Builder<Seen>) => Readonly<Record<string, Dimension.Dimension<Seen, any, any>>>
): Metric.Any => Metric.fromDimensions(name, [Seen], dimensions)

/** A runtime with these recorders, each of which has seen something. */
const runtimeOf = (recorders: Readonly<Record<string, Runtime.RecorderOptions>>) =>
  Effect.gen(function*() {
    const runtime = yield* Runtime.make({ linger: 60_000 })
    for (const [id, { metrics = [], ...options }] of Object.entries(recorders)) {
      const recorder = yield* runtime.createRecorder(id, { ...options, metrics })
      recorder.registerEventUnsafe(seen())
    }
    return runtime
  })

const collectorOf = (runtime: Runtime.Handle, target: Target = prometheusTargets.base) =>
  Effect.provideService(Collector.make(target), Runtime.MetricsRuntime, runtime)

const pointsOf = (collector: Collector) =>
  Effect.suspend(() => {
    const points: Array<Point> = []
    return Effect.as(collector.each((point) => points.push(point)), points)
  })

const textOf = (point: Point): string => {
  const { value } = point
  const shown = typeof value === "object" ? `${point.family.kind} of ${value.count}` : String(value)
  return `${point.family.name} ${JSON.stringify(labelsOf(point))} ${shown}`
}

const isOwn = ({ family }: Point) => family.isOwn

/** How many series were left out, by reason, those without number left out. */
const leftOut = (points: ReadonlyArray<Point>) =>
  Object.fromEntries(
    points.filter(({ family, value }) => family.isOwn && family.dimension === "series_left_out" && value !== 0)
      .map(({ labels, value }) => [labels.reason!, value])
  )

/** What is published of a runtime with these recorders, beside its own figures, and what is said about the rest. */
const collect = (recorders: Readonly<Record<string, Runtime.RecorderOptions>>, target?: Target) =>
  Effect.gen(function*() {
    const logs = collectLogs()
    const collector = yield* Effect.flatMap(runtimeOf(recorders), (runtime) => collectorOf(runtime, target))
    const points = yield* Effect.provide(pointsOf(collector), logs.layer)
    const errors = collector.refused
    assert.deepStrictEqual(
      logs.lines.map(({ text }) => text),
      errors.map(({ message }) => `Error mvx-metrics/exporters/SeriesRefusedError: ${message}`)
    )
    return {
      shown: points.filter((point) => !isOwn(point)).map(textOf),
      refused: errors.map(({ message }) => message.replace("Not published: ", "")),
      errors,
      leftOut: leftOut(points)
    }
  })

/** What one recorder publishes of these metrics and of one that is good. */
const collectBeside = (metrics: ReadonlyArray<Metric.Any>, options: Runtime.RecorderOptions = {}) =>
  Effect.map(
    collect({ a: { ...options, metrics }, good: { metrics: [Good] } }),
    ({ shown, ...rest }) => {
      assert.strictEqual(shown.at(-1), `good_total {"recorder_id":"good"} 7`)
      return { ...rest, shown: shown.slice(0, -1) }
    }
  )

const x = { recorder_id: "a" }
const line = (name: string, value: unknown, labels: object = {}) =>
  `${name} ${JSON.stringify({ ...x, ...labels })} ${value}`

describe("a collection", () => {
  it.effect("has every series of every recorder, by the labels of the recorder and of the dimension", () =>
    Effect.gen(function*() {
      const M = ofDimensions("m", (d) => ({
        total: d.count(),
        by: d.by("http.route", (e) => e.label, d.count()),
        never: d.max(() => undefined)
      }))
      const { leftOut, refused, shown } = yield* collect({
        a: { metrics: [M], labels: { region: "eu", "cloud.zone": "1" } },
        b: { metrics: [M] },
        c: { metrics: [M], export: "rollup", labels: { side: "server" } },
        d: { metrics: [M], export: "rollup", labels: { side: "server" } }
      })
      assert.deepStrictEqual(shown, [
        `m_total {"region":"eu","cloud_zone":"1","recorder_id":"a"} 1`,
        `m_by_total {"region":"eu","cloud_zone":"1","recorder_id":"a","http_route":"a"} 1`,
        `m_total {"recorder_id":"b"} 1`,
        `m_by_total {"recorder_id":"b","http_route":"a"} 1`,
        `m_total {"side":"server"} 2`,
        `m_by_total {"side":"server","http_route":"a"} 2`
      ])
      assert.deepStrictEqual([refused, leftOut], [[], {}])
    }))

  it.effect("says since when values count, and when they were read", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000)
      const runtime = yield* Runtime.make({ linger: 60_000 })
      yield* TestClock.setTime(5_000)
      yield* runtime.createRecorder("a", { metrics: [Good], labels: { side: "server" } })
      yield* TestClock.setTime(7_000)
      yield* runtime.createRecorder("b", { metrics: [Hits], export: "own" })
      yield* runtime.createRecorder("c", {
        metrics: [ofDimensions("m", (d) => ({ total: d.count() }))],
        export: "rollup"
      })
      yield* TestClock.setTime(9_000)
      const collector = yield* collectorOf(runtime)
      const captures = yield* runtime.captures
      const points = yield* pointsOf(collector)
      const sourceOf = (name: string) => {
        const { epoch, labels, startedAt, takenAt } = points.find(({ family }) => family.metric === name)!
          .source
        return { labels, epoch, startedAt, takenAt }
      }
      const { metrics: [hits] } = captures.find(({ recorderId }) => recorderId === "b")!
      assert.deepStrictEqual(sourceOf("cache.hits"), {
        labels: { recorder_id: "b" },
        epoch: hits!.epoch,
        startedAt: 7_000,
        takenAt: 9_000
      })
      assert.deepInclude(sourceOf("m"), { labels: {}, startedAt: 7_000, takenAt: 9_000 })
      assert.deepStrictEqual(sourceOf("mvx_metrics"), {
        labels: { runtime: "default" },
        epoch: 1_000,
        startedAt: 1_000,
        takenAt: 9_000
      })
    }))

  it.effect("names the epochs of all values that it is made of, also of those that are left out", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({
        a: { metrics: [Good, showing("wrong", { total: -1 })] },
        b: { metrics: [Good], labels: { recorder_id: "b" } }
      })
      const collector = yield* collectorOf(runtime)
      assert.deepStrictEqual(collector.epochs, new Set())
      yield* Effect.provide(pointsOf(collector), collectLogs().layer)
      const captures = yield* runtime.captures
      const epochs = captures.flatMap(({ metrics }) => metrics.map(({ epoch }) => epoch))
      assert.deepStrictEqual(collector.epochs, new Set(epochs))
      yield* runtime.removeRecorder("a")
      yield* Effect.provide(pointsOf(collector), collectLogs().layer)
      assert.deepStrictEqual(collector.epochs, new Set(epochs.slice(2)))
    }))

  it.effect("makes text of labels, and leaves those out that are none", () =>
    Effect.gen(function*() {
      const by = (...values: ReadonlyArray<unknown>) =>
        values.map((of, at) => ({ labels: Object.freeze({ of }), value: at }))
      const Labelled = showing(
        "labelled",
        { by: by("text", 1, true, 5n, null, undefined, { a: 1 }, Symbol.iterator, ["x"], "\ud800") },
        { by: { labels: ["of"], of: { kind: "gauge" } } }
      )
      const { errors, leftOut, refused, shown } = yield* collectBeside([Labelled])
      assert.deepStrictEqual(shown, [
        line("labelled_by", 0, { of: "text" }),
        line("labelled_by", 1, { of: "1" }),
        line("labelled_by", 2, { of: "true" }),
        line("labelled_by", 3, { of: "5" }),
        line("labelled_by", 4, { of: "" })
      ])
      const of = `gauge "by" of metric "labelled": expected`
      assert.deepStrictEqual(refused, [
        `${of} every combination of labels once, found {"of":""} again`,
        `${of} labels that are text, found "of": an object with the fields a`
      ])
      assert.instanceOf(errors[1]!.cause, TypeError)
      assert.deepStrictEqual(leftOut, { duplicate: 1, value: 4 })
    }))

  it.effect("shows what views show at the time of the read", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(3_000)
      const Timed = Metric.mapDimensions(
        ofDimensions("timed", (d) => ({ total: d.count() })),
        (_, { time }) => ({ time })
      )
      const { shown } = yield* collectBeside([Timed])
      assert.deepStrictEqual(shown, [line("timed_time", 3_000)])
    }))

  it.effect("leaves out what its target cannot take", () =>
    Effect.gen(function*() {
      const target: Target = {
        ...prometheusTargets.base,
        refusalOf: ({ value }) =>
          value === 2 ? { reason: "value", expected: "a number that is not 2", found: "2" } : undefined
      }
      const runtime = yield* runtimeOf({ a: { metrics: [showing("m", { x: 1, y: 2 })] } })
      const collector = yield* collectorOf(runtime, target)
      const points = yield* Effect.provide(pointsOf(collector), collectLogs().layer)
      assert.deepStrictEqual(points.filter((point) => !isOwn(point)).map(textOf), [line("m_x", 1)])
      assert.deepStrictEqual(collector.refused.map(({ message }) => message), [
        `Not published: gauge "y" of metric "m": expected a number that is not 2, found 2`
      ])
      assert.deepStrictEqual(leftOut(points), { value: 1 })
    }))

  it.effect("leaves out counters that cannot be", () =>
    Effect.gen(function*() {
      const Wrong = showing("wrong", {
        nan_total: NaN,
        negative_total: -1,
        big_total: -1n,
        zero_total: -0,
        huge_total: 2n ** 64n,
        endless_total: Infinity,
        odd: NaN,
        below: -1
      })
      const { leftOut, refused, shown } = yield* collectBeside([Wrong])
      assert.deepStrictEqual(shown, [
        line("wrong_zero_total", 0),
        line("wrong_huge_total", "18446744073709551616"),
        line("wrong_endless_total", Infinity),
        line("wrong_odd", NaN),
        line("wrong_below", -1)
      ])
      assert.deepStrictEqual(refused, [
        `counter "nan_total" of metric "wrong": expected a counter of zero or more, found NaN`,
        `counter "negative_total" of metric "wrong": expected a counter of zero or more, found -1`,
        `counter "big_total" of metric "wrong": expected a counter of zero or more, found -1`
      ])
      assert.deepStrictEqual(leftOut, { value: 3 })
    }))

  it.effect.each<[string, object | undefined]>([
    ["is none", undefined],
    ["has no labels", { labels: undefined }],
    ["has no time", { takenAt: NaN }],
    ["has values of no time", { metrics: [{ metric: Good, state: Good.initial, epoch: 1, startedAt: NaN }] }]
  ])("leaves out what a custom recorder captured if it %s", ([, wrong]) =>
    Effect.gen(function*() {
      const capture = (base: Recorder.Handle) =>
        Effect.map(base.capture, (capture) =>
          (wrong === undefined ? wrong : { ...capture, ...wrong }) as Recorder.RecorderCapture)
      const { leftOut, refused, shown } = yield* collectBeside([Good], {
        wrap: (base) =>
          Effect.succeed(Recorder.decorate(base, { capture: capture(base) }))
      })
      assert.deepStrictEqual(shown, [])
      assert.deepStrictEqual(leftOut, { view: 1 })
      assert.match(refused[0]!, /^what a custom recorder captured: expected a capture, found /)
    }))

  it.effect("leaves out a metric whose view throws", () =>
    Effect.gen(function*() {
      const Broken = showing("broken", {
        get total(): number {
          throw new Error("view")
        }
      })
      const { errors, leftOut, refused, shown } = yield* collectBeside([Broken, Good])
      assert.deepStrictEqual(shown, [line("good_total", 7)])
      assert.deepStrictEqual(refused, [`metric "broken": expected a view that can be read, found Error: view`])
      const [{ _tag, cause, reason }] = errors as [SeriesRefusedError]
      assert.deepStrictEqual([_tag, reason, (cause as Error).message], ["SeriesRefusedError", "view", "view"])
      assert.deepStrictEqual(leftOut, { view: 1 })
    }))

  it.effect.each<[string, object, string]>([
    ["too few counts", { count: 1, sum: 1, boundaries: [1], counts: [] }, "histogram"],
    ["counts that are none", { count: 1, sum: 1, boundaries: [1], counts: ["x", {}] }, "histogram"],
    ["counts of bigint", { count: 1n, sum: 1n, boundaries: [1], counts: [1n, 0n] }, "histogram"],
    ["boundaries that are none", { count: 1, sum: 1, boundaries: ["a"], counts: [1, 0] }, "histogram"],
    ["boundaries that fall", { count: 1, sum: 1, boundaries: [2, 1], counts: [1, 0, 0] }, "histogram"],
    ["an extreme that is none", { count: 1, sum: 1, min: "1", boundaries: [], counts: [1] }, "histogram"],
    ["no sum", { count: 1, boundaries: [], counts: [1] }, "histogram"],
    ["empty buckets", { count: 1, sum: 1, scale: 0, zeroCount: 0, positive: {}, negative: {} }, "histogram"],
    [
      "no count of zero",
      { count: 1, sum: 1, scale: 0, positive: { offset: 0, counts: [1] }, negative: { offset: 0, counts: [] } },
      "histogram"
    ],
    [
      "a scale between two",
      {
        count: 1,
        sum: 1,
        scale: 0.5,
        zeroCount: 1,
        positive: { offset: 0, counts: [] },
        negative: { offset: 0, counts: [] }
      },
      "histogram"
    ],
    [
      "buckets at no place",
      { count: 1, sum: 1, scale: 0, zeroCount: 1, positive: { counts: [] }, negative: { offset: 0, counts: [] } },
      "histogram"
    ],
    [
      "no buckets below zero",
      { count: 1, sum: 1, scale: 0, zeroCount: 1, positive: { offset: 0, counts: [] } },
      "histogram"
    ],
    ["a sum of bigint", { count: 1, sum: 1n, quantiles: {} }, "summary"],
    ["quantiles that are none", { count: 1, sum: 1, quantiles: { 0.5: "x" } }, "summary"]
  ])("goes on where a view shows a distribution that is none: %s", ([, value, kind]) =>
    Effect.gen(function*() {
      const { shown } = yield* collectBeside([showing("odd", { it: value, n: 1 }, { it: { kind } })])
      assert.deepStrictEqual(shown, [line("odd_n", 1)])
    }))

  it.effect("has nothing but the runtime's figures where nobody records", () =>
    Effect.gen(function*() {
      const { leftOut, refused, shown } = yield* collect({})
      assert.deepStrictEqual([shown, refused, leftOut], [[], [], {}])
    }))

  const Many = Metric.fromDimensions("many", [Seen], (d) => ({
    by: d.by({ label: (e) => e.label }, d.count(), { limit: 20_000 })
  }))

  it.effect.each<[string, Metric.Any]>([
    ["of dimensions", Many],
    ["of a view", Metric.mapDimensions(Many, (shown) => shown)]
  ])("lets other work happen in the middle of very many series %s", ([, metric]) =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ linger: 60_000 })
      const recorder = yield* runtime.createRecorder("a", { metrics: [metric], capacity: 20_000 })
      for (let n = 0; n < 20_000; n++) recorder.registerEventUnsafe(seen(`${n}`))
      const collector = yield* collectorOf(runtime)
      yield* runtime.captures
      let points = 0
      const visitedAt: Array<number> = []
      let isOver = false
      const turn = () => {
        visitedAt.push(points)
        if (!isOver) setImmediate(turn)
      }
      setImmediate(turn)
      yield* collector.each(() => points++)
      isOver = true
      assert.isAbove(points, 20_000)
      assert.isAbove(visitedAt.filter((at) => at > 0 && at < 20_000).length, 1)
    }))
})

describe("names that collide", () => {
  const counterOf = (name: string, dimension: string) =>
    showing(name, { [dimension]: 1 }, { [dimension]: { kind: "counter" } })
  const gaugeOf = (name: string, dimension: string) =>
    showing(name, { [dimension]: 2 }, { [dimension]: { kind: "gauge" } })
  const histogramOf = (name: string, dimension: string) =>
    showing(
      name,
      { [dimension]: { count: 3, sum: 3, boundaries: [1], counts: [0, 3] } },
      { [dimension]: { kind: "histogram" } }
    )
  const summaryOf = (name: string, dimension: string) =>
    showing(name, { [dimension]: { count: 4, sum: 4, quantiles: {} } }, { [dimension]: { kind: "summary" } })

  type Collision = [what: string, metrics: ReadonlyArray<Metric.Any>, shown: string, refused: string]

  it.effect.each<Collision>([
    [
      "of two metrics",
      [counterOf("cache.hits", "total"), counterOf("cache", "hits_total")],
      line("cache_hits_total", 1),
      `counter "hits_total" of metric "cache": expected the name cache_hits for itself, found counter "total" of metric "cache.hits" under it`
    ],
    [
      "of two metrics that differ in a character only",
      [gaugeOf("a.b", "c"), gaugeOf("a_b", "c")],
      line("a_b_c", 2),
      `gauge "c" of metric "a_b": expected the name a_b_c for itself, found gauge "c" of metric "a.b" under it`
    ],
    [
      "of two kinds that one dimension shows",
      [
        showing(
          "m",
          { by: { a: { count: 1, sum: 1, boundaries: [], counts: [1] }, b: 5 } },
          { by: { label: "of", of: { kind: "histogram" } } }
        )
      ],
      line("m_by", "histogram of 1", { of: "a" }),
      `gauge "by" of metric "m": expected the name m_by for itself, found histogram "by" of metric "m" under it`
    ],
    [
      "of two dimensions",
      [showing("m", { "a.b": 1, a_b: 2 })],
      line("m_a_b", 1),
      `gauge "a_b" of metric "m": expected the name m_a_b for itself, found gauge "a.b" of metric "m" under it`
    ],
    [
      "of two kinds",
      [gaugeOf("m.x", "total"), counterOf("m", "x_total")],
      line("m_x_total", 2),
      `counter "x_total" of metric "m": expected the name m_x_total for itself, found gauge "total" of metric "m.x" under it`
    ],
    [
      "of a counter and a gauge that is called as the family of the counter",
      [showing("m", { x_total: 1, x: 2 })],
      line("m_x_total", 1),
      `gauge "x" of metric "m": expected the name m_x for itself, found counter "x_total" of metric "m" under it`
    ],
    [
      "of a gauge and a counter whose family is called as the gauge",
      [showing("m", { x: 2, x_total: 1 })],
      line("m_x", 2),
      `counter "x_total" of metric "m": expected the name m_x for itself, found gauge "x" of metric "m" under it`
    ],
    [
      "of units that become one",
      [showing("m", { x_ms: 2, x_s: 3 }, { x_ms: { kind: "gauge", unit: "ms" }, x_s: { kind: "gauge", unit: "s" } })],
      line("m_x_seconds", 2),
      `gauge "x_s" of metric "m": expected the name m_x_seconds for itself, found gauge "x_ms" of metric "m" under it`
    ],
    [
      "of a counter and the time at which another began",
      [counterOf("m", "x"), gaugeOf("m_x", "created")],
      line("m_x_total", 1),
      `gauge "created" of metric "m_x": expected the name m_x_created for itself, found counter "x" of metric "m" under it`
    ],
    ...["bucket", "sum", "count", "created"].map((suffix): Collision => [
      `of a histogram and a gauge that ends in _${suffix}`,
      [histogramOf("m", "x"), gaugeOf("m_x", suffix)],
      line("m_x", "histogram of 3"),
      `gauge "${suffix}" of metric "m_x": expected the name m_x_${suffix} for itself, found histogram "x" of metric "m" under it`
    ]),
    ...["bucket", "sum", "count", "created"].map((suffix): Collision => [
      `of a gauge that ends in _${suffix} and a histogram`,
      [gaugeOf("m_x", suffix), histogramOf("m", "x")],
      line(`m_x_${suffix}`, 2),
      `histogram "x" of metric "m": expected the name m_x_${suffix} for itself, found gauge "${suffix}" of metric "m_x" under it`
    ]),
    ...["sum", "count", "created"].map((suffix): Collision => [
      `of a summary and a gauge that ends in _${suffix}`,
      [summaryOf("m", "x"), gaugeOf("m_x", suffix)],
      line("m_x", "summary of 4"),
      `gauge "${suffix}" of metric "m_x": expected the name m_x_${suffix} for itself, found summary "x" of metric "m" under it`
    ])
  ])("%s are refused, and the first one has them", ([, metrics, first, second]) =>
    Effect.gen(function*() {
      const { errors, leftOut, refused, shown } = yield* collectBeside(metrics)
      assert.deepStrictEqual(shown, [first])
      assert.deepStrictEqual(refused, [second])
      assert.deepStrictEqual(errors.map(({ _tag, reason }) => [_tag, reason]), [["SeriesRefusedError", "name"]])
      assert.deepStrictEqual(leftOut, { name: 1 })
    }))

  it.effect("are none where all of metric, dimension, kind and unit are the same: recorders share a family", () =>
    Effect.gen(function*() {
      const families: Array<unknown> = []
      const runtime = yield* runtimeOf({
        a: { metrics: [gaugeOf("m", "x"), counterOf("n", "x")] },
        b: { metrics: [gaugeOf("m", "x"), Hits] }
      })
      const collector = yield* collectorOf(runtime)
      const points = yield* pointsOf(collector)
      for (const { family } of points) if (family.metric === "m") families.push(family)
      assert.strictEqual(families.length, 2)
      assert.strictEqual(families[0], families[1])
      assert.deepStrictEqual(collector.refused, [])
    }))

  it.effect("of two definitions of a metric in two recorders are refused where kind or unit differ", () =>
    Effect.gen(function*() {
      const unitOf = (unit: string) => showing("m", { x_seconds: 1 }, { x_seconds: { kind: "gauge", unit } })
      const { leftOut, refused, shown } = yield* collect({
        a: { metrics: [counterOf("n", "total"), unitOf("s")] },
        b: { metrics: [gaugeOf("n", "total"), unitOf("ms")] },
        c: { metrics: [Metric.rename(counterOf("other", "total"), "n"), unitOf("s")] }
      })
      assert.deepStrictEqual(shown, [
        `n_total {"recorder_id":"a"} 1`,
        `m_x_seconds {"recorder_id":"a"} 1`,
        `n_total {"recorder_id":"c"} 1`,
        `m_x_seconds {"recorder_id":"c"} 1`
      ])
      assert.deepStrictEqual(refused, [
        `gauge "total" of metric "n": expected the name n_total for itself, found counter "total" of metric "n" under it`,
        `gauge "x_seconds" of metric "m": expected the name m_x_seconds for itself, found gauge "x_seconds" of metric "m" under it`
      ])
      assert.deepStrictEqual(leftOut, { name: 2 })
    }))

  it.effect("of one metric that shows two dimensions under one name are there once", () =>
    Effect.gen(function*() {
      const { leftOut, refused, shown } = yield* collectBeside([
        Metric.make("m", {
          initial: 0,
          reduce: () => Option.some(1),
          dimensions: (n): object => n === 0 ? {} : { a: { b: 1 }, "a.b": 2 }
        })
      ])
      assert.deepStrictEqual(shown, [line("m_a_b", 1)])
      assert.deepStrictEqual(refused, [
        `gauge "a.b" of metric "m": expected every combination of labels once, found {} again`
      ])
      assert.deepStrictEqual(leftOut, { duplicate: 1 })
    }))

  it.effect("with those of the runtime are refused, whatever a metric is called", () =>
    Effect.gen(function*() {
      const { leftOut, refused, shown } = yield* collectBeside([
        showing("mvx_metrics", { pending: 1, accepted_total: 2, mine: 3 }),
        showing("mvx.metrics", { recorders: 1 }),
        showing("mvx", { "metrics.dropped_total": 1 })
      ], { labels: { runtime: "default" } })
      assert.deepStrictEqual(shown, [`mvx_metrics_mine {"runtime":"default","recorder_id":"a"} 3`])
      const own = (dimension: string) => `found ${dimension} of metric "mvx_metrics" under it`
      assert.deepStrictEqual(refused, [
        `gauge "pending" of metric "mvx_metrics": expected the name mvx_metrics_pending for itself, ${
          own(`gauge "pending"`)
        }`,
        `counter "accepted_total" of metric "mvx_metrics": expected the name mvx_metrics_accepted for itself, ${
          own(`counter "accepted_total"`)
        }`,
        `gauge "recorders" of metric "mvx.metrics": expected the name mvx_metrics_recorders for itself, ${
          own(`gauge "recorders"`)
        }`,
        `counter "metrics.dropped_total" of metric "mvx": expected the name mvx_metrics_dropped for itself, ${
          own(`counter "dropped_total"`)
        }`
      ])
      assert.deepStrictEqual(leftOut, { name: 4 })
    }))

  it.effect("are free again once the metric that had them is gone", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({
        a: { metrics: [counterOf("cache.hits", "total"), counterOf("cache", "hits")] }
      })
      const recorder = yield* runtime.getRecorder("a")
      const collector = yield* collectorOf(runtime)
      const { layer } = collectLogs()
      yield* Effect.provide(pointsOf(collector), layer)
      assert.strictEqual(collector.refused.length, 1)
      yield* recorder.unregisterMetric("cache.hits")
      const points = yield* Effect.provide(pointsOf(collector), layer)
      assert.deepStrictEqual(collector.refused, [])
      assert.deepStrictEqual(points.filter((point) => !isOwn(point)).map(textOf), [line("cache_hits_total", 1)])
      assert.deepStrictEqual(leftOut(points), {})
    }))
})

describe("labels that collide", () => {
  const labelled = (name: string, ...labels: ReadonlyArray<object>) =>
    showing(
      name,
      { by: labels.map((labels, value) => ({ labels, value })) },
      { by: { labels: ["a"], of: { kind: "gauge" } } }
    )

  it.effect("of one dimension are refused, and its other series are not", () =>
    Effect.gen(function*() {
      const Two = ofDimensions("two", (d) => ({
        total: d.count(),
        by: d.by({ "http.route": (e) => e.label, http_route: (e) => e.other }, d.count())
      }))
      const Hand = labelled("hand", { "a.b": "1" }, { "a.b": "1", a_b: "2" }, { "a.b": "2" })
      const { errors, leftOut, refused, shown } = yield* collectBeside([Two, Hand])
      assert.deepStrictEqual(shown, [
        line("two_total", 1),
        line("hand_by", 0, { a_b: "1" }),
        line("hand_by", 2, { a_b: "2" })
      ])
      assert.deepStrictEqual(refused, [
        `counter "by" of metric "two": expected labels with names of their own, found "http.route" and "http_route", both http_route`,
        `gauge "by" of metric "hand": expected labels with names of their own, found "a.b" and "a_b", both a_b`
      ])
      assert.deepStrictEqual(errors.map(({ reason }) => reason), ["label", "label"])
      assert.deepStrictEqual(leftOut, { label: 2 })
    }))

  it.effect("of a dimension and another recorder are refused, where one series could be there twice", () =>
    Effect.gen(function*() {
      const By = ofDimensions("http", (d) => ({ total: d.by("region", () => "eu", d.count()) }))
      const Whole = ofDimensions("http", (d) => ({ total: d.count() }))
      const by: Runtime.RecorderOptions = { metrics: [By], export: "rollup" }
      const whole: Runtime.RecorderOptions = { metrics: [Whole], export: "rollup", labels: { region: "eu" } }
      for (const recorders of [{ a: by, b: whole }, { b: whole, a: by }]) {
        const { leftOut, refused, shown } = yield* collect(recorders)
        assert.deepStrictEqual(shown, [`http_total {"region":"eu"} 1`])
        assert.deepStrictEqual(leftOut, { label: 1 })
        assert.match(refused[0]!, /"region"/)
      }
    }))

  it.effect("of a recorder and a dimension are refused, and other dimensions are not", () =>
    Effect.gen(function*() {
      const M = ofDimensions("m", (d) => ({
        total: d.count(),
        by: d.by("http_route", (e) => e.label, d.count()),
        by_id: d.by("recorder.id", (e) => e.label, d.count())
      }))
      const { leftOut, refused, shown } = yield* collectBeside([M], { labels: { "http.route": "/" } })
      assert.deepStrictEqual(shown, [`m_total {"http_route":"/","recorder_id":"a"} 1`])
      assert.deepStrictEqual(refused, [
        `counter "by" of metric "m": expected labels with names of their own, found "http_route" and a label of a recorder, both http_route`,
        `counter "by_id" of metric "m": expected labels with names of their own, found "recorder.id" and a label of a recorder, both recorder_id`
      ])
      assert.deepStrictEqual(leftOut, { label: 2 })
    }))

  it.effect.each<[string, Readonly<Record<string, string>>, string]>([
    [
      "two of them",
      { "http.route": "1", http_route: "2" },
      `"http.route" and "http_route" of the recorder, both http_route`
    ],
    ["its id", { recorder_id: "b" }, `"recorder_id" and "recorder_id" of the recorder, both recorder_id`],
    [
      "its id in other characters",
      { "recorder.id": "b" },
      `"recorder.id" and "recorder_id" of the recorder, both recorder_id`
    ],
    ["half a character", { half: "\udc00" }, `"half" of the recorder, which is not well-formed text`]
  ])("of a recorder are refused, all its series being meant: %s", ([, labels, found]) =>
    Effect.gen(function*() {
      const M = ofDimensions("m", (d) => ({ total: d.count(), by: d.by("by", (e) => e.label, d.count()) }))
      const { leftOut, refused, shown } = yield* collectBeside([M], { labels })
      assert.deepStrictEqual(shown, [])
      assert.deepStrictEqual(
        refused,
        ["total", "by"].map((dimension) =>
          `counter "${dimension}" of metric "m": expected labels with names of their own, found ${found}`
        )
      )
      assert.deepStrictEqual(leftOut, { label: 2 })
    }))

  it.effect("of roll-ups are refused where they would be one series, with each other or with a recorder", () =>
    Effect.gen(function*() {
      const M = ofDimensions("m", (d) => ({ total: d.count() }))
      const rolledUp = (labels: Readonly<Record<string, string>>) =>
        ({ metrics: [M], export: "rollup", labels }) as const
      const { leftOut, refused, shown } = yield* collect({
        a: rolledUp({ "a.b": "x" }),
        b: rolledUp({ a_b: "x" }),
        c: rolledUp({ a_b: "y" }),
        d: rolledUp({ recorder_id: "e" }),
        e: { metrics: [M] },
        g: rolledUp({ "recorder.id": "nobody" }),
        f: rolledUp({ a_b: "x", zone: "" })
      })
      assert.deepStrictEqual(shown.toSorted(), [
        `m_total {"a_b":"x"} 1`,
        `m_total {"a_b":"y"} 1`,
        `m_total {"recorder_id":"e"} 1`
      ])
      const of = `counter "total" of metric "m": expected labels with names of their own, found`
      assert.deepStrictEqual(refused, [
        `${of} the labels {"a_b":"x"} of another recorder`,
        `${of} "recorder_id" of the roll-up, which tells recorders apart`
      ])
      assert.deepStrictEqual(leftOut, { label: 4 })
    }))

  it.effect("with those that the target needs are refused where it needs them", () =>
    Effect.gen(function*() {
      const every = (name: string, label: string) =>
        ofDimensions(name, (d) => ({
          by: d.by(label, (e) => e.label, d.count()),
          gauge: d.by(label, (e) => e.label, d.max(() => 1)),
          histogram: d.by(label, (e) => e.label, d.histogram(() => 1)),
          summary: d.by(label, (e) => e.label, d.quantiles(() => 1, { quantiles: [0.5] }))
        }))
      const { leftOut, refused, shown } = yield* collectBeside([
        every("m", "le"),
        every("n", "quantile"),
        every("o", "__name__")
      ])
      assert.deepStrictEqual(shown, [
        line("m_by_total", 1, { le: "a" }),
        line("m_gauge", 1, { le: "a" }),
        line("m_summary", "summary of 1", { le: "a" }),
        line("n_by_total", 1, { quantile: "a" }),
        line("n_gauge", 1, { quantile: "a" }),
        line("n_histogram", "histogram of 1", { quantile: "a" })
      ])
      const found = (of: string, label: string) =>
        `${of}: expected labels with names of their own, found "${label}", which the target needs`
      assert.deepStrictEqual(refused, [
        found(`histogram "histogram" of metric "m"`, "le"),
        found(`summary "summary" of metric "n"`, "quantile"),
        found(`counter "by" of metric "o"`, "__name__"),
        found(`gauge "gauge" of metric "o"`, "__name__"),
        found(`histogram "histogram" of metric "o"`, "__name__"),
        found(`summary "summary" of metric "o"`, "__name__")
      ])
      assert.deepStrictEqual(leftOut, { label: 6 })
    }))

  it.effect("of a recorder with those that the target needs are refused where it needs them", () =>
    Effect.gen(function*() {
      const M = ofDimensions("m", (d) => ({ total: d.count(), histogram: d.histogram(() => 1) }))
      const { leftOut, refused, shown } = yield* collectBeside([M], { labels: { le: "1" } })
      assert.deepStrictEqual(shown, [`m_total {"le":"1","recorder_id":"a"} 1`])
      assert.deepStrictEqual(refused, [
        `histogram "histogram" of metric "m": expected labels with names of their own, found le of the recorder, which the target needs`
      ])
      assert.deepStrictEqual(leftOut, { label: 1 })
    }))

  it.effect("by their values alone are series that are there twice", () =>
    Effect.gen(function*() {
      const Mapped = Metric.mapDimensions(
        ofDimensions("mapped", (d) => ({ by: d.by({ a: (e) => e.label, b: () => "b" }, d.count()) })),
        ({ by }: any) => ({ by: [...by, ...by] })
      )
      const { errors, leftOut, refused, shown } = yield* collectBeside([
        labelled("hand", { a: "1", b: "2" }, { b: "2", a: "1" }, { a: 1, b: 2 }, { a: "1" }, { a: "1", b: "" }),
        Mapped
      ])
      assert.deepStrictEqual(shown, [
        line("hand_by", 0, { a: "1", b: "2" }),
        line("hand_by", 3, { a: "1" }),
        line("mapped_by_total", 1, { a: "a", b: "b" })
      ])
      assert.deepStrictEqual(refused, [
        `gauge "by" of metric "hand": expected every combination of labels once, found {"b":"2","a":"1"} again`,
        `counter "by" of metric "mapped": expected every combination of labels once, found {"a":"a","b":"b"} again`
      ])
      assert.deepStrictEqual(errors.map(({ reason }) => reason), ["duplicate", "duplicate"])
      assert.deepStrictEqual(leftOut, { duplicate: 4 })
    }))
})

describe("what is left out", () => {
  const wrong = showing("wrong", { total: -1 })

  it.effect("is logged once by a collector, and counted in each collection", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({ a: { metrics: [wrong] } })
      const collector = yield* collectorOf(runtime)
      const logs = collectLogs()
      for (let time = 0; time < 3; time++) {
        const points = yield* Effect.provide(pointsOf(collector), logs.layer)
        assert.deepStrictEqual(leftOut(points), { value: 1 })
        assert.strictEqual(collector.refused.length, 1)
      }
      assert.strictEqual(logs.lines.length, 1)
      const later = yield* runtime.createRecorder("b", { metrics: [BrokenView] })
      later.registerEventUnsafe(new Hit({ n: 1 }))
      assert.deepStrictEqual(leftOut(yield* Effect.provide(pointsOf(collector), logs.layer)), { value: 1, view: 1 })
      assert.strictEqual(logs.lines.length, 2)
    }))

  it.effect("is logged once by all who read a runtime now and then for one target", () =>
    Effect.gen(function*() {
      const { base, asIs } = prometheusTargets
      const read = (runtime: Runtime.Handle, target: Target) =>
        Effect.flatMap(Collector.of(target), (collector) => Effect.as(pointsOf(collector), collector)).pipe(
          Effect.provideService(Runtime.MetricsRuntime, runtime)
        )
      const runtime = yield* runtimeOf({ a: { metrics: [wrong] } })
      const other = yield* runtimeOf({ a: { metrics: [wrong] } })
      const logs = collectLogs()
      yield* Effect.gen(function*() {
        const first = yield* read(runtime, base)
        assert.strictEqual(yield* read(runtime, base), first)
        assert.strictEqual(logs.lines.length, 1)
        assert.notStrictEqual(yield* read(runtime, asIs), first)
        assert.notStrictEqual(yield* read(other, base), first)
        assert.strictEqual(logs.lines.length, 3)
        assert.strictEqual(yield* read(runtime, base), first)
        assert.strictEqual(logs.lines.length, 3)
      }).pipe(Effect.provide(logs.layer))
    }))

  /** Shows series with labels that differ in each read. */
  const restless = (labelsOf: (n: number) => object) => {
    let n = 0
    return showing("restless", {
      get by() {
        return Array.from({ length: 300 }, () => ({ labels: labelsOf(n++), value: 1 }))
      }
    }, { by: { labels: ["a"], of: { kind: "gauge" } } })
  }

  it.effect("is logged once where no more than a value differs", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({ a: { metrics: [restless((n) => ({ a: { [n]: n } }))] } })
      const collector = yield* collectorOf(runtime)
      const logs = collectLogs()
      for (let time = 0; time < 3; time++) {
        assert.deepStrictEqual(leftOut(yield* Effect.provide(pointsOf(collector), logs.layer)), { value: 300 })
        assert.strictEqual(collector.refused.length, 1)
      }
      assert.strictEqual(logs.lines.length, 1)
    }))

  it.effect("is counted exactly and told apart up to a limit, however much it is", () =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf({
        a: { metrics: [restless((n) => ({ [`a.${n}`]: "1", [`a_${n}`]: "2" }))] }
      })
      const collector = yield* collectorOf(runtime)
      const logs = collectLogs()
      for (let time = 0; time < 5; time++) {
        assert.deepStrictEqual(leftOut(yield* Effect.provide(pointsOf(collector), logs.layer)), { label: 300 })
        assert.strictEqual(collector.refused.length, 256)
      }
      assert.strictEqual(logs.lines.length, 1_000)
    }))
})

describe("the figures of a runtime", () => {
  const figures = (points: ReadonlyArray<Point>) => points.filter(isOwn).map(textOf)

  it.effect("are there from the start, under the name of the runtime", () =>
    Effect.gen(function*() {
      const runtime = yield* Runtime.make({ namespace: "shop" })
      const collector = yield* collectorOf(runtime)
      const of = `"runtime":"shop"`
      assert.deepStrictEqual(figures(yield* pointsOf(collector)), [
        `mvx_metrics_accepted_total {${of}} 0`,
        `mvx_metrics_dropped_total {${of}} 0`,
        `mvx_metrics_refused_total {${of},"reason":"invalid_event"} 0`,
        `mvx_metrics_refused_total {${of},"reason":"invalid_state"} 0`,
        `mvx_metrics_refused_total {${of},"reason":"overflow"} 0`,
        `mvx_metrics_discarded_total {${of}} 0`,
        `mvx_metrics_changes_skipped_total {${of}} 0`,
        `mvx_metrics_pending {${of}} 0`,
        `mvx_metrics_recorders {${of}} 0`,
        `mvx_metrics_series_left_out {${of},"reason":"name"} 0`,
        `mvx_metrics_series_left_out {${of},"reason":"label"} 0`,
        `mvx_metrics_series_left_out {${of},"reason":"duplicate"} 0`,
        `mvx_metrics_series_left_out {${of},"reason":"value"} 0`,
        `mvx_metrics_series_left_out {${of},"reason":"view"} 0`
      ])
    }))

  it.effect("are one where the names of metrics differ in halves of characters only, which no target gets", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const runtime = yield* Effect.provide(Runtime.make({ linger: 60_000 }), logs.layer)
      const recorder = yield* runtime.createRecorder("a", {
        metrics: [throwingAt(1, "broken\ud800"), throwingAt(1, "broken\ud801")]
      })
      recorder.registerEventUnsafe(new Hit({ n: 1 }))
      yield* recorder.flush
      const points = yield* Effect.flatMap(collectorOf(runtime), pointsOf)
      assert.deepStrictEqual(
        figures(points).filter((figure) => figure.includes("broken")),
        ["defects", "skipped"].map((figure) =>
          `mvx_metrics_${figure}_total {"runtime":"default","metric":"broken\ufffd"} ${figure === "defects" ? 2 : 0}`
        )
      )
    }).pipe(Effect.provide(collectLogs().layer)))

  it.effect("count what recorders accept, drop, refuse and skip, also of those that are gone", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const runtime = yield* Effect.provide(Runtime.make({ linger: 60_000 }), logs.layer)
      const M = ofDimensions("m", (d) => ({
        sum: d.sum(() => -1),
        by: d.by("label", (e) => e.label, d.count(), { limit: 1 })
      }))
      const dropping = yield* runtime.createRecorder("dropping", { overflow: "drop", capacity: 2, metrics: [M] })
      const failing = yield* runtime.createRecorder("failing", {
        overflow: "fail",
        capacity: 1,
        metrics: [throwingAt(1, "broken")]
      })
      for (const label of ["a", "b", "c"]) dropping.registerEventUnsafe(seen(label))
      failing.registerEventUnsafe(new Hit({ n: 1 }))
      failing.registerEventUnsafe(new Hit({ n: 2 }))
      failing.registerEventUnsafe(null as never)
      const collector = yield* collectorOf(runtime)
      const shown = () =>
        Effect.map(
          pointsOf(collector),
          (points) =>
            figures(points).filter((text) => !text.endsWith(" 0")).map((text) =>
              text.replace("mvx_metrics_", "").replace(`{"runtime":"default"}`, "").replace(`"runtime":"default",`, "")
            )
        )
      const expected = [
        "accepted_total  3",
        "dropped_total  1",
        `refused_total {"reason":"invalid_event"} 1`,
        `refused_total {"reason":"overflow"} 1`,
        `defects_total {"metric":"broken"} 1`,
        `skipped_total {"metric":"m"} 2`,
        `over_limit_total {"dimension":"m.by"} 1`
      ]
      assert.deepStrictEqual(
        yield* shown(),
        [...expected, "pending  3", "recorders  2"],
        "a collection leaves nothing pending"
      )
      assert.deepStrictEqual(yield* shown(), [...expected, "recorders  2"])
      yield* runtime.removeRecorder("failing")
      yield* runtime.removeRecorder("dropping")
      failing.registerEventUnsafe(new Hit({ n: 3 }))
      assert.deepStrictEqual(yield* shown(), expected)
    }))
})

describe("each recorder", () => {
  const Consistent = ofDimensions("m", (d) => ({
    total: d.count(),
    by: d.by("label", (e) => e.label, d.count(), { limit: 10_000 }),
    nested: d.by("label", (e) => e.label, d.by("other", (e) => e.other, d.struct({ n: d.count() }))),
    exact: d.by("other", (e) => e.other, d.count(), { limit: 3 })
  }))

  it.effect.prop(
    "is of one offset, whatever is recorded in the middle of a collection",
    [
      Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200 }))), {
        minLength: 1,
        maxLength: 8
      }),
      Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })))
    ],
    ([before, every]) =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.make({ linger: 60_000 })
        const recorders = yield* Effect.forEach(before, (_, at) =>
          runtime.createRecorder(`${at}`, {
            metrics: [Consistent],
            capacity: 20,
            ...(at % 3 === 2 ? { export: "rollup", labels: { at: `${at % 2}` } } : {})
          }))
        let next = 0
        const record = (at: number) => {
          next++
          recorders[at % recorders.length]!.registerEventUnsafe(seen(`${next}`, `${next % 7}`))
        }
        for (const [at, count] of before.entries()) for (let n = 0; n < count; n++) record(at)
        const collector = yield* collectorOf(runtime)
        const sums = new Map<string, Record<string, number>>()
        let points = 0
        yield* collector.each((point) => {
          // A recorder folds by itself when its queue is full: in the middle of a walk.
          if (points++ % every === 0 && points < 2_000) record(points)
          if (isOwn(point)) return
          const key = JSON.stringify(point.source.labels)
          const of = sums.get(key) ?? {}
          of[point.family.dimension] = (of[point.family.dimension] ?? 0) + (point.value as number)
          sums.set(key, of)
        })
        let all = 0
        for (const { total = 0, by = 0, exact = 0, "nested.n": nested = 0 } of sums.values()) {
          assert.deepStrictEqual([by, nested, exact], [total, total, total])
          all += total
        }
        assert.strictEqual(all, before.reduce((sum, count) => sum + count, 0))
        assert.deepStrictEqual(collector.refused, [])
      }),
    { arbitrary: { runs: 20 } }
  )
})

describe("the key of a series", () => {
  it.effect("is that of its name and labels, in whatever order", () =>
    Effect.gen(function*() {
      const by = (...all: ReadonlyArray<object>) =>
        showing(
          "m",
          { by: all.map((labels, value) => ({ labels, value })) },
          { by: { labels: ["a"], of: { kind: "gauge" } } }
        )
      const runtime = yield* runtimeOf({
        a: { metrics: [by({ x: "1", y: "2" }, { x: "2", y: "1" })] },
        b: { metrics: [by({ y: "2", x: "1" })] },
        c: { metrics: [showing("m", { by: 1 })] }
      })
      const keysOf = (points: ReadonlyArray<Point>) =>
        points.filter((point) => !isOwn(point)).map((point) =>
          seriesKey({ ...point, source: { ...point.source, labels: {} } })
        )
      const collector = yield* collectorOf(runtime)
      const [first, second, third, fourth] = keysOf(yield* pointsOf(collector))
      assert.strictEqual(first, third)
      assert.strictEqual(new Set([first, second, fourth]).size, 3)
    }))
})
