import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Metric } from "mvx-metrics"
import { Baseline } from "../../../../src/exporters/internal/Baseline.ts"
import { Family, type Point } from "../../../../src/exporters/internal/Series.ts"
import { type Format, Lines, partsOf, rateOf } from "../../../../src/exporters/internal/statsd/Lines.ts"

const dogstatsd: Format = { prefix: "", tags: "dogstatsd", histograms: "distributions" }
const plain: Format = { prefix: "", tags: "names", histograms: "timings" }

interface Given {
  readonly kind: Metric.InstrumentKind
  readonly value: Metric.Sample["value"]
  readonly metric?: string
  readonly dimension?: string
  readonly unit?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly recorder?: Readonly<Record<string, string>>
  readonly epoch?: number
}

/** Makes what a read of one point after the other writes; all of it is committed. */
const writer = (format: Format) => {
  const lines = new Lines(format)
  const baseline = new Baseline({ epochs: new Set([1, 2]) })
  return (given: Given): ReadonlyArray<string> => {
    const { dimension = "b", epoch = 1, kind, labels = {}, metric = "a", recorder = {}, unit, value } = given
    const series = { metric, dimension, kind, unit }
    const point: Point = {
      family: new Family(series, lines.target.nameOf(series), undefined, lines.target),
      source: { labels: recorder, labelKeys: new Set(), epoch, startedAt: 0, takenAt: 0 },
      labels,
      value
    }
    const written: Array<string> = []
    const read = baseline.read()
    lines.write(point, read, (line) => written.push(line))
    read.commit()
    return written
  }
}

const distribution = (
  counts: ReadonlyArray<number>,
  sum: number,
  { boundaries = [10, 100], max, min }: { boundaries?: ReadonlyArray<number>; min?: number; max?: number } = {}
) => ({ count: counts.reduce((a, b) => a + b, 0), sum, min, max, boundaries, counts })

const summary = (count: number, sum: number, quantiles: Record<string, number | undefined>) => ({
  count,
  sum,
  quantiles: quantiles as Record<number, number | undefined>
})

describe("lines", () => {
  it("say what a counter has counted since the last ones", () => {
    const write = writer(dogstatsd)
    assert.deepStrictEqual(write({ kind: "counter", value: 0 }), [])
    assert.deepStrictEqual(write({ kind: "counter", value: 5 }), ["a_b:5|c"])
    assert.deepStrictEqual(write({ kind: "counter", value: 5 }), [])
    assert.deepStrictEqual(write({ kind: "counter", value: 7.5 }), ["a_b:2.5|c"])
    assert.deepStrictEqual(write({ kind: "counter", value: 3, epoch: 2 }), ["a_b:3|c"])
  })

  it("have every digit of a bigint", () => {
    const write = writer(dogstatsd)
    assert.deepStrictEqual(write({ kind: "counter", value: 0n }), [])
    assert.deepStrictEqual(write({ kind: "counter", value: 2n ** 80n }), ["a_b:1208925819614629174706176|c"])
    assert.deepStrictEqual(write({ kind: "counter", value: 2n ** 80n + 1n }), ["a_b:1|c"])
    assert.deepStrictEqual(write({ kind: "gauge", value: -(2n ** 64n) }), ["a_b:0|g\na_b:-18446744073709551616|g"])
  })

  it.each(["gauge", "upDownCounter"] as const)("say how a %s is", (kind) => {
    const write = writer(dogstatsd)
    for (const _ of [1, 2]) {
      assert.deepStrictEqual(write({ kind, value: 1.5 }), ["a_b:1.5|g"])
      assert.deepStrictEqual(write({ kind, value: 0 }), ["a_b:0|g"])
      assert.deepStrictEqual(write({ kind, value: -0 }), ["a_b:0|g"])
    }
  })

  it("set a gauge to zero before it falls below, because a sign changes it by so much", () => {
    assert.deepStrictEqual(writer(dogstatsd)({ kind: "gauge", value: -2, labels: { c: "d" } }), [
      "a_b:0|g|#c:d\na_b:-2|g|#c:d"
    ])
  })

  it("leave out what is not finite", () => {
    const write = (given: Given) => writer(dogstatsd)(given)
    for (const value of [NaN, Infinity, -Infinity]) {
      assert.deepStrictEqual(write({ kind: "gauge", value }), [])
      assert.deepStrictEqual(write({ kind: "counter", value }), [])
      assert.deepStrictEqual(write({ kind: "histogram", value: distribution([1, 0, 0], value) }), [])
      assert.deepStrictEqual(write({ kind: "summary", value: summary(1, value, {}) }), [])
      assert.deepStrictEqual(write({ kind: "summary", value: summary(1, 2, { "0.5": value }) }), [
        "a_b_count:1|c",
        "a_b_sum:2|c"
      ])
    }
    assert.deepStrictEqual(write({ kind: "histogram", value: distribution([1, 0, 0], 5, { min: NaN }) }), [
      "a_b_count:1|c",
      "a_b_sum:5|c"
    ])
  })

  it("say the totals of a histogram, and once per bucket how often a value came", () => {
    const write = writer(dogstatsd)
    assert.deepStrictEqual(write({ kind: "histogram", value: distribution([0, 0, 0], 0) }), [])
    assert.deepStrictEqual(write({ kind: "histogram", value: distribution([1, 0, 0], 4, { min: 4, max: 4 }) }), [
      "a_b_count:1|c",
      "a_b_sum:4|c",
      "a_b:4|d"
    ])
    assert.deepStrictEqual(write({ kind: "histogram", value: distribution([5, 2, 0], 124, { min: 0, max: 90 }) }), [
      "a_b_count:6|c",
      "a_b_sum:120|c",
      "a_b:5|d|@0.25",
      "a_b:50|d|@0.5"
    ])
    assert.deepStrictEqual(write({ kind: "histogram", value: distribution([5, 2, 0], 124, { min: 0, max: 90 }) }), [])
  })

  it("say the same of an exponential histogram", () => {
    const value = {
      count: 9,
      sum: 4.5,
      min: -2,
      max: 4,
      scale: 0,
      zeroCount: 2,
      positive: { offset: 0, counts: [4, 1] },
      negative: { offset: 0, counts: [2] }
    }
    assert.deepStrictEqual(writer(dogstatsd)({ kind: "histogram", value }), [
      "a_b_count:9|c",
      "a_b_sum:4.5|c",
      "a_b:-1.6875|d|@0.5",
      "a_b:0|d|@0.5",
      "a_b:1.3125|d|@0.25",
      "a_b:2.625|d"
    ])
  })

  it("say the quantiles of a summary as gauges, and its totals", () => {
    const write = writer(dogstatsd)
    assert.deepStrictEqual(
      write({ kind: "summary", value: summary(3, 60, { "0.5": 20, "0.9": -1 }), labels: { c: "d" } }),
      [
        "a_b:20|g|#c:d,quantile:0.5",
        "a_b:0|g|#c:d,quantile:0.9\na_b:-1|g|#c:d,quantile:0.9",
        "a_b_count:3|c|#c:d",
        "a_b_sum:60|c|#c:d"
      ]
    )
    assert.deepStrictEqual(
      write({ kind: "summary", value: summary(4, 50, { "0.5": 20, "0.9": undefined }), labels: { c: "d" } }),
      ["a_b:20|g|#c:d,quantile:0.5", "a_b_count:1|c|#c:d", "a_b_sum:-10|c|#c:d"]
    )
  })

  it("have tags in one order, whatever the order of labels is", () => {
    const write = writer(dogstatsd)
    const recorder = { zone: "z" }
    const labels = { method: "GET", "http.route": "/" }
    assert.deepStrictEqual(write({ kind: "gauge", value: 1, recorder, labels }), [
      "a_b:1|g|#http.route:/,method:GET,zone:z"
    ])
  })

  it("have nothing in names and tags that separates parts of a line", () => {
    const hostile = "a:b|c@d#e,f g\nh\u0000i\u2028ł/é"
    assert.deepStrictEqual(
      writer(dogstatsd)({
        kind: "gauge",
        value: 1,
        metric: hostile,
        dimension: "x.y-z",
        labels: { [hostile]: hostile }
      }),
      ["a_b_c_d_e_f_g_h_i_____x.y-z:1|g|#a_b_c_d_e_f_g_h_i_ł/é:a_b_c_d_e_f_g_h_i_ł/é"]
    )
    assert.deepStrictEqual(
      writer(plain)({ kind: "gauge", value: 1, metric: hostile, dimension: "x.y-z", labels: { [hostile]: hostile } }),
      ["a_b_c_d_e_f_g_h_i_____x.y-z.a_b_c_d_e_f_g_h_i____.a_b_c_d_e_f_g_h_i____:1|g"]
    )
  })

  it("have labels in dotted names, without dots of their own", () => {
    const write = writer({ ...plain, prefix: "shop" })
    const labels = { route: "/v1.2", method: "GET", "http.host": "" }
    assert.deepStrictEqual(write({ kind: "counter", metric: "http.requests", dimension: "total", value: 1, labels }), [
      "shop.http.requests_total.http_host._.method.GET.route._v1_2:1|c"
    ])
    assert.deepStrictEqual(write({ kind: "summary", value: summary(1, 2, { "0.5": 2 }), labels: { c: "d" } }), [
      "shop.a_b.c.d.quantile.0_5:2|g",
      "shop.a_b_count.c.d:1|c",
      "shop.a_b_sum.c.d:2|c"
    ])
  })

  it("begin with the prefix, and one dot", () => {
    for (const prefix of ["shop", "shop.", "shop..", "sh:op"]) {
      const [line] = writer({ ...dogstatsd, prefix })({ kind: "gauge", value: 1 })
      assert.strictEqual(line, prefix === "sh:op" ? "sh_op.a_b:1|g" : "shop.a_b:1|g")
    }
  })

  it("say timings in milliseconds", () => {
    const value = distribution([0, 1, 0], 50, { min: 50, max: 50 })
    for (const [unit, ms] of [["s", 50_000], ["ms", 50], ["us", 0.05], ["By", 50], [undefined, 50]] as const) {
      assert.deepStrictEqual(writer(plain)({ kind: "histogram", value, ...(unit && { unit }) }), [
        "a_b_count:1|c",
        `a_b_sum:${ms}|c`,
        `a_b:${ms}|ms`
      ])
    }
    assert.deepStrictEqual(writer(dogstatsd)({ kind: "histogram", value, unit: "s" }).at(-1), "a_b:50|d")
  })

  it("leave out timings below zero", () => {
    const value = distribution([3, 2, 1], 10, { min: -20, max: 60, boundaries: [-5, 5] })
    const timings = writer(plain)({ kind: "histogram", value }).filter((line) => line.includes("|ms"))
    assert.deepStrictEqual(timings, [
      "a_b:1.25|ms",
      "a_b:1.25|ms",
      "a_b:39.375|ms"
    ])
  })

  it("sample timings evenly, so that means and percentiles are right that know no rate", () => {
    const value = distribution([9_000, 900, 100], 9_000 * 5 + 900 * 55 + 100 * 550, { min: 0, max: 1_000 })
    const timings = writer(plain)({ kind: "histogram", value }).slice(2)
    const parsed = timings.map((line) =>
      /^a_b:(\d+)\|ms\|@([\d.]+)$/.exec(line)!.slice(1).map(Number) as [number, number]
    )
    const times = (of: number) => parsed.reduce((sum, [value, rate]) => sum + (value === of ? 1 / rate : 0), 0)
    assert.deepStrictEqual([times(5), times(55), times(550)], [9_000, 900, 100])
    assert.strictEqual(timings.length, 51)
    const sorted = parsed.map(([value]) => value)
    assert.deepStrictEqual([sorted[25], sorted[46], sorted[50]], [5, 55, 550])
  })
})

const Counts = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))

describe("rates", () => {
  it.prop("are plain decimals, in which a server finds the count again", [Counts], ([count]) => {
    let found = 0
    for (const part of partsOf(count)) {
      const rate = rateOf(part)
      assert.match(rate, /^(1|0\.\d+)$/)
      found += 1 / Number(rate)
    }
    assert.strictEqual(found, count)
    assert.isAtMost(partsOf(count).length, 3)
  })

  it("need two lines where a rounded one would be another count", () => {
    assert.notStrictEqual(1 / (1 / 49), 49)
    assert.deepStrictEqual(partsOf(49), [48, 1])
    assert.strictEqual(rateOf(10_000_000), "0.0000001")
  })
})
