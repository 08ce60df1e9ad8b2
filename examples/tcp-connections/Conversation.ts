import { Effect, Random } from "effect"

/** What one client is going to do. */
export interface Conversation {
  readonly port: number
  /** Each is sent when the echo of the one before has come. */
  readonly pieces: ReadonlyArray<Uint8Array>
  /** How many pieces are sent before the client resets the connection; it does not, unless given. */
  readonly resetAfter?: number
}

/** Nobody listens there: the port is a privileged one, of a service from before the web. */
const deserted = 1

const sizes = { noise: 65_536, piece: 16_384 }

/**
 * As many conversations as asked for, every tenth of which the client breaks in
 * its middle, and some that do not begin because nobody listens.
 */
export const plan = Effect.fnUntraced(function*(options: {
  readonly port: number
  readonly answered: number
  readonly refused: number
}) {
  const noise = Uint8Array.from(yield* Effect.replicateEffect(Random.nextIntBetween(0, 255), sizes.noise))
  const piece = Effect.gen(function*() {
    const length = yield* Random.nextIntBetween(1, sizes.piece)
    const start = yield* Random.nextIntBetween(0, sizes.noise - length)
    return noise.subarray(start, start + length)
  })
  const conversation = Effect.fnUntraced(function*(port: number, index: number) {
    const pieces = yield* Effect.replicateEffect(piece, yield* Random.nextIntBetween(2, 8))
    const conversation: Conversation = { port, pieces }
    return index % 10 === 9
      ? { ...conversation, resetAfter: yield* Random.nextIntBetween(1, pieces.length - 1) }
      : conversation
  })
  const answered = Effect.forEach(Array.from({ length: options.answered }, () => options.port), conversation)
  const refused = Effect.replicateEffect(conversation(deserted, 0), options.refused)
  return yield* Random.shuffle([...(yield* answered), ...(yield* refused)])
})
