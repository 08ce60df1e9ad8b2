/** How Prometheus names series and labels, and in which units it wants numbers. */
import type { InstrumentKind } from "../../../Metric.ts"
import { seriesName, type Target } from "../Series.ts"

/** A unit of Prometheus, and what one unit of the metric is of it: the number times `times` by `per`. */
export interface Unit {
  /** The suffix of the name. */
  readonly suffix: string
  readonly times: number
  readonly per: number
  /** What the name may call the unit already. */
  readonly aliases: ReadonlyArray<string>
}

const unitTable = (
  suffix: string,
  units: Readonly<Record<string, readonly [times: number, per: number, ...aliases: ReadonlyArray<string>]>>
): ReadonlyArray<readonly [string, Unit]> =>
  Object.entries(units).map(([code, [times, per, ...aliases]]) =>
    [code, { suffix, times, per, aliases: [code, ...aliases] }] as const
  )

/** By their codes in UCUM. */
const units: ReadonlyMap<string, Unit> = new Map([
  ...unitTable("seconds", {
    ns: [1, 1e9, "nanos", "nanoseconds"],
    us: [1, 1e6, "micros", "microseconds"],
    ms: [1, 1e3, "millis", "milliseconds"],
    s: [1, 1, "sec", "seconds"],
    min: [60, 1, "minutes"],
    h: [3_600, 1, "hours"],
    d: [86_400, 1, "days"]
  }),
  ...unitTable("bytes", {
    bit: [1, 8, "bits"],
    By: [1, 1, "by", "bytes"],
    kBy: [1e3, 1, "kb", "kilobytes"],
    MBy: [1e6, 1, "mb", "megabytes"],
    GBy: [1e9, 1, "gb", "gigabytes"],
    TBy: [1e12, 1, "tb", "terabytes"],
    KiBy: [1_024, 1, "kib", "kibibytes"],
    MiBy: [1_024 ** 2, 1, "mib", "mebibytes"],
    GiBy: [1_024 ** 3, 1, "gib", "gibibytes"],
    TiBy: [1_024 ** 4, 1, "tib", "tebibytes"]
  }),
  ...unitTable("meters", { mm: [1, 1e3, "millimeters"], cm: [1, 100], m: [1, 1], km: [1e3, 1, "kilometers"] }),
  ...unitTable("grams", { mg: [1, 1e3, "milligrams"], g: [1, 1], kg: [1e3, 1, "kilograms"] }),
  ...unitTable("joules", { J: [1, 1], kJ: [1e3, 1] }),
  ...unitTable("watts", { mW: [1, 1e3], W: [1, 1], kW: [1e3, 1] }),
  ...unitTable("volts", { mV: [1, 1e3], V: [1, 1] }),
  ...unitTable("amperes", { mA: [1, 1e3], A: [1, 1] }),
  ...unitTable("hertz", { Hz: [1, 1], kHz: [1e3, 1], MHz: [1e6, 1] }),
  ...unitTable("celsius", { Cel: [1, 1] }),
  ...unitTable("ratio", { "%": [1, 100, "percent"] })
])

/** The unit in which Prometheus wants the numbers of a unit in UCUM notation; `undefined` for numbers without one. */
export const unitOf = (code: string | undefined): Unit | undefined => {
  if (code === undefined) return undefined
  const [numerator = "", denominator, ...rest] = code.replace(/\{[^}]*\}/g, "").split("/")
  if (rest.length > 0) return undefined
  if (denominator === undefined) return quantityOf(numerator)
  const time = units.get(denominator)
  if (time?.suffix !== "seconds") return undefined
  const of = quantityOf(numerator)
  return {
    suffix: of === undefined ? "per_second" : `${of.suffix}_per_second`,
    times: (of?.times ?? 1) * time.per,
    per: (of?.per ?? 1) * time.times,
    aliases: of?.aliases ?? []
  }
}

const quantityOf = (code: string): Unit | undefined => {
  const known = units.get(code)
  if (known !== undefined) return known
  const [, base] = /^\(?([^()]+)\)?2$/.exec(code) ?? []
  const squared = base === undefined ? undefined : units.get(base)
  if (squared !== undefined) {
    const { aliases, per, suffix, times } = squared
    return { suffix: `${suffix}_squared`, times: times ** 2, per: per ** 2, aliases }
  }
  const suffix = code.replace(/[^a-zA-Z0-9]/g, "").toLowerCase()
  return suffix === "" || suffix === "1" ? undefined : { suffix, times: 1, per: 1, aliases: [code, suffix] }
}

/** Every character that Prometheus does not know is an underscore. */
const legal = (name: string): string => {
  const text = name.replace(/[^a-zA-Z0-9_]/gu, "_")
  return /^([0-9]|$)/.test(text) ? `_${text}` : text
}

/** The name with the unit at its end, once. */
const withUnit = (name: string, { aliases, suffix }: Unit): string => {
  if (new RegExp(`(^|_)${suffix}(_|$)`).test(name)) return name
  const parts = name.split("_")
  const at = parts.findLastIndex((part) => aliases.includes(part))
  if (at > 0) parts.splice(at, 1)
  return `${parts.join("_")}_${suffix}`
}

const target = (units: "base" | "asIs"): Target => ({
  nameOf: (series) => {
    const name = legal(seriesName(series))
    const isCounter = series.kind === "counter"
    const base = isCounter ? name.replace(/_total$/, "") : name
    const unit = units === "base" ? unitOf(series.unit) : undefined
    const inUnit = unit === undefined ? base : withUnit(base, unit)
    return isCounter ? `${inUnit}_total` : inUnit
  },
  labelOf: legal,
  namesOf: (name, kind) => suffixes[kind].map((suffix) => familyName(name, kind) + suffix),
  reserved: (kind) =>
    kind === "histogram" ? ["le", "__name__"] : kind === "summary" ? ["quantile", "__name__"] : ["__name__"]
})

/** How names are made: with base units, or as the metrics have them. */
export const prometheusTargets: Readonly<Record<"base" | "asIs", Target>> = {
  base: target("base"),
  asIs: target("asIs")
}

/** The name of the family in OpenMetrics, where that of a counter has no `_total`. */
export const familyName = (name: string, kind: InstrumentKind): string =>
  kind === "counter" ? name.slice(0, -"_total".length) : name

/** What OpenMetrics makes of the name of a family. */
const suffixes: Readonly<Record<InstrumentKind, ReadonlyArray<string>>> = {
  counter: ["", "_total", "_created"],
  upDownCounter: [""],
  gauge: [""],
  histogram: ["", "_bucket", "_sum", "_count", "_created"],
  summary: ["", "_sum", "_count", "_created"]
}
