import type * as EffectMetric from "effect/Metric"
import type { BridgedSeries, RegistryBridge } from "./RegistryBridge.ts"

/** Effect's registry of metrics. */
export type Registry = EffectMetric.MetricRegistry

type Metadata = EffectMetric.Metric.Metadata<any, any>

const known = new WeakMap<Registry, BridgedRegistry>()

/** A registry that is another one, with what the bridges have to show whenever somebody reads all of it. */
export class BridgedRegistry extends Map<string, Metadata> {
  readonly base: Registry
  /** Those of all runtimes that are shown in it. */
  readonly bridges = new Set<RegistryBridge>()
  /** The series that they have in it, by what must not be there twice. */
  readonly series = new Map<string, BridgedSeries>()

  private constructor(base: Registry) {
    super()
    this.base = base
  }

  /** The one of a registry: all who bridge into it share it. */
  static of(registry: Registry): BridgedRegistry {
    if (registry instanceof BridgedRegistry) return registry
    const found = known.get(registry) ?? new BridgedRegistry(registry)
    known.set(registry, found)
    return found
  }

  override get size(): number {
    for (const bridge of this.bridges) bridge.refresh()
    return this.base.size
  }

  override keys() {
    for (const bridge of this.bridges) bridge.refresh()
    return this.base.keys()
  }

  override values() {
    for (const bridge of this.bridges) bridge.begin()
    return this.base.values()
  }

  override entries() {
    for (const bridge of this.bridges) bridge.begin()
    return this.base.entries()
  }

  override [Symbol.iterator]() {
    return this.entries()
  }

  override forEach(f: (value: Metadata, key: string, map: Registry) => void, thisArg?: unknown): void {
    for (const [key, value] of this.entries()) f.call(thisArg, value, key, this)
  }

  // Effect's metrics do this with every update: it must cost nothing more.

  override get(key: string): Metadata | undefined {
    return this.base.get(key)
  }

  override has(key: string): boolean {
    return this.base.has(key)
  }

  override set(key: string, metadata: Metadata): this {
    this.base.set(key, metadata)
    return this
  }

  override delete(key: string): boolean {
    return this.base.delete(key)
  }

  override clear(): void {
    this.base.clear()
  }
}
