/** What the rounds came to, as it is printed, kept in a file and compared with another time. */
import type { Case, Question, Unit } from "./Question.ts"
import { median } from "./statistics.ts"

/** All rounds of one reading. */
export interface Measured {
  readonly unit: Unit
  readonly rounds: ReadonlyArray<number>
}

export interface QuestionResults {
  readonly title: string
  readonly cases: Readonly<
    Record<string, { readonly kind: Case["kind"]; readonly readings: Readonly<Record<string, Measured>> }>
  >
  readonly claims: ReadonlyArray<
    Measured & { readonly claim: string; readonly atMost: number; readonly holds: boolean }
  >
}

export interface Results {
  readonly format: 1
  readonly machine: Readonly<Record<string, string>>
  readonly versions: Readonly<Record<string, string>>
  readonly short: boolean
  readonly questions: Readonly<Record<string, QuestionResults>>
}

/** What each case read off in each round. */
export type Rounds = ReadonlyMap<string, ReadonlyArray<Readonly<Record<string, number>>>>

/** Puts the rounds of a question together. Cases that failed have none, and claims about them are left out. */
export const resultsOf = ({ cases, claims, columns, title }: Question, rounds: Rounds): QuestionResults => {
  const measured = Object.entries(cases).flatMap(([name, { kind }]) => {
    const own = rounds.get(name) ?? []
    if (own.length === 0) return []
    const unknown = own.flatMap((readings) => Object.keys(readings)).find((column) => !Object.hasOwn(columns, column))
    if (unknown !== undefined) throw new Error(`${name} of "${title}" read ${unknown}, which is no column`)
    const readings = Object.entries(columns).flatMap(([column, unit]) => {
      const values = own.flatMap((readings) => column in readings ? [readings[column]!] : [])
      if (!values.every(Number.isFinite)) {
        throw new Error(`${name} of "${title}" read no number in ${column}: ${values}`)
      }
      return values.length === 0 ? [] : [[column, { unit, rounds: values }] as const]
    })
    return [[name, { kind, readings: Object.fromEntries(readings) }] as const]
  })
  const made = claims.flatMap(({ atMost, claim, unit, value }) => {
    const count = Math.max(0, ...Array.from(rounds.values(), (own) => own.length))
    const values = Array.from({ length: count }, (_, round) =>
      value((name, column) => {
        if (cases[name] === undefined) throw new Error(`"${claim}" is about ${name}, which is no case`)
        if (columns[column] === undefined) throw new Error(`"${claim}" is about ${column}, which is no column`)
        return rounds.get(name)?.[round]?.[column] ?? NaN
      }))
    return values.length === 0 || values.some(Number.isNaN)
      ? []
      : [{ claim, unit, atMost, rounds: values, holds: median(values) <= atMost }]
  })
  return { title, cases: Object.fromEntries(measured), claims: made }
}

/** A reading of ours that got worse, from one median to another. */
export interface Slower {
  readonly what: string
  readonly before: number
  readonly after: number
  readonly unit: Unit
  /** How many times what it was, on a machine of the same speed. */
  readonly factor: number
}

export interface Comparison {
  /** What else is not as it was, and may be why: the machine, or the version of a library. */
  readonly changed: ReadonlyArray<readonly [what: string, before: string, after: string]>
  /** How many times slower the machine was: what became of peers and floors, which did not change. */
  readonly machine: number
  /** How many readings of ours were compared, and how many could not be, for want of rounds. */
  readonly count: number
  readonly left: number
  readonly slower: ReadonlyArray<Slower>
}

/** Two times five rounds fall apart by chance once in 250 readings, but hardly by as much as this. */
const leastDifference = 1.05

/** Fewer rounds do not say what is noise. */
const leastRounds = 3

/** Fewer peers and floors may all have had luck, and do not say what the machine was like during a question. */
const leastOthers = 3

const isTime = (unit: Unit): boolean => unit === "ns" || unit === "us" || unit === "ms"

interface Pair {
  readonly kind: Case["kind"]
  readonly what: string
  readonly unit: Unit
  readonly earlier: ReadonlyArray<number>
  readonly now: ReadonlyArray<number>
}

/** What a question read both times. What is around nothing, as a difference may be, is not so many times anything. */
const pairsOf = (name: string, before: Results, after: Results): ReadonlyArray<Pair> =>
  Object.entries(after.questions[name]!.cases).flatMap(([of, { kind, readings }]) =>
    Object.entries(readings).flatMap(([column, { rounds: now, unit }]) => {
      const earlier = before.questions[name]?.cases[of]?.readings[column]
      return earlier === undefined || earlier.unit !== unit || median(earlier.rounds) <= 0 || median(now) <= 0
        ? []
        : [{ kind, what: `${name}: ${of}, ${column}`, unit, earlier: earlier.rounds, now }]
    })
  )

const timesSlower = (pairs: ReadonlyArray<Pair>): ReadonlyArray<number> =>
  pairs.filter(({ kind, unit }) => kind !== "product" && isTime(unit))
    .map(({ earlier, now }) => median(now) / median(earlier))

/**
 * What of ours is worse than it was, beyond the noise: where all rounds are above
 * all that were before. Times are taken relative to those of the question's peers
 * and floors, whose code is the same and whose rounds take turns with ours, so that
 * a busy or another machine does not show.
 */
export const compared = (before: Results, after: Results): Comparison => {
  const questions = Object.keys(after.questions).map((name) => pairsOf(name, before, after))
  const others = timesSlower(questions.flat())
  const machine = others.length === 0 ? 1 : median(others)
  let left = 0
  let count = 0
  const slower = questions.flatMap((pairs) => {
    const own = timesSlower(pairs)
    const meanwhile = own.length < leastOthers ? machine : median(own)
    return pairs.flatMap(({ earlier, kind, now, unit, what }) => {
      if (kind !== "product") return []
      if (Math.min(earlier.length, now.length) < leastRounds) {
        left++
        return []
      }
      count++
      const scale = isTime(unit) ? meanwhile : 1
      if (Math.min(...now) <= Math.max(...earlier) * scale * leastDifference) return []
      const [then, since] = [median(earlier), median(now)]
      return [{ what, unit, before: then, after: since, factor: since / then / scale }]
    })
  })
  const changed = (["machine", "versions"] as const).flatMap((of) =>
    Object.entries(after[of]).flatMap(([what, now]) => {
      const then = before[of][what]
      return what === "mvx-metrics" || then === undefined || then === now ? [] : [[what, then, now] as const]
    })
  )
  return { changed, machine, count, left, slower }
}
