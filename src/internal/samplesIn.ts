import type * as Metric from "../Metric.ts"
import type { FieldsState } from "./dimension/Fields.ts"
import { type Sample, sampleBatches, samplesOf } from "./Sample.ts"

/**
 * The samples of a state, in batches: who reads very many takes them in slices of
 * time. A view that throws throws where the batches are taken.
 */
export function* samplesIn(metric: Metric.Any, state: unknown, time: number): Generator<ReadonlyArray<Sample>> {
  const root = metric.measures?.root
  // What a metric of dimensions shows may have been mapped since.
  if (root !== undefined && "dimensions" in root.instrument && root.instrument.dimensions === metric.instruments) {
    yield* sampleBatches(root, state as FieldsState, time)
  } else {
    yield samplesOf(metric.instruments, metric.dimensions(state, { time }) as object)
  }
}
