/**
 * What does one event per macrotask cost, as a service emits one per request?
 * Processor time above that of the bare loop, which makes the event too.
 */
import { Effect, Stream } from "effect"
import { strictEqual } from "node:assert"
import { makeRecorder, SaveAttempt, saveAttempt } from "./fixture.ts"
import { compare, macrotask, report, type Side, until } from "./harness.ts"

const observed = process.argv[2] === "observed"
const segment = 30_000

const recorder = makeRecorder()
let offered = 0
let delivered = 0
if (observed) {
  Effect.runFork(Stream.runForEachArray(recorder.changes, (changes) =>
    Effect.sync(() => {
      delivered += changes.length
    })))
}

const oneByOne = (each: (i: number) => void, end: () => Promise<void>): Side => async () => {
  const before = process.cpuUsage()
  await new Promise<void>((resolve) => {
    let i = 0
    const step = () => {
      each(i)
      if (++i < segment) setImmediate(step)
      else resolve()
    }
    setImmediate(step)
  })
  await end()
  const { system, user } = process.cpuUsage(before)
  return (user + system) * 1_000 / segment
}

let made = saveAttempt(0)

const figure = await compare(
  observed
    ? { name: "one event per macrotask, with a change subscriber", unit: "ns", limit: 250 }
    : { name: "one event per macrotask", unit: "ns", limit: 120 },
  oneByOne((i) => {
    recorder.registerEventUnsafe(saveAttempt(i))
    offered++
  }, async () => {
    await Effect.runPromise(recorder.flush)
    if (observed) await until(() => delivered === offered)
  }),
  oneByOne((i) => {
    made = saveAttempt(i)
  }, macrotask),
  { pairs: 21 }
)
strictEqual(made._tag, SaveAttempt.tag)
strictEqual(Effect.runSync(recorder.stats).folded, offered)
report(figure)
