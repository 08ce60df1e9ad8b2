/** A small program of a user, against the packed package: type-checked with strict options, and run. */
import { Duration, Effect, Exit, Layer, Option, Schema } from "effect"
import { Event, Metric, MetricsLive, Recorder, Runtime, Standalone } from "mvx-metrics"
import * as FoldMetric from "mvx-metrics/Metric"

class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
  outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
  durationMs: Schema.Finite
}) {}

const Saves = Metric.make("document_storage.saves", {
  events: [SaveAttempt],
  initial: { total: 0, failure_total: 0 },
  reduce: (state, event) =>
    Option.some({
      total: state.total + 1,
      failure_total: state.failure_total + (event.outcome === "FAILURE" ? 1 : 0)
    })
})

const save = (document: string): Effect.Effect<string, "empty"> =>
  (document === "" ? Effect.fail("empty" as const) : Effect.succeed(document)).pipe(
    Recorder.observe((exit, duration) =>
      new SaveAttempt({
        outcome: Exit.isSuccess(exit) ? "SUCCESS" : "FAILURE",
        durationMs: Duration.toMillis(duration)
      })
    )
  )

const program = Effect.gen(function*() {
  yield* Effect.ignore(Effect.forEach(["a", "b", ""], save))
  const runtime = yield* Runtime.MetricsRuntime
  const recorder = yield* runtime.getRecorder("default")
  return yield* recorder.snapshot(Saves)
})

const live = Recorder.layerMetrics(Saves).pipe(Layer.provideMerge(MetricsLive))
const { dimensions } = await Effect.runPromise(Effect.provide(program, live))
const { failure_total, total }: { readonly failure_total: number; readonly total: number } = dimensions
const folded = FoldMetric.fold(Saves, [new SaveAttempt({ outcome: "FAILURE", durationMs: 1 })])

if (total !== 3 || failure_total !== 1 || folded.failure_total !== 1) {
  throw new Error(`Expected 3 saves and 1 failure, found ${JSON.stringify(dimensions)}`)
}

const metrics: Standalone.Standalone = Standalone.make({ namespace: "consumer" })
await metrics.start()
const documents = await metrics.createRecorder("documents", { metrics: [Saves] })
documents.registerEvent(new SaveAttempt({ outcome: "SUCCESS", durationMs: 1 }))
const report: Standalone.ShutdownReport = await metrics.shutdown()

if (report.folded !== 1 || documents.snapshot(Saves).dimensions.total !== 1) {
  throw new Error(`Expected 1 event, found ${JSON.stringify(report)}`)
}

// @ts-expect-error: an outcome is one of two words
export const misspelt = new SaveAttempt({ outcome: "SUCESS", durationMs: 1 })
