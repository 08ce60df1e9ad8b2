import { readdirSync, readFileSync } from "node:fs"
import { join, sep } from "node:path"

/** The subpaths that a user of the unpacked package may import, and those that must be closed to everybody. */
export const subpathsOf = (
  folder: string
): { readonly open: ReadonlyArray<string>; readonly closed: ReadonlyArray<string> } => {
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const named = Object.keys(exports).filter((key) => exports[key] !== null && !key.includes("*"))
  const files = readdirSync(join(folder, "dist"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".js"))
    .map((file) => `./${file.slice(0, -".js".length).replaceAll(sep, "/")}`)
  const isClosed = (file: string): boolean => file === "./index" || file.includes("/internal/")
  return {
    open: [...new Set([...named, ...files.filter((file) => !isClosed(file))])].toSorted(),
    closed: files.filter(isClosed).toSorted()
  }
}

if (import.meta.main) {
  for (const subpath of subpathsOf(process.argv[2] ?? ".").open) console.log(subpath)
}
