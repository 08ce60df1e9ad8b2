import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { durationOf } from "../../internal/RecorderSettings.ts"
import { InvalidOptionError } from "../../Recorder.ts"

/** Checks options; `check` throws an `InvalidOptionError` for the first that is wrong. */
export const checked = <A>(check: () => A): Effect.Effect<A, InvalidOptionError> =>
  Effect.try({ try: check, catch: (error) => error as InvalidOptionError })

/** Checks how often something is exported. */
export const intervalOf = (given: unknown): Duration.Duration => {
  const interval = given === undefined ? Duration.seconds(10) : durationOf("interval", given)
  if (Duration.isZero(interval)) throw InvalidOptionError.of("interval", given, "a duration above zero")
  return interval
}

/** Checks how long the end may take. */
export const shutdownTimeoutOf = (given: unknown): Duration.Duration =>
  given === undefined ? Duration.seconds(3) : durationOf("shutdownTimeout", given)

/** Checks a switch. */
export const booleanOf = (option: string, given: unknown): boolean | undefined => {
  if (given === undefined || typeof given === "boolean") return given
  throw InvalidOptionError.of(option, given, "a boolean")
}
