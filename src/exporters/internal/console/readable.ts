/** Values as people read them. */
import type { ExponentialValue } from "../../../internal/dimension/ExponentialHistogram.ts"
import type { HistogramValue } from "../../../internal/dimension/Histogram.ts"
import type { QuantilesValue } from "../../../internal/dimension/Quantiles.ts"
import { rangesOf } from "../buckets.ts"

/** A distribution of any kind. */
export type Distribution = HistogramValue | ExponentialValue | QuantilesValue<ReadonlyArray<number>>

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 })
const short = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 })

/** From here on digits are counted, not shown. */
const large = 10 ** 15

const readableBigInt = (value: bigint): string => {
  const digits = String(value).replace("-", "")
  return digits.length <= 15
    ? grouped.format(value)
    : `${value < 0n ? "-" : ""}${digits[0]}.${digits.slice(1, 4)}e+${digits.length - 1}`
}

const readableNumber = (value: number | bigint): string => {
  if (typeof value === "bigint") return readableBigInt(value)
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (size >= large || (size > 0 && size < 0.001)) return value.toExponential(3)
  // Plus 0, which makes 0 of -0.
  return (size >= 1000 || Number.isInteger(value) ? grouped : short).format(value + 0)
}

/** Ascending, each with what one of it is in the first. */
type Units = ReadonlyArray<readonly [name: string, size: number]>

const durations: Units = [
  ["ns", 1],
  ["µs", 1e3],
  ["ms", 1e6],
  ["s", 1e9],
  ["min", 60e9],
  ["h", 3600e9],
  ["d", 86_400e9]
]

const sizes: Units = [
  ["B", 1],
  ["KiB", 2 ** 10],
  ["MiB", 2 ** 20],
  ["GiB", 2 ** 30],
  ["TiB", 2 ** 40],
  ["PiB", 2 ** 50]
]

/** By their UCUM notation. */
const scales = new Map<string, readonly [units: Units, name: string]>([
  ...durations.map(([name]) => [name === "µs" ? "us" : name, [durations, name]] as const),
  ["By", [sizes, "B"]]
])

/** The number with its unit: durations and sizes in the one that suits them. */
export const readable = (value: number | bigint, unit: string | undefined): string => {
  if (unit === undefined || unit === "1") return readableNumber(value)
  const scale = scales.get(unit)
  // UCUM has words that are no units in braces: `{request}`.
  if (scale === undefined) return `${readableNumber(value)} ${unit.replace(/^\{(.+)\}$/, "$1")}`
  const [units, own] = scale
  const amount = Number(value) * units.find(([name]) => name === own)![1]
  const [name, size] = amount === 0 || !Number.isFinite(amount)
    ? [own, 1] as const
    : units.findLast(([, size]) => Math.abs(amount) >= size) ?? units[0]!
  return `${readableNumber(amount / size)} ${name}`
}

/** What a distribution amounts to: its extremes, its mean, quantiles. Nothing where it is empty. */
export const readableDistribution = (value: Distribution, unit: string | undefined): string => {
  const { count, sum } = value
  if (!(count > 0)) return ""
  const mean = ["mean", sum / count] as const
  const figures: ReadonlyArray<readonly [string, number | undefined]> = "quantiles" in value
    ? [mean, ...Object.entries(value.quantiles).map(([q, at]) => [`p${readableNumber(Number(q) * 100)}`, at] as const)]
    : [
      ["min", value.min],
      mean,
      ...[50, 95, 99].map((percent) => [`p${percent}`, quantileOf(value, percent / 100)] as const),
      ["max", value.max]
    ]
  return figures.flatMap(([name, at]) => at === undefined ? [] : `${name} ${readable(at, unit)}`).join("  ")
}

/** The value below which this part of all values is, as well as the buckets tell. */
const quantileOf = (value: HistogramValue | ExponentialValue, q: number): number | undefined => {
  const { max = Infinity, min = -Infinity } = value
  const buckets = rangesOf(value).filter(({ count }) => count > 0)
  let rank = q * buckets.reduce((total, { count }) => total + count, 0)
  for (const bucket of buckets) {
    const { count } = bucket
    if (rank <= count) {
      const low = Math.max(min, bucket.low)
      const high = Math.min(max, bucket.high)
      if (low === -Infinity) return high === Infinity ? undefined : high
      return high === Infinity ? low : low + (high - low) * (rank / count)
    }
    rank -= count
  }
  return undefined
}
