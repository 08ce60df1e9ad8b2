import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { globSync } from "node:fs"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { type Block, blocksOf, verbatim, withExpectations } from "./docs/blocks.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const files = globSync(
  ["README.md", "docs/**/*.md", "examples/README.md", "benchmark/README.md", "src/**/*.ts"],
  { cwd: root }
).toSorted()
const blocks = await Promise.all(files.map(async (file) => blocksOf(file, await readFile(join(root, file), "utf8"))))
  .then((found) => found.flat())

// What the test itself must find fault with.
const faulty = blocksOf(
  "faulty.md",
  [
    "```ts\nconst n: number = 'one'\n```",
    "```ts\nPromise.resolve({ total: 1 })\n// => {\n//   total: 2\n// }\n```",
    "```ts\nexport const f = () => {\n  Math.abs(-1) // => 1\n}\n```",
    "```ts\nif (true) {} // => 1\n```",
    "```ts\nMath.abs(-1) // => 1, of course\n```",
    "```ts no-run\nthrow new Error('not to be run')\n```"
  ].join("\n")
)
const [wrongType, wrongValue, neverReached, ofNothing, prose, fragment] = faulty as [
  Block,
  Block,
  Block,
  Block,
  Block,
  Block
]
const all = [...blocks, ...faulty]

let folder: string
let typeErrors: ReadonlyMap<string, string>

beforeAll(async () => {
  // Inside the package, so that a block imports it by its name; not in `node_modules`, where types are not stripped.
  await mkdir(join(root, ".docs"), { recursive: true })
  folder = await mkdtemp(join(root, ".docs", "run-"))
  await Promise.all(all.map((block) => write(pathOf(block), verbatim(block))))
  await write(
    "tsconfig.json",
    JSON.stringify({
      extends: "../../tsconfig.json",
      // The declarations of the dependencies are the business of `npm run check`.
      compilerOptions: { noUnusedLocals: false, skipLibCheck: true },
      include: [],
      files: all.filter(({ language }) => language === "ts").map(pathOf)
    })
  )
  typeErrors = await typeCheck()
}, 60_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

describe.concurrent("documentation", { timeout: 60_000 }, () => {
  for (const block of blocks) it(`${block.file}:${block.line}`, () => check(block))
})

describe.concurrent("the documentation test", { timeout: 60_000 }, () => {
  it("finds the blocks of the modules", () => {
    for (const file of ["src/Event.ts", "src/Metric.ts", "src/Recorder.ts", "src/Runtime.ts", "src/Standalone.ts"]) {
      assert.include(blocks.map((block) => block.file), file)
    }
  })

  it("fails for a wrong type", () => fails(wrongType, /faulty\.md\(2,7\): error TS2322/))

  it("fails for a wrong value", () => fails(wrongValue, /total: 1[^]*faulty\.md:5/))

  it("fails for a value that is never reached", () => fails(neverReached, /Never reached.*12/))

  it("fails for a value of nothing", () => fails(ofNothing, /faulty\.md:16: expected an expression/))

  it("fails for a value that is not one expression", () => fails(prose, /faulty\.md:19: expected an expression/))

  it("does not run what says `no-run`", () => check(fragment))
})

const pathOf = (block: Block): string => `${block.file}/${block.line}.${block.language}`

const write = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), text)
}

/** Runs Node in the folder of the blocks. Gives what it printed, with the places in the documentation. */
const node = (...args: ReadonlyArray<string>): Promise<{ readonly ok: boolean; readonly output: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, NODE_COMPILE_CACHE: join(root, ".docs", "cache"), NO_COLOR: "1", NODE_OPTIONS: "" }
    execFile(process.execPath, args, { cwd: folder, env, timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({
        ok: error === null,
        output: `${stdout}${stderr}${error?.killed === true ? "Still running after 30 s" : ""}`
          .replaceAll(pathToFileURL(`${folder}/`).href, "")
          .replaceAll(`${folder}/`, "")
          .replaceAll(/\/\d+(\.run)?\.[tj]s(?=[(:])/g, "")
      }))
  })

const typeCheck = async (): Promise<ReadonlyMap<string, string>> => {
  const { ok, output } = await node(join(root, "node_modules/typescript/bin/tsc"), "--noEmit", "--pretty", "false")
  const errors = new Map<string, string>()
  // A message goes on over indented lines.
  for (const error of ok ? [] : output.trimEnd().split(/\n(?=\S)/)) {
    const [, file, line] = /^(.+)\((\d+),\d+\): error/.exec(error) ?? []
    const block = all.findLast((block) => block.file === file && block.line <= Number(line))
    if (block === undefined) throw new Error(output)
    errors.set(pathOf(block), `${errors.get(pathOf(block)) ?? ""}${error}\n`)
  }
  return errors
}

const check = async (block: Block): Promise<void> => {
  const typeError = typeErrors.get(pathOf(block))
  if (typeError !== undefined) throw new Error(typeError)
  if (!block.runs) return
  const path = pathOf(block).replace(/(?=[tj]s$)/, "run.")
  await write(path, withExpectations(block))
  const { ok, output } = await node("--conditions=mvx-metrics-source", path)
  if (!ok) throw new Error(output)
}

const fails = (block: Block, message: RegExp): Promise<void> =>
  check(block).then(
    () => assert.fail("expected the block to fail"),
    (error: unknown) => assert.match(String(error), message)
  )
