import { NodeServices } from "@effect/platform-node"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import * as ChildProcess from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Runs the benchmarks as `npm run bench` does. */
const bench = (...args: ReadonlyArray<string>) =>
  Effect.callback<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resume) => {
    const child = ChildProcess.spawn(
      process.execPath,
      ["--expose-gc", "--conditions=mvx-metrics-source", "benchmark/main.ts", ...args],
      { cwd: root, env: {} }
    )
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (chunk) => stdout += chunk)
    child.stderr.setEncoding("utf8").on("data", (chunk) => stderr += chunk)
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const fileIn = Effect.fnUntraced(function*(name: string, content?: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(yield* fs.makeTempDirectoryScoped(), name)
  if (content !== undefined) yield* fs.writeFileString(file, content)
  return file
})

/** What was printed below the versions. */
const linesOf = ({ stdout }: { readonly stdout: string }): ReadonlyArray<string> =>
  stdout.replace(/ in \d+ s$/m, " in N s").split("\n").slice(2)

describe("npm run bench", () => {
  layer(NodeServices.layer)((it) => {
    it.effect("says how it is used", () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* bench("--help")
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.match(stdout, /^npm run bench -- \[QUESTION\.\.\.\].*\n\n  QUESTION +one of handoff, /)
        assert.match(stdout, /\n +or of the gates: construct, .*\n/)
      }))

    it.effect("knows its questions and options", () =>
      Effect.gen(function*() {
        const question = yield* bench("handoff", "hand-off", "gate")
        assert.deepStrictEqual([question.code, question.stdout], [1, ""])
        assert.match(question.stderr, /^Expected questions that there are, found hand-off, gate\n\nnpm run bench/)
        const option = yield* bench("--quick")
        assert.deepStrictEqual([option.code, option.stdout], [1, ""])
        assert.match(option.stderr, /^Unknown option '--quick'.*\n\nnpm run bench/)
      }))

    it.effect("says in one line which file it cannot read or write, before it measures", () =>
      Effect.gen(function*() {
        const missing = yield* fileIn("missing.json")
        assert.deepStrictEqual(yield* bench("handoff", "--against", missing), {
          code: 1,
          stdout: "",
          stderr: `Could not read --against: ENOENT: no such file or directory, open '${missing}'\n`
        })
        for (const content of ["", "{\n{", "null", "[]", `{ "format": 2 }`]) {
          const wrong = yield* fileIn("wrong.json", content)
          assert.deepStrictEqual(yield* bench("handoff", "--against", wrong), {
            code: 1,
            stdout: "",
            stderr: `Expected --against to name a file that --json wrote, found ${wrong}\n`
          })
        }
        assert.deepStrictEqual(yield* bench("handoff", "--json", `${missing}/nowhere`), {
          code: 1,
          stdout: "",
          stderr: `Could not write --json: ENOENT: no such file or directory, open '${missing}/nowhere'\n`
        })
      }))

    it.effect("measures a question in rounds, judges its claims, and compares it with an earlier time", () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const question = "test/benchmark/questions/Constant.ts"
        const file = yield* fileIn("results.json")
        const first = yield* bench(question, "--json", file)
        assert.deepStrictEqual([first.code, first.stderr], [0, ""])
        const printed = [
          "",
          `${question}: what does not change`,
          "                                          time",
          "  ours                    10.0 ns   ±0%",
          "  holds    10.0 ns (10.0 ns - 10.0 ns)    at most 10.0 ns   more",
          "  MISSED   10.0 ns (10.0 ns - 10.0 ns)    at most 9.00 ns   less",
          "",
          "1 of 2 hold, in N s",
          "  MISSED   10.0 ns (10.0 ns - 10.0 ns)    at most 9.00 ns   less"
        ]
        assert.deepStrictEqual(linesOf(first), [...printed, ""])

        const results = yield* fs.readFileString(file)
        const { format, questions, short } = JSON.parse(results)
        assert.deepStrictEqual([format, short, Object.keys(questions)], [1, false, [question]])
        assert.deepStrictEqual(questions[question].cases, {
          ours: { kind: "product", readings: { time: { unit: "ns", rounds: [10, 10, 10] } } }
        })

        const same = yield* bench(question, "--against", file)
        assert.deepStrictEqual([same.code, same.stderr], [0, ""])
        assert.deepStrictEqual(linesOf(same), [
          ...printed,
          "",
          "Peers and floors took 1.00x what they took then; our times are compared with that taken off.",
          "None of 1 readings of ours got slower or larger beyond the noise.",
          ""
        ])

        yield* fs.writeFileString(file, results.replace(/"rounds": \[\s+10,\s+10,\s+10\s+\]/, `"rounds": [5, 5, 5]`))
        const slower = yield* bench(question, "--against", file)
        assert.deepStrictEqual([slower.code, slower.stderr], [0, ""])
        assert.strictEqual(linesOf(slower).at(-2), `  SLOWER 2.00x  ${question}: ours, time: 5.00 ns then, 10.0 ns now`)
      }))

    it.effect("measures what the segments of a case say", () =>
      Effect.gen(function*() {
        const question = "test/benchmark/questions/Measuring.ts"
        const { code, stderr, stdout } = yield* bench(question, "--short")
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.deepStrictEqual(linesOf({ stdout }), [
          "The short form: what is counted is checked, the times say little.",
          "",
          `${question}: how it is measured`,
          "                                               time                    flag",
          "  negative differences        -3.00 ns",
          "  no segment of the warm-up    7.00 ns",
          "  pairs in either order        3.00 ns",
          "  arguments of Node                                      1.00x",
          "",
          "Measured, in N s",
          ""
        ])
      }))

    it.effect("measures a gate that is named, and judges nothing in the short form", () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* bench("standalone", "--short")
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.match(stdout, /\nstandalone: .*\n.*\n  registerEvent of Standalone +\d+\.\d\dx\n\nMeasured, in \d+ s\n$/)
      }))

    it.effect("ends with 1 where a result is wrong, names the case, and says the rest", () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* bench("test/benchmark/questions/Wrong.ts")
        assert.strictEqual(code, 1)
        const question = "test/benchmark/questions/Wrong.ts"
        assert.match(stderr, new RegExp(`^\nWRONG ${question}: miscounting ended with 1\n`))
        assert.match(stderr, /AssertionError.*: what was counted\n/)
        assert.match(stderr, new RegExp(`\nWRONG ${question}: silent ended with 0\n`))
        assert.match(stderr, new RegExp(`\nWrong results: ${question}: miscounting, ${question}: silent\n$`))
        assert.match(stdout, /\n  right .* 1\.00 ns .*\n\n0 of 0 hold/)
      }))

    it.effect("says what of a question cannot be put together, and the tables of the others", () =>
      Effect.gen(function*() {
        const [wrong, right] = ["test/benchmark/questions/NoNumber.ts", "test/benchmark/questions/Constant.ts"]
        const { code, stderr, stdout } = yield* bench(wrong, right, "--short")
        assert.strictEqual(code, 1)
        assert.strictEqual(
          stderr,
          `\nWRONG ${wrong}: ours of "what is no number" read no number in time: \n\nWrong results: ${wrong}\n`
        )
        assert.match(stdout, /\n  ours +10\.0 ns\n\nMeasured/)
      }))
  })
})
