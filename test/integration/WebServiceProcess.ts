/** The example service as a process, as somebody runs it. */
import { Effect } from "effect"
import * as ChildProcess from "node:child_process"
import * as Http from "node:http"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
// Most of a start is the loading of modules.
const cache = fileURLToPath(new URL("../../node_modules/.cache/examples", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly url: string
  /** Asks it to end, without waiting for that. */
  readonly kill: (signal: "SIGINT" | "SIGTERM") => Effect.Effect<void>
  readonly ended: Effect.Effect<Ended>
}

const spawn = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  const child = ChildProcess.spawn(
    process.execPath,
    ["--conditions=mvx-metrics-source", "examples/web-service/main.ts", ...args],
    { cwd: root, env: { NODE_COMPILE_CACHE: cache, ...env }, stdio: ["ignore", "pipe", "pipe"] }
  )
  let stdout = ""
  let stderr = ""
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })
  const url = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      stdout += chunk
      const url = stdout.match(/^http:\S+/)?.[0]
      if (url !== undefined) resolve(url)
    })
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      stderr += chunk
    })
    child.on("close", () => reject(new Error(`The service does not start: ${stderr}`)))
  })
  // A service that does not start is an answer too.
  url.catch(() => {})
  return { child, url, ended }
}

const acquire = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(args, env)),
    ({ child, ended }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return ended
      })
  )

/** Runs the program until it ends. */
export const run = (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) =>
  Effect.scoped(Effect.flatMap(acquire(args, env), ({ ended }) => Effect.promise(() => ended)))

/** Starts the service on a free port. */
export const start = Effect.fnUntraced(function*(args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) {
  const { child, ended, url } = yield* acquire(["--port", "0", ...args], env)
  const running: Running = {
    url: yield* Effect.promise(() => url),
    kill: (signal) => Effect.sync(() => void child.kill(signal)),
    ended: Effect.promise(() => ended)
  }
  return running
})

export interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | ReadonlyArray<Uint8Array>
}

/** Makes a request on a connection of its own; the path goes out as it is. A body in parts has no length. */
export const request = ({ url }: Running, path: string, { body, headers = {}, method = "GET" }: Sent = {}) =>
  Effect.promise(() =>
    new Promise<Answer>((resolve, reject) => {
      const request = Http.request(url, { path, method, headers, agent: false }, (response) => {
        const chunks: Array<Uint8Array> = []
        response.on("data", (chunk) => chunks.push(chunk))
        response.on("error", reject)
        response.on("end", () => {
          const body = Buffer.concat(chunks).toString("utf8")
          resolve({ status: response.statusCode!, headers: response.headers, body })
        })
      })
      request.on("error", reject)
      if (Array.isArray(body)) { for (const part of body) request.write(part) }
      request.end(Array.isArray(body) ? undefined : body)
    })
  )
