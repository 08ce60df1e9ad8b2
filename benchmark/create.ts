/** What does it cost to create a recorder, of 100 000 in one runtime? */
import { Effect, Exit, Scope } from "effect"
import { strictEqual } from "node:assert"
import { makeRuntime, metrics, recorderIds } from "./fixture.ts"
import { collectGarbage, median, processorTime, report } from "./harness.ts"

const scoped = process.argv[2] === "scoped"
const two = metrics(2)

/** Microseconds per recorder. */
const create = async (count: number): Promise<number> => {
  const runtime = makeRuntime()
  const ids = recorderIds(count)
  const scopes = ids.map(() => Scope.makeUnsafe())
  collectGarbage()
  const elapsed = Effect.runSync(Effect.gen(function*() {
    const start = processorTime()
    for (let i = 0; i < count; i++) {
      if (scoped) yield* Scope.provide(runtime.recorder(ids[i]!, { metrics: two }), scopes[i]!)
      else yield* runtime.createRecorder(ids[i]!, { metrics: two })
    }
    return processorTime() - start
  }))
  strictEqual(Effect.runSync(runtime.recorderIds).length, count)
  for (const scope of scopes) Effect.runSync(Scope.close(scope, Exit.void))
  strictEqual(Effect.runSync(runtime.recorderIds).length, scoped ? 0 : count)
  await Effect.runPromise(runtime.shutdown)
  return elapsed / 1e3 / count
}

await create(10_000)
report({
  name: `create a recorder${scoped ? ", in a scope of its own" : ""}, of 100 000`,
  unit: "us",
  limit: scoped ? 12 : 8,
  value: median([await create(100_000), await create(100_000), await create(100_000)])
})
