/**
 * Bucket counts, sums and extremes against those of the OpenTelemetry SDK for
 * JavaScript, of the same values in the same order.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  type AggregationOption,
  AggregationType,
  type ExponentialHistogram,
  type Histogram,
  MeterProvider,
  MetricReader
} from "@opentelemetry/sdk-metrics"
import { exponentialHistogram } from "../../src/internal/dimension/ExponentialHistogram.ts"
import { defaultBoundaries, histogram } from "../../src/internal/dimension/Histogram.ts"
import { type Kind, newOwner } from "../../src/internal/dimension/Kind.ts"

const size = 100_000

/** Numbers from 0 to 1, always the same ones. */
const randomFrom = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let hash = Math.imul(seed ^ (seed >>> 15), seed | 1)
  hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61)
  return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32
}

const float = new Float64Array(1)
const bits = new BigInt64Array(float.buffer)

/** The number so many floating point numbers further from 0. */
const step = (value: number, by: bigint): number => {
  float[0] = value
  bits[0]! += by
  return float[0]
}

/** As many values as are compared: the given ones among values that the function makes of random numbers. */
const among = (seed: number, given: ReadonlyArray<number>, make: (random: () => number) => number) => {
  const random = randomFrom(seed)
  return Array.from({ length: size }, () => random() < 0.3 ? given[Math.floor(random() * given.length)]! : make(random))
}

class Reader extends MetricReader {
  protected override onForceFlush = () => Promise.resolve()
  protected override onShutdown = () => Promise.resolve()
}

/** What the SDK makes of the values. It takes negative ones from gauges alone, and then has no sum. */
const sdk = async <A>(values: ReadonlyArray<number>, aggregation: AggregationOption): Promise<A> => {
  const reader = new Reader()
  const provider = new MeterProvider({ readers: [reader], views: [{ instrumentName: "*", aggregation }] })
  const meter = provider.getMeter("test")
  const instrument = values.some((value) => value < 0) ? meter.createGauge("values") : meter.createHistogram("values")
  for (const value of values) instrument.record(value)
  const { resourceMetrics } = await reader.collect()
  await provider.shutdown()
  return resourceMetrics.scopeMetrics[0]!.metrics[0]!.dataPoints[0]!.value as A
}

const ours = <A>(values: ReadonlyArray<number>, kind: Kind<any, number, A>): A => {
  const owner = newOwner()
  return kind.view(values.reduce((state, value) => kind.add(state, value, 0, owner), kind.initial), 0)
}

/** A sum that is infinite there is the greatest number here. */
const finite = (sum: number | undefined) =>
  sum === undefined ? undefined : Math.min(Math.max(sum, -Number.MAX_VALUE), Number.MAX_VALUE)

const sumOf = (values: ReadonlyArray<number>, sum: number) => values.some((value) => value < 0) ? undefined : sum

describe("A histogram agrees with the OpenTelemetry SDK", () => {
  const near = (boundaries: ReadonlyArray<number>) =>
    boundaries.flatMap((boundary) =>
      boundary === 0 ? [0, -0, 5e-324] : [boundary, step(boundary, 1n), step(boundary, -1n)]
    )
  const special = [0, -0, Number.MIN_VALUE, 1e-310, 2 ** -1022, 1e15, Number.MAX_SAFE_INTEGER]
  const many = Array.from({ length: 200 }, (_, at) => 1.1 ** at - 1)
  const signed = [-1e9, -100, -1, -0.1, 0, 0.1, 1, 100, 1e9]

  it.each<[what: string, boundaries: ReadonlyArray<number>, values: ReadonlyArray<number>]>([
    [
      "with its default boundaries",
      defaultBoundaries,
      among(1, [...near(defaultBoundaries), ...special], (random) => 1e4 ** (2 * random() - 0.5))
    ],
    ["with many boundaries", many, among(2, [...near(many), ...special], (random) => 1e9 ** random())],
    [
      "with negative values",
      signed,
      among(3, [...near(signed), ...special, -Number.MIN_VALUE], (random) => 400 * random() - 200)
    ],
    ["without boundaries", [], among(4, special, (random) => random())]
  ])("%s", async (_, boundaries, values) => {
    const theirs = await sdk<Histogram>(values, {
      type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM,
      options: { boundaries: [...boundaries] }
    })
    const { count, counts, max, min, sum } = ours(values, histogram(boundaries))
    assert.deepStrictEqual(counts, theirs.buckets.counts)
    assert.deepStrictEqual(boundaries, theirs.buckets.boundaries)
    assert.strictEqual(count, theirs.count)
    assert.strictEqual(sumOf(values, sum), finite(theirs.sum))
    assert.deepStrictEqual([min, max], [theirs.min! + 0, theirs.max! + 0])
  })

  it("by its default boundaries", async () => {
    const { buckets } = await sdk<Histogram>([1], { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM })
    assert.deepStrictEqual(buckets.boundaries, defaultBoundaries)
  })
})

describe("An exponential histogram agrees with the OpenTelemetry SDK", () => {
  const exponents = Array.from({ length: 1024 + 1074 }, (_, at) => at - 1074)
  const powers = exponents.map((exponent) => 2 ** exponent)
  /** The bounds of the buckets at a scale, between two powers of two, and what lies next to those that are none. */
  const bounds = (scale: number, from: number, to: number) =>
    Array.from({ length: (to - from) * 2 ** scale }, (_, at) => {
      const bound = 2 ** (from + at * 2 ** -scale)
      return at % 2 ** scale === 0 ? [bound] : [bound, step(bound, 1n), step(bound, -1n)]
    }).flat()
  const extremes = [0, -0, Number.MIN_VALUE, 1e-320, 1e-310, 2 ** -1022, step(2 ** -1022, -1n), Number.MAX_VALUE]
  /** Close to the powers of two as well: the SDK has the right counts of those once its scale is not above 0. */
  const all = [
    ...extremes,
    ...powers,
    ...powers.flatMap((power) => power < 2 ** -1022 ? [] : [step(power, 1n), step(power, -1n)])
  ]
  const negated = (values: ReadonlyArray<number>) => values.map((value) => -value)
  const log = (low: number, high: number) => (random: () => number) => 10 ** (low + (high - low) * random())
  const signed = (make: (random: () => number) => number) => (random: () => number) =>
    (random() < 0.5 ? -1 : 1) * make(random)

  const widest = [Number.MIN_VALUE, Number.MAX_VALUE]

  const data: ReadonlyArray<readonly [what: string, values: ReadonlyArray<number>]> = [
    ["of any magnitude", [...widest, ...among(5, all, log(-300, 300))]],
    [
      "of any magnitude and either sign",
      [...widest, ...negated(widest), ...among(6, [...all, ...negated(all)], signed(log(-300, 300)))]
    ],
    ["of durations", among(7, [0, ...bounds(3, -3, 14)], (random) => Math.exp(3 * random() + 3 * random() - 2))],
    [
      "of durations and either sign",
      among(8, [0, ...bounds(3, 0, 10), ...negated(bounds(5, 0, 4))], signed(log(0, 3)))
    ],
    ["next to each other", among(9, [1, step(1, 1n), 1.5], (random) => 1 + random() / 1000)],
    ["below 1", among(10, [0, -0, ...bounds(4, -9, 1)], (random) => random())],
    ["that are whole", among(11, bounds(0, 0, 30), (random) => Math.floor(1e6 * random()))],
    ["that are subnormal", among(12, extremes.slice(0, 7), (random) => 1e-308 * random())],
    ["that ascend", among(13, powers.slice(1000, 1200), log(-20, 30)).toSorted((a, b) => a - b)],
    ["that descend", among(14, powers.slice(1000, 1200), log(-20, 30)).toSorted((a, b) => b - a)],
    ["that are all bounds of buckets", among(15, bounds(7, 0, 2), () => 2)],
    ["that are the same", Array.from({ length: size }, () => 0.1)]
  ]

  for (const maxSize of [160, 20, 2]) {
    it.each(data)(`in ${maxSize} buckets, for values %s`, async (_, values) => {
      const theirs = await sdk<ExponentialHistogram>(values, {
        type: AggregationType.EXPONENTIAL_HISTOGRAM,
        options: { maxSize }
      })
      const { count, max, min, negative, positive, scale, sum, zeroCount } = ours(values, exponentialHistogram(maxSize))
      assert.deepStrictEqual(
        { count, scale, zeroCount, positive, negative },
        {
          count: theirs.count,
          scale: theirs.scale,
          zeroCount: theirs.zeroCount,
          positive: { offset: theirs.positive.offset, counts: theirs.positive.bucketCounts },
          negative: { offset: theirs.negative.offset, counts: theirs.negative.bucketCounts }
        }
      )
      assert.strictEqual(sumOf(values, sum), finite(theirs.sum))
      assert.deepStrictEqual([min, max], [theirs.min! + 0, theirs.max! + 0])
    })
  }

  it("but for numbers next to a power of two, of which it has other counts in another order", async () => {
    const values = [Number.MAX_SAFE_INTEGER, 1e-18]
    const theirs = async (values: ReadonlyArray<number>) => {
      const { positive } = await sdk<ExponentialHistogram>(values, { type: AggregationType.EXPONENTIAL_HISTOGRAM })
      return positive.offset + positive.bucketCounts.length - 1
    }
    const own = (values: ReadonlyArray<number>) => {
      const { positive, scale } = ours(values, exponentialHistogram(160))
      assert.strictEqual(scale, 0)
      return positive.offset + positive.counts.length - 1
    }
    assert.deepStrictEqual([await theirs(values), await theirs(values.toReversed())], [53, 52])
    assert.deepStrictEqual([own(values), own(values.toReversed())], [52, 52])
  })
})
