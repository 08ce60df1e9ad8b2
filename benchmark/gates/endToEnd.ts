/** What does an event cost from its construction to the states of five metrics, against a buffer and a batch fold by hand? */
import { paired, pairsOf, time } from "../harness/measure.ts"
import { limit, product, type Question } from "../harness/Question.ts"
import { burst, bursts, HandFold, makeRecorder, metrics, sameResult, saveAttempt } from "./saves.ts"

const of = "an event into five metrics"
const column = "/ array push + batch fold"

const question: Question = {
  title: "what an event costs from its construction to the new states of five metrics",
  columns: { [column]: "x" },
  cases: {
    [of]: product(async (effort) => {
      const five = metrics(5)
      const recorder = makeRecorder({ metrics: five })
      const hand = new HandFold(five)
      const value = await paired(
        bursts(() =>
          time(() => {
            for (let i = 0; i < burst; i++) recorder.registerEventUnsafe(saveAttempt(i))
            recorder.snapshotsUnsafe()
          })
        ),
        bursts(() =>
          time(() => {
            for (let i = 0; i < burst; i++) hand.buffer.push(saveAttempt(i))
            hand.fold()
          })
        ),
        { pairs: pairsOf(effort) }
      )
      sameResult(recorder, hand)
      return { [column]: value }
    })
  },
  claims: [limit("end to end, five metrics / array push + batch fold", [of, column], "x", 2)],
  rounds: 3
}
export default question
