/** Runs the benchmarks, all or those that are named, and prints a table for each, with what must hold. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import type { Effort, Question, Readings } from "./harness/Question.ts"
import { compared, type QuestionResults, type Results, resultsOf } from "./harness/Results.ts"
import { claimLine, comparisonLines, questionTable } from "./harness/table.ts"

const questions = [
  "handoff",
  "interpretations",
  "webService",
  "effectFibers",
  "irrelevant",
  "reading",
  "changes",
  "recorders",
  "overflow"
]

/** What earlier versions promised, which is measured on request: it takes long. */
const gates: ReadonlyArray<string> = []

const usage = `npm run bench -- [QUESTION...] [--short] [--gates] [--json FILE] [--against FILE]

  QUESTION        one of ${questions.join(", ")},
                  or of the gates: ${gates.join(", ")}
  --gates         the gates too, which take long
  --short         sees only that all results are right: the times say little
  --json FILE     writes the results
  --against FILE  says what got slower since such a file was written`

const failed = (line: string): never => {
  console.error(`${line}\n\n${usage}`)
  process.exit(1)
}

const parse = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        against: { type: "string" },
        gates: { type: "boolean" },
        help: { type: "boolean" },
        json: { type: "string" },
        short: { type: "boolean" }
      }
    })
  } catch (error) {
    return failed((error as Error).message)
  }
}

const { positionals, values: options } = parse()
if (options.help) {
  console.log(usage)
  process.exit(0)
}
const all = [...questions, ...gates]
const unknown = positionals.filter((name) => !all.includes(name))
if (unknown.length > 0) failed(`Expected questions that there are, found ${unknown.join(", ")}`)
const chosen = positionals.length > 0
  ? all.filter((name) => positionals.includes(name))
  : options.gates
  ? all
  : questions

const read = (file: string): Results => {
  try {
    const results: Results = JSON.parse(readFileSync(file, "utf8"))
    if (results.format !== 1) throw new Error(`expected format 1, found ${results.format}`)
    return results
  } catch (error) {
    return failed(`${file}: ${(error as Error).message}`)
  }
}
const before = options.against === undefined ? undefined : read(options.against)

const effort: Effort = options.short
  ? { time: 10, warmup: 5, short: true }
  : { time: 100, warmup: 60, short: false }
const usualRounds = options.short ? 1 : 5

const fileOf = (name: string): string =>
  new URL(gates.includes(name) ? `gates/${name}.ts` : `${name}.ts`, import.meta.url).href

const wrong: Array<string> = []

/** One case in a process of its own; what went wrong there is said, and counts as a wrong result. */
const run = async (question: string, of: string): Promise<Readings | undefined> => {
  const child = fork(new URL("case.ts", import.meta.url), [fileOf(question), of, JSON.stringify(effort)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    timeout: 180_000
  })
  let readings: Readings | undefined
  let said = ""
  child.on("message", (message) => readings = message as Readings)
  child.stderr!.on("data", (text) => said += text)
  const [code, signal] = await once(child, "close")
  if (code === 0 && readings !== undefined) return readings
  wrong.push(`${question}: ${of}`)
  console.error(`\nWRONG ${question}: ${of} ended with ${signal ?? code}\n${said}`)
  return undefined
}

/** Each round has every case once, and every other one has them the other way round. */
const runQuestion = async (name: string, question: Question): Promise<QuestionResults> => {
  const cases = Object.keys(question.cases)
  const rounds = new Map<string, Array<Readings>>(cases.map((of) => [of, []]))
  const count = options.short ? 1 : question.rounds ?? usualRounds
  for (let round = 0; round < count; round++) {
    const left = round % 2 === 0 ? cases.slice() : cases.toReversed()
    const work = async () => {
      for (let of = left.shift(); of !== undefined; of = left.shift()) {
        const readings = wrong.includes(`${name}: ${of}`) ? undefined : await run(name, of)
        if (readings !== undefined) rounds.get(of)!.push(readings)
      }
    }
    // Where times do not count, two at once.
    await Promise.all(options.short ? [work(), work()] : [work()])
  }
  return resultsOf(question, rounds)
}

const require = createRequire(import.meta.url)
const { version, devDependencies } = require("../package.json")
const peers = ["effect", "@prometheus-io/client", "prom-client", "@opentelemetry/sdk-metrics"]
const results: { -readonly [K in keyof Results]: Results[K] } & { questions: Record<string, QuestionResults> } = {
  format: 1,
  machine: { cpu: cpus()[0]?.model ?? "unknown", cores: String(cpus().length), node: process.version },
  versions: {
    "mvx-metrics": version,
    ...Object.fromEntries(peers.map((name) => [name, devDependencies[name]]))
  },
  short: options.short === true,
  questions: {}
}
console.log(
  [
    Object.values(results.machine).join(", "),
    Object.entries(results.versions).map(([name, version]) => `${name} ${version}`).join(", "),
    ...options.short ? ["The short form: what is counted is checked, the times say little."] : []
  ].join("\n")
)

const start = performance.now()
for (const name of chosen) {
  const { default: question }: { readonly default: Question } = await import(fileOf(name))
  results.questions[name] = await runQuestion(name, question)
  console.log(questionTable(name, results.questions[name]))
}

const claims = Object.values(results.questions).flatMap(({ claims }) => claims)
const missed = claims.filter(({ holds }) => !holds)
console.log(
  `\n${claims.length - missed.length} of ${claims.length} hold, in ${Math.round((performance.now() - start) / 1e3)} s${
    ["", ...missed.map(claimLine)].join("\n")
  }`
)
if (before !== undefined) console.log(comparisonLines(compared(before, results)))
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`)
if (wrong.length > 0) {
  console.error(`\nWrong results: ${wrong.join(", ")}`)
  process.exit(1)
}
