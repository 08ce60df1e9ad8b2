/** What do metrics that name other events cost an event that they do not name? */
import { Effect, Option } from "effect"
import { Metric } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { makeRecorder, metrics, saveAttempt } from "./fixture.ts"
import { burst, bursts, compare, report, type Side } from "./harness.ts"

const accepting = metrics(1)
const others = Array.from({ length: 100 }, (_, i) =>
  Metric.make(`others.${i}`, {
    events: [`other.${i}`],
    initial: { total: 0 },
    reduce: (state) => Option.some({ total: state.total + 1 })
  }))

const crowded = makeRecorder({ metrics: [...others, ...accepting] })
const alone = makeRecorder({ metrics: accepting })

// Not a read: that would show one metric on one side, and a hundred and one on the other.
const folding = (recorder: typeof alone): Side =>
  bursts(async () => {
    const start = performance.now()
    for (let i = 0; i < burst; i++) recorder.registerEventUnsafe(saveAttempt(i))
    await Effect.runPromise(recorder.flush)
    return (performance.now() - start) * 1e6
  })

const figure = await compare(
  { name: "100 metrics that name other events / the accepting one alone", unit: "x", limit: 1.1 },
  folding(crowded),
  folding(alone)
)
const seen = (recorder: typeof alone) => Effect.runSync(recorder.snapshot(accepting[0]!))
deepStrictEqual(seen(crowded), seen(alone))
report(figure)
