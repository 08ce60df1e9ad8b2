import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { sliceMs } from "../../internal/Dispatcher.ts"
import { giveWay, now } from "../../internal/host.ts"
import { MetricsRuntime, type MetricsRuntimeService } from "../../Runtime.ts"
import { Collection } from "./Collection.ts"
import type { Point, Target } from "./Series.ts"
import type { SeriesRefusedError } from "./SeriesRefusedError.ts"

/** How many refusals are remembered in order to log them once. */
const maxRemembered = 1_000

const collectors = new WeakMap<MetricsRuntimeService, ReadonlyArray<Collector>>()

/** Reads a runtime for one exporter, and logs once what it leaves out. */
export class Collector {
  /** What the last collection left out, each reason once. */
  refused: ReadonlyArray<SeriesRefusedError> = []
  /** Those of all values that the last collection was made of. */
  epochs: ReadonlySet<number> = new Set()
  private readonly runtime: MetricsRuntimeService
  private readonly target: Target
  private readonly logged = new Set<string>()

  private constructor(runtime: MetricsRuntimeService, target: Target) {
    this.runtime = runtime
    this.target = target
  }

  /** A new one, for an exporter with a life of its own. */
  static make(target: Target): Effect.Effect<Collector, never, MetricsRuntime> {
    return MetricsRuntime.useSync((runtime) => new Collector(runtime, target))
  }

  /** The one of a runtime, for who reads from time to time: what is left out is logged once all the same. */
  static of(target: Target): Effect.Effect<Collector, never, MetricsRuntime> {
    return MetricsRuntime.useSync((runtime) => {
      const known = collectors.get(runtime)?.find((collector) => collector.target === target)
      if (known !== undefined) return known
      const collector = new Collector(runtime, target)
      collectors.set(runtime, [...collectors.get(runtime) ?? [], collector])
      return collector
    })
  }

  /**
   * Calls back for every point, from one capture per recorder. Gives the event loop
   * back every few milliseconds, after `rest`, which gets to know the metrics of
   * which no more points will come.
   */
  each(
    visit: (point: Point) => void,
    rest?: (isComplete: (metric: string) => boolean) => Effect.Effect<unknown>
  ): Effect.Effect<void> {
    return this.collect(visit, this.runtime.captures, (collection, steps) =>
      Effect.gen(function*() {
        const isComplete = (metric: string) => collection.isComplete(metric)
        let until = now() + sliceMs
        while (!steps.next().done) {
          if (now() < until) continue
          if (rest !== undefined) yield* rest(isComplete)
          yield* giveWay
          until = now() + sliceMs
        }
      }))
  }

  /** The same at once. */
  eachUnsafe(visit: (point: Point) => void): Effect.Effect<void> {
    return this.collect(visit, Effect.sync(() => this.runtime.capturesUnsafe()), (_, steps) =>
      Effect.sync(() => {
        while (!steps.next().done);
      }))
  }

  private collect(
    visit: (point: Point) => void,
    captures: MetricsRuntimeService["captures"],
    run: (collection: Collection, steps: Generator<void, void>) => Effect.Effect<void>
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { runtime } = this
      const collection = new Collection(this.target, visit)
      // Before the captures, which leave nothing pending.
      const { pending } = yield* runtime.stats
      const captured = yield* captures
      const stats = { ...yield* runtime.stats, pending }
      yield* run(collection, collection.run(captured, stats, runtime, yield* Clock.currentTimeMillis))
      yield* this.finish(collection)
    })
  }

  /** Notes what was left out. */
  private finish({ epochs, refused }: Collection): Effect.Effect<void> {
    this.epochs = epochs
    this.refused = Array.from(refused.values())
    const fresh: Array<SeriesRefusedError> = []
    for (const [key, error] of refused) {
      if (this.logged.has(key) || this.logged.size >= maxRemembered) continue
      this.logged.add(key)
      fresh.push(error)
    }
    // A logger shows the fields of an error, and not always its message.
    return Effect.forEach(fresh, (error) => Effect.logError(error, error.message), { discard: true }).pipe(
      Effect.annotateLogs("metrics.runtime", this.runtime.namespace)
    )
  }
}
