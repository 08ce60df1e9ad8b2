import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const src = join(import.meta.dirname, "../src")

const sources = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))

interface Import {
  readonly from: string
  /** A module of a package, or a file of `src`. */
  readonly of: string
  readonly isType: boolean
}

const imports = sources.flatMap((from) =>
  Array.from(
    readFileSync(join(src, from), "utf8").matchAll(/^(?:import|export) (type )?(?:[^"]* from )?"([^"]+)"/gm),
    ([, type, specifier = ""]): Import => ({
      from,
      of: specifier.startsWith(".") ? relative(src, join(src, dirname(from), specifier)) : specifier,
      isType: type !== undefined
    })
  )
)

const textOf = ({ from, of }: Import): string => `${from} imports ${of}`

describe("the layout of the sources", () => {
  it("was read", () => assert.isAbove(imports.length, 300))

  it("has the unstable modules of Effect, and Node, at the borders only", () => {
    const isOuter = /^(exporters|dashboard|remote|storage|testing)\//
    const isUnstable = /^effect\/(observability|http|rpc|cluster|workers|persistence|socket|testing)|^@effect\/|^node:/
    const wrong = imports.filter(({ from, of }) => !isOuter.test(from) && isUnstable.test(of))
    assert.deepStrictEqual(wrong.map(textOf), [])
  })

  it("has no module of the core that knows an exporter", () => {
    const wrong = imports.filter(({ from, of }) => !from.startsWith("exporters/") && of.startsWith("exporters/"))
    assert.deepStrictEqual(wrong.map(textOf), [])
  })

  it("has exporters that know nothing of each other", () => {
    const isExporter = /^exporters\/[A-Z]/
    const wrong = imports.filter(({ from, of }) => from.startsWith("exporters/") && isExporter.test(of))
    assert.deepStrictEqual(wrong.map(textOf), [])
  })

  it("has definitions that know nothing of fibers", () => {
    const isDefinition = /^(Event|Dimension|Metric)\.ts$/
    const isRunning = /^effect\/(Fiber|Queue|PubSub|Layer|Stream|Scope)$|^(Recorder|Runtime|Standalone)\.ts$/
    const wrong = imports.filter(({ from, isType, of }) => !isType && isDefinition.test(from) && isRunning.test(of))
    assert.deepStrictEqual(wrong.map(textOf), [])
  })
})
