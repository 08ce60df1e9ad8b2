import { Effect, PubSub, Scope, Stream } from "effect"
import { capacity, type Change, folding, type Telling } from "./Telling.ts"

const subscribe = (pubsub: PubSub.PubSub<Change>): Telling["subscribe"] => (receive) => {
  Effect.runFork(
    Stream.runForEachArray(Stream.fromPubSub(pubsub), (changes) => Effect.sync(() => receive(changes.length)))
  )
}

const subscribeSlow = (pubsub: PubSub.PubSub<Change>): NonNullable<Telling["subscribeSlow"]> => (receive) => {
  const subscription = Effect.runSync(Scope.provide(PubSub.subscribe(pubsub), Scope.makeUnsafe()))
  return () => {
    Effect.runFork(Effect.map(PubSub.takeAll(subscription), (changes) => receive(changes.length, 0)))
  }
}

/** Each change is published. Where one subscriber is slow, changes are dropped for all of them. */
export const dropping = (): Telling => {
  const pubsub = Effect.runSync(PubSub.dropping<Change>(capacity))
  return {
    ...folding((change) => {
      PubSub.publishUnsafe(pubsub, change)
    }),
    subscribe: subscribe(pubsub)
  }
}

/** Each change is published; when there is no room, the one that makes it is an effect. */
export const sliding = (): Telling => {
  const pubsub = Effect.runSync(PubSub.sliding<Change>(capacity))
  return {
    ...folding((change) => {
      if (!PubSub.publishUnsafe(pubsub, change)) Effect.runSync(PubSub.publish(pubsub, change))
    }),
    subscribe: subscribe(pubsub),
    subscribeSlow: subscribeSlow(pubsub)
  }
}

/** The changes of a burst are published together. */
export const slidingInBatches = (): Telling => {
  const pubsub = Effect.runSync(PubSub.sliding<Change>(capacity))
  let batch: Array<Change> = []
  return {
    ...folding((change) => {
      batch.push(change)
    }),
    settle: async () => {
      const changes = batch
      batch = []
      await Effect.runPromise(PubSub.publishAll(pubsub, changes))
    },
    subscribe: subscribe(pubsub),
    subscribeSlow: subscribeSlow(pubsub)
  }
}
