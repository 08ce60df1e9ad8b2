/** Runs the benchmarks, or those that are named, and prints a table of their figures. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { type Figure, header, row } from "./harness.ts"

interface Benchmark {
  readonly name: string
  readonly args?: ReadonlyArray<string>
  readonly nodeArgs?: ReadonlyArray<string>
}

const benchmarks: ReadonlyArray<Benchmark> = [
  { name: "construct" },
  { name: "construct", nodeArgs: ["--disallow-code-generation-from-strings"] },
  { name: "handoff" },
  { name: "endToEnd", args: ["1"] },
  { name: "endToEnd", args: ["5"] },
  { name: "isolated" },
  { name: "isolated", args: ["observed"] },
  { name: "routing" },
  { name: "changes" },
  { name: "emit" },
  { name: "overflow" },
  { name: "drain" },
  { name: "create" },
  { name: "create", args: ["scoped"] },
  { name: "idle" },
  { name: "idle", args: ["scoped"] },
  { name: "shutdown" },
  { name: "shutdown", args: ["onStopped"] },
  { name: "roundRobin", args: ["10"] },
  { name: "roundRobin", args: ["1"] },
  { name: "roundRobin", args: ["100"] },
  { name: "neighbour" },
  { name: "neighbour", args: ["runtime"] },
  { name: "standalone" },
  { name: "dimensions", args: ["linear"] },
  { name: "dimensions", args: ["halving"] },
  { name: "by", args: ["1"] },
  { name: "by", args: ["2"] },
  { name: "counters", args: ["prometheus"] },
  { name: "counters", args: ["opentelemetry"] },
  { name: "counters", args: ["effect"] },
  { name: "exponential", args: ["accumulation"] },
  { name: "exponential", args: ["instrument"] },
  { name: "seriesChanges", args: ["1"] },
  { name: "seriesChanges", args: ["2"] },
  { name: "seriesMemory", args: ["40"] },
  { name: "seriesMemory", args: ["2000"] },
  { name: "samples" },
  { name: "rollup" },
  { name: "exposition" },
  { name: "scrape", args: ["many"] },
  { name: "scrape", args: ["one"] },
  { name: "bridge" },
  { name: "service" }
]

const rounds = 7

/** One round: the figures that a benchmark reports from a process of its own. */
const run = async ({ args = [], name, nodeArgs = [] }: Benchmark): Promise<Array<Figure>> => {
  const figures: Array<Figure> = []
  const child = fork(new URL(`${name}.ts`, import.meta.url), args, { execArgv: [...process.execArgv, ...nodeArgs] })
  child.on("message", (figure) => figures.push(figure as Figure))
  const [code] = await once(child, "close")
  if (code !== 0) throw new Error(`The benchmark ${[name, ...args].join(" ")} failed`)
  return figures
}

const chosen = process.argv.slice(2)
const names = new Set(benchmarks.map((benchmark) => benchmark.name))
const unknown = chosen.filter((name) => !names.has(name))
if (unknown.length > 0) throw new Error(`No benchmark ${unknown.join(", ")}: there are ${[...names].join(", ")}`)

console.log(header)
for (const benchmark of benchmarks) {
  if (chosen.length > 0 && !chosen.includes(benchmark.name)) continue
  const measured: Array<Array<Figure>> = []
  for (let round = 0; round < rounds; round++) measured.push(await run(benchmark))
  for (const at of measured[0]!.keys()) console.log(row(measured.map((figures) => figures[at]!)))
}
