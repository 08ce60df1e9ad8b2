import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"

const root = join(import.meta.dirname, "..")

const entry = join(root, "program.ts")

/** What a bundler makes of a program that imports the package, Effect left out. */
export interface Bundle {
  readonly text: string
  readonly minified: number
  readonly gzipped: number
  /** How many bytes each module of the package comes to, before minifying; those without a byte are left out. */
  readonly modules: Readonly<Record<string, number>>
}

/** Bundles a program as its users would: from the sources, or from `dist` where that is built. */
export const bundle = async (program: string, from: "src" | "dist" = "src"): Promise<Bundle> => {
  const build = await rolldown({
    input: entry,
    external: /^(effect|@effect|node:)/,
    platform: "node",
    resolve: { conditionNames: [...(from === "src" ? ["mvx-metrics-source"] : []), "import", "default"] },
    plugins: [{
      name: "program",
      resolveId: (id) => id === entry ? id : undefined,
      load: (id) => id === entry ? program : undefined
    }]
  })
  const { output: [{ code: text }] } = await build.generate({ format: "esm", minify: true })
  const { output: [{ modules }] } = await build.generate({ format: "esm", minify: false })
  await build.close()
  const within = join(root, from)
  return {
    text,
    minified: Buffer.byteLength(text),
    gzipped: gzipSync(text, { level: 9 }).length,
    modules: Object.fromEntries(
      Object.entries(modules)
        .filter(([id, { renderedLength }]) => id.startsWith(within) && renderedLength > 0)
        .map(([id, { renderedLength }]) => [id.slice(within.length + 1).replace(/\.(ts|js)$/, ""), renderedLength])
    )
  }
}
