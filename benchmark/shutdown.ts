/** How long does a runtime take to end with very many recorders? */
import { Effect } from "effect"
import { strictEqual } from "node:assert"
import { makeRuntime, metrics, recorderIds, saveAttempt } from "./fixture.ts"
import { collectGarbage, macrotask, median, processorTime, report } from "./harness.ts"

const hooks = process.argv[2] === "onStopped"
const many = hooks ? 20_000 : 100_000
const two = metrics(2)

let stopped = 0
const onStopped = Effect.callback<void>((resume) => {
  setImmediate(() => {
    stopped++
    resume(Effect.void)
  })
})

/** Milliseconds of processor time until all have ended; each has folded an event. */
const shutDown = async (count: number): Promise<number> => {
  const runtime = makeRuntime()
  await Effect.runPromise(Effect.gen(function*() {
    for (const id of recorderIds(count)) {
      const recorder = yield* runtime.createRecorder(id, hooks ? { metrics: two, onStopped } : { metrics: two })
      recorder.registerEventUnsafe(saveAttempt(0))
    }
  }))
  while (Effect.runSync(runtime.stats).pending > 0) await macrotask()
  collectGarbage()
  stopped = 0
  const start = processorTime()
  const { failures, folded, recorders } = await Effect.runPromise(runtime.shutdown)
  const elapsed = processorTime() - start
  strictEqual(recorders, count)
  strictEqual(folded, count)
  strictEqual(failures.length, 0)
  strictEqual(stopped, hooks ? count : 0)
  return elapsed / 1e6
}

await shutDown(many / 10)
report({
  name: hooks ? "shutdown of 20 000 recorders with an asynchronous onStopped" : "shutdown of 100 000 recorders",
  unit: "ms",
  limit: hooks ? 2_000 : 200,
  value: median([await shutDown(many), await shutDown(many), await shutDown(many)])
})
