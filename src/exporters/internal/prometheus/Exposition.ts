/** The text formats of Prometheus: 0.0.4, and OpenMetrics 1.0. */
import type * as Metric from "../../../Metric.ts"
import { bucketsOf } from "../buckets.ts"
import { joined } from "../bytes.ts"
import type { Family, Point, Source } from "../Series.ts"
import { familyName, unitOf } from "./names.ts"

export type Format = "text" | "openmetrics"

/** How many bytes a piece of text has at least, but the last one. */
const pieceSize = 65_536

/** How many characters are encoded in one go. */
const textSize = 2_048

/** A piece is closed where the next text may not fit: it is large enough by then. */
const bufferSize = pieceSize + 4 * textSize

const encoder = new TextEncoder()

/**
 * Text in UTF-8, in pieces. What is rendered already is bytes and no longer
 * strings, because the garbage collector holds up everybody while it copies those.
 */
class Bytes {
  private pieces: Array<Uint8Array> = []
  private piece = new Uint8Array(textSize)
  private length = 0
  private text = ""

  add(text: string): void {
    this.text += text
    if (this.text.length >= textSize) this.encode()
  }

  /** Takes the pieces that are full. */
  take(): ReadonlyArray<Uint8Array> {
    const { pieces } = this
    this.pieces = []
    return pieces
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
      this.piece = new Uint8Array(Math.max(text.length * 3, Math.min(this.piece.length * 4, bufferSize)))
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
  private readonly nameAndBrace: string
  /** The name without the suffix of a counter. */
  private readonly base: string
  private readonly kind: Metric.InstrumentKind
  private readonly isOpen: boolean
  private readonly times: number
  private readonly per: number

  constructor({ description, dimension, kind, metric, name, unit }: Family, format: Format, units: "base" | "asIs") {
    this.name = name
    this.nameAndBrace = `${name}{`
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
    const isNumber = typeof value === "number" || typeof value === "bigint"
    if (isNumber) {
      const number = this.number(value)
      // Most lines are like this: as few concatenations as there can be.
      this.bytes.add(labels === "" ? `${this.name} ${number}\n` : `${this.nameAndBrace}${labels}} ${number}\n`)
    } else this.bytes.add("quantiles" in value ? this.summary(labels, value) : this.histogram(labels, value))
    if (this.isOpen && (!isNumber || this.kind === "counter")) this.bytes.add(this.created(labels, source))
  }

  /** Takes those that are finished. */
  take(): ReadonlyArray<Uint8Array> {
    return this.bytes.take()
  }

  end(): ReadonlyArray<Uint8Array> {
    return this.bytes.end()
  }

  private created(labels: string, { startedAt }: Source): string {
    return `${this.base}_created${inBraces(labels)} ${startedAt / 1_000}\n`
  }

  private histogram(
    labels: string,
    value: Extract<Metric.Sample, { readonly kind: "histogram" }>["value"]
  ) {
    const { bounds, cumulative } = bucketsOf(value)
    const { name } = this
    const of = inBraces(labels)
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
    { count, quantiles, sum }: Extract<Metric.Sample, { readonly kind: "summary" }>["value"]
  ): string {
    const { name } = this
    const of = inBraces(labels)
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
  /** What is too little for a piece. */
  private small: Array<Uint8Array> = []
  private length = 0

  constructor(format: Format, units: "base" | "asIs" = "base") {
    this.format = format
    this.units = units
  }

  /**
   * Takes what no line comes before any more, in UTF-8, in pieces of some size: the
   * families from the first on that is not taken, as far as their metrics are
   * complete, and of the next one what there is.
   */
  *take(isComplete: (metric: string) => boolean): Generator<Uint8Array> {
    for (const [family, text] of this.families) {
      const isWhole = isComplete(family.metric)
      for (const piece of isWhole ? text.end() : text.take()) {
        this.small.push(piece)
        this.length += piece.length
        if (this.length >= pieceSize) yield this.takeSmall()
      }
      if (!isWhole) return
      this.families.delete(family)
    }
  }

  /** Takes all that is left. */
  *pieces(): Generator<Uint8Array> {
    yield* this.take(() => true)
    if (this.format === "openmetrics") this.small.push(encoder.encode("# EOF\n"))
    yield this.takeSmall()
  }

  private takeSmall(): Uint8Array {
    const { small } = this
    this.small = []
    this.length = 0
    return small.length === 1 ? small[0]! : joined(small)
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

const inBraces = (labels: string): string => labels === "" ? "" : `{${labels}}`

const label = (before: string, name: string, value: string): string =>
  `${before === "" ? "" : ","}${name}="${special.test(value) ? escaped(value) : value}"`

const special = /[\\"\n]/

const escaped = (text: string): string => escapedHelp(text).replaceAll("\"", "\\\"")

/** In the help of the older format, quotes stay as they are. */
const escapedHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
