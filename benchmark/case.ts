/** Runs one case of one question in this process, which was started for it, and sends what it read. */
import type { Effort, Question } from "./harness/Question.ts"

const [file, name, effort] = process.argv.slice(2) as [string, string, string]
const { default: question }: { readonly default: Question } = await import(file)
const readings = await question.cases[name]!.run(JSON.parse(effort) as Effort)
if (process.send === undefined) throw new Error("A case is run by the benchmarks: npm run bench")
process.send(readings, () => process.exit(0))
