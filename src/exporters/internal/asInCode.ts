import * as Effect from "effect/Effect"
import { MetricsRuntime, type MetricsRuntimeService } from "../../Runtime.ts"
import { Collector } from "./Collector.ts"
import type { Series, Target } from "./Series.ts"

/** A target that takes every name as the code has it: there no two series come to one name. */
const target: Target = {
  nameOf: ({ dimension, kind, metric, unit }: Series) => JSON.stringify([metric, dimension, kind, unit]),
  labelOf: (label) => label,
  namesOf: (name) => [name],
  reserved: () => []
}

const collectors = new WeakMap<MetricsRuntimeService, Collector>()

/** Reads all series in the names of the code. One for a runtime: what it leaves out is logged once, whoever reads. */
export const collectorOf: Effect.Effect<Collector, never, MetricsRuntime> = Effect.gen(function*() {
  const runtime = yield* MetricsRuntime
  const known = collectors.get(runtime)
  if (known !== undefined) return known
  const collector = yield* Collector.make(target)
  collectors.set(runtime, collector)
  return collector
})
