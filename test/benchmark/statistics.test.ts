import { assert, describe, it } from "@effect/vitest"
import { median, quantile } from "../../benchmark/harness/statistics.ts"

describe("quantile", () => {
  it("is between two values where it falls between them, in whatever order they are", () => {
    assert.deepStrictEqual([0, 0.25, 0.5, 0.75, 1].map((q) => quantile([30, 10, 20], q)), [10, 15, 20, 25, 30])
    assert.deepStrictEqual([median([4, 1]), median([7])], [2.5, 7])
  })

  it("is infinite where the values are", () => {
    assert.deepStrictEqual([median([Infinity]), median([1, Infinity, Infinity])], [Infinity, Infinity])
  })
})
