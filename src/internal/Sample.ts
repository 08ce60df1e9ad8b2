/**
 * The flattening of what a metric shows. Public through `Metric`.
 */
import * as Predicate from "effect/Predicate"
import type { ExponentialValue } from "./dimension/ExponentialHistogram.ts"
import type { FieldsState } from "./dimension/Fields.ts"
import type { HistogramValue } from "./dimension/Histogram.ts"
import { hasLabels, type Leaf, type Node, type Struct } from "./dimension/Node.ts"
import type { QuantilesValue } from "./dimension/Quantiles.ts"
import { overflowKey, overflowLabels, type SeriesState } from "./dimension/Series.ts"
import {
  type Instrument,
  type InstrumentKind,
  type Instruments,
  isDistribution,
  isSummary,
  type Quantity
} from "./Instrument.ts"

interface SampleOf<Kind extends InstrumentKind, Value> {
  /** The name of the dimension; names of nested ones are joined with a dot. */
  readonly dimension: string
  readonly kind: Kind
  /** In UCUM notation. */
  readonly unit: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly value: Value
}

/**
 * One number, or one distribution, of a metric: what exporters publish.
 *
 * @category models
 * @since 0.1.0
 */
export type Sample =
  | SampleOf<"counter" | "upDownCounter" | "gauge", number | bigint>
  | SampleOf<"histogram", HistogramValue | ExponentialValue>
  | SampleOf<"summary", QuantilesValue<ReadonlyArray<number>>>

/**
 * How one quantity of a metric is published, and by which labels.
 *
 * @category models
 * @since 0.1.0
 */
export interface FlatInstrument extends Quantity {
  readonly labels: ReadonlyArray<string>
}

type Labels = Readonly<Record<string, string>>

const isRecord = (u: unknown): u is Record<string, unknown> => Predicate.isObject(u) && !Array.isArray(u)

const noLabels: Labels = Object.freeze({})

/** The name says what a number is that has no instrument. */
const quantityOf = (dimension: string): Quantity => /(^|[._])total$/.test(dimension) ? counter : gauge

const counter: Quantity = { kind: "counter" }
const gauge: Quantity = { kind: "gauge" }

/** What a metric shows, as numbers and distributions. What is neither is left out. */
export const samplesOf = (instruments: Instruments, shown: object): Array<Sample> => {
  const samples: Array<Sample> = []
  flattenFields(samples, "", instruments, shown as Record<string, unknown>, noLabels)
  return samples
}

/** About how many samples there are in a batch. */
const batchSize = 128

/**
 * What a state of dimensions shows, in batches: of series without number no more
 * than a batch is made at once.
 */
export function* sampleBatches(root: Struct, state: FieldsState, time: number): Generator<ReadonlyArray<Sample>> {
  const batch: Batch = { samples: [] }
  for (let at = 0; at < root.fields.length; at++) {
    yield* batchesOf(batch, root.names[at]!, root.fields[at]!, state[`f${at}`], time, noLabels)
  }
  if (batch.samples.length > 0) yield batch.samples
}

/** The samples that are to be handed out next. */
interface Batch {
  samples: Array<Sample>
}

function* taken(batch: Batch): Generator<ReadonlyArray<Sample>> {
  if (batch.samples.length < batchSize) return
  const { samples } = batch
  batch.samples = []
  yield samples
}

function* batchesOf(
  batch: Batch,
  dimension: string,
  node: Node,
  state: any,
  time: number,
  labels: Labels
): Generator<ReadonlyArray<Sample>> {
  if (!hasLabels(node)) flattenNode(batch.samples, dimension, node, state, time, labels)
  else if (node._tag === "Struct") {
    for (let at = 0; at < node.fields.length; at++) {
      const field = node.fields[at]!
      yield* batchesOf(batch, `${dimension}.${node.names[at]!}`, field, (state as FieldsState)[`f${at}`], time, labels)
    }
  } else if (node._tag === "Labelled") {
    const { index, other, size, values } = state as SeriesState
    const { inner, names } = node
    const walk = index.walk(size)
    if (hasLabels(inner)) {
      let own = noLabels
      let shown: unknown
      const next = (found: ReadonlyArray<string>, place: number) => {
        own = join(labels, labelled(names, found))
        shown = values.get(place)
      }
      while (walk.some(1, next)) yield* batchesOf(batch, dimension, inner, shown, time, own)
    } else {
      const next = (found: ReadonlyArray<string>, place: number) =>
        flattenNode(batch.samples, dimension, inner, values.get(place), time, join(labels, labelled(names, found)))
      while (walk.some(batchSize, next)) yield* taken(batch)
    }
    if (other !== undefined) yield* batchesOf(batch, dimension, inner, other, time, join(labels, overflowLabels))
    yield* taken(batch)
  }
}

/** The samples of a dimension without labels. */
const flattenNode = (
  samples: Array<Sample>,
  dimension: string,
  node: Node,
  state: any,
  time: number,
  labels: Labels
): void => {
  if (node._tag === "Struct") {
    for (let at = 0; at < node.fields.length; at++) {
      const field = node.fields[at]!
      flattenNode(samples, `${dimension}.${node.names[at]!}`, field, (state as FieldsState)[`f${at}`], time, labels)
    }
  } else {
    flatten(samples, dimension, node.instrument, (node as Leaf).view(state, time), labels)
  }
}

const labelled = (names: ReadonlyArray<string>, values: ReadonlyArray<string>): Labels => {
  const labels: Record<string, string> = {}
  for (let at = 0; at < names.length; at++) labels[names[at]!] = values[at]!
  return labels
}

const flattenFields = (
  samples: Array<Sample>,
  prefix: string,
  instruments: Instruments,
  record: Readonly<Record<string, unknown>>,
  labels: Labels
): void => {
  for (const key of Object.keys(record)) {
    flatten(samples, prefix + key, Object.hasOwn(instruments, key) ? instruments[key] : undefined, record[key], labels)
  }
}

const flatten = (
  samples: Array<Sample>,
  dimension: string,
  instrument: Instrument | undefined,
  value: unknown,
  labels: Labels
): void => {
  if (instrument === undefined || "kind" in instrument) {
    return flattenQuantity(samples, dimension, instrument, value, labels)
  }
  if ("dimensions" in instrument) {
    if (isRecord(value)) flattenFields(samples, `${dimension}.`, instrument.dimensions, value, labels)
  } else if ("label" in instrument) {
    if (!isRecord(value)) return
    for (const key of Object.keys(value)) {
      const own = key === overflowKey ? overflowLabels : { [instrument.label]: key }
      flatten(samples, dimension, instrument.of, value[key], join(labels, own))
    }
  } else if (Array.isArray(value)) {
    for (const entry of value) {
      if (!isRecord(entry)) continue
      if ("items" in instrument) {
        const own = { [instrument.items]: String(entry.item) }
        flatten(samples, dimension, instrument.of, entry.count, join(labels, own))
      } else if (isRecord(entry.labels)) {
        flatten(samples, dimension, instrument.of, entry.value, join(labels, entry.labels as Labels))
      }
    }
  }
}

const join = (labels: Labels, own: Labels): Labels => labels === noLabels ? own : { ...labels, ...own }

const flattenQuantity = (
  samples: Array<Sample>,
  dimension: string,
  quantity: Quantity | undefined,
  value: unknown,
  labels: Labels
): void => {
  if (typeof value === "number" || typeof value === "bigint") {
    const { kind, unit } = quantity ?? quantityOf(dimension)
    // A view may have made one number of a distribution.
    const shown = kind === "histogram" || kind === "summary" ? "gauge" : kind
    samples.push({ dimension, kind: shown, unit, labels, value })
  } else if (quantity?.kind === "histogram") {
    if (isDistribution(value)) samples.push({ dimension, kind: "histogram", unit: quantity.unit, labels, value })
  } else if (quantity?.kind === "summary") {
    if (isSummary(value)) samples.push({ dimension, kind: "summary", unit: quantity.unit, labels, value })
  } else if (isRecord(value)) {
    for (const key of Object.keys(value)) flatten(samples, `${dimension}.${key}`, quantity, value[key], labels)
  }
}

/** The instruments of all quantities, by dimension. `shown` is what the initial state shows, as far as that is known. */
export const flatInstruments = (instruments: Instruments, shown: object = {}): Record<string, FlatInstrument> => {
  const flat: Record<string, FlatInstrument> = {}
  const visit = (dimension: string, instrument: Instrument, labels: ReadonlyArray<string>): void => {
    if ("kind" in instrument) flat[dimension] = { ...instrument, labels }
    else if ("dimensions" in instrument) {
      for (const [name, inner] of Object.entries(instrument.dimensions)) visit(`${dimension}.${name}`, inner, labels)
    } else {
      const own = "label" in instrument
        ? [instrument.label]
        : "items" in instrument
        ? [instrument.items]
        : instrument.labels
      visit(dimension, instrument.of, labels.concat(own))
    }
  }
  for (const [dimension, instrument] of Object.entries(instruments)) visit(dimension, instrument, [])
  for (const { dimension, kind, unit } of samplesOf(instruments, shown)) {
    if (!Object.hasOwn(flat, dimension)) {
      flat[dimension] = unit === undefined ? { kind, labels: [] } : { kind, unit, labels: [] }
    }
  }
  return flat
}
