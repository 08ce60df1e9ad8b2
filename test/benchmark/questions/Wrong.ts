import { strictEqual } from "node:assert"
import { peer, product, type Question, ratio } from "../../../benchmark/harness/Question.ts"

/** One case counts wrongly, and one ends without a reading. */
const question: Question = {
  title: "what is wrong",
  columns: { time: "ns" },
  cases: {
    right: product(async () => ({ time: 1 })),
    miscounting: peer(async () => {
      strictEqual(41, 42, "what was counted")
      return { time: 1 }
    }),
    silent: peer(async () => process.exit(0))
  },
  claims: [ratio("right / miscounting", ["right", "miscounting"], "time", 1)]
}
export default question
