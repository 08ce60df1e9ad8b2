import { Config, Console, Effect, Layer, Logger, Runtime } from "effect"
import { CliConfig, type CliError, CliOutput, GlobalFlag } from "effect/cli"

/** What is wrong with a command line, and what it cannot have, is one line on stderr. */
export const layer = (program: string) =>
  Layer.mergeAll(
    CliConfig.layer({ builtIns: [GlobalFlag.Help] }),
    CliOutput.layer({
      ...CliOutput.defaultFormatter(),
      formatError: (error: CliError.CliError) => lineOf(program, error)
    }),
    CliOutput.layerPresenter({
      present: (event) =>
        event._tag === "InvalidInvocation"
          ? Console.error(event.errors.map((error) => lineOf(program, error)).join("\n"))
          : CliOutput.defaultPresenter.present(event)
    }),
    Layer.succeed(Logger.LogToStderr, true)
  )

/** Says what is wrong with a variable of the environment; `runMain` does not say it again. */
export const reportConfigError = (program: string) => (error: Config.ConfigError) =>
  Effect.andThen(
    Console.error(lineOf(program, error.cause)),
    Effect.fail(Object.assign(error, { [Runtime.errorReported]: false }))
  )

const lineOf = (program: string, { message }: Error): string => `${program}: ${message.replace(/\s+/g, " ")}`
