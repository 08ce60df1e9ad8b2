/**
 * Quantiles against those of the sorted values.
 */
import { assert, describe, it } from "@effect/vitest"
import { newOwner } from "../../src/internal/dimension/Kind.ts"
import { quantiles } from "../../src/internal/dimension/Quantiles.ts"

const size = 1_000_000

/** Numbers from 0 to 1, always the same ones. */
const randomFrom = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let hash = Math.imul(seed ^ (seed >>> 15), seed | 1)
  hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61)
  return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32
}

const values = (seed: number, make: (random: () => number, at: number) => number) => (): Float64Array => {
  const random = randomFrom(seed)
  return Float64Array.from({ length: size }, (_, at) => make(random, at))
}

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

const logNormal = (random: () => number): number => Math.exp(3 + 1.5 * normal(random))

const data: ReadonlyArray<readonly [what: string, values: () => Float64Array]> = [
  ["uniform", values(1, (random) => random())],
  ["log-normal", values(2, logNormal)],
  ["bimodal", values(3, (random) => random() < 0.7 ? 5 + normal(random) : 2000 + 300 * normal(random))],
  ["on the bounds of buckets", values(4, (random) => 2 ** (Math.floor(80 * random()) / 8))],
  ["next to the bounds of buckets", values(5, (random) => 2 ** (Math.floor(80 * random()) / 8) * (1 + 1e-15))],
  ["from 1e-300 to 1e300", values(6, (random) => 10 ** (600 * random() - 300))],
  ["heavily tied", values(7, (random) => random() < 0.98 ? 7.3 : Math.ceil(1000 * random()))],
  ["all the same", values(8, () => 0.1)],
  ["ascending", () => values(9, logNormal)().toSorted()],
  ["descending", () => values(10, logNormal)().toSorted().toReversed()],
  ["of either sign", values(11, (random) => 100 * normal(random))],
  ["of either sign, with zeros", values(12, (random) => Math.trunc(3 * normal(random)) * logNormal(random))],
  ["negative", values(13, (random) => -logNormal(random))],
  ["with one outlier", values(14, (random, at) => at === size / 2 ? 1e300 : 1 + random())],
  ["ever greater", values(15, (_, at) => 1.0005 ** at)],
  ["whole", values(16, (random) => Math.floor(1000 / (1 - random())))]
]

const some = [0, 0.000001, 0.001, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.999999, 1]

/** The scale that the ratio between the greatest and the smallest magnitude allows for. */
const scaleOf = (values: Float64Array, maxSize: number): number => {
  let scale = 20
  for (const magnitudes of [values.filter((value) => value > 0), values.filter((value) => value < 0).map(Math.abs)]) {
    let [least, most] = [Infinity, 0]
    for (const magnitude of magnitudes) {
      least = Math.min(least, magnitude)
      most = Math.max(most, magnitude)
    }
    const doublings = most > least ? Math.log2(most) - Math.log2(least) : 0
    scale = Math.min(scale, Math.floor(Math.log2((maxSize - 1) / doublings)))
  }
  return scale
}

describe("Quantiles are within their bound, of values that are", () => {
  it.each(data)("%s", (_, make) => {
    const values = make()
    const sorted = values.toSorted()
    for (const maxSize of [160, 640]) {
      const kind = quantiles(some, maxSize)
      const owner = newOwner()
      const state = values.reduce((state, value) => kind.add(state, value, 0, owner), kind.initial)
      assert.isAtLeast(state.scale, scaleOf(values, maxSize))

      // The logarithms that indexes come from are rounded.
      const bound = (2 ** (2 ** -state.scale) - 1) * (1 + 1e-9) + 1e-12
      const { count, quantiles: estimates } = kind.view(state, 0)
      for (const quantile of some) {
        const exact = sorted[Math.max(1, Math.ceil(quantile * size)) - 1]!
        const error = Math.abs(estimates[quantile]! - exact)
        assert.isAtMost(error, bound * Math.abs(exact), `the quantile ${quantile} in ${maxSize} buckets is ${exact}`)
      }
      assert.deepStrictEqual([count, estimates[0], estimates[1]], [size, sorted[0]! + 0, sorted.at(-1)! + 0])
    }
  })
})
