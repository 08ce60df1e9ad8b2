import { assert, describe, it } from "@effect/vitest"
import { inTurn } from "../../benchmark/harness/QuestionRounds.ts"

describe("QuestionRounds", () => {
  it("spreads the rounds of each question over the whole time, in their order", () => {
    const turns = inTurn([{ name: "a", count: 5 }, { name: "b", count: 1 }, { name: "c", count: 3 }])
    assert.deepStrictEqual(
      turns.map(({ question, round }) => `${question.name}${round}`).join(" "),
      "a0 c0 a1 a2 b0 c1 a3 c2 a4"
    )
  })
})
