import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { immediate, now } from "./host.ts"

/** What a dispatcher folds: the queue of one recorder. */
export interface Backlog {
  /** Folds at most `count` events, and says whether there are more. */
  foldSome(count: number): boolean
}

/** How long the dispatcher, or an effect that reads, may hold the event loop, in milliseconds. */
export const sliceMs = 2

/** How many events are folded between two looks at the clock. */
export const sliceStep = 128

/**
 * The fiber that folds, off the hot path, for any number of recorders.
 *
 * It rests on a timer of the host between batches, so that isolated events do
 * not wake it one by one, and takes the recorders that have work in turn, a few
 * events of each, until its slice of time is used up. A recorder without work
 * is not known here: it costs neither a fiber nor a timer.
 */
export class Dispatcher {
  private ready: Array<Backlog> = []
  private next = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private timerAt = Infinity
  private resume: ((effect: Effect.Effect<void>) => void) | undefined
  private readonly fiber: Fiber.Fiber<void>
  private closed = false

  /** `onInterrupted` hears of an end that the owner did not ask for. */
  constructor(context: Context.Context<never>, onInterrupted: (exit: Exit.Exit<void>) => void) {
    this.fiber = Effect.runForkWith(context)(
      Effect.whileLoop({
        while: () => true,
        body: () => this.park,
        step: () => this.turn()
      })
    )
    this.fiber.addObserver((exit) => {
      clearTimeout(this.timer)
      if (!this.closed) {
        this.closed = true
        onInterrupted(exit)
      }
    })
  }

  /** Takes in a recorder that has work now, to be folded `linger` milliseconds from now at the latest. */
  schedule(backlog: Backlog, linger: number): void {
    this.ready.push(backlog)
    const at = linger === 0 ? 0 : now() + linger
    if (at < this.timerAt) this.arm(at, linger)
  }

  /** Ends the rest: somebody's queue fills up. */
  hasten(): void {
    if (this.timerAt !== 0) this.arm(0, 0)
  }

  close(): void {
    this.closed = true
    this.fiber.interruptUnsafe()
  }

  private arm(at: number, delay: number): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.timerAt = at
    if (delay === 0) immediate(this.wake)
    else this.timer = setTimeout(this.wake, delay)
  }

  private readonly wake = (): void => this.resume?.(Effect.void)

  private readonly park = Effect.callback<void>((resume) => {
    this.resume = resume
  })

  private turn(): void {
    this.resume = undefined
    this.timer = undefined
    this.timerAt = Infinity
    const until = now() + sliceMs
    const { ready } = this
    do {
      const backlog = ready[this.next]
      if (backlog === undefined) break
      this.next++
      if (backlog.foldSome(sliceStep)) ready.push(backlog)
    } while (now() < until)
    if (this.next === ready.length) {
      this.ready = []
      this.next = 0
    } else {
      if (this.next > 1024) {
        this.ready = ready.slice(this.next)
        this.next = 0
      }
      this.hasten()
    }
  }
}
