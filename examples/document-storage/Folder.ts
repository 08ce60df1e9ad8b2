import { Effect, FileSystem, Option, Path, PlatformError, Schema, Stream } from "effect"
import { type Document, problemOf } from "./DocumentStorage.ts"

/** A folder cannot be used at all. */
export class FolderError extends Schema.TaggedError<FolderError>()("FolderError", {
  folder: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `cannot use ${JSON.stringify(this.folder)}: ${this.problem}`
  }
}

/** The real path of a folder, once it is sure that it can be listed. */
export const open = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readDirectoryEntries(folder).pipe(
    Effect.andThen(fs.realPath(folder)),
    Effect.mapError(problemWith(folder))
  )
})

/** The real path of a folder, once it exists and can be written to. */
export const create = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  // Not with `recursive`, with which Node 24 never comes back from a folder that cannot be made below /proc.
  const make = (folder: string): Effect.Effect<void, PlatformError.PlatformError> =>
    fs.makeDirectory(folder).pipe(
      Effect.catchReasons("PlatformError", {
        AlreadyExists: () => Effect.void,
        NotFound: () => Effect.andThen(make(path.dirname(folder)), fs.makeDirectory(folder))
      })
    )
  return yield* make(folder).pipe(
    Effect.andThen(fs.readDirectoryEntries(folder)),
    Effect.andThen(fs.access(folder, { writable: true })),
    Effect.andThen(fs.realPath(folder)),
    Effect.mapError(problemWith(folder))
  )
})

/** Whether a folder is another one, or below it; of real paths. */
export const isWithin = Effect.fnUntraced(function*(folder: string, other: string) {
  const path = yield* Path.Path
  return Option.isSome(path.resolveWithin(other, path.relative(other, folder)))
})

/**
 * Every file below a folder as a document, named by its path from `base`.
 *
 * What is in memory is one listing for each level. What is not a file, and a
 * folder that cannot be listed, is a document that cannot be read; links to
 * folders are not followed.
 */
export const documents = (
  folder: string,
  options: { readonly base: string; readonly except: string }
): Stream.Stream<Document, never, FileSystem.FileSystem | Path.Path> =>
  Stream.unwrap(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path

    const document = (file: string, content: Document["content"]): Document => ({
      name: path.relative(options.base, file).replaceAll(path.sep, "/"),
      content
    })

    // Opening a pipe would wait for somebody to write to it.
    const read = (file: string): Document["content"] =>
      Stream.unwrap(Effect.map(fs.stat(file), ({ type }) => type === "File" ? fs.stream(file) : Stream.fail(notAFile)))

    const walk = (folder: string): Stream.Stream<Document> =>
      Stream.fromIterableEffect(fs.readDirectoryEntries(folder)).pipe(
        Stream.map(({ name, type }) => ({ file: path.join(folder, name), type })),
        Stream.filter(({ file }) => file !== options.except),
        Stream.flatMap(({ file, type }) =>
          type === "Directory" ? walk(file) : Stream.succeed(document(file, read(file)))
        ),
        Stream.catch((error) => Stream.succeed(document(folder, Stream.fail(error))))
      )

    return walk(folder)
  }))

const problemWith = (folder: string) => (error: PlatformError.PlatformError): FolderError =>
  new FolderError({ folder, problem: problems[error.reason._tag] ?? problemOf(error) })

const problems: Partial<Record<string, string>> = {
  NotFound: "it does not exist",
  PermissionDenied: "permission denied",
  BadResource: "it is not a folder"
}

const notAFile = PlatformError.systemError({
  _tag: "BadResource",
  module: "Folder",
  method: "read",
  description: "not a file"
})
