import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import {
  checkMaxSize,
  defaultMaxSize,
  exponentialHistogram,
  ExponentialState,
  indexOf
} from "../../../src/internal/dimension/ExponentialHistogram.ts"
import { newOwner, nobody } from "../../../src/internal/dimension/Kind.ts"

const kind = exponentialHistogram(4)

const fold = (values: ReadonlyArray<number>, from = kind.initial): ExponentialState =>
  values.reduce((state, value) => kind.add(state, value, 0, nobody), from)

/** The states that a fold goes through. */
const scan = (values: ReadonlyArray<number>) => values.map((_, at) => fold(values.slice(0, at + 1)))

const show = (values: ReadonlyArray<number>) => kind.view(fold(values), 0)

/** Freezes a state all the way down, so that a change of it throws. */
const frozen = (state: ExponentialState): ExponentialState => {
  for (const buckets of [state.positive, state.negative]) Object.freeze(Object.freeze(buckets).counts)
  return Object.freeze(state)
}

const float = new Float64Array(1)
const bits = new BigInt64Array(float.buffer)

/** The number so many floating point numbers further from 0. */
const step = (value: number, by: number): number => {
  float[0] = value
  bits[0]! += BigInt(by)
  return float[0]
}

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

const scales = Array.from({ length: 31 }, (_, at) => at - 10)
const anyScale = int(-10, 20)

/** Powers of two, subnormal ones among them, and what lies next to them; any other number. */
const anyMagnitude = Arbitrary.map(
  Arbitrary.all({
    exponent: int(-1074, 1023),
    closeness: Arbitrary.schema(Schema.Literals([1, 1, 50])),
    by: int(-2, 2),
    significand: Arbitrary.schema(Schema.Union([
      Schema.Literals([1, 1, 1]),
      Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 1.9999 }))
    ]))
  }),
  ({ by, closeness, exponent, significand }) => {
    const magnitude = significand * 2 ** Math.trunc(exponent / closeness)
    return magnitude < 1e-320 ? magnitude : step(magnitude, by)
  }
)

const anyValue = Arbitrary.map(
  Arbitrary.all([anyMagnitude, Arbitrary.schema(Schema.Literals([1, 1, 1, -1, 0, -0]))]),
  ([magnitude, sign]) => sign * magnitude
)
const anyValues = Arbitrary.array(anyValue, { maxLength: 12 })

/** What the data model says: the greatest scale at which the indexes of either sign are few enough. */
const expected = (values: ReadonlyArray<number>, maxSize: number) => {
  const magnitudes = [values.filter((value) => value > 0), values.filter((value) => value < 0).map(Math.abs)]
  for (let scale = 20;; scale--) {
    const [positive, negative] = magnitudes.map((magnitudes) => {
      const indexes = magnitudes.map((magnitude) => indexOf(magnitude, scale))
      if (indexes.length === 0) return { offset: 0, counts: [] }
      const offset = Math.min(...indexes)
      const length = Math.max(...indexes) - offset + 1
      if (length > maxSize) return undefined
      return {
        offset,
        counts: Array.from({ length }, (_, at) => indexes.filter((index) => index === offset + at).length)
      }
    })
    if (positive === undefined || negative === undefined) continue
    return { scale, zeroCount: values.filter((value) => value === 0).length, positive, negative }
  }
}

const bucketsOf = ({ negative, positive, scale, zeroCount }: ExponentialState) => ({
  scale,
  zeroCount,
  positive: { ...positive },
  negative: { ...negative }
})

describe("The index of a bucket", () => {
  it("is that of the bucket below, for a power of two", () => {
    assert.deepStrictEqual([1, 2, 4, 0.5].map((value) => indexOf(value, 0)), [-1, 0, 1, -2])
    assert.deepStrictEqual([1, 2, 4, 0.5].map((value) => indexOf(value, 1)), [-1, 1, 3, -3])
    assert.deepStrictEqual([1, 2, 4, 0.5].map((value) => indexOf(value, -1)), [-1, 0, 0, -1])
  })

  it("changes at every power of two, at every scale, and nowhere next to it", () => {
    const wrong: Array<{ value: number; scale: number }> = []
    const check = (value: number, scale: number, index: number) => {
      if (indexOf(value, scale) !== index) wrong.push({ value, scale })
    }
    for (let exponent = -1021; exponent <= 1023; exponent++) {
      for (const scale of scales) {
        const position = exponent * 2 ** scale
        for (const by of [0, -1, -2, -3, -50]) check(step(2 ** exponent, by), scale, Math.ceil(position) - 1)
        for (const by of [1, 2, 3, 50]) check(step(2 ** exponent, by), scale, Math.floor(position))
      }
    }
    assert.deepStrictEqual(wrong, [])
  })

  it("is that of the smallest normal number, for the subnormal ones", () => {
    const smallest = 2 ** -1022
    for (const scale of scales) {
      const index = Math.ceil(-1022 * 2 ** scale) - 1
      for (const value of [Number.MIN_VALUE, smallest / 4, step(smallest, -1), smallest]) {
        assert.strictEqual(indexOf(value, scale), index)
      }
    }
  })

  it("is a 32 bit integer at every scale, up to the greatest number", () => {
    for (const scale of scales) {
      assert.strictEqual(indexOf(Number.MAX_VALUE, scale), Math.ceil(1024 * 2 ** scale) - 1)
    }
  })

  it.prop("is that at a greater scale, shifted", [anyMagnitude, anyScale, anyScale], ([magnitude, a, b]) => {
    const [smaller, greater] = [Math.min(a, b), Math.max(a, b)]
    assert.strictEqual(indexOf(magnitude, smaller), indexOf(magnitude, greater) >> (greater - smaller))
  })

  it.prop("has the value between its bounds, up to the rounding of a logarithm", [anyMagnitude, anyScale], (
    [magnitude, scale]
  ) => {
    const log = Math.log2(Math.max(magnitude, 2 ** -1022))
    const index = indexOf(magnitude, scale)
    const rounding = Math.abs(log) * 2 ** -51
    assert.isAtMost(index * 2 ** -scale, log + rounding)
    assert.isAtLeast((index + 1) * 2 ** -scale, log - rounding)
  })
})

describe("ExponentialHistogram", () => {
  it("shows values of either sign in buckets of their own, and zeros", () => {
    assert.deepStrictEqual(show([1, 4, 3, -2, 0, -0, 4]), {
      count: 7,
      sum: 10,
      min: -2,
      max: 4,
      scale: 0,
      zeroCount: 2,
      positive: { offset: -1, counts: [1, 0, 3] },
      negative: { offset: 0, counts: [1] }
    })
  })

  it("is at the greatest scale before the first value, and shows no extremes", () => {
    assert.deepStrictEqual(show([]), {
      count: 0,
      sum: 0,
      min: undefined,
      max: undefined,
      scale: 20,
      zeroCount: 0,
      positive: { offset: 0, counts: [] },
      negative: { offset: 0, counts: [] }
    })
  })

  it("stays at the greatest scale for one value, however often, and for zeros", () => {
    const { positive, scale } = show([3, 0, 3, 3])
    assert.deepStrictEqual([scale, positive], [20, { offset: 1661953, counts: [3] }])
  })

  it("takes all finite numbers with two buckets", () => {
    const kind = exponentialHistogram(2)
    const all = [Number.MIN_VALUE, 1, step(1, 1), Number.MAX_VALUE].reduce(
      (state, value) => kind.add(state, value, 0, nobody),
      kind.initial
    )
    const { positive, scale } = kind.view(all, 0)
    assert.deepStrictEqual([scale, positive], [-10, { offset: -1, counts: [2, 2] }])
  })

  it.prop("has the counts that the data model says, in whatever order the values came", [anyValues, int(2, 9)], (
    [values, maxSize]
  ) => {
    const kind = exponentialHistogram(maxSize)
    const owner = newOwner()
    const state = values.reduce((state, value) => kind.add(state, value, 0, owner), kind.initial)
    assert.deepStrictEqual(bucketsOf(state), expected(values, maxSize))
    assert.deepStrictEqual(bucketsOf(values.toReversed().reduce((s, v) => kind.add(s, v, 0, nobody), kind.initial)), {
      ...bucketsOf(state)
    })
  }, { arbitrary: { runs: 500 } })

  it("shows nothing that is part of the state", () => {
    const state = fold([1, -1])
    const value = kind.view(state, 0)
    for (const { counts } of [value.positive, value.negative]) (counts as Array<number>).fill(9)
    assert.deepStrictEqual(kind.view(state, 0), show([1, -1]))
  })

  it("has a finite sum, whatever the values", () => {
    assert.strictEqual(show([-1e308, -1e308]).sum, -Number.MAX_VALUE)
  })

  it("knows one zero", () => {
    const { max, min } = fold([-0])
    assert.isTrue(Object.is(min, 0) && Object.is(max, 0))
  })

  it("changes in place what is the owner's, and nothing else", () => {
    const owner = newOwner()
    const first = kind.add(frozen(fold([1, -1])), 2, 0, owner)
    for (const value of [3, -1, 0, 1e-9, -1e9]) assert.strictEqual(kind.add(first, value, 0, owner), first)
    assert.strictEqual(kind.merge(first, frozen(fold([4, -7])), owner), first)
    assert.deepStrictEqual(kind.view(first, 0), { ...show([1, -1, 2, 3, -1, 0, 1e-9, -1e9, 4, -7]), sum: first.sum })
    assert.notStrictEqual(kind.add(frozen(first), 5, 0, newOwner()), first)
    assert.notStrictEqual(kind.merge(first, fold([5]), nobody), first)
  })

  it.prop("is the same from any order of folds and merges", [anyValues, anyValues, anyValues], ([xs, ys, zs]) => {
    const { agree, merge } = kind
    const [x, y, z] = [fold(xs), fold(ys), fold(zs)].map(frozen) as [
      ExponentialState,
      ExponentialState,
      ExponentialState
    ]
    const [xy, yz] = [merge(x, y, nobody), merge(y, z, nobody)]
    const along = [xy, yz, ...[xs, ys, zs, [...xs, ...ys, ...zs]].flatMap(scan)]
    assert.isTrue(agree(fold([...xs, ...ys, ...zs]), merge(xy, z, nobody), along))
    assert.isTrue(agree(merge(xy, z, nobody), merge(x, yz, nobody), along))
    assert.isTrue(agree(xy, merge(y, x, nobody), []))
    assert.isTrue(agree(merge(x, kind.initial, nobody), x, []) && agree(merge(kind.initial, x, nobody), x, []))
  }, { arbitrary: { runs: 500 } })

  it.prop("has, merged with fewer buckets, no more than they are", [anyValues, anyValues], ([xs, ys]) => {
    const few = exponentialHistogram(2)
    const y = ys.reduce((state, value) => few.add(state, value, 0, nobody), few.initial)
    for (const merged of [kind.merge(fold(xs), y, nobody), kind.merge(y, fold(xs), nobody)]) {
      assert.deepStrictEqual(bucketsOf(merged), expected([...xs, ...ys], 2))
      assert.deepStrictEqual(bucketsOf(fold([7, 1e9], merged)), expected([...xs, ...ys, 7, 1e9], 2))
    }
  })

  it.prop("tells what came in between, at the later scale", [anyValues, anyValues], ([xs, ys]) => {
    const [earlier, later] = [frozen(fold(xs)), frozen(fold([...xs, ...ys]))]
    const between = kind.diff(later, earlier)!
    assert.strictEqual(between.scale, later.scale)
    assert.isTrue(kind.agree(kind.merge(earlier, between, nobody), later, [between, ...scan([...xs, ...ys])]))
    const shifted = (values: ReadonlyArray<number>) => {
      const indexes = values.map((value) => indexOf(Math.abs(value), later.scale))
      const offset = Math.min(...indexes, Infinity)
      return indexes.length === 0 ? { offset: 0, counts: [] } : {
        offset,
        counts: Array.from(
          { length: Math.max(...indexes) - offset + 1 },
          (_, at) => indexes.filter((index) => index === offset + at).length
        )
      }
    }
    assert.deepStrictEqual({ ...between.positive }, shifted(ys.filter((value) => value > 0)))
    assert.deepStrictEqual({ ...between.negative }, shifted(ys.filter((value) => value < 0)))
    assert.strictEqual(between.zeroCount, ys.filter((value) => value === 0).length)
  })

  it("starts anew where there was more earlier", () => {
    const later = fold([1, 2, 0, -1])
    for (const earlier of [[1, 1], [0, 0], [-1, -1], [0.5], [64], [1, 1024]]) {
      assert.isUndefined(kind.diff(later, fold(earlier)))
    }
    const finer = fold([step(1, 1), step(1, 1)])
    assert.isUndefined(kind.diff(finer, fold([1.5, 1e9])))
  })

  it("shows no extremes of a difference without values", () => {
    const { count, max, min } = kind.view(kind.diff(fold([5]), fold([5]))!, 0)
    assert.deepStrictEqual([count, min, max], [0, undefined, undefined])
  })

  it.prop("is what it was after it has been stored", [anyValues, anyValues], ([xs, ys]) => {
    for (const state of [fold(xs), kind.diff(fold([...xs, ...ys]), fold(xs))!]) {
      const stored = Schema.encodeSync(kind.codec)(state)
      const restored = Schema.decodeUnknownSync(kind.codec)(JSON.parse(JSON.stringify(stored)))
      assert.deepStrictEqual({ ...restored }, { ...state, owner: nobody })
      assert.deepStrictEqual(kind.view(fold(ys, restored), 0), kind.view(fold(ys, state), 0))
    }
  })

  it.prop("has, stored with more buckets, the counts that it would have with its own", [anyValues], ([values]) => {
    const many = exponentialHistogram(160)
    const state = values.reduce((state, value) => many.add(state, value, 0, nobody), many.initial)
    const restored = Schema.decodeSync(kind.codec)(Schema.encodeSync(many.codec)(state))
    assert.isTrue(kind.agree(restored, fold(values), [restored]))
    assert.deepStrictEqual(kind.view(fold([1, 1e9], restored), 0).positive, show([...values, 1, 1e9]).positive)
  })

  const stored = {
    scale: 0,
    zeroCount: 0,
    sum: 3,
    min: 1,
    max: 2,
    positive: { offset: -1, counts: [1, 1] },
    negative: { offset: 0, counts: [] }
  }

  it.each([
    { scale: 1 },
    { zeroCount: 1 },
    { sum: 3.1 },
    { min: 0.9 },
    { max: 2.1 },
    { positive: { offset: 0, counts: [1, 1] } },
    { positive: { offset: -1, counts: [1, 2] } },
    { negative: { offset: 0, counts: [1] } }
  ])("does not agree with one of %o", (part) => {
    const decode = Schema.decodeSync(kind.codec)
    assert.isTrue(kind.agree(decode(stored), decode(stored), []))
    assert.isFalse(kind.agree(decode(stored), decode({ ...stored, ...part }), []))
  })

  it.each<[found: object, message: string]>([
    [{ scale: 21 }, "Expected a value between -10 and 20"],
    [{ scale: -11 }, "Expected a value between -10 and 20"],
    [{ scale: 0.5 }, "Expected an integer"],
    [{ zeroCount: -1 }, "Expected a value greater than or equal to 0"],
    [{ sum: Infinity }, "Expected a finite number"],
    [{ min: 3 }, "Expected a min of at most the max, found 3 and 2"],
    [{ positive: { offset: 0.5, counts: [1, 1] } }, "Expected an integer"],
    [{ positive: { offset: 0, counts: [1, -1] } }, "Expected a value greater than or equal to 0"],
    [{ positive: { offset: 0, counts: [0, 1] } }, "Expected a first and a last count above 0"],
    [{ negative: { offset: 0, counts: [1, 0] } }, "Expected a first and a last count above 0"],
    [{ negative: { offset: 3, counts: [] } }, "Expected the offset 0 of no counts, found 3"],
    [
      { positive: { offset: 1023, counts: [1, 1] } },
      "Expected indexes from -1023 to 1023 at scale 0, found 1023 to 1024"
    ],
    [
      { negative: { offset: -1024, counts: [1] } },
      "Expected indexes from -1023 to 1023 at scale 0, found -1024 to -1024"
    ]
  ])("does not take %o for a stored state", (found, message) => {
    const decode = Schema.decodeResult(kind.codec)
    assert.isTrue(Result.isSuccess(decode(stored)))
    const result = decode({ ...stored, ...found })
    assert.include(Result.isFailure(result) ? result.failure.message : "", message)
  })

  it("takes a state with values for a stored one only with both extremes", () => {
    const { max, min, ...rest } = stored
    for (const extremes of [{}, { min }, { max }]) {
      const result = Schema.decodeResult(kind.codec)({ ...rest, ...extremes })
      assert.include(Result.isFailure(result) ? result.failure.message : "", "Expected a min and a max of 2 values")
    }
  })

  it("has two buckets or more", () => {
    for (const good of [2, 3, defaultMaxSize]) assert.isUndefined(checkMaxSize(good))
    for (const bad of [1, 0, -1, 2.5, NaN, Infinity, "2", undefined]) {
      assert.strictEqual(checkMaxSize(bad as number), "an integer from 2 to 65536")
    }
  })
})
