import { NodeServices } from "@effect/platform-node"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import * as ChildProcess from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

const commandLine = (example: string, args: ReadonlyArray<string>): ReadonlyArray<string> => [
  "--conditions=mvx-metrics-source",
  `examples/${example}/main.${example === "plain-node" ? "js" : "ts"}`,
  ...args
]

interface RunOptions {
  readonly env?: Record<string, string>
  readonly uid?: number
  readonly gid?: number
  /** Called with all of stderr so far, whenever there is more of it. */
  readonly onStderr?: (stderr: string, child: ChildProcess.ChildProcess) => void
  /** Called with the first lines of stdout. */
  readonly onFirstStdout?: (stdout: string, child: ChildProcess.ChildProcess) => void
}

// Most of a run is the loading of modules.
const env = { NODE_COMPILE_CACHE: fileURLToPath(new URL("../node_modules/.cache/examples", import.meta.url)) }

/** Runs an example as a user does. */
const run = (
  example: string,
  args: ReadonlyArray<string> = [],
  { onFirstStdout, onStderr, ...options }: RunOptions = {}
) =>
  Effect.callback<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resume) => {
    const child = ChildProcess.spawn(process.execPath, commandLine(example, args), { cwd: root, env, ...options })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").once("data", (chunk) => onFirstStdout?.(chunk, child)).on("data", (chunk) => {
      stdout += chunk
    })
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      stderr += chunk
      onStderr?.(stderr, child)
    })
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** A folder for one test: what is stored, where to, and the temporary files of the program. */
const makeScratch = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* Effect.flatMap(fs.makeTempDirectoryScoped(), fs.realPath)
  const at = (name: string) => path.join(folder, name)
  return {
    fs,
    at,
    write: Effect.fnUntraced(function*(name: string, content: string) {
      yield* fs.makeDirectory(path.dirname(at(name)), { recursive: true })
      yield* fs.writeFileString(at(name), content)
    }),
    /** The files below a folder. */
    files: Effect.fnUntraced(function*(name: string) {
      const names = yield* fs.readDirectory(at(name), { recursive: true })
      const files = yield* Effect.filter(
        names,
        (file) => Effect.map(fs.lstat(path.join(at(name), file)), ({ type }) => type !== "Directory")
      )
      return files.toSorted()
    }),
    store: (args: ReadonlyArray<string>, options?: RunOptions) =>
      run("document-storage", args, { env: { ...env, TMPDIR: folder }, ...options })
  }
})

/** Two good documents, and six that cannot be stored: three for their names, two unreadable ones, an empty one. */
const makeMixedFolder = Effect.gen(function*() {
  const scratch = yield* makeScratch
  yield* scratch.write("in/notes.txt", "hello")
  yield* scratch.write("in/deep/er/report.md", "x".repeat(100_000))
  yield* scratch.write("in/empty.txt", "")
  yield* scratch.write("in/.hidden", "x")
  yield* scratch.write("in/deep/what?.txt", "x")
  yield* scratch.write("in/.git/HEAD", "x")
  yield* scratch.fs.symlink("nowhere", scratch.at("in/dangling.txt"))
  yield* scratch.fs.symlink("deep", scratch.at("in/linked"))
  return scratch
})

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

const nothingDone = {
  "document_storage.save.attempts": {
    name: "document_storage.save.attempts",
    dimensions: { total: 0, success_total: 0, failure_total: 0 }
  },
  "document_storage.save.duration": {
    name: "document_storage.save.duration",
    dimensions: { quantiles_ms: { count: 0, sum: 0, quantiles: {} } }
  },
  "document_storage.save.bytes": {
    name: "document_storage.save.bytes",
    dimensions: { bytes_total: 0, bytes_per_second: 0 }
  },
  "document_storage.save.failures": { name: "document_storage.save.failures", dimensions: { by_reason: {} } }
}

// Modes mean nothing to root, so there the program runs as nobody, where nobody can read it.
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
const modesMatter = process.platform !== "win32" &&
  ChildProcess.spawnSync(process.execPath, commandLine("document-storage", ["--help"]), { cwd: root, ...nobody })
      .status === 0

describe("examples", { timeout: 60_000 }, () =>
  layer(NodeServices.layer)((it) => {
    describe("document-storage", () => {
      it.effect("stores every file it can, and counts what became of each", () =>
        Effect.gen(function*() {
          const { at, files, fs, store } = yield* makeMixedFolder
          const { code, stderr, stdout } = yield* store([at("in"), "--target", at("out"), "--json"])
          assert.strictEqual(code, 0)

          const snapshots = JSON.parse(stdout)
          const { average_ms, quantiles_ms: { sum, quantiles } } =
            snapshots["document_storage.save.duration"].dimensions
          assert.isAbove(quantiles["0.5"], 0)
          assert.isAtLeast(quantiles["0.99"], quantiles["0.5"])
          assert.isAbove(sum, quantiles["0.99"])
          assert.strictEqual(average_ms, sum / 8)
          const { bytes_per_second } = snapshots["document_storage.save.bytes"].dimensions
          assert.isAbove(bytes_per_second, 100_005 / (sum / 1_000))
          assert.deepStrictEqual(snapshots, {
            "document_storage.save.attempts": {
              name: "document_storage.save.attempts",
              dimensions: { total: 8, success_total: 2, failure_total: 6 }
            },
            "document_storage.save.duration": {
              name: "document_storage.save.duration",
              dimensions: {
                average_ms,
                quantiles_ms: { count: 8, sum, quantiles: { 0.5: quantiles["0.5"], 0.99: quantiles["0.99"] } }
              }
            },
            "document_storage.save.bytes": {
              name: "document_storage.save.bytes",
              dimensions: { bytes_total: 100_005, bytes_per_second }
            },
            "document_storage.save.failures": {
              name: "document_storage.save.failures",
              dimensions: { by_reason: { name_not_allowed: 3, unreadable: 2, empty: 1 } }
            }
          })

          assert.deepStrictEqual(yield* files("out"), ["deep/er/report.md", "notes.txt"])
          assert.sameMembers(yield* fs.readDirectory(at("out")), ["deep", "notes.txt"])
          assert.strictEqual(yield* fs.readFileString(at("out/notes.txt")), "hello")
          assert.strictEqual(yield* fs.readFileString(at("out/deep/er/report.md")), "x".repeat(100_000))

          const told = lines(stderr)
          assert.strictEqual(told[0], `Storing ${at("in")} in ${at("out")}`)
          assert.strictEqual(told.at(-1), "Stored 2 of 8 documents (3 name not allowed, 2 unreadable, 1 empty)")
          assert.includeMembers([...told], [
            "  \".hidden\": the name is not allowed",
            "  \".git/HEAD\": the name is not allowed",
            "  \"deep/what?.txt\": the name is not allowed",
            "  empty.txt: the document is empty",
            "  linked: the document cannot be read (not a file)",
            `  dangling.txt: the document cannot be read (ENOENT: no such file or directory, stat '${
              at("in/dangling.txt")
            }')`
          ])
        }))

      it.effect("prints a table, and stores in a fresh temporary folder", () =>
        Effect.gen(function*() {
          const { at, files, store, write } = yield* makeScratch
          yield* write("in/a.txt", "a".repeat(1_234))
          yield* write("in/b.txt", "")
          const { code, stderr, stdout } = yield* store([at("in")])
          assert.strictEqual(code, 0)
          const rows = lines(stdout)
          assert.deepStrictEqual(new Set(rows.map((row) => row.length)).size, 1, "every row ends in the same column")
          const measured = /((?:_ms|_per_second)\S*) +\d[\d,]*(?:\.\d{1,3})?$/
          assert.deepStrictEqual(rows.map((row) => row.trim().replace(measured, "$1 measured").split(/ +/)), [
            ["METRIC", "DIMENSION", "VALUE"],
            ["document_storage.save.attempts", "total", "2"],
            ["success_total", "1"],
            ["failure_total", "1"],
            ["document_storage.save.duration", "average_ms", "measured"],
            ["quantiles_ms{quantile=\"0.5\"}", "measured"],
            ["quantiles_ms{quantile=\"0.99\"}", "measured"],
            ["document_storage.save.bytes", "bytes_total", "1,234"],
            ["bytes_per_second", "measured"],
            ["document_storage.save.failures", "by_reason{reason=\"empty\"}", "1"]
          ])
          const target = lines(stderr)[0].split(" in ")[1]
          assert.match(target, /document-storage-\w+$/)
          assert.deepStrictEqual(yield* files(target.slice(at("").length)), ["a.txt"])
        }))

      it.effect("stores this repository's docs and src unless told otherwise", () =>
        Effect.gen(function*() {
          const { at, files, store } = yield* makeScratch
          const { code, stdout } = yield* store(["--json", "--target", at("out")])
          assert.strictEqual(code, 0)
          const stored = yield* files("out")
          assert.includeMembers(stored, ["docs/recorders.md", "src/Event.ts", "src/internal/host.ts"])
          const { dimensions } = JSON.parse(stdout)["document_storage.save.attempts"]
          assert.strictEqual(dimensions.success_total, stored.length)
        }))

      it.effect("leaves out a target inside the folder, and replaces what was stored before", () =>
        Effect.gen(function*() {
          const { at, files, fs, store, write } = yield* makeScratch
          yield* write("in/a.txt", "first")
          const first = yield* store([at("in"), "--target", at("in/new/out"), "--json"])
          yield* write("in/a.txt", "second")
          const second = yield* store([at("in"), "--target", at("in/new/out"), "--json"])
          for (const { code, stdout } of [first, second]) {
            assert.strictEqual(code, 0)
            assert.strictEqual(JSON.parse(stdout)["document_storage.save.attempts"].dimensions.total, 1)
          }
          assert.deepStrictEqual(yield* files("in"), ["a.txt", "new/out/a.txt"])
          assert.strictEqual(yield* fs.readFileString(at("in/new/out/a.txt")), "second")
        }))

      it.effect("counts a document whose place is taken as not written", () =>
        Effect.gen(function*() {
          const { at, files, store, write } = yield* makeScratch
          yield* write("in/a", "a document here, a folder there")
          yield* write("out/a/b", "kept")
          const { code, stderr, stdout } = yield* store([at("in"), "--target", at("out"), "--json"])
          assert.strictEqual(code, 0)
          assert.strictEqual(JSON.parse(stdout)["document_storage.save.failures"].dimensions.by_reason.not_written, 1)
          assert.include(stderr, "  a: the document cannot be written (EISDIR")
          assert.deepStrictEqual(yield* files("out"), ["a/b"])
        }))

      it.effect.each([
        { bad: "a missing DIR", args: ["missing"], folder: "missing", problem: "it does not exist" },
        { bad: "a DIR that is a file", args: ["file"], folder: "file", problem: "it is not a folder" },
        { bad: "a target that is a file", args: ["in", "file"], folder: "file", problem: "it is not a folder" },
        { bad: "a target below a file", args: ["in", "file/x"], folder: "file/x", problem: "it is not a folder" },
        { bad: "DIR as target", args: ["in", "in"], folder: "in", problem: "the documents to store are in it" },
        { bad: "a target around DIR", args: ["in", "."], folder: ".", problem: "the documents to store are in it" }
      ])("says in one line what is wrong with $bad", ({ args: [directory, target], folder, problem }) =>
        Effect.gen(function*() {
          const { at, files, store, write } = yield* makeScratch
          yield* write("in/a.txt", "a")
          yield* write("file", "not a folder")
          const { code, stderr, stdout } = yield* store([
            at(directory),
            "--json",
            ...(target === undefined ? [] : ["--target", at(target)])
          ])
          assert.strictEqual(code, 1)
          assert.strictEqual(stderr, `document-storage: cannot use "${at(folder)}": ${problem}\n`)
          assert.deepStrictEqual(JSON.parse(stdout), nothingDone)
          assert.deepStrictEqual(yield* files("."), ["file", "in/a.txt"])
        }))

      it.effect.each([
        { args: ["--bogus", "--json"], line: "Unrecognized flag: --bogus in command document-storage" },
        { args: ["one", "two"], line: "Unexpected positional argument: \"two\"" },
        { args: ["--target"], line: "Missing value for flag --target. Expected: FOLDER" }
      ])("says in one line what is wrong with the command line $args", ({ args, line }) =>
        Effect.gen(function*() {
          const { store } = yield* makeScratch
          const { code, stderr, stdout } = yield* store(args)
          assert.strictEqual(code, 1)
          assert.strictEqual(stderr, `document-storage: ${line}\n`)
          if (args.includes("--json")) {
            assert.deepStrictEqual(JSON.parse(stdout), nothingDone)
          } else assert.match(stdout, /^METRIC .*\ndocument_storage.save.attempts +total +0\n/)
        }))

      it.effect.skipIf(!modesMatter)("says in one line that permission is denied", () =>
        Effect.gen(function*() {
          const { at, fs, store, write } = yield* makeScratch
          yield* fs.chmod(at("."), 0o755)
          yield* write("in/a.txt", "a")
          yield* write("closed/a.txt", "a")
          yield* write("read-only/a.txt", "a")
          yield* fs.chmod(at("closed"), 0)
          yield* fs.chmod(at("read-only"), 0o555)
          for (
            const [bad, args] of [
              ["closed", [at("closed")]],
              ["read-only", [at("in"), "--target", at("read-only")]],
              ["read-only/out", [at("in"), "--target", at("read-only/out")]]
            ] as const
          ) {
            const { code, stderr, stdout } = yield* store([...args, "--json"], nobody)
            assert.strictEqual(stderr, `document-storage: cannot use "${at(bad)}": permission denied\n`)
            assert.strictEqual(code, 1)
            assert.deepStrictEqual(JSON.parse(stdout), nothingDone)
          }
          yield* fs.chmod(at("closed"), 0o755)
        }))

      it.effect.skipIf(!modesMatter)(
        "goes on where a file or a folder inside DIR may not be read",
        () =>
          Effect.gen(function*() {
            const { at, fs, store, write } = yield* makeScratch
            yield* fs.chmod(at("."), 0o777)
            yield* write("in/a.txt", "a")
            yield* write("in/secret.txt", "s")
            yield* write("in/closed/b.txt", "b")
            yield* fs.chmod(at("in/secret.txt"), 0)
            yield* fs.chmod(at("in/closed"), 0)
            const { code, stderr } = yield* store([at("in")], nobody)
            assert.strictEqual(code, 0)
            assert.strictEqual(lines(stderr).at(-1), "Stored 1 of 3 documents (2 unreadable)")
            assert.include(stderr, "  closed: the document cannot be read (EACCES")
            assert.include(stderr, "  secret.txt: the document cannot be read (EACCES")
            yield* fs.chmod(at("in/closed"), 0o755)
          })
      )

      it.effect("prints what was done until it is interrupted, and leaves no half document", () =>
        Effect.gen(function*() {
          const { at, fs, store, write } = yield* makeScratch
          const count = 3_000
          yield* write("in/0.txt", "x")
          yield* Effect.forEach(
            Array.from({ length: count - 1 }, (_, i) =>
              at(`in/${i + 1}.txt`)),
            (file) => fs.link(at("in/0.txt"), file),
            { discard: true }
          )
          const { code, stderr, stdout } = yield* store([at("in"), "--target", at("out"), "--json"], {
            onStderr: (stderr, child) => {
              if (stderr.includes("stored,")) child.kill("SIGINT")
            }
          })
          assert.strictEqual(code, 130)
          const snapshots = JSON.parse(stdout)
          const attempts = snapshots["document_storage.save.attempts"].dimensions
          const failures = snapshots["document_storage.save.failures"].dimensions
          const stored = yield* fs.readDirectory(at("out"))
          assert.isTrue(stored.every((name) => name.endsWith(".txt")), "no drafts are left")
          assert.isBelow(attempts.total, count)
          assert.isAbove(attempts.success_total, 0)
          assert.strictEqual(attempts.success_total, stored.length)
          assert.strictEqual(attempts.failure_total, failures.by_reason.interrupted ?? 0)
          assert.strictEqual(snapshots["document_storage.save.bytes"].dimensions.bytes_total, stored.length)
          assert.include(stderr, `Stored ${stored.length} of ${attempts.total} documents`)
        }))

      it.effect.each([
        ["METRICS_CAPACITY", "none"],
        ["METRICS_CAPACITY", "0"],
        ["METRICS_OVERFLOW", "explode"],
        ["METRICS_LINGER", "soon"]
      ])("says in one line that %s cannot be %s", ([key, value]) =>
        Effect.gen(function*() {
          const { at, files, store, write } = yield* makeScratch
          yield* write("in/a.txt", "a")
          const { code, stderr, stdout } = yield* store([at("in"), "--target", at("out")], {
            env: { ...env, [key]: value }
          })
          assert.strictEqual(code, 1)
          assert.strictEqual(stdout, "")
          assert.match(stderr, new RegExp(`^document-storage: Expected .*${key}.*\n$`))
          assert.deepStrictEqual(yield* files("."), ["in/a.txt"])
        }))

      it.effect("is configured by METRICS_* variables", () =>
        Effect.gen(function*() {
          const { at, store, write } = yield* makeScratch
          yield* Effect.forEach(Array.from({ length: 20 }, (_, i) => `in/${i}.txt`), (name) => write(name, "x"))
          const { code, stdout } = yield* store([at("in"), "--target", at("out"), "--json"], {
            env: {
              ...env,
              METRICS_NAMESPACE: "storage",
              METRICS_CAPACITY: "1",
              METRICS_OVERFLOW: "fold",
              METRICS_LINGER: "1 second",
              METRICS_STOP_TIMEOUT: "1 second"
            }
          })
          assert.strictEqual(code, 0)
          assert.deepStrictEqual(JSON.parse(stdout)["document_storage.save.attempts"].dimensions, {
            total: 20,
            success_total: 20,
            failure_total: 0
          })
        }))

      it.effect("explains itself", () =>
        Effect.gen(function*() {
          const { code, stderr, stdout } = yield* run("document-storage", ["--help"])
          assert.strictEqual(code, 0)
          assert.strictEqual(stderr, "")
          assert.include(stdout, "document-storage [flags] [<DIR>]")
          assert.include(stdout, "--target FOLDER")
          assert.include(stdout, "--json")
          assert.notInclude(stdout, "METRIC")
        }))
    })

    describe("metric-changed", () => {
      it.effect("raises an alert, clears it, and shows every change to a subscriber", () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* run("metric-changed"), {
            code: 0,
            stdout: [
              "ALERT: 2 of 4 saves failed",
              "ALL CLEAR: 3 of 7 saves failed",
              "change 2: 200 bytes saved",
              "change 4: 500 bytes saved",
              "change 9: 600 bytes saved",
              "change 11: 1000 bytes saved",
              ""
            ].join("\n"),
            stderr: ""
          })
        }))
    })

    describe("custom-recorder", () => {
      const twoSaves = [
        { _tag: "document_storage.save.attempt", outcome: "SUCCESS", durationMs: 2, bytes: 300 },
        { _tag: "document_storage.save.attempt", outcome: "FAILURE", durationMs: 1, reason: "empty" }
      ]
      const written = [...twoSaves, ...twoSaves]

      it.effect("writes every accepted event to a file, and adds to it the next time", () =>
        Effect.gen(function*() {
          const { at, fs } = yield* makeScratch
          for (
            const { expected, flushed, stopped } of [
              { expected: written, flushed: 2, stopped: 4 },
              { expected: [...written, ...written], flushed: 6, stopped: 8 }
            ]
          ) {
            const { code, stderr, stdout } = yield* run("custom-recorder", [at("events.jsonl")])
            assert.strictEqual(code, 0)
            assert.strictEqual(stderr, `after the flush: ${flushed} lines\nafter the stop: ${stopped} lines\n`)
            assert.deepStrictEqual(lines(stdout).map((line) => JSON.parse(line)), expected)
            assert.strictEqual(yield* fs.readFileString(at("events.jsonl")), stdout)
          }
        }))

      it.effect("needs no file", () =>
        Effect.gen(function*() {
          const { code, stdout } = yield* run("custom-recorder")
          assert.strictEqual(code, 0)
          assert.deepStrictEqual(lines(stdout).map((line) => JSON.parse(line)), written)
        }))

      it.effect("is not created where the file cannot be opened", () =>
        Effect.gen(function*() {
          const { at } = yield* makeScratch
          assert.deepStrictEqual(yield* run("custom-recorder", [at("missing/events.jsonl")]), {
            code: 1,
            stdout: "",
            stderr: `PlatformError: NotFound: FileSystem.open (${at("missing/events.jsonl")})\n`
          })
        }))
    })

    describe("tcp-connections", () => {
      it.effect("has recorders and clients agree to the byte, and leaves no recorder", () =>
        Effect.gen(function*() {
          const { code, stderr, stdout } = yield* run("tcp-connections")
          assert.strictEqual(stderr, "")
          assert.strictEqual(code, 0)
          const rows = lines(stdout).map((line) => line.trim().split(/ {2,}/))
          assert.deepStrictEqual(rows.slice(0, 5), [
            ["recorders", "clients"],
            ["attempts that succeeded", "200", "200"],
            ["attempts that failed", "8", "8"],
            ["connections ended", "180", "180"],
            ["connections broken", "20", "20"]
          ])
          assert.deepStrictEqual(rows.slice(5).map(([label]) => label), [
            "bytes to the server",
            "bytes to the clients",
            "captures: client (own), server (rollup)",
            "The recorders and the clients agree, and no recorder of a connection is left."
          ])
          for (const [label, recorders, clients] of rows.slice(5, 7)) {
            assert.match(recorders, /^\d,\d{3},\d{3}$/, label)
            assert.strictEqual(recorders, clients, label)
          }
        }))
    })

    describe("plain-node", () => {
      const metricsOf = (web: any, byStatus: Record<string, number>) => {
        const { duration_ms_total, longest_ms } = web["http.durations"].dimensions
        const total = Object.values(byStatus).reduce((sum, count) => sum + count, 0)
        assert.isAbove(duration_ms_total, 0)
        assert.isAtMost(longest_ms, duration_ms_total)
        return {
          "http.requests": { name: "http.requests", dimensions: { total, by_status: byStatus } },
          "http.durations": {
            name: "http.durations",
            dimensions: { total, duration_ms_total, longest_ms, average_duration_ms: duration_ms_total / total }
          }
        }
      }

      it.effect("makes requests to itself, and prints what /snapshots says", () =>
        Effect.gen(function*() {
          const { code, stderr, stdout } = yield* run("plain-node")
          assert.strictEqual(stderr, "")
          assert.strictEqual(code, 0)
          const [first, ...rest] = lines(stdout)
          assert.match(first, /^Listening at http:\/\/127\.0\.0\.1:\d+$/)
          assert.strictEqual(rest.pop(), "Counted 5 requests")
          const { web } = JSON.parse(rest.join("\n"))
          assert.deepStrictEqual(web, metricsOf(web, { 200: 3, 404: 1 }))
        }))

      it.effect.each(["SIGINT", "SIGTERM"] as const)("serves until %s", (signal) =>
        Effect.gen(function*() {
          const answers: Array<any> = []
          const ask = async (stdout: string, child: ChildProcess.ChildProcess) => {
            const url = stdout.trim().replace("Listening at ", "")
            for (const path of ["/", "/missing", "/snapshots", "/snapshots"]) {
              const response = await fetch(`${url}${path}`)
              answers.push(await response.json())
            }
            child.kill(signal)
          }
          const { code, stderr, stdout } = yield* run("plain-node", ["--port", "0"], {
            onFirstStdout: (stdout, child) => void ask(stdout, child)
          })
          assert.strictEqual(stderr, "")
          assert.strictEqual(code, 0)
          assert.strictEqual(lines(stdout).at(-1), "Counted 4 requests")
          const [hello, missing, first, second] = answers
          assert.deepStrictEqual([hello, missing], [{ hello: "world" }, { error: "not found" }])
          assert.deepStrictEqual(first.web, metricsOf(first.web, { 200: 1, 404: 1 }))
          assert.deepStrictEqual(second.web, metricsOf(second.web, { 200: 2, 404: 1 }))
        }))

      it.effect.each([
        { args: ["--bogus"], problem: "Unknown option '--bogus'" },
        { args: ["--port", "99999"], problem: "options.port should be >= 0 and < 65536" }
      ])("says in one line what is wrong with $args", ({ args, problem }) =>
        Effect.gen(function*() {
          const { code, stderr } = yield* run("plain-node", args)
          assert.strictEqual(code, 1)
          assert.match(stderr, /^plain-node: .*\n$/)
          assert.include(stderr, problem)
        }))
    })

    describe("manual-lifecycle", () => {
      it.effect("shows each step, its outcome and the numbers that survive", () =>
        Effect.gen(function*() {
          assert.deepStrictEqual(yield* run("manual-lifecycle"), {
            code: 0,
            stdout: [
              "make     Virgin   total=0  ok",
              "start    Running  total=0  ok",
              "event    Running  total=1  ok",
              "stop     Stopped  total=1  {\"folded\":1,\"discarded\":0,\"changesSkipped\":0}",
              "event    Stopped  total=1  Recorder \"document_storage\": registerEvent expects Virgin, Starting or Running, found Stopped",
              "restart  Running  total=1  ok",
              "event    Running  total=2  ok",
              "stop     Stopped  total=2  {\"folded\":2,\"discarded\":0,\"changesSkipped\":0}",
              "start    Failure  total=0  Recorder \"unreachable\": expected the start to succeed, it ended with: the backend is unreachable",
              "event    Failure  total=0  Recorder \"unreachable\": registerEvent expects Virgin, Starting or Running, found Failure (the backend is unreachable)",
              ""
            ].join("\n"),
            stderr: ""
          })
        }))
    })
  }))
