import { labelsOf, type Point, seriesName } from "../Series.ts"
import { readable, readableDistribution } from "./readable.ts"
import { escaped, fitted, padEnd, padStart, quoted, widthOf } from "./terminalText.ts"
import { sparkline, type Trends } from "./Trends.ts"

/** How the table is laid out. */
export interface Layout {
  readonly maxRows: number
  /** In columns of a terminal. */
  readonly width: number
}

/** Narrower, a name says nothing any more. */
const narrowestName = 20

/** Sparklines give way to names, but not all of theirs. */
const narrowestTrend = 10

/** The series that a table has room for, out of all that there are. */
export class Rows {
  private hidden = 0
  private readonly maxRows: number
  /** In the order in which the metrics came first. */
  private readonly byMetric = new Map<string, Array<Point>>()
  private readonly own: Array<Point> = []

  constructor(maxRows: number) {
    this.maxRows = maxRows
  }

  add(point: Point): void {
    const { isOwn, metric } = point.family
    // What the runtime says about itself is of interest where something happened.
    if (isOwn && point.value === 0) return
    let points = isOwn ? this.own : this.byMetric.get(metric)
    if (points === undefined) this.byMetric.set(metric, points = [])
    if (points.length < this.maxRows) points.push(point)
    else this.hidden++
  }

  /** The rows, those of the runtime's own figures last, and how many more series there are. */
  get shown(): { readonly points: ReadonlyArray<Point>; readonly hidden: number } {
    const all = Array.from(this.byMetric.values()).flat()
    const points = all.slice(0, this.maxRows)
    return { points: [...points, ...this.own], hidden: this.hidden + all.length - points.length }
  }
}

/** The text of a table, without a line break at its end. */
export const tableOf = (options: {
  readonly title: string
  readonly rows: Rows
  readonly layout: Layout
  /** Where there are to be sparklines. */
  readonly trends: Trends | undefined
}): string => {
  const { layout: { width }, rows, title } = options
  const { hidden, points } = rows.shown
  const trends = options.trends?.next(points)
  const common = commonLabels(points)
  const table = points.map((point, at): Row => {
    const { family: { kind, unit }, value } = point
    return {
      name: nameOf(point, common),
      kind,
      value: escaped(typeof value === "object" ? readable(value.count, undefined) : readable(value, unit)),
      trend: (columns) => trends === undefined ? "" : sparkline(trends[at]!, columns),
      below: typeof value === "object" ? escaped(readableDistribution(value, unit)) : ""
    }
  })
  const trend = trends === undefined ? "" : "trend"
  const all: ReadonlyArray<Row> = [
    { name: "series", kind: "kind", value: "value", trend: () => trend, below: "" },
    ...table
  ]
  const kindWidth = widest(all.map(({ kind }) => kind))
  const valueWidth = widest(all.map(({ value }) => value))
  const longestName = widest(all.map(({ name }) => name))
  const longestTrend = widest(all.map(({ trend }) => trend(Infinity)))
  const room = width - kindWidth - valueWidth - (longestTrend > 0 ? 6 : 4)
  const trendWidth = Math.min(longestTrend, Math.max(narrowestTrend, room - longestName))
  const nameWidth = Math.min(longestName, Math.max(narrowestName, room - trendWidth))

  const shared = common.size === 0 ? "" : `, all with ${textOf(Array.from(common))}`
  const lines = [fitted(escaped(title) + shared, width)]
  for (const { below, kind, name, trend, value } of all) {
    const cells = [
      padEnd(fitted(name, nameWidth), nameWidth),
      kind.padEnd(kindWidth),
      padStart(value, valueWidth),
      trend(trendWidth)
    ]
    lines.push(cells.join("  ").trimEnd())
    if (below !== "") lines.push(`  ${fitted(below, width - 2)}`)
  }
  if (points.length === 0) lines.push("Nothing is measured yet.")
  if (hidden > 0) lines.push(`… and ${readable(hidden, undefined)} more series`)
  return lines.join("\n")
}

/** How many columns the widest takes. There may be more texts than a call takes arguments. */
const widest = (texts: ReadonlyArray<string>): number =>
  texts.reduce((columns, text) => Math.max(columns, widthOf(text)), 0)

interface Row {
  readonly name: string
  readonly kind: string
  readonly value: string
  readonly trend: (columns: number) => string
  /** A line of its own. */
  readonly below: string
}

type Labels = ReadonlyArray<readonly [label: string, value: string]>

/** The labels of recorders that would be in every row. */
const commonLabels = (points: ReadonlyArray<Point>): ReadonlyMap<string, string> => {
  const [first, ...others] = new Set(points.filter(({ family }) => !family.isOwn).map(({ source }) => source.labels))
  return new Map(
    Object.entries(first ?? {}).filter(([label, value]) => others.every((labels) => labels[label] === value))
  )
}

/** The name of the runtime is in the title. */
const nameOf = (point: Point, common: ReadonlyMap<string, string>): string => {
  const labels = Object.entries(point.family.isOwn ? point.labels : labelsOf(point)).filter(([label]) =>
    !common.has(label)
  )
  const name = escaped(seriesName(point.family))
  return labels.length === 0 ? name : `${name}{${textOf(labels)}}`
}

const textOf = (labels: Labels): string =>
  labels.map(([label, value]) => `${escaped(label)}=${quoted(value)}`).join(",")
