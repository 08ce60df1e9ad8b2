/** The real Prometheus, with a port, a configuration and a storage of its own. */
import { Context, Effect, FileSystem, Layer, Path, type Scope } from "effect"
import * as ChildProcess from "node:child_process"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Readline from "node:readline"
import { pipeline } from "node:stream/promises"
import type { Series } from "./expectedSeries.ts"
import { prometheus } from "./programs.ts"

/** Which format Prometheus asks for; by itself it prefers OpenMetrics. */
export type Format = "openmetrics" | "text"

export interface Metadata {
  readonly type: string
  readonly help: string
  readonly unit: string
}

/** One answer of a service, as Prometheus has stored it. */
export interface Scrape<out A> {
  /** When, in seconds. */
  readonly time: number
  readonly series: ReadonlyArray<Series>
  /** How many samples there were, by the count of Prometheus: more than series where one comes twice. */
  readonly samples: number
  readonly headers: Http.IncomingHttpHeaders
  /** What was found out right before. */
  readonly before: A
}

/** A service that Prometheus scrapes. */
export interface Target<out A> {
  /** Waits until Prometheus has stored what the service says from now on; dies if it cannot be read. */
  readonly scrape: Effect.Effect<Scrape<A>>
  /** Evaluates an expression at a time; `$job` in it stands for the matcher of this target. */
  readonly query: (expression: string, time: number) => Effect.Effect<ReadonlyArray<Series>>
  /** What Prometheus knows of the families, by name. */
  readonly metadata: Effect.Effect<Readonly<Record<string, Metadata>>>
  /** From now on the service is at this URL. */
  readonly moveTo: (url: string) => Effect.Effect<void>
}

export interface TargetOptions<out A> {
  readonly format?: Format | undefined
  /** Runs right before each scrape. */
  readonly before?: ((url: string) => Promise<A>) | undefined
}

export interface PrometheusServerService {
  /** A target that is scraped as long as the scope is open. */
  readonly target: <A = undefined>(options?: TargetOptions<A>) => Effect.Effect<Target<A>, never, Scope.Scope>
}

export class PrometheusServer extends Context.Service<PrometheusServer, PrometheusServerService>()(
  "mvx-metrics/test/PrometheusServer"
) {}

// How long a service may take to answer, too.
const scrapeInterval = "500ms"
const patience = 20_000

// Prometheus takes up to 5 seconds to notice a new target, so all of them are there from the start.
const maxTargets = 8

type Answer = Pick<Scrape<unknown>, "time" | "headers" | "before">

/** Between Prometheus and a service: knows which scrapes there were, and can ask for another format. */
class Relay {
  /** Without one there is nothing to scrape. */
  url: string | undefined
  options: TargetOptions<unknown> = {}
  readonly #server = Http.createServer((request, response) => void this.#relay(request, response))
  readonly #waiters = new Set<{ readonly since: number; answer?: Answer; readonly resume: (answer: Answer) => void }>()
  #scrapes = 0

  listen(): Promise<number> {
    return new Promise((resolve) =>
      this.#server.listen(0, "127.0.0.1", () => resolve((this.#server.address() as AddressInfo).port))
    )
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** Waits for an answer to a scrape that begins from now on, and for the next scrape. */
  next(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiters.delete(waiter)
        reject(new Error(`Prometheus has had nothing from ${this.url} for ${patience} ms`))
      }, patience)
      const waiter = {
        since: this.#scrapes,
        resume: (answer: Answer) => {
          clearTimeout(late)
          this.#waiters.delete(waiter)
          resolve(answer)
        }
      }
      this.#waiters.add(waiter)
    })
  }

  async #relay(request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> {
    const scrape = ++this.#scrapes
    const time = Date.now() / 1_000
    // A target is scraped again when what it said before is stored.
    for (const { answer, resume } of this.#waiters) if (answer !== undefined) resume(answer)
    const { options: { before, format }, url } = this
    const unavailable = () => response.headersSent ? response.destroy() : response.writeHead(503).end()
    if (url === undefined) return void unavailable()
    const headers = { ...request.headers }
    delete headers.host
    if (format === "text") headers.accept = "text/plain;version=0.0.4"
    try {
      const found = await before?.(url)
      const answer = await new Promise<Http.IncomingMessage>((resolve, reject) =>
        Http.get(url, { headers, agent: false }, resolve).on("error", reject)
      )
      response.writeHead(answer.statusCode!, answer.headers)
      await pipeline(answer, response)
      if (answer.statusCode !== 200) return
      for (const waiter of this.#waiters) {
        if (scrape > waiter.since) waiter.answer = { time, headers: answer.headers, before: found }
      }
    } catch {
      unavailable()
    }
  }
}

/** Starts the program; tells its address once it takes requests. */
const start = (folder: string, config: string): Promise<readonly [ChildProcess.ChildProcess, url: string]> =>
  new Promise((resolve, reject) => {
    const server = ChildProcess.spawn(prometheus.command, [
      `--config.file=${config}`,
      `--storage.tsdb.path=${folder}/data`,
      "--web.listen-address=127.0.0.1:0"
    ], { stdio: ["ignore", "ignore", "pipe"] })
    const log: Array<string> = []
    // Which of the two comes first is left to chance.
    let url: string | undefined
    let isReady = false
    const late = setTimeout(() => server.kill("SIGKILL"), patience)
    Readline.createInterface({ input: server.stderr }).on("line", (line) => {
      log.push(line)
      const [, address] = line.match(/msg="Listening on" address=(\S+)/) ?? []
      if (address !== undefined) url = `http://${address}`
      isReady ||= line.includes("Server is ready to receive web requests")
      if (url !== undefined && isReady) {
        clearTimeout(late)
        resolve([server, url])
      }
    })
    server.on("error", reject)
    server.on("close", (code) => reject(new Error(`Prometheus ended with ${code}:\n${log.join("\n")}`)))
  })

const stop = (server: ChildProcess.ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    const late = setTimeout(() => server.kill("SIGKILL"), patience)
    server.on("close", () => {
      clearTimeout(late)
      resolve()
    })
    server.kill("SIGTERM")
  })

const get = async <A>(url: string, fields: Readonly<Record<string, string>>): Promise<A> => {
  const response = await fetch(`${url}?${new URLSearchParams(fields)}`, { signal: AbortSignal.timeout(patience) })
  const { data, error } = await response.json() as { readonly data: A; readonly error?: string }
  if (error !== undefined) throw new Error(`Prometheus refused ${JSON.stringify(fields)}: ${error}`)
  return data
}

/** Numbers as the API of Prometheus writes them. */
const numberOf = (text: string): number => text.endsWith("Inf") ? Number(`${text}inity`) : Number(text)

interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [time: number, value: string]
}

/** Without the labels that Prometheus adds. */
const seriesOf = (
  { metric: { __name__: name = "", instance: _, job: __, ...labels }, value: [, value] }: Sample
): Series => ({
  name,
  labels,
  value: numberOf(value)
})

interface ActiveTarget {
  readonly labels: Readonly<Record<string, string>>
  readonly lastError: string
}

/** What Prometheus adds to the series of a target. */
const reports = new Set([
  "up",
  "scrape_duration_seconds",
  "scrape_samples_scraped",
  "scrape_samples_post_metric_relabeling",
  "scrape_series_added"
])

const make = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "prometheus-" })
  const relays = yield* Effect.forEach(
    Array.from({ length: maxTargets }),
    () => Effect.acquireRelease(Effect.sync(() => new Relay()), (relay) => Effect.sync(() => relay.close()))
  )
  const ports = yield* Effect.promise(() => Promise.all(relays.map((relay) => relay.listen())))
  const config = path.join(folder, "prometheus.json")
  // JSON is YAML.
  yield* fs.writeFileString(
    config,
    JSON.stringify({
      global: { scrape_interval: scrapeInterval },
      scrape_configs: ports.map((port, index) => ({
        job_name: `target-${index}`,
        static_configs: [{ targets: [`127.0.0.1:${port}`] }]
      }))
    })
  )
  const [, api] = yield* Effect.acquireRelease(
    Effect.promise(() => start(folder, config)),
    ([server]) => Effect.promise(() => stop(server))
  )
  const select = async (query: string, time: number): Promise<ReadonlyArray<Series>> => {
    const fields = { query, time: String(time) }
    const { result } = await get<{ readonly result: ReadonlyArray<Sample> }>(`${api}/api/v1/query`, fields)
    return result.map(seriesOf)
  }

  let made = 0
  const target = Effect.fnUntraced(function*<A>(options: TargetOptions<A> = {}) {
    const job = `target-${made}`
    const matcher = `job="${job}"`
    const relay = relays[made++]
    if (relay === undefined) throw new Error(`There are ${maxTargets} targets at most`)
    relay.options = options
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        relay.url = undefined
      })
    )
    return {
      scrape: Effect.promise(async () => {
        for (;;) {
          const answer = await relay.next() as Answer & { readonly before: A }
          const all = await select(`{${matcher}}`, answer.time)
          const of = (report: string) => all.find(({ name }) => name === report)?.value
          if (of("up") === 1) {
            const series = all.filter(({ name }) => !reports.has(name))
            return { ...answer, series, samples: of("scrape_samples_scraped")! }
          }
          const { activeTargets } = await get<{ readonly activeTargets: ReadonlyArray<ActiveTarget> }>(
            `${api}/api/v1/targets`,
            { state: "active" }
          )
          const { lastError } = activeTargets.find(({ labels }) => labels.job === job)!
          // On a busy machine Prometheus may have given up before it had the answer.
          if (!lastError.includes("deadline exceeded")) {
            throw new Error(`Prometheus cannot read ${relay.url}: ${lastError}`)
          }
        }
      }),
      query: (expression: string, time: number) =>
        Effect.promise(() => select(expression.replaceAll("$job", matcher), time)),
      metadata: Effect.promise(async () => {
        const families = await get<ReadonlyArray<Metadata & { readonly metric: string }>>(
          `${api}/api/v1/targets/metadata`,
          { match_target: `{${matcher}}` }
        )
        return Object.fromEntries(families.map(({ help, metric, type, unit }) => [metric, { type, help, unit }]))
      }),
      moveTo: (url: string) =>
        Effect.sync(() => {
          relay.url = url
        })
    }
  })

  return PrometheusServer.of({ target })
})

export const layer = Layer.effect(PrometheusServer, Effect.orDie(make))
