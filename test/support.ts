import { Cause, Effect, Exit, Logger, Option, References, Schema } from "effect"
import { Event, Metric, type Recorder } from "mvx-metrics"

export class Hit extends Event.Class<Hit>()("cache.hit", { n: Schema.Int }) {}

export class Miss extends Event.Class<Miss>()("cache.miss", {}) {}

/** Counts hits and remembers the last. */
export const Hits = Metric.make("cache.hits", {
  events: [Hit],
  initial: { total: 0, last: -1 },
  reduce: (s, e) => Option.some({ total: s.total + 1, last: e.n })
})

/** Counts everything. */
export const All = Metric.make("cache.events", {
  initial: { total: 0 },
  reduce: (s) => Option.some({ total: s.total + 1 })
})

/** Takes hits, and throws for one of them. */
export const throwingAt = (n: number, name = "cache.throwing") =>
  Metric.make(name, {
    events: [Hit],
    initial: { total: 0 },
    reduce: (s, e) => {
      if (e.n === n) throw new Error(`reducer ${n}`)
      return Option.some({ total: s.total + 1 })
    }
  })

export const BrokenView = Metric.make("cache.broken_view", {
  events: [Hit],
  initial: { total: 0 },
  reduce: (s) => Option.some({ total: s.total + 1 }),
  dimensions: (s): { readonly total: number } => {
    if (s.total > 0) throw new Error("view")
    return s
  }
})

export const hits = (from: number, to: number): ReadonlyArray<Hit> =>
  Array.from({ length: to - from + 1 }, (_, index) => new Hit({ n: from + index }))

export const emitAll = (recorder: Recorder.RecorderService, events: Iterable<Event.MetricEvent>): number => {
  let accepted = 0
  for (const event of events) if (recorder.registerEventUnsafe(event)) accepted++
  return accepted
}

/** Lets the host run what it has pending, as often as it takes for fibers and immediates to settle. */
export const settle: Effect.Effect<void> = Effect.promise(async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
})

/** Waits until the condition holds; fails loudly where it never does. */
export const until = (what: string, condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (const deadline = performance.now() + 10_000; performance.now() < deadline;) {
      if (yield* condition) return
      yield* settle
    }
    return yield* Effect.die(new Error(`never came true: ${what}`))
  })

export const statusOf = (recorder: Recorder.Handle): Effect.Effect<Recorder.RecorderStatus["_tag"]> =>
  Effect.map(recorder.status, (status) => status._tag)

/** The tag of the error that an effect ends with, or `"ok"`. */
export const outcome = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return "ok"
    const error = Cause.findErrorOption(exit.cause)
    return Option.isSome(error) ? error.value._tag : Cause.pretty(exit.cause)
  })

/** Collects what is logged, as `level message`, with the annotations. */
export const collectLogs = () => {
  const lines: Array<{ readonly text: string; readonly annotations: Readonly<Record<string, unknown>> }> = []
  const logger = Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
    const [text] = Array.isArray(message) ? message : [message]
    lines.push({
      text: `${logLevel} ${String(text)}`,
      annotations: { ...fiber.getRef(References.CurrentLogAnnotations) }
    })
  })
  return { lines, layer: Logger.layer([logger]) }
}

/**
 * Makes an effect give way every few operations, so that it can be interrupted
 * in between. It takes several budgets to reach every operation.
 */
export const suspending = (budget: number) => Effect.provideService(References.MaxOpsBeforeYield, budget)

/** Budgets, each with numbers of turns to wait before an interruption. */
export const interruptions: ReadonlyArray<readonly [budget: number, turns: number]> = [3, 4, 5, 6, 7, 8].flatMap(
  (budget) => Array.from({ length: 14 }, (_, turns) => [budget, turns] as const)
)
