import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import { agreeAsSums } from "../../internal/dimension/Kind.ts"

/** Whether two values look the same all the way down, whatever they are made of. */
export const isSame = (a: unknown, b: unknown): boolean => isLike(a, b, Object.is)

/**
 * Whether two states look the same, but for the error that sums have, which
 * depends on the order of their terms. `along` are the states on the way: the
 * error of a number is relative to the greatest that was in its place.
 */
export const isAlike = (a: unknown, b: unknown, along: ReadonlyArray<unknown>): boolean =>
  isLike(a, b, agreeAsNumbers, along)

type AreAlike = (a: number, b: number, along: ReadonlyArray<number>) => boolean

/** Integers have no such error, and a sum that has become infinite has lost all that it was a sum of. */
const agreeAsNumbers: AreAlike = (a, b, along) => {
  if (a === b || Object.is(a, b)) return true
  const numbers = [a, b, ...along]
  if (numbers.every(Number.isSafeInteger)) return false
  return numbers.includes(Infinity) || numbers.includes(-Infinity) || agreeAsSums(a, b, along)
}

const isLike = (a: unknown, b: unknown, areAlike: AreAlike, along: ReadonlyArray<unknown> = []): boolean => {
  // JSON knows no -0.
  if (a === b) return true
  if (typeof a === "number" && typeof b === "number") return areAlike(a, b, along.filter(isNumber))
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (prototypeOf(a) !== prototypeOf(b)) return false

  const inside = <A, K>(of: (u: unknown) => u is A, get: (a: A, key: K) => unknown) => (key: K): boolean =>
    isLike(get(a as A, key), get(b as A, key), areAlike, along.filter(of).map((one) => get(one, key)))

  if (Option.isOption(a) && Option.isOption(b)) {
    if (Option.isNone(a) || Option.isNone(b)) return a._tag === b._tag
    return inside(isSome, (option) => option.value)(undefined)
  }
  if (Equal.isEqual(a)) return Equal.equals(a, b)
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && Array.from(a.keys()).every((key) =>
      b.has(key)
        ? inside(isMap, (map, key) => map.get(key))(key)
        : hasLike(b, [key, a.get(key)])
    )
  }
  if (a instanceof Set && b instanceof Set) {
    return a.size === b.size && Array.from(a).every((item) => b.has(item) || hasLike(b, item))
  }
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime())
  if (Array.isArray(a) || ArrayBuffer.isView(a)) {
    if (lengthOf(a) !== lengthOf(b)) return false
  }
  const keys = Object.keys(a)
  // What shows nothing of itself may at least have a text, as a URL has.
  if (keys.length === 0 && Object.keys(b).length === 0) return prototypeOf(a) === null || String(a) === String(b)
  // What is `undefined` is as good as absent: JSON does not tell the two apart either.
  return Array.from(new Set([...keys, ...Object.keys(b)])).every(
    inside(isObject, (record, key: string) => Object.hasOwn(record, key) ? (record as Fields)[key] : undefined)
  )
}

type Fields = Readonly<Record<string, unknown>>

const isNumber = (u: unknown): u is number => typeof u === "number"

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

const isMap = (u: unknown): u is ReadonlyMap<unknown, unknown> => u instanceof Map

const isSome = (u: unknown): u is Option.Some<unknown> => Option.isOption(u) && Option.isSome(u)

/** `null` for all records: it does not matter which of the two prototypes of records they have. */
const prototypeOf = (u: object): unknown => {
  const prototype: unknown = Object.getPrototypeOf(u)
  return prototype === Object.prototype ? null : prototype
}

const lengthOf = (u: object): unknown => (u as { readonly length?: unknown }).length

/** Whether there is one that looks like it, where those that are keys are objects. */
const hasLike = (all: Iterable<unknown>, one: unknown): boolean => {
  for (const other of all) if (isSame(one, other)) return true
  return false
}
