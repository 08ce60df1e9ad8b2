import { assert, describe, it } from "@effect/vitest"
import { StandaloneRuntime } from "../../src/internal/StandaloneRuntime.ts"
import { Hits } from "../support.ts"

describe("StandaloneRuntime", () => {
  it("has recorders make changes only while a listener is subscribed", async () => {
    const metrics = new StandaloneRuntime()
    metrics.subscribe(() => {})()
    const early = metrics.subscribe(() => {})
    await metrics.start()
    const recorder = await metrics.createRecorder("a", { metrics: [Hits] })
    const observed = () => metrics["runtime"]!.registry.find("a")!.base.core.table.changes !== undefined
    assert.isTrue(observed())
    early()
    assert.isFalse(observed())
    for (const subscribe of [() => metrics.subscribe(() => {}), () => recorder.subscribe(() => {})]) {
      const unsubscribe = subscribe()
      assert.isTrue(observed())
      unsubscribe()
      assert.isFalse(observed())
    }
    await metrics.shutdown()
  })
})
