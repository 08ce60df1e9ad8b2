/** Runs the cases of a question, each in a process of its own. */
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

/** Each round has every case once, and every other one has them the other way round. */
export const run = async (
  file: string,
  effort: Effort,
  usualRounds: number
): Promise<{ readonly results: QuestionResults; readonly wrong: ReadonlyArray<Wrong> }> => {
  const { default: question }: { readonly default: Question } = await import(file)
  const cases = Object.keys(question.cases)
  const rounds = new Map<string, Array<Readings>>(cases.map((of) => [of, []]))
  const wrong: Array<Wrong> = []
  const count = effort.short ? 1 : question.rounds ?? usualRounds
  for (let round = 0; round < count; round++) {
    const left = round % 2 === 0 ? cases.slice() : cases.toReversed()
    const work = async () => {
      for (let of = left.shift(); of !== undefined; of = left.shift()) {
        if (wrong.some((known) => known.of === of)) continue
        const { readings, said } = await runCase(file, of, question.cases[of]!.nodeArgs ?? [], effort)
        if (readings === undefined) wrong.push({ of, said })
        else rounds.get(of)!.push(readings)
      }
    }
    // Where times do not count, two at once.
    await Promise.all(effort.short ? [work(), work()] : [work()])
  }
  return { results: resultsOf(question, rounds), wrong }
}
