/**
 * Reacting to accepted events: the recorder's owner raises an alert when too
 * many saves fail, and a subscriber sees every change. The code that states the
 * facts knows of neither.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber, Ref, Stream } from "effect"
import { Recorder } from "mvx-metrics"
import { SaveAttempts, SavedBytes } from "../document-storage/DocumentStorageMetrics.ts"
import { SaveAttempt } from "../document-storage/SaveAttempt.ts"

const saves = Effect.forEach(
  [200, 300, undefined, undefined, undefined, 100, 400],
  (bytes) =>
    Recorder.emit(
      bytes === undefined
        ? new SaveAttempt({ outcome: "FAILURE", durationMs: 1, reason: "unreadable" })
        : new SaveAttempt({ outcome: "SUCCESS", durationMs: 2, bytes })
    ),
  { discard: true }
)

/** Says when half of the saves have failed, and when it is less again. */
const makeAlert = Effect.gen(function*() {
  const raised = yield* Ref.make(false)
  return Effect.fnUntraced(function*(change: Recorder.MetricChange) {
    if (!Recorder.isChangeOf(change, SaveAttempts) || change.snapshot === undefined) return
    const { failure_total, total } = change.snapshot.dimensions
    const raise = failure_total / total >= 0.5
    if ((yield* Ref.getAndSet(raised, raise)) === raise) return
    yield* Console.log(`${raise ? "ALERT" : "ALL CLEAR"}: ${failure_total} of ${total} saves failed`)
  })
})

const program = Effect.gen(function*() {
  const recorder = yield* Recorder.make({
    entityId: "document_storage",
    metrics: [SaveAttempts, SavedBytes],
    onMetricChanged: yield* makeAlert
  })
  const subscriber = yield* recorder.changes.pipe(
    Stream.filter((change) => Recorder.isChangeOf(change, SavedBytes)),
    Stream.map(({ sequence, snapshot }) => `change ${sequence}: ${snapshot?.dimensions.bytes_total} bytes saved`),
    Stream.take(4),
    Stream.runCollect,
    Effect.forkChild({ startImmediately: true })
  )
  yield* Effect.provideService(saves, Recorder.Recorder, recorder)
  yield* recorder.flush
  yield* Effect.forEach(yield* Fiber.join(subscriber), (line) => Console.log(line))
})

NodeRuntime.runMain(Effect.scoped(program))
