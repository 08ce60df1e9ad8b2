import { assert, describe, it } from "@effect/vitest"
import { distinct, type DistinctState } from "../../src/internal/dimension/HyperLogLog.ts"
import { newOwner, nobody } from "../../src/internal/dimension/Kind.ts"

/** Different texts for different numbers: alike but for their ends, in their length, or all over. */
const forms: Record<string, (number: number, seed: number) => string> = {
  "numbers": (number, seed) => String(seed * 100_000_000 + number),
  "numbers behind a long prefix": (number, seed) => `https://example.com/tenants/${seed}/documents/${number}`,
  "numbers before a long suffix": (number, seed) => `${number}@mail-${seed}.example.com`,
  "hexadecimal ids": (number, seed) =>
    (Math.imul(number, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0") + seed.toString(16).padStart(4, "0"),
  "few characters": (number, seed) => String.fromCharCode(number & 0xffff, (number >>> 16) + seed * 256)
}

const fold = (precision: number, from: number, to: number, text: (number: number) => string): DistinctState => {
  const { add, initial } = distinct(precision)
  const owner = newOwner()
  let state = initial
  for (let number = from; number < to; number++) state = add(state, text(number), 0, owner)
  return state
}

/** How far off the estimate is, in standard errors. */
const errorOf = (state: DistinctState, items: number): number =>
  (distinct(state.precision).view(state, 0) / items - 1) / (1.04 / Math.sqrt(2 ** state.precision))

const rootMeanSquare = (errors: ReadonlyArray<number>): number =>
  Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length)

describe("distinct", () => {
  describe.each(Object.keys(forms))("of %s", (form) => {
    // One set of ten in 350 has two items in one register, which is 12 standard errors: hence the share of the sets.
    it.each([
      [10, 500],
      [100, 500],
      [1_000, 500],
      [10_000, 200],
      [100_000, 20],
      [1_000_000, 1]
    ])("is within three standard errors at %d items, in 99 of 100 sets", (items, sets) => {
      const errors = Array.from(
        { length: sets },
        (_, seed) => errorOf(fold(14, 0, items, (number) => forms[form]!(number, seed)), items)
      )
      assert.isAtMost(errors.filter((error) => Math.abs(error) > 3).length, sets / 100)
      if (items > 10) assert.isBelow(rootMeanSquare(errors), 1 + 3 / Math.sqrt(2 * sets))
    })
  })

  it("is within three standard errors at 10^7 items, also when merged from 8 parts", () => {
    const items = 10_000_000
    const text = (number: number) => `user-${number}`
    const { merge } = distinct(14)
    const parts = Array.from(
      { length: 8 },
      (_, part) => fold(14, part * items / 8, (part + 1) * items / 8, text)
    )
    assert.approximately(errorOf(parts.reduce((merged, part) => merge(merged, part, nobody)), items), 0, 3)
  })

  it.each([4, 8, 10, 12, 16, 18])("has the standard error of its precision, %d", (precision) => {
    const errors = Array.from({ length: 40 }, (_, seed) => {
      const items = 20_000 + 500 * seed
      return errorOf(fold(precision, 0, items, (number) => `${seed}/${number}`), items)
    })
    assert.isBelow(rootMeanSquare(errors), 1.4)
    assert.isAbove(rootMeanSquare(errors), 0.6)
  })
})
