import { type Point, seriesKey } from "../Series.ts"

/** How many tables a trend goes back. */
const longest = 30

/** How one series went from table to table. */
export interface Trend {
  readonly epoch: number
  /** What it was at the last table. */
  readonly amount: number | bigint
  readonly values: ReadonlyArray<number>
  /** What the lowest bar stands for: counts begin at 0. */
  readonly isCount: boolean
}

/** Those of the series in the last table: of others nothing is kept. */
export class Trends {
  private known: ReadonlyMap<string, Trend> = new Map()

  /** The trends of the series of the next table. */
  next(points: ReadonlyArray<Point>): ReadonlyArray<Trend> {
    const before = this.known
    const known = new Map<string, Trend>()
    this.known = known
    return points.map((point) => {
      const key = seriesKey(point)
      const trend = trendOf(point, before.get(key))
      known.set(key, trend)
      return trend
    })
  }
}

const trendOf = ({ family: { kind }, source: { epoch }, value }: Point, before: Trend | undefined): Trend => {
  const isCount = kind !== "gauge" && kind !== "upDownCounter"
  const amount = typeof value === "object" ? value.count : value
  const next = isCount ? growthOf(amount, before?.epoch === epoch ? before.amount : 0) : Number(amount)
  return { epoch, amount, isCount, values: [...(before?.values ?? []), next].slice(-longest) }
}

/** One that fell has begun anew. */
const growthOf = (later: number | bigint, earlier: number | bigint): number => {
  if (later < earlier) return Number(later)
  return typeof later === "bigint" && typeof earlier === "bigint"
    ? Number(later - earlier)
    : Number(later) - Number(earlier)
}

const bars = "▁▂▃▄▅▆▇█"

/** The last values as bars, the greatest as the highest. A space for what is no number. */
export const sparkline = ({ isCount, values }: Trend, columns: number): string => {
  const shown = values.slice(-columns)
  const numbers = shown.filter(Number.isFinite)
  const lowest = isCount ? 0 : Math.min(...numbers)
  const range = Math.max(...numbers) - lowest
  return shown.map((value) => {
    if (!Number.isFinite(value)) return " "
    return bars[range > 0 ? Math.round((value - lowest) / range * (bars.length - 1)) : 0]
  }).join("")
}
