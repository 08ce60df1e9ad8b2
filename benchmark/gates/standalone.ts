/** What does a handoff cost through a recorder of `Standalone`, against `registerEventUnsafe`? */
import { Standalone } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { paired, pairsOf, time } from "../harness/measure.ts"
import { limit, product, type Question } from "../harness/Question.ts"
import { burst, bursts, makeRecorder, metrics, saveAttempt } from "./saves.ts"

const of = "registerEvent of Standalone"
const column = "/ registerEventUnsafe"

const question: Question = {
  title: "what the calling line costs code that does not use Effect",
  columns: { [column]: "x" },
  cases: {
    [of]: product(async (effort) => {
      const runtime = Standalone.make()
      await runtime.start()
      const standalone = await runtime.createRecorder("benchmark", { metrics: metrics(1) })
      const recorder = makeRecorder()
      const value = await paired(
        bursts(() => {
          const { registerEvent } = standalone
          const elapsed = time(() => {
            for (let i = 0; i < burst; i++) registerEvent(saveAttempt(i))
          })
          standalone.snapshots()
          return elapsed
        }),
        bursts(() => {
          const { registerEventUnsafe } = recorder
          const elapsed = time(() => {
            for (let i = 0; i < burst; i++) registerEventUnsafe(saveAttempt(i))
          })
          recorder.snapshotsUnsafe()
          return elapsed
        }),
        { pairs: pairsOf(effort) }
      )
      deepStrictEqual(standalone.snapshots(), recorder.snapshotsUnsafe())
      await runtime.shutdown()
      return { [column]: value }
    })
  },
  claims: [limit("Standalone's registerEvent / registerEventUnsafe", [of, column], "x", 1.2)],
  rounds: 3
}
export default question
