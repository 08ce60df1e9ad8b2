import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { MetricChange } from "../Recorder.ts"
import { immediate } from "./host.ts"
import { Subscription } from "./Subscription.ts"

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
  /** Those who wait, and up to which offset. */
  readonly #waiters = new Map<() => void, number>()
  #open = false

  /** `run` must not fail; `onInterrupted` hears of a run that somebody else has interrupted. */
  constructor(
    capacity: number,
    run: (change: MetricChange) => Effect.Effect<void>,
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>,
    onInterrupted: (change: MetricChange, cause: Cause.Cause<never>) => void
  ) {
    // Somebody may wait for what is skipped.
    this.backlog = new Subscription(capacity, undefined, () => this.#notify())
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
    const left = this.backlog.takeAll().length
    this.#notify()
    return left
  }

  /** Waits until the changes of the events up to the offset are run or skipped. */
  await(offset: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (offset < this.#first) return Effect.void
      return Effect.callback<void>((resume) => {
        const waiter = () => resume(Effect.void)
        this.#waiters.set(waiter, offset)
        return Effect.sync(() => this.#waiters.delete(waiter))
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
    for (const [waiter, offset] of this.#waiters) {
      if (offset >= first) continue
      this.#waiters.delete(waiter)
      // Later: whoever waits must not go on in the middle of the pump, or of a fold.
      immediate(waiter)
    }
  }
}
