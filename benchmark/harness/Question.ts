/**
 * A question that the benchmarks answer: cases that do the same work, what each
 * of them reads off, and what must hold between them.
 *
 * A case runs in a process of its own, with nothing loaded but what it needs:
 * it imports what it measures when it runs.
 */

/** Of one operation, of one thing, or a ratio of two such. */
export type Unit = "ns" | "us" | "ms" | "B" | "kB" | "MB" | "x"

export interface Effort {
  /** How long a reading is taken, and how long it is warmed up before, in milliseconds. */
  readonly time: number
  readonly warmup: number
  /** Whether it is only to be seen that the results are right: as little work as that takes. */
  readonly short: boolean
}

/** What a case read off, by column. */
export type Readings = Readonly<Record<string, number>>

export interface Case {
  /** What is ours, what users would pick instead, or what nobody can go below. */
  readonly kind: "product" | "peer" | "floor"
  /** Measures, and throws unless what was counted is right. */
  readonly run: (effort: Effort) => Promise<Readings>
  /** What its process is started with beside what all are started with. */
  readonly nodeArgs?: ReadonlyArray<string>
}

/** The reading of a case in the round that is looked at. */
export type Reading = (of: string, column: string) => number

export interface Claim {
  readonly claim: string
  readonly unit: Unit
  readonly atMost: number
  readonly value: (reading: Reading) => number
}

export interface Question {
  readonly title: string
  /** The columns, and what is in them. */
  readonly columns: Readonly<Record<string, Unit>>
  /** The first is the one that all others are compared with. */
  readonly cases: Readonly<Record<string, Case>>
  readonly claims: ReadonlyArray<Claim>
  /** How often each case is measured, where it is not as often as usual. */
  readonly rounds?: number
}

const caseOf = (kind: Case["kind"]) => (run: Case["run"], options: Pick<Case, "nodeArgs"> = {}): Case => ({
  kind,
  run,
  ...options
})

export const product = caseOf("product")
export const peer = caseOf("peer")
export const floor = caseOf("floor")

/** That a reading is at most so many times another one. */
export const ratio = (
  claim: string,
  [subject, baseline]: readonly [subject: string, baseline: string],
  column: string,
  atMost: number
): Claim => ({
  claim,
  unit: "x",
  atMost,
  value: (reading) => {
    const [a, b] = [reading(subject, column), reading(baseline, column)]
    // A difference that is lost in noise is nothing to be better than.
    return b <= 0 ? Infinity : a / b
  }
})

/** That a reading itself is at most so much. */
export const limit = (
  claim: string,
  [of, column]: readonly [of: string, column: string],
  unit: Unit,
  atMost: number
): Claim => ({ claim, unit, atMost, value: (reading) => reading(of, column) })
