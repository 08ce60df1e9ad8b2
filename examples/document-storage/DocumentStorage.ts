import {
  Cause,
  Context,
  Duration,
  Effect,
  Exit,
  FileSystem,
  Layer,
  Option,
  Path,
  PlatformError,
  Schema,
  Stream
} from "effect"
import { Recorder } from "mvx-metrics"
import { type FailureReason, SaveAttempt } from "./SaveAttempt.ts"

/** A name (folders are separated by `/`), and the bytes that are read when the document is saved. */
export interface Document {
  readonly name: string
  readonly content: Stream.Stream<Uint8Array, PlatformError.PlatformError>
}

export class NameNotAllowed
  extends Schema.TaggedError<NameNotAllowed>()("NameNotAllowed", { document: Schema.String })
{
  readonly reason = "name_not_allowed"
  override get message() {
    return `${JSON.stringify(this.document)}: the name is not allowed`
  }
}

export class UnreadableDocument extends Schema.TaggedError<UnreadableDocument>()("UnreadableDocument", {
  document: Schema.String,
  problem: Schema.String
}) {
  readonly reason = "unreadable"
  override get message() {
    return `${this.document}: the document cannot be read (${this.problem})`
  }
}

export class EmptyDocument extends Schema.TaggedError<EmptyDocument>()("EmptyDocument", { document: Schema.String }) {
  readonly reason = "empty"
  override get message() {
    return `${this.document}: the document is empty`
  }
}

export class DocumentNotWritten extends Schema.TaggedError<DocumentNotWritten>()("DocumentNotWritten", {
  document: Schema.String,
  problem: Schema.String
}) {
  readonly reason = "not_written"
  override get message() {
    return `${this.document}: the document cannot be written (${this.problem})`
  }
}

export type SaveError = NameNotAllowed | UnreadableDocument | EmptyDocument | DocumentNotWritten

/** Saves documents as files. */
export class DocumentStorage extends Context.Service<DocumentStorage, {
  /** Saves a document whole or not at all, replacing an earlier one, and says how many bytes it has. */
  readonly save: (document: Document) => Effect.Effect<number, SaveError>
}>()("examples/document-storage/DocumentStorage") {}

/** What the operating system says, in one line. */
export const problemOf = ({ reason }: PlatformError.PlatformError): string =>
  reason.cause instanceof Error ? reason.cause.message : reason.description ?? reason.message

export const make = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  // Documents are written here and then moved: the folder never shows half a document.
  const drafts = yield* fs.makeTempDirectoryScoped({ directory: folder, prefix: ".drafts-" })
  let draftCount = 0

  const write = Effect.fnUntraced(function*({ content, name }: Document, draft: string) {
    let bytes = 0
    yield* content.pipe(
      Stream.mapError((error) => new UnreadableDocument({ document: name, problem: problemOf(error) })),
      Stream.tap((chunk) => Effect.sync(() => bytes += chunk.length)),
      Stream.run(fs.sink(draft))
    )
    return bytes === 0 ? yield* new EmptyDocument({ document: name }) : bytes
  })

  const publish = Effect.fnUntraced(function*({ name }: Document, draft: string) {
    const file = path.join(folder, name)
    yield* fs.makeDirectory(path.dirname(file), { recursive: true })
    yield* fs.rename(draft, file)
  })

  const save = (document: Document) =>
    // Only the writing can be interrupted: a document that is in place was saved, and is counted as such.
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        if (!isAllowed(document.name)) return yield* new NameNotAllowed({ document: document.name })
        const draft = path.join(drafts, `${draftCount++}`)
        return yield* restore(write(document, draft)).pipe(
          Effect.tap(() => publish(document, draft)),
          Effect.onError(() => Effect.ignore(fs.remove(draft, { force: true })))
        )
      }).pipe(
        Effect.catchTag(
          "PlatformError",
          (error) => Effect.fail(new DocumentNotWritten({ document: document.name, problem: problemOf(error) }))
        ),
        Recorder.observe(attempt)
      )
    )

  return DocumentStorage.of({ save })
})

/** The documents go into a folder that exists. */
export const layer = (
  folder: string
): Layer.Layer<DocumentStorage, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(DocumentStorage, make(folder))

/** Every segment is a name that all file systems can hold, and none is hidden. */
const isAllowed = (name: string): boolean =>
  name.split("/").every((segment) => /^(?!\.)[^\p{Cc}<>:"|?*\\]{1,255}(?<![. ])$/u.test(segment))

const attempt = (exit: Exit.Exit<number, SaveError>, duration: Duration.Duration): SaveAttempt => {
  const durationMs = Duration.toMillis(duration)
  return Exit.match(exit, {
    onSuccess: (bytes) => new SaveAttempt({ outcome: "SUCCESS", durationMs, bytes }),
    onFailure: (cause) => new SaveAttempt({ outcome: "FAILURE", durationMs, reason: reasonOf(cause) })
  })
}

const reasonOf = (cause: Cause.Cause<SaveError>): FailureReason | undefined =>
  Option.match(Cause.findErrorOption(cause), {
    onSome: (error) => error.reason,
    onNone: () => Cause.hasInterruptsOnly(cause) ? "interrupted" : undefined
  })
