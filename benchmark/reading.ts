/** What does it cost to read very many series, and how long is the event loop held up meanwhile? */
import { strictEqual } from "node:assert"
import { loopDelay } from "./harness/loopDelay.ts"
import { collectGarbage, measure } from "./harness/measure.ts"
import { type Case, type Effort, limit, peer, product, type Question, ratio } from "./harness/Question.ts"
import { makeScraper } from "./peers/scraper.ts"
import { combinations, type Counted, type Labels, type Scraped, type Series } from "./peers/Series.ts"

const most = 100_000
const delay = "loop delay p99"
const sizes = { "100": 100, "10 000": 10_000, "100 000": most }

const sizeAtMost = (size: number, { short }: Effort): number => Math.min(size, short ? 1_000 : most)

/** Counts one in ten of these, and returns how many that is. */
const recordSome = async ({ record, settle }: Counted, labels: ReadonlyArray<Labels>): Promise<number> => {
  for (let i = 0; i < labels.length; i += 10) record(labels[i]!)
  await settle?.()
  return labels.length / 10
}

/** Counts all of these, and some of them once more. */
const recordAll = async (counted: Counted, labels: ReadonlyArray<Labels>): Promise<number> => {
  for (const each of labels) counted.record(each)
  return labels.length + await recordSome(counted, labels)
}

const reading = <A>(make: (limit: number) => Promise<Series<A>>): Case["run"] => async (effort) => {
  const readings: Record<string, number> = {}
  for (const [column, size] of Object.entries(sizes)) {
    const labels = combinations(sizeAtMost(size, effort))
    const series = await make(labels.length)
    let recorded = await recordAll(series, labels)
    let last: A | undefined
    readings[column] = await measure(async () => {
      // Something has changed since the last reading, and it has been counted.
      recorded += await recordSome(series, labels)
      const start = performance.now()
      last = await series.read()
      return (performance.now() - start) * 1e6 / labels.length
    }, { ...effort, time: 2 * effort.time, warmup: 2 * effort.warmup })
    if (size === most) {
      collectGarbage()
      readings[delay] = await loopDelay(async () => last = await series.read(), effort.short ? 1 : 3)
    }
    strictEqual(series.totals(last!).join(), `${labels.length},${recorded}`)
  }
  return readings
}

/** Over HTTP, by another thread. All metrics count the same requests. */
const scraping = (make: (limit: number) => Promise<Scraped>, metrics = 1): Case["run"] => async (effort) => {
  const labels = combinations(sizeAtMost(most, effort) / metrics)
  const scraped = await make(labels.length)
  await recordAll(scraped, labels)
  const scrape = makeScraper(scraped.url)
  const times = effort.short ? 1 : 8
  for (let i = 0; i < times; i += 2) strictEqual(await scrape(), labels.length * metrics)
  collectGarbage()
  return { [delay]: await loopDelay(scrape, times) }
}

const capture = "mvx-metrics, capture and Metric.samples"
const references = "mvx-metrics, capture: references"
const collect = "OpenTelemetry, collect"
const text = "mvx-metrics, Prometheus.format"
const official = "@prometheus-io/client, metrics()"
const sameText = "@prometheus-io/client, with a recorder_id"
const scrapedOfMany = "mvx-metrics, scrape of 50 metrics"
const scrapedOfOne = "mvx-metrics, scrape"

const question: Question = {
  title: "what a series costs to be read, of so many of one counter by two labels, and the delay of the event loop",
  columns: { "100": "ns", "10 000": "ns", "100 000": "ns", [delay]: "ms" },
  rounds: 3,
  cases: {
    [capture]: product(reading(async (limit) => (await import("./peers/mvxSeries.ts")).samples(limit))),
    [references]: product(reading(async (limit) => (await import("./peers/mvxSeries.ts")).capture(limit))),
    [collect]: peer(reading(async (limit) => (await import("./peers/opentelemetrySeries.ts")).collected(limit))),
    "Effect Metric, snapshotUnsafe": peer(reading(async () => (await import("./peers/effectSeries.ts")).snapshot())),
    "@prometheus-io/client, getMetricsAsJSON()": peer(reading(async () => {
      const { official } = await import("./peers/prometheus.ts")
      return (await import("./peers/prometheusSeries.ts")).json(await official())
    })),
    [text]: product(reading(async (limit) => (await import("./peers/mvxSeries.ts")).text(limit))),
    [official]: peer(reading(async () => {
      const { official } = await import("./peers/prometheus.ts")
      return (await import("./peers/prometheusSeries.ts")).text(await official())
    })),
    // As every series of ours has.
    [sameText]: peer(reading(async () => {
      const { official } = await import("./peers/prometheus.ts")
      return (await import("./peers/prometheusSeries.ts")).text(await official(), { recorder_id: "default" })
    })),
    "prom-client, metrics()": peer(reading(async () => {
      const { predecessor } = await import("./peers/prometheus.ts")
      return (await import("./peers/prometheusSeries.ts")).text(await predecessor())
    })),
    "Effect Metric, PrometheusMetrics": peer(reading(async () => (await import("./peers/effectSeries.ts")).text())),
    [scrapedOfMany]: product(
      scraping(async (limit) => (await import("./peers/mvxSeries.ts")).scraped(50, limit), 50)
    ),
    [scrapedOfOne]: product(scraping(async (limit) => (await import("./peers/mvxSeries.ts")).scraped(1, limit))),
    "@prometheus-io/client, scrape": peer(scraping(async () => {
      const { official } = await import("./peers/prometheus.ts")
      return (await import("./peers/prometheusSeries.ts")).scraped(await official())
    }))
  },
  claims: [
    ratio("capture of 10 000 series with each sample / OpenTelemetry collect", [capture, collect], "10 000", 0.5),
    ratio("capture of 10 000 series / OpenTelemetry collect", [references, collect], "10 000", 0.5),
    ratio("10 000 counters to text / the same text by @prometheus-io/client", [text, sameText], "10 000", 0.8),
    limit("a sample, of 10 000 series by two labels", [capture, "10 000"], "ns", 500),
    limit("event-loop delay p99 while 100 000 series of 50 metrics are scraped", [scrapedOfMany, delay], "ms", 10),
    limit("event-loop delay p99 while 100 000 series of one metric are scraped", [scrapedOfOne, delay], "ms", 10)
  ]
}
export default question
