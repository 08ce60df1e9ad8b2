import { product, type Question } from "../../../benchmark/harness/Question.ts"

/** A case that reads no number. */
const question: Question = {
  title: "what is no number",
  columns: { time: "ns" },
  cases: { ours: product(async () => ({ time: Number("?") })) },
  claims: []
}
export default question
