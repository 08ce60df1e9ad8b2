/**
 * The metrics of OTLP in the wire format of Protocol Buffers; the numbers of the
 * fields are those of `opentelemetry/proto/metrics/v1/metrics.proto`.
 *
 * Effect's own serialisation leaves exponential histograms out, fails from some
 * 125 000 points of a metric on, and holds the event loop for 20 µs per point.
 */
import type { Fixed64, KeyValue } from "effect/observability/OtlpResource"
import type { DataPoint, ExponentialPoint, Head, HistogramPoint, Shape } from "./points.ts"

const wireType = { varint: 0, fixed64: 1, delimited: 2 } as const

const encoder = new TextEncoder()

/** Writes one message. */
export class Writer {
  private bytes = new Uint8Array(256)
  private view = new DataView(this.bytes.buffer)
  length = 0

  /** What was written. */
  get written(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  varint(field: number, value: number): void {
    this.tag(field, "varint")
    this.bareVarint(value)
  }

  sint(field: number, value: number): void {
    this.varint(field, value < 0 ? -2 * value - 1 : 2 * value)
  }

  double(field: number, value: number | undefined): void {
    if (value === undefined) return
    this.tag(field, "fixed64")
    this.bareDouble(value)
  }

  /** A signed number as its two's complement. */
  fixed64(field: number, value: bigint): void {
    this.tag(field, "fixed64")
    this.reserve(8)
    this.view.setBigUint64(this.length, value, true)
    this.length += 8
  }

  string(field: number, value: string): void {
    const start = this.begin(field)
    this.reserve(3 * value.length)
    this.length += encoder.encodeInto(value, this.bytes.subarray(this.length)).written
    this.end(start)
  }

  packed<A>(field: number, values: ReadonlyArray<A>, write: (value: A) => void): void {
    const start = this.begin(field)
    for (const value of values) write(value)
    this.end(start)
  }

  /** Begins a message in this one; what it returns is to be given to `end`. */
  begin(field: number): number {
    this.tag(field, "delimited")
    // Most messages are short enough for a length of one byte.
    this.reserve(1)
    return ++this.length
  }

  end(start: number): void {
    const length = this.length - start
    let size = 1
    for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) size++
    this.reserve(size - 1)
    if (size > 1) this.bytes.copyWithin(start + size - 1, start, start + length)
    this.length = start - 1
    this.bareVarint(length)
    this.length += length
  }

  /** Takes every whole number that is exact. */
  bareVarint(value: number): void {
    this.reserve(8)
    for (; value > 127; value = Math.floor(value / 128)) this.bytes[this.length++] = value % 128 | 128
    this.bytes[this.length++] = value
  }

  /** Takes every whole number that is exact. */
  bareFixed64(value: number): void {
    this.reserve(8)
    this.view.setUint32(this.length, value % 2 ** 32, true)
    this.view.setUint32(this.length + 4, Math.floor(value / 2 ** 32), true)
    this.length += 8
  }

  bareDouble(value: number): void {
    this.reserve(8)
    this.view.setFloat64(this.length, value, true)
    this.length += 8
  }

  tag(field: number, type: keyof typeof wireType): void {
    this.bareVarint(field << 3 | wireType[type])
  }

  private reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return
    const bytes = new Uint8Array(Math.max(this.length + size, 2 * this.bytes.length))
    bytes.set(this.bytes)
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}

const fieldOf: Readonly<Record<Shape, number>> = {
  gauge: 5,
  sum: 7,
  histogram: 9,
  exponentialHistogram: 10,
  summary: 11
}

/** A message in pieces: nothing is copied before all is there. */
export type Pieces = ReadonlyArray<Uint8Array>

/** How many bytes a piece has, about: a larger one takes long to grow. */
const pieceSize = 2 ** 16

/** Writes the points of a metric, one after the other. */
export class MetricWriter {
  private readonly pieces: Array<Uint8Array> = []
  private points = new Writer()
  private readonly head: Head

  constructor(head: Head) {
    this.head = head
  }

  add(point: DataPoint): void {
    const start = this.points.begin(1)
    writePoint(this.points, point)
    this.points.end(start)
    if (this.points.length < pieceSize) return
    this.pieces.push(this.points.written)
    this.points = new Writer()
  }

  /** The metric as a field of a message. */
  field(field: number): Pieces {
    const { aggregationTemporality, description, isMonotonic, name, shape, unit } = this.head
    const before = new Writer()
    before.string(1, name)
    if (description !== undefined) before.string(2, description)
    if (unit !== undefined) before.string(3, unit)
    const after = new Writer()
    if (aggregationTemporality !== undefined) after.varint(2, aggregationTemporality)
    if (isMonotonic !== undefined) after.varint(3, isMonotonic ? 1 : 0)
    const data = [...this.pieces, this.points.written, after.written]
    return messageField(field, [before.written, ...messageField(fieldOf[shape], data)])
  }
}

/** A message as a field of another one. */
export const messageField = (field: number, content: Pieces): Pieces => {
  const header = new Writer()
  header.tag(field, "delimited")
  header.bareVarint(content.reduce((length, piece) => length + piece.length, 0))
  return [header.written, ...content]
}

const writePoint = (writer: Writer, { data, shape }: DataPoint): void => {
  if (data.startTimeUnixNano !== undefined) writer.fixed64(2, nanosOf(data.startTimeUnixNano))
  if (data.timeUnixNano !== undefined) writer.fixed64(3, nanosOf(data.timeUnixNano))
  switch (shape) {
    case "gauge":
    case "sum":
      if (data.asInt !== undefined) writer.fixed64(6, BigInt(data.asInt))
      else writer.double(4, data.asDouble!)
      return writeAttributes(writer, 7, data.attributes)
    case "summary":
      writer.fixed64(4, BigInt(data.count!))
      writer.double(5, data.sum)
      for (const { quantile, value } of data.quantileValues!) {
        const start = writer.begin(6)
        writer.double(1, quantile)
        writer.double(2, value)
        writer.end(start)
      }
      return writeAttributes(writer, 7, data.attributes)
    case "histogram":
      return writeHistogram(writer, data)
    case "exponentialHistogram":
      return writeExponential(writer, data)
  }
}

const writeHistogram = (writer: Writer, data: HistogramPoint): void => {
  writer.fixed64(4, BigInt(data.count!))
  writer.double(5, data.sum)
  writer.packed(6, data.bucketCounts!, (count) => writer.bareFixed64(count))
  writer.packed(7, data.explicitBounds!, (bound) => writer.bareDouble(bound))
  writeAttributes(writer, 9, data.attributes)
  writer.double(11, data.min)
  writer.double(12, data.max)
}

const writeExponential = (writer: Writer, data: ExponentialPoint): void => {
  writeAttributes(writer, 1, data.attributes)
  writer.fixed64(4, BigInt(data.count!))
  writer.double(5, data.sum)
  writer.sint(6, data.scale!)
  writer.fixed64(7, BigInt(data.zeroCount!))
  for (const [field, buckets] of [[8, data.positive!], [9, data.negative!]] as const) {
    const start = writer.begin(field)
    writer.sint(1, buckets.offset!)
    writer.packed(2, buckets.bucketCounts!, (count) => writer.bareVarint(count))
    writer.end(start)
  }
  writer.double(12, data.min)
  writer.double(13, data.max)
}

const writeAttributes = (writer: Writer, field: number, attributes: ReadonlyArray<KeyValue> = []): void => {
  for (const { key, value } of attributes) {
    const start = writer.begin(field)
    writer.string(1, key)
    const any = writer.begin(2)
    writer.string(1, value.stringValue!)
    writer.end(any)
    writer.end(start)
  }
}

const nanosOf = (time: Fixed64): bigint => BigInt(time as string)

/** What comes behind the first tag and its length: the content of a message in which there is but one. */
export const contentOf = (bytes: Uint8Array): Uint8Array => {
  let at = 1
  while ((bytes[at]! & 128) !== 0) at++
  return bytes.subarray(at + 1)
}
