import { deepStrictEqual, strictEqual } from "node:assert"
import { measure, paired } from "../../../benchmark/harness/measure.ts"
import { product, type Question } from "../../../benchmark/harness/Question.ts"

/** Sees that what is measured is what the segments say. */
const question: Question = {
  title: "how it is measured",
  columns: { time: "ns", flag: "x" },
  cases: {
    "negative differences": product(async (effort) => {
      const times = [-3, 5, -4]
      let next = 0
      const time = await measure(() => times[next++ % 3]!, effort)
      strictEqual(time, -3)
      return { time }
    }),
    "no segment of the warm-up": product(async (effort) => {
      // Without time there are two segments to warm up, and three that count.
      const times = [900, 900, 6, 7, 8].values()
      return { time: await measure(() => times.next().value ?? NaN, { ...effort, time: 0, warmup: 0 }) }
    }),
    "pairs in either order": product(async () => {
      const order: Array<string> = []
      const side = (name: string, time: number) => () => {
        order.push(name)
        return time
      }
      const time = await paired(side("a", 6), side("b", 2), { pairs: 8, warmup: 1 })
      deepStrictEqual(order.join(""), "ababbabaabbaababba")
      strictEqual(await paired(side("a", 6), side("b", 2), { pairs: 2, relate: (a, b) => a - b }), 4)
      return { time }
    }),
    "arguments of Node": product(
      async () => {
        deepStrictEqual(process.execArgv.slice(-2), ["--conditions=mvx-metrics-source", "--no-opt"])
        return { flag: 1 }
      },
      { nodeArgs: ["--no-opt"] }
    )
  },
  claims: []
}
export default question
