/**
 * The flattening of what a metric shows. Public through `Metric`.
 */
import type { ExponentialValue } from "./dimension/ExponentialHistogram.ts"
import type { FieldsState } from "./dimension/Fields.ts"
import type { HistogramValue } from "./dimension/Histogram.ts"
import type { Labels } from "./dimension/LabelIndex.ts"
import { hasLabels, type Labelled, type Leaf, type Node, type Struct } from "./dimension/Node.ts"
import type { QuantilesValue } from "./dimension/Quantiles.ts"
import { overflowKey, overflowLabels, type SeriesState } from "./dimension/Series.ts"
import {
  type Instrument,
  type InstrumentKind,
  type Instruments,
  isDistribution,
  isRecord,
  isSummary,
  type Quantity
} from "./Instrument.ts"

interface SampleOf<Kind extends InstrumentKind, Value> {
  /** The name of the dimension; names of nested ones are joined with a dot. */
  readonly dimension: string
  readonly kind: Kind
  /** In UCUM notation. */
  readonly unit: string | undefined
  /** Those of a series may be the same frozen record at each read. */
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

/**
 * What a state of dimensions shows, in batches: of series without number not many
 * more than `size` are made at once.
 */
export function* sampleBatches(
  root: Struct,
  state: FieldsState,
  time: number,
  size: number
): Generator<ReadonlyArray<Sample>> {
  const batch = new Batch(size, time)
  for (let at = 0; at < root.fields.length; at++) {
    yield* batchesOf(batch, planOf(root.names[at]!, root.fields[at]!), state[`f${at}`], noLabels)
  }
  if (batch.samples.length > 0) yield batch.take()
}

/** The samples that are to be handed out next. */
class Batch {
  samples: Array<Sample> = []
  readonly size: number
  readonly time: number

  constructor(size: number, time: number) {
    this.size = size
    this.time = time
  }

  take(): ReadonlyArray<Sample> {
    const { samples } = this
    this.samples = []
    return samples
  }
}

/** How a dimension is read. It is made once for a read, not for each series. */
type Plan =
  | { readonly _tag: "Flat"; readonly leaves: ReadonlyArray<LeafPlan> }
  | { readonly _tag: "Struct"; readonly fields: ReadonlyArray<Plan> }
  | { readonly _tag: "Labelled"; readonly inner: Plan }

/** How one leaf of a dimension without labels is read. */
interface LeafPlan extends Pick<Leaf, "instrument" | "view"> {
  readonly dimension: string
  /** Where its state is in that of the dimension. */
  readonly path: ReadonlyArray<`f${number}`>
  /** How a number is published, where it shows one. */
  readonly kind: "counter" | "upDownCounter" | "gauge" | undefined
  readonly unit: string | undefined
}

const planOf = (dimension: string, node: Node): Plan => {
  if (!hasLabels(node)) return { _tag: "Flat", leaves: leavesOf(dimension, node as Leaf | Struct, []) }
  return node._tag === "Struct"
    ? { _tag: "Struct", fields: node.fields.map((field, at) => planOf(`${dimension}.${node.names[at]!}`, field)) }
    : { _tag: "Labelled", inner: planOf(dimension, (node as Labelled).inner) }
}

const leavesOf = (dimension: string, node: Leaf | Struct, path: LeafPlan["path"]): ReadonlyArray<LeafPlan> => {
  if (node._tag === "Struct") {
    return node.fields.flatMap((field, at) =>
      leavesOf(`${dimension}.${node.names[at]!}`, field as Leaf | Struct, [...path, `f${at}`])
    )
  }
  const { instrument, view } = node
  const { kind, unit } = "kind" in instrument ? instrument : { kind: undefined, unit: undefined }
  return [{
    dimension,
    path,
    instrument,
    view,
    kind: kind === "histogram" || kind === "summary" ? undefined : kind,
    unit
  }]
}

const readLeaf = (samples: Array<Sample>, leaf: LeafPlan, state: any, time: number, labels: Labels): void => {
  const { dimension, kind, path, unit } = leaf
  for (let at = 0; at < path.length; at++) state = (state as FieldsState)[path[at]!]
  const value = leaf.view(state, time)
  if (kind !== undefined && typeof value === "number") samples.push({ dimension, kind, unit, labels, value })
  else flatten(samples, dimension, leaf.instrument, value, labels)
}

function* batchesOf(batch: Batch, plan: Plan, state: any, labels: Labels): Generator<ReadonlyArray<Sample>> {
  if (plan._tag === "Flat") {
    for (const leaf of plan.leaves) readLeaf(batch.samples, leaf, state, batch.time, labels)
  } else if (plan._tag === "Struct") {
    for (let at = 0; at < plan.fields.length; at++) {
      yield* batchesOf(batch, plan.fields[at]!, (state as FieldsState)[`f${at}`], labels)
    }
  } else {
    const { inner } = plan
    const { index, other, size, values } = state as SeriesState
    if (inner._tag === "Flat") {
      let place = -1
      while ((place = readSeries(batch, inner.leaves, state, place, labels)) >= 0) {
        if (batch.samples.length > 0) yield batch.take()
      }
    } else {
      for (let place = index.after(-1, size); place >= 0; place = index.after(place, size)) {
        yield* batchesOf(batch, inner, values.get(place), join(labels, index.labelsAt(place)))
      }
    }
    if (other !== undefined) yield* batchesOf(batch, inner, other, join(labels, overflowLabels))
    if (batch.samples.length >= batch.size) yield batch.take()
  }
}

/** Adds the samples of so many series after a place as there is room for. Returns the last place, or -1 if it was the last of all. */
const readSeries = (
  { samples, size: room, time }: Batch,
  leaves: ReadonlyArray<LeafPlan>,
  { index, size, values }: SeriesState,
  place: number,
  labels: Labels
): number => {
  let left = Math.ceil((room - samples.length) / leaves.length)
  while ((place = index.after(place, size)) >= 0) {
    const state = values.get(place)
    const own = join(labels, index.labelsAt(place))
    for (let at = 0; at < leaves.length; at++) readLeaf(samples, leaves[at]!, state, time, own)
    if (--left <= 0) break
  }
  return place
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
