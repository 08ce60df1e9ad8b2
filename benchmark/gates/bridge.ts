/** What does an event cost whose series are in Effect's registry, against one whose series are nowhere? */
import { Context, Effect, Layer, Metric as EffectMetric, Scope } from "effect"
import { type Recorder, Runtime } from "mvx-metrics"
import * as MetricRegistry from "mvx-metrics/exporters/MetricRegistry"
import { deepStrictEqual } from "node:assert"
import { paired, pairsOf, time } from "../harness/measure.ts"
import { limit, product, type Question } from "../harness/Question.ts"
import { burst, bursts, makeRuntime, metrics, saveAttempt } from "./saves.ts"

const folding = (recorder: Recorder.Handle) =>
  bursts(() =>
    time(() => {
      const { registerEventUnsafe } = recorder
      for (let i = 0; i < burst; i++) registerEventUnsafe(saveAttempt(i))
      recorder.snapshotsUnsafe()
    })
  )

const of = "an event whose series are in Effect's registry"
const column = "/ nowhere"

const question: Question = {
  title: "what it costs an event that its series are in Effect's registry",
  columns: { [column]: "x" },
  cases: {
    [of]: product(async (effort) => {
      const [hidden, shown] = [makeRuntime(), makeRuntime()]
      const registry = Context.make(EffectMetric.MetricRegistry, new Map())
      Effect.runSync(
        MetricRegistry.layer.pipe(
          Layer.provide(Layer.succeed(Runtime.MetricsRuntime, shown)),
          Layer.buildWithScope(Scope.makeUnsafe()),
          Effect.provide(registry)
        )
      )
      const make = (runtime: Runtime.Handle): Recorder.Handle =>
        Effect.runSync(runtime.createRecorder("benchmark", { metrics: metrics(1) }))
      const [subject, baseline] = [make(shown), make(hidden)]
      const read = () =>
        EffectMetric.snapshotUnsafe(registry).flatMap(({ id, state }) => id.startsWith("saves.") ? [[id, state]] : [])
      // Beside the layer, new series show with the read after.
      read()
      const value = await paired(folding(subject), folding(baseline), { pairs: pairsOf(effort) })
      const snapshots = baseline.snapshotsUnsafe()
      deepStrictEqual(subject.snapshotsUnsafe(), snapshots)
      deepStrictEqual(
        read(),
        Object.entries(snapshots["saves.attempts"]!.dimensions as Record<string, number>).map(([dimension, count]) => [
          `saves.attempts_${dimension}`,
          { count, incremental: true }
        ])
      )
      return { [column]: value }
    })
  },
  claims: [limit("an event whose series are in Effect's registry / nowhere", [of, column], "x", 1.05)],
  rounds: 3
}
export default question
