import * as Context from "effect/Context"
import * as EffectMetric from "effect/Metric"
import { type Family, labelsOf, type Point, type Target } from "../Series.ts"
import type { BridgedRegistry } from "./BridgedRegistry.ts"
import { faultOf, kinds, metricOf, stateOf } from "./state.ts"
import { prometheusKey, prometheusName, prometheusNames, registryTarget } from "./target.ts"

type Refusal = ReturnType<NonNullable<Target["refusalOf"]>>

/** A series of a runtime in a registry. */
export interface BridgedSeries {
  readonly bridge: RegistryBridge
  readonly family: Family
  /** Everything that it is registered with. */
  readonly id: string
  /** What must not be in the registry twice. */
  readonly key: string
  readonly registration: EffectMetric.Registration
  /** In the registry, series of a bridge come in this order. */
  readonly place: number
  /** In the shape of Effect's own metric of that kind. */
  state: object
  /** The read that it was in last. */
  shownIn: number
  /** The read that found it in the registry last. */
  foundIn: number
}

/** Who else has a name. */
interface Other {
  readonly description: string
  /** If it is a series of another runtime. */
  readonly family: Family | undefined
}

/** Which series the hook of a metric in a registry is of. */
const seriesOf = new WeakMap<object, BridgedSeries>()

/** The series of a runtime in a registry of Effect. */
export class RegistryBridge {
  readonly target: Target = { ...registryTarget, refusalOf: (point) => this.show(point) }
  readonly namespace: string
  private readonly registry: BridgedRegistry
  private readonly context: Context.Context<never>
  /** By their ids. */
  private readonly series = new Map<string, BridgedSeries>()
  private readRuntime: (() => boolean) | undefined
  private reads = 0
  private isReading = false
  /** Whether somebody takes the series of the last read, in the run of code that goes on. */
  private isFresh = false
  /** The place of the one that was taken last. */
  private lastPlace = -1
  private places = 0
  /** By what Prometheus makes of them. */
  private namesOfOthers: ReadonlyMap<string, Other> = new Map()
  /** Each is of one read. */
  private readonly families = new WeakMap<Family, { readonly refusal: Refusal; readonly id: string }>()

  constructor(registry: BridgedRegistry, namespace: string) {
    this.registry = registry
    this.namespace = namespace
    this.context = Context.make(EffectMetric.MetricRegistry, registry.base)
  }

  /**
   * Shows the series of a runtime from now on. `readRuntime` makes a collection of
   * them for `target`; it says whether it came to its end, and does not throw.
   */
  open(readRuntime: () => boolean): void {
    this.readRuntime = readRuntime
    this.registry.bridges.add(this)
    this.refresh()
  }

  close(): void {
    this.readRuntime = undefined
    this.registry.bridges.delete(this)
    for (const series of this.series.values()) this.remove(series)
  }

  /** Reads the runtime. */
  refresh(): void {
    // A view may read the registry.
    if (this.readRuntime === undefined || this.isReading) return
    this.isReading = true
    this.reads++
    this.visitRegistry()
    const isWhole = this.readRuntime()
    for (const series of this.series.values()) {
      if (isWhole && series.shownIn !== this.reads) this.remove(series)
    }
    this.isReading = false
  }

  /** Reads the runtime for somebody who takes the series now, one after the other. */
  begin(): void {
    this.refresh()
    this.lastPlace = -1
    this.isFresh = true
    queueMicrotask(() => {
      this.isFresh = false
    })
  }

  /**
   * Somebody takes a series. Who reads a whole registry takes all of them in one
   * run of code, in the order of their places: that is one read.
   */
  private visit({ place }: BridgedSeries): void {
    if (!this.isFresh || place <= this.lastPlace) this.begin()
    this.lastPlace = place
  }

  /** Finds out what others have in the registry, and which series somebody took out of it. */
  private visitRegistry(): void {
    const names = new Map<string, Other>()
    const visited = new Set<unknown>()
    for (const { hooks, id, type } of this.registry.base.values()) {
      const series = seriesOf.get(hooks.get)
      if (series?.bridge === this) {
        series.foundIn = this.reads
        continue
      }
      const family = series?.family
      const what = family ?? `${type} ${id}`
      if (visited.has(what)) continue
      visited.add(what)
      const owner = series === undefined ? "the program" : `the runtime ${JSON.stringify(series.bridge.namespace)}`
      const description = `${type} ${JSON.stringify(id)} of ${owner}`
      for (const name of prometheusNames(id, kinds[type])) {
        names.set(name, { description, family })
      }
    }
    this.namesOfOthers = names
    for (const series of this.series.values()) {
      if (series.foundIn !== this.reads) this.remove(series)
    }
  }

  /** Shows a point, or says why not. */
  private show(point: Point): Refusal {
    const { family } = point
    const { id: familyId, refusal } = this.familyOf(family)
    if (refusal !== undefined) return refusal
    const fault = faultOf(point)
    if (fault !== undefined) return { reason: "value", ...fault }
    const labels = labelsOf(point)
    const id = familyId + JSON.stringify(labels)
    const known = this.series.get(id)
    const key = known?.key ?? prometheusKey(family.name, labels)
    const other = this.registry.series.get(key)
    if (other !== undefined && (other.bridge !== this || other.shownIn === this.reads)) {
      const found = other.bridge === this
        ? `${JSON.stringify(labels)} again`
        : `that of the runtime ${JSON.stringify(other.bridge.namespace)} with ${JSON.stringify(point.source.labels)}`
      return { reason: "duplicate", expected: "every combination of labels once", found }
    }
    // It would else take the place of the other one in the registry, and so come out of order.
    if (other !== undefined && other !== known) this.remove(other)
    const series = known ?? this.register(id, key, family, labels)
    series.state = stateOf(point)
    series.shownIn = this.reads
    this.registry.series.set(key, series)
    return undefined
  }

  private register(
    id: string,
    key: string,
    family: Family,
    labels: Readonly<Record<string, string>>
  ): BridgedSeries {
    const get = () => {
      this.visit(series)
      return series.state
    }
    const registration = EffectMetric.registerUnsafe(metricOf(family, labels), this.context, {
      get,
      update: () => {},
      modify: () => {}
    })
    const series: BridgedSeries = {
      bridge: this,
      family,
      id,
      key,
      registration,
      place: this.places++,
      state: {},
      shownIn: this.reads,
      foundIn: this.reads
    }
    seriesOf.set(get, series)
    this.series.set(id, series)
    return series
  }

  private remove(series: BridgedSeries): void {
    series.registration.remove()
    this.series.delete(series.id)
    if (this.registry.series.get(series.key) === series) this.registry.series.delete(series.key)
  }

  private familyOf(family: Family): { readonly refusal: Refusal; readonly id: string } {
    let known = this.families.get(family)
    if (known === undefined) {
      const { description, kind, name, unit } = family
      known = { refusal: this.refusalOf(family), id: JSON.stringify([name, kind, unit, description]) }
      this.families.set(family, known)
    }
    return known
  }

  /** One name under two kinds stops an export of everything. */
  private refusalOf({ kind, name, unit }: Family): Refusal {
    if (prometheusName(name) === "") {
      return {
        reason: "name",
        expected: "a name with a character that Prometheus knows",
        found: JSON.stringify(name)
      }
    }
    for (const taken of prometheusNames(name, kind)) {
      const other = this.namesOfOthers.get(taken)
      if (other === undefined) continue
      const { description, family } = other
      if (family !== undefined && family.name === name && family.kind === kind && family.unit === unit) continue
      return { reason: "name", expected: `the name ${taken} for itself`, found: `${description} under it` }
    }
    return undefined
  }
}
