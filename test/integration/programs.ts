/** Programs that integration tests run against, and that not every machine has. */
import { assert, describe, it } from "@effect/vitest"
import * as ChildProcess from "node:child_process"

export interface Program {
  /** Found on the `PATH`, unless the environment says where it is. */
  readonly command: string
  readonly isThere: boolean
  /** What to do where it is missing. */
  readonly remedy: string
}

const program = (
  { name, packages, probe, variable, what = name }: {
    readonly name: string
    readonly variable: string
    /** What it takes, where that is more than the program. */
    readonly what?: string
    /** Arguments with which the program succeeds if it can do what is asked of it. */
    readonly probe: ReadonlyArray<string>
    readonly packages: string
  }
): Program => {
  const command = process.env[variable] ?? name
  return {
    command,
    isThere: ChildProcess.spawnSync(command, probe, { stdio: "ignore" }).status === 0,
    remedy: `needs ${what}, on the PATH or in ${variable} (Debian: apt-get install ${packages})`
  }
}

export const prometheus = program({
  name: "prometheus",
  variable: "PROMETHEUS",
  probe: ["--version"],
  packages: "prometheus"
})

export const promtool = program({
  name: "promtool",
  variable: "PROMTOOL",
  probe: ["--version"],
  packages: "prometheus"
})

/** Python with the parsers of the official client of Prometheus. */
export const prometheusClient = program({
  name: "python3",
  what: "python3 with prometheus_client",
  variable: "PYTHON3",
  probe: ["-c", "import prometheus_client.openmetrics.parser"],
  packages: "python3-prometheus-client"
})

/**
 * Describes tests that need programs. Where one is missing they are skipped,
 * with a line that says so; in continuous integration that is a failure.
 */
export const describeWith = (
  programs: ReadonlyArray<Program>,
  name: string,
  tests: () => void,
  timeout = 60_000
): void => {
  const missing = programs.filter(({ isThere }) => !isThere)
  if (missing.length === 0) {
    describe(name, { timeout }, tests)
    return
  }
  const line = `${name} ${missing.map(({ remedy }) => remedy).join("; ")}`
  if (process.env.CI === "true") {
    it(name, () => assert.fail(line))
  } else {
    console.warn(`skipped: ${line}`)
    describe.skip(name, tests)
  }
}

/** Runs a program on an input, until it ends. */
export const runWith = (
  { command }: Program,
  args: ReadonlyArray<string>,
  input: string
): { readonly code: number | null; readonly stdout: string; readonly stderr: string } => {
  const { error, status, stderr, stdout } = ChildProcess.spawnSync(command, args, {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    timeout: 30_000
  })
  if (error !== undefined) throw error
  return { code: status, stdout, stderr }
}
