/**
 * Every series of a runtime in the `MetricRegistry` of Effect, so that whatever
 * reads that shows them with no further code: `PrometheusMetrics`, `OtlpMetrics`,
 * `@effect/opentelemetry`, the Effect DevTools.
 *
 * ```ts
 * import { Effect, Layer, Metric as EffectMetric } from "effect"
 * import { Metric, MetricsLive, Recorder } from "mvx-metrics"
 * import * as MetricRegistry from "mvx-metrics/exporters/MetricRegistry"
 *
 * const Saves = Metric.fromDimensions("document_storage.saves", ["saved"], (d) => ({ total: d.count() }))
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "saved" })
 *   const series = yield* EffectMetric.snapshot
 *   return series.find(({ id }) => id === "document_storage.saves_total")?.state
 * })
 *
 * const live = MetricRegistry.layer.pipe(
 *   Layer.provideMerge(Recorder.layerMetrics(Saves)),
 *   Layer.provideMerge(MetricsLive)
 * )
 *
 * await Effect.runPromise(Effect.provide(program, live)) // => { count: 1, incremental: true }
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EffectMetric from "effect/Metric"
import { MetricsRuntime } from "../Runtime.ts"
import { Collector } from "./internal/Collector.ts"
import { RegistryBridge } from "./internal/RegistryBridge.ts"

export { SeriesRefusedError } from "./internal/SeriesRefusedError.ts"

/**
 * Shows the series of the runtime in Effect's registry, for as long as the layer
 * lives.
 *
 * **Details**
 *
 * Nothing is paid per event: the series are read when somebody reads the
 * registry, all from one capture of each recorder.
 *
 * A counter is a counter, an up-down counter and a gauge are gauges, quantiles
 * are a summary. An exponential histogram is one by its own bounds, joined to at
 * most 40 buckets. Units are the attribute `unit`, which Effect's exporters know.
 *
 * The layer gives a registry that holds what the one around it holds. Exporters
 * that are built **on top** of the layer see series that are new with the same
 * read, also with their last one:
 *
 * `OtlpMetrics.layer({ url }).pipe(Layer.provide(MetricRegistry.layer))`
 *
 * For those beside it, new series show with the read after, and removed ones once
 * more.
 *
 * **Gotchas**
 *
 * A series that could take something else down with it is left out, and logged
 * once as a `SeriesRefusedError`: a name that somebody else has in the registry,
 * labels that Prometheus would make one of, the labels `unit` and `time_unit`.
 *
 * A read holds the event loop until all series are read, because reads of the
 * registry are synchronous: for very many series use the `Prometheus` and `Otlp`
 * exporters.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never, never, MetricsRuntime> = Layer.effect(
  EffectMetric.MetricRegistry,
  Effect.gen(function*() {
    const { stats } = yield* MetricsRuntime
    const context = yield* Effect.context<never>()
    const clock = Context.get(context, Clock.Clock)
    const bridge = yield* Effect.acquireRelease(
      Effect.map(EffectMetric.MetricRegistry, (around) => new RegistryBridge(around)),
      (bridge) => Effect.sync(() => bridge.close())
    )
    const collector = yield* Collector.make(bridge.target)
    bridge.open((visit) => {
      const log = collector.eachUnsafe(visit, Effect.runSync(stats), clock.currentTimeMillisUnsafe())
      Effect.runForkWith(context)(log)
    })
    return bridge.registry
  })
)
