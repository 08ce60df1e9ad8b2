import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { within } from "./within.ts"

/**
 * Runs an export on an interval, never two at a time, and a last time when the
 * scope closes: then the one in flight is awaited first, both together within
 * `shutdownTimeout`. No run that fails ends the loop.
 */
export const periodically = ({ exporter, interval, run, shutdownTimeout }: {
  /** What is exported, in logs. */
  readonly exporter: string
  readonly interval: Duration.Duration
  readonly shutdownTimeout: Duration.Duration
  readonly run: Effect.Effect<void>
}): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const guarded = Effect.catchCauseIf(
      run,
      (cause) => !Cause.hasInterruptsOnly(cause),
      (cause) => Effect.logError(`An export to ${exporter} failed`, cause)
    )
    // In a fiber of its own, because a run in flight outlives the loop.
    let running: Fiber.Fiber<void> | undefined
    const runOnce = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        running = yield* Effect.forkDetach(guarded)
        yield* restore(Fiber.await(running))
      })
    )
    const giveUp = Effect.suspend(() =>
      Effect.andThen(
        running === undefined ? Effect.void : Effect.forkDetach(Fiber.interrupt(running)),
        Effect.logWarning(`The last export to ${exporter} did not end within ${Duration.format(shutdownTimeout)}`)
      )
    )
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => running === undefined ? Effect.void : Fiber.await(running)).pipe(
        Effect.andThen(runOnce),
        within(shutdownTimeout),
        Effect.flatMap((ended) => Option.isSome(ended) ? Effect.void : giveUp)
      )
    )
    yield* Effect.sleep(interval).pipe(Effect.andThen(runOnce), Effect.forever, Effect.forkScoped)
  })
