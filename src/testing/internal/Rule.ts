import * as Formatter from "effect/Formatter"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { describe } from "../../internal/describe.ts"
import type { FieldsState } from "../../internal/dimension/Fields.ts"
import { newOwner } from "../../internal/dimension/Kind.ts"
import { EventMeta } from "../../internal/EventMeta.ts"
import * as Metric from "../../Metric.ts"
import { Guard } from "./Guard.ts"
import { hasDropped, hasLabels, labelFault } from "./Labels.ts"
import { inOrder, joined, mapParts, type Part, type Parts } from "./Part.ts"
import type { Subject } from "./Subject.ts"

export const laws = [
  "reduce is pure",
  "a batch folds as its events do",
  "labels are exact",
  "merge is pure",
  "merge has an identity",
  "merge is commutative",
  "merge is associative",
  "merge agrees with fold",
  "a state survives its codec"
] as const

/** How a law does not hold, in words. */
export interface Fault {
  readonly expected: string
  readonly found: string
}

/** A law, and how to see whether it holds. */
export interface Rule {
  readonly law: typeof laws[number]
  /** How many states it is about. */
  readonly width: 1 | 2 | 3
  /** Whether it is about states of which one is later than the other, where the metric keeps what is newest. */
  readonly needsOrder?: boolean
  readonly isFor: (subject: Subject) => boolean
  /** May throw what the metric throws. A rule of one state takes its parts one after the other. */
  readonly faultOf: (subject: Subject, ...parts: ReadonlyArray<Part>) => Fault | undefined
}

export interface Broken extends Fault {
  readonly rule: Rule
  readonly input: Parts
  /** Those of the input that the rule is about. */
  readonly parts: ReadonlyArray<Part>
}

/** The first rule that does not hold for these events. */
export const brokenBy = (rules: ReadonlyArray<Rule>, subject: Subject, input: Parts): Broken | undefined => {
  for (const rule of rules) {
    const ordered = rule.needsOrder && subject.isOrdered ? inOrder(input) : input
    const parts = rule.width === 1 ? joined(ordered) : ordered.slice(0, rule.width)
    try {
      const fault = rule.faultOf(subject, ...parts)
      if (fault !== undefined) return { rule, input, parts, ...fault }
    } catch (error) {
      return { rule, input, parts, expected: "no error", found: textOf(error) }
    }
  }
  return undefined
}

/** Without the gaps and events that can be left out, also those that could not yet when shrinking came by. */
export const pruned = (broken: Broken, subject: Subject): Broken => {
  const { input, rule } = broken
  const atOnce = mapParts(input, (part) => ({ ...part, time: input[0].time }))
  const without = input.flatMap(({ events }) => events).map((event) =>
    mapParts(input, (part) => ({ ...part, events: part.events.filter((other) => other !== event) }))
  )
  for (const simpler of input[2].time > atOnce[2].time ? [atOnce, ...without] : without) {
    const found = brokenBy([rule], subject, simpler)
    if (found !== undefined) return pruned(found, subject)
  }
  return broken
}

const textOf = (error: unknown): string => error instanceof Error ? `${error.name}: ${error.message}` : describe(error)

const always = (): boolean => true

const canMerge = ({ metric }: Subject): boolean => Metric.canMerge(metric)

/** What is wrong unless the two states are equal as far as the metric promises. */
const unlike = (
  subject: Subject,
  what: string,
  expected: unknown,
  found: unknown,
  along: ReadonlyArray<unknown>
): Fault | undefined => subject.agree(expected, found, along) ? undefined : differing(subject, what, expected, found)

const differing = (subject: Subject, what: string, expected: unknown, found: unknown): Fault => {
  const [first, second] = subject.show(expected, found)
  return { expected: `${what} to be ${first}`, found: second }
}

/** The states on all ways to the fold of the parts: folded one after the other, and each by itself. */
const statesAlong = (subject: Subject, parts: ReadonlyArray<Part>): ReadonlyArray<unknown> =>
  [parts, ...parts.map((part) => [part])].flatMap((parts) => subject.statesOf(...parts))

export const rules: ReadonlyArray<Rule> = [
  {
    law: "reduce is pure",
    width: 1,
    isFor: always,
    faultOf: (subject, ...parts) => {
      const expected = "`reduce` to leave its state and its event, which are frozen, as they are, and to throw nothing"
      let state = subject.initial
      for (const { events, time } of parts) {
        for (const event of events) {
          const guard = new Guard(state, event)
          let first: unknown
          let second: unknown
          try {
            first = subject.reduce(state, event, time)
            second = subject.reduce(state, event, time)
          } catch (error) {
            return { expected, found: textOf(error) }
          }
          const changed = guard.restore()
          if (changed !== undefined) return { expected, found: `a change to ${Formatter.format(changed)}` }
          if (!Option.isOption(first) || !Option.isOption(second)) {
            return { expected: "`reduce` to return an Option", found: describe(first) }
          }
          if (Option.isNone(first) || Option.isNone(second)) {
            if (first._tag === second._tag) continue
            return { expected: "`reduce` to return the same twice", found: `${first._tag} and ${second._tag}` }
          }
          const fault = unlike(subject, "`reduce`, called again,", first.value, second.value, [])
          if (fault !== undefined) return fault
          subject.taken++
          state = first.value
        }
      }
      return undefined
    }
  },
  {
    law: "a batch folds as its events do",
    width: 1,
    isFor: always,
    faultOf: (subject, ...parts) => {
      for (const part of parts) {
        const expected = subject.fold(part)
        const found = Metric.fold(subject.metric, part.events, { time: part.time })
        if (!subject.isSame(expected, found)) return differing(subject, "Metric.fold(events)", expected, found)
      }
      return handedOut(subject, parts)
    }
  },
  {
    law: "labels are exact",
    width: 1,
    isFor: ({ metric: { measures } }) => measures !== undefined && hasLabels(measures.root),
    faultOf: (subject, ...parts) => labelFault(subject, parts)
  },
  {
    law: "merge is pure",
    width: 2,
    isFor: canMerge,
    faultOf: (subject, ...parts) => {
      const [a, b] = parts.map((part) => subject.fold(part))
      const expected = "merge to leave both states, which are frozen, as they are, and to throw nothing"
      const guard = new Guard(a, b)
      try {
        const [first, second] = [subject.merge(a, b), subject.merge(a, b)]
        const changed = guard.restore()
        if (changed !== undefined) return { expected, found: `a change to ${Formatter.format(changed)}` }
        return unlike(subject, "merge, called again,", first, second, []) ?? mergedInPlace(subject, [a, b, a])
      } catch (error) {
        return { expected, found: textOf(error) }
      }
    }
  },
  {
    law: "merge has an identity",
    width: 1,
    isFor: canMerge,
    faultOf: (subject, ...parts) => {
      const states = subject.statesOf(...parts)
      const state = states.at(-1)
      const first = subject.merge(subject.initial, state)
      return unlike(subject, "the initial state merged with fold(events)", state, first, states)
        ?? unlike(
          subject,
          "fold(events) merged with the initial state",
          state,
          subject.merge(state, subject.initial),
          states
        )
    }
  },
  {
    law: "merge is commutative",
    width: 2,
    isFor: canMerge,
    faultOf: (subject, ...parts) => {
      const [a, b] = parts.map((part) => subject.fold(part))
      return unlike(
        subject,
        "fold(ys) merged with fold(xs), as fold(xs) with fold(ys),",
        subject.merge(a, b),
        subject.merge(b, a),
        statesAlong(subject, parts)
      )
    }
  },
  {
    law: "merge is associative",
    width: 3,
    isFor: canMerge,
    faultOf: (subject, ...parts) => {
      const [a, b, c] = parts.map((part) => subject.fold(part))
      const ab = subject.merge(a, b)
      const bc = subject.merge(b, c)
      return unlike(
        subject,
        "xs merged with (ys merged with zs), as (xs merged with ys) merged with zs,",
        subject.merge(ab, c),
        subject.merge(a, bc),
        [ab, bc, ...statesAlong(subject, parts)]
      )
    }
  },
  {
    law: "merge agrees with fold",
    width: 2,
    needsOrder: true,
    isFor: canMerge,
    faultOf: (subject, ...parts) => {
      const folded = subject.fold(...parts)
      const { measures } = subject.metric
      if (measures !== undefined && hasDropped(measures.root, folded)) return undefined
      const [a, b] = parts.map((part) => subject.fold(part))
      return unlike(
        subject,
        "fold(xs) merged with fold(ys)",
        folded,
        subject.merge(a, b),
        statesAlong(subject, parts)
      )
    }
  },
  {
    law: "a state survives its codec",
    width: 1,
    isFor: ({ codec }) => codec !== undefined,
    faultOf: (subject, ...parts) => {
      const encode = Schema.encodeSync(subject.codec!)
      const decode = Schema.decodeUnknownSync(subject.codec!)
      const folded = subject.fold(...parts)
      for (const state of canMerge(subject) ? [folded, subject.merge(folded, folded)] : [folded]) {
        const stored = JSON.stringify(encode(state))
        const decoded = decode(JSON.parse(stored))
        if (!subject.isSame(state, decoded)) return differing(subject, `what was stored as ${stored}`, state, decoded)
        // Of a state that cannot be looked into. Others may have their keys in another order.
        const again = subject.metric.measures === undefined ? stored : JSON.stringify(encode(decoded))
        if (again !== stored) return { expected: `${stored}, read back and stored again, to be the same`, found: again }
      }
      return undefined
    }
  }
]

/**
 * States of dimensions are changed in place as long as nobody else has seen them:
 * those that are handed out in the middle stay as they are.
 */
const handedOut = (subject: Subject, parts: ReadonlyArray<Part>): Fault | undefined => {
  const { measures } = subject.metric
  if (measures === undefined) return undefined
  const { read, registers, write } = measures.fold
  const inputs = registers()
  const found: Array<FieldsState> = [measures.root.initial]
  let owner = newOwner()
  for (const { events, time } of parts) {
    for (const event of events) {
      const state = found.at(-1)!
      // Every second state is handed out.
      if (found.length % 2 === 1) owner = newOwner()
      found.push(read(event, new EventMeta(time, event), inputs) ? write(state, owner, inputs) : state)
    }
  }
  const last = found.length - 1
  for (const [at, expected] of subject.statesOf(...parts).entries()) {
    if (at % 2 === 1 && at !== last) continue
    const fault = unlike(subject, `the state after ${at} of these events, folded in place,`, expected, found[at], [])
    if (fault !== undefined) return fault
  }
  return undefined
}

/** As a roll-up merges the states of dimensions. */
const mergedInPlace = (subject: Subject, states: ReadonlyArray<unknown>): Fault | undefined => {
  const { measures } = subject.metric
  if (measures === undefined) return undefined
  const { root } = measures
  const owner = newOwner()
  const found = (states as ReadonlyArray<FieldsState>).reduce(
    (sum, state) => root.merge(sum, state, owner),
    root.initial
  )
  const expected = states.reduce((sum, state) => subject.merge(sum, state), subject.initial)
  return unlike(subject, "the sum of fold(xs), fold(ys) and fold(xs), made in place,", expected, found, [])
}
