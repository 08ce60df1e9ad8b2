import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { newOwner, nobody, type Owner } from "../../../src/internal/dimension/Kind.ts"
import { Vector } from "../../../src/internal/dimension/Vector.ts"

const empty: Vector<string> = Vector.empty

interface Version {
  readonly vector: Vector<number>
  readonly model: ReadonlyMap<number, number>
}

/** Indexes with few and with many bits, those next to each other and those far apart. */
const anyIndex = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Literals([1, 2, 4, 8, 12, 16, 20])),
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 20 - 1 })))
  ]),
  ([bits, index]) => index & ((1 << bits) - 1)
)

/** Who sets which index of which version: two owners work in turns, as does nobody. */
const anySteps = Arbitrary.array(
  Arbitrary.all({
    by: Arbitrary.schema(Schema.Literals(["first", "second", "nobody"])),
    does: Arbitrary.schema(Schema.Literals(["set", "set", "set", "set", "hand out"])),
    version: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))),
    index: anyIndex
  }),
  { maxLength: 80 }
)

/** An owner, and the vector it has in hand. */
interface Fold {
  owner: Owner
  vector: Vector<number>
  model: Map<number, number>
}

const agrees = ({ model, vector }: Version): void => {
  const found: Array<[number, number | undefined]> = []
  vector.forEach((value, index) => found.push([index, value]))
  assert.deepStrictEqual(found, [...model].toSorted(([a], [b]) => a - b))
  for (const [index, value] of model) assert.strictEqual(vector.get(index), value)
  const length = Math.max(-1, ...model.keys()) + 1
  if (length > 5_000) return
  for (let index = 0; index < length + 20; index++) assert.strictEqual(vector.get(index), model.get(index))
}

describe("Vector", () => {
  it.prop("holds what a map holds, and no version that was handed out ever changes", [anySteps], ([steps]) => {
    const versions: Array<Version> = [{ vector: Vector.empty, model: new Map() }]
    const folds = new Map<string, Fold>()

    const handOut = (by: string): void => {
      const fold = folds.get(by)
      if (fold === undefined) return
      versions.push({ vector: fold.vector, model: fold.model })
      folds.delete(by)
    }

    let value = 0
    for (const { by, does, index, version } of steps) {
      const chosen = versions[version % versions.length]!
      value++
      if (by === "nobody") {
        const vector = chosen.vector.set(index, value, nobody)
        versions.push({ vector, model: new Map(chosen.model).set(index, value) })
      } else if (does === "hand out") {
        handOut(by)
      } else {
        const fold = folds.get(by) ?? { owner: newOwner(), vector: chosen.vector, model: new Map(chosen.model) }
        fold.vector = fold.vector.set(index, value, fold.owner)
        fold.model.set(index, value)
        folds.set(by, fold)
        assert.strictEqual(fold.vector.get(index), value)
      }
    }
    handOut("first")
    handOut("second")
    for (const version of versions) agrees(version)
  }, { arbitrary: { runs: 300 } })

  it.prop("finds nothing where nothing was set", [Arbitrary.array(anyIndex, { maxLength: 20 }), anyIndex], (
    [indexes, other]
  ) => {
    let vector = empty
    for (const index of indexes) vector = vector.set(index, "set", nobody)
    assert.strictEqual(vector.get(other), indexes.includes(other) ? "set" : undefined)
    for (const index of indexes) {
      for (const outside of [index + 2 ** 20, index + 2 ** 24]) assert.isUndefined(vector.get(outside))
    }
  })

  it("is changed in place by its owner alone", () => {
    const owner = newOwner()
    const mine = empty.set(0, "a", owner)
    assert.strictEqual(mine.set(100_000, "b", owner), mine)
    assert.notStrictEqual(mine.set(0, "c", nobody), mine)
    assert.notStrictEqual(mine.set(0, "c", newOwner()), mine)
    assert.strictEqual(mine.get(0), "a")
    assert.strictEqual(mine.get(100_000), "b")
  })

  it("lets one owner change two vectors that have grown out of one", () => {
    const origin = empty.set(5, "origin", nobody)
    const owner = newOwner()
    const first = origin.set(5, "first", owner)
    const second = origin.set(5, "second", owner)
    assert.deepStrictEqual([origin, first, second].map((vector) => vector.get(5)), ["origin", "first", "second"])
  })
})
