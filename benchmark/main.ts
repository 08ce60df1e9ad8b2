/** Runs the benchmarks, all or those that are named, and prints a table for each, with what must hold. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { cpus } from "node:os"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import type { Effort, Question } from "./harness/Question.ts"
import { inTurn, QuestionRounds } from "./harness/QuestionRounds.ts"
import { compared, type QuestionResults, type Results } from "./harness/Results.ts"
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
  "sustained",
  "overflow",
  "package"
]

/** What earlier versions promised, which is measured on request: it takes long. */
const gates = [
  "construct",
  "endToEnd",
  "isolated",
  "neighbour",
  "standalone",
  "dimensions",
  "by",
  "exponential",
  "seriesMemory",
  "rollup",
  "bridge",
  "service"
]

const usage = `npm run bench -- [QUESTION...] [--short] [--gates] [--json FILE] [--against FILE]

  QUESTION        one of ${questions.join(", ")},
                  or of the gates: ${gates.join(", ")},
                  or the file of one, with .ts
  --gates         the gates too, which take long
  --short         sees only that all results are right: the times say little
  --json FILE     writes the results
  --against FILE  says what got slower since such a file was written`

const failed = (line: string): never => {
  console.error(line)
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
    return failed(`${(error as Error).message}\n\n${usage}`)
  }
}

const { positionals, values: options } = parse()
if (options.help) {
  console.log(usage)
  process.exit(0)
}
const known = [...questions, ...gates]
const isFile = (name: string): boolean => name.endsWith(".ts")
const unknown = positionals.filter((name) => !isFile(name) && !known.includes(name))
if (unknown.length > 0) failed(`Expected questions that there are, found ${unknown.join(", ")}\n\n${usage}`)
const chosen = positionals.length > 0
  ? [...known.filter((name) => positionals.includes(name)), ...positionals.filter(isFile)]
  : options.gates
  ? known
  : questions

const fileOf = (name: string): string =>
  isFile(name)
    ? pathToFileURL(name).href
    : new URL(gates.includes(name) ? `gates/${name}.ts` : `${name}.ts`, import.meta.url).href

const read = (file: string): Results => {
  try {
    const results: Results = JSON.parse(readFileSync(file, "utf8"))
    if (results?.format === 1) return results
  } catch (error) {
    if (!(error instanceof SyntaxError)) return failed(`Could not read --against: ${(error as Error).message}`)
  }
  return failed(`Expected --against to name a file that --json wrote, found ${file}`)
}
const before = options.against === undefined ? undefined : read(options.against)

if (options.json !== undefined) {
  // Now, and not after all the work.
  try {
    appendFileSync(options.json, "")
  } catch (error) {
    failed(`Could not write --json: ${(error as Error).message}`)
  }
}

const effort: Effort = options.short
  ? { time: 10, warmup: 5, short: true }
  : { time: 80, warmup: 50, short: false }
const usualRounds = 5

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
const asked = await Promise.all(chosen.map(async (name) => {
  const file = fileOf(name)
  const { default: question }: { readonly default: Question } = await import(file)
  return new QuestionRounds(name, file, question, effort, usualRounds)
}))
const turns = inTurn(asked)
const saySoFar = (line: string): boolean => process.stderr.isTTY && process.stderr.write(`\r\u001B[K${line}`)
for (const [at, { question, round }] of turns.entries()) {
  saySoFar(`${at + 1} of ${turns.length}: ${question.name}, round ${round + 1} of ${question.count}`)
  for (const { of, said } of await question.run(round)) console.error(`\nWRONG ${question.name}: ${of} ${said}`)
}
saySoFar("")
const wrong = asked.flatMap(({ name, wrong }) => wrong.map(({ of }) => `${name}: ${of}`))
for (const question of asked) {
  try {
    // Nothing holds or is missed where times say little.
    const of = options.short ? { ...question.results, claims: [] } : question.results
    results.questions[question.name] = of
    console.log(questionTable(question.name, of))
  } catch (error) {
    console.error(`\nWRONG ${question.name}: ${(error as Error).message}`)
    wrong.push(question.name)
  }
}

const claims = Object.values(results.questions).flatMap(({ claims }) => claims)
const missed = claims.filter(({ holds }) => !holds)
const verdict = options.short ? "Measured" : `${claims.length - missed.length} of ${claims.length} hold`
console.log(`\n${verdict}, in ${Math.round((performance.now() - start) / 1e3)} s`)
for (const claim of missed) console.log(claimLine(claim))
if (before !== undefined) console.log(comparisonLines(compared(before, results)))
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`)
if (wrong.length > 0) failed(`\nWrong results: ${wrong.join(", ")}`)
