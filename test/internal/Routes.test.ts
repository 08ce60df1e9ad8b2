import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { Metric } from "mvx-metrics"
import { routesOf } from "../../src/internal/Routes.ts"

const metric = (name: string, events?: ReadonlyArray<string>) =>
  Metric.make(name, { ...(events === undefined ? {} : { events }), initial: {}, reduce: () => Option.none() })

const [a, b, all] = [metric("a", ["x", "y"]), metric("b", ["y", "y"]), metric("all")]

/** The places of the metrics that are offered the events of a tag. */
const offered = (metrics: ReadonlyArray<Metric.Any>, tag: string) => {
  const { byTag, lists } = routesOf(metrics)
  return lists[byTag.get(tag) ?? 0]
}

describe("Routes", () => {
  it("offer an event to the metrics that name its tag, and to those that name none, in their order", () => {
    const metrics = [a, all, b]
    assert.deepStrictEqual(["x", "y", "z"].map((tag) => offered(metrics, tag)), [[0, 1], [0, 1, 2], [1]])
    assert.deepStrictEqual([offered([], "x"), offered([a], "z")], [[], []])
  })

  it("are shared by lists of the same metrics, in the same order", () => {
    assert.strictEqual(routesOf([a, b]), routesOf([a, b]))
    assert.notStrictEqual(routesOf([a, b]), routesOf([b, a]))
    assert.deepStrictEqual([offered([b, a], "x"), offered([a, b], "x")], [[1], [0]])
    // The same name is not the same metric.
    assert.deepStrictEqual(offered([metric("a", ["z"])], "x"), [])
  })
})
