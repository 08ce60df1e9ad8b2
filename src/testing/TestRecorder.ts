/**
 * What a service emits, in a test: a recorder in memory that keeps every event
 * handed over to it, and folds each at once.
 *
 * ```ts
 * import { Event, Recorder } from "mvx-metrics"
 * import { TestRecorder } from "mvx-metrics/testing"
 * import { Effect, Schema } from "effect"
 *
 * class Looked extends Event.Class<Looked>()("cache.looked", { key: Schema.String }) {}
 *
 * const lookup = (key: string) => Effect.as(Recorder.emit(new Looked({ key })), "value")
 *
 * const program = Effect.gen(function*() {
 *   yield* lookup("a")
 *   yield* lookup("b")
 *   return yield* TestRecorder.events
 * })
 *
 * Effect.runSync(Effect.provide(program, TestRecorder.layer))
 * // => [new Looked({ key: "a" }), new Looked({ key: "b" })]
 * ```
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { MetricEvent } from "../Event.ts"
import { Dispatcher } from "../internal/Dispatcher.ts"
import { RecorderHandle } from "../internal/RecorderHandle.ts"
import { settingsOf } from "../internal/RecorderSettings.ts"
import { tagOf } from "../internal/tagOf.ts"
import { Recorder, type RecorderService } from "../Recorder.ts"

/**
 * A reducer or a view threw.
 *
 * @category models
 * @since 0.1.0
 */
export interface Defect {
  /** The name of the metric. */
  readonly metric: string
  /** The tag of the event that the reducer was given, `undefined` for a view. */
  readonly tag: string | undefined
  /** What was thrown. */
  readonly cause: Cause.Cause<unknown>
}

/**
 * A recorder that keeps what it was handed.
 *
 * **Details**
 *
 * It is a `RecorderService` like any other. Each event is folded as it is handed
 * over, at the time of the `Clock` that the recorder was made with: under
 * `TestClock`, reducers see the time that the test has set.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestRecorderService extends RecorderService {
  /** See {@link events}. */
  readonly events: Effect.Effect<ReadonlyArray<MetricEvent>>
  /** See {@link eventsOf}. */
  readonly eventsOf: <E extends MetricEvent = MetricEvent>(
    source: (abstract new(...args: ReadonlyArray<any>) => E) | E["_tag"]
  ) => Effect.Effect<ReadonlyArray<E>>
  /** See {@link refused}. */
  readonly refused: Effect.Effect<ReadonlyArray<unknown>>
  /** See {@link defects}. */
  readonly defects: Effect.Effect<ReadonlyArray<Defect>>
  /** See {@link clear}. */
  readonly clear: Effect.Effect<void>
}

/**
 * The recorder of a test, for the test to read. The code under test knows it as
 * `Recorder.Recorder`.
 *
 * @category services
 * @since 0.1.0
 */
export class TestRecorder
  extends Context.Service<TestRecorder, TestRecorderService>()("mvx-metrics/testing/TestRecorder/TestRecorder")
{}

/**
 * Makes a test recorder, for as long as the scope is open.
 *
 * **When to use**
 *
 * Use where a test has several recorders, or hands its recorder over as a value.
 * {@link layer} is for everything else.
 *
 * **Details**
 *
 * Its `entityId` is `"test"`. It holds no fiber and no timer. When the scope
 * closes it stops, as every recorder does: from then on it refuses events, and
 * streams of `changes` end. What it has kept can still be read.
 *
 * **Example** (Two recorders)
 *
 * ```ts
 * import { TestRecorder } from "mvx-metrics/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const [left, right] = yield* Effect.all([TestRecorder.make, TestRecorder.make])
 *   left.registerEventUnsafe({ _tag: "cache.hit" })
 *   return [yield* left.events, yield* right.events]
 * })
 *
 * Effect.runSync(Effect.scoped(program)) // => [[{ _tag: "cache.hit" }], []]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<TestRecorderService, never, Scope.Scope> = Effect.uninterruptible(
  Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const recorder = new RecordingHandle(context, yield* Clock.Clock)
    yield* Effect.addFinalizer(() => recorder.close)
    return recorder
  })
)

/**
 * A test recorder, both as the `Recorder` of the code under test and as the
 * {@link TestRecorder} that the test reads.
 *
 * **When to use**
 *
 * Use in tests of what a service emits. To test a metric, fold a list of events:
 * `Metric.fold` needs no recorder.
 *
 * **Details**
 *
 * Everything is synchronous: once code has handed an event over, it is in
 * {@link events} and in the snapshots of the metrics that take it. Metrics are
 * added as in production, with `Recorder.layerMetrics` or `registerMetric`.
 *
 * **Gotchas**
 *
 * Each `Effect.provide` makes a recorder of its own. A layer shared by several
 * tests is one recorder for all of them: see {@link clear}.
 *
 * Every event is kept: this is not for long runs.
 *
 * **Example** (Facts, and the numbers made of them)
 *
 * ```ts
 * import { Event, Metric, Recorder } from "mvx-metrics"
 * import { TestRecorder } from "mvx-metrics/testing"
 * import { Effect, Exit, Layer, Option, Schema } from "effect"
 *
 * class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
 *   outcome: Schema.Literals(["SUCCESS", "FAILURE"])
 * }) {}
 *
 * const Failures = Metric.make("document_storage.save.failures", {
 *   events: [SaveAttempt],
 *   initial: { total: 0 },
 *   reduce: (s, e) => e.outcome === "FAILURE" ? Option.some({ total: s.total + 1 }) : Option.none()
 * })
 *
 * const write = (content: string): Effect.Effect<void, string> =>
 *   content === "" ? Effect.fail("empty document") : Effect.void
 *
 * const save = (content: string) =>
 *   write(content).pipe(
 *     Recorder.observe((exit) => new SaveAttempt({ outcome: Exit.isSuccess(exit) ? "SUCCESS" : "FAILURE" }))
 *   )
 *
 * const test = Effect.gen(function*() {
 *   yield* Effect.ignore(save(""))
 *   const { dimensions } = yield* Recorder.Recorder.use((recorder) => recorder.snapshot(Failures))
 *   return [yield* TestRecorder.events, dimensions]
 * })
 *
 * const live = Recorder.layerMetrics(Failures).pipe(Layer.provideMerge(TestRecorder.layer))
 *
 * Effect.runSync(Effect.provide(test, live))
 * // => [[new SaveAttempt({ outcome: "FAILURE" })], { total: 1 }]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Recorder | TestRecorder> = Layer.effectContext(
  Effect.map(make, (recorder) => Context.make(Recorder, recorder).pipe(Context.add(TestRecorder, recorder)))
)

/**
 * All events that were accepted, in the order in which they were handed over.
 *
 * **Details**
 *
 * They are the very objects that the code handed over, whether a metric takes
 * them or not.
 *
 * @category reading
 * @since 0.1.0
 */
export const events: Effect.Effect<ReadonlyArray<MetricEvent>, never, TestRecorder> = TestRecorder.use((recorder) =>
  recorder.events
)

/**
 * The accepted events of one class, or of one tag, in their order.
 *
 * **Details**
 *
 * A class that lets its tag be read (`Event.Class`, `Schema.TaggedClass`) stands
 * for the events of that tag, as it does in the `events` of a metric. Any other
 * class (`Data.TaggedClass`, a class written by hand) stands for its instances.
 *
 * **Gotchas**
 *
 * A tag does not tell TypeScript what the event looks like: name the type,
 * `eventsOf<Request>("http.request")`.
 *
 * **Example** (Two of one class)
 *
 * ```ts
 * import { Event, Recorder } from "mvx-metrics"
 * import { TestRecorder } from "mvx-metrics/testing"
 * import { Effect, Schema } from "effect"
 *
 * class Hit extends Event.Class<Hit>()("cache.hit", { key: Schema.String }) {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit(new Hit({ key: "a" }))
 *   yield* Recorder.emit({ _tag: "cache.miss" })
 *   yield* Recorder.emit(new Hit({ key: "b" }))
 *   return (yield* TestRecorder.eventsOf(Hit)).map((hit) => hit.key)
 * })
 *
 * Effect.runSync(Effect.provide(program, TestRecorder.layer)) // => ["a", "b"]
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const eventsOf = <E extends MetricEvent = MetricEvent>(
  source: (abstract new(...args: ReadonlyArray<any>) => E) | E["_tag"]
): Effect.Effect<ReadonlyArray<E>, never, TestRecorder> => TestRecorder.use((recorder) => recorder.eventsOf<E>(source))

/**
 * Everything that was handed over and not accepted, in its order.
 *
 * **When to use**
 *
 * Use to see that nothing got lost: `emit`, `observe` and `registerEventUnsafe`
 * let code go on when what it hands over is not an event.
 *
 * **Gotchas**
 *
 * A function given to `observe` that throws shows as `null`: there was no event.
 *
 * **Example** (A fact without a tag)
 *
 * ```ts
 * import { type Event, Recorder } from "mvx-metrics"
 * import { TestRecorder } from "mvx-metrics/testing"
 * import { Effect } from "effect"
 *
 * const untyped = JSON.parse(`{ "tag": "cache.hit" }`) as Event.MetricEvent
 *
 * const program = Effect.andThen(Recorder.emit(untyped), TestRecorder.refused)
 *
 * Effect.runSync(Effect.provide(program, TestRecorder.layer)) // => [{ tag: "cache.hit" }]
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const refused: Effect.Effect<ReadonlyArray<unknown>, never, TestRecorder> = TestRecorder.use((recorder) =>
  recorder.refused
)

/**
 * Every time that a reducer or a view threw, in order.
 *
 * **When to use**
 *
 * Use to see that none did. As in every recorder, the metric skips the event,
 * or is left out of the snapshots, and the code under test notices nothing.
 *
 * **Gotchas**
 *
 * A view runs for each read, so one that is broken shows as often as it is read.
 *
 * **Example** (A reducer that throws)
 *
 * ```ts
 * import { Metric, Recorder } from "mvx-metrics"
 * import { TestRecorder } from "mvx-metrics/testing"
 * import { Cause, Effect, Layer } from "effect"
 *
 * const Broken = Metric.make("cache.broken", {
 *   events: ["cache.hit"],
 *   initial: { total: 0 },
 *   reduce: () => {
 *     throw new Error("not yet")
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "cache.hit" })
 *   const [defect] = yield* TestRecorder.defects
 *   return [defect?.metric, defect?.tag, defect && Cause.squash(defect.cause)]
 * })
 *
 * const live = Recorder.layerMetrics(Broken).pipe(Layer.provideMerge(TestRecorder.layer))
 *
 * Effect.runSync(Effect.provide(program, live)) // => ["cache.broken", "cache.hit", new Error("not yet")]
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const defects: Effect.Effect<ReadonlyArray<Defect>, never, TestRecorder> = TestRecorder.use((recorder) =>
  recorder.defects
)

/**
 * Forgets everything that was handed over so far: {@link events},
 * {@link refused} and {@link defects} are empty, and metrics, which stay
 * registered, start again from their initial states.
 *
 * **When to use**
 *
 * Use between tests that share a layer, and to leave out what the preparation
 * of a test has emitted.
 *
 * **Details**
 *
 * So a snapshot is always the fold of {@link events}, but for those that came
 * before the metric was registered. Streams of `changes` go on, and report
 * nothing.
 *
 * **Example** (Leaving the preparation out)
 *
 * ```ts
 * import { Recorder } from "mvx-metrics"
 * import { TestRecorder } from "mvx-metrics/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Recorder.emit({ _tag: "cache.filled" })
 *   yield* TestRecorder.clear
 *   yield* Recorder.emit({ _tag: "cache.hit" })
 *   return yield* TestRecorder.events
 * })
 *
 * Effect.runSync(Effect.provide(program, TestRecorder.layer)) // => [{ _tag: "cache.hit" }]
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const clear: Effect.Effect<void, never, TestRecorder> = TestRecorder.use((recorder) => recorder.clear)

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

/** Without fiber and timer: a test must not depend on what the host does meanwhile. */
class IdleDispatcher extends Dispatcher {
  constructor(context: Context.Context<never>) {
    super(context, constVoid)
    this.close()
  }

  override schedule(): void {}
}

/** What a recorder was handed, and what went wrong with it. */
class Kept {
  readonly events: Array<MetricEvent> = []
  readonly refused: Array<unknown> = []
  readonly defects: Array<Defect> = []
}

/** A recorder that keeps what it was handed, and folds each event where it is handed over. */
class RecordingHandle extends RecorderHandle implements TestRecorderService {
  declare readonly registerEventUnsafe: RecorderHandle["registerEventUnsafe"]
  private kept = new Kept()

  constructor(context: Context.Context<never>, clock: Clock.Clock) {
    const id = { recorderId: "test", entityId: "test" }
    super(id, settingsOf({}), context, new IdleDispatcher(context), clock)
    const { core, registerEventUnsafe } = this
    // `registerEvent` goes this way too. What a reducer emits while it runs is accepted, but not
    // folded before the next handoff or read: one that emits what it takes must not hang the test.
    this.registerEventUnsafe = (event) => {
      if (!registerEventUnsafe(event)) {
        this.kept.refused.push(event)
        return false
      }
      this.kept.events.push(event)
      core.foldAll()
      return true
    }
    const countDefect = core.countDefect.bind(core)
    // Not `logDefect`, which hears only of the first defect of a metric.
    core.countDefect = (message, metric, tag, cause) => {
      this.kept.defects.push({ metric, tag, cause })
      countDefect(message, metric, tag, cause)
    }
  }

  get events(): Effect.Effect<ReadonlyArray<MetricEvent>> {
    return Effect.sync(() => this.kept.events.slice())
  }

  eventsOf<E extends MetricEvent = MetricEvent>(
    source: (abstract new(...args: ReadonlyArray<any>) => E) | E["_tag"]
  ): Effect.Effect<ReadonlyArray<E>> {
    const tag = typeof source === "string" ? source : tagOf(source)
    return Effect.sync(() =>
      this.kept.events.filter((event): event is E =>
        tag === undefined ? event instanceof (source as abstract new() => E) : event._tag === tag
      )
    )
  }

  get refused(): Effect.Effect<ReadonlyArray<unknown>> {
    return Effect.sync(() => this.kept.refused.slice())
  }

  get defects(): Effect.Effect<ReadonlyArray<Defect>> {
    return Effect.sync(() => this.kept.defects.slice())
  }

  get clear(): Effect.Effect<void> {
    return Effect.sync(() => {
      const { core } = this
      core.foldAll()
      this.kept = new Kept()
      for (const slot of core.table.slots) {
        core.table.remove(slot)
        core.table.add(slot.metric, core.accepted)
      }
    })
  }
}
