/** What exporters publish, and how their targets name it. */
import type * as Metric from "../../Metric.ts"
import type { SeriesRefusedError } from "./SeriesRefusedError.ts"

type Labels = Readonly<Record<string, string>>

/** How a target names things, and which names one series takes. */
export interface Target {
  /** The name of a series in the characters of the target. */
  readonly nameOf: (series: Series) => string
  /** The name of a label in the characters of the target. */
  readonly labelOf: (label: string) => string
  /** What must not be the same for two labels of a series, where that is more than the name. */
  readonly labelKey?: (name: string) => string
  /** The names that a series of this name takes, its own among them. */
  readonly namesOf: (name: string, kind: Metric.InstrumentKind) => ReadonlyArray<string>
  /** The labels that the target needs for itself. */
  readonly reserved: (kind: Metric.InstrumentKind) => ReadonlyArray<string>
  /** Why the target cannot take a point that is right otherwise. */
  readonly refusalOf?: (point: Point) => Pick<SeriesRefusedError, "reason" | "expected" | "found"> | undefined
}

/** What a series is called in the code. */
export interface Series {
  readonly metric: string
  /** Names of nested dimensions are joined with a dot. */
  readonly dimension: string
  readonly kind: Metric.InstrumentKind
  /** In UCUM notation. */
  readonly unit: string | undefined
}

/** The name of a series, before it is put into the characters of a target. */
export const seriesName = ({ dimension, metric }: Pick<Series, "metric" | "dimension">): string =>
  `${metric}_${dimension}`

/** One metric of one recorder, or of a roll-up; or what the runtime counts itself. */
export interface Source {
  /** Those of the recorder and its id, in the names of the target. */
  readonly labels: Labels
  /** What no other label may be. */
  readonly labelKeys: ReadonlySet<string>
  readonly epoch: number
  /** Since when the values count, in Unix milliseconds. */
  readonly startedAt: number
  /** Unix milliseconds. */
  readonly takenAt: number
}

/** One value of one series. */
export interface Point {
  readonly family: Family
  readonly source: Source
  /** Those of the dimension, as the metric names them. */
  readonly labels: Labels
  readonly value: Metric.Sample["value"]
}

/** What a target makes of a label of a dimension. */
interface LabelName {
  readonly name: string
  /** What no other label may be. */
  readonly key: string
  /** Why it cannot be published, if it cannot. */
  readonly conflict: string | undefined
}

/** All series of one name. */
export class Family implements Series {
  readonly metric: string
  readonly dimension: string
  readonly kind: Metric.InstrumentKind
  readonly unit: string | undefined
  /** As the target has it. */
  readonly name: string
  readonly description: string | undefined
  /** Labels that the target needs for itself. */
  readonly reserved: ReadonlyArray<string>
  /** Whether it is what the runtime says about itself. */
  readonly isOwn: boolean
  /** The labels of the recorders that have a series of it: none is one of the dimension as well. */
  readonly recorderKeys = new Set<string>()
  private source: Source | undefined
  private readonly target: Target
  private readonly labels = new Map<string, LabelName>()

  constructor(series: Series, name: string, description: string | undefined, target: Target, isOwn = false) {
    this.metric = series.metric
    this.dimension = series.dimension
    this.kind = series.kind
    this.unit = series.unit
    this.name = name
    this.description = description
    this.reserved = target.reserved(series.kind)
    this.isOwn = isOwn
    this.target = target
  }

  /** How the target calls a label of the dimension. */
  labelOf(label: string): string {
    return this.label(label).name
  }

  label(label: string): LabelName {
    const known = this.labels.get(label)
    if (known !== undefined) return known
    const name = this.target.labelOf(label)
    const key = keyOf(this.target, name)
    let conflict = this.reserved.includes(key) ? `${quoted(label)}, which the target needs` : undefined
    for (const [other, named] of this.labels) {
      if (named.key === key) conflict = `${quoted(other)} and ${quoted(label)}, both ${key}`
    }
    const found = { name, key, conflict }
    this.labels.set(label, found)
    return found
  }

  /** A label of the dimension that is one of these. */
  labelAmong(keys: ReadonlySet<string>): string | undefined {
    for (const [label, { key }] of this.labels) if (keys.has(key)) return label
    return undefined
  }

  /** Notes a source of which a series is published. */
  note(source: Source): void {
    if (this.source === source) return
    this.source = source
    for (const key of source.labelKeys) this.recorderKeys.add(key)
  }
}

/** All labels of a point, in the names of the target. */
export const labelsOf = ({ family, labels, source }: Point): Record<string, string> => {
  const all: Record<string, string> = { ...source.labels }
  for (const label of Object.keys(labels)) all[family.labelOf(label)] = labels[label]!
  return all
}

/** What tells a series from the others of its exporter. */
export const seriesKey = (point: Point): string => JSON.stringify([point.family.name, toldBy(labelsOf(point))])

/** The labels that tell series apart: an empty label is none, as it is to Prometheus. */
export const toldBy = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== "").toSorted())

/** What must not be the same for two labels of a series. */
export const keyOf = ({ labelKey }: Target, name: string): string => labelKey === undefined ? name : labelKey(name)

export const quoted = (name: string): string => JSON.stringify(name)
