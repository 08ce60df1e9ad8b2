/**
 * What does a value cost an exponential histogram in a batch fold, against the SDK of
 * OpenTelemetry: the record of its accumulation alone, or that of its instrument?
 *
 * Each fold begins without a value, and finds its scale.
 */
import { AggregationType, type ExponentialHistogram, MeterProvider } from "@opentelemetry/sdk-metrics"
import { Metric } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { paired, pairsOf, time } from "../harness/measure.ts"
import { type Case, limit, product, type Question } from "../harness/Question.ts"
import { Reader } from "../peers/opentelemetry.ts"
import { durationBatches, rotating } from "./labels.ts"
import { SaveAttempt } from "./saves.ts"

const Durations = Metric.fromDimensions("durations", [SaveAttempt], (d) => ({
  duration_ms: d.exponentialHistogram((event) => event.durationMs)
}))

interface Recording {
  readonly histogram: { record(value: number): void }
  readonly read: () => Promise<ExponentialHistogram>
}

/** A part of the package that it does not export. */
const accumulation = async (): Promise<() => Recording> => {
  const module = new URL("aggregator/ExponentialHistogram.mjs", import.meta.resolve("@opentelemetry/sdk-metrics"))
  const { ExponentialHistogramAccumulation } = await import(module.href)
  return () => {
    const histogram = new ExponentialHistogramAccumulation([0, 0])
    return { histogram, read: async () => histogram.toPointValue() }
  }
}

const instrument = async (): Promise<() => Recording> => {
  const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM } as const
  return () => {
    const reader = new Reader()
    const provider = new MeterProvider({ readers: [reader], views: [{ instrumentName: "*", aggregation }] })
    return {
      histogram: provider.getMeter("benchmark").createHistogram("duration"),
      read: async () => {
        const { resourceMetrics } = await reader.collect()
        return resourceMetrics.scopeMetrics[0]!.metrics[0]!.dataPoints[0]!.value as ExponentialHistogram
      }
    }
  }
}

const size = 10_000
const column = "/ OpenTelemetry"

const folding = (load: () => Promise<() => Recording>): Case["run"] => async (effort) => {
  const begin = await load()
  const batches = durationBatches(10, size)
  const nextOfOurs = rotating(batches)
  const nextOfTheirs = rotating(batches)
  let ours = Durations.initial
  let theirs = begin()
  const value = await paired(
    () => {
      const events = nextOfOurs()
      return time(() => {
        ours = Metric.fold(Durations, events)
      })
    },
    () => {
      const events = nextOfTheirs()
      theirs = begin()
      const { histogram } = theirs
      return time(() => {
        for (const { durationMs } of events) histogram.record(durationMs)
      })
    },
    { pairs: pairsOf(effort) }
  )
  const { count, max, min, negative, positive, scale, sum, zeroCount } = await theirs.read()
  deepStrictEqual(Metric.snapshot(Durations, ours).dimensions.duration_ms, {
    count,
    sum,
    min,
    max,
    scale,
    zeroCount,
    positive: { offset: positive.offset, counts: positive.bucketCounts },
    negative: { offset: negative.offset, counts: negative.bucketCounts }
  })
  return { [column]: value }
}

const ofAccumulation = "where it is the accumulation alone"
const ofInstrument = "where it is the instrument"

const question: Question = {
  title: "what a value costs an exponential histogram in a batch fold, against a record of OpenTelemetry",
  columns: { [column]: "x" },
  cases: { [ofAccumulation]: product(folding(accumulation)), [ofInstrument]: product(folding(instrument)) },
  claims: [
    limit("exponential histogram / record of OpenTelemetry's accumulation", [ofAccumulation, column], "x", 1),
    limit("the same / record of OpenTelemetry's instrument", [ofInstrument, column], "x", 1)
  ],
  rounds: 3
}
export default question
