/** Which series Prometheus should have of a runtime: worked out from its samples, with no part of the exporter. */
import { assert } from "@effect/vitest"
import { type Dimension, Metric, type Recorder, type Runtime } from "mvx-metrics"
import type { FamilyName, FamilyNames } from "./EveryDimension.ts"

export type Format = "openmetrics" | "text"

export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** In characters that Prometheus allows. */
const labelName = (label: string): string => label.replace(/[^a-zA-Z0-9_]/g, "_")

/**
 * One line for each series. Bounds of buckets and quantiles are compared as
 * numbers: `1` in one format is `1.0` in the other. An empty label is none.
 */
const linesOf = (series: Iterable<Series>): ReadonlyArray<string> =>
  Array.from(series, ({ labels, name, value }) => {
    const shown = Object.entries(labels)
      .filter(([, text]) => text !== "")
      .map(([label, text]) => [label, label === "le" || label === "quantile" ? bound(text) : text])
      .toSorted(([a], [b]) => a! < b! ? -1 : 1)
    return `${name} ${JSON.stringify(shown)} ${rounded(value)}`
  }).toSorted()

/** Shows only what differs: there may be thousands of series. */
export const assertSameSeries = (found: Iterable<Series>, expected: Iterable<Series>): void => {
  const [present, wanted] = [linesOf(found), linesOf(expected)]
  assert.deepStrictEqual(
    {
      missing: wanted.filter((line) => !present.includes(line)),
      besides: present.filter((line) => !wanted.includes(line))
    },
    { missing: [], besides: [] }
  )
  assert.strictEqual(present.length, wanted.length)
}

const bound = (text: string): string => text === "+Inf" ? text : rounded(Number(text))

/** A unit may be converted by a division as well as by a multiplication. */
const rounded = (value: number): string =>
  Number.isFinite(value) ? Number(value.toPrecision(14)).toString() : `${value}`

type Buckets = Array<readonly [bound: number, count: number]>

const explicitBuckets = ({ boundaries, counts }: Dimension.HistogramValue): Buckets =>
  boundaries.map((boundary, index) => [boundary, counts[index]!])

/** The counts of one sign, `2 ** steps` buckets being made one. */
const joined = ({ counts, offset }: Dimension.ExponentialValue["positive"], steps: number): Map<number, number> => {
  const byIndex = new Map<number, number>()
  for (const [at, count] of counts.entries()) {
    const index = Math.floor((offset + at) / 2 ** steps)
    byIndex.set(index, (byIndex.get(index) ?? 0) + count)
  }
  return byIndex
}

/** At the finest scale, at most 1, with at most 40 buckets, and with the lower bound of those above zero. */
const exponentialBuckets = ({ negative, positive, scale, zeroCount }: Dimension.ExponentialValue): Buckets => {
  let steps = Math.max(0, scale - 1)
  while (joined(positive, steps).size + joined(negative, steps).size > 40) steps++
  const boundOf = (index: number) => 2 ** (index * 2 ** (steps - scale))
  const below = Array.from(joined(negative, steps), ([index, count]) => [-boundOf(index), count] as const)
  const above = Array.from(joined(positive, steps), ([index, count]) => [boundOf(index + 1), count] as const)
  const zero: Buckets = zeroCount > 0 || below.length > 0 ? [[0, zeroCount]] : []
  const [first] = joined(positive, steps).keys()
  const lowest: Buckets = first === undefined ? [] : [[boundOf(first), 0]]
  return [...below.toReversed(), ...zero, ...lowest, ...above]
}

const bucketsOf = (value: Dimension.HistogramValue | Dimension.ExponentialValue): Buckets =>
  "boundaries" in value ? explicitBuckets(value) : exponentialBuckets(value)

/** The series of one sample, but for what tells since when it counts. */
function* seriesOf(
  { factor = 1, name }: FamilyName,
  { kind, value }: Metric.Sample,
  labels: Readonly<Record<string, string>>
): Generator<Series> {
  switch (kind) {
    case "counter":
      return yield { name: `${name}_total`, labels, value: Number(value) * factor }
    case "gauge":
    case "upDownCounter":
      return yield { name, labels, value: Number(value) * factor }
    case "histogram": {
      let cumulative = 0
      for (const [bound, count] of bucketsOf(value)) {
        cumulative += count
        yield { name: `${name}_bucket`, labels: { ...labels, le: String(bound * factor) }, value: cumulative }
      }
      yield { name: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: value.count }
      break
    }
    case "summary":
      for (const [quantile, estimate] of Object.entries(value.quantiles)) {
        if (estimate !== undefined) yield { name, labels: { ...labels, quantile }, value: estimate * factor }
      }
  }
  yield { name: `${name}_sum`, labels, value: value.sum * factor }
  yield { name: `${name}_count`, labels, value: value.count }
}

/** The series of captures, metrics and dimensions being called as `names` says. */
export const expectedSeries = (
  captures: ReadonlyArray<Recorder.RecorderCapture>,
  names: FamilyNames,
  format: Format
): Array<Series> => {
  const all: Array<Series> = []
  for (const { labels: given, metrics, recorderId, takenAt } of captures) {
    const own = recorderId === "" ? given : { ...given, recorder_id: recorderId }
    for (const { metric, startedAt, state } of metrics) {
      for (const sample of Metric.samples(metric, state, { time: takenAt })) {
        const family = names[metric.name]?.[sample.dimension]
        if (family === undefined) throw new Error(`What is ${sample.dimension} of ${metric.name} called?`)
        const labels = Object.fromEntries(
          Object.entries({ ...own, ...sample.labels }).map(([label, text]) => [labelName(label), text])
        )
        all.push(...seriesOf(family, sample, labels))
        if (format === "openmetrics" && ["counter", "histogram", "summary"].includes(sample.kind)) {
          all.push({ name: `${family.name}_created`, labels, value: startedAt / 1000 })
        }
      }
    }
  }
  return all
}

/** What a runtime says about itself. */
export const expectedFigures = (
  service: Runtime.MetricsRuntimeService,
  { accepted, changesSkipped, defects, discarded, dropped, overLimit, pending, recorders, refused, skipped }:
    Runtime.RuntimeStats,
  format: Format,
  leftOut: Readonly<Record<string, number>> = {}
): Array<Series> => {
  const { namespace: runtime, startedAt } = service
  const metrics = service.capturesUnsafe().flatMap((capture) => capture.metrics.map(({ metric }) => metric.name))
  const zeros = Object.fromEntries(metrics.map((metric) => [metric, 0]))
  const noneLeftOut = { name: 0, label: 0, duplicate: 0, value: 0, view: 0 }
  const by = (label: string, counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).map(([text, value]) => ({ labels: { runtime, [label]: text }, value }))
  const one = (value: number) => [{ labels: { runtime }, value }]
  const refusals = {
    invalid_event: refused.invalidEvent,
    invalid_state: refused.invalidState,
    overflow: refused.overflow
  }
  const counters = {
    accepted: one(accepted),
    dropped: one(dropped),
    refused: by("reason", refusals),
    discarded: one(discarded),
    defects: by("metric", { ...zeros, ...defects }),
    skipped: by("metric", { ...zeros, ...skipped }),
    over_limit: by("dimension", overLimit),
    changes_skipped: one(changesSkipped)
  }
  const gauges = {
    pending: one(pending),
    recorders: one(recorders),
    series_left_out: by("reason", { ...noneLeftOut, ...leftOut })
  }
  const series = (figures: Readonly<Record<string, ReadonlyArray<Omit<Series, "name">>>>, suffix: string) =>
    Object.entries(figures).flatMap(([name, all]) =>
      all.map(({ labels, value }): Series => ({ name: `mvx_metrics_${name}${suffix}`, labels, value }))
    )
  const created = series(counters, "_created").map(({ labels, name }) => ({ name, labels, value: startedAt / 1000 }))
  return [...series(gauges, ""), ...series(counters, "_total"), ...(format === "openmetrics" ? created : [])]
}
