/** @since 0.1.0 */
export * as Dimension from "./Dimension.ts"
export * as Event from "./Event.ts"
export * as Metric from "./Metric.ts"
export * as Recorder from "./Recorder.ts"
export * as Runtime from "./Runtime.ts"
export { MetricsLive } from "./Runtime.ts"
export * as Standalone from "./Standalone.ts"
