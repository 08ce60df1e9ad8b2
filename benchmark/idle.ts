/**
 * How much memory does a recorder hold that has nothing to do, of 100 000 in one runtime?
 *
 * What the heap has more of after a collection than it had before. The ids of
 * the recorders were there before: they are the program's. Only the runtime, and
 * the scopes, keep the recorders. One fiber creates them all.
 */
import { Effect, Scope } from "effect"
import { strictEqual } from "node:assert"
import { makeRuntime, metrics, recorderIds, saveAttempt } from "./fixture.ts"
import { collectGarbage, macrotask, report } from "./harness.ts"

const scoped = process.argv[2] === "scoped"
const limit = scoped ? 2 : 1.5
const count = 100_000
const two = metrics(2)
const ids = recorderIds(count)

/** Bytes of the heap that are in use. */
const heap = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    await macrotask()
    collectGarbage()
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const kilobytes = (before: number, after: number): number => (after - before) / count / 1e3

const runtime = makeRuntime()
const create = (id: string, scope: Scope.Scope | undefined) =>
  scope === undefined
    ? runtime.createRecorder(id, { metrics: two })
    : Scope.provide(runtime.recorder(id, { metrics: two }), scope)

/** Code and caches are not the recorders'. */
const warmUp = async (): Promise<void> => {
  const scope = Scope.makeUnsafe()
  Effect.runSync(Effect.forEach(ids.slice(0, 1_000), (id) => create(id, scoped ? scope : undefined)))
  await emitToAll()
  for (const id of Effect.runSync(runtime.recorderIds)) Effect.runSync(runtime.removeRecorder(id))
}

const emitToAll = async (): Promise<void> => {
  const { folded } = Effect.runSync(runtime.stats)
  const recorders = Effect.runSync(runtime.recorderIds)
  for (const [i, id] of recorders.entries()) {
    strictEqual(Effect.runSync(runtime.getRecorder(id)).registerEventUnsafe(saveAttempt(i)), true)
  }
  while (Effect.runSync(runtime.stats).pending > 0) await macrotask()
  strictEqual(Effect.runSync(runtime.stats).folded, folded + recorders.length)
}

await warmUp()
const before = await heap()
const scopes = scoped ? ids.map(() => Scope.makeUnsafe()) : []
const withScopes = await heap()
Effect.runSync(Effect.forEach(ids, (id, i) => create(id, scopes[i]), { discard: true }))
const created = await heap()
await emitToAll()
const idle = await heap()

const name = scoped ? "an idle recorder in a scope of its own" : "an idle recorder"
report({ name, unit: "kB", limit, value: kilobytes(withScopes, idle) })
report({ name: `${name}, before its first event`, unit: "kB", limit, value: kilobytes(withScopes, created) })
if (scoped) report({ name: `${name}, the scope included`, unit: "kB", limit, value: kilobytes(before, idle) })
strictEqual(Effect.runSync(runtime.stats).recorders, count)
strictEqual(scopes.every(({ state }) => state._tag === "Open"), true)
