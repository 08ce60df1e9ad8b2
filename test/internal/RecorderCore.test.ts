import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect } from "effect"
import { type Backlog, Dispatcher, notListed } from "../../src/internal/Dispatcher.ts"
import { RecorderCore, type RecorderOwner } from "../../src/internal/RecorderCore.ts"
import { settingsOf } from "../../src/internal/RecorderSettings.ts"
import { Subscription } from "../../src/internal/Subscription.ts"
import { Hit, Hits, hits, settle } from "../support.ts"

class CountingDispatcher extends Dispatcher {
  scheduled = 0

  override schedule(backlog: Backlog, linger: number): void {
    this.scheduled++
    super.schedule(backlog, linger)
  }
}

const owner: RecorderOwner = { admit: () => true, fail: () => {}, logDefect: () => {} }

const make = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const dispatcher = yield* Effect.acquireRelease(
    Effect.sync(() => new CountingDispatcher(Context.empty(), () => {})),
    (dispatcher) => Effect.sync(() => dispatcher.close())
  )
  const core = new RecorderCore(
    { recorderId: "cache", entityId: "cache" },
    settingsOf({ capacity: 100, linger: "1 hour" }),
    dispatcher,
    owner,
    clock
  )
  core.table.add(Hits, 0)
  return { core, dispatcher }
})

describe("RecorderCore", () => {
  it.effect("is not kept on the dispatcher's list when it has ended, however long that rests", () =>
    Effect.gen(function*() {
      const { core } = yield* make
      core.handoff(new Hit({ n: 1 }))
      core.foldAll()
      yield* settle
      assert.notStrictEqual(core.place, notListed)
      core.close()
      assert.strictEqual(core.place, notListed)
    }))

  it.effect("stands on the dispatcher's list once, however often readers fold its queue", () =>
    Effect.gen(function*() {
      const { core, dispatcher } = yield* make
      for (let n = 0; n < 1_000; n++) {
        core.handoff(new Hit({ n }))
        core.foldTo(core.accepted, Infinity)
      }
      assert.strictEqual(dispatcher.scheduled, 1)
      dispatcher.hasten()
      yield* settle
      core.handoff(new Hit({ n: 1_000 }))
      assert.strictEqual(dispatcher.scheduled, 2)
    }))

  it.effect("makes no changes while nobody observes", () =>
    Effect.gen(function*() {
      const { core } = yield* make
      const subscription = new Subscription<any>(10)
      assert.isUndefined(core.table.changes)
      core.subscribe(subscription, 0)
      core.handoff(new Hit({ n: 1 }))
      core.foldTo(core.accepted, Infinity)
      assert.strictEqual(subscription.size, 1)
      core.unsubscribe(subscription)
      assert.isUndefined(core.table.changes)
      core.handoff(new Hit({ n: 2 }))
      core.foldTo(core.accepted, Infinity)
      assert.deepStrictEqual([subscription.size, core.table.sequence], [1, 2])
    }))

  it.effect("holds no event that is folded", () =>
    Effect.gen(function*() {
      const { core } = yield* make
      for (const event of hits(1, 10)) core.handoff(event)
      core.foldTo(core.accepted, Infinity)
      assert.deepStrictEqual([core.incoming.length, core.limit, core.pending], [0, 0, 0])
    }))
})
