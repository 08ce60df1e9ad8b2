/**
 * What does a value cost an exponential histogram in a batch fold, against the SDK of
 * OpenTelemetry: the record of its accumulation alone, or that of its instrument?
 *
 * Each fold begins without a value, and finds its scale.
 */
import { AggregationType, type ExponentialHistogram, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics"
import { Metric } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { durationBatches, rotating } from "./dimensionFixture.ts"
import { SaveAttempt } from "./fixture.ts"
import { compare, type Figure, report, time } from "./harness.ts"

const Durations = Metric.fromDimensions("durations", [SaveAttempt], (d) => ({
  duration_ms: d.exponentialHistogram((event) => event.durationMs)
}))

interface Recording {
  readonly histogram: { record(value: number): void }
  readonly read: () => Promise<ExponentialHistogram>
}

interface Sdk {
  readonly name: Figure["name"]
  readonly begin: () => Recording
}

/** A part of the package that it does not export. */
const accumulation = async (): Promise<Sdk> => {
  const module = new URL("aggregator/ExponentialHistogram.mjs", import.meta.resolve("@opentelemetry/sdk-metrics"))
  const { ExponentialHistogramAccumulation } = await import(module.href)
  return {
    name: "exponential histogram / accumulation of OpenTelemetry",
    begin: () => {
      const histogram = new ExponentialHistogramAccumulation([0, 0])
      return { histogram, read: async () => histogram.toPointValue() }
    }
  }
}

const instrument = async (): Promise<Sdk> => {
  class Reader extends MetricReader {
    protected override onForceFlush = () => Promise.resolve()
    protected override onShutdown = () => Promise.resolve()
  }
  const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM } as const
  return {
    name: "exponential histogram / instrument of OpenTelemetry",
    begin: () => {
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
}

const { begin, name } = await (process.argv[2] === "instrument" ? instrument() : accumulation())

const size = 10_000
const batches = durationBatches(10, size)
const nextOfOurs = rotating(batches)
const nextOfTheirs = rotating(batches)
let ours = Durations.initial
let theirs = begin()

const figure = await compare(
  { name, unit: "x", limit: 1 },
  () => {
    const events = nextOfOurs()
    return time(() => {
      ours = Metric.fold(Durations, events)
    }) / size
  },
  () => {
    const events = nextOfTheirs()
    theirs = begin()
    const { histogram } = theirs
    return time(() => {
      for (const { durationMs } of events) histogram.record(durationMs)
    }) / size
  }
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
report(figure)
