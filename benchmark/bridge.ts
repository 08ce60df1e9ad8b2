/** What does an event cost whose series are in Effect's registry, against one whose series are nowhere? */
import { Context, Effect, Layer, Metric as EffectMetric, Scope } from "effect"
import { type Recorder, Runtime } from "mvx-metrics"
import * as MetricRegistry from "mvx-metrics/exporters/MetricRegistry"
import { deepStrictEqual } from "node:assert"
import { makeRuntime, metrics, saveAttempt } from "./fixture.ts"
import { burst, bursts, compare, report, type Side, time } from "./harness.ts"

const [hidden, shown] = [makeRuntime(), makeRuntime()]
const registry = Context.make(EffectMetric.MetricRegistry, new Map())
Effect.runSync(
  MetricRegistry.layer.pipe(
    Layer.provide(Layer.succeed(Runtime.MetricsRuntime, shown)),
    Layer.buildWithScope(Scope.makeUnsafe()),
    Effect.provide(registry)
  )
)
const [subject, baseline] = [shown, hidden].map((runtime) =>
  Effect.runSync(runtime.createRecorder("benchmark", { metrics: metrics(1) }))
) as [Recorder.Handle, Recorder.Handle]
const read = () =>
  EffectMetric.snapshotUnsafe(registry).flatMap(({ id, state }) => id.startsWith("saves.") ? [[id, state]] : [])
// Beside the layer, new series show with the read after.
read()

const side = (recorder: Recorder.Handle): Side =>
  bursts(() =>
    time(() => {
      const { registerEventUnsafe } = recorder
      for (let i = 0; i < burst; i++) registerEventUnsafe(saveAttempt(i))
      recorder.snapshotsUnsafe()
    })
  )

const figure = await compare(
  { name: "an event whose series are in Effect's registry / nowhere", unit: "x", limit: 1.05 },
  side(subject),
  side(baseline)
)
const snapshots = baseline.snapshotsUnsafe()
deepStrictEqual(subject.snapshotsUnsafe(), snapshots)
deepStrictEqual(
  read(),
  Object.entries(snapshots["saves.attempts"]!.dimensions as Record<string, number>).map(([dimension, count]) => [
    `saves.attempts_${dimension}`,
    { count, incremental: true }
  ])
)
report(figure)
