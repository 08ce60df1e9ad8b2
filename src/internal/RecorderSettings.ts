import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
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

/** What a recorder makes of what is given for an option, `undefined` where that is not what is expected. */
type Check<A> = readonly [made: (given: any, inherited: A) => A | undefined, expected: string]

const effect: Check<any> = [(given) => isEffect(given) ? given : undefined, "an Effect"]

const one = <A extends string>(...values: ReadonlyArray<A>): Check<A> => [
  (given) => values.includes(given) ? given : undefined,
  `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`
]

const checks: { readonly [Option in Exclude<keyof RecorderSettings, "namespace">]: Check<RecorderSettings[Option]> } = {
  onStarting: effect,
  onStopped: effect,
  onMetricChanged: [
    (given) => typeof given === "function" ? given : undefined,
    "a function from a change to an Effect"
  ],
  labels: [
    (given, inherited) => {
      if (!Predicate.isObject(given) || Array.isArray(given) || !Object.values(given).every(Predicate.isString)) return
      if (Object.hasOwn(given, "__proto__")) {
        throw InvalidOptionError.of("labels", "__proto__", `names other than "__proto__"`)
      }
      return Object.freeze({ ...inherited, ...given as Record<string, string> })
    },
    "a record of strings"
  ],
  capacity: [(given) => Number.isSafeInteger(given) && given > 0 ? given : undefined, "a positive integer"],
  overflow: one("fold", "drop", "fail"),
  onDefect: one("isolate", "fail"),
  linger: [
    (given) => {
      const linger = Duration.toMillis(durationOf("linger", given))
      return linger > longestTimer ? undefined : linger
    },
    `at most ${longestTimer} ms`
  ],
  // `durationOf` says itself what it expected.
  stopTimeout: [(given) => durationOf("stopTimeout", given), "a duration"]
}

const overrides = Object.keys(checks) as ReadonlyArray<keyof typeof checks>

/** Checks the options of a recorder; throws an `InvalidOptionError` for the first that is wrong. */
export const settingsOf = (
  options: Omit<Options<any>, "entityId">,
  defaults: RecorderSettings = standard
): RecorderSettings => {
  if (!Predicate.isObject(options)) throw InvalidOptionError.of("options", options, "an object")
  if (options.metrics !== undefined && !Array.isArray(options.metrics)) {
    throw InvalidOptionError.of("metrics", options.metrics, "an array of metrics")
  }
  const given = overrides.filter((option) => options[option] !== undefined)
  if (given.length === 0) return defaults
  const check = (option: keyof typeof checks): unknown => {
    const [made, expected] = checks[option] as Check<unknown>
    const setting = made(options[option], defaults[option])
    if (setting === undefined) throw InvalidOptionError.of(option, options[option], expected)
    return setting
  }
  return { ...defaults, ...Object.fromEntries(given.map((option) => [option, check(option)])) }
}

/** Checks a name, and takes white space off it. */
export const nonBlank = (option: string, given: unknown): string => {
  if (typeof given === "string" && given.trim() !== "") return given.trim()
  throw InvalidOptionError.of(option, given, "a non-blank string")
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

/** Checks a duration. */
export const durationOf = (option: string, given: unknown): Duration.Duration => {
  const duration = Duration.fromInput(given as Duration.Input)
  // Effect reads NaN as zero.
  if (Option.isSome(duration) && !Number.isNaN(given) && !Duration.isNegative(duration.value)) return duration.value
  throw InvalidOptionError.of(option, given, `a duration of zero or more, such as "5 millis"`)
}
