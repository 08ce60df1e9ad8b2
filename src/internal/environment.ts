import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type { Options } from "../Runtime.ts"
import { longestTimer } from "./host.ts"

const durationUpTo = (most: number) =>
  Schema.DurationFromString.check(
    Schema.makeFilter<Duration.Duration>((duration) => {
      const millis = Duration.toMillis(duration)
      return millis >= 0 && millis <= most ? undefined : `Expected a duration from 0 to ${most} ms`
    })
  )

const optional = Config.withDefault(undefined)

/** The options of a runtime, as the `METRICS_*` of the environment have them. */
export const environment: Config.Config<Options> = Config.all({
  namespace: optional(Config.schema(Schema.Trim.check(Schema.isNonEmpty()), "METRICS_NAMESPACE")),
  capacity: optional(Config.schema(Schema.Int.check(Schema.isGreaterThan(0)), "METRICS_CAPACITY")),
  overflow: optional(Config.Literals(["fold", "drop", "fail"], "METRICS_OVERFLOW")),
  linger: optional(Config.schema(durationUpTo(longestTimer), "METRICS_LINGER")),
  stopTimeout: optional(Config.schema(durationUpTo(Infinity), "METRICS_STOP_TIMEOUT"))
})
