/** What does a handoff cost through a recorder of `Standalone`, against `registerEventUnsafe`? */
import { Standalone } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { makeRecorder, metrics, saveAttempt } from "./fixture.ts"
import { burst, bursts, compare, report, time } from "./harness.ts"

const runtime = Standalone.make()
await runtime.start()
const standalone = await runtime.createRecorder("benchmark", { metrics: metrics(1) })
const recorder = makeRecorder()

const figure = await compare(
  { name: "Standalone's registerEvent / registerEventUnsafe", unit: "x", limit: 1.2 },
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
  })
)
deepStrictEqual(standalone.snapshots(), recorder.snapshotsUnsafe())
report(figure)
await runtime.shutdown()
