/** What does handing an event over cost, against pushing it onto an array? */
import { HandFold, makeRecorder, metrics, sameResult, saveAttempt } from "./fixture.ts"
import { burst, bursts, compare, report, time } from "./harness.ts"

const recorder = makeRecorder()
const hand = new HandFold(metrics(1))

const figure = await compare(
  { name: "registerEventUnsafe(new ...) / array push of the same event", unit: "x", limit: 1.4 },
  bursts(() => {
    const { registerEventUnsafe } = recorder
    const elapsed = time(() => {
      for (let i = 0; i < burst; i++) registerEventUnsafe(saveAttempt(i))
    })
    recorder.snapshotsUnsafe()
    return elapsed
  }),
  bursts(() => {
    const { buffer } = hand
    const elapsed = time(() => {
      for (let i = 0; i < burst; i++) buffer.push(saveAttempt(i))
    })
    hand.fold()
    return elapsed
  })
)
sameResult(recorder, hand)
report(figure)
