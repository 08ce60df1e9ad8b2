/**
 * Imports every subpath of the installed package. Modules in folders may need
 * `@effect/platform-node`: where it is not installed, they are left out.
 *
 * Writes `types.ts`, which does the same for the types.
 */
import { existsSync, writeFileSync } from "node:fs"
import { posix } from "node:path"
import { subpathsOf } from "./subpaths.ts"

const platform = "@effect/platform-node"
const { closed, open } = subpathsOf("node_modules/mvx-metrics")
const types: Array<string> = []
const problems: Array<string> = []

const load = (specifier: string): Promise<unknown> =>
  specifier.endsWith(".json") ? import(specifier, { with: { type: "json" } }) : import(specifier)

for (const subpath of open) {
  const specifier = posix.join("mvx-metrics", subpath)
  const inFolder = subpath.split("/").length > 2
  try {
    await load(specifier)
    console.log(`imported ${specifier}`)
    if (!specifier.endsWith(".json")) types.push(`import type * as M${types.length} from "${specifier}"`)
  } catch (error) {
    if (inFolder && !existsSync(`node_modules/${platform}`) && String(error).includes(`'${platform}'`)) {
      console.log(`left out ${specifier}: needs ${platform}`)
    } else {
      problems.push(`${specifier}: ${error}`)
    }
  }
}

for (const subpath of closed) {
  const specifier = posix.join("mvx-metrics", subpath)
  const code = await load(specifier).then(() => "imported", (error) => error.code)
  if (code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") problems.push(`${specifier}: expected to be closed, found ${code}`)
  types.push(`// @ts-expect-error: not exported\nimport type * as M${types.length} from "${specifier}"`)
}
console.log(`refused ${closed.length} internal modules`)

writeFileSync("types.ts", `${types.join("\n")}\n`)
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 && closed.length > 0 ? 0 : 1
