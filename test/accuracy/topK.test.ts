import { assert, describe, it } from "@effect/vitest"
import { newOwner, nobody, type Owner } from "../../src/internal/dimension/Kind.ts"
import { topK, type TopKState } from "../../src/internal/dimension/SpaceSaving.ts"

const length = 100_000

/** Numbers from 0 to 1, the same ones for each test (Numerical Recipes' generator). */
const random = (seed: number): () => number => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

const shuffled = (items: ReadonlyArray<string>, seed: number): ReadonlyArray<string> => {
  const next = random(seed)
  const copy = items.slice()
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(next() * (last + 1))
    const item = copy[last]!
    copy[last] = copy[other]!
    copy[other] = item
  }
  return copy
}

const repeat = (times: number, item: (index: number) => string): ReadonlyArray<string> =>
  Array.from({ length: times }, (_, index) => item(index))

/** Items whose frequency falls with the power of their rank. */
const zipf = (exponent: number, seed: number): ReadonlyArray<string> => {
  const weights = Array.from({ length: 20_000 }, (_, rank) => 1 / (rank + 1) ** exponent)
  const all = weights.reduce((sum, weight) => sum + weight, 0)
  const items = weights.flatMap((weight, rank) => repeat(Math.round(length * weight / all), () => `item ${rank}`))
  return shuffled(items, seed)
}

const rare = (index: number) => `rare ${index}`
const heavy = repeat(20, (index) => `heavy ${index}`).flatMap((item) => repeat(length / 200, () => item))
const rest = repeat(length - heavy.length, rare)

const streams: Record<string, ReadonlyArray<string>> = {
  "Zipf's law, exponent 0.8": zipf(0.8, 1),
  "Zipf's law, exponent 1": zipf(1, 2),
  "Zipf's law, exponent 1.5": zipf(1.5, 3),
  "uniform, more items than counters": shuffled(repeat(length, (index) => `item ${index % 5_000}`), 4),
  "uniform, hardly more items than counters": shuffled(repeat(length, (index) => `item ${index % 101}`), 5),
  "every item once": repeat(length, rare),
  "one item only": repeat(length, () => "only"),
  "round robin, one more than counters": repeat(length, (index) => `item ${index % 101}`),
  "round robin, twice as many as counters": repeat(length, (index) => `item ${index % 200}`),
  "heavy items first": [...heavy, ...rest],
  "heavy items last": [...rest, ...heavy],
  "heavy items in the middle": [...rest.slice(0, rest.length / 2), ...heavy, ...rest.slice(rest.length / 2)],
  "heavy items all over": shuffled([...heavy, ...rest], 6),
  "a heavy item between items that push each other out": repeat(
    length,
    (index) => index % 90 === 0 ? "heavy" : `item ${index % 1_013}`
  ),
  "frequencies that turn over half-way": [...zipf(1.1, 7), ...zipf(1.1, 8).map((item) => `late ${item}`)]
}

const fold = (capacity: number, items: ReadonlyArray<string>, owner: Owner = newOwner()): TopKState => {
  const { add, initial } = topK(1, capacity)
  let state = initial
  for (const item of items) state = add(state, item, 0, owner)
  return state
}

const countsOf = (items: ReadonlyArray<string>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

const isAccurate = (state: TopKState, counts: ReadonlyMap<string, number>, total: number): void => {
  const { capacity } = state
  const entries = topK(capacity, capacity).view(state, 0)
  assert.strictEqual(state.total, total)
  for (const { count, error, item } of entries) {
    const actual = counts.get(item) ?? 0
    assert.isTrue(count - error <= actual && actual <= count, `${item}: ${actual} of ${count - error} to ${count}`)
    assert.isAtMost(error, total / capacity)
  }
  const found = new Set(entries.map(({ item }) => item))
  for (const [item, count] of counts) {
    if (count > total / capacity) assert.isTrue(found.has(item), `${item}: ${count} of ${total}`)
  }
}

describe("topK", () => {
  describe.each(Object.keys(streams))("of %s", (name) => {
    const items = streams[name]!
    const counts = countsOf(items)

    it.each([10, 100, 1_000])("finds every item above one part in %d, every error bound being right", (capacity) => {
      isAccurate(fold(capacity, items), counts, items.length)
    })

    it.each([10, 100, 1_000])("does so merged from 8 parts, one after the other or dealt out, of %d", (capacity) => {
      const { agree, merge } = topK(1, capacity)
      const size = Math.ceil(items.length / 8)
      const successive = repeat(8, String).map((_, part) => items.slice(part * size, (part + 1) * size))
      const dealt = successive.map((_, part) => items.filter((_, index) => index % 8 === part))
      const whole = fold(capacity, items)
      for (const parts of [successive, dealt]) {
        const states = parts.map((part) => fold(capacity, part))
        const oneByOne = states.reduce((merged, state) => merge(merged, state, nobody))
        let pairs = states
        while (pairs.length > 1) {
          pairs = pairs.flatMap((state, index) => index % 2 === 0 ? [merge(state, pairs[index + 1]!, nobody)] : [])
        }
        for (const merged of [oneByOne, pairs[0]!]) {
          isAccurate(merged, counts, items.length)
          assert.isTrue(agree(merged, whole, []))
        }
      }
    })
  })

  it("shows the most frequent items of Zipf's law in their order", () => {
    const items = zipf(1.5, 9)
    const exact = [...countsOf(items)].toSorted(([, a], [, b]) => b - a).slice(0, 10)
    const { view } = topK(10, 1_000)
    assert.deepStrictEqual(view(fold(1_000, items), 0).map(({ item }) => item), exact.map(([item]) => item))
  })
})
