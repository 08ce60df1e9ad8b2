import { Effect } from "effect"
import { measure } from "./harness/measure.ts"
import { Requests } from "./peers/Counting.ts"
import { labelled, makeRecorder, Request, totals } from "./peers/mvx.ts"
const effort = { time: 400, warmup: 200, short: false }
const recorder = makeRecorder({ metrics: process.argv[4] ? labelled(Number(process.argv[4])) : [totals] })
const { registerEventUnsafe } = recorder
const requests = new Requests((method, route) => {
  registerEventUnsafe(new Request({ method, route }))
})
const mode = process.argv[2]
const burst = Number(process.argv[3] ?? 1000)
const r = await measure(async () => {
  const start = performance.now()
  requests.run(burst)
  const mid = performance.now()
  if (mode === "sync") recorder.snapshotsUnsafe()
  else await Effect.runPromise(recorder.flush)
  const end = performance.now()
  return (mode === "handoff" ? mid - start : mode === "fold" ? end - mid : end - start) * 1e6 / burst
}, effort)
console.log(mode, burst, r.toFixed(1))
