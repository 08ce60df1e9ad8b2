/** What holds for the states of all dimensions, beside the laws that users can check. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Dimension } from "mvx-metrics"
import { nodeOf, structOf } from "../../../src/Dimension.ts"
import type { FieldsState } from "../../../src/internal/dimension/Fields.ts"
import { interpretFold } from "../../../src/internal/dimension/interpretFold.ts"
import { agreeAsSums, finiteSum, newOwner, nobody } from "../../../src/internal/dimension/Kind.ts"
import type { SeriesState } from "../../../src/internal/dimension/Series.ts"

const Fact = Schema.Struct({
  value: Schema.Int.check(Schema.isBetween({ minimum: -1_000, maximum: 1_000 })),
  text: Schema.Literals(["a", "b", "c"])
})
type Fact = typeof Fact.Type

const d = Dimension.builder<Fact>()
const value = (fact: Fact) => fact.value
const size = (fact: Fact) => Math.abs(fact.value)

const fold = (dimension: Dimension.Any, facts: ReadonlyArray<Fact>, from: unknown = dimension.initial) =>
  facts.reduce((state, fact) => dimension.step(state, fact, { time: 0 }), from)

/** Those of which there is a difference. */
const differing: Record<string, Dimension.Any> = {
  count: d.count(),
  sum: d.sum(size),
  upDown: d.upDown(value),
  mean: d.mean(value),
  variance: d.variance(value),
  histogram: d.histogram(value, { boundaries: [-10, 0, 10] }),
  exponential: d.exponentialHistogram(value, { maxSize: 8 }),
  "by one label": d.by("text", (fact) => fact.text, d.sum(size)),
  "by labels, beyond the limit": d.by({ text: (fact) => fact.text }, d.count(), { limit: 2 }),
  struct: d.struct({ n: d.count(), mean: d.mean(value), none: d.min(value, { when: () => false }) })
}

describe.each(Object.entries(differing))("the difference of %s", (_, dimension) => {
  const { agree, diff, merge } = nodeOf(dimension)

  it.prop("is what came in between", [Schema.Array(Fact), Schema.Array(Fact)], ([before, after]) => {
    const earlier = fold(dimension, before)
    const later = fold(dimension, after, earlier)
    const between = diff(later as never, earlier as never)!
    const along: ReadonlyArray<any> = [earlier, later, fold(dimension, after)]
    assert.isTrue(agree(merge(earlier as never, between as never, nobody) as never, later as never, along))
    assert.isTrue(agree(diff(later as never, dimension.initial as never) as never, later as never, along))
    return true
  })

  it.prop("is none where the later state has counted less", [Schema.Array(Fact)], ([facts]) => {
    // A sum that may fall says nothing of what came first.
    if (dimension === differing.upDown) return true
    const later: any = fold(dimension, facts)
    const earlier: any = fold(dimension, [...facts, ...facts, { value: 1, text: "a" }])
    assert.isUndefined(diff(later as never, earlier as never))
    return true
  })
})

describe("differences of the greatest numbers", () => {
  const Extreme = Schema.Array(Schema.Literals([Number.MAX_VALUE, -Number.MAX_VALUE, 1e300, 0, 1]))
  const kinds = [d.sum(size), d.upDown(value), d.mean(value), d.variance(value), d.histogram(value)]

  it.prop("stay finite", [Extreme, Extreme], ([before, after]) => {
    for (const dimension of kinds) {
      const { codec, diff } = nodeOf(dimension)
      const facts = (values: ReadonlyArray<number>) => values.map((value): Fact => ({ value, text: "a" }))
      const earlier = fold(dimension, facts(before))
      const later = fold(dimension, facts(after), earlier)
      const between = diff(later as never, earlier as never)
      // The codec refuses what is not finite.
      if (between !== undefined) Schema.encodeSync(codec as Schema.Codec<unknown>)(between)
    }
    return true
  })
})

describe("dimensions that have no difference", () => {
  it("are as they are later", () => {
    for (const dimension of [d.min(value), d.max(value), d.last(value), d.distinct(value), d.topK(value), d.rate()]) {
      const earlier = fold(dimension, [{ value: 1, text: "a" }])
      const later = fold(dimension, [{ value: 3, text: "a" }], earlier)
      assert.strictEqual(nodeOf(dimension).diff(later, earlier), later)
    }
  })
})

describe("a merge", () => {
  it("keeps one that is undefined out of the extremes", () => {
    const { initial, merge } = nodeOf(d.min(value))
    assert.deepStrictEqual(
      [merge(initial, initial, nobody), merge(3, initial, nobody), merge(initial, 3, nobody), merge(4, 3, nobody)],
      [undefined, 3, 3, 3]
    )
  })

  it("takes the newer of two last values, and of two at one time the greater", () => {
    const last = d.last(value)
    const { merge, view } = nodeOf(last)
    const at = (time: number, value: number) => last.step(last.initial, { value, text: "a" }, { time })
    const newest = (...states: ReadonlyArray<any>) => view(states.reduce((a, b) => merge(a, b, nobody)), 0)
    assert.deepStrictEqual(
      [
        newest(at(2, 5), at(1, 9)),
        newest(at(1, 9), at(2, 5)),
        newest(at(1, 5), at(1, 9)),
        newest(at(1, 9), at(1, 5)),
        newest(last.initial, at(-1, 5)),
        newest(at(-1, 5), last.initial)
      ],
      [5, 5, 9, 9, 5, 5]
    )
  })

  it("adds up what could not be measured", () => {
    const root = structOf({ sum: d.sum(value) })
    const { step } = interpretFold(root)
    const skipping = step(root.initial, { value: -1, text: "a" }, { time: 0 }, { owner: nobody }) as FieldsState
    const both = root.merge(skipping, skipping, nobody)
    assert.deepStrictEqual([both.skipped, root.diff(both, skipping)!.skipped], [2, 1])
    assert.isUndefined(root.diff(skipping, both))
  })

  it("changes in place what is its owner's alone", () => {
    const root = structOf({ sum: d.sum(size), by: d.by("text", (fact) => fact.text, d.mean(value)) })
    const { step } = interpretFold(root)
    const facts: ReadonlyArray<Fact> = [{ value: 1, text: "a" }, { value: 2, text: "b" }]
    const owner = newOwner()
    const foldBy = (owner: number) =>
      facts.reduce((state, fact) => step(state, fact, { time: 0 }, { owner }) ?? state, root.initial)
    const mine = foldBy(owner)
    const other = foldBy(newOwner())
    const before = JSON.stringify(root.view(other, 0))
    assert.strictEqual(root.merge(mine, other, owner), mine)
    const merged = root.merge(other, mine, owner)
    assert.notStrictEqual(merged, other)
    root.merge(merged, other, owner)
    assert.strictEqual(JSON.stringify(root.view(other, 0)), before)
  })
})

describe("series beyond the limit", () => {
  const names = (...texts: ReadonlyArray<string>) => texts.map((text) => ({ value: 1, text }) as Fact)
  const limited = (options: Dimension.LabelOptions<Fact>) => {
    const by = d.by("text", (fact) => fact.text, d.count(), options)
    const { diff, merge, view } = nodeOf(by)
    return {
      fold: (...texts: ReadonlyArray<string>) => fold(by, names(...texts)) as SeriesState,
      merge: (a: SeriesState, b: SeriesState): SeriesState => merge(a as never, b as never, nobody) as SeriesState,
      diff: (later: SeriesState, earlier: SeriesState): SeriesState =>
        diff(later as never, earlier as never) as SeriesState,
      shown: (state: SeriesState) => [{ ...view(state as never, 0) as object }, state.over]
    }
  }

  it("go, in a merge, into the overflow, with what is there", () => {
    const { fold, merge, shown } = limited({ limit: 2 })
    assert.deepStrictEqual(shown(merge(fold("a", "b", "c"), fold("c", "d", "a", "e"))), [
      { a: 1, b: 1, [Dimension.overflowKey]: 5 },
      3
    ])
  })

  it("are lost in a fold that drops them, and not in a merge", () => {
    const { fold, merge, shown } = limited({ limit: 1, onLimit: "drop" })
    assert.deepStrictEqual(shown(merge(fold("a", "b"), fold("c"))), [{ a: 1, [Dimension.overflowKey]: 1 }, 1])
  })

  it("have a difference, and began anew where there were more of them", () => {
    const { diff, fold, merge, shown } = limited({ limit: 1 })
    const earlier = fold("a", "b")
    const later = merge(earlier, fold("a", "b", "c"))
    assert.deepStrictEqual(shown(later), [{ a: 2, [Dimension.overflowKey]: 3 }, 3])
    assert.deepStrictEqual(shown(diff(later, earlier)!), [{ a: 1, [Dimension.overflowKey]: 2 }, 2])
    assert.isUndefined(diff(earlier, later))
  })

  it("show that a state began anew where one is missing, or fewer events were beyond the limit", () => {
    const { diff, fold } = limited({ limit: 2, onLimit: "drop" })
    assert.isUndefined(diff(fold("a", "a"), fold("a", "b")))
    assert.isUndefined(diff(fold("a", "b", "b"), fold("a", "b", "c")))
  })

  it("leave nothing in the initial state, which all recorders share", () => {
    const by = d.by("text", (fact) => fact.text, d.count())
    fold(by, names("a", "b"))
    assert.strictEqual((by.initial as unknown as SeriesState).index.size, 0)
  })
})

describe("sums", () => {
  it("stay finite", () => {
    const most = Number.MAX_VALUE
    assert.deepStrictEqual(
      [finiteSum(most, most), finiteSum(-most, -most), finiteSum(most, -most), finiteSum(1, 2)],
      [most, -most, 0, 3]
    )
  })

  it("agree up to 1e-9 of the greatest on the way, and say nothing where one was too great", () => {
    assert.deepStrictEqual(
      [
        agreeAsSums(1, 1 + 1e-10, []),
        agreeAsSums(1, 1 + 1e-8, []),
        agreeAsSums(1, 2, [1e10]),
        agreeAsSums(1, 2, [-1e8]),
        agreeAsSums(1, 5, [Number.MAX_VALUE])
      ],
      [true, false, true, false, true]
    )
  })
})
