/**
 * A web service that keeps documents in a folder, with its numbers at /metrics
 * (for Prometheus), /snapshots (as JSON) and /changes (as they happen).
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, FileSystem, Option, Runtime, Schema } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import { HttpServer } from "effect/http"
import * as ConsoleExporter from "mvx-metrics/exporters/Console"
import * as CommandLine from "../CommandLine.ts"
import * as DocumentStorageMetrics from "../document-storage/DocumentStorageMetrics.ts"
import * as Folder from "../document-storage/Folder.ts"
import * as Load from "./Load.ts"
import * as WebService from "./WebService.ts"

const name = "web-service"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))

const portOf = Option.match({
  onNone: () => Config.schema(Port, "PORT").pipe(Config.withDefault(3_000)),
  onSome: (port: number) => Effect.succeed(port)
})

const folderOf = Effect.fnUntraced(function*(dir: Option.Option<string>) {
  if (Option.isSome(dir)) return yield* Folder.create(dir.value)
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: `${name}-` }), fs.realPath)
})

const serve = Effect.fnUntraced(function*(options: {
  readonly dir: Option.Option<string>
  readonly port: Option.Option<number>
  readonly load: Option.Option<number>
}) {
  const port = yield* portOf(options.port)
  const folder = yield* folderOf(options.dir)
  yield* Effect.gen(function*() {
    const url = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
    yield* Console.log(`${url} keeps documents in ${folder}\n${WebService.places}`)
    yield* Option.match(options.load, { onNone: () => Effect.never, onSome: (seconds) => Load.run(url, seconds) })
  }).pipe(Effect.provide(WebService.layer({ folder, port })))
}, Effect.scoped)

const report = Effect.flatMap(Effect.orDie(ConsoleExporter.format({ width: 160 })), Console.log)

const command = Command.make(
  name,
  {
    dir: Flag.String("dir").pipe(
      Flag.withMetavar("FOLDER"),
      Flag.withDescription("Where the documents are; a temporary folder unless given"),
      Flag.optional
    ),
    port: Flag.Int("port").pipe(
      Flag.withSchema(Port),
      Flag.withMetavar("PORT"),
      Flag.withDescription("3000 unless given, here or by the variable PORT; 0 is any free port"),
      Flag.optional
    ),
    load: Flag.Finite("load").pipe(
      Flag.filter((seconds) => seconds > 0, (seconds) => `Expected more than 0 seconds, got ${seconds}`),
      Flag.withMetavar("SECONDS"),
      Flag.withDescription("Make requests for so long, print what became of them, and stop"),
      Flag.optional
    )
  },
  (options) =>
    serve(options).pipe(
      Effect.mapError((cause) => cause._tag === "ConfigError" ? cause : new CliError.UserError({ cause })),
      Effect.tap(() => report),
      Effect.onInterrupt(() => report)
    )
).pipe(
  Command.withDescription("Keeps documents in a folder, measures that, and serves the numbers too.")
)

Command.run(command, { version: "0.1.0" }).pipe(
  Effect.provide([DocumentStorageMetrics.layer, NodeServices.layer, CommandLine.layer(name)]),
  Effect.catchTag("ConfigError", CommandLine.reportConfigError(name)),
  NodeRuntime.runMain({
    // To be told to stop is how a service ends well.
    teardown: (exit, onExit) => Runtime.defaultTeardown(exit, (code) => onExit(code === 130 ? 0 : code))
  })
)
