/**
 * For tests: a recorder that shows what was emitted, and the laws of metrics.
 *
 * @since 0.1.0
 */
export * as Laws from "./Laws.ts"
export * as TestRecorder from "./TestRecorder.ts"
