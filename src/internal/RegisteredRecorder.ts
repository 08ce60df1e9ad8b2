import * as Cause from "effect/Cause"
import type * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Handle } from "../Recorder.ts"
import type { CreateError, RecorderOptions } from "../Runtime.ts"
import { InvalidOptionError } from "./InvalidOptionError.ts"
import { RecorderStartError, RecorderStopError, type StopTimeoutError } from "./RecorderError.ts"
import type { RecorderHandle } from "./RecorderHandle.ts"

/**
 * A recorder of a runtime: being created, there, or being removed.
 *
 * A creation that runs nothing of the user's is complete at once. Any other runs
 * in a fiber of its own, so that whoever waits for it can be interrupted, and
 * the runtime can end it.
 */
export class RegisteredRecorder {
  state: "Creating" | "Live" | "Removing" = "Creating"
  readonly base: RecorderHandle
  /** What users get: the recorder, or what `wrap` made of it. */
  handle: Handle
  /** The outcome of the creation, its undoing included. */
  created: Deferred.Deferred<void, CreateError> | undefined
  /** The outcome of the removal. */
  removed: Effect.Effect<unknown, RecorderStopError | StopTimeoutError> | undefined
  private creation: Fiber.Fiber<void, unknown> | undefined
  /** What `wrap` acquired. */
  private resources: Scope.Closeable | undefined
  private ended: Effect.Effect<unknown, RecorderStopError | StopTimeoutError> | undefined

  constructor(base: RecorderHandle) {
    this.base = base
    this.handle = base
  }

  /** Its creation is being undone. */
  get isAbandoned(): boolean {
    return this.state === "Removing" && this.removed === undefined
  }

  get id(): string {
    return this.base.core.recorderId
  }

  /** Wraps and starts the recorder, in a fiber. */
  create(wrap: RecorderOptions<unknown, Scope.Scope>["wrap"], done: (exit: Exit.Exit<void, unknown>) => void): void {
    const { base } = this
    const start = Effect.suspend(() => base.statusUnsafe._tag === "Running" ? Effect.void : this.handle.start).pipe(
      Effect.catchTag(
        "RecorderInvalidStateError",
        (error) => Effect.fail(new RecorderStartError({ recorderId: this.id, cause: error.cause ?? Cause.fail(error) }))
      )
    )
    this.creation = base.runBeside(
      wrap === undefined ? start : Effect.andThen(this.wrap(wrap), start)
    )
    this.creation.addObserver((exit) => {
      this.creation = undefined
      done(exit)
    })
  }

  private wrap(wrap: NonNullable<RecorderOptions<unknown, Scope.Scope>["wrap"]>): Effect.Effect<void, unknown> {
    return Effect.suspend(() => Scope.provide(wrap(this.base), this.resources = Scope.makeUnsafe())).pipe(
      Effect.flatMap((handle) => {
        if (typeof handle?.registerEventUnsafe !== "function") {
          return Effect.fail(
            InvalidOptionError.of("wrap", handle, "a function from a recorder to an Effect of a recorder")
          )
        }
        this.handle = handle
        return Effect.void
      }),
      Effect.withSpan("mvx-metrics.recorder.wrap", { attributes: this.base.annotations })
    )
  }

  /** Begins to end the recorder for good, and gives the outcome: an exit, where that is all. */
  end(): Effect.Effect<unknown, RecorderStopError | StopTimeoutError> {
    return this.ended ??= this.resources === undefined && this.creation === undefined
      ? this.base.closeUnsafe()
      : Fiber.join(this.base.runBeside(this.endAll))
  }

  /** Each part has `stopTimeout`; one that does not keep to it is interrupted and left behind. */
  private get endAll(): Effect.Effect<void, RecorderStopError> {
    return Effect.gen({ self: this }, function*() {
      const { base } = this
      const causes: Array<Cause.Cause<unknown>> = []
      const part = (effect: Effect.Effect<unknown, unknown>) =>
        Effect.map(base.within(base.runBeside(effect)), (exit = Exit.fail(base.stopTimeoutError)) => {
          if (Exit.isFailure(exit)) causes.push(exit.cause)
        })
      if (this.creation !== undefined) yield* part(Fiber.interrupt(this.creation))
      if (this.handle !== base && base.statusUnsafe._tag === "Running") {
        // A custom recorder may hold events back: it hands them over before the recorder under it stops.
        yield* part(Effect.catchTag(this.handle.stop, "RecorderInvalidStateError", () => Effect.void))
      }
      const exit = yield* Effect.exit(base.closeUnsafe())
      if (Exit.isFailure(exit)) causes.push(exit.cause)
      if (this.resources !== undefined) yield* part(Scope.close(this.resources, Exit.void))
      if (causes.length === 0) return
      const cause = causes.reduce((all, cause) => Cause.combine(all, cause))
      return yield* new RecorderStopError({ recorderId: this.id, cause })
    })
  }
}
