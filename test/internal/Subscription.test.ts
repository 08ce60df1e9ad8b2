import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema } from "effect"
import { Subscription } from "../../src/internal/Subscription.ts"
import { settle } from "../support.ts"

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

describe("Subscription", () => {
  it("gives items in the order in which they came, by the batch", () => {
    const subscription = new Subscription<number>(10)
    subscription.offer([1, 2])
    subscription.offer([3])
    assert.deepStrictEqual(subscription.takeAll(), [1, 2, 3])
    assert.deepStrictEqual(subscription.takeAll(), [])
  })

  it("keeps no hold on the arrays that it was given", () => {
    const subscription = new Subscription<number>(10)
    const batch = [1]
    subscription.offer(batch)
    subscription.offer([2])
    assert.deepStrictEqual(batch, [1])
  })

  it("lets the oldest items go, says how many, and marks the gap where it is", () => {
    const subscription = new Subscription<number | string>(3, (missed) => `missed ${missed}`)
    assert.strictEqual(subscription.offer([1, 2]), 0)
    assert.strictEqual(subscription.offer([3, 4, 5]), 2)
    assert.strictEqual(subscription.offer([6]), 1)
    assert.deepStrictEqual(subscription.takeAll(), ["missed 3", 4, 5, 6])
    subscription.offer([7])
    assert.deepStrictEqual(subscription.takeAll(), [7])
  })

  it.effect.prop("behaves like a list that is cut to its last items", [
    Schema.Array(Schema.Literals(["offer", "offerMany", "take", "takeAll"])),
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))
  ], ([commands, capacity]) =>
    Effect.sync(() => {
      const subscription = new Subscription<number>(capacity)
      let model: Array<number> = []
      let next = 0
      for (const command of commands) {
        switch (command) {
          case "offer":
          case "offerMany": {
            const batch = range(next, next + (command === "offer" ? 0 : capacity + 2))
            next += batch.length
            const all = [...model, ...batch]
            model = all.slice(-capacity)
            assert.strictEqual(subscription.offer(batch), all.length - model.length)
            break
          }
          case "take":
            assert.strictEqual(subscription.take(), model.shift())
            break
          case "takeAll":
            assert.deepStrictEqual(subscription.takeAll(), model)
            model = []
        }
        assert.deepStrictEqual([subscription.size, subscription.peek()], [model.length, model[0]])
      }
    }), { arbitrary: { runs: 300 } })

  it.effect("pull waits for items, takes what is there, and ends after the last", () =>
    Effect.gen(function*() {
      const subscription = new Subscription<number>(10)
      const waiting = yield* Effect.forkChild(subscription.pull, { startImmediately: true })
      yield* settle
      assert.isUndefined(waiting.pollUnsafe())
      subscription.offer([1])
      assert.isUndefined(waiting.pollUnsafe(), "the reader does not run on the stack of the writer")
      assert.deepStrictEqual(yield* Fiber.join(waiting), [1])
      subscription.offer([2])
      subscription.end()
      subscription.offer([3])
      assert.deepStrictEqual(yield* subscription.pull, [2])
      const end = yield* Effect.exit(subscription.pull)
      assert.isTrue(
        Exit.isFailure(end) &&
          end.cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))
      )
    }))

  it.effect("an interrupted pull loses nothing", () =>
    Effect.gen(function*() {
      const subscription = new Subscription<number>(10)
      const waiting = yield* Effect.forkChild(subscription.pull, { startImmediately: true })
      subscription.offer([1])
      yield* Fiber.interrupt(waiting)
      yield* settle
      assert.deepStrictEqual(yield* subscription.pull, [1])
    }))
})
