import { limit, product, type Question } from "../../../benchmark/harness/Question.ts"

const question: Question = {
  title: "what does not change",
  columns: { time: "ns" },
  cases: { ours: product(async () => ({ time: 10 })) },
  claims: [limit("more", ["ours", "time"], "ns", 10), limit("less", ["ours", "time"], "ns", 9)],
  rounds: 3
}
export default question
