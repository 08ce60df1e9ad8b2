/** The text formats of Prometheus: 0.0.4, and OpenMetrics 1.0. */
import type * as Metric from "../../../Metric.ts"
import { bucketsOf } from "../buckets.ts"
import { joined } from "../bytes.ts"
import type { Family, Point, Source } from "../Series.ts"
import { familyName, unitOf } from "./names.ts"

export type Format = "text" | "openmetrics"

/** How many bytes a piece of text has at most, if one line has no more. */
const pieceSize = 65_536

/** How many characters are encoded in one go. */
const textSize = 2_048

const encoder = new TextEncoder()

/**
 * Text in UTF-8, in pieces. What is rendered already is bytes and no longer
 * strings, because the garbage collector holds up everybody while it copies those.
 */
class Bytes {
  private readonly pieces: Array<Uint8Array> = []
  private piece = new Uint8Array(textSize)
  private length = 0
  private text = ""

  add(text: string): void {
    this.text += text
    if (this.text.length >= textSize) this.encode()
  }

  end(): ReadonlyArray<Uint8Array> {
    this.encode()
    return [...this.pieces, this.piece.subarray(0, this.length)]
  }

  private encode(): void {
    const { text } = this
    // No character takes more than three bytes.
    if (this.length + text.length * 3 > this.piece.length) {
      this.pieces.push(this.piece.subarray(0, this.length))
      this.piece = new Uint8Array(Math.max(text.length * 3, Math.min(this.piece.length * 4, pieceSize)))
      this.length = 0
    }
    this.length += encoder.encodeInto(text, this.piece.subarray(this.length)).written
    this.text = ""
  }
}

const types: Readonly<Record<Metric.InstrumentKind, string>> = {
  counter: "counter",
  upDownCounter: "gauge",
  gauge: "gauge",
  histogram: "histogram",
  summary: "summary"
}

/** The lines of one family, in pieces: the points of a family come one recorder after the other, its lines must not. */
class FamilyText {
  private readonly bytes = new Bytes()
  private readonly name: string
  /** The name without the suffix of a counter. */
  private readonly base: string
  private readonly kind: Metric.InstrumentKind
  private readonly isOpen: boolean
  private readonly times: number
  private readonly per: number

  constructor({ description, dimension, kind, metric, name, unit }: Family, format: Format, units: "base" | "asIs") {
    this.name = name
    this.base = familyName(name, kind)
    this.kind = kind
    this.isOpen = format === "openmetrics"
    const base = units === "base" ? unitOf(unit) : undefined
    this.times = base?.times ?? 1
    this.per = base?.per ?? 1
    const named = this.isOpen ? this.base : name
    const help = description?.trim() || `${metric}: ${dimension}`
    this.bytes.add(`# HELP ${named} ${this.isOpen ? escaped(help) : escapedHelp(help)}\n`)
    this.bytes.add(`# TYPE ${named} ${types[kind]}\n`)
    if (this.isOpen && base !== undefined && named.endsWith(`_${base.suffix}`)) {
      this.bytes.add(`# UNIT ${named} ${base.suffix}\n`)
    }
  }

  /** `labels` is the text of all labels, without braces. */
  add(labels: string, { source, value }: Point): void {
    const of = labels === "" ? "" : `{${labels}}`
    const isNumber = typeof value === "number" || typeof value === "bigint"
    if (isNumber) this.bytes.add(`${this.name}${of} ${this.number(value)}\n`)
    else this.bytes.add("quantiles" in value ? this.summary(labels, of, value) : this.histogram(labels, of, value))
    if (this.isOpen && (!isNumber || this.kind === "counter")) this.bytes.add(this.created(of, source))
  }

  end(): ReadonlyArray<Uint8Array> {
    return this.bytes.end()
  }

  private created(of: string, { startedAt }: Source): string {
    return `${this.base}_created${of} ${startedAt / 1_000}\n`
  }

  private histogram(
    labels: string,
    of: string,
    value: Extract<Metric.Sample, { readonly kind: "histogram" }>["value"]
  ) {
    const { bounds, cumulative } = bucketsOf(value)
    const { name } = this
    const prefix = labels === "" ? "" : `${labels},`
    let text = ""
    for (const [at, bound] of bounds.entries()) {
      const le = this.number(bound)
      // The last bucket has all values, with or without a bound of its own.
      if (le !== "+Inf") text += `${name}_bucket{${prefix}le="${le}"} ${cumulative[at]!}\n`
    }
    text += `${name}_bucket{${prefix}le="+Inf"} ${value.count}\n`
    return `${text}${name}_sum${of} ${this.number(value.sum)}\n${name}_count${of} ${value.count}\n`
  }

  private summary(
    labels: string,
    of: string,
    { count, quantiles, sum }: Extract<Metric.Sample, { readonly kind: "summary" }>["value"]
  ): string {
    const { name } = this
    const prefix = labels === "" ? "" : `${labels},`
    let text = ""
    // A record has those that look like integers first.
    for (const [quantile, value] of Object.entries(quantiles).toSorted(([a], [b]) => Number(a) - Number(b))) {
      if (value !== undefined) text += `${name}{${prefix}quantile="${quantile}"} ${this.number(value)}\n`
    }
    return `${text}${name}_sum${of} ${this.number(sum)}\n${name}_count${of} ${count}\n`
  }

  /** A number in the unit of Prometheus. Divided where that is exact and a product would not be. */
  private number(value: number | bigint): string {
    const { per, times } = this
    if (times !== 1 || per !== 1) value = Number(value) * times / per
    if (value === Infinity) return "+Inf"
    return value === -Infinity ? "-Inf" : String(value)
  }
}

/** Collects the lines of all points. */
export class Exposition {
  private readonly families = new Map<Family, FamilyText>()
  private readonly format: Format
  private readonly units: "base" | "asIs"
  private sourceLabels: Source["labels"] | undefined
  private sourceText = ""
  private family: Family | undefined
  private text: FamilyText | undefined

  constructor(format: Format, units: "base" | "asIs") {
    this.format = format
    this.units = units
  }

  /** The text in UTF-8, in pieces of some size. */
  *pieces(): Generator<Uint8Array> {
    const small: Array<Uint8Array> = []
    let length = 0
    for (const piece of this.allPieces()) {
      small.push(piece)
      length += piece.length
      if (length < pieceSize) continue
      yield joined(small.splice(0))
      length = 0
    }
    yield joined(small)
  }

  private *allPieces(): Generator<Uint8Array> {
    for (const family of this.families.values()) yield* family.end()
    if (this.format === "openmetrics") yield encoder.encode("# EOF\n")
  }

  readonly add = (point: Point): void => {
    const { family, labels, source } = point
    if (source.labels !== this.sourceLabels) {
      this.sourceLabels = source.labels
      this.sourceText = ""
      for (const name in source.labels) this.sourceText += label(this.sourceText, name, source.labels[name]!)
    }
    if (family !== this.family) {
      this.family = family
      this.text = this.families.get(family)
      if (this.text === undefined) {
        this.families.set(family, this.text = new FamilyText(family, this.format, this.units))
      }
    }
    let text = this.sourceText
    for (const name in labels) text += label(text, family.labelOf(name), labels[name]!)
    this.text!.add(text, point)
  }
}

const label = (before: string, name: string, value: string): string =>
  `${before === "" ? "" : ","}${name}="${special.test(value) ? escaped(value) : value}"`

const special = /[\\"\n]/

const escaped = (text: string): string => escapedHelp(text).replaceAll("\"", "\\\"")

/** In the help of the older format, quotes stay as they are. */
const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
