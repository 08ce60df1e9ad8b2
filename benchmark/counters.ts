/**
 * What does an event cost that three metrics count by two labels each, from its
 * construction to the new states, against three counters of another library with
 * the same labels?
 */
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics"
import { Counter, Registry } from "@prometheus-io/client"
import { Context, Effect, Metric as EffectMetric } from "effect"
import { Metric } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { combinations, repeated, Request } from "./dimensionFixture.ts"
import { makeRecorder } from "./fixture.ts"
import { burst, compare, type Figure, report, time } from "./harness.ts"

const labels = repeated(combinations(4, 3), burst)
const names = ["requests_total", "lookups_total", "replies_total"] as const

/** What was counted, by the name of the counter and its labels. */
type Counts = Record<string, number>

const countsOf = (
  counted: Iterable<readonly [name: string, labels: Record<string, unknown>, count: number]>
): Counts =>
  Object.fromEntries(Array.from(counted, ([name, { client, route }, count]) => [`${name} ${route} ${client}`, count]))

interface Library {
  readonly figure: Pick<Figure, "name" | "limit">
  /** Counts three times. */
  readonly count: (route: string, client: string) => void
  readonly read: () => Promise<Counts>
}

const prometheus = (): Library => {
  type Labelled = Counter<"route" | "client">
  const registry = new Registry()
  const [requests, lookups, replies] = names.map((name) =>
    new Counter({ name, help: name, labelNames: ["route", "client"], registers: [registry] })
  ) as [Labelled, Labelled, Labelled]
  return {
    figure: { name: "event into 3 metrics, 2 labels / 3 inc, Prometheus", limit: 0.5 },
    count: (route, client) => {
      requests.inc({ route, client })
      lookups.inc({ route, client })
      replies.inc({ route, client })
    },
    read: async () => {
      const metrics = await registry.getMetricsAsJSON()
      return countsOf(metrics.flatMap(({ name, values }) => values.map(({ labels, value }) => [name, labels, value])))
    }
  }
}

const opentelemetry = (): Library => {
  class Reader extends MetricReader {
    protected override onForceFlush = () => Promise.resolve()
    protected override onShutdown = () => Promise.resolve()
  }
  const reader = new Reader()
  const meter = new MeterProvider({ readers: [reader] }).getMeter("benchmark")
  const requests = meter.createCounter(names[0])
  const lookups = meter.createCounter(names[1])
  const replies = meter.createCounter(names[2])
  return {
    figure: { name: "event into 3 metrics, 2 labels / 3 add, OpenTelemetry", limit: 0.12 },
    count: (route, client) => {
      requests.add(1, { route, client })
      lookups.add(1, { route, client })
      replies.add(1, { route, client })
    },
    read: async () => {
      const { resourceMetrics } = await reader.collect()
      return countsOf(
        resourceMetrics.scopeMetrics[0]!.metrics.flatMap(({ dataPoints, descriptor }) =>
          dataPoints.map(({ attributes, value }) => [descriptor.name, attributes, value as number])
        )
      )
    }
  }
}

const effect = (): Library => {
  const context = Context.make(EffectMetric.MetricRegistry, new Map())
  const requests = EffectMetric.counter(names[0])
  const lookups = EffectMetric.counter(names[1])
  const replies = EffectMetric.counter(names[2])
  return {
    figure: { name: "event into 3 metrics, 2 labels / 3 updates, Effect", limit: 0.08 },
    count: (route, client) => {
      EffectMetric.withAttributes(requests, { route, client }).updateUnsafe(1, context)
      EffectMetric.withAttributes(lookups, { route, client }).updateUnsafe(1, context)
      EffectMetric.withAttributes(replies, { route, client }).updateUnsafe(1, context)
    },
    read: async () =>
      countsOf(
        EffectMetric.snapshotUnsafe(context).map(({ attributes, id, state }) => [
          id,
          attributes!,
          (state as EffectMetric.CounterState<number>).count
        ])
      )
  }
}

const libraries = { prometheus, opentelemetry, effect }
const { count, figure, read } = libraries[process.argv[2] as keyof typeof libraries ?? "prometheus"]()

const metrics = names.map((name) =>
  Metric.fromDimensions(name, [Request], (d) => ({
    value: d.by({ route: (event) => event.route, client: (event) => event.client }, d.count())
  }))
)
const recorder = makeRecorder({ metrics })

// One burst at a time: ten take the other side so long that something interrupts most of them.
const measured = await compare(
  { ...figure, unit: "x" },
  async () => {
    const start = performance.now()
    for (const { client, route } of labels) recorder.registerEventUnsafe(new Request({ route, client }))
    await Effect.runPromise(recorder.flush)
    return (performance.now() - start) * 1e6 / burst
  },
  () =>
    time(() => {
      for (const { client, route } of labels) count(route, client)
    }) / burst,
  { pairs: 1_000 }
)
const { metrics: captured } = Effect.runSync(recorder.capture)
deepStrictEqual(
  countsOf(
    captured.flatMap(({ metric, state }) =>
      Metric.samples(metric, state).map(({ labels, value }) => [metric.name, labels, value as number])
    )
  ),
  await read()
)
report(measured)
