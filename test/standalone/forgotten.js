// A program in plain JavaScript that never shuts its runtime down.
import { Option } from "effect"
import { Metric, Standalone } from "mvx-metrics"

const Hits = Metric.make("cache.hits", {
  initial: { total: 0 },
  reduce: (state) => Option.some({ total: state.total + 1 })
})

const metrics = Standalone.make({ linger: Number(process.argv[2]) })
await metrics.start()
const cache = await metrics.createRecorder("cache", { metrics: [Hits] })
metrics.subscribe((change) => console.log(`change ${change.sequence}`))
process.once("beforeExit", () => {
  cache.registerEvent({ _tag: "cache.hit" })
  console.log(JSON.stringify(metrics.snapshots()))
})
cache.registerEvent({ _tag: "cache.hit" })
