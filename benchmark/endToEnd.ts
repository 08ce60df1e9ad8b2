/** What does an event cost from its construction to the new states, against a buffer and a batch fold by hand? */
import { HandFold, makeRecorder, metrics, sameResult, saveAttempt } from "./fixture.ts"
import { burst, bursts, compare, report, time } from "./harness.ts"

const count = Number(process.argv[2] ?? 1)
const recorder = makeRecorder({ metrics: metrics(count) })
const hand = new HandFold(metrics(count))

const figure = await compare(
  { name: `end to end, metrics: ${count} / array push + batch fold`, unit: "x", limit: 2 },
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
  )
)
sameResult(recorder, hand)
report(figure)
