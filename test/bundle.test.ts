import { assert, describe, it } from "@effect/vitest"
import { bundle } from "../scripts/bundle.ts"

const event = `
import { Event } from "mvx-metrics"
export class Hit extends Event.Class<Hit>()("hit", {}) {}`

const recorder = `${event}
import { Option } from "effect"
import { Metric, Recorder } from "mvx-metrics"
const Hits = Metric.make("hits", { events: [Hit], initial: { total: 0 }, reduce: (s) => Option.some({ total: s.total + 1 }) })
export const program = Recorder.make({ entityId: "a", metrics: [Hits] })`

const dimensions = `${event}
import { Metric, Recorder } from "mvx-metrics"
const Hits = Metric.fromDimensions("hits", [Hit], (d) => ({ total: d.count() }))
export const layer = Recorder.layer({ entityId: "a", metrics: [Hits] })`

const modulesOf = async (program: string): Promise<ReadonlyArray<string>> =>
  Object.keys((await bundle(program)).modules)

describe("a bundle of a program", () => {
  it("that uses nothing is empty", async () => {
    for (
      const program of [`import {} from "mvx-metrics"`, `import "mvx-metrics"`, `import * as _ from "mvx-metrics"`]
    ) {
      assert.strictEqual((await bundle(program)).text.trim(), "export{};")
    }
  })

  it("that states events has nothing that measures", async () => {
    assert.sameMembers([...await modulesOf(event)], [
      "Event",
      "internal/InvalidOptionError",
      "internal/describe",
      "internal/eventConstructor"
    ])
    const emit = `${event}
import { Recorder } from "mvx-metrics"
export const program = Recorder.emit(new Hit())`
    assert.sameMembers([...await modulesOf(emit)], [...await modulesOf(event), "Recorder"])
  })

  it("with a recorder of hand-written metrics has nothing of dimensions, samples, stored states and runtimes", async () => {
    const modules = await modulesOf(recorder)
    assert.include(modules, "internal/RecorderCore")
    const others =
      /dimension\/|Dimension|Sample|samplesIn|storedState|Rollup|Runtime|Registry|RegisteredRecorder|ChangeHub|DecoratedHandle|Standalone|environment|insideHook|exporters\/|testing\//
    assert.deepStrictEqual(modules.filter((module) => others.test(module)), [])
  })

  it("with a runtime has nothing that reads the environment, unless it asks for that", async () => {
    const layer = await modulesOf(`import { Runtime } from "mvx-metrics"\nexport const layer = Runtime.layer()`)
    assert.include(layer, "internal/Rollup")
    assert.notInclude(layer, "internal/environment")
    assert.include(await modulesOf(`export { MetricsLive } from "mvx-metrics"`), "internal/environment")
  })

  it("has only those members of a module that it uses", async () => {
    assert.notInclude((await bundle(event)).text, ".Array(")
    const { text } = await bundle(recorder)
    const absent = [
      "MetricMergeError",
      "UnknownEventError",
      "onExit",
      "noop",
      "METRICS_",
      "TaggedError(`mvx-metrics/Runtime"
    ]
    assert.deepStrictEqual(absent.filter((part) => text.includes(part)), [])
    assert.include(text, "TaggedError(`mvx-metrics/Recorder/")
  })

  it("with a recorder of dimensions has them, and nothing of runtimes", async () => {
    const modules = await modulesOf(dimensions)
    assert.includeMembers([...modules], ["Dimension", "internal/dimension/generateFold", "internal/dimension/Measures"])
    const others =
      /Sample|samplesIn|storedState|Rollup|Runtime|Registry|RegisteredRecorder|ChangeHub|Standalone|environment/
    assert.deepStrictEqual(modules.filter((module) => others.test(module)), [])
  })
})
