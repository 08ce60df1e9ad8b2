import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { immediate, now } from "./host.ts"

/** What a dispatcher folds: the queue of one recorder. */
export interface Backlog {
  /** Where it stands on the dispatcher's list, and `notListed` where it does not. Only the dispatcher writes it. */
  place: number
  /** Folds at most `count` events, and says whether there are more. */
  foldSome(count: number): boolean
}

export const notListed = -1

/** How long the dispatcher, or an effect that reads, may hold the event loop, in milliseconds. */
export const sliceMs = 2

/** How many recorders are visited between two looks at the clock: a few never give way. */
export const visitStep = 64

/** How many events are folded between two looks at the clock. */
export const sliceStep = 128

/** How many recorders with few events are folded between two looks at the clock. */
const turnStep = 16

/**
 * The fiber that folds, off the hot path, for any number of recorders.
 *
 * It rests on a timer of the host between batches, so that isolated events do
 * not wake it one by one, and takes the recorders that have work in turn, a few
 * events of each, until its slice of time is used up. A recorder without work
 * is not known here: it costs neither a fiber nor a timer.
 */
export class Dispatcher {
  /** In turn; those that were forgotten left holes. */
  #ready: Array<Backlog | undefined> = []
  #next = 0
  /** The place of `ready[0]`. */
  #first = 0
  /** How many are on the list. */
  #size = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAt = Infinity
  #resume: ((effect: Effect.Effect<void>) => void) | undefined
  readonly #fiber: Fiber.Fiber<void>
  #closed = false
  #paused = false

  /** `onInterrupted` hears of an end that the owner did not ask for. */
  constructor(context: Context.Context<never>, onInterrupted: (exit: Exit.Exit<void>) => void) {
    this.#fiber = Effect.runForkWith(context)(
      Effect.whileLoop({
        while: () => true,
        body: () => this.#park,
        step: () => this.#turn()
      })
    )
    this.#fiber.addObserver((exit) => {
      clearTimeout(this.#timer)
      if (!this.#closed) {
        this.#closed = true
        onInterrupted(exit)
      }
    })
  }

  /** Takes in a recorder that has work now, to be folded `linger` milliseconds from now at the latest. */
  schedule(backlog: Backlog, linger: number): void {
    this.#push(backlog)
    this.#size++
    const at = linger === 0 ? 0 : now() + linger
    if (at < this.#timerAt) this.#arm(at, linger)
  }

  /** Takes a recorder out that will have no more work. */
  forget(backlog: Backlog): void {
    if (backlog.place === notListed) return
    this.#ready[backlog.place - this.#first] = undefined
    backlog.place = notListed
    if (--this.#size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerAt = Infinity
    this.#pass(this.#ready.length)
  }

  /** Ends the rest: somebody's queue fills up. */
  hasten(): void {
    if (this.#timerAt !== 0) this.#arm(0, 0)
  }

  /** Ends the turn: somebody needs the event loop to take what was folded. */
  pause(): void {
    this.#paused = true
  }

  close(): void {
    this.#closed = true
    this.#fiber.interruptUnsafe()
  }

  #arm(at: number, delay: number): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#timerAt = at
    if (delay === 0) immediate(this.#wake)
    else this.#timer = setTimeout(this.#wake, delay)
  }

  readonly #wake = (): void => this.#resume?.(Effect.void)

  readonly #park = Effect.callback<void>((resume) => {
    this.#resume = resume
  })

  #push(backlog: Backlog): void {
    backlog.place = this.#first + this.#ready.length
    this.#ready.push(backlog)
  }

  /** The first `count` of the list are passed. */
  #pass(count: number): void {
    this.#ready = this.#ready.slice(count)
    this.#first += count
    this.#next = 0
  }

  #turn(): void {
    this.#resume = undefined
    this.#timer = undefined
    this.#timerAt = Infinity
    const until = now() + sliceMs
    let visited = 0
    this.#paused = false
    while (this.#next < this.#ready.length) {
      const backlog = this.#ready[this.#next++]
      if (backlog === undefined) continue
      const more = backlog.foldSome(sliceStep)
      // It may have been forgotten meanwhile.
      if (backlog.place !== notListed) {
        if (more) this.#push(backlog)
        else {
          backlog.place = notListed
          this.#size--
        }
      }
      if (this.#paused) break
      if ((more || ++visited % turnStep === 0) && now() >= until) break
    }
    if (this.#next > 1024 || this.#size === 0) this.#pass(this.#next)
    if (this.#size > 0) this.hasten()
  }
}
