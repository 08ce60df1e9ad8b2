import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Dimension } from "mvx-metrics"
import { structOf } from "../../../src/Dimension.ts"
import type { FieldsState } from "../../../src/internal/dimension/Fields.ts"
import { generateClass, interpretClass } from "../../../src/internal/dimension/Fields.ts"
import { filtered, type Fold, mapped } from "../../../src/internal/dimension/Fold.ts"
import { generateFold } from "../../../src/internal/dimension/generateFold.ts"
import { interpretFold } from "../../../src/internal/dimension/interpretFold.ts"
import { newOwner, nobody } from "../../../src/internal/dimension/Kind.ts"

/** A value that can be measured, or not. */
// @effect-diagnostics-next-line schemaNumber:off
const Value = Schema.Union([Schema.Int, Schema.Number, Schema.Undefined])

const Fact = Schema.TaggedStruct("fact", {
  time: Schema.Int,
  value: Value,
  text: Schema.Union([Schema.Literals(["", "a", "b", "c", "__proto__", "constructor"]), Schema.Undefined]),
  code: Schema.Literals([200, 404, 500]),
  isOn: Schema.Boolean
})
type Fact = typeof Fact.Type

const d = Dimension.builder<Fact>()
const value = (fact: Fact) => fact.value
const when = (fact: Fact) => fact.isOn

/** Dimensions of every kind, in every place. */
const shapes: Record<string, Readonly<Record<string, Dimension.Any>>> = {
  "one count": { total: d.count() },
  "conditions everywhere": { some: d.count({ when }), sum: d.sum(value, { when }), last: d.last(value, { when }) },
  "every kind": {
    count: d.count(),
    sum: d.sum(value),
    upDown: d.upDown(value),
    min: d.min(value),
    max: d.max(value),
    mean: d.mean(value),
    variance: d.variance(value),
    last: d.last(value),
    histogram: d.histogram(value),
    exponential: d.exponentialHistogram(value, { maxSize: 4 }),
    quantiles: d.quantiles(value, { quantiles: [0.5] }),
    distinct: d.distinct((fact) => fact.text, { precision: 4 }),
    top: d.topK((fact) => fact.text, { k: 1, capacity: 2 }),
    events: d.rate({ when }),
    rate: d.rate(value)
  },
  "a struct on a condition": { of: d.struct({ total: d.count(), max: d.max(value) }, { when }), total: d.count() },
  "a struct": { of: d.struct({ total: d.count(), on: d.struct({ total: d.count({ when }), max: d.max(value) }) }) },
  "one label": { by: d.by("text", (fact) => fact.text, d.sum(value)) },
  "one label with a limit": {
    other: d.by("text", (fact) => fact.text, d.count(), { limit: 2 }),
    drop: d.by("text", (fact) => fact.text, d.mean(value), { limit: 2, onLimit: "drop", when })
  },
  "the same labels, and others": {
    limited: d.by("text", (fact) => fact.text, d.count(), { limit: 1 }),
    all: d.by("text", (fact) => fact.text, d.count()),
    code: d.by("text", (fact) => fact.code, d.sum(value)),
    on: d.by("text", (fact) => fact.text, d.count({ when })),
    pairs: d.by({ code: (fact) => fact.code, text: (fact) => fact.text }, d.count({ when })),
    samePairs: d.by({ a: (fact) => fact.code, b: (fact) => fact.text }, d.count(), { limit: 2, onLimit: "drop" }),
    otherPairs: d.by({ text: (fact) => fact.text, code: (fact) => fact.code }, d.count(), { limit: 3 }),
    triples: d.by({ a: (fact) => fact.code, b: (fact) => fact.text, c: when }, d.count(), { limit: 2 }),
    sameTriples: d.by({ a: (fact) => fact.code, b: (fact) => fact.text, c: when }, d.count())
  },
  "two labels": { by: d.by({ code: (fact) => fact.code, text: (fact) => fact.text }, d.count({ when })) },
  "three labels": {
    by: d.by({ a: (fact) => fact.code, b: (fact) => fact.text, c: when }, d.struct({ sum: d.sum(value) }), { limit: 3 })
  },
  "labels in labels": {
    total: d.count({ when }),
    by: d.by(
      "code",
      (fact) => fact.code,
      d.struct({ by: d.by("text", (fact) => fact.text, d.last(value), { limit: 2 }), max: d.max(value, { when }) })
    )
  }
}

const batchTime = 1_000

const metaOf = (fact: Fact) => ({ time: fact.time === 0 ? batchTime : fact.time })

/** Folds by `step`, or in halves, with an owner of its own or with none. */
const run = (fold: Fold, initial: FieldsState, facts: ReadonlyArray<Fact>, inHalves: boolean, inPlace: boolean) => {
  const owner = inPlace ? newOwner() : nobody
  const registers = fold.registers()
  let counted = 0
  let state = initial
  for (const fact of facts) {
    const next = inHalves
      ? fold.read(fact, metaOf(fact), registers) ? fold.write(state, owner, registers) : undefined
      : fold.step(state, fact, metaOf(fact), { owner })
    if (next === undefined) continue
    counted++
    state = next
  }
  return { state, counted }
}

describe.each(Object.entries(shapes))("the fold of %s", (_, dimensions) => {
  const root = structOf(dimensions)
  const encode = Schema.encodeSync(root.codec)
  const folds = { generated: generateFold(root)!, interpreted: interpretFold(root) as Fold }

  it.prop(
    "comes to the same in each of its forms, and leaves what it began with",
    [Schema.Array(Fact), Schema.Array(Fact)],
    ([before, after]) => {
      const start = run(folds.interpreted, root.initial, before, false, false).state
      const stored = encode(start)
      const forms = Object.values(folds).flatMap((fold) =>
        [false, true].flatMap((inHalves) =>
          [false, true].map((inPlace) => {
            const { counted, state } = run(fold, start, after, inHalves, inPlace)
            return { counted, state: encode(state), shown: root.view(state, 2_000) }
          })
        )
      )
      for (const form of forms) assert.deepStrictEqual(form, forms[0])
      assert.deepStrictEqual(encode(start), stored)
      return true
    },
    { arbitrary: { runs: 100 } }
  )

  it.prop(
    "changes no state in place that is not its owner's",
    [Schema.Array(Fact), Schema.Array(Fact)],
    ([before, after]) => {
      for (const fold of Object.values(folds)) {
        const { state } = run(fold, root.initial, before, false, true)
        const stored = encode(state)
        run(fold, state, after, false, true)
        run(fold, state, after, true, true)
        run(fold, state, after, false, false)
        assert.deepStrictEqual(encode(state), stored)
      }
      return true
    },
    { arbitrary: { runs: 50 } }
  )
})

describe("a fold", () => {
  const root = structOf({ sum: d.sum(value), by: d.by("text", (fact) => fact.text, d.count()) })
  const fact: Fact = { _tag: "fact", time: 0, value: 1, text: "a", code: 200, isOn: false }

  it("passes over the events that are filtered out, and folds what they are mapped to", () => {
    for (const fold of [generateFold(root)!, interpretFold(root) as Fold]) {
      const on = filtered(fold, when)
      const doubled = mapped(fold, (event, meta) => [{ ...event, value: 2 } as Fact, meta])
      for (const inHalves of [false, true]) {
        assert.strictEqual(run(on, root.initial, [fact, { ...fact, isOn: true }], inHalves, false).counted, 1)
        assert.strictEqual(run(doubled, root.initial, [fact], inHalves, false).state.f0, 2)
      }
    }
  })

  it("has a zero with its sign, in each of its forms", () => {
    const root = structOf({
      max: d.max(value),
      of: d.struct({ max: d.max(value) }),
      by: d.by("text", (fact) => fact.text, d.max(value))
    })
    const facts: ReadonlyArray<Fact> = [{ ...fact, value: -0 }, { ...fact, value: 0 }]
    for (const fold of [generateFold(root)!, interpretFold(root) as Fold]) {
      for (const [inHalves, inPlace] of [[false, false], [false, true], [true, false], [true, true]] as const) {
        const { state } = run(fold, root.initial, facts, inHalves, inPlace)
        const shown = root.view(state, 0)
        assert.deepStrictEqual(shown, { max: 0, of: { max: 0 }, by: Object.assign(Object.create(null), { a: 0 }) })
      }
    }
  })

  it("refuses labels that are none, before it changes anything", () => {
    for (const label of [{}, [], Symbol("a"), () => "a"]) {
      const wrong = { ...fact, text: label } as unknown as Fact
      for (const fold of [generateFold(root)!, interpretFold(root) as Fold]) {
        const { state } = run(fold, root.initial, [fact], false, true)
        assert.throws(() => fold.step(state, wrong, { time: 0 }, state), /Expected a label to be a string/)
        assert.strictEqual(state.f0, 1)
      }
    }
  })

  it("has states of the same shape where code generation is forbidden", () => {
    for (const State of [generateClass(2)!, interpretClass(2)]) {
      const state = new State(nobody, 3, "a", "b")
      assert.deepStrictEqual({ ...state }, { owner: nobody, skipped: 3, f0: "a", f1: "b" })
    }
  })
})
