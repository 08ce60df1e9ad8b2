/**
 * A custom recorder: `saves` hands its facts to a recorder as ever, and does not
 * know that this one forwards each change to a file. Give a FILE to keep it.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, FileSystem, References, Stdio } from "effect"
import { Recorder } from "mvx-metrics"
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
  yield* saves.pipe(
    Effect.provide(FileRecorder.layer({ file, entityId: "document_storage", metrics: [SaveAttempts, SavedBytes] }))
  )
  yield* Console.log((yield* fs.readFileString(file)).trimEnd())
})

program.pipe(
  Effect.scoped,
  Effect.provide(NodeServices.layer),
  // The recorder also logs a failed start, with its stack; the line is enough here.
  Effect.provideService(References.MinimumLogLevel, "None"),
  Effect.tapCause((cause) => Console.error(String(Cause.squash(cause)))),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
