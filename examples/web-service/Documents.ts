import { Effect, FileSystem, Path, PlatformError, Stream } from "effect"
import { DocumentStorage } from "../document-storage/DocumentStorage.ts"

/** The documents of a folder, each a file, which the document storage saves. */
export const make = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* DocumentStorage

  const find = Effect.fnUntraced(function*(id: string) {
    const file = path.join(folder, id)
    const { type } = yield* fs.stat(file)
    return type === "File" ? file : yield* notAFile
  })

  /** Says whether there was no such document before. */
  const put = Effect.fnUntraced(function*(id: string, content: Uint8Array) {
    const isNew = yield* Effect.isFailure(find(id))
    yield* storage.save({ name: id, content: Stream.succeed(content) })
    return isNew
  })

  return {
    put,
    get: (id: string) => Effect.flatMap(find(id), (file) => fs.readFile(file)),
    remove: (id: string) => Effect.flatMap(find(id), (file) => fs.remove(file))
  }
})

const notAFile = PlatformError.systemError({
  _tag: "NotFound",
  module: "Documents",
  method: "find",
  description: "not a file"
})
