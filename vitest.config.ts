import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  throw new Error(`Expected Node 22.19 or later, found ${process.version}`)
}

export default defineConfig({
  resolve: {
    alias: [
      { find: /^mvx-metrics$/, replacement: new URL("./src/index.ts", import.meta.url).pathname },
      { find: /^mvx-metrics\/testing$/, replacement: new URL("./src/testing/index.ts", import.meta.url).pathname },
      { find: /^mvx-metrics\/(.*)$/, replacement: new URL("./src/", import.meta.url).pathname + "$1.ts" }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/accuracy/**"],
    // The default leaves one core free, which of two is half of them.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // A machine that is busy with something else makes no test fail.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    setupFiles: ["test/setup.ts"],
    typecheck: { include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.json" }
  }
})
