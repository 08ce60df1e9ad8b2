/** Runs the cases of questions, each in a process of its own. */
import { fork } from "node:child_process"
import { once } from "node:events"
import type { Effort, Question, Readings } from "./Question.ts"
import { type QuestionResults, resultsOf } from "./Results.ts"

/** A case that threw, or whose process ended otherwise, with what it said. */
export interface Wrong {
  readonly of: string
  readonly said: string
}

const runCase = async (file: string, of: string, nodeArgs: ReadonlyArray<string>, effort: Effort) => {
  const child = fork(new URL("../case.ts", import.meta.url), [file, of, JSON.stringify(effort)], {
    execArgv: [...process.execArgv, ...nodeArgs],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    timeout: 180_000
  })
  let readings: Readings | undefined
  let said = ""
  child.on("message", (message) => readings = message as Readings)
  child.stderr!.setEncoding("utf8").on("data", (text) => said += text)
  const [code, signal] = await once(child, "close")
  return { readings: code === 0 ? readings : undefined, said: `ended with ${signal ?? code}\n${said}` }
}

/** The rounds of a question. */
export class QuestionRounds {
  readonly name: string
  readonly count: number
  readonly wrong: Array<Wrong> = []
  readonly #file: string
  readonly #question: Question
  readonly #readings: ReadonlyMap<string, Array<Readings>>
  readonly #effort: Effort

  constructor(name: string, file: string, question: Question, effort: Effort, usualRounds: number) {
    this.name = name
    this.#file = file
    this.#question = question
    this.#effort = effort
    this.#readings = new Map(Object.keys(question.cases).map((of) => [of, []]))
    this.count = effort.short ? 1 : question.rounds ?? usualRounds
  }

  get results(): QuestionResults {
    return resultsOf(this.#question, this.#readings)
  }

  /** Has every case once, every other time the other way round, and says which went wrong. */
  async run(round: number): Promise<ReadonlyArray<Wrong>> {
    const known = this.wrong.length
    const cases = Object.keys(this.#question.cases)
    const left = round % 2 === 0 ? cases : cases.toReversed()
    const work = async () => {
      for (let of = left.shift(); of !== undefined; of = left.shift()) {
        if (this.wrong.some((wrong) => wrong.of === of)) continue
        const { readings, said } = await runCase(this.#file, of, this.#question.cases[of]!.nodeArgs ?? [], this.#effort)
        if (readings === undefined) this.wrong.push({ of, said })
        else this.#readings.get(of)!.push(readings)
      }
    }
    // Where times do not count, two at once.
    await Promise.all(this.#effort.short ? [work(), work()] : [work()])
    return this.wrong.slice(known)
  }
}

/**
 * The rounds of all questions in turn, those of each spread evenly over the whole
 * time: when the machine is slow for a minute, that falls on a round of many
 * questions, and not on all rounds of one.
 */
export const inTurn = <A extends Pick<QuestionRounds, "count">>(
  all: ReadonlyArray<A>
): ReadonlyArray<{ readonly question: A; readonly round: number }> =>
  all.flatMap((question) =>
    Array.from({ length: question.count }, (_, round) => ({ question, round, at: (round + 0.5) / question.count }))
  )
    .toSorted((a, b) => a.at - b.at)
