import * as Context from "effect/Context"
import * as EffectMetric from "effect/Metric"
import type { InstrumentKind } from "../../Metric.ts"
import { bucketsOf } from "./buckets.ts"
import { type Family, labelsOf, type Point, seriesKey, type Target } from "./Collection.ts"
import { registryTarget, sanitized } from "./registryTarget.ts"

type Registry = Map<string, EffectMetric.Metric.Metadata<any, any>>

/** A series that is in the registry. */
interface Entry {
  readonly registration: EffectMetric.Registration
  point: Point
}

type Refusal = ReturnType<NonNullable<Target["refusalOf"]>>

/** Which series of which bridge are in a registry: those of several runtimes may be. */
const bridged = new WeakMap<Registry, Map<string, RegistryBridge>>()

/** Which bridge a series is of, by its hook. */
const bridgeOf = new WeakMap<object, RegistryBridge>()

/** The series of a runtime in a registry of Effect. */
export class RegistryBridge {
  /** The registry around it, with what is new whenever somebody reads all of it. */
  readonly registry: Registry
  readonly target: Target = { ...registryTarget, refusalOf: (point) => this.refusalOf(point) }
  private readonly around: Registry
  private readonly shown: Map<string, RegistryBridge>
  private readonly context: Context.Context<never>
  private readonly entries = new Map<string, Entry>()
  private each: ((visit: (point: Point) => void) => void) | undefined
  /** What others have registered, by what Prometheus makes of its name. */
  private foreign: ReadonlyMap<string, EffectMetric.Metric.Metadata<any, any>> = new Map()
  private refusals = new Map<Family, Refusal>()
  private isFresh = false

  constructor(around: Registry) {
    this.around = around
    this.shown = bridged.get(around) ?? new Map()
    bridged.set(around, this.shown)
    this.context = Context.make(EffectMetric.MetricRegistry, around)
    this.registry = new RefreshingMap(around, () => this.refresh())
  }

  /** Shows what `each` calls back for. */
  open(each: (visit: (point: Point) => void) => void): void {
    this.each = each
    this.refresh()
  }

  close(): void {
    this.each = undefined
    this.remove(this.entries)
  }

  /** Reads the runtime, once for all that is read in one go. */
  private refresh(): void {
    if (this.isFresh || this.each === undefined) return
    this.isFresh = true
    queueMicrotask(() => this.isFresh = false)
    this.foreign = this.foreignSeries()
    this.refusals = new Map()
    const gone = new Map(this.entries)
    this.each((point) => {
      const key = seriesKey(point)
      const entry = this.entries.get(key)
      gone.delete(key)
      if (entry !== undefined) entry.point = point
      else this.entries.set(key, this.register(key, point))
    })
    this.remove(gone)
  }

  private register(key: string, point: Point): Entry {
    const get = () => {
      this.refresh()
      return stateOf(entry.point)
    }
    bridgeOf.set(get, this)
    this.shown.set(key, this)
    const hooks = { get, update: () => {}, modify: () => {} }
    const entry: Entry = { point, registration: EffectMetric.registerUnsafe(metricOf(point), this.context, hooks) }
    return entry
  }

  private remove(entries: Iterable<readonly [string, Entry]>): void {
    for (const [key, { registration }] of entries) {
      registration.remove()
      this.entries.delete(key)
      this.shown.delete(key)
    }
  }

  /** One name under two kinds, or with two descriptions, would take more than itself out of an export. */
  private refusalOf(point: Point): Refusal {
    const { family } = point
    if (!this.refusals.has(family)) this.refusals.set(family, this.refusalOfFamily(family))
    const refusal = this.refusals.get(family)
    if (refusal !== undefined) return refusal
    const other = this.shown.get(seriesKey(point))
    return other === undefined || other === this ? undefined : {
      reason: "duplicate",
      expected: "a series of its own",
      found: `that of another runtime with the labels ${JSON.stringify(labelsOf(point))}`
    }
  }

  private refusalOfFamily(family: Family): Refusal {
    const { description, kind, name } = family
    for (const taken of this.target.namesOf(name, kind)) {
      const other = this.foreign.get(sanitized(taken))
      if (other === undefined) continue
      const isSame = bridgeOf.has(other.hooks.get) && other.id === name && other.type === types[kind] &&
        other.description === description
      if (isSame) continue
      const found = `${other.type} ${other.id} in the registry`
      return { reason: "name", expected: `the name ${taken} for itself`, found }
    }
    return undefined
  }

  private foreignSeries(): ReadonlyMap<string, EffectMetric.Metric.Metadata<any, any>> {
    const foreign = new Map<string, EffectMetric.Metric.Metadata<any, any>>()
    for (const metadata of this.around.values()) {
      if (bridgeOf.get(metadata.hooks.get) !== this) foreign.set(sanitized(metadata.id), metadata)
    }
    return foreign
  }
}

/** What the kinds are in Effect. */
const types: Readonly<Record<InstrumentKind, EffectMetric.Metric.Type>> = {
  counter: "Counter",
  upDownCounter: "Gauge",
  gauge: "Gauge",
  histogram: "Histogram",
  summary: "Summary"
}

/** The attributes of a series: its labels, and its unit as Effect's exporters read it. */
const attributesOf = (point: Point): Record<string, string> => {
  const { unit } = point.family
  return unit === undefined ? labelsOf(point) : { ...labelsOf(point), unit }
}

const metricOf = (point: Point): EffectMetric.Metric<any, any> => {
  const { description, kind, name } = point.family
  const given = { description, attributes: attributesOf(point) }
  switch (kind) {
    case "counter":
      return EffectMetric.counter(name, { ...given, incremental: true })
    case "upDownCounter":
    case "gauge":
      return EffectMetric.gauge(name, given)
    case "histogram":
      return EffectMetric.histogram(name, { ...given, boundaries: [] })
    case "summary":
      return EffectMetric.summary(name, { ...given, maxAge: 0, maxSize: 0, quantiles: [] })
  }
}

/** The state of a series in the shape of Effect's own metric of that kind. */
const stateOf = ({ family, value }: Point): unknown => {
  if (typeof value === "number" || typeof value === "bigint") {
    return family.kind === "counter" ? { count: value, incremental: true } : { value }
  }
  if ("quantiles" in value) {
    const quantiles = Object.entries(value.quantiles).map(([quantile, value]) => [Number(quantile), value] as const)
    const known = quantiles.flatMap(([, value]) => value === undefined ? [] : [value])
    return {
      quantiles,
      count: value.count,
      sum: value.sum,
      min: known.length === 0 ? 0 : Math.min(...known),
      max: known.length === 0 ? 0 : Math.max(...known)
    }
  }
  const { bounds, cumulative } = bucketsOf(value)
  return {
    buckets: bounds.map((bound, at) => [bound, cumulative[at]!] as const),
    count: value.count,
    sum: value.sum,
    min: value.min ?? 0,
    max: value.max ?? 0
  }
}

/** A registry that is another, but for who reads all of it. */
class RefreshingMap extends Map<string, EffectMetric.Metric.Metadata<any, any>> implements Registry {
  readonly #of: Registry
  readonly #refresh: () => void

  constructor(of: Registry, refresh: () => void) {
    super()
    this.#of = of
    this.#refresh = refresh
  }

  override get size(): number {
    return this.all.size
  }

  override has(key: string): boolean {
    return this.#of.has(key)
  }

  override get(key: string) {
    return this.#of.get(key)
  }

  override set(key: string, metadata: EffectMetric.Metric.Metadata<any, any>): this {
    this.#of.set(key, metadata)
    return this
  }

  override delete(key: string): boolean {
    return this.#of.delete(key)
  }

  override clear(): void {
    this.#of.clear()
  }

  override keys() {
    return this.all.keys()
  }

  override values() {
    return this.all.values()
  }

  override entries() {
    return this.all.entries()
  }

  override forEach(f: Parameters<Registry["forEach"]>[0]): void {
    this.all.forEach(f)
  }

  override [Symbol.iterator]() {
    return this.all[Symbol.iterator]()
  }

  private get all(): Registry {
    this.#refresh()
    return this.#of
  }
}
