import { assert, describe, it } from "@effect/vitest"
import { Console as EffectConsole, Duration, Effect, Exit, Layer, Option, Scope } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { type Dimension, type Event, Metric, type Recorder, Runtime } from "mvx-metrics"
import * as Console from "mvx-metrics/exporters/Console"
import { terminalOf } from "../../src/exporters/internal/console/terminal.ts"
import { BrokenView, collectLogs, outcome, settle } from "../support.ts"

interface Saved {
  readonly _tag: "saved"
  readonly durationMs: number
  readonly user: string
}

const saved = (durationMs: number, user = "ann"): Saved => ({ _tag: "saved", durationMs, user })

const Saves = Metric.fromDimensions("saves", ["saved"], (d) => ({ total: d.count() }))

const shop = Runtime.layer({ namespace: "shop" })

/** Shows metrics that are what they are. */
const showing = (name: string, shown: Record<string, unknown>, instruments: Metric.Instruments = {}) =>
  Metric.make(name, { initial: shown, reduce: () => Option.none(), instruments })

const recorderOf = (
  metrics: ReadonlyArray<Metric.Any>,
  options: Runtime.RecorderOptions = {},
  id = "documents"
) => Runtime.MetricsRuntime.use((runtime) => runtime.createRecorder(id, { metrics, ...options }))

const recordAll = (recorder: Recorder.Handle, events: ReadonlyArray<Event.MetricEvent>) =>
  Effect.suspend(() => {
    for (const event of events) recorder.registerEventUnsafe(event)
    // What is pending would show in a table.
    return recorder.flush
  })

/** The lines of the table of metrics, without its title and head. */
const tableOf = (metrics: ReadonlyArray<Metric.Any>, options?: Console.FormatOptions) =>
  Effect.gen(function*() {
    yield* recorderOf(metrics)
    return (yield* Console.format(options)).split("\n").slice(2).filter((line) => !line.startsWith("mvx_metrics"))
  }).pipe(Effect.provide(shop))

const printed = Effect.map(TestConsole.logLines, (lines) => lines as ReadonlyArray<string>)

/** Lets an interval pass, and a table be printed. */
const pass = (duration: Duration.Input) => Effect.andThen(TestClock.adjust(duration), settle)

/** The trend of a series in the last table. */
const trendOf = (series: string) =>
  Effect.map(printed, (tables) => {
    const line = tables.at(-1)!.split("\n").find((line) => line.startsWith(`${series} `))
    return line?.replace(/^\S+ +\S+ +\S+ */, "")
  })

describe("Console", () => {
  describe("format", () => {
    it.effect("shows every series with its kind and value, and what distributions amount to", () =>
      Effect.gen(function*() {
        const metric = Metric.fromDimensions("document_storage.saves", ["saved"], (d: Dimension.Builder<Saved>) => ({
          total: d.count(),
          by_user: d.by("user", (e) => e.user, d.count()),
          duration: d.histogram((e) => e.durationMs, { unit: "ms", boundaries: [10, 100, 1000] }),
          last: d.last((e) => e.durationMs)
        }))
        const recorder = yield* recorderOf([metric], { labels: { region: "eu" } })
        yield* recordAll(recorder, [saved(4), saved(40, "bob"), saved(60), saved(1500)])
        yield* TestClock.adjust("1 second")

        assert.deepStrictEqual((yield* Console.format()).split("\n"), [
          "Metrics of shop at 1970-01-01T00:00:01.000Z, all with region=\"eu\",recorder_id=\"documents\"",
          "series                                      kind       value",
          "document_storage.saves_total                counter        4",
          "document_storage.saves_by_user{user=\"ann\"}  counter        3",
          "document_storage.saves_by_user{user=\"bob\"}  counter        1",
          "document_storage.saves_duration             histogram      4",
          "  min 4 ms  mean 401 ms  p50 55 ms  p95 1.4 s  p99 1.48 s  max 1.5 s",
          "document_storage.saves_last                 gauge      1,500",
          "mvx_metrics_accepted_total                  counter        4",
          "mvx_metrics_recorders                       gauge          1"
        ])
      }).pipe(Effect.provide(shop)))

    it.effect("goes metric by metric, and names recorders where there are several", () =>
      Effect.gen(function*() {
        const Others = Metric.fromDimensions("others", ["other"], (d) => ({ total: d.count() }))
        const labels = { region: "eu" }
        yield* recorderOf([Saves, Others], { labels }, "one")
        yield* recorderOf([Saves], { labels }, "two")
        yield* recorderOf([Others], { labels, export: "rollup" }, "three")

        const [title, , ...rows] = (yield* Console.format()).split("\n")
        assert.match(title!, /, all with region="eu"$/)
        assert.deepStrictEqual(rows.map((row) => row.split(" ")[0]), [
          "saves_total{recorder_id=\"one\"}",
          "saves_total{recorder_id=\"two\"}",
          "others_total{recorder_id=\"one\"}",
          "others_total",
          "mvx_metrics_recorders"
        ])
      }).pipe(Effect.provide(shop)))

    it.effect("says that nothing is measured", () =>
      Effect.gen(function*() {
        const runtime = yield* Runtime.MetricsRuntime
        assert.deepStrictEqual((yield* Console.format()).split("\n").slice(1), [
          "series  kind  value",
          "Nothing is measured yet."
        ])
        assert.deepStrictEqual(yield* runtime.recorderIds, [])
      }).pipe(Effect.provide(shop)))

    it.effect("shows numbers with their units, in the size that suits them", () =>
      Effect.gen(function*() {
        const cases: ReadonlyArray<readonly [number | bigint, string | undefined, string]> = [
          [0, undefined, "0"],
          [-0, undefined, "0"],
          [1234567, undefined, "1,234,567"],
          [0.1 + 0.2, undefined, "0.3"],
          [1234.56, undefined, "1,234.6"],
          [-1e-7, undefined, "-1.000e-7"],
          [2 ** 53, undefined, "9.007e+15"],
          [1e300, undefined, "1.000e+300"],
          [NaN, undefined, "NaN"],
          [-Infinity, "ms", "-Infinity ms"],
          [-12345n, undefined, "-12,345"],
          [-(10n ** 400n), undefined, "-1.000e+400"],
          [3, "1", "3"],
          [12.5, "%", "12.5 %"],
          [7, "{request}", "7 request"],
          [7, "By/s", "7 By/s"],
          [0, "ms", "0 ms"],
          [3, "ms", "3 ms"],
          [0.25, "ms", "250 µs"],
          [-90_000, "ms", "-1.5 min"],
          [1e-12, "s", "0.001 ns"],
          [1500, "us", "1.5 ms"],
          [7200n, "s", "2 h"],
          [1000, "d", "1,000 d"],
          [512, "By", "512 B"],
          [1536, "By", "1.5 KiB"],
          [3 * 2 ** 60, "By", "3,072 PiB"]
        ]
        const metric = showing(
          "n",
          Object.fromEntries(cases.map(([value], at) => [`v${at}`, value])),
          Object.fromEntries(cases.map(([, unit], at) => [`v${at}`, { kind: "gauge", ...(unit && { unit }) }]))
        )
        const rows = yield* tableOf([metric])
        assert.deepStrictEqual(rows.map((row) => row.replace(/^n_v\d+ +gauge +/, "")), cases.map(([, , text]) => text))
      }))

    it.effect("estimates the quantiles of exponential histograms, and shows those of summaries", () =>
      Effect.gen(function*() {
        const recorder = yield* recorderOf([
          Metric.fromDimensions("d", ["n"], (d: Dimension.Builder<{ readonly _tag: "n"; readonly n: number }>) => ({
            exponential: d.exponentialHistogram((e) => e.n, { unit: "s" }),
            summary: d.quantiles((e) => e.n, { quantiles: [0.5, 0.999] }),
            empty: d.histogram(() => 1, { when: () => false })
          }))
        ])
        const events = [-8, 0, 0, ...Array.from({ length: 97 }, (_, at) => at + 1)]
        yield* recordAll(recorder, events.map((n) => ({ _tag: "n", n })))
        const rows = (yield* Console.format()).split("\n").slice(2, 7)
        assert.deepStrictEqual(rows, [
          "d_exponential               histogram    100",
          "  min -8 s  mean 47.45 s  p50 47.26 s  p95 1.542 min  p99 1.603 min  max 1.617 min",
          "d_summary                   summary      100",
          "  mean 47.45  p50 46.75  p99.9 97",
          "d_empty                     histogram      0"
        ])
      }).pipe(Effect.provide(shop)))

    it.effect("shows what views of one's own call a distribution, whatever it is", () =>
      Effect.gen(function*() {
        const histogram = { kind: "histogram" } as const
        const metric = showing(
          "own",
          {
            bare: { count: 4, sum: 6, boundaries: [1, 2], counts: [1, 1, 2] },
            nothing: { count: NaN, sum: NaN, boundaries: [], counts: [NaN] },
            one: { count: 2, sum: 5, boundaries: [], counts: [2] },
            odd: { count: 1, sum: -Infinity, boundaries: [NaN], counts: [-1, 0] }
          },
          { bare: histogram, nothing: histogram, one: histogram, odd: histogram }
        )
        assert.deepStrictEqual(yield* tableOf([metric]), [
          "own_bare               histogram      4",
          "  mean 1.5  p50 2  p95 2  p99 2",
          "own_nothing            histogram    NaN",
          "own_one                histogram      2",
          "  mean 2.5",
          "own_odd                histogram      1",
          "  mean -Infinity"
        ])
      }))

    it.effect("escapes what a terminal would act upon, wherever it stands", () =>
      Effect.gen(function*() {
        const evil = "\u001b[2J\u009b31m\r\n\t\u0000\u007f\u2028\u202e\u{e0041}\"\\"
        const name = `name${evil}\ud800`
        const metric = Metric.fromDimensions(name, ["saved"], (d) => ({
          by: d.by(`label${evil}`, () => evil, d.last(() => 1, { unit: evil })),
          histogram: d.histogram(() => 1, { unit: evil })
        }))
        const runtime = yield* Runtime.make({ namespace: name })
        const labels = { [`region${evil}`]: evil }
        yield* recordAll(yield* runtime.createRecorder(evil, { metrics: [metric], labels }), [saved(1)])
        yield* recordAll(yield* runtime.createRecorder("two", { metrics: [metric], labels }), [saved(1)])
        const text = yield* Effect.provideService(Console.format({ width: 1000 }), Runtime.MetricsRuntime, runtime)

        // oxlint-disable-next-line no-control-regex -- that is what must not be there
        assert.notMatch(text.replaceAll("\n", ""), /[\u0000-\u001f\u007f-\u009f\u2028\u202e\ud800]|\u{e0041}/u)
        const shown = String.raw`\u001b[2J\u009b31m\r\n\t\u0000\u007f\u2028\u202e\u{e0041}\"\\`
        assert.include(text, `recorder_id="${shown}"`)
        assert.match(text, /^name\\u001b.*,label\\u001b.*="\\u001b.* {2}gauge +1 \\u001b/m)
        assert.match(text, /^Metrics of name\\u001b.*, all with region\\u001b/)
        assert.lengthOf(text.split("\n"), 10)
      }))

    it.effect("keeps columns straight under wide and combining characters", () =>
      Effect.gen(function*() {
        const names = ["ann", "日本語", "e\u0301", "👩‍👩‍👧", "한국어", "ｱｲ", "1️⃣", "🇫🇷"]
        const metric = Metric.fromDimensions("by", ["saved"], (d: Dimension.Builder<Saved>) => ({
          user: d.by("user", (e) => e.user, d.count())
        }))
        const recorder = yield* recorderOf([metric])
        yield* recordAll(recorder, names.map((name) => saved(1, name)))
        const rows = (yield* Console.format()).split("\n").slice(2, 2 + names.length)
        const columns = [3, 6, 1, 2, 6, 2, 2, 2]
        const shown = new Map(rows.map((row) => [/user="(.*)"/.exec(row)![1]!, row.slice(row.indexOf("}"))]))
        assert.sameMembers(Array.from(shown.keys()), names)
        for (const [at, name] of names.entries()) {
          assert.strictEqual(shown.get(name), `}${" ".repeat(12 - columns[at]!)}counter      1`, name)
        }
      }).pipe(Effect.provide(shop)))

    it.effect("takes long names their middle, to stay within the width", () =>
      Effect.gen(function*() {
        const histogram = { count: 4, sum: 1234.5, min: 12, max: 1000.5, boundaries: [500], counts: [3, 1] }
        const shown = { ["of_a_dimension_with_a_long_name"]: 1, short: 2, ["\"".repeat(1e6)]: 3, histogram }
        const metric = showing("documents.storage", shown, { histogram: { kind: "histogram", unit: "ms" } })
        assert.deepStrictEqual(yield* tableOf([metric], { width: 43 }), [
          "documents.st…_a_long_name  gauge          1",
          "documents.storage_short    gauge          2",
          `documents.st…${"\"".repeat(12)}  gauge          3`,
          "documents.st…ge_histogram  histogram      4",
          "  min 12 ms  mean 308.…80.5 ms  max 1.001 s"
        ])
      }))

    it.effect("shows as many rows as asked for, and says how many more there are", () =>
      Effect.gen(function*() {
        const metric = Metric.fromDimensions("by", ["saved"], (d: Dimension.Builder<Saved>) => ({
          user: d.by("user", (e) => e.user, d.count(), { limit: 5000 })
        }))
        const recorder = yield* recorderOf([Saves, metric])
        yield* recordAll(recorder, Array.from({ length: 3000 }, (_, at) => saved(1, `user ${at}`)))
        const lines = (yield* Console.format({ maxRows: 3 })).split("\n")
        assert.deepStrictEqual(lines.slice(2).map((line) => line.replace(/ {2,}.*/, "")), [
          "saves_total",
          "by_user{user=\"user 0\"}",
          "by_user{user=\"user 1\"}",
          "mvx_metrics_accepted_total",
          "mvx_metrics_recorders",
          "… and 2,998 more series"
        ])
        assert.lengthOf((yield* Console.format()).split("\n"), 2 + 50 + 2 + 1)
        assert.lengthOf((yield* Console.format({ maxRows: Infinity })).split("\n"), 2 + 3001 + 2)
      }).pipe(Effect.provide(shop)))

    it.effect("leaves out a metric whose view throws, logs it once, and counts it", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        const recorder = yield* recorderOf([BrokenView, Saves])
        yield* recordAll(recorder, [{ _tag: "cache.hit" }, saved(1)])
        const rows = (yield* Console.format()).split("\n").slice(2).map((row) => row.split(" ")[0])
        yield* Console.format()
        assert.deepStrictEqual(rows, [
          "saves_total",
          "mvx_metrics_accepted_total",
          "mvx_metrics_recorders",
          "mvx_metrics_series_left_out{reason=\"view\"}"
        ])
        assert.deepStrictEqual(logs.lines.map(({ text }) => text.split(":")[0]), [
          "Error mvx-metrics/exporters/SeriesRefusedError"
        ])
      }).pipe(Effect.provide(Layer.provideMerge(shop, logs.layer)))
    })

    it.effect("refuses options that it does not know", () =>
      Effect.gen(function*() {
        for (const options of [{ maxRows: 0 }, { maxRows: 1.5 }, { maxRows: NaN }, { width: 39 }, { width: NaN }]) {
          assert.strictEqual(yield* outcome(Console.format(options)), "InvalidOptionError")
        }
      }).pipe(Effect.provide(shop)))
  })

  describe("layer", () => {
    it.effect("prints a table on an interval, each in one call", () =>
      Effect.gen(function*() {
        yield* Layer.build(Console.layer({ interval: "1 minute" }))
        const recorder = yield* recorderOf([Saves])
        yield* recordAll(recorder, [saved(1)])
        yield* pass("59 seconds")
        assert.deepStrictEqual(yield* printed, [])
        yield* pass("1 second")
        yield* recordAll(recorder, [saved(1)])
        yield* pass("1 minute")

        const table = (time: string, total: number) =>
          [
            `Metrics of shop at 1970-01-01T00:0${time}:00.000Z, all with recorder_id="documents"`,
            "series                      kind     value",
            `saves_total                 counter      ${total}`,
            `mvx_metrics_accepted_total  counter      ${total}`,
            "mvx_metrics_recorders       gauge        1"
          ].join("\n")
        assert.deepStrictEqual(yield* printed, [table("1", 1), table("2", 2)])
      }).pipe(Effect.provide(shop)))

    it.effect("prints every ten seconds unless told otherwise", () =>
      Effect.gen(function*() {
        yield* Layer.build(Console.layer())
        yield* pass("10 seconds")
        assert.lengthOf(yield* printed, 1)
      }).pipe(Effect.provide(shop)))

    it.effect("prints only at the end when asked to, with everything that was handed over", () =>
      Effect.gen(function*() {
        const program = Effect.gen(function*() {
          const recorder = yield* recorderOf([Saves])
          yield* pass("1 day")
          assert.deepStrictEqual(yield* printed, [])
          yield* recordAll(recorder, Array.from({ length: 5000 }, () => saved(1)))
        })
        const live = Console.layer({ interval: Duration.infinity }).pipe(Layer.provideMerge(shop))
        yield* Effect.provide(program, live)
        const [table, ...others] = yield* printed
        assert.deepStrictEqual(others, [])
        assert.include(table, "saves_total                 counter  5,000")
      }))

    it.effect("draws what counters gained and what gauges were, of the last thirty tables", () =>
      Effect.gen(function*() {
        yield* Layer.build(Console.layer({ sparklines: true, interval: "1 second", width: 200 }))
        const metric = Metric.fromDimensions("m", ["saved"], (d: Dimension.Builder<Saved>) => ({
          total: d.count(),
          duration: d.histogram((e) => e.durationMs),
          last: d.last((e) => e.durationMs)
        }))
        const recorder = yield* recorderOf([metric])
        for (const count of [7, 0, 3, 1, 7]) {
          yield* recordAll(recorder, Array.from({ length: count }, () => saved(100 + count)))
          yield* pass("1 second")
        }
        assert.strictEqual(yield* trendOf("m_total"), "█▁▄▂█")
        assert.strictEqual(yield* trendOf("m_duration"), "█▁▄▂█")
        assert.strictEqual(yield* trendOf("m_last"), "██▃▁█")
        assert.strictEqual(yield* trendOf("mvx_metrics_recorders"), "▁▁▁▁▁")
        assert.include((yield* printed)[0]!.split("\n")[1], "value  trend")

        for (let at = 0; at < 29; at++) yield* pass("1 second")
        assert.strictEqual(yield* trendOf("m_total"), `█${"▁".repeat(29)}`)
      }).pipe(Effect.provide(shop)))

    it.effect("begins a trend at nothing when values begin anew, and has no bar for what is no number", () =>
      Effect.gen(function*() {
        yield* Layer.build(Console.layer({ sparklines: true, interval: "1 second" }))
        const values = [1, NaN, 3, Infinity, 2]
        const Shown = Metric.make("m", {
          initial: { last: 0, own_total: 0 },
          reduce: (s, e: { readonly _tag: "saved" }) =>
            Option.some({ last: values.shift() ?? 0, own_total: e._tag === "saved" ? 5 - s.own_total : 0 })
        })
        const recorder = yield* recorderOf([Shown])
        for (let at = 0; at < 5; at++) {
          yield* recordAll(recorder, [saved(1)])
          yield* pass("1 second")
        }
        assert.strictEqual(yield* trendOf("m_last"), "▁ █ ▅")
        // 5, 0, 5, 0, 5: what falls began anew.
        assert.strictEqual(yield* trendOf("m_own_total"), "█▁█▁█")

        yield* recorder.unregisterMetric("m")
        yield* pass("1 second")
        yield* recorder.registerMetric(Saves)
        yield* recordAll(recorder, [saved(1), saved(1)])
        yield* pass("1 second")
        yield* recorder.unregisterMetric("saves")
        yield* recorder.registerMetric(Saves)
        yield* recordAll(recorder, [saved(1), saved(1), saved(1)])
        yield* pass("1 second")
        assert.strictEqual(yield* trendOf("saves_total"), "▆█")
      }).pipe(Effect.provide(shop)))

    it.effect("gives up bars before it gives up names", () =>
      Effect.gen(function*() {
        yield* Layer.build(Console.layer({ sparklines: true, interval: "1 second", width: 60 }))
        yield* recorderOf([showing("m", { ["n".repeat(30)]: 1, ["o".repeat(60)]: 1 })])
        for (let at = 0; at < 20; at++) yield* pass("1 second")
        const lines = (yield* printed).at(-1)!.split("\n")
        assert.deepStrictEqual(lines.slice(2, 4), [
          `m_${"n".repeat(30)}    gauge      1  ${"▁".repeat(10)}`,
          `m_${"o".repeat(15)}…${"o".repeat(16)}  gauge      1  ${"▁".repeat(10)}`
        ])
      }).pipe(Effect.provide(shop)))

    it.effect("goes on after a console that throws, and the program with it", () => {
      const logs = collectLogs()
      return Effect.gen(function*() {
        let calls = 0
        const broken: EffectConsole.Console = {
          ...globalThis.console,
          log: () => {
            calls++
            throw new Error("no console")
          }
        }
        const scope = yield* Scope.make()
        yield* Layer.buildWithScope(Console.layer(), scope).pipe(
          Effect.provideService(EffectConsole.Console, broken)
        )
        yield* pass("10 seconds")
        yield* pass("10 seconds")
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(calls, 3)
        assert.deepStrictEqual(
          logs.lines.map(({ text }) => text),
          Array(3).fill("Error An export to the console failed")
        )
      }).pipe(Effect.provide(Layer.provideMerge(shop, logs.layer)))
    })

    it.effect("refuses options that it does not know", () =>
      Effect.gen(function*() {
        const wrong: ReadonlyArray<Console.Options> = [
          { interval: 0 },
          { interval: "-1 second" },
          { shutdownTimeout: -1 },
          { maxRows: -1 },
          { width: 1 },
          { sparklines: "yes" as never }
        ]
        for (const options of wrong) {
          const build = Effect.scoped(Layer.build(Console.layer(options)))
          assert.strictEqual(yield* outcome(build), "InvalidOptionError", JSON.stringify(options))
        }
      }).pipe(Effect.provide(shop)))
  })

  it("knows a terminal, and hosts without one", () => {
    assert.deepStrictEqual(terminalOf({ process: { stdout: { isTTY: true, columns: 80 } } })?.columns, 80)
    assert.isUndefined(terminalOf({ process: { stdout: { isTTY: false, columns: 80 } } }))
    assert.isUndefined(terminalOf({ process: { stdout: {} } }))
    assert.isUndefined(terminalOf({ process: {} }))
    assert.isUndefined(terminalOf({}))
  })
})
