import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Claim, limit, peer, product, type Question, ratio } from "../../benchmark/harness/Question.ts"
import { compared, type Results, resultsOf, type Rounds } from "../../benchmark/harness/Results.ts"

const never = () => Promise.reject(new Error("not run"))

const questionWith = (...claims: ReadonlyArray<Claim>): Question => ({
  title: "what it costs",
  columns: { time: "ns", memory: "kB" },
  cases: { ours: product(never), theirs: peer(never) },
  claims
})

const roundsOf = (rounds: Readonly<Record<string, ReadonlyArray<Readonly<Record<string, number>>>>>): Rounds =>
  new Map(Object.entries(rounds))

const times = (...values: ReadonlyArray<number>) => values.map((time) => ({ time }))

describe("resultsOf", () => {
  it("keeps all rounds of each reading, with the unit of its column", () => {
    const rounds = roundsOf({ ours: [{ time: 3, memory: 1 }, { time: 5, memory: 1 }], theirs: times(7, 9) })
    assert.deepStrictEqual(resultsOf(questionWith(), rounds), {
      title: "what it costs",
      cases: {
        ours: {
          kind: "product",
          readings: { time: { unit: "ns", rounds: [3, 5] }, memory: { unit: "kB", rounds: [1, 1] } }
        },
        theirs: { kind: "peer", readings: { time: { unit: "ns", rounds: [7, 9] } } }
      },
      claims: []
    })
  })

  it("has a claim of what is related in each round, and judges the median", () => {
    const question = questionWith(ratio("ours / theirs", ["ours", "theirs"], "time", 0.5))
    const claimOf = (ours: ReadonlyArray<number>) =>
      resultsOf(question, roundsOf({ ours: times(...ours), theirs: times(10, 20, 10) })).claims[0]
    assert.deepStrictEqual(claimOf([1, 10, 9]), {
      claim: "ours / theirs",
      unit: "x",
      atMost: 0.5,
      rounds: [0.1, 0.5, 0.9],
      holds: true
    })
    assert.strictEqual(claimOf([1, 11, 9])?.holds, false)
  })

  it("has a claim about a reading itself", () => {
    const { claims } = resultsOf(
      questionWith(limit("ours", ["ours", "time"], "ns", 4)),
      roundsOf({ ours: times(3, 5, 9), theirs: times(1, 1, 1) })
    )
    assert.deepStrictEqual(claims, [{ claim: "ours", unit: "ns", atMost: 4, rounds: [3, 5, 9], holds: false }])
  })

  it("does not have us better than a difference that is lost in noise", () => {
    const question = questionWith(ratio("ours / theirs", ["ours", "theirs"], "time", 1))
    for (const [ours, theirs] of [[80, 0], [80, -2], [-2, 0], [-2, -80]] as const) {
      const { claims } = resultsOf(question, roundsOf({ ours: times(ours), theirs: times(theirs) }))
      assert.deepInclude(claims[0]!, { rounds: [Infinity], holds: false })
    }
  })

  it("leaves out cases that failed, and claims about them", () => {
    const question = questionWith(
      ratio("ours / theirs", ["ours", "theirs"], "time", 1),
      limit("ours", ["ours", "time"], "ns", 4)
    )
    for (const rounds of [roundsOf({ ours: times(3, 3), theirs: [] }), roundsOf({ ours: times(3, 3) })]) {
      const { cases, claims } = resultsOf(question, rounds)
      assert.deepStrictEqual(Object.keys(cases), ["ours"])
      assert.deepStrictEqual(claims.map(({ claim }) => claim), ["ours"])
    }
    const { cases, claims } = resultsOf(question, roundsOf({ ours: times(3, 3), theirs: times(4) }))
    assert.deepStrictEqual(Object.keys(cases), ["ours", "theirs"])
    assert.deepStrictEqual(claims.map(({ claim }) => claim), ["ours"])
    assert.deepStrictEqual(resultsOf(question, roundsOf({})), { title: "what it costs", cases: {}, claims: [] })
  })

  it("refuses what is no column or no case, and what is no number", () => {
    const refused = (readings: Readonly<Record<string, number>>, ...claims: ReadonlyArray<Claim>) => () =>
      resultsOf(questionWith(...claims), roundsOf({ ours: [readings] }))
    assert.throws(refused({ tiem: 1 }), `ours of "what it costs" read tiem, which is no column`)
    assert.throws(refused({ time: NaN }), `ours of "what it costs" read no number in time: NaN`)
    assert.throws(refused({ time: Infinity }), `ours of "what it costs" read no number in time: Infinity`)
    assert.throws(
      refused({ time: 1 }, limit("theirs", ["thiers", "time"], "ns", 1)),
      `"theirs" is about thiers, which is no case`
    )
    assert.throws(
      refused({ time: 1 }, limit("ours", ["ours", "tiem"], "ns", 1)),
      `"ours" is about tiem, which is no column`
    )
  })

  const rounds = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))).check(
    Schema.isMinLength(1)
  )

  it.prop("has a claim that holds where half of the rounds hold, whatever the others say", [rounds], ([values]) => {
    for (const atMost of values) {
      const { claims } = resultsOf(
        questionWith(limit("ours", ["ours", "time"], "ns", atMost)),
        roundsOf({ ours: times(...values) })
      )
      const within = values.filter((value) => value <= atMost).length
      if (within > values.length / 2) assert.isTrue(claims[0]!.holds)
      if (within < values.length / 2) assert.isFalse(claims[0]!.holds)
    }
  })
})

const resultsWith = (
  readings: Readonly<Record<string, ReadonlyArray<Readonly<Record<string, number>>>>>,
  rest: Partial<Results> = {}
): Results => ({
  format: 1,
  machine: { cpu: "one", node: "v24" },
  versions: { "mvx-metrics": "0.1.0", effect: "4.1.0" },
  short: false,
  questions: { cost: resultsOf(questionWith(), roundsOf(readings)) },
  ...rest
})

describe("compared", () => {
  const before = resultsWith({ ours: times(10, 11, 12), theirs: times(100, 101, 102) })

  it("says what of ours has all rounds above those that were before", () => {
    const after = resultsWith({ ours: times(20, 22, 24), theirs: times(100, 101, 102) })
    assert.deepStrictEqual(compared(before, after), {
      changed: [],
      machine: 1,
      count: 1,
      left: 0,
      slower: [{ what: "cost: ours, time", unit: "ns", before: 11, after: 22, factor: 2 }]
    })
    assert.deepStrictEqual(compared(after, before).slower, [])
  })

  it("takes as noise what overlaps, and what is hardly above", () => {
    for (const ours of [[12, 20, 22], [11.9, 40, 40], [12.5, 12.5, 12.5], [12.6, 12.6, 12.6]]) {
      const after = resultsWith({ ours: times(...ours), theirs: times(100, 101, 102) })
      assert.deepStrictEqual(compared(before, after).slower, [])
    }
    const after = resultsWith({ ours: times(12.7, 12.7, 12.7), theirs: times(100, 101, 102) })
    assert.strictEqual(compared(before, after).slower.length, 1)
  })

  it("says nothing of peers", () => {
    const after = resultsWith({ ours: times(10, 11, 12), theirs: times(300, 301, 302) })
    assert.deepStrictEqual(compared(before, after).slower, [])
    assert.strictEqual(compared(before, after).count, 1)
  })

  it("takes the speed of the machine off times, in either direction", () => {
    const busy = resultsWith({ ours: times(20, 22, 24), theirs: times(200, 202, 204) })
    const { machine, slower } = compared(before, busy)
    assert.strictEqual(machine, 2)
    assert.deepStrictEqual(slower, [])
    const quiet = resultsWith({ ours: times(10, 11, 12), theirs: times(50, 50.5, 51) })
    assert.deepStrictEqual(compared(before, quiet).slower, [
      { what: "cost: ours, time", unit: "ns", before: 11, after: 11, factor: 2 }
    ])
  })

  it("does not take it off memory", () => {
    const memory = (ours: number, theirs: number) =>
      resultsWith({
        ours: [1, 1.01, 1.02].map((times) => ({ memory: ours * times })),
        theirs: [1, 1, 1].map((times) => ({ time: theirs * times, memory: theirs * times }))
      })
    assert.deepStrictEqual(compared(memory(1, 1), memory(1, 4)), {
      changed: [],
      machine: 4,
      count: 1,
      left: 0,
      slower: []
    })
    assert.strictEqual(compared(memory(1, 1), memory(2, 4)).slower[0]!.factor, 2)
  })

  it("takes the peers of the same question, which were measured meanwhile, where they are some", () => {
    const found = (peers: number) => {
      const names = Array.from({ length: peers }, (_, i) => `peer ${i}`)
      const cases = { ours: product(never), ...Object.fromEntries(names.map((name) => [name, peer(never)])) }
      const rounds = (time: number) => new Map(["ours", ...names].map((of) => [of, times(time, time, time)]))
      const part = (time: number) => resultsOf({ ...questionWith(), cases }, rounds(time))
      const results = (quiet: number, busy: number) =>
        resultsWith({}, { questions: { quiet: part(quiet), more: part(quiet), busy: part(busy) } })
      return compared(results(10, 10), results(10, 30))
    }
    assert.deepStrictEqual(found(3), { changed: [], machine: 1, count: 3, left: 0, slower: [] })
    assert.deepStrictEqual(found(2).slower.map(({ what }) => what), ["busy: ours, time"])
  })

  it("compares what both have, in rounds enough to know what is noise", () => {
    const few = resultsWith({ ours: times(20, 20), theirs: times(100, 100) })
    assert.deepStrictEqual(compared(before, few), { changed: [], machine: 100 / 101, count: 0, left: 1, slower: [] })
    assert.deepStrictEqual(compared(few, before).left, 1)
    const inOtherUnits = resultsOf({ ...questionWith(), columns: { time: "us" } }, roundsOf({ ours: times(1, 1, 1) }))
    for (
      const other of [
        resultsWith({}),
        resultsWith({}, { questions: {} }),
        resultsWith({ ours: [{ memory: 1 }] }),
        resultsWith({}, { questions: { cost: inOtherUnits } })
      ]
    ) {
      const nothing = { changed: [], machine: 1, count: 0, left: 0, slower: [] }
      assert.deepStrictEqual(compared(before, other), nothing)
      assert.deepStrictEqual(compared(other, before), nothing)
    }
  })

  it("leaves out what was around nothing", () => {
    const around = resultsWith({ ours: times(-1, 0, 1), theirs: times(-2, -1, 0) })
    const nothing = { changed: [], machine: 1, count: 0, left: 0, slower: [] }
    assert.deepStrictEqual(compared(around, before), nothing)
    assert.deepStrictEqual(compared(before, around), nothing)
  })

  it("says what else is not as it was", () => {
    const after = resultsWith({}, {
      machine: { cpu: "one", node: "v25" },
      versions: { "mvx-metrics": "0.2.0", effect: "4.2.0", another: "1.0.0" }
    })
    assert.deepStrictEqual(compared(before, after).changed, [["node", "v24", "v25"], ["effect", "4.1.0", "4.2.0"]])
  })

  const rounds = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 10, maximum: 1_000 }))).check(
    Schema.isMinLength(3),
    Schema.isMaxLength(7)
  )

  it.prop("finds nothing between two times of which either could be the other", [rounds, rounds], ([a, b]) => {
    const [one, another] = [a, b].map((ours) => resultsWith({ ours: times(...ours), theirs: times(1, 1, 1) }))
    const found = [...compared(one!, another!).slower, ...compared(another!, one!).slower]
    const overlap = Math.max(...a) >= Math.min(...b) && Math.max(...b) >= Math.min(...a)
    if (overlap) assert.deepStrictEqual(found, [])
    assert.isAtMost(found.length, 1)
    assert.deepStrictEqual(compared(one!, one!).slower, [])
  })

  it.prop(
    "finds the same on a machine of any other speed",
    [rounds, rounds, Schema.Literals([0.25, 0.5, 2, 8])],
    ([a, b, speed]) => {
      const after = (speed: number) =>
        resultsWith({
          ours: times(...b.map((time) => time * speed)),
          theirs: times(...[100, 101, 102].map((time) => time * speed))
        })
      const before = resultsWith({ ours: times(...a), theirs: times(100, 101, 102) })
      const factors = (results: Results) => compared(before, results).slower.map(({ factor }) => factor.toFixed(9))
      assert.deepStrictEqual(factors(after(speed)), factors(after(1)))
    }
  )
})
