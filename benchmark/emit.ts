/** What does `yield* Recorder.emit(event)` cost in a fiber, against the cheapest effect that keeps the event? */
import { Effect } from "effect"
import { Recorder } from "mvx-metrics"
import { HandFold, makeRecorder, metrics, sameResult, saveAttempt } from "./fixture.ts"
import { burst, bursts, compare, report, time } from "./harness.ts"

const recorder = makeRecorder()
const hand = new HandFold(metrics(1))

const emitting = Effect.gen(function*() {
  for (let i = 0; i < burst; i++) yield* Recorder.emit(saveAttempt(i))
}).pipe(Effect.provideService(Recorder.Recorder, recorder))

const pushing = Effect.gen(function*() {
  for (let i = 0; i < burst; i++) yield* Effect.sync(() => hand.buffer.push(saveAttempt(i)))
}).pipe(Effect.provideService(Recorder.Recorder, recorder))

const figure = await compare(
  { name: "yield* Recorder.emit(event) / yield* Effect.sync(push)", unit: "x", limit: 1.6 },
  bursts(() => {
    const elapsed = time(() => Effect.runSync(emitting))
    recorder.snapshotsUnsafe()
    return elapsed
  }),
  bursts(() => {
    const elapsed = time(() => Effect.runSync(pushing))
    hand.fold()
    return elapsed
  })
)
sameResult(recorder, hand)
report(figure)
