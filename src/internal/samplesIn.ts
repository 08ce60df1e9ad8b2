import type * as Metric from "../Metric.ts"
import type { FieldsState } from "./dimension/Fields.ts"
import type { Struct } from "./dimension/Node.ts"
import { type Sample, sampleBatches, samplesOf } from "./Sample.ts"

/** The dimensions that a metric shows as they are, if it does: what it is made of, or a view of its own. */
export const shownRoot = ({ instruments, measures }: Metric.Any): Struct | undefined => {
  const root = measures?.root
  return root !== undefined && "dimensions" in root.instrument && root.instrument.dimensions === instruments
    ? root
    : undefined
}

/**
 * The samples of a state, in batches: who reads very many takes them in slices of
 * time. A view that throws throws where the batches are taken.
 */
export function* samplesIn(
  metric: Metric.Any,
  state: unknown,
  time: number,
  size = 128
): Generator<ReadonlyArray<Sample>> {
  const root = shownRoot(metric)
  if (root !== undefined) yield* sampleBatches(root, state as FieldsState, time, size)
  else yield samplesOf(metric.instruments, metric.dimensions(state, { time }) as object)
}
