/**
 * What does one event per macrotask cost that a subscriber to the changes hears of?
 * Processor time above that of the bare loop, which makes the event too.
 */
import { Effect, Stream } from "effect"
import { strictEqual } from "node:assert"
import { macrotask, paired, pairsOf, processorTime, until } from "../harness/measure.ts"
import { limit, product, type Question } from "../harness/Question.ts"
import { makeRecorder, SaveAttempt, saveAttempt } from "./saves.ts"

const oneByOne = (segment: number, each: (i: number) => void, end: () => Promise<void>) => async () => {
  const before = processorTime()
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
  return (processorTime() - before) / segment
}

const of = "one event per macrotask, observed"
const column = "above the bare loop"

const question: Question = {
  title: "the processor time of one event per macrotask with a subscriber to the changes",
  columns: { [column]: "ns" },
  cases: {
    [of]: product(async (effort) => {
      const segment = effort.short ? 1_000 : 30_000
      const recorder = makeRecorder()
      let offered = 0
      let delivered = 0
      Effect.runFork(Stream.runForEachArray(recorder.changes, (changes) =>
        Effect.sync(() => {
          delivered += changes.length
        })))
      let made = saveAttempt(0)
      const value = await paired(
        oneByOne(segment, (i) => {
          recorder.registerEventUnsafe(saveAttempt(i))
          offered++
        }, async () => {
          await Effect.runPromise(recorder.flush)
          await until(() => delivered === offered)
        }),
        oneByOne(segment, (i) => {
          made = saveAttempt(i)
        }, macrotask),
        { pairs: pairsOf(effort, 22), relate: (a, b) => a - b }
      )
      strictEqual(made._tag, SaveAttempt.tag)
      strictEqual(Effect.runSync(recorder.stats).folded, offered)
      return { [column]: value }
    })
  },
  claims: [limit("one event per macrotask, with a subscriber", [of, column], "ns", 250)],
  rounds: 3
}
export default question
