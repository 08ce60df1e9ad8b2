import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { describe } from "../../../internal/describe.ts"
import { within } from "../within.ts"

/**
 * The sink of a layer has failed: nothing more is written to it. Everything else
 * goes on.
 *
 * **Details**
 *
 * Logged at Error, once. `cause` is what the sink failed with.
 *
 * @category errors
 * @since 0.1.0
 */
export class SinkFailedError extends Schema.TaggedError<SinkFailedError>("mvx-metrics/exporters/Json/SinkFailedError")(
  "SinkFailedError",
  { lines: Schema.Literals(["captures", "changes"]), cause: Schema.Unknown }
) {
  override get message(): string {
    return `No more ${this.lines} are written: expected a sink that takes them, found ${describe(this.cause)}`
  }
}

/** Lines that come until they are told to end. */
export interface EndingLines {
  readonly of: SinkFailedError["lines"]
  readonly stream: Stream.Stream<Uint8Array>
  /** Makes the stream end behind what is there now. */
  readonly end: Effect.Effect<void>
  /** Runs when the stream is not needed any more. */
  readonly release: Effect.Effect<void>
}

/**
 * Writes lines into a sink for as long as the scope is open, and then the rest,
 * within `shutdownTimeout`. The sink is run once: it may be a file.
 */
export const writeInto = <E, R>(
  lines: EndingLines,
  sink: Sink.Sink<unknown, Uint8Array, unknown, E, R>,
  shutdownTimeout: Duration.Duration
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    let isEnding = false
    const writing = yield* lines.stream.pipe(
      Stream.run(sink),
      Effect.catchCauseIf(
        (cause) => !isEnding || !Cause.hasInterruptsOnly(cause),
        (cause) => Effect.logError(new SinkFailedError({ lines: lines.of, cause: Cause.squash(cause) }))
      ),
      Effect.ensuring(lines.release),
      Effect.interruptible,
      Effect.forkDetach({ startImmediately: true })
    )
    yield* Effect.addFinalizer(() =>
      Effect.gen(function*() {
        if (writing.pollUnsafe() !== undefined) return
        isEnding = true
        const ending = yield* Effect.forkDetach(Effect.interruptible(lines.end))
        const exit = yield* within(shutdownTimeout)(Effect.interruptible(Fiber.await(writing)))
        if (Option.isSome(exit)) return
        yield* Effect.logWarning(`The last ${lines.of} could not be written in time`)
        yield* Effect.forkDetach(Fiber.interruptAll([ending, writing]))
      })
    )
  })
