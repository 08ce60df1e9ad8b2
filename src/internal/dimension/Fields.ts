import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { Count } from "./Count.ts"
import { type Algebra, MergeConflict, type Merging, nobody, type Owner } from "./Kind.ts"

/**
 * The states of several dimensions, in fields `f0`, `f1` and so on: named by
 * place, so that any name of a dimension will do, and fields of an object, so
 * that a number in it can be changed without making another one.
 */
export interface FieldsState {
  readonly owner: Owner
  /** How many inputs no dimension could take: not finite, or not of the right kind. Counted at the root of a metric. */
  skipped: number
  [field: `f${number}`]: any
}

export interface FieldsConstructor {
  new(owner: Owner, skipped: number, ...states: ReadonlyArray<unknown>): FieldsState
}

/** One class for each number of fields keeps the code that uses it fast. */
const classes: Array<FieldsConstructor> = []

/** The class of the states with so many fields. */
export const fieldsClass = (width: number): FieldsConstructor =>
  classes[width] ??= generateClass(width) ?? interpretClass(width)

/** Returns `undefined` where code generation is forbidden. */
export const generateClass = (width: number): FieldsConstructor | undefined => {
  const names = Array.from({ length: width }, (_, at) => `f${at}`)
  const assignments = ["owner", "skipped", ...names].map((name) => `this.${name}=${name}`).join(";")
  try {
    // oxlint-disable-next-line no-implied-eval -- the text holds nothing but numbered names
    return new Function(`return class Fields{constructor(owner,skipped,${names.join()}){${assignments}}}`)()
  } catch {
    return undefined
  }
}

/** The same class where code generation is forbidden. */
export const interpretClass = (width: number): FieldsConstructor =>
  class Fields implements FieldsState {
    readonly owner: Owner
    skipped: number;
    [field: `f${number}`]: any
    constructor(owner: Owner, skipped: number, ...states: ReadonlyArray<unknown>) {
      this.owner = owner
      this.skipped = skipped
      for (let at = 0; at < width; at++) this[`f${at}`] = states[at]
    }
  }

/** What can be done with the states of several dimensions together. */
export const fields = (
  names: ReadonlyArray<string>,
  inner: ReadonlyArray<Algebra<any, unknown>>
): Algebra<FieldsState, Record<string, unknown>> => {
  const State = fieldsClass(names.length)
  const keys = names.map((_, at) => `f${at}` as const)

  /** Brings each field of `next`, which is the owner's, up to date. */
  const update = (
    next: FieldsState,
    other: FieldsState,
    f: (inner: Algebra<any, unknown>, own: unknown, other: unknown) => unknown
  ): FieldsState => {
    for (let at = 0; at < keys.length; at++) {
      const key = keys[at]!
      try {
        next[key] = f(inner[at]!, next[key], other[key])
      } catch (conflict) {
        if (!(conflict instanceof MergeConflict)) throw conflict
        throw new MergeConflict(`${names[at]}: ${conflict.message}`)
      }
    }
    return next
  }

  const copyOf = (state: FieldsState, owner: Owner): FieldsState =>
    new State(owner, state.skipped, ...keys.map((key) => state[key]))

  const isState = (u: unknown): u is FieldsState => u instanceof State

  const codec = Schema.Struct({
    dimensions: Schema.Struct(Object.fromEntries(names.map((name, at) => [name, inner[at]!.codec]))),
    skipped: Count
  }).pipe(Schema.decodeTo(
    Schema.declare(isState),
    SchemaTransformation.transform({
      decode: ({ dimensions, skipped }): FieldsState =>
        new State(nobody, skipped, ...names.map((name) => (dimensions as Record<string, unknown>)[name])),
      encode: (state) => ({
        dimensions: Object.fromEntries(names.map((name, at) => [name, state[`f${at}`]])),
        skipped: state.skipped
      })
    })
  ))

  return {
    initial: new State(nobody, 0, ...inner.map(({ initial }) => initial)),
    view: (state, time) => {
      const values: Record<string, unknown> = {}
      for (let at = 0; at < names.length; at++) values[names[at]!] = inner[at]!.view(state[`f${at}`], time)
      return values
    },
    merge: (a, b, owner) => {
      const next = owner !== nobody && a.owner === owner ? a : copyOf(a, owner)
      next.skipped += b.skipped
      return update(next, b, (inner, a, b) => inner.merge(a, b, owner))
    },
    diff: (later, earlier) => {
      if (later.skipped < earlier.skipped) return undefined
      let isAfter = true
      const next = copyOf(later, nobody)
      next.skipped -= earlier.skipped
      update(next, earlier, (inner, later, earlier) => {
        // `undefined` can also be what there is to see of both.
        const between = inner.diff(later, earlier)
        isAfter &&= between !== undefined || later === undefined
        return between
      })
      return isAfter ? next : undefined
    },
    codec,
    merging: inner.reduce<Merging>(
      (weakest, { merging }) => strength[merging] < strength[weakest] ? merging : weakest,
      "exact"
    ),
    agree: (a, b, along) =>
      a.skipped === b.skipped
      && inner.every((inner, at) => inner.agree(a[`f${at}`], b[`f${at}`], along.map((state) => state[`f${at}`])))
  }
}

const strength: Record<Merging, number> = { ordered: 0, approximate: 1, exact: 2 }
