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

export interface Slower {
  readonly what: string
  readonly before: number
  readonly after: number
  readonly unit: Unit
  /** How many times what it was, on a machine of the same speed. */
  readonly factor: number
}

export interface Comparison {
  /** How many times slower the machine was: what became of peers and floors, which did not change. */
  readonly machine: number
  readonly slower: ReadonlyArray<Slower>
}

/** Differences below this are not worth a word, even where they are no noise. */
const leastDifference = 1.05

const isTime = (unit: Unit): boolean => unit === "ns" || unit === "us" || unit === "ms"

/**
 * What of ours is worse than it was, beyond the noise: where all rounds are above
 * all that were before. Times are taken relative to those of peers and floors,
 * whose code is the same, so that a busy or another machine does not show.
 */
export const compared = (before: Results, after: Results): Comparison => {
  const pairs = Object.entries(after.questions).flatMap(([name, question]) =>
    Object.entries(question.cases).flatMap(([of, { kind, readings }]) =>
      Object.entries(readings).flatMap(([column, now]) => {
        const earlier = before.questions[name]?.cases[of]?.readings[column]
        return earlier === undefined || earlier.unit !== now.unit
          ? []
          : [{ kind, what: `${name}: ${of}, ${column}`, unit: now.unit, earlier: earlier.rounds, now: now.rounds }]
      })
    )
  )
  const others = pairs.filter(({ kind, unit }) => kind !== "product" && isTime(unit))
    .map(({ earlier, now }) => median(now) / median(earlier))
  const machine = others.length === 0 ? 1 : median(others)
  const slower = pairs.flatMap(({ earlier, kind, now, unit, what }) => {
    const scale = isTime(unit) ? machine : 1
    const factor = median(now) / median(earlier) / scale
    const isWorse = kind === "product" && factor > leastDifference && Math.min(...now) > Math.max(...earlier) * scale
    return isWorse ? [{ what, unit, before: median(earlier), after: median(now), factor }] : []
  })
  return { machine, slower }
}
