/** The server of the npm package `statsd`. */
import { Effect, FileSystem, Path } from "effect"
import * as ChildProcess from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import type { Program } from "./programs.ts"

const main = fileURLToPath(new URL("statsdServer.cjs", import.meta.url))

const isInstalled = (): boolean => {
  try {
    return createRequire(import.meta.url).resolve("statsd/stats.js") !== ""
  } catch {
    return false
  }
}

export const statsd: Program = {
  command: main,
  isThere: isInstalled(),
  remedy: "needs the npm package statsd (npm install)"
}

type Numbers = Record<string, number>

/** What the server flushes. */
interface Flush {
  readonly counters: Numbers
  readonly gauges: Numbers
  /** Of what came since the last flush. */
  readonly timers: Record<string, { readonly count: number }>
}

/** What the server has flushed since it was started. */
export class StatsDServer {
  readonly port: number
  readonly counters: Numbers = {}
  readonly timings: Numbers = {}
  gauges: Numbers = {}

  constructor(port: number) {
    this.port = port
  }

  add({ counters, gauges, timers }: Flush): void {
    this.gauges = gauges
    for (const [name, value] of Object.entries(counters)) this.counters[name] = (this.counters[name] ?? 0) + value
    for (const [name, { count }] of Object.entries(timers)) this.timings[name] = (this.timings[name] ?? 0) + count
  }

  /** What the counters have counted whose names begin so. */
  total(prefix: string): number {
    return Object.entries(this.counters)
      .filter(([name]) => name.startsWith(prefix))
      .reduce((total, [, value]) => total + value, 0)
  }
}

/** Starts a server that runs as long as the scope is open. */
export const make = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "statsd-" })
  const config = path.join(folder, "config.js")
  yield* fs.writeFileString(
    config,
    JSON.stringify({
      // As a number it would be the default.
      port: "0",
      address: "127.0.0.1",
      mgmt_port: "0",
      mgmt_address: "127.0.0.1",
      flushInterval: 100,
      backends: [main]
    })
  )
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => ChildProcess.fork(main, [config], { stdio: ["ignore", "inherit", "inherit", "ipc"] })),
    (child) => Effect.sync(() => child.kill())
  )
  const port = yield* Effect.callback<number>((resume) => {
    child.once("message", ({ port }: { readonly port: number }) => resume(Effect.succeed(port)))
    child.once("exit", (code) => resume(Effect.die(new Error(`statsd ended with ${code}`))))
  })
  const server = new StatsDServer(port)
  child.on("message", (flush: Flush) => server.add(flush))
  return server
})
