import * as Cause from "effect/Cause"
import type * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import type { Handle } from "../Recorder.ts"
import type { CreateError, RecorderOptions } from "../Runtime.ts"
import { Hook } from "./EnclosingHooks.ts"
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
  /** `Abandoned` is one whose creation is being undone. */
  state: "Creating" | "Live" | "Removing" | "Abandoned" = "Creating"
  readonly base: RecorderHandle
  /** What users get: the recorder, or what `wrap` made of it. */
  handle: Handle
  /** The outcome of the creation, its undoing included. */
  created: Deferred.Deferred<void, CreateError> | undefined
  /** The outcome of the removal. */
  removed: Effect.Effect<unknown, RecorderStopError | StopTimeoutError> | undefined
  private creation: Fiber.Fiber<void, unknown> | undefined
  /** What `wrap` acquired. */
  private resources: { readonly scope: Scope.Closeable; readonly hook: Hook } | undefined
  private ended: Effect.Effect<unknown, RecorderStopError | StopTimeoutError> | undefined

  constructor(base: RecorderHandle) {
    this.base = base
    this.handle = base
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
    if (wrap === undefined) {
      this.creation = base.fork(start, undefined, this)
    } else {
      const { hook, scope } = this.resources = { scope: Scope.makeUnsafe(), hook: new Hook() }
      this.creation = base.fork(Effect.andThen(this.wrap(wrap, scope), start), hook, this)
    }
    this.creation.addObserver((exit) => {
      this.creation = undefined
      done(exit)
    })
  }

  private wrap(
    wrap: NonNullable<RecorderOptions<unknown, Scope.Scope>["wrap"]>,
    scope: Scope.Scope
  ): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const handle: unknown = wrap(this.base)
      return Effect.isEffect(handle)
        ? Scope.provide(handle as ReturnType<typeof wrap>, scope)
        : Effect.fail(invalidWrap(handle))
    }).pipe(
      Effect.flatMap((handle) => {
        if (!isHandle(handle)) return Effect.fail(invalidWrap(handle))
        this.handle = handle
        return Effect.void
      }),
      Effect.withSpan("mvx-metrics.recorder.wrap", { attributes: this.base.annotations }, { captureStackTrace: false })
    )
  }

  /** Begins to end the recorder for good, and gives the outcome: an exit, where that is all. */
  end(): Effect.Effect<unknown, RecorderStopError | StopTimeoutError> {
    this.base.retired = true
    return this.ended ??= this.resources === undefined && this.creation === undefined
      ? this.base.closeUnsafe()
      : Fiber.join(this.base.fork(this.endAll, undefined, this))
  }

  /** Each part has `stopTimeout`; one that does not keep to it is interrupted and left behind. */
  private get endAll(): Effect.Effect<void, RecorderStopError> {
    return Effect.gen({ self: this }, function*() {
      const { base } = this
      const causes: Array<Cause.Cause<unknown>> = []
      const part = (effect: Effect.Effect<unknown, unknown>, hook?: Hook) => this.part(effect, causes, hook)
      if (this.creation !== undefined) yield* part(Fiber.interrupt(this.creation))
      // A custom recorder may hold events back: it hands them over before the recorder under it stops.
      if (this.handle !== base && this.state !== "Abandoned") yield* part(this.stopHandle)
      const exit = yield* Effect.exit(base.closeUnsafe())
      if (Exit.isFailure(exit)) causes.push(stopCause(exit.cause))
      const { resources } = this
      if (resources !== undefined) yield* part(Scope.close(resources.scope, Exit.void), resources.hook)
      if (causes.length === 0) return
      const cause = causes.reduce((all, cause) => Cause.combine(all, cause))
      return yield* new RecorderStopError({ recorderId: this.id, cause })
    })
  }

  private get stopHandle(): Effect.Effect<unknown, unknown> {
    return Effect.suspend(() => Effect.catchTag(stop(this.handle), "RecorderInvalidStateError", () => Effect.void))
  }

  private part(
    effect: Effect.Effect<unknown, unknown>,
    causes: Array<Cause.Cause<unknown>>,
    hook: Hook | undefined
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { base } = this
      const fiber = base.fork(effect, hook, this)
      const within = Effect.callback<Exit.Exit<unknown, unknown> | undefined>((resume) =>
        base.within(fiber, (exit) => resume(Effect.succeed(exit)))
      )
      let exit = yield* within
      if (exit === undefined && base.statusUnsafe._tag === "Stopping") {
        // What it waits for has limits of its own.
        yield* Effect.exit(base.closeUnsafe())
        exit = yield* within
      }
      if (exit === undefined) {
        fiber.interruptUnsafe()
        causes.push(Cause.fail(base.stopTimeoutError))
      } else if (Exit.isFailure(exit)) causes.push(stopCause(exit.cause))
    })
  }
}

/** Stops a recorder. One that is stopped already gives its last report. */
export const stop = (recorder: Handle): Handle["stop"] => {
  const reportElse = (otherwise: Handle["stop"]) =>
    Effect.flatMap(
      recorder.status,
      (status) => status._tag === "Stopped" ? Effect.succeed(status.report) : otherwise
    )
  // It may stop between the two.
  return reportElse(
    Effect.catchTag(recorder.stop, "RecorderInvalidStateError", (error) => reportElse(Effect.fail(error)))
  )
}

/** What was given for `wrap`, or came of it, is of no use. */
export const invalidWrap = (given: unknown): InvalidOptionError =>
  InvalidOptionError.of("wrap", given, "a function from a recorder to an Effect of a recorder")

/** What kept a recorder from stopping. */
export const stopCause = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> => {
  const error = Cause.squash(cause)
  return error instanceof RecorderStopError ? error.cause : cause
}

/** What the runtime needs of a recorder. */
const members = ["registerEventUnsafe", "start", "stop", "status", "snapshots", "capture"] as const

const isHandle = (u: unknown): boolean =>
  Predicate.isObject(u) && members.every((member) => Predicate.hasProperty(u, member))
