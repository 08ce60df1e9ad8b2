/** What does a user's program get from the package, in bytes and in time to start? */
import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { bundle } from "../scripts/bundle.ts"
import { type Case, floor, limit, peer, product, type Question } from "./harness/Question.ts"
import { median } from "./harness/statistics.ts"

const root = join(import.meta.dirname, "..")

const compiler = join(root, "node_modules", "typescript", "bin", "tsc")

/** The package as it is published, built into a folder from which its dependencies are found. */
const built = (): string => {
  const folder = join(root, "node_modules", ".cache", `mvx-metrics-benchmark-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  execFileSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json"), "--outDir", folder])
  return folder
}

/** Milliseconds until a fresh process has imported that. */
const importOf = (specifiers: ReadonlyArray<string>, times: number): number =>
  median(
    Array.from({ length: times }, () =>
      Number(execFileSync(process.execPath, [
        "--input-type=module",
        "--eval",
        `const start=performance.now();${
          specifiers.map((specifier) => `await import(${JSON.stringify(specifier)})`).join(";")
        };console.log(performance.now()-start)`
      ], { cwd: root, encoding: "utf8" })))
  )

const sizes = async (program: string) => {
  const { gzipped, minified, text } = await bundle(program)
  if (!text.includes("export{") && !text.includes("export {")) throw new Error(`The bundle exports nothing: ${text}`)
  return { gzipped: gzipped / 1e3, minified: minified / 1e3 }
}

const ofProgram = (program: string, imported?: string): Case["run"] => async ({ short }) => ({
  ...await sizes(program),
  ...imported === undefined ? {} : { import: importOf([imported], short ? 1 : 3) }
})

const hit = `import { Event, Metric, MetricsLive, Recorder } from "mvx-metrics"
class Hit extends Event.Class()("hit", {}) {}
export { Hit }
`
const byDimensions = `${hit}const Hits = Metric.fromDimensions("hits", [Hit], (d) => ({ total: d.count() }))
`
const program = {
  recorder: `${hit}import { Option } from "effect"
const Hits = Metric.make("hits", {
  events: [Hit],
  initial: { total: 0 },
  reduce: (state) => Option.some({ total: state.total + 1 })
})
export const recorder = Recorder.make({ entityId: "a", metrics: [Hits] })`,
  dimensions: `${byDimensions}export const recorder = Recorder.make({ entityId: "a", metrics: [Hits] })`,
  runtime: `${byDimensions}export const layer = MetricsLive
export { Hits }`,
  states: `import { Event, Recorder } from "mvx-metrics"
class Hit extends Event.Class()("hit", {}) {}
export const hit = Recorder.emit(new Hit())`,
  client: (name: string) =>
    `import { Counter, Registry } from "${name}"
const registry = new Registry()
export const counter = new Counter({ name: "hits", help: "hits", registers: [registry] })
export const text = () => registry.metrics()`,
  opentelemetry: `import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
export const provider = (exporter) => new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] })
export const counter = (provider) => provider.getMeter("a").createCounter("hits")`
}

/** The modules of Effect that the root imports, which a program of Effect has anyway. */
const effectModules = async (): Promise<ReadonlyArray<string>> => {
  const all = await bundle(`export * from "mvx-metrics"`)
  return Array.from(new Set(Array.from(all.text.matchAll(/from\s*["'`](effect[^"'`]*)/g), ([, name]) => name!)))
}

const ours = "mvx-metrics: one metric by a reducer, one recorder"

const question: Question = {
  title: "one counter, bundled for a program, and the time to import the package; Effect not counted",
  columns: { gzipped: "kB", minified: "kB", import: "ms" },
  rounds: 3,
  cases: {
    [ours]: product(ofProgram(program.recorder)),
    "mvx-metrics: one metric of dimensions, one recorder": product(ofProgram(program.dimensions)),
    "mvx-metrics: one metric of dimensions, MetricsLive": product(ofProgram(program.runtime)),
    "mvx-metrics: a library that only states facts": product(ofProgram(program.states)),
    "mvx-metrics, with Effect": product(async ({ short }) => {
      const folder = built()
      try {
        return { import: importOf([pathToFileURL(join(folder, "index.js")).href], short ? 1 : 3) }
      } finally {
        rmSync(folder, { recursive: true })
      }
    }),
    "Effect, the modules that mvx-metrics imports": floor(async ({ short }) => ({
      import: importOf(await effectModules(), short ? 1 : 3)
    })),
    "@prometheus-io/client": peer(ofProgram(program.client("@prometheus-io/client"), "@prometheus-io/client")),
    "prom-client": peer(ofProgram(program.client("prom-client"), "prom-client")),
    "OpenTelemetry SDK": peer(ofProgram(program.opentelemetry, "@opentelemetry/sdk-metrics"))
  },
  claims: [limit("one metric, one recorder, gzipped", [ours, "gzipped"], "kB", 12)]
}
export default question
