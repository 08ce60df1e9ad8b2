import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { RuntimeHandle } from "../../src/internal/RuntimeHandle.ts"
import { Hits } from "../support.ts"

describe("ChangeHub", () => {
  it.effect("has recorders make changes only while somebody is subscribed", () =>
    Effect.gen(function*() {
      const runtime = new RuntimeHandle({}, Context.empty())
      yield* Effect.addFinalizer(() => Effect.ignore(runtime.shutdown))
      const made = () => runtime.registry.all.map(({ base }) => base.core.table.changes !== undefined)
      yield* runtime.createRecorder("a", { metrics: [Hits] })
      assert.deepStrictEqual(made(), [false])
      const [one, other] = [runtime.hub.subscribe(), runtime.hub.subscribe()]
      yield* runtime.createRecorder("b", { metrics: [Hits] })
      assert.deepStrictEqual(made(), [true, true])
      runtime.hub.unsubscribe(one)
      assert.deepStrictEqual(made(), [true, true])
      runtime.hub.unsubscribe(other)
      yield* runtime.createRecorder("c", { metrics: [Hits] })
      assert.deepStrictEqual(made(), [false, false, false])
    }))
})
