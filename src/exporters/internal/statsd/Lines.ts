import type { ExponentialValue } from "../../../internal/dimension/ExponentialHistogram.ts"
import type { HistogramValue } from "../../../internal/dimension/Histogram.ts"
import type { QuantilesValue } from "../../../internal/dimension/Quantiles.ts"
import type { BaselineRead } from "../Baseline.ts"
import { Family, labelsOf, type Point, seriesName, type Target } from "../Series.ts"
import { type Observation, observationsOf } from "./observations.ts"

/** How a server wants its lines. */
export interface Format {
  readonly prefix: string
  readonly tags: "dogstatsd" | "names"
  readonly histograms: "distributions" | "timings"
}

type Labels = Readonly<Record<string, string>>

type Distribution = HistogramValue | ExponentialValue

type Summary = QuantilesValue<ReadonlyArray<number>>

type Write = (line: string) => void

/** A line of a series: the name is that of the series or, for a part of it, longer. */
type LineOf = (name: string, sample: string) => string

/** Everything else separates the parts of a line, or is taken out by some server. */
const nameIn = (text: string): string => text.replaceAll(/[^\w.-]/g, "_")

/** One part of a dotted name. */
const partIn = (text: string): string => text.replaceAll(/[^\w-]/g, "_") || "_"

const tagIn = (text: string): string => text.replaceAll(/[:|@#,\s\p{Cc}]/gu, "_")

/** The units of time, in milliseconds. */
const milliseconds = new Map([["ns", 1e-6], ["us", 1e-3], ["ms", 1], ["s", 1e3], ["min", 6e4], ["h", 36e5], [
  "d",
  864e5
]])

/** About so many lines tell the timings of a series. */
const timings = 50

/** Writes what came since the last read, in lines of the protocol. */
export class Lines {
  readonly target: Target
  private readonly format: Format
  private readonly prefix: string
  /** What summaries are where they count. */
  private readonly distributions = new WeakMap<Family, Family>()

  constructor(format: Format) {
    this.format = format
    this.prefix = format.prefix === "" ? "" : nameIn(format.prefix).replace(/\.*$/, ".")
    this.target = {
      nameOf: (series) => this.nameOf(seriesName(series)),
      labelOf: format.tags === "names" ? partIn : tagIn,
      namesOf: (name, kind) =>
        kind === "histogram" || kind === "summary" ? [name, `${name}_count`, `${name}_sum`] : [name],
      reserved: (kind) => kind === "summary" ? ["quantile"] : []
    }
  }

  /** A name, as the protocol has it. */
  nameOf(text: string): string {
    return this.prefix + nameIn(text)
  }

  /** Writes the lines of one point; those that must not be parted as one. What is not finite has none. */
  write(point: Point, read: BaselineRead, write: Write): void {
    const { family: { kind, name }, value } = point
    const labels = labelsOf(point)
    const lineOf = this.linesOf(labels)
    if (kind === "counter") writeCounter(name, read.since(point).value as number | bigint, lineOf, write)
    else if (kind === "histogram") this.writeHistogram(point, read.since(point).value as Distribution, lineOf, write)
    else if (kind === "summary") {
      for (const [quantile, estimate] of Object.entries((value as Summary).quantiles)) {
        if (estimate !== undefined) this.writeGauge(name, { ...labels, quantile }, estimate, write)
      }
      writeTotals(name, read.since(this.asDistribution(point)).value as Distribution, 1, lineOf, write)
    } else this.writeGauge(name, labels, value as number | bigint, write)
  }

  /** Writes a gauge. One with a sign would change the gauge by so much: below zero it is set to zero first. */
  writeGauge(name: string, labels: Labels, value: number | bigint, write: Write): void {
    if (!isFinite(value)) return
    const lineOf = this.linesOf(labels)
    const line = lineOf(name, `${value}|g`)
    write(value < 0 ? `${lineOf(name, "0|g")}\n${line}` : line)
  }

  private writeHistogram({ family, value }: Point, since: Distribution, lineOf: LineOf, write: Write): void {
    const isTiming = this.format.histograms === "timings"
    const factor = isTiming ? milliseconds.get(family.unit ?? "") ?? 1 : 1
    if (!writeTotals(family.name, since, factor, lineOf, write)) return
    // The extremes of all values bound those that came since.
    const observations = observationsOf(since, value as Distribution).filter(({ value }) => isFinite(value))
    for (const { times, value } of isTiming ? timingsOf(observations) : observations) {
      for (const part of partsOf(times)) {
        const rate = part === 1 ? "" : `|@${rateOf(part)}`
        write(lineOf(family.name, `${value * factor}|${isTiming ? "ms" : "d"}${rate}`))
      }
    }
  }

  /** How the lines of a series are written. Its labels are in order, because servers tell series apart by the text. */
  private linesOf(labels: Labels): LineOf {
    const sorted = Object.entries(labels).toSorted(([a], [b]) => a < b ? -1 : 1)
    if (this.format.tags === "names") {
      const path = sorted.map(([label, value]) => `.${label}.${partIn(value)}`).join("")
      return (name, sample) => `${name}${path}:${sample}`
    }
    const tags = sorted.map(([label, value]) => `${label}:${tagIn(value)}`).join(",")
    return (name, sample) => `${name}:${sample}${tags && `|#${tags}`}`
  }

  /** What a summary has counted, in one bucket: only distributions are compared with earlier ones. */
  private asDistribution({ family, labels, source, value }: Point): Point {
    const { count, sum } = value as Summary
    let known = this.distributions.get(family)
    if (known === undefined) {
      known = new Family({ ...family, kind: "histogram" }, family.name, undefined, this.target)
      this.distributions.set(family, known)
    }
    const distribution = { count, sum, min: undefined, max: undefined, boundaries: [], counts: [count] }
    return { family: known, source, labels, value: distribution }
  }
}

const isFinite = (value: number | bigint): boolean => typeof value === "bigint" || Number.isFinite(value)

/** Where nothing was counted, there is nothing to write. */
const writeCounter = (name: string, by: number | bigint, lineOf: LineOf, write: Write): void => {
  if (isFinite(by) && Number(by) !== 0) write(lineOf(name, `${by}|c`))
}

/** False where the totals are no finite numbers: what is new is not known then. */
const writeTotals = (
  name: string,
  { count, sum }: Distribution,
  factor: number,
  lineOf: LineOf,
  write: Write
): boolean => {
  if (!Number.isFinite(count) || !Number.isFinite(sum)) return false
  writeCounter(`${name}_count`, count, lineOf, write)
  writeCounter(`${name}_sum`, sum * factor, lineOf, write)
  return true
}

/**
 * A sample of observations: servers count a timing as often as its rate says,
 * but make means and percentiles of the lines alone. No time is below zero.
 */
const timingsOf = (observations: ReadonlyArray<Observation>): Array<Observation> => {
  const all = observations.reduce((total, { times }) => total + times, 0)
  const [most = 1] = partsOf(Math.ceil(all / timings))
  return observations.filter(({ value }) => value >= 0).flatMap(({ times, value }) =>
    Array.from({ length: Math.ceil(times / most) }, (_, at) => ({ value, times: Math.min(most, times - at * most) }))
  )
}

/**
 * A count, in parts that a server finds again in their rates: it takes `1 / rate`
 * for the count, which for one in six is not the whole number that it was.
 */
export const partsOf = (count: number): Array<number> => {
  const parts: Array<number> = []
  for (let left = count; left > 0;) {
    let part = left
    while (1 / (1 / part) !== part) part--
    parts.push(part)
    left -= part
  }
  return parts
}

/** The rate of one in so many. Some servers know no exponents in rates. */
export const rateOf = (count: number): string => {
  const [digits = "", exponent] = String(1 / count).split("e-")
  return exponent === undefined ? digits : `0.${"0".repeat(Number(exponent) - 1)}${digits.replace(".", "")}`
}
