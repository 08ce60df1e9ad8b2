import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import type { Options } from "../Recorder.ts"
import { InvalidOptionError } from "./InvalidOptionError.ts"

/** The options of a recorder, checked and complete. What its hooks require beside a scope was captured. */
export interface RecorderSettings extends Pick<Options<Scope.Scope>, "onStarting" | "onStopped" | "onMetricChanged"> {
  readonly entityId: string
  readonly labels: Readonly<Record<string, string>>
  readonly capacity: number
  readonly overflow: "fold" | "drop" | "fail"
  readonly onDefect: "isolate" | "fail"
  /** Milliseconds. */
  readonly linger: number
  readonly stopTimeout: Duration.Duration
}

const isEffect: (u: unknown) => boolean = Effect.isEffect

/** Timers of the host are not longer than this, in milliseconds. */
const longestTimer = 2 ** 31 - 1

/** Checks the options of a recorder; throws an `InvalidOptionError` for the first that is wrong. */
export const settingsOf = (options: Options<any>): RecorderSettings => {
  if (!Predicate.isObject(options)) throw InvalidOptionError.of("options", options, "an object")
  const { entityId, onMetricChanged, onStarting, onStopped } = options as Options<Scope.Scope>
  if (typeof entityId !== "string" || entityId.trim() === "") {
    throw InvalidOptionError.of("entityId", entityId, "a non-blank string")
  }
  if (options.metrics !== undefined && !Array.isArray(options.metrics)) {
    throw InvalidOptionError.of("metrics", options.metrics, "an array of metrics")
  }
  if (onStarting !== undefined && !isEffect(onStarting)) {
    throw InvalidOptionError.of("onStarting", onStarting, "an Effect")
  }
  if (onStopped !== undefined && !isEffect(onStopped)) {
    throw InvalidOptionError.of("onStopped", onStopped, "an Effect")
  }
  if (onMetricChanged !== undefined && typeof onMetricChanged !== "function") {
    throw InvalidOptionError.of("onMetricChanged", onMetricChanged, "a function from a change to an Effect")
  }
  const linger = Duration.toMillis(durationOf("linger", options.linger, 5))
  if (linger > longestTimer) throw InvalidOptionError.of("linger", options.linger, `at most ${longestTimer} ms`)
  return {
    entityId: entityId.trim(),
    labels: labelsOf(options.labels),
    capacity: capacityOf(options.capacity),
    overflow: oneOf("overflow", options.overflow, ["fold", "drop", "fail"]),
    onDefect: oneOf("onDefect", options.onDefect, ["isolate", "fail"]),
    linger,
    stopTimeout: durationOf("stopTimeout", options.stopTimeout, 5_000),
    onStarting,
    onStopped,
    onMetricChanged
  }
}

const capacityOf = (given: unknown = 10_000): number => {
  if (Number.isSafeInteger(given) && (given as number) > 0) return given as number
  throw InvalidOptionError.of("capacity", given, "a positive integer")
}

const oneOf = <A extends string>(option: string, given: unknown, expected: readonly [A, ...ReadonlyArray<A>]): A => {
  if (given === undefined) return expected[0]
  if (expected.includes(given as A)) return given as A
  throw InvalidOptionError.of(option, given, `one of ${expected.map((value) => JSON.stringify(value)).join(", ")}`)
}

const durationOf = (option: string, given: unknown, defaultMs: number): Duration.Duration => {
  if (given === undefined) return Duration.millis(defaultMs)
  let duration: Duration.Duration | undefined
  try {
    duration = Duration.fromInputUnsafe(given as Duration.Input)
  } catch {
    duration = undefined
  }
  // Effect reads NaN as zero.
  if (duration === undefined || Number.isNaN(given) || Duration.isNegative(duration)) {
    throw InvalidOptionError.of(option, given, "a duration of zero or more")
  }
  return duration
}

const noLabels: Readonly<Record<string, string>> = Object.freeze({})

const labelsOf = (given: unknown): Readonly<Record<string, string>> => {
  if (given === undefined) return noLabels
  if (!Predicate.isObject(given) || Array.isArray(given) || !Object.values(given).every(Predicate.isString)) {
    throw InvalidOptionError.of("labels", given, "a record of strings")
  }
  return Object.freeze({ ...given as Record<string, string> })
}
