import { assert, describe, it } from "@effect/vitest"
import type { QuestionResults } from "../../benchmark/harness/Results.ts"
import { comparisonLines, questionTable, show } from "../../benchmark/harness/table.ts"

const lines = (text: string): ReadonlyArray<string> => text.split("\n")

const ns = (...rounds: ReadonlyArray<number>) => ({ unit: "ns", rounds }) as const
const kB = (...rounds: ReadonlyArray<number>) => ({ unit: "kB", rounds }) as const

const results: QuestionResults = {
  title: "what a call costs",
  cases: {
    "mvx-metrics": { kind: "product", readings: { alone: ns(10, 11, 8, 12, 9), memory: kB(1.2) } },
    "mvx-metrics, cheaper": { kind: "product", readings: { alone: ns(5, 5, 5, 5, 5), memory: kB(1) } },
    "another library, which has a long name": { kind: "peer", readings: { alone: ns(250, 260, 270) } },
    "a field": { kind: "floor", readings: { alone: ns(1, 1, 1, 1, 1), memory: kB(0.004) } }
  },
  claims: [
    { claim: "ours / theirs", unit: "x", rounds: [0.03, 0.04, 0.05], atMost: 0.2, holds: true },
    { claim: "of memory", unit: "kB", rounds: [1.2], atMost: 1, holds: false }
  ]
}

describe("questionTable", () => {
  it("has a row for each case with its median, its spread and how it relates to ours, who is below us, and the claims", () => {
    assert.deepStrictEqual(lines(questionTable("calls", results)), [
      "",
      "calls: what a call costs",
      "                                                           alone                  memory",
      "  mvx-metrics                               10.0 ns  ±10%           1.20 kB",
      "  mvx-metrics, cheaper                      5.00 ns   ±0%  0.50x    1.00 kB        0.83x",
      "  another library, which has a long name     260 ns   ±2%    26x",
      "  a field                                   1.00 ns   ±0%  0.10x    0.00 kB       0.003x",
      "  below mvx-metrics: a field (alone; memory)",
      "  holds      0.04x (0.03x - 0.05x)        at most 0.20x     ours / theirs",
      "  MISSED   1.20 kB                        at most 1.00 kB   of memory"
    ])
  })

  it("has empty cells for what a case did not read, and compares nothing with it", () => {
    const { "a field": field, "mvx-metrics": ours } = results.cases
    const table = questionTable("calls", {
      ...results,
      cases: { "mvx-metrics": { ...ours!, readings: { alone: ns(10) } }, "a field": field! },
      claims: []
    })
    assert.deepStrictEqual(lines(table), [
      "",
      "calls: what a call costs",
      "                                         alone                  memory",
      "  mvx-metrics             10.0 ns",
      "  a field                 1.00 ns   ±0%  0.10x    0.00 kB",
      "  below mvx-metrics: a field (alone)"
    ])
  })

  it("compares no ratios with each other, and nothing with what is around nothing", () => {
    const ratio = (value: number) => ({ unit: "x", rounds: [value] }) as const
    const table = questionTable("calls", {
      ...results,
      cases: {
        one: { kind: "product", readings: { ratio: ratio(2), difference: ns(-1, 0, 1), another: ns(4) } },
        two: { kind: "product", readings: { ratio: ratio(1), difference: ns(5), another: ns(-2) } }
      },
      claims: []
    })
    assert.deepStrictEqual(lines(table), [
      "",
      "calls: what a call costs",
      "                                         ratio              difference                 another",
      "  one                       2.00x                 0.00 ns                 4.00 ns",
      "  two                       1.00x                 5.00 ns                -2.00 ns"
    ])
  })

  it("is a head alone where all cases failed", () => {
    assert.deepStrictEqual(lines(questionTable("calls", { ...results, cases: {}, claims: [] })), [
      "",
      "calls: what a call costs",
      ""
    ])
  })
})

describe("show", () => {
  it("has as many digits as are of use", () => {
    const shown = [show(0.123, "x"), show(123.456, "x"), show(1.234, "ns"), show(12.34, "us"), show(123.4, "ms")]
    assert.deepStrictEqual(shown, ["0.12x", "123.46x", "1.23 ns", "12.3 us", "123 ms"])
    assert.deepStrictEqual([show(54.4, "B"), show(1.2345, "kB"), show(-150.5, "MB")], ["54 B", "1.23 kB", "-151 MB"])
  })
})

describe("comparisonLines", () => {
  const nothing = { changed: [], machine: 1.004, count: 7, left: 0, slower: [] }

  it("says how much was compared where nothing got slower", () => {
    assert.deepStrictEqual(lines(comparisonLines(nothing)), [
      "",
      "Peers and floors took 1.00x what they took then; our times are compared with that taken off.",
      "None of 7 readings of ours got slower or larger beyond the noise."
    ])
  })

  it("says what got slower, and what else is not as it was", () => {
    const text = comparisonLines({
      changed: [["node", "v24.1.0", "v24.2.0"]],
      machine: 1.5,
      count: 7,
      left: 2,
      slower: [{ what: "calls: mvx-metrics, alone", unit: "ns", before: 10, after: 30, factor: 2 }]
    })
    assert.deepStrictEqual(lines(text), [
      "",
      "Not as it was: node, v24.1.0 then, v24.2.0 now.",
      "Peers and floors took 1.50x what they took then; our times are compared with that taken off.",
      "2 of our readings are of too few rounds to be compared.",
      "1 of 7 readings of ours got slower or larger beyond the noise:",
      "  SLOWER 2.00x  calls: mvx-metrics, alone: 10.0 ns then, 30.0 ns now"
    ])
  })
})
