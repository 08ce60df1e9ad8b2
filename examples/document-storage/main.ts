import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Option, Path, Stdio, Stream } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import * as CommandLine from "../CommandLine.ts"
import * as DocumentStorage from "./DocumentStorage.ts"
import * as DocumentStorageMetrics from "./DocumentStorageMetrics.ts"
import * as Folder from "./Folder.ts"
import * as Report from "./Report.ts"

const name = "document-storage"

/** The folders to store, and where the names of their documents begin. */
const sourcesOf = Effect.fnUntraced(function*(directory: Option.Option<string>) {
  if (Option.isSome(directory)) {
    const folder = yield* Folder.open(directory.value)
    return { base: folder, folders: [folder] }
  }
  const path = yield* Path.Path
  const base = path.resolve(import.meta.dirname, "../..")
  return { base, folders: yield* Effect.forEach(["docs", "src"], (name) => Folder.open(path.join(base, name))) }
})

const targetOf = Effect.fnUntraced(function*(target: Option.Option<string>, sources: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  if (Option.isNone(target)) {
    return yield* Effect.flatMap(fs.makeTempDirectory({ prefix: "document-storage-" }), fs.realPath)
  }
  const folder = yield* Folder.create(target.value)
  for (const source of sources) {
    if (yield* Folder.isWithin(source, folder)) {
      return yield* new Folder.FolderError({ folder, problem: "the documents to store are in it" })
    }
  }
  return folder
})

const save = (document: DocumentStorage.Document) =>
  DocumentStorage.DocumentStorage.use((storage) => storage.save(document)).pipe(
    Effect.catch((error) => Console.error(`  ${error.message}`))
  )

const storeDocuments = Effect.fnUntraced(function*(options: {
  readonly directory: Option.Option<string>
  readonly target: Option.Option<string>
}) {
  const { base, folders } = yield* sourcesOf(options.directory)
  const target = yield* targetOf(options.target, folders)
  yield* Console.error(`Storing ${folders.join(" and ")} in ${target}`)
  yield* Stream.fromIterable(folders).pipe(
    Stream.flatMap((folder) => Folder.documents(folder, { base, except: target })),
    Stream.mapEffect(save, { concurrency: 16, unordered: true }),
    Stream.runDrain,
    Effect.raceFirst(Report.progress),
    Effect.onExit(() => Report.summary),
    Effect.provide(DocumentStorage.layer(target))
  )
})

const command = Command.make(
  name,
  {
    directory: Argument.String("DIR").pipe(
      Argument.withDescription("The folder whose files are stored; this repository's docs and src unless given"),
      Argument.optional
    ),
    target: Flag.String("target").pipe(
      Flag.withMetavar("FOLDER"),
      Flag.withDescription("Where they are stored; a fresh temporary folder unless given"),
      Flag.optional
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Print the snapshots as JSON instead of a table"),
      Flag.withDefault(false)
    )
  },
  ({ json, ...options }) =>
    storeDocuments(options).pipe(
      Effect.mapError((cause) => new CliError.UserError({ cause })),
      Effect.onExit(() => Report.print(json ? "json" : "table"))
    )
).pipe(
  Command.withDescription("Stores every file of a folder, and prints what the metrics say about it.")
)

const program = Command.run(command, { version: "0.1.0" }).pipe(
  // A command line that cannot be understood: nothing was done, and the metrics say so in the format that was asked for.
  Effect.tapErrorTag(
    "ShowHelp",
    () =>
      Stdio.Stdio.use(({ args }) =>
        Effect.flatMap(args, (args) => Report.print(args.includes("--json") ? "json" : "table"))
      )
  )
)

program.pipe(
  Effect.provide([DocumentStorageMetrics.layer, NodeServices.layer, CommandLine.layer(name)]),
  Effect.catchTag("ConfigError", CommandLine.reportConfigError(name)),
  NodeRuntime.runMain
)
