import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import type { Options } from "../Recorder.ts"
import { longestTimer } from "./host.ts"
import { InvalidOptionError } from "./InvalidOptionError.ts"

/**
 * The options of a recorder, checked and complete. What its hooks require beside
 * a scope was captured. Recorders of a runtime that override nothing share one.
 */
export interface RecorderSettings extends Pick<Options<Scope.Scope>, "onStarting" | "onStopped" | "onMetricChanged"> {
  /** The name of the runtime; a recorder that was made directly has none. */
  readonly namespace: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly capacity: number
  readonly overflow: "fold" | "drop" | "fail"
  readonly onDefect: "isolate" | "fail"
  /** Milliseconds. */
  readonly linger: number
  readonly stopTimeout: Duration.Duration
}

const isEffect: (u: unknown) => boolean = Effect.isEffect

const standard: RecorderSettings = {
  namespace: undefined,
  labels: Object.freeze({}),
  capacity: 10_000,
  overflow: "fold",
  onDefect: "isolate",
  linger: 5,
  stopTimeout: Duration.seconds(5),
  onStarting: undefined,
  onStopped: undefined,
  onMetricChanged: undefined
}

/** Checks the options of a recorder; throws an `InvalidOptionError` for the first that is wrong. */
export const settingsOf = (
  options: Omit<Options<any>, "entityId">,
  defaults: RecorderSettings = standard
): RecorderSettings => {
  if (!Predicate.isObject(options)) throw InvalidOptionError.of("options", options, "an object")
  if (options.metrics !== undefined && !Array.isArray(options.metrics)) {
    throw InvalidOptionError.of("metrics", options.metrics, "an array of metrics")
  }
  if (!overrides.some((option) => options[option] !== undefined)) return defaults
  const { onMetricChanged, onStarting, onStopped } = options as Options<Scope.Scope>
  if (onStarting !== undefined && !isEffect(onStarting)) {
    throw InvalidOptionError.of("onStarting", onStarting, "an Effect")
  }
  if (onStopped !== undefined && !isEffect(onStopped)) {
    throw InvalidOptionError.of("onStopped", onStopped, "an Effect")
  }
  if (onMetricChanged !== undefined && typeof onMetricChanged !== "function") {
    throw InvalidOptionError.of("onMetricChanged", onMetricChanged, "a function from a change to an Effect")
  }
  return {
    namespace: defaults.namespace,
    labels: labelsOf(options.labels, defaults.labels),
    capacity: capacityOf(options.capacity, defaults.capacity),
    overflow: oneOf("overflow", options.overflow, ["fold", "drop", "fail"], defaults.overflow),
    onDefect: oneOf("onDefect", options.onDefect, ["isolate", "fail"], defaults.onDefect),
    linger: lingerOf(options.linger, defaults.linger),
    stopTimeout: options.stopTimeout === undefined
      ? defaults.stopTimeout
      : durationOf("stopTimeout", options.stopTimeout),
    onStarting,
    onStopped,
    onMetricChanged
  }
}

const overrides = [
  "labels",
  "capacity",
  "overflow",
  "onDefect",
  "linger",
  "stopTimeout",
  "onStarting",
  "onStopped",
  "onMetricChanged"
] as const satisfies ReadonlyArray<keyof Options>

/** Checks a name, and takes white space off it. */
export const nonBlank = (option: string, given: unknown): string => {
  if (typeof given === "string" && given.trim() !== "") return given.trim()
  throw InvalidOptionError.of(option, given, "a non-blank string")
}

const capacityOf = (given: unknown, otherwise: number): number => {
  if (given === undefined) return otherwise
  if (Number.isSafeInteger(given) && (given as number) > 0) return given as number
  throw InvalidOptionError.of("capacity", given, "a positive integer")
}

/** Checks that an option is one of some values. */
export const oneOf = <A extends string>(
  option: string,
  given: unknown,
  expected: ReadonlyArray<A>,
  otherwise: A
): A => {
  if (given === undefined) return otherwise
  if (expected.includes(given as A)) return given as A
  throw InvalidOptionError.of(option, given, `one of ${expected.map((value) => JSON.stringify(value)).join(", ")}`)
}

/** Checks how a recorder of a runtime is exported. */
export const exportOf = (given: unknown): "own" | "rollup" => oneOf("export", given, ["own", "rollup"], "own")

const lingerOf = (given: unknown, otherwise: number): number => {
  if (given === undefined) return otherwise
  const linger = Duration.toMillis(durationOf("linger", given))
  if (linger > longestTimer) throw InvalidOptionError.of("linger", given, `at most ${longestTimer} ms`)
  return linger
}

/** Checks a duration. */
export const durationOf = (option: string, given: unknown): Duration.Duration => {
  let duration: Duration.Duration | undefined
  try {
    duration = Duration.fromInputUnsafe(given as Duration.Input)
  } catch {
    duration = undefined
  }
  // Effect reads NaN as zero.
  if (duration === undefined || Number.isNaN(given) || Duration.isNegative(duration)) {
    throw InvalidOptionError.of(option, given, `a duration of zero or more, such as "5 millis"`)
  }
  return duration
}

const labelsOf = (
  given: unknown,
  inherited: Readonly<Record<string, string>>
): Readonly<Record<string, string>> => {
  if (given === undefined) return inherited
  if (!Predicate.isObject(given) || Array.isArray(given) || !Object.values(given).every(Predicate.isString)) {
    throw InvalidOptionError.of("labels", given, "a record of strings")
  }
  if (Object.hasOwn(given, "__proto__")) {
    throw InvalidOptionError.of("labels", "__proto__", `names other than "__proto__"`)
  }
  return Object.freeze({ ...inherited, ...given as Record<string, string> })
}
