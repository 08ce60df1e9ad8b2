import { NodeServices } from "@effect/platform-node"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Connections from "../../examples/web-service/Connections.ts"
import { until } from "../support.ts"
import { request, run, type Running, start } from "./WebServiceProcess.ts"

const makeScratch = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* Effect.flatMap(fs.makeTempDirectoryScoped(), fs.realPath)
  return { fs, at: (name: string) => path.join(folder, name) }
})

const statuses = (
  service: Running,
  requests: ReadonlyArray<Parameters<typeof request>[2] & { readonly path: string }>
) => Effect.forEach(requests, ({ path, ...sent }) => Effect.map(request(service, path, sent), ({ status }) => status))

/** The samples of a text of Prometheus, by name and labels. */
const samplesOf = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const at = line.lastIndexOf(" ")
      return [line.slice(0, at), Number(line.slice(at + 1))] as const
    })
  )

const scrape = (service: Running) => Effect.map(request(service, "/metrics"), ({ body }) => samplesOf(body))

const labelled = (name: string, method: string, route: string, status: number) =>
  `${name}{recorder_id="default",http_request_method="${method}",http_route="${route}",http_response_status_code="${status}"}`

const countOf = (method: string, route: string, status: number) =>
  labelled("http_server_request_duration_seconds_count", method, route, status)

const activePuts = (service: Running) =>
  Effect.map(
    scrape(service),
    (samples) => samples.get(`http_server_active_requests{recorder_id="default",http_request_method="PUT"}`)
  )

interface ServerSentEvent {
  readonly event: string | undefined
  readonly id: string | undefined
  readonly data: any
}

/** Listens to the changes of a service, until it ends them or the scope is closed. */
const listen = Effect.fnUntraced(function*({ url }: Running) {
  const response = yield* Effect.acquireRelease(
    Effect.promise(() =>
      new Promise<Http.IncomingMessage>((resolve, reject) =>
        Http.get(`${url}/changes`, { agent: false }, resolve).on("error", reject)
      )
    ),
    (response) => Effect.sync(() => response.destroy())
  )
  let text = ""
  let isComplete = false
  response.setEncoding("utf8").on("data", (chunk) => {
    text += chunk
  })
  response.on("end", () => {
    isComplete = response.complete
  })
  const events = (): ReadonlyArray<ServerSentEvent> =>
    text.split("\n\n").slice(0, -1).map((event) => {
      const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s, 2)))
      return { event: fields.event, id: fields.id, data: JSON.parse(fields.data) }
    })
  return {
    headers: response.headers,
    events,
    isComplete: Effect.sync(() => isComplete),
    disconnect: Effect.sync(() => response.destroy())
  }
})

/** A connection on which nobody says anything, or not all of it. */
const connect = ({ url }: Pick<Running, "url">, text = "") =>
  Effect.acquireRelease(
    Effect.promise(() =>
      new Promise<{ readonly socket: Net.Socket; readonly answer: () => string }>((resolve) => {
        let answer = ""
        const socket = Net.connect(Number(new URL(url).port), "127.0.0.1", () => {
          socket.write(text)
          resolve({ socket, answer: () => answer })
        })
        socket.on("data", (chunk) => {
          answer += String(chunk)
        })
        socket.on("error", () => {})
      })
    ),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** Half of an upload. */
const upload = "PUT /documents/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello"

describe("WebService", { timeout: 60_000 }, () =>
  layer(NodeServices.layer)((it) => {
    it.effect("keeps documents in a folder, gives them back and removes them", () =>
      Effect.gen(function*() {
        const { at, fs } = yield* makeScratch
        const service = yield* start(["--dir", at("new/documents")])
        const path = "/documents/report-1.md"
        assert.deepStrictEqual(
          yield* statuses(service, [
            { path, method: "PUT", body: "first" },
            { path, method: "PUT", body: "second", headers: { "content-type": "text/markdown" } },
            { path, method: "HEAD" }
          ]),
          [201, 204, 200]
        )
        assert.strictEqual(yield* fs.readFileString(at("new/documents/report-1.md")), "second")
        const { body, headers, status } = yield* request(service, path)
        assert.deepStrictEqual([status, headers["content-type"], body], [200, "application/octet-stream", "second"])
        assert.deepStrictEqual(
          yield* statuses(service, [{ path, method: "DELETE" }, { path, method: "DELETE" }, { path }]),
          [204, 404, 404]
        )
        assert.isFalse(yield* fs.exists(at("new/documents/report-1.md")))
        assert.deepStrictEqual(JSON.parse((yield* request(service, path)).body), {
          type: "about:blank",
          title: "Not Found",
          status: 404,
          detail: "there is no document \"report-1.md\""
        })
      }))

    it.effect("takes bytes as they are, also in parts, up to a limit", () =>
      Effect.gen(function*() {
        const { at, fs } = yield* makeScratch
        const service = yield* start(["--dir", at("")])
        const half = new Uint8Array(5_000_000).map((_, i) => i % 256)
        const limit = Buffer.concat([half, half])
        const path = "/documents/large"
        const method = "PUT"
        assert.deepStrictEqual(
          yield* statuses(service, [
            { path, method, body: [half, half] },
            { path, method, body: limit },
            { path, method, body: [half, half, Uint8Array.of(1)] },
            { path, method, body: Buffer.concat([limit, Uint8Array.of(1)]) },
            { path, method, body: "" }
          ]),
          [201, 204, 413, 413, 400]
        )
        assert.isTrue(limit.equals(yield* fs.readFile(at("large"))))
      }))

    it.effect("refuses what is no name of a document, and never leaves its folder", () =>
      Effect.gen(function*() {
        const { at, fs } = yield* makeScratch
        yield* fs.writeFileString(at("secret"), "secret")
        yield* fs.makeDirectory(at("documents/folder"), { recursive: true })
        const service = yield* start(["--dir", at("documents")])
        const before = yield* fs.readDirectory(at(""), { recursive: true })
        const names = [
          "..%2Fsecret",
          "%2E%2E%2Fsecret",
          "..",
          ".",
          ".hidden",
          "a%2Fb",
          "a%00",
          "a%5Cb",
          "a.",
          "%20",
          "x".repeat(101)
        ]
        for (const method of ["GET", "PUT", "DELETE"]) {
          for (const name of names) {
            const { body, status } = yield* request(service, `/documents/${name}`, {
              method,
              ...(method === "PUT" && { body: "x" })
            })
            assert.strictEqual(status, 400, `${method} ${name}`)
            assert.deepInclude(JSON.parse(body), { title: "Bad Request", status: 400 })
          }
        }
        assert.deepStrictEqual(
          yield* statuses(service, [
            { path: "/documents/../../secret" },
            { path: "/documents/%ZZ" },
            { path: "/documents/folder" },
            { path: "/documents/folder", method: "DELETE" },
            { path: "/documents/" }
          ]),
          [404, 404, 404, 404, 404]
        )
        assert.deepStrictEqual(yield* fs.readDirectory(at(""), { recursive: true }), before)
      }))

    it.effect("tells those who run it what the disk cannot do, and nobody else", () =>
      Effect.gen(function*() {
        const { at, fs } = yield* makeScratch
        yield* fs.makeDirectory(at("documents/taken"), { recursive: true })
        const service = yield* start(["--dir", at("documents")])
        const { body, status } = yield* request(service, "/documents/taken", { method: "PUT", body: "x" })
        assert.strictEqual(status, 500)
        assert.deepStrictEqual(JSON.parse(body), { type: "about:blank", title: "Internal Server Error", status: 500 })
        const samples = yield* scrape(service)
        assert.strictEqual(samples.get(countOf("PUT", "/documents/:id", 500)), 1)
        assert.strictEqual(
          samples.get(`document_storage_save_failures_by_reason_total{recorder_id="default",reason="not_written"}`),
          1
        )
        yield* service.kill("SIGTERM")
        const { stderr } = yield* service.ended
        assert.include(stderr, `taken: the document cannot be written (EISDIR`)
      }))

    it.effect("counts and times every request by the names that OpenTelemetry gives it", () =>
      Effect.gen(function*() {
        const service = yield* start([])
        yield* statuses(service, [
          { path: "/documents/a", method: "PUT", body: "12345" },
          { path: "/documents/b?query=1", method: "PUT", body: ["123", "4567"].map((part) => Buffer.from(part)) },
          { path: "/documents/a", method: "PUT", body: "123" },
          { path: "/documents/a" },
          { path: "/documents/b" },
          { path: "/documents/b", method: "HEAD" },
          { path: "/documents/c" },
          { path: "/documents/b", method: "DELETE" }
        ])
        const samples = yield* scrape(service)
        const route = "/documents/:id"
        const seriesOf = (name: string) =>
          Object.fromEntries([...samples].filter(([series]) => series.startsWith(`${name}{`)))

        assert.deepStrictEqual(seriesOf("http_server_request_duration_seconds_count"), {
          [countOf("PUT", route, 201)]: 2,
          [countOf("PUT", route, 204)]: 1,
          [countOf("GET", route, 200)]: 2,
          [countOf("HEAD", route, 200)]: 1,
          [countOf("GET", route, 404)]: 1,
          [countOf("DELETE", route, 204)]: 1
        })
        for (const seconds of Object.values(seriesOf("http_server_request_duration_seconds_sum"))) {
          assert.isAbove(seconds, 0)
          assert.isBelow(seconds, 10)
        }
        // Nobody said how long the body in parts would be.
        const requestBytes = "http_server_request_body_size_bytes"
        assert.deepStrictEqual(seriesOf(`${requestBytes}_sum`), {
          [labelled(`${requestBytes}_sum`, "PUT", route, 201)]: 5,
          [labelled(`${requestBytes}_sum`, "PUT", route, 204)]: 3
        })
        const responseBytes = "http_server_response_body_size_bytes"
        assert.deepStrictEqual(seriesOf(`${responseBytes}_sum`), {
          [labelled(`${responseBytes}_sum`, "PUT", route, 201)]: 0,
          [labelled(`${responseBytes}_sum`, "GET", route, 200)]: 3 + 7,
          [labelled(`${responseBytes}_sum`, "GET", route, 404)]: (yield* request(service, "/documents/c")).body.length
        })
        // The scrape itself is a request too.
        const active = (method: string) =>
          `http_server_active_requests{recorder_id="default",http_request_method="${method}"}`
        assert.deepStrictEqual(seriesOf("http_server_active_requests"), {
          [active("PUT")]: 0,
          [active("GET")]: 1,
          [active("HEAD")]: 0,
          [active("DELETE")]: 0
        })
        assert.strictEqual(samples.get(`document_storage_save_attempts_success_total{recorder_id="default"}`), 3)
        assert.strictEqual(samples.get(`document_storage_save_bytes_bytes_total{recorder_id="default"}`), 15)
      }))

    it.effect("makes no series of what clients make up", () =>
      Effect.gen(function*() {
        const service = yield* start([])
        yield* statuses(service, Array.from({ length: 30 }, (_, i) => ({ path: `/made/up/${i}?${i}` })))
        yield* statuses(service, ["PROPFIND", "MKCOL", "LOCK"].map((method) => ({ path: "/documents/a", method })))
        const samples = [...(yield* scrape(service))].filter(([series]) =>
          series.startsWith("http_server_request_duration_seconds_count")
        )
        assert.deepStrictEqual(samples, [[countOf("GET", "", 404), 30], [countOf("_OTHER", "", 404), 3]])
      }))

    it.effect("counts a request whose client goes away before it is answered", () =>
      Effect.gen(function*() {
        const service = yield* start([])
        const { socket } = yield* connect(service, upload)
        yield* until("the upload has begun", Effect.map(activePuts(service), (count) => count === 1))
        socket.destroy()
        yield* until("the request is over", Effect.map(activePuts(service), (count) => count === 0))
        assert.strictEqual((yield* scrape(service)).get(countOf("PUT", "/documents/:id", 499)), 1)
        yield* service.kill("SIGTERM")
        assert.strictEqual((yield* service.ended).stderr, "")
      }))

    it.effect("says the same as JSON and to Prometheus", () =>
      Effect.gen(function*() {
        const service = yield* start([])
        yield* statuses(service, [
          { path: "/documents/a", method: "PUT", body: "12345" },
          { path: "/documents/.a", method: "PUT", body: "12345" },
          { path: "/documents/a" },
          { path: "/documents/b" }
        ])
        const answer = yield* request(service, "/snapshots")
        assert.strictEqual(answer.headers["content-type"], "application/json")
        const snapshots = JSON.parse(answer.body).default
        const samples = yield* scrape(service)
        const { duration } = snapshots["http.server.request"].dimensions
        assert.strictEqual(duration.length, 4)
        for (const { labels, value } of duration) {
          const name = (suffix: string) =>
            labelled(
              `http_server_request_duration_seconds_${suffix}`,
              labels["http.request.method"],
              labels["http.route"],
              labels["http.response.status_code"]
            )
          assert.strictEqual(samples.get(name("count")), value.count)
          assert.strictEqual(samples.get(name("sum")), value.sum)
          assert.strictEqual(
            samples.get(name("bucket").replace("}", ",le=\"0.1\"}")),
            value.counts.slice(0, 1 + value.boundaries.indexOf(0.1)).reduce((sum: number, count: number) => sum + count)
          )
        }
        const { success_total, total } = snapshots["document_storage.save.attempts"].dimensions
        assert.deepStrictEqual([total, success_total], [1, 1])
        assert.strictEqual(samples.get(`document_storage_save_attempts_total{recorder_id="default"}`), total)
        const { average_ms } = snapshots["document_storage.save.duration"].dimensions
        assert.closeTo(
          samples.get(`document_storage_save_duration_average_seconds{recorder_id="default"}`)!,
          average_ms / 1_000,
          1e-12
        )
      }))

    it.effect("sends how the metrics look, and then every change in order, until it ends", () =>
      Effect.gen(function*() {
        const service = yield* start([])
        yield* statuses(service, [{ path: "/documents/a", method: "PUT", body: "12345" }])
        const stream = yield* listen(service)
        assert.strictEqual(stream.headers["content-type"], "text/event-stream")
        yield* until("the snapshot has come", Effect.sync(() => stream.events().length > 0))
        const [first] = stream.events()
        const { offset, sequence, snapshots } = first.data
        assert.deepStrictEqual([first.event, first.id], ["snapshot", String(sequence)])
        assert.strictEqual(snapshots["document_storage.save.attempts"].dimensions.total, 1)

        yield* statuses(service, [{ path: "/documents/b", method: "PUT", body: "67" }])
        // The saving is one fact, its request are two.
        const savesAndRequests = ["http.server", "document_storage.save.attempts", "http.server.request"]
        yield* until(
          "the changes have come",
          Effect.sync(() => savesAndRequests.every((name) => stream.events().some(({ data }) => data.metric === name)))
        )
        yield* service.kill("SIGTERM")
        const { code } = yield* service.ended
        assert.strictEqual(code, 0)
        yield* until("the stream has come to its own end", stream.isComplete)

        const [, ...changes] = stream.events()
        assert.isTrue(changes.every(({ event }) => event === "change"))
        assert.deepStrictEqual(
          changes.map(({ id }) => id),
          changes.map((_, i) => String(sequence + 1 + i))
        )
        assert.isTrue(changes.every(({ data }) => data.offset > offset))
        const { data } = changes.find(({ data }) => data.metric === "document_storage.save.attempts")!
        assert.deepStrictEqual(data.snapshot.dimensions, { total: 2, success_total: 2, failure_total: 0 })
        assert.deepInclude(data.event, { _tag: "document_storage.save.attempt", outcome: "SUCCESS", bytes: 2 })
      }))

    it.effect("lets go of a listener that has gone", () =>
      Effect.gen(function*() {
        const service = yield* start([])
        const stream = yield* listen(service)
        const active = Effect.map(
          scrape(service),
          (samples) => samples.get(`http_server_active_requests{recorder_id="default",http_request_method="GET"}`)
        )
        assert.strictEqual(yield* active, 2)
        yield* stream.disconnect
        yield* until("only the scrape is left", Effect.map(active, (count) => count === 1))
        assert.strictEqual((yield* scrape(service)).get(countOf("GET", "/changes", 200)), 1)
      }))

    it.effect("finishes the requests in flight when it is told to end, takes no more, and says what it has counted", () =>
      Effect.gen(function*() {
        const { at, fs } = yield* makeScratch
        const service = yield* start(["--dir", at("")])
        const { answer, socket } = yield* connect(service, upload)
        yield* until("the upload has begun", Effect.map(activePuts(service), (count) => count === 1))
        yield* service.kill("SIGTERM")
        yield* until("it takes no more", Effect.isFailure(request(service, "/").pipe(Effect.sandbox)))
        socket.write("world")
        const { code, stderr, stdout } = yield* service.ended
        assert.match(answer(), /^HTTP\/1.1 201 Created\r\n/)
        assert.strictEqual(yield* fs.readFileString(at("slow")), "helloworld")
        assert.strictEqual(code, 0)
        assert.strictEqual(stderr, "")
        assert.match(stdout, /^document_storage\.save\.attempts_success_total +counter +1$/m)
        assert.match(stdout, /^http\.server\.request_duration\{.*"PUT".*"201"\} +histogram +1$/m)
        assert.match(stdout, /^http\.server_active_requests\{.*"PUT"\} +upDownCounter +0 request$/m)
      }))

    it.effect("ends connections that have no request, and waits for none of them", () =>
      Effect.gen(function*() {
        const service = yield* start([])
        const [silent, hesitant, answered, busy] = yield* Effect.all([
          connect(service),
          connect(service, "GET /sna"),
          connect(service, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
          connect(service, upload)
        ])
        yield* until("there is an answer", Effect.sync(() => answered.answer() !== ""))
        yield* until("the upload has begun", Effect.map(activePuts(service), (count) => count === 1))
        yield* service.kill("SIGINT")
        for (const { socket } of [silent, hesitant, answered]) {
          yield* until("the connection is ended", Effect.sync(() => socket.destroyed))
        }
        busy.socket.write("world")
        assert.strictEqual((yield* service.ended).code, 0)
        assert.match(busy.answer(), /^HTTP\/1.1 201 Created\r\n/)
      }))

    it.effect("ends a connection with the last answer on it, once its server is closed", () =>
      Effect.gen(function*() {
        const responses: Array<Http.ServerResponse> = []
        // Node would not end the connection of its own accord, as it does after 5 seconds unless told otherwise.
        const options = { keepAliveTimeout: 0 }
        const server = Connections.endIdleOnClose(Http.createServer(options, (_, response) => responses.push(response)))
        yield* Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
        const { port } = server.address() as Net.AddressInfo
        const { answer, socket } = yield* connect(
          { url: `http://127.0.0.1:${port}` },
          "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        yield* until("the request has come", Effect.sync(() => responses.length > 0))
        let isClosed = false
        server.close(() => {
          isClosed = true
        })
        responses[0].end("last")
        yield* until("the connection is ended", Effect.sync(() => socket.destroyed))
        assert.match(answer(), /^HTTP\/1.1 200 OK\r\n[^]*last/)
        yield* until("the server is closed", Effect.sync(() => isClosed))
      }))

    it.effect("makes requests to itself, and says what the metrics say of them", () =>
      Effect.gen(function*() {
        const { at, fs } = yield* makeScratch
        const { code, stderr, stdout } = yield* run(["--load", "0.5", "--port", "0"], { TMPDIR: at("") })
        assert.strictEqual(stderr, "")
        assert.strictEqual(code, 0)
        const [, made, answered, notFound, failed] = stdout
          .match(/^Made (\d+) requests in 0\.5 s: (\d+) answered, (\d+) not found, (\d+) failed$/m)!
          .map(Number)
        assert.strictEqual(failed, 0)
        assert.isAbove(answered, 0)
        assert.isAbove(notFound, 0)
        assert.strictEqual(answered + notFound, made)
        const [, counted, median, p99] = stdout
          .match(/^The metrics say (\d+) requests, half of them within ([\d.]+) ms, 99 % within ([\d.]+) ms$/m)!
          .map(Number)
        assert.strictEqual(counted, made)
        assert.isAbove(median, 0)
        assert.isAtLeast(p99, median)
        assert.deepStrictEqual(yield* fs.readDirectory(at("")), [])
      }))

    it.effect("says in one line that the port is in use", () =>
      Effect.gen(function*() {
        const { url } = yield* start([])
        const port = new URL(url).port
        assert.deepStrictEqual(yield* run(["--port", port]), {
          code: 1,
          stdout: "",
          stderr: `web-service: cannot listen on 127.0.0.1:${port}: the port is in use\n`
        })
      }))

    it.effect.each([
      { args: ["--dir", "/dev/null/x"], line: "cannot use \"/dev/null/x\": it is not a folder" },
      { args: ["--dir", "package.json"], line: "cannot use \"package.json\": it is not a folder" },
      { args: ["--port", "65536"], line: /^Invalid value for flag --port: "65536"\. .*between 0 and 65535$/ },
      { args: ["--port", "http"], line: /^Invalid value for flag --port: "http"\. / },
      { args: ["--load", "0"], line: "Invalid value for flag --load: \"0\". Expected more than 0 seconds, got 0" },
      { args: ["--load", "ever"], line: /^Invalid value for flag --load: "ever"\. / },
      { args: ["--bogus"], line: "Unrecognized flag: --bogus in command web-service" },
      { args: ["there"], line: "Unexpected positional argument: \"there\"" },
      { args: [], env: { PORT: "http" }, line: /PORT/ },
      { args: [], env: { PORT: "0", METRICS_CAPACITY: "0" }, line: /METRICS_CAPACITY/ }
    ])("says in one line what is wrong with $args $env", ({ args, env, line }) =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* run(args, env)
        assert.strictEqual(code, 1)
        assert.strictEqual(stdout, "")
        assert.match(stderr, /^web-service: .*\n$/)
        const told = stderr.slice("web-service: ".length, -1)
        if (typeof line === "string") assert.strictEqual(told, line)
        else assert.match(told, line)
      }))

    it.effect("takes its port from the environment, and shows where to look", () =>
      Effect.gen(function*() {
        const service = yield* start([], { PORT: "1" })
        const places = (yield* request(service, "/")).body
        for (const path of ["/documents/:id", "/metrics", "/snapshots", "/changes"]) assert.include(places, path)
        yield* service.kill("SIGINT")
        const { code, stdout } = yield* service.ended
        assert.strictEqual(code, 0)
        assert.isTrue(stdout.startsWith(`${service.url} keeps documents in `))
        assert.include(stdout, places)
        const busy = yield* run([], { PORT: new URL((yield* start([])).url).port })
        assert.include(busy.stderr, "the port is in use")
      }))

    it.effect("explains itself", () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* run(["--help"])
        assert.deepStrictEqual([code, stderr], [0, ""])
        for (const flag of ["--dir FOLDER", "--port PORT", "--load SECONDS"]) assert.include(stdout, flag)
      }))
  }))
