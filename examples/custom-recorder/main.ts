/**
 * A custom recorder in a runtime: `saves` hands its facts to a recorder as ever,
 * and does not know that this one writes them to a file as well. Give a FILE to
 * keep it.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, FileSystem, Layer, Logger, Stdio } from "effect"
import { Recorder, Runtime } from "mvx-metrics"
import { SaveAttempts, SavedBytes } from "../document-storage/DocumentStorageMetrics.ts"
import { SaveAttempt } from "../document-storage/SaveAttempt.ts"
import * as FileRecorder from "./FileRecorder.ts"

const saves = Effect.andThen(
  Recorder.emit(new SaveAttempt({ outcome: "SUCCESS", durationMs: 2, bytes: 300 })),
  Recorder.emit(new SaveAttempt({ outcome: "FAILURE", durationMs: 1, reason: "empty" }))
)

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const args = yield* Stdio.Stdio.use(({ args }) => args)
  const file = args[0] ?? (yield* fs.makeTempFileScoped({ suffix: ".jsonl" }))
  const count = (when: string) =>
    Effect.flatMap(fs.readFileString(file), (text) => Console.error(`${when}: ${text.split("\n").length - 1} lines`))

  const live = Runtime.layerRecorder("document_storage", {
    metrics: [SaveAttempts, SavedBytes],
    wrap: FileRecorder.wrap({ file, events: SaveAttempt })
  }).pipe(Layer.provideMerge(Runtime.layer()))

  yield* Effect.provide(
    Effect.gen(function*() {
      yield* saves
      yield* Recorder.Recorder.use((recorder) => recorder.flush)
      yield* count("after the flush")
      yield* saves
      yield* Runtime.MetricsRuntime.use((runtime) => runtime.stopRecorder("document_storage"))
      yield* count("after the stop")
    }),
    live
  )
  yield* Console.log((yield* fs.readFileString(file)).trimEnd())
})

program.pipe(
  Effect.scoped,
  Effect.provide([NodeServices.layer, Layer.succeed(Logger.LogToStderr, true)]),
  Effect.tapCause((cause) => Console.error(String(Cause.squash(cause)))),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
