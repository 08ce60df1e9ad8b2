import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: {
    alias: [
      { find: /^mvx-metrics$/, replacement: new URL("./src/index.ts", import.meta.url).pathname },
      { find: /^mvx-metrics\/(.*)$/, replacement: new URL("./src/", import.meta.url).pathname + "$1.ts" }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    typecheck: { include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.json" }
  }
})
