/**
 * Managing a recorder by hand: start, stop, restart, reading at any time, and a
 * start that fails.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Data, Effect, References } from "effect"
import { Recorder } from "mvx-metrics"
import { SaveAttempts } from "../document-storage/DocumentStorageMetrics.ts"
import { SaveAttempt } from "../document-storage/SaveAttempt.ts"

const saved = new SaveAttempt({ outcome: "SUCCESS", durationMs: 2, bytes: 300 })

/** What a step results in, the status after it, and the number of saves counted so far. */
const show = <A, E extends Error>(recorder: Recorder.Handle, step: string, effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const result = yield* Effect.match(effect, {
      onSuccess: (value) => value === undefined ? "ok" : JSON.stringify(value),
      onFailure: (error) => error.message
    })
    const { _tag } = yield* recorder.status
    const { dimensions } = yield* recorder.snapshot(SaveAttempts)
    yield* Console.log(`${step.padEnd(8)} ${_tag.padEnd(8)} total=${dimensions.total}  ${result}`)
  })

const lifecycle = Effect.gen(function*() {
  const recorder = yield* Recorder.make({ entityId: "document_storage", metrics: [SaveAttempts] })
  yield* show(recorder, "make", Effect.void)
  yield* show(recorder, "start", recorder.start)
  yield* show(recorder, "event", recorder.registerEvent(saved))
  yield* show(recorder, "stop", recorder.stop)
  yield* show(recorder, "event", recorder.registerEvent(saved))
  yield* show(recorder, "restart", recorder.start)
  yield* show(recorder, "event", recorder.registerEvent(saved))
  yield* show(recorder, "stop", recorder.stop)
})

class BackendUnreachable extends Data.TaggedError("BackendUnreachable") {
  override readonly message = "the backend is unreachable"
}

const failingStart = Effect.gen(function*() {
  const recorder = yield* Recorder.make({
    entityId: "unreachable",
    metrics: [SaveAttempts],
    onStarting: Effect.fail(new BackendUnreachable())
  })
  yield* show(recorder, "start", recorder.start)
  yield* show(recorder, "event", recorder.registerEvent(saved))
})

Effect.andThen(lifecycle, failingStart).pipe(
  Effect.scoped,
  // The recorder also logs a failed start; here it is printed as an outcome.
  Effect.provideService(References.MinimumLogLevel, "None"),
  NodeRuntime.runMain
)
