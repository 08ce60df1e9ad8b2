import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { immediate } from "./host.ts"

/**
 * A buffer that slides: when its reader is too slow it lets the oldest items go
 * and counts them, and never holds the writer back. The bound is in items, and
 * they come in and go out by the batch.
 */
export class Subscription<A> {
  /** Items let go since the reader last took all. */
  #missed = 0
  #items: Array<A | undefined> = []
  #head = 0
  #ended = false
  #waking = false
  #reader: (() => void) | undefined
  readonly #capacity: number
  readonly #mark: ((missed: number) => A) | undefined
  readonly #onSkipped: (() => void) | undefined

  /**
   * With `mark`, a batch that follows a gap begins with what `mark` makes of the
   * number of items missed. `onSkipped` hears of every gap.
   */
  constructor(capacity: number, mark?: (missed: number) => A, onSkipped?: () => void) {
    this.#capacity = capacity
    this.#mark = mark
    this.#onSkipped = onSkipped
  }

  get size(): number {
    return this.#items.length - this.#head
  }

  get pastHalf(): boolean {
    return this.size * 2 > this.#capacity
  }

  /** Puts a batch in and returns how many of the oldest items had to go for it. */
  offer(batch: ReadonlyArray<A>): number {
    if (this.#ended) return 0
    if (this.size === 0) {
      this.#items = batch.slice()
      this.#head = 0
    } else {
      for (const item of batch) this.#items.push(item)
    }
    const excess = Math.max(0, this.size - this.#capacity)
    this.#missed += excess
    this.#advance(excess)
    this.#wake()
    if (excess > 0) this.#onSkipped?.()
    return excess
  }

  /** The oldest item. */
  peek(): A | undefined {
    return this.#items[this.#head]
  }

  /** Takes the oldest item. */
  take(): A | undefined {
    const item = this.#items[this.#head]
    if (item !== undefined) this.#advance(1)
    return item
  }

  /** Takes all items. */
  takeAll(): Array<A> {
    const items = (this.#head === 0 ? this.#items : this.#items.slice(this.#head)) as Array<A>
    if (this.#missed > 0 && this.#mark !== undefined) items.unshift(this.#mark(this.#missed))
    this.#items = []
    this.#head = 0
    this.#missed = 0
    return items
  }

  /** No more items will come, and none are left. */
  get done(): boolean {
    return this.#ended && this.size === 0
  }

  /** No more items will come; those that are here can still be taken. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /**
   * Calls `reader` once, in a later macrotask, when there is something to take
   * or the end is reached. Later, because code that runs a fold must not find
   * itself running a subscriber.
   */
  onReady(reader: (() => void) | undefined): void {
    this.#reader = reader
    if (reader !== undefined && (this.size > 0 || this.#ended)) this.#wake()
  }

  /** Waits for items and takes them; fails with `Cause.Done` after the last. */
  get pull(): Pull.Pull<NonEmptyReadonlyArray<A>> {
    const pull: Pull.Pull<NonEmptyReadonlyArray<A>> = Effect.suspend(() => {
      if (this.size > 0) return Effect.succeed(this.takeAll() as unknown as NonEmptyReadonlyArray<A>)
      if (this.done) return Cause.done()
      return Effect.andThen(this.#ready, pull)
    })
    return pull
  }

  get #ready(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.onReady(() => resume(Effect.void))
      return Effect.sync(() => this.onReady(undefined))
    })
  }

  /** Items that are passed are let go at once, their places when enough of them have gathered. */
  #advance(count: number): void {
    for (let index = this.#head; index < this.#head + count; index++) this.#items[index] = undefined
    this.#head += count
    if (this.#head === this.#items.length || this.#head > this.#capacity) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }

  #wake(): void {
    if (this.#waking || this.#reader === undefined) return
    this.#waking = true
    immediate(() => {
      this.#waking = false
      const reader = this.#reader
      this.#reader = undefined
      reader?.()
    })
  }
}

/** A stream of what was there first, and then of what the subscription receives. */
export const toStream = <A, S extends Subscription<A> = Subscription<A>>(
  subscribe: () => readonly [subscription: S, first: ReadonlyArray<A>],
  unsubscribe: (subscription: S) => void
): Stream.Stream<A> =>
  Stream.unwrap(Effect.map(
    Effect.acquireRelease(
      Effect.sync(subscribe),
      ([subscription]) => Effect.sync(() => unsubscribe(subscription))
    ),
    ([subscription, first]) =>
      Stream.concat(Stream.fromIterable(first), Stream.fromPull(Effect.succeed(subscription.pull)))
  ))
