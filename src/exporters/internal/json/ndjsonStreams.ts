import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { sliceMs } from "../../../internal/Dispatcher.ts"
import { giveWay, now } from "../../../internal/host.ts"
import type { MetricChange } from "../../../Recorder.ts"
import { MetricsRuntime, type MetricsRuntimeService } from "../../../Runtime.ts"
import { collectorAsInCode } from "../asInCode.ts"
import { NdjsonLines } from "./NdjsonLines.ts"
import type { EndingLines } from "./NdjsonSink.ts"

/** How many lines of captures are put together. */
const blockSize = 256

/** The lines of all series, as they are when the stream is run, in blocks. */
const blocksOfCaptures = <A>(
  blockOf: (lines: NonEmptyReadonlyArray<string>) => A
): Effect.Effect<Stream.Stream<A>, never, MetricsRuntime> =>
  Effect.map(Effect.all([MetricsRuntime, collectorAsInCode]), ([{ namespace }, collector]) => {
    const lines = new NdjsonLines(namespace)
    return Stream.fromIterableEffect(Effect.suspend(() => {
      const blocks: Array<A> = []
      let texts: Array<string> = []
      const finishBlock = (): void => {
        if (isReadonlyArrayNonEmpty(texts)) blocks.push(blockOf(texts))
        texts = []
      }
      const read = collector.each((point) => {
        texts.push(lines.ofPoint(point))
        if (texts.length === blockSize) finishBlock()
      })
      return Effect.map(Effect.andThen(read, lines.log), () => {
        finishBlock()
        return blocks
      })
    }))
  })

const encoder = new TextEncoder()

const encoded = (lines: ReadonlyArray<string>): Uint8Array => encoder.encode(lines.join(""))

/** A line for each series, as they are when the stream is run. */
export const linesOfCaptures: Effect.Effect<Stream.Stream<string>, never, MetricsRuntime> = Effect.map(
  blocksOfCaptures((lines) => lines),
  Stream.flattenArray
)

/** A line for each change. */
export const linesOfChanges = (
  { namespace }: MetricsRuntimeService,
  changes: Stream.Stream<MetricChange>,
  withDimensions: boolean
): Stream.Stream<string> =>
  Stream.suspend(() => {
    const lines = new NdjsonLines(namespace)
    return Stream.flatMap(Stream.chunks(changes), (batch) =>
      Stream.unwrap(Effect.map(Clock.currentTimeMillis, (time) => {
        let at = 0
        return inSlices(
          () => at < batch.length ? lines.ofChange(batch[at++]!, time, withDimensions) : undefined,
          lines.log
        )
      })))
  })

/** How many characters are written at once: a metric of very many series makes long lines. */
const longestSlice = 2 ** 18

/** Lines, as many at once as are made in a slice of time, and no more than can be written at once. */
const inSlices = (next: () => string | undefined, log: Effect.Effect<void>): Stream.Stream<string> => {
  const slice = Effect.suspend((): Pull.Pull<NonEmptyReadonlyArray<string>> => {
    const until = now() + sliceMs
    const texts: Array<string> = []
    let size = 0
    do {
      const text = next()
      if (text === undefined) break
      size += text.length
      texts.push(text)
    } while (size < longestSlice && now() < until)
    return isReadonlyArrayNonEmpty(texts) ? Effect.as(log, texts) : Cause.done()
  })
  let isFirst = true
  return Stream.fromPull(Effect.succeed(Effect.suspend(() => {
    if (!isFirst) return Effect.andThen(giveWay, slice)
    isFirst = false
    return slice
  })))
}

/** Captures on an interval, and last ones at the end. */
export const capturesUntilEnd = (
  interval: Duration.Duration
): Effect.Effect<EndingLines, never, MetricsRuntime> =>
  // Very many lines are kept as bytes: those need no garbage collection.
  Effect.map(blocksOfCaptures(encoded), (captures) => {
    const ending = Deferred.makeUnsafe<void>()
    let isLast = false
    const tick = Effect.suspend(() => {
      if (isLast) return Cause.done()
      const last = Effect.map(Deferred.await(ending), () => {
        isLast = true
      })
      return Effect.as(Effect.timeoutOption(last, interval), [undefined] as const)
    })
    return {
      of: "captures",
      stream: Stream.flatMap(Stream.fromPull(Effect.succeed(tick)), () => captures),
      end: Deferred.succeed(ending, undefined),
      release: Effect.void
    }
  })

/** Changes from now on, up to those of all that is accepted when the end comes. */
export const changesUntilEnd = (
  withDimensions: boolean
): Effect.Effect<EndingLines, never, MetricsRuntime> =>
  Effect.gen(function*() {
    const runtime = yield* MetricsRuntime
    const scope = yield* Scope.make()
    const pull = yield* Scope.provide(Stream.toPull(runtime.changes), scope)
    // The subscription begins now, not when the sink is open.
    let pulling = yield* pullAhead(pull)
    const ending = Deferred.makeUnsafe<void>()

    const next: typeof pull = Effect.gen(function*() {
      // What has been delivered is there at once, or in the next turn of the host.
      const nothingLeft = Deferred.await(ending).pipe(Effect.andThen(giveWay), Effect.andThen(giveWay))
      yield* Effect.raceFirst(Fiber.await(pulling), nothingLeft)
      const exit = pulling.pollUnsafe()
      // What comes from now on was accepted after the end.
      if (exit === undefined) return yield* Cause.done()
      pulling = yield* pullAhead(pull)
      return yield* exit
    })

    return {
      of: "changes",
      stream: linesOfChanges(runtime, Stream.fromPull(Effect.succeed(next)), withDimensions).pipe(
        Stream.mapArray((lines) => [encoded(lines)] as const)
      ),
      // A reading folds everything that was accepted, and so delivers its changes.
      end: Effect.andThen(runtime.captures, Deferred.succeed(ending, undefined)),
      release: Effect.suspend(() => Effect.andThen(Fiber.interrupt(pulling), Scope.close(scope, Exit.void)))
    }
  })

/** In a fiber of its own, so that nothing it has taken is lost with the one who waits for it. */
const pullAhead = <A, E>(pull: Pull.Pull<A, E>): Effect.Effect<Fiber.Fiber<A, E | Cause.Done<void>>> =>
  Effect.forkDetach(Effect.interruptible(pull), { startImmediately: true })
