import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Exit } from "effect"
import { Dispatcher } from "../../src/internal/Dispatcher.ts"
import { RecorderHandle } from "../../src/internal/RecorderHandle.ts"
import { settingsOf } from "../../src/internal/RecorderSettings.ts"
import { outcome, settle, statusOf } from "../support.ts"

const make = (options: { readonly onStarting?: Effect.Effect<void> } = {}) =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const dispatcher = new Dispatcher(Context.empty(), () => {})
    yield* Effect.addFinalizer(() => Effect.sync(() => dispatcher.close()))
    const id = { recorderId: "cache", entityId: "cache" }
    return new RecorderHandle(id, settingsOf(options), Context.empty(), dispatcher, clock)
  })

describe("a dispatcher that ends", () => {
  const states = {
    Virgin: make(),
    Starting: Effect.tap(
      make({ onStarting: Effect.never }),
      (recorder) => Effect.forkChild(recorder.start, { startImmediately: true })
    ),
    Running: Effect.tap(make(), (recorder) => recorder.start),
    Stopped: Effect.tap(make(), (recorder) => Effect.andThen(recorder.start, recorder.stop))
  }

  it.effect.each(Object.keys(states) as Array<keyof typeof states>)(
    "leaves a recorder Cancelled that is %s",
    (state) =>
      Effect.gen(function*() {
        const recorder = yield* states[state]
        assert.strictEqual(yield* statusOf(recorder), state)
        recorder.cancel(Exit.interrupt())
        assert.strictEqual(yield* statusOf(recorder), "Cancelled")
        yield* settle
        assert.strictEqual(yield* outcome(recorder.start), "RecorderInvalidStateError")
        yield* recorder.close
        assert.strictEqual(yield* statusOf(recorder), "Cancelled")
      })
  )
})
