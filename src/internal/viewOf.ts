import type * as Metric from "../Metric.ts"
import { plainCopy } from "./plainCopy.ts"

/** What a metric shows of a state. Throws what the view throws. */
export const viewOf = (metric: Metric.Any, state: unknown, time: number): Metric.MetricSnapshot =>
  Object.freeze({ name: metric.name, dimensions: plainCopy(metric.dimensions(state, { time })) })
