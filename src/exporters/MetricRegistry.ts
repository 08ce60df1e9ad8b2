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
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as EffectMetric from "effect/Metric"
import { MetricsRuntime } from "../Runtime.ts"
import { Collector } from "./internal/Collector.ts"
import { BridgedRegistry } from "./internal/registry/BridgedRegistry.ts"
import { RegistryBridge } from "./internal/registry/RegistryBridge.ts"

export { SeriesRefusedError } from "./internal/SeriesRefusedError.ts"

/**
 * Shows the series of the runtime in Effect's registry, for as long as the layer
 * lives.
 *
 * **When to use**
 *
 * Use to have the series where the metrics of the rest of a program are already.
 * `Prometheus` and `Otlp` of this package publish them on their own, and do what
 * Effect's exporters do not: base units and OpenMetrics, a start time of each
 * recorder, exponential histograms as such, slices of time.
 *
 * **Details**
 *
 * Nothing is paid per event: the series are read when somebody reads the
 * registry. All series of a read come from one capture of each recorder.
 *
 * The name of a series is that of the metric, `_` and the dimension. Its
 * attributes are the labels of the recorder, `recorder_id` unless it is rolled
 * up, the labels of the dimension, and `unit`, which Effect's exporters know.
 *
 * A counter is a counter, an up-down counter and a gauge are gauges, quantiles
 * are a summary. An exponential histogram is one by the powers of two and halves
 * between, at most 40 buckets.
 *
 * The layer gives a registry that holds what the one around it holds. Exporters
 * built **on top** of it see what is new with the same read, also with their last
 * one. To those beside it a new series shows one read later, and a removed one
 * once more.
 *
 * Several runtimes may be in one registry, if their namespaces differ, and the
 * labels of their recorders.
 *
 * **Gotchas**
 *
 * A series that could take others down with it is left out, counted in
 * `mvx_metrics_series_left_out` and logged once as a `SeriesRefusedError`: under a
 * name that somebody else has in the registry, with labels that Prometheus would
 * make one of or the exporters need (`unit`, `le`), of counts that are not whole.
 *
 * A metric of the program that takes a name of the runtime later on gets it. An
 * exporter on top of the layer does not notice; one beside it meets both once,
 * and `OtlpMetrics` then rests for a minute.
 *
 * `OtlpMetrics` with `temporality: "delta"` subtracts histograms bucket by bucket,
 * without asking where they begin: exponential histograms, whose buckets move, and
 * those of recorders that come again under the same id, are wrong there.
 *
 * A read holds the event loop until all series are read, because reads of the
 * registry are synchronous: about 2 us for each.
 *
 * **Example** (Exporting over OTLP)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { OtlpMetrics, OtlpSerialization } from "effect/observability"
 * import { MetricsLive } from "mvx-metrics"
 * import * as MetricRegistry from "mvx-metrics/exporters/MetricRegistry"
 *
 * const live = OtlpMetrics.layer({
 *   url: "http://localhost:4318/v1/metrics",
 *   resource: { serviceName: "shop" }
 * }).pipe(
 *   Layer.provide([MetricRegistry.layer, FetchHttpClient.layer, OtlpSerialization.layerJson]),
 *   Layer.provideMerge(MetricsLive)
 * )
 *
 * Layer.isLayer(live) // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never, never, MetricsRuntime> = Layer.effect(
  EffectMetric.MetricRegistry,
  Effect.gen(function*() {
    const { namespace } = yield* MetricsRuntime
    const context = yield* Effect.context<never>()
    const registry = BridgedRegistry.of(yield* EffectMetric.MetricRegistry)
    const bridge = yield* Effect.acquireRelease(
      Effect.sync(() => new RegistryBridge(registry, namespace)),
      (bridge) => Effect.sync(() => bridge.close())
    )
    const collector = yield* Collector.make(bridge.target)
    // The target shows what it does not refuse.
    const read = collector.eachUnsafe(() => {})
    bridge.open(() => {
      const exit = Effect.runSyncExitWith(context)(read)
      if (Exit.isFailure(exit)) {
        Effect.runForkWith(context)(Effect.logError("Effect's registry could not be brought up to date", exit.cause))
      }
      return Exit.isSuccess(exit)
    })
    return registry
  })
)
