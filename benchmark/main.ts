/** Runs the benchmarks, all or those that are named, and prints a table for each, with what must hold. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { cpus } from "node:os"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import type { Effort } from "./harness/Question.ts"
import { compared, type QuestionResults, type Results } from "./harness/Results.ts"
import { run } from "./harness/run.ts"
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
const all = [...questions, ...gates]
const isFile = (name: string): boolean => name.endsWith(".ts")
const unknown = positionals.filter((name) => !isFile(name) && !all.includes(name))
if (unknown.length > 0) failed(`Expected questions that there are, found ${unknown.join(", ")}\n\n${usage}`)
const chosen = positionals.length > 0
  ? [...all.filter((name) => positionals.includes(name)), ...positionals.filter(isFile)]
  : options.gates
  ? all
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
  : { time: 100, warmup: 60, short: false }
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
const wrong: Array<string> = []
for (const name of chosen) {
  const ran = await run(fileOf(name), effort, usualRounds)
  // Nothing holds or is missed where times say little.
  results.questions[name] = options.short ? { ...ran.results, claims: [] } : ran.results
  console.log(questionTable(name, results.questions[name]))
  for (const { of, said } of ran.wrong) {
    wrong.push(`${name}: ${of}`)
    console.error(`\nWRONG ${name}: ${of} ${said}`)
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
