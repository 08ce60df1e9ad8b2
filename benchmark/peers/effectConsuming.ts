import { Effect, PubSub, Queue, Scope } from "effect"
import { capacity, Consumer, type Consuming } from "./Consuming.ts"
import type { Request } from "./foldByHand.ts"

/** A fiber that takes all there is, and folds it. */
const consume = (takeAll: Effect.Effect<ReadonlyArray<Request>>) => {
  const { fold, folded } = new Consumer()
  Effect.runFork(Effect.forever(Effect.map(takeAll, fold)))
  return { folded }
}

const of = (queue: Queue.Queue<Request>): Consuming => ({
  ...consume(Queue.takeAll(queue)),
  offer: (method, route) => Queue.offerUnsafe(queue, { method, route })
})

export const dropping = (): Consuming => of(Effect.runSync(Queue.dropping<Request>(capacity)))

export const sliding = (): Consuming => ({ ...of(Effect.runSync(Queue.sliding<Request>(capacity))), slides: true })

export const droppingPubSub = (): Consuming => {
  const pubsub = Effect.runSync(PubSub.dropping<Request>(capacity))
  const subscription = Effect.runSync(Scope.provide(PubSub.subscribe(pubsub), Scope.makeUnsafe()))
  return {
    ...consume(PubSub.takeAll(subscription)),
    offer: (method, route) => PubSub.publishUnsafe(pubsub, { method, route })
  }
}
