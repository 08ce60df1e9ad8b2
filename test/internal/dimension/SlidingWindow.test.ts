import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { MergeConflict, newOwner, nobody, type Owner } from "../../../src/internal/dimension/Kind.ts"
import { rate, type RateState } from "../../../src/internal/dimension/SlidingWindow.ts"

type Amounts = ReadonlyArray<{ readonly amount: number; readonly time: number }>

/** Windows of 4 slots of a second, and of a few slots that do not divide time evenly. */
const shapes: ReadonlyArray<readonly [windowMs: number, slices: number]> = [[4_000, 4], [1_000, 3], [50, 1], [7, 7]]

const kind = rate(4_000, 4)

const fold = (
  amounts: Amounts,
  owner: Owner = newOwner(),
  { add, initial } = kind,
  state = initial
): RateState => {
  for (const { amount, time } of amounts) state = add(state, amount, time, owner)
  return state
}

const at = (...times: ReadonlyArray<number>): Amounts => times.map((time) => ({ amount: 1, time }))

const deepFreeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}

const write = (state: RateState) => Schema.encodeSync(rate(state.windowMs, state.slices).codec)(state)

/** The definition, from all amounts: nothing is dropped but what is too old for the newest slot. */
const model = (windowMs: number, slices: number, amounts: Amounts, time: number): number => {
  const width = windowMs / slices
  const slotOf = (time: number) => Math.floor(time / width)
  const newest = Math.max(...amounts.map(({ time }) => slotOf(time)))
  const now = slotOf(time)
  let sum = 0
  for (const { amount, time: then } of amounts) {
    const slot = slotOf(then)
    if (slot < newest - slices || slot > now || slot < now - slices) continue
    sum += slot === now - slices ? amount * (1 - (time / width - now)) : amount
  }
  return sum / (windowMs / 1000)
}

const anyShape = Arbitrary.schema(Schema.Literals([0, 1, 2, 3]))
const anyTime = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Literals([-500, 0, 500, 3_000, 1_700_000_000_000])),
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9_000 })))
  ]),
  ([start, after]) => start + after
)
const anyAmounts = Arbitrary.array(
  Arbitrary.all({
    amount: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000 }))),
    time: anyTime
  }),
  { maxLength: 30 }
)

describe("rate", () => {
  it("is the amount per second over the window, when the window is made of whole slots", () => {
    const state = fold([{ amount: 2.5, time: 1_000 }, { amount: 1, time: 2_100 }, { amount: 0.5, time: 4_999 }])
    assert.strictEqual(kind.view(state, 4_999.999), 1)
  })

  it("decays while nothing happens", () => {
    const state = fold(at(...Array.from({ length: 40 }, (_, i) => i * 100)))
    assert.deepStrictEqual(
      [4_000, 4_500, 5_000, 6_000, 7_000, 7_500, 7_750, 8_000, 1e12].map((time) => kind.view(state, time)),
      [10, 8.75, 7.5, 5, 2.5, 1.25, 0.625, 0, 0]
    )
  })

  it("counts of the oldest slot as much as lies in the window", () => {
    const state = fold(at(900))
    assert.deepStrictEqual(
      [3_999, 4_000, 4_250, 4_750, 5_000].map((time) => kind.view(state, time) * 4),
      [1, 1, 0.75, 0.25, 0]
    )
  })

  it("adds an amount that comes late to the slot of its time", () => {
    const state = fold(at(4_500, 1_500))
    assert.strictEqual(kind.view(state, 4_999), 0.5)
    assert.strictEqual(kind.view(state, 6_000), 0.25)
  })

  it("leaves out what is older than the window before the newest slot", () => {
    const state = fold(at(4_500))
    assert.strictEqual(kind.add(state, 1, -1, nobody), state)
    assert.notStrictEqual(kind.add(state, 1, 0, nobody), state)
  })

  it("does not see what is later than the read", () => {
    const state = fold(at(1_500, 2_500, 3_500))
    assert.deepStrictEqual([0, 1_000, 2_000, 3_000].map((time) => kind.view(state, time)), [0, 0.25, 0.5, 0.75])
  })

  it("is zero before the first amount", () => {
    assert.strictEqual(kind.view(kind.initial, 0), 0)
    assert.strictEqual(kind.view(kind.initial, Date.UTC(2030, 0)), 0)
  })

  it.prop("is what its definition says", [anyShape, anyAmounts, anyTime], ([shape, amounts, time]) => {
    const [windowMs, slices] = shapes[shape]!
    const kind = rate(windowMs, slices)
    const expected = model(windowMs, slices, amounts, time)
    for (const owner of [nobody, newOwner()]) {
      assert.approximately(kind.view(fold(amounts, owner, kind), time), expected, 1e-9 * (1 + expected))
    }
  }, { arbitrary: { runs: 500 } })

  it("is wrong by less than the amount of one slot", () => {
    const kind = rate(10_000, 10)
    const atTheEnds = at(...Array.from({ length: 20 }, (_, i) => [i * 1_000, i * 1_000 + 999]).flat())
    for (let time = 18_000; time < 20_000; time += 100) {
      const before = atTheEnds.filter(({ time: then }) => then <= time)
      const exact = before.filter(({ time: then }) => then > time - 10_000).length / 10
      const error = Math.abs(kind.view(fold(before, newOwner(), kind), time) - exact)
      assert.isBelow(error, 2 / 10)
    }
  })

  it.prop("does not change a state of somebody else", [anyAmounts, anyAmounts], ([xs, ys]) => {
    const state = fold(xs)
    const before = write(state)
    const owned = fold(ys, newOwner(), kind, state)
    assert.deepStrictEqual(write(state), before)
    assert.deepStrictEqual(write(fold(ys, nobody, kind, deepFreeze(state))), write(owned))
  })

  it("is changed in place by its owner alone", () => {
    const owner = newOwner()
    const state = fold(at(0), owner)
    assert.strictEqual(kind.add(state, 1, 99_000, owner), state)
    assert.notStrictEqual(kind.add(state, 1, 99_000, newOwner()), state)
    assert.notStrictEqual(kind.add(state, 1, 99_000, nobody), state)
    assert.strictEqual(kind.view(state, 99_000), 0.25)
  })

  it("stays finite, whatever the amounts and the times", () => {
    const kind = rate(7, 7)
    const extremes = [-Number.MAX_VALUE, -(2 ** 53), -1, -0, 0, 5e-324, 1, 2 ** 53, Number.MAX_VALUE]
    for (const first of extremes) {
      for (const second of extremes) {
        const amounts = [first, second].flatMap((time) => [{ amount: Number.MAX_VALUE, time }, { amount: 1, time }])
        const state = kind.merge(fold(amounts, newOwner(), kind), fold(amounts.toReversed(), nobody, kind), nobody)
        for (const time of extremes) {
          const shown = kind.view(state, time)
          assert.isTrue(Number.isFinite(shown) && shown >= 0)
        }
        assert.deepStrictEqual(write(Schema.decodeUnknownSync(kind.codec)(write(state))), write(state))
      }
    }
  })

  describe("merge", () => {
    it.prop("is the fold of all the amounts", [anyShape, anyAmounts, anyAmounts, Schema.Boolean], (
      [shape, xs, ys, pure]
    ) => {
      const kind = rate(...shapes[shape]!)
      const a = fold(xs, newOwner(), kind)
      const b = deepFreeze(fold(ys, newOwner(), kind))
      const beforeA = write(a)
      const merged = kind.merge(a, b, pure ? nobody : a.owner)
      assert.deepStrictEqual(write(merged), write(fold([...xs, ...ys], nobody, kind)))
      assert.isTrue(kind.agree(merged, fold([...ys, ...xs], nobody, kind), []))
      if (pure) assert.deepStrictEqual(write(a), beforeA)
    })

    it.prop("is commutative and associative, and the empty state adds nothing", [anyAmounts, anyAmounts, anyAmounts], (
      [xs, ys, zs]
    ) => {
      const [a, b, c] = [fold(xs), fold(ys), fold(zs)]
      const of = (a: RateState, b: RateState) => kind.merge(a, b, nobody)
      assert.deepStrictEqual(write(of(a, b)), write(of(b, a)))
      assert.deepStrictEqual(write(of(of(a, b), c)), write(of(a, of(b, c))))
      assert.strictEqual(of(a, kind.initial), a)
      assert.deepStrictEqual(write(of(kind.initial, a)), write(a))
    })

    it("gives a state that its owner can go on with", () => {
      const owner = newOwner()
      const state = fold(at(0), owner)
      assert.strictEqual(kind.merge(state, fold(at(5_000)), owner), state)
      assert.strictEqual(kind.view(state, 5_000), 0.25)
      assert.strictEqual(kind.merge(kind.initial, kind.initial, owner), kind.initial)
    })

    it("refuses another window, and names both", () => {
      assert.throws(
        () => kind.merge(kind.initial, rate(4_000, 8).initial, nobody),
        MergeConflict,
        "expected rates over one window, found 4000 ms in 4 slices and 4000 ms in 8 slices"
      )
      assert.throws(() => kind.merge(kind.initial, rate(8_000, 4).initial, nobody), MergeConflict)
    })
  })

  it("agrees where the slots do, up to the error of sums", () => {
    const amounts = [{ amount: 0.1, time: 0 }, { amount: 0.2, time: 0 }, { amount: 0.3, time: 0 }]
    assert.notStrictEqual(0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1)
    assert.isTrue(kind.agree(fold(amounts), fold(amounts.toReversed()), []))
    assert.isTrue(kind.agree(kind.initial, kind.initial, []))
    assert.isFalse(kind.agree(fold(at(0)), fold(at(0, 0)), []))
    assert.isFalse(kind.agree(fold(at(0)), fold(at(1_000)), []))
    assert.isFalse(kind.agree(fold(at(0, 4_000)), fold(at(1_000, 4_000)), []))
    assert.isFalse(kind.agree(kind.initial, fold([{ amount: 0, time: 0 }]), []))
    assert.isFalse(kind.agree(kind.initial, rate(4_000, 8).initial, []))
  })

  it("has no difference: it is as it is later", () => {
    const later = fold(at(0, 1_000))
    assert.strictEqual(kind.diff(later, fold(at(0))), later)
  })

  describe("codec", () => {
    it.prop("gives back what it stored, owned by nobody", [anyShape, anyAmounts, anyAmounts], ([shape, xs, ys]) => {
      const kind = rate(...shapes[shape]!)
      const state = fold(xs, newOwner(), kind)
      const back = Schema.decodeUnknownSync(kind.codec)(JSON.parse(JSON.stringify(write(state))))
      assert.isTrue(kind.agree(back, state, []))
      assert.strictEqual(back.owner, nobody)
      assert.deepStrictEqual(write(fold(ys, newOwner(), kind, back)), write(fold(ys, newOwner(), kind, state)))
    })

    it("stores the sums from the newest slot back to the oldest that has one", () => {
      assert.deepStrictEqual(write(kind.initial), { windowMs: 4_000, slices: 4, newest: 0, sums: [] })
      assert.deepStrictEqual(write(fold(at(5_000, 7_000, 7_000))).sums, [2, 0, 1])
      assert.deepStrictEqual(write(fold([{ amount: 0, time: 5_000 }])), {
        windowMs: 4_000,
        slices: 4,
        newest: 5,
        sums: [0]
      })
    })

    const given = { windowMs: 4_000, slices: 4, newest: 7, sums: [1] }
    it.each<[string, unknown, RegExp]>([
      ["another window", { ...given, windowMs: 60_000 }, /Expected 4000\s+at \["windowMs"\]/],
      ["another number of slices", { ...given, slices: 5 }, /Expected 4\s+at \["slices"\]/],
      ["a slot between slots", { ...given, newest: 1.5 }, /Expected an integer[^]*newest/],
      ["a slot that is no number", { ...given, newest: null }, /newest/],
      ["too many sums", { ...given, sums: [1, 2, 3, 4, 5, 6] }, /sums/],
      ["a sum below zero", { ...given, sums: [-1] }, /sums/],
      ["a sum that is no number", { ...given, sums: [NaN] }, /sums/],
      ["an infinite sum", { ...given, sums: [Infinity] }, /sums/],
      ["no sums", { windowMs: 4_000, slices: 4, newest: 7 }, /sums/]
    ])("refuses %s", (_, stored, message) => {
      assert.throws(() => Schema.decodeUnknownSync(kind.codec)(stored), message)
    })

    it("refuses to write a state over another window", () => {
      assert.throws(() => Schema.encodeUnknownSync(kind.codec)(rate(4_000, 8).initial))
    })
  })
})
