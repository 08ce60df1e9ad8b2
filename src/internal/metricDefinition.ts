/** The checks of a metric's definition. They throw an `InvalidMetricError`. */
import * as Predicate from "effect/Predicate"
import type { Meta } from "./EventMeta.ts"
import { faultOf, type Instruments, isRecord } from "./Instrument.ts"
import { InvalidOptionError } from "./InvalidOptionError.ts"
import { InvalidMetricError } from "./MetricError.ts"
import { tagOf } from "./tagOf.ts"

export const checkName = (name: unknown): void => {
  if (typeof name !== "string" || name.trim() === "") {
    throw InvalidMetricError.of(undefined, name, "the name to be a non-blank string")
  }
}

export const checkVersion = (name: string, version: unknown): void => {
  if (!Number.isInteger(version) || (version as number) < 1) {
    throw InvalidMetricError.of(name, version, "`version` to be a positive integer")
  }
}

export const checkFunction = (name: string, combinator: string, f: unknown): void => {
  if (typeof f !== "function") throw InvalidMetricError.of(name, f, `${combinator} to be given a function`)
}

export const tagsOf = (name: string, events: unknown): ReadonlyArray<string> => {
  if (!Array.isArray(events) || events.length === 0) {
    throw InvalidMetricError.of(name, events, "`events` to be a non-empty array, or absent for every event")
  }
  const tags = events.map((source: unknown) => {
    const tag = typeof source === "string" ? source : Predicate.isFunction(source) ? tagOf(source) : undefined
    if (tag === undefined || tag.trim() === "") {
      throw InvalidMetricError.of(name, source, "`events` to hold tags, or event classes with a readable tag")
    }
    return tag
  })
  return Object.freeze(Array.from(new Set(tags)))
}

/** The dimensions of a fresh metric, or `undefined` where the view throws on the initial state. */
export const shapeOf = (
  name: string,
  view: (state: any, meta: Meta) => unknown,
  initial: unknown
): Record<string, unknown> | undefined => {
  let shape: unknown
  try {
    shape = view(initial, { time: 0 })
  } catch {
    return undefined
  }
  if (!isRecord(shape)) throw InvalidMetricError.of(name, shape, "`dimensions` to show a record")
  checkPaths<unknown>(name, shape, (shown) => isRecord(shown) ? shown : undefined)
  return shape
}

export const checkInstruments = (
  name: string,
  instruments: object | undefined,
  shape: Record<string, unknown> | undefined
): Instruments => {
  if (instruments === undefined) return Object.freeze({})
  if (!isRecord(instruments)) throw InvalidMetricError.of(name, instruments, "`instruments` to be a record")
  const entries = Object.entries(instruments).filter(([, instrument]) => instrument !== undefined)
  for (const [dimension, instrument] of entries) {
    if (shape !== undefined && !Object.hasOwn(shape, dimension)) {
      throw InvalidMetricError.of(
        name,
        dimension,
        `\`instruments\` to name dimensions among ${Object.keys(shape).join(", ")}`
      )
    }
    const fault = faultOf(dimension, instrument, shape?.[dimension])
    if (fault !== undefined) throw InvalidMetricError.of(name, ...fault)
  }
  return Object.freeze(Object.fromEntries(entries)) as Instruments
}

/** A wrong option of a dimension is a wrong definition of the metric. */
export const namingMetric = <A>(metric: string, define: () => A): A => {
  try {
    return define()
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error
    const { expected, given, option } = error
    throw new InvalidMetricError({ metric, given, expected: `option \`${option}\` to be ${expected}` })
  }
}

/** Checks that no two quantities of a metric of dimensions have one name once nested names are joined. */
export const checkDistinct = (name: string, instruments: Instruments): void =>
  checkPaths(name, instruments, (instrument) => {
    let inner = instrument
    while ("of" in inner) inner = inner.of
    return "dimensions" in inner ? inner.dimensions : undefined
  })

/** Checks that no path of names comes twice, `inner` being what is nested in an entry. */
const checkPaths = <A>(
  name: string,
  record: Readonly<Record<string, A>>,
  inner: (entry: A) => Readonly<Record<string, A>> | undefined,
  prefix = "",
  seen = new Set<string>(),
  around: ReadonlyArray<Readonly<Record<string, A>>> = [record]
): void => {
  for (const [key, entry] of Object.entries(record)) {
    const path = `${prefix}${key}`
    if (seen.has(path)) throw InvalidMetricError.of(name, path, "every dimension to have a name of its own")
    seen.add(path)
    const nested = inner(entry)
    if (nested === undefined) continue
    if (around.includes(nested)) throw InvalidMetricError.of(name, path, "a view that does not hold itself")
    checkPaths(name, nested, inner, `${path}.`, seen, [...around, nested])
  }
}
