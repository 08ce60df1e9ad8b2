import type * as Effect from "effect/Effect"
import type { MetricsRuntime } from "../../Runtime.ts"
import { Collector } from "./Collector.ts"
import type { Series, Target } from "./Series.ts"

/** A target that takes every name as the code has it: there no two series come to one name. */
const target: Target = {
  nameOf: ({ dimension, kind, metric, unit }: Series) => JSON.stringify([metric, dimension, kind, unit]),
  labelOf: (label) => label,
  namesOf: (name) => [name],
  reserved: () => []
}

/** Reads all series in the names of the code. */
export const collectorAsInCode: Effect.Effect<Collector, never, MetricsRuntime> = Collector.of(target)
