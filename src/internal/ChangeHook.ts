import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { MetricChange } from "../Recorder.ts"
import { Subscription } from "./Subscription.ts"

interface Waiter {
  readonly sequence: number
  readonly resume: () => void
}

/**
 * Runs `onMetricChanged` for one change after the other, from a backlog that
 * slides. It holds a fiber only while there is something to run.
 */
export class ChangeHook {
  readonly backlog: Subscription<MetricChange>
  private readonly run: (change: MetricChange) => Effect.Effect<void>
  private readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  private fiber: Fiber.Fiber<void> | undefined
  private current: MetricChange | undefined
  private waiters: Array<Waiter> = []
  private open = false

  /** `run` must not fail. */
  constructor(
    capacity: number,
    run: (change: MetricChange) => Effect.Effect<void>,
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  ) {
    this.backlog = new Subscription(capacity)
    this.run = run
    this.fork = fork
  }

  /** Waits until no change is being run. */
  get ended(): Effect.Effect<unknown> {
    return Effect.suspend(() => this.fiber === undefined ? Effect.void : Fiber.await(this.fiber))
  }

  /** Changes are run from now on. */
  start(): void {
    this.open = true
    this.backlog.onReady(this.pump)
  }

  /** Changes are run no more: returns how many were left, and interrupts the one that runs. */
  stop(): number {
    this.open = false
    this.backlog.onReady(undefined)
    this.fiber?.interruptUnsafe()
    const left = this.backlog.skipAll()
    this.notify()
    return left
  }

  /** Waits until the changes up to the sequence number are run or skipped. */
  readonly await = (sequence: number): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const waiter = { sequence, resume: () => resume(Effect.void) }
      this.waiters.push(waiter)
      this.notify()
      return Effect.sync(() => {
        this.waiters = this.waiters.filter((other) => other !== waiter)
      })
    })

  private readonly pump = (): void => {
    const fiber = this.fork(Effect.whileLoop({
      while: () => (this.current = this.backlog.take()) !== undefined,
      body: () => this.run(this.current!),
      step: () => {
        this.current = undefined
        this.notify()
      }
    }))
    this.fiber = fiber
    fiber.addObserver(() => {
      this.fiber = undefined
      this.current = undefined
      this.notify()
      if (this.open) this.backlog.onReady(this.pump)
    })
  }

  private notify(): void {
    const first = (this.current ?? this.backlog.peek())?.sequence ?? Infinity
    const due = this.waiters.filter((waiter) => waiter.sequence < first)
    if (due.length === 0) return
    this.waiters = this.waiters.filter((waiter) => waiter.sequence >= first)
    for (const waiter of due) waiter.resume()
  }
}
