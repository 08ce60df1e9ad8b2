import { Context, Effect, Latch, Layer } from "effect"

/** Opens when the service is about to stop: what never ends by itself would keep the server waiting. */
export class Closing extends Context.Service<Closing, Latch.Latch>()("examples/web-service/Closing") {}

export const layer = Layer.effect(Closing, Latch.make())

/** On top of a server: layers go in the opposite order, so this one opens the latch before the server waits. */
export const layerFirst = Layer.effectDiscard(Closing.use((closing) => Effect.addFinalizer(() => closing.open)))
