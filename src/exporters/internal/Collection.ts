/** One reading of all that exporters publish. */
import { describe } from "../../internal/describe.ts"
import { labelOf } from "../../internal/dimension/Node.ts"
import { samplesIn, shownRoot } from "../../internal/samplesIn.ts"
import type * as Metric from "../../Metric.ts"
import type { RecorderCapture } from "../../Recorder.ts"
import type { MetricsRuntimeService, RuntimeStats } from "../../Runtime.ts"
import { type LeftOut, ownFigures, ownMetric } from "./ownFigures.ts"
import {
  Family,
  keyOf,
  type Point,
  quoted,
  type Series,
  seriesKey,
  type Source,
  type Target,
  toldBy
} from "./Series.ts"
import { SeriesRefusedError } from "./SeriesRefusedError.ts"

/** One metric of one recorder, while its samples are visited. */
interface Reading {
  readonly source: Source
  readonly metric: Metric.Any
  /** Why none of its series can be published, if so. */
  readonly conflict: string | undefined
  /** The series that a hand-written view has shown: it may show one twice. */
  readonly seen: Set<string> | undefined
  /** By dimension. */
  readonly families: Map<string, readonly [of: Metric.Sample, family: Family | SeriesRefusedError]>
}

/** One reading of a runtime: which names are taken, and what was left out. */
export class Collection {
  /** What was left out, each once. */
  readonly refused = new Map<string, SeriesRefusedError>()
  /** Those of all values that were captured, also where they were left out. */
  readonly epochs = new Set<number>()
  private readonly leftOut = { name: 0, label: 0, duplicate: 0, value: 0, view: 0 } satisfies LeftOut
  private readonly target: Target
  private readonly visit: (point: Point) => void
  /** By all the names that they take. */
  private readonly families = new Map<string, Family>()
  /** The names of those that were captured. */
  private readonly metrics = new Set<string>()
  /** By metric, how many of the captures that have it are still to be visited. */
  private readonly left = new Map<string, number>()
  /** The labels of the captures. */
  private readonly labelSets = new Set<string>()

  constructor(target: Target, visit: (point: Point) => void) {
    this.target = target
    this.visit = visit
  }

  /** Whether no more points of a metric will come. */
  isComplete(metric: string): boolean {
    return this.left.get(metric) === 0
  }

  /** Visits all points. Whoever runs it may rest after each step. */
  *run(
    captures: ReadonlyArray<RecorderCapture>,
    stats: RuntimeStats,
    { namespace, startedAt }: Pick<MetricsRuntimeService, "namespace" | "startedAt">,
    time: number
  ): Generator<void, void> {
    const source: Source = {
      labels: { [this.target.labelOf("runtime")]: namespace },
      labelKeys: new Set(),
      epoch: startedAt,
      startedAt,
      takenAt: time
    }
    // First, so that nobody else has their names.
    const own = ownFigures.map(({ description, dimension, kind }) =>
      this.claim({ metric: ownMetric, dimension, kind, unit: undefined }, description, true)
    )
    for (const capture of captures) {
      try {
        for (const { metric } of capture.metrics) this.addLeft(metric.name, 1)
      } catch {
        // A custom recorder captured what is no capture: it is left out below.
      }
      yield
    }
    for (const capture of captures) {
      try {
        yield* this.visitCapture(capture)
      } catch (cause) {
        const series = "what a custom recorder captured"
        this.leave({ reason: "view", series, expected: "a capture", found: describe(cause), cause })
      }
    }
    for (const [at, { label, read }] of ownFigures.entries()) {
      const family = own[at]!
      const shown = read(stats, this.leftOut)
      if (family instanceof SeriesRefusedError) continue
      if (typeof shown === "number") {
        this.publish({ family, source, labels: {}, value: shown })
        continue
      }
      // A counter that is not there before it counts has no increase to see.
      const values = new Map(label === "metric" ? Array.from(this.metrics, (metric) => [inUtf8(metric), 0]) : [])
      for (const [of, value] of Object.entries(shown)) values.set(inUtf8(of), (values.get(inUtf8(of)) ?? 0) + value)
      for (const [of, value] of values) this.publish({ family, source, labels: { [label!]: of }, value })
    }
  }

  private *visitCapture({ labels, metrics, recorderId, takenAt }: RecorderCapture): Generator<void, void> {
    const isOwn = recorderId !== ""
    const named: Record<string, string> = {}
    const from = new Map<string, string>()
    let conflict: string | undefined
    for (
      const [label, value] of [...Object.entries(labels), ...(isOwn ? [["recorder_id", recorderId] as const] : [])]
    ) {
      const name = this.target.labelOf(label)
      const key = keyOf(this.target, name)
      if (from.has(key)) conflict = `${quoted(from.get(key)!)} and ${quoted(label)} of the recorder, both ${key}`
      if (!isText(value)) conflict = `${quoted(label)} of the recorder, which is not well-formed text`
      from.set(key, label)
      named[name] = value
    }
    if (!isOwn && from.has("recorder_id")) conflict = `"recorder_id" of the roll-up, which tells recorders apart`
    const labelSet = JSON.stringify(toldBy(named))
    if (this.labelSets.has(labelSet)) conflict ??= `the labels ${labelSet} of another recorder`
    this.labelSets.add(labelSet)
    const of = { labels: named, labelKeys: new Set(from.keys()), takenAt }
    for (const { epoch, metric, startedAt, state } of metrics) {
      if (!Number.isFinite(takenAt) || !Number.isFinite(startedAt)) {
        throw new TypeError("Expected times that are numbers")
      }
      const source = { ...of, epoch, startedAt }
      this.epochs.add(epoch)
      this.metrics.add(metric.name)
      yield* this.visitMetric(source, metric, state, conflict)
      this.addLeft(metric.name, -1)
    }
  }

  private addLeft(metric: string, count: number): void {
    this.left.set(metric, (this.left.get(metric) ?? 0) + count)
  }

  private *visitMetric(
    source: Source,
    metric: Metric.Any,
    state: unknown,
    conflict: string | undefined
  ): Generator<void, void> {
    const batches = samplesIn(metric, state, source.takenAt)
    const reading: Reading = {
      source,
      metric,
      conflict,
      seen: shownRoot(metric) === undefined ? new Set() : undefined,
      families: new Map()
    }
    for (;;) {
      let next: IteratorResult<ReadonlyArray<Metric.Sample>, void>
      try {
        next = batches.next()
      } catch (cause) {
        return this.leave({
          reason: "view",
          series: `metric ${quoted(metric.name)}`,
          expected: "a view that can be read",
          found: describe(cause),
          cause
        })
      }
      if (next.done) return
      // What a view shows comes in one batch.
      for (let from = 0; from < next.value.length; from += stepSize) {
        this.visitSamples(reading, next.value, from)
        yield
      }
    }
  }

  private visitSamples(reading: Reading, samples: ReadonlyArray<Metric.Sample>, from: number): void {
    const { conflict, families, metric, seen, source } = reading
    const to = Math.min(from + stepSize, samples.length)
    let known: readonly [of: Metric.Sample, family: Family | SeriesRefusedError] | undefined
    for (let at = from; at < to; at++) {
      const sample = samples[at]!
      if (known?.[0].dimension !== sample.dimension) known = families.get(sample.dimension)
      if (known?.[0].kind !== sample.kind) {
        known = [sample, this.familyOf(metric, sample, source, conflict)]
        families.set(sample.dimension, known)
      }
      const family = known[1]
      if (family instanceof Family) this.visitSample(source, family, sample, seen)
      else this.leave(family)
    }
  }

  private visitSample(source: Source, family: Family, { labels, value }: Metric.Sample, seen?: Set<string>): void {
    let texts: Record<string, string> | undefined
    for (const label in labels) {
      const { conflict, key } = family.label(label)
      if (conflict !== undefined) return this.leaveLabel(family, conflict)
      if (source.labelKeys.has(key) || family.recorderKeys.has(key)) {
        return this.leaveLabel(family, `${quoted(label)} and a label of a recorder, both ${key}`)
      }
      if (isText(labels[label])) continue
      try {
        texts ??= { ...labels }
        texts[label] = wellFormed(labelOf(labels[label]))
      } catch (cause) {
        const found = `${quoted(label)}: ${describe(labels[label])}`
        return this.leave({
          reason: "value",
          series: described(family),
          expected: "labels that are text",
          found,
          cause
        })
      }
    }
    if (family.kind === "counter" && !((value as number | bigint) >= 0)) {
      const found = String(value)
      return this.leave({ reason: "value", series: described(family), expected: "a counter of zero or more", found })
    }
    const point = { family, source, labels: texts ?? labels, value }
    if (seen !== undefined) {
      const key = seriesKey(point)
      if (seen.has(key)) {
        return this.leave({
          reason: "duplicate",
          series: described(family),
          expected: "every combination of labels once",
          found: `${JSON.stringify(point.labels)} again`
        })
      }
      seen.add(key)
    }
    family.note(source)
    this.publish(point)
  }

  private publish(point: Point): void {
    const refusal = this.target.refusalOf?.(point)
    if (refusal === undefined) this.visit(point)
    else this.leave({ ...refusal, series: described(point.family) })
  }

  /** The family of a sample that is the first of its dimension in its source. */
  private familyOf(
    { description, name }: Metric.Any,
    { dimension, kind, unit }: Metric.Sample,
    { labelKeys }: Source,
    conflict: string | undefined
  ): Family | SeriesRefusedError {
    const family = this.claim({ metric: name, dimension, kind, unit }, description)
    if (family instanceof SeriesRefusedError) return family
    if (conflict !== undefined) return labelConflict(family, conflict)
    const taken = family.reserved.find((key) => labelKeys.has(key))
    if (taken !== undefined) return labelConflict(family, `${taken} of the recorder, which the target needs`)
    const both = family.labelAmong(labelKeys)
    return both === undefined ? family : labelConflict(family, `${quoted(both)}, also of a recorder`)
  }

  /** The family of a series, which gets the names that it takes if they are free. */
  private claim(series: Series, description: string | undefined, isOwn = false): Family | SeriesRefusedError {
    const name = this.target.nameOf(series)
    const known = this.families.get(name)
    if (known?.name === name && known.isOwn === isOwn && isSame(known, series)) return known
    for (const taken of this.target.namesOf(name, series.kind)) {
      const other = this.families.get(taken)
      if (other !== undefined) {
        return new SeriesRefusedError({
          reason: "name",
          series: described(series),
          expected: `the name ${taken} for itself`,
          found: `${described(other)} under it`
        })
      }
    }
    const family = new Family(series, name, description, this.target, isOwn)
    for (const taken of this.target.namesOf(name, series.kind)) this.families.set(taken, family)
    return family
  }

  private leaveLabel(family: Family, found: string): void {
    this.leave(labelConflict(family, found))
  }

  private leave(refusal: SeriesRefusedError | ConstructorParameters<typeof SeriesRefusedError>[0]): void {
    const error = refusal instanceof SeriesRefusedError ? refusal : new SeriesRefusedError(refusal)
    this.leftOut[error.reason]++
    const key = keyOfRefusal(error)
    if (this.refused.size < maxRefused && !this.refused.has(key)) this.refused.set(key, error)
  }
}

/** Half a character would not arrive as it was sent. */
const isText = (value: unknown): value is string =>
  typeof value === "string" && (value as string & { readonly isWellFormed: () => boolean }).isWellFormed()

/** As a target gets it: names of metrics may differ in nothing but halves of characters. */
const inUtf8 = (text: string): string => (text as string & { readonly toWellFormed: () => string }).toWellFormed()

const wellFormed = (text: string): string => {
  if (isText(text)) return text
  throw new TypeError("Expected well-formed text, found half a character")
}

/** What tells refusals apart: not what was found where that may be another value each time. */
const keyOfRefusal = ({ expected, found, reason, series }: SeriesRefusedError): string =>
  JSON.stringify([reason, series, expected, reason === "name" || reason === "label" ? found : ""])

/** How many points are visited before whoever collects may rest. */
const stepSize = 128

/** How many refusals are told apart: a label of a hand-written view may have any value. */
const maxRefused = 256

const described = ({ dimension, kind, metric }: Series): string =>
  `${kind} ${quoted(dimension)} of metric ${quoted(metric)}`

const isSame = (a: Series, b: Series): boolean =>
  a.metric === b.metric && a.dimension === b.dimension && a.kind === b.kind && a.unit === b.unit

const labelConflict = (series: Series, found: string): SeriesRefusedError =>
  new SeriesRefusedError({
    reason: "label",
    series: described(series),
    expected: "labels with names of their own",
    found
  })
