import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { MetricChange } from "../Recorder.ts"
import { immediate } from "./host.ts"
import { Subscription } from "./Subscription.ts"

/** Tells when it had to let changes go: somebody may wait for them. */
class Backlog extends Subscription<MetricChange> {
  readonly #onSkipped: () => void

  constructor(capacity: number, onSkipped: () => void) {
    super(capacity)
    this.#onSkipped = onSkipped
  }

  override offer(batch: ReadonlyArray<MetricChange>): number {
    const skipped = super.offer(batch)
    if (skipped > 0) this.#onSkipped()
    return skipped
  }
}

interface Waiter {
  readonly offset: number
  readonly resume: () => void
}

/**
 * Runs `onMetricChanged` for one change after the other, from a backlog that
 * slides. It holds a fiber only while there is something to run.
 */
export class ChangeHook {
  readonly backlog: Subscription<MetricChange>
  readonly #run: (change: MetricChange) => Effect.Effect<void>
  readonly #fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly #onInterrupted: (change: MetricChange, cause: Cause.Cause<never>) => void
  #fiber: Fiber.Fiber<void> | undefined
  #current: MetricChange | undefined
  #waiters: Array<Waiter> = []
  #open = false

  /** `run` must not fail; `onInterrupted` hears of a run that somebody else has interrupted. */
  constructor(
    capacity: number,
    run: (change: MetricChange) => Effect.Effect<void>,
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>,
    onInterrupted: (change: MetricChange, cause: Cause.Cause<never>) => void
  ) {
    this.backlog = new Backlog(capacity, () => this.#notify())
    this.#run = run
    this.#fork = fork
    this.#onInterrupted = onInterrupted
  }

  /** Waits until no change is being run. */
  get ended(): Effect.Effect<unknown> {
    return Effect.suspend(() => this.#fiber === undefined ? Effect.void : Fiber.await(this.#fiber))
  }

  /** Changes are run from now on. */
  start(): void {
    this.#open = true
    this.backlog.onReady(this.#pump)
  }

  /** Changes are run no more: returns how many were left, and interrupts the one that runs. */
  stop(): number {
    this.#open = false
    this.backlog.onReady(undefined)
    this.#fiber?.interruptUnsafe()
    const left = this.backlog.skipAll()
    this.#notify()
    return left
  }

  /** Waits until the changes of the events up to the offset are run or skipped. */
  await(offset: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (offset < this.#first) return Effect.void
      return Effect.callback<void>((resume) => {
        const waiter = { offset, resume: () => resume(Effect.void) }
        this.#waiters.push(waiter)
        return Effect.sync(() => {
          this.#waiters = this.#waiters.filter((other) => other !== waiter)
        })
      })
    })
  }

  /** The offset of the first change that is not run yet. */
  get #first(): number {
    return (this.#current ?? this.backlog.peek())?.offset ?? Infinity
  }

  readonly #pump = (): void => {
    const fiber = this.#fork(Effect.whileLoop({
      while: () => (this.#current = this.backlog.take()) !== undefined,
      body: () => this.#run(this.#current!),
      step: () => {
        this.#current = undefined
        this.#notify()
      }
    }))
    this.#fiber = fiber
    fiber.addObserver((exit) => {
      const current = this.#current
      this.#fiber = undefined
      this.#current = undefined
      if (this.#open && current !== undefined && Exit.isFailure(exit)) this.#onInterrupted(current, exit.cause)
      this.#notify()
      if (this.#open) this.backlog.onReady(this.#pump)
    })
  }

  #notify(): void {
    const first = this.#first
    const due = this.#waiters.filter((waiter) => waiter.offset < first)
    if (due.length === 0) return
    this.#waiters = this.#waiters.filter((waiter) => waiter.offset >= first)
    // Later: whoever waits must not go on in the middle of the pump, or of a fold.
    for (const waiter of due) immediate(waiter.resume)
  }
}
