/**
 * Handing facts over: a recorder takes events into a bounded queue, folds them
 * into the states of its metrics off the hot path, and shows those states.
 *
 * Two sides:
 *
 * - **Code that states facts** depends on the service {@link Recorder}, a narrow
 *   contract. Libraries use {@link emit}, {@link register} and {@link observe},
 *   which require nothing and never fail: without a recorder, nothing happens.
 * - **Whoever owns a recorder** holds its {@link Handle}: lifecycle, status,
 *   captures, statistics.
 *
 * ```ts
 * import { Event, Metric, Recorder } from "mvx-metrics"
 * import { Effect, Option } from "effect"
 *
 * class Hit extends Event.Class<Hit>()("cache.hit", {}) {}
 *
 * const Hits = Metric.make("cache.hits", {
 *   events: [Hit],
 *   initial: { total: 0 },
 *   reduce: (state) => Option.some({ total: state.total + 1 })
 * })
 *
 * const program = Effect.gen(function*() {
 *   const recorder = yield* Recorder.make({ entityId: "cache", metrics: [Hits] })
 *   yield* recorder.registerEvent(new Hit())
 *   recorder.registerEventUnsafe(new Hit())
 *   return yield* recorder.snapshot(Hits)
 * })
 *
 * Effect.runSync(Effect.scoped(program)) // => { name: "cache.hits", dimensions: { total: 2 } }
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { InvalidEventError, MetricEvent } from "./Event.ts"
import { decorated } from "./internal/DecoratedHandle.ts"
import { Dispatcher } from "./internal/Dispatcher.ts"
import type { InvalidOptionError } from "./internal/InvalidOptionError.ts"
import {
  MetricNameTakenError,
  MetricNotRegisteredError,
  type MetricViewError,
  type QueueOverflowError,
  type RecorderInvalidStateError,
  type RecorderStartError,
  type RecorderStopError,
  type StopReport,
  type StopTimeoutError
} from "./internal/RecorderError.ts"
import { RecorderHandle } from "./internal/RecorderHandle.ts"
import { nonBlank, settingsOf } from "./internal/RecorderSettings.ts"
import { InvalidMetricError, snapshot } from "./Metric.ts"
import type * as Metric from "./Metric.ts"

export {
  MetricNameTakenError,
  MetricNotRegisteredError,
  MetricViewError,
  QueueOverflowError,
  RecorderInvalidStateError,
  RecorderStartError,
  RecorderStopError,
  StopReport,
  StopTimeoutError
} from "./internal/RecorderError.ts"

export {
  /**
   * @category errors
   * @since 0.1.0
   */
  InvalidOptionError
} from "./internal/InvalidOptionError.ts"

/**
 * One metric of one recorder took one event, and now looks so.
 *
 * **Details**
 *
 * - `sequence` grows by one with each change of a recorder: a step of more than
 *   one is a gap.
 * - `offset` counts the events that the recorder had accepted up to and with
 *   this one; the changes that one event causes share it.
 * - `snapshot` is computed each time it is read, at the time of the event, and
 *   is `undefined` when the metric's view throws.
 *
 * **Gotchas**
 *
 * `_tag` and `snapshot` are members of the prototype: spreading a change, or
 * `JSON.stringify`, leaves them out.
 *
 * @category models
 * @since 0.1.0
 */
export interface MetricChange<out M extends Metric.Any = Metric.Metric<string, MetricEvent, unknown, unknown>> {
  readonly _tag: "Change"
  readonly recorderId: string
  readonly entityId: string
  /** The name of the metric. */
  readonly metric: M["name"]
  readonly event: Metric.EventOf<M>
  readonly state: Metric.StateOf<M>
  readonly snapshot: Metric.MetricSnapshot<M> | undefined
  readonly sequence: number
  readonly offset: number
}

/**
 * How the metrics of a recorder look when a watch begins.
 *
 * **Details**
 *
 * All snapshots reflect the events up to `offset`; the first change that
 * follows has the sequence number `sequence + 1`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly _tag: "Snapshot"
  readonly recorderId: string
  readonly entityId: string
  readonly snapshots: Readonly<Record<string, Metric.MetricSnapshot>>
  readonly sequence: number
  readonly offset: number
}

/**
 * The reader of a watch was too slow: this many changes were skipped here.
 *
 * @category models
 * @since 0.1.0
 */
export interface Missed {
  readonly _tag: "Missed"
  readonly count: number
}

/**
 * The state of one metric in a capture.
 *
 * **Details**
 *
 * `epoch` is a number that changes whenever the values start again from the
 * metric's initial state; a later epoch is greater. `startedAt` is when that
 * was, in Unix milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface MetricCapture {
  readonly metric: Metric.Any
  readonly state: unknown
  readonly epoch: number
  readonly startedAt: number
}

/**
 * All states of a recorder at one offset: what exporters read.
 *
 * **Details**
 *
 * A capture refers to the immutable states and copies nothing. `takenAt` is in
 * Unix milliseconds, `offset` is how many events the states reflect.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecorderCapture {
  /** The name of the runtime; a recorder that was made directly has none. */
  readonly namespace: string | undefined
  /** `"rollup"` where the values are, or become, part of one series with others. */
  readonly export: "own" | "rollup"
  readonly recorderId: string
  readonly entityId: string
  readonly labels: Readonly<Record<string, string>>
  readonly takenAt: number
  readonly offset: number
  readonly metrics: ReadonlyArray<MetricCapture>
}

/**
 * What became of everything that a recorder was offered, over its whole life.
 *
 * **Details**
 *
 * `accepted + dropped + refused = offered` and
 * `accepted = folded + discarded + pending`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecorderStats {
  /** Events taken into the queue. */
  readonly accepted: number
  /** Accepted events that the metrics have seen. */
  readonly folded: number
  /** Folded events that no metric took. */
  readonly ignored: number
  /** Events given up because the queue was full, under `overflow: "drop"`. */
  readonly dropped: number
  /** The dropped events by tag; from the 257th tag on under `"*"`. */
  readonly droppedByTag: Readonly<Record<string, number>>
  /** Events not accepted, by reason. */
  readonly refused: {
    /** Not an event. */
    readonly invalidEvent: number
    /** The recorder accepts no events in its state. */
    readonly invalidState: number
    /** The queue was full, under `overflow: "fail"` or from inside a reducer or a view. */
    readonly overflow: number
  }
  /** How often a reducer, a view or `onMetricChanged` failed, by metric. */
  readonly defects: Readonly<Record<string, number>>
  /** Values left out by dimensions, by metric: not finite numbers, or negative ones in a `sum`. */
  readonly skipped: Readonly<Record<string, number>>
  /** Events beyond the limit of a label, by `metric.dimension`. */
  readonly overLimit: Readonly<Record<string, number>>
  /** Accepted events given up by a failure or a stop that ran out of time. */
  readonly discarded: number
  /** Accepted events that wait to be folded. */
  readonly pending: number
  /** The most events that ever waited. */
  readonly highWater: number
  /** Changes that slow subscribers and a slow `onMetricChanged` did not get. */
  readonly changesSkipped: number
}

/**
 * Where a recorder is in its life.
 *
 * **Details**
 *
 * `Virgin → Starting → Running → Stopping → Stopped (→ Starting …)`. A recorder
 * that has reached `Failure` or `Cancelled` stays there. Events are accepted in
 * `Virgin` (and start it), `Starting` and `Running`; reads work in every state.
 *
 * @category models
 * @since 0.1.0
 */
export type RecorderStatus =
  | { readonly _tag: "Virgin" }
  | { readonly _tag: "Starting" }
  | { readonly _tag: "Running" }
  | { readonly _tag: "Stopping" }
  | { readonly _tag: "Stopped"; readonly report: StopReport }
  | { readonly _tag: "Failure"; readonly cause: Cause.Cause<unknown> }
  | { readonly _tag: "Cancelled"; readonly cause: Cause.Cause<unknown> }

/**
 * The contract that production code depends on. Test, remote and worker
 * recorders implement exactly this.
 *
 * **Gotchas**
 *
 * Only `registerEventUnsafe` may be taken off the recorder and passed around as
 * a function; the other methods need their `this`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecorderService {
  /** The measured scope. */
  readonly entityId: string

  /**
   * Adds a metric, which sees exactly the events accepted after this.
   *
   * **Gotchas**
   *
   * The same definition again (the same value) changes nothing; another one
   * under its name is an error.
   */
  readonly registerMetric: (
    metric: Metric.Any
  ) => Effect.Effect<void, MetricNameTakenError | RecorderInvalidStateError | InvalidMetricError>

  /** Takes a metric out; its values go. `false` when there is none of that name. */
  readonly unregisterMetric: (name: string) => Effect.Effect<boolean>

  /**
   * Hands an event over, and says why when it is not accepted.
   *
   * **Gotchas**
   *
   * Under `overflow: "drop"` it succeeds also when the event is dropped.
   */
  readonly registerEvent: (
    event: MetricEvent
  ) => Effect.Effect<void, QueueOverflowError | RecorderInvalidStateError | InvalidEventError>

  /**
   * Hands an event over from any code: never throws, never blocks, may be
   * passed around as a function.
   *
   * **Gotchas**
   *
   * `false` means that the event was not accepted, for whatever reason; the
   * owner finds it counted in `stats`.
   */
  readonly registerEventUnsafe: (event: MetricEvent) => boolean

  /**
   * The view of every metric, by name. Every event accepted before the read is
   * in it, and all metrics reflect the same events.
   *
   * **Gotchas**
   *
   * A metric whose view throws is left out.
   *
   * A backlog that takes longer than 2 ms to fold is folded in slices, and the
   * read is then asynchronous: under `Effect.runSync` use `snapshotsUnsafe`.
   */
  readonly snapshots: Effect.Effect<Record<string, Metric.MetricSnapshot>>

  /** The view of one metric. */
  readonly snapshot: <M extends Metric.Any>(
    metric: M
  ) => Effect.Effect<Metric.MetricSnapshot<M>, MetricNotRegisteredError | MetricViewError>

  /** The metrics, in the order of their registration. */
  readonly metrics: Effect.Effect<ReadonlyArray<Metric.Any>>

  /**
   * Every change from now on, in order. Ends when the recorder is closed, not
   * when it stops, because it may start again.
   *
   * **Gotchas**
   *
   * A subscriber that is too slow loses the oldest changes and sees a gap in
   * their `sequence`; `watch` tells the number.
   */
  readonly changes: Stream.Stream<MetricChange>

  /**
   * Waits until everything accepted so far is folded and its changes are delivered.
   *
   * **Gotchas**
   *
   * Delivered means that `onMetricChanged` has run, and that subscribers of
   * `changes` have the change in their buffer: nobody waits for a subscriber.
   * From inside one of the recorder's own hooks it does not wait for hooks.
   */
  readonly flush: Effect.Effect<void>
}

/**
 * A recorder as its owner sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handle extends RecorderService {
  /**
   * Starts a recorder, or starts it again after a stop; its metrics and values
   * survive. Everybody who calls it meanwhile shares one start and one outcome.
   */
  readonly start: Effect.Effect<void, RecorderInvalidStateError | RecorderStartError>

  /**
   * Stops a running recorder: accepts no more events, folds those it has, waits
   * for the hooks, releases what `onStarting` acquired. Everybody who calls it
   * meanwhile shares one stop and one outcome.
   *
   * **Gotchas**
   *
   * From inside one of the recorder's own hooks it only begins the stop, and
   * succeeds at once with the report so far.
   */
  readonly stop: Effect.Effect<StopReport, RecorderInvalidStateError | RecorderStopError | StopTimeoutError>

  /** Where the recorder is in its life. */
  readonly status: Effect.Effect<RecorderStatus>

  /**
   * The status now, and each one that follows.
   *
   * **Gotchas**
   *
   * A reader that lags behind by more than 64 loses the oldest.
   */
  readonly statusChanges: Stream.Stream<RecorderStatus>

  /**
   * The view of every metric, at once.
   *
   * **Gotchas**
   *
   * Folds the whole backlog without giving way. From inside a reducer or a view
   * it shows the last whole offset.
   */
  readonly snapshotsUnsafe: () => Record<string, Metric.MetricSnapshot>

  /** All states at one offset. */
  readonly capture: Effect.Effect<RecorderCapture>

  /**
   * The snapshots first, then every change that follows them without a gap, and
   * `Missed` where the reader was too slow.
   */
  readonly watch: Stream.Stream<Snapshot | MetricChange | Missed>

  /**
   * What became of everything that the recorder was offered.
   *
   * **Gotchas**
   *
   * It folds nothing: what folding finds out (`defects`, `skipped`, `overLimit`)
   * is about the events folded so far. A read or a `flush` folds all.
   */
  readonly stats: Effect.Effect<RecorderStats>
}

/**
 * What a metric shows in a capture, at the time of the capture; nothing where
 * that metric (the same value) is not in it.
 *
 * **When to use**
 *
 * Use to read one metric of a runtime's `captures`, such as of a roll-up.
 *
 * **Gotchas**
 *
 * A view that throws throws here.
 *
 * **Example** (Reading a roll-up)
 *
 * ```ts
 * import { Metric, Recorder, Runtime } from "mvx-metrics"
 * import { Effect, Option } from "effect"
 *
 * const Hits = Metric.fromDimensions("cache.hits", ["cache.hit"], (d) => ({ total: d.count() }))
 *
 * const program = Effect.gen(function*() {
 *   const runtime = yield* Runtime.make()
 *   for (const id of ["one", "two"]) {
 *     const recorder = yield* runtime.createRecorder(id, { export: "rollup", metrics: [Hits] })
 *     recorder.registerEventUnsafe({ _tag: "cache.hit" })
 *   }
 *   const [capture] = yield* runtime.captures
 *   return Recorder.snapshotOf(capture!, Hits)
 * })
 *
 * Effect.runSync(Effect.scoped(program)) // => Option.some({ name: "cache.hits", dimensions: { total: 2 } })
 * ```
 *
 * @category captures
 * @since 0.1.0
 */
export const snapshotOf: {
  <M extends Metric.Any>(metric: M): (self: RecorderCapture) => Option.Option<Metric.MetricSnapshot<M>>
  <M extends Metric.Any>(self: RecorderCapture, metric: M): Option.Option<Metric.MetricSnapshot<M>>
} = /*#__PURE__*/ dual(2, <M extends Metric.Any>({ metrics, takenAt }: RecorderCapture, metric: M) => {
  const captured = metrics.find((captured) => captured.metric === metric)
  return captured === undefined
    ? Option.none()
    : Option.some(snapshot(metric, captured.state, { time: takenAt }) as Metric.MetricSnapshot<M>)
})

/**
 * Returns `true` for the changes of one metric, whose event, state and snapshot
 * are then typed by it.
 *
 * **Gotchas**
 *
 * Metrics are told apart by name, which is unique within a recorder.
 *
 * **Example** (Reacting to one metric)
 *
 * ```ts
 * import { Metric, Recorder } from "mvx-metrics"
 * import { Option } from "effect"
 *
 * const Hits = Metric.make("cache.hits", {
 *   events: ["cache.hit"],
 *   initial: { total: 0 },
 *   reduce: (s) => Option.some({ total: s.total + 1 })
 * })
 *
 * const totalOf = (change: Recorder.MetricChange): number | undefined =>
 *   Recorder.isChangeOf(change, Hits) ? change.snapshot?.dimensions.total : undefined
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isChangeOf = <M extends Metric.Any>(change: MetricChange, metric: M): change is MetricChange<M> =>
  change.metric === metric.name

/**
 * The options of a recorder. `R` is what its hooks require.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<R = never> {
  /** The measured scope; blank is refused, white space around it goes. */
  readonly entityId: string
  /** The metrics to begin with. */
  readonly metrics?: ReadonlyArray<Metric.Any> | undefined
  /** Labels of everything that this recorder measures. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** How many accepted events may wait to be folded. Default 10 000. */
  readonly capacity?: number | undefined
  /**
   * What happens to an event for which there is no room. Default `"fold"`.
   *
   * - `"fold"`: the caller folds a few hundred events itself, in well under a
   *   millisecond, and the event is accepted
   * - `"drop"`: the event is dropped and counted
   * - `"fail"`: the event is refused with a `QueueOverflowError`
   */
  readonly overflow?: "fold" | "drop" | "fail" | undefined
  /**
   * What a reducer that throws, or a failing `onMetricChanged`, does. Default
   * `"isolate"`.
   *
   * - `"isolate"`: the metric skips the event and keeps its state; counted, and
   *   logged the first time
   * - `"fail"`: the recorder ends in `Failure`
   */
  readonly onDefect?: "isolate" | "fail" | undefined
  /**
   * How long the recorder rests between two batches, which is how late a change
   * may reach its subscribers. Readers never wait for it. Default 5 ms.
   */
  readonly linger?: Duration.Input | undefined
  /**
   * How long each part of a stop may take: the fold with the delivery of changes,
   * `onStopped`, and the release of what `onStarting` acquired. Default 5 s.
   */
  readonly stopTimeout?: Duration.Input | undefined
  /**
   * Runs before the first change is delivered. What it acquires in its scope is
   * released when the recorder stops, fails, or does not start. Hooks are made
   * before the start: one that uses what another acquired looks for it when it
   * runs (`Effect.suspend`).
   */
  readonly onStarting?: Effect.Effect<void, unknown, R> | undefined
  /** Runs once after each stop, and once when a running recorder fails. */
  readonly onStopped?: Effect.Effect<void, unknown, R> | undefined
  /** Runs for each change, one at a time, in order, in a scope of its own. */
  readonly onMetricChanged?: ((change: MetricChange) => Effect.Effect<void, unknown, R>) | undefined
}

/**
 * The recorder that production code hands its events to.
 *
 * **When to use**
 *
 * Use where code must not run without a recorder: forgetting to provide one is a
 * type error. Libraries that should run without metrics use {@link emit},
 * {@link register} and {@link observe}.
 *
 * @category services
 * @since 0.1.0
 */
export class Recorder
  extends /*#__PURE__*/ Context.Service<Recorder, RecorderService>()("mvx-metrics/Recorder/Recorder")
{}

/**
 * Makes a recorder that stands on its own, for as long as the scope is open.
 *
 * **When to use**
 *
 * Use in tests, and where one component measures itself. Applications take
 * their recorders from a runtime, where exporters see them.
 *
 * **Details**
 *
 * The recorder is `Virgin`: `start` or the first event starts it. When the
 * scope closes it stops; a stop that fails then is logged at Error and kept in
 * the status.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(
  options: Options<R>
): Effect.Effect<
  Handle,
  InvalidOptionError | InvalidMetricError | MetricNameTakenError,
  Exclude<R, Scope.Scope> | Scope.Scope
> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const [settings, entityId] = yield* Effect.try({
      try: () => [settingsOf(options), nonBlank("entityId", options.entityId)] as const,
      catch: (error) => error as InvalidOptionError
    })
    const context = yield* Effect.context<Exclude<R, Scope.Scope>>()
    const clock = yield* Clock.Clock
    const dispatcher = new Dispatcher(context, (exit) => handle.cancel(exit))
    const handle = new RecorderHandle({ recorderId: entityId, entityId }, settings, context, dispatcher, clock)
    yield* Effect.addFinalizer(() => Effect.andThen(handle.close, Effect.sync(() => dispatcher.close())))
    for (const metric of options.metrics ?? []) {
      yield* handle.registerMetric(metric).pipe(Effect.catchTag("RecorderInvalidStateError", Effect.die))
    }
    return handle
  }))

/**
 * Makes a custom recorder: another recorder, but for some of its members.
 *
 * **When to use**
 *
 * Use in the `wrap` of a recorder in a runtime, to look at events before they
 * are taken, to leave some out, or to hand them on as well.
 *
 * **Gotchas**
 *
 * Taken are the own members of the object, not those of its class. Each is
 * replaced on its own: who changes what becomes of events
 * replaces both `registerEvent` and `registerEventUnsafe`. Under `overflow:
 * "drop"` the `registerEvent` of the base succeeds also for what it drops. A
 * `Proxy` around a recorder, or an object that inherits from it, is none.
 *
 * **Example** (Leaving events out)
 *
 * ```ts
 * import { type Event, Metric, Recorder, Runtime } from "mvx-metrics"
 * import { Effect, Option } from "effect"
 *
 * const Requests = Metric.make("http.requests", {
 *   events: ["http.request", "http.health_check"],
 *   initial: { total: 0 },
 *   reduce: (s) => Option.some({ total: s.total + 1 })
 * })
 *
 * const withoutHealthChecks = (base: Recorder.Handle): Recorder.Handle => {
 *   const isLeftOut = (event: Event.MetricEvent) => event._tag === "http.health_check"
 *   return Recorder.decorate(base, {
 *     registerEvent: (event) => isLeftOut(event) ? Effect.void : base.registerEvent(event),
 *     registerEventUnsafe: (event) => isLeftOut(event) || base.registerEventUnsafe(event)
 *   })
 * }
 *
 * const program = Effect.gen(function*() {
 *   const runtime = yield* Runtime.MetricsRuntime
 *   const recorder = yield* runtime.recorder("web", {
 *     metrics: [Requests],
 *     wrap: (base) => Effect.succeed(withoutHealthChecks(base))
 *   })
 *   recorder.registerEventUnsafe({ _tag: "http.health_check" })
 *   recorder.registerEventUnsafe({ _tag: "http.request" })
 *   return yield* recorder.snapshot(Requests)
 * })
 *
 * const snapshot = await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Runtime.layer())))
 *
 * snapshot.dimensions // => { total: 1 }
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const decorate: {
  (members: Partial<Handle>): (base: Handle) => Handle
  (base: Handle, members: Partial<Handle>): Handle
} = /*#__PURE__*/ dual(2, decorated)

/**
 * A detached recorder, as a layer: running, and seen by no exporter of a
 * runtime.
 *
 * **When to use**
 *
 * Use in tests, and in programs that read their recorder themselves.
 *
 * **Details**
 *
 * The recorder is started when the layer is built, and stopped with it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never>(
  options: Options<R>
): Layer.Layer<
  Recorder,
  InvalidOptionError | InvalidMetricError | MetricNameTakenError | RecorderStartError,
  Exclude<R, Scope.Scope>
> =>
  Layer.effect(
    Recorder,
    Effect.tap(make(options), (handle) => handle.start.pipe(Effect.catchTag("RecorderInvalidStateError", Effect.die)))
  ) as Layer.Layer<
    Recorder,
    InvalidOptionError | InvalidMetricError | MetricNameTakenError | RecorderStartError,
    Exclude<R, Scope.Scope>
  >

/**
 * A recorder that keeps nothing.
 *
 * **When to use**
 *
 * Use to run code that asks for a recorder without measuring it.
 *
 * **Details**
 *
 * Everything succeeds and costs next to nothing. `registerEventUnsafe` says
 * `true`; there are no metrics, no snapshots and no changes.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNoop: Layer.Layer<Recorder> = /*#__PURE__*/ Layer.sync(Recorder, () => ({
  entityId: "noop",
  registerMetric: () => Effect.void,
  unregisterMetric: () => Effect.succeed(false),
  registerEvent: () => Effect.void,
  registerEventUnsafe: () => true,
  snapshots: Effect.sync(() => ({})),
  snapshot: (metric) => Effect.fail(new MetricNotRegisteredError({ entityId: "noop", name: metric.name })),
  metrics: Effect.succeed([]),
  changes: Stream.empty,
  flush: Effect.void
}))

/**
 * Registers metrics in the recorder.
 *
 * **Details**
 *
 * They stay registered when the layer is released, so that whoever reads last
 * still finds their values; they go with the recorder.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMetrics = (
  ...metrics: ReadonlyArray<Metric.Any>
): Layer.Layer<never, MetricNameTakenError | RecorderInvalidStateError | InvalidMetricError, Recorder> =>
  Layer.effectDiscard(
    Recorder.use((recorder) => Effect.forEach(metrics, (metric) => recorder.registerMetric(metric), { discard: true }))
  )

/**
 * Hands an event to the recorder, and says why when it is not accepted.
 *
 * **When to use**
 *
 * Use where losing an event must not pass unnoticed. {@link emit} requires
 * nothing and never fails.
 *
 * @category handing over
 * @since 0.1.0
 */
export const registerEvent = (
  event: MetricEvent
): Effect.Effect<void, QueueOverflowError | RecorderInvalidStateError | InvalidEventError, Recorder> =>
  Recorder.use((recorder) => recorder.registerEvent(event))

/**
 * Hands an event to the recorder, if there is one.
 *
 * **When to use**
 *
 * Use in libraries, and wherever metrics must never change what the code does.
 *
 * **Details**
 *
 * Without a recorder nothing happens. An event that is not accepted is counted
 * in the recorder's `stats`.
 *
 * **Example** (Stating a fact)
 *
 * ```ts
 * import { Recorder } from "mvx-metrics"
 * import { Effect } from "effect"
 *
 * const lookup = Effect.as(Recorder.emit({ _tag: "cache.hit" }), "value")
 *
 * Effect.runSync(lookup) // => "value"
 * ```
 *
 * @category handing over
 * @since 0.1.0
 */
export const emit = (event: MetricEvent): Effect.Effect<void> =>
  Effect.withFiberSucceed((fiber) => {
    const recorder = Context.getOrUndefined(fiber.context, Recorder)
    if (recorder !== undefined) hand(recorder, event)
  })

/**
 * Registers metrics in the recorder, if there is one.
 *
 * **When to use**
 *
 * Use in libraries that bring metrics of their own.
 *
 * **Details**
 *
 * A metric that the recorder refuses is logged at Error, once, and skipped.
 *
 * @category handing over
 * @since 0.1.0
 */
export const register = (...metrics: ReadonlyArray<Metric.Any>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const recorder = Context.getOrUndefined(fiber.context, Recorder)
    if (recorder === undefined) return Effect.void
    return Effect.forEach(metrics, (metric) =>
      Effect.catchCause(
        Effect.suspend(() => recorder.registerMetric(metric)),
        (cause) => {
          const logged = refusedMetrics.get(recorder) ?? new Set<string>()
          const reason = String(Cause.squash(cause))
          if (logged.has(reason)) return Effect.void
          refusedMetrics.set(recorder, logged.add(reason))
          return Effect.logError("A metric was not registered", cause)
        }
      ), { discard: true })
  })

/**
 * What {@link observe} makes events of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observer<in A, in E> {
  /** The event that states the beginning, or `undefined` for none. */
  readonly onStart?: (() => MetricEvent | undefined) | undefined
  /** The event that states the end, or `undefined` for none. */
  readonly onExit?: ((exit: Exit.Exit<A, E>, duration: Duration.Duration) => MetricEvent | undefined) | undefined
}

/**
 * States what becomes of an effect, if there is a recorder.
 *
 * **When to use**
 *
 * Use to count and time an operation without touching it. With `onStart` and
 * `onExit`, use it to measure how many are in flight.
 *
 * **Details**
 *
 * `f` is called once for each run that ends, with its exit (a success, a typed
 * failure, a defect or an interruption) and how long it took by the monotonic
 * clock. It returns the event, or `undefined` for none. Each `onStart` is
 * followed by one `onExit`.
 *
 * The effect's own result is never touched. A function that throws, or returns
 * something that is not an event, is counted as `refused.invalidEvent` in the
 * recorder's `stats`.
 *
 * **Example** (Observing a save)
 *
 * ```ts
 * import { Event, Recorder } from "mvx-metrics"
 * import { Duration, Effect, Exit, Schema } from "effect"
 *
 * class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
 *   outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
 *   durationMs: Schema.Finite
 * }) {}
 *
 * const save = Effect.succeed("saved").pipe(
 *   Recorder.observe((exit, duration) =>
 *     new SaveAttempt({
 *       outcome: Exit.isSuccess(exit) ? "SUCCESS" : "FAILURE",
 *       durationMs: Duration.toMillis(duration)
 *     })
 *   )
 * )
 *
 * Effect.runSync(save) // => "saved"
 * ```
 *
 * @category handing over
 * @since 0.1.0
 */
export const observe: {
  <A, E>(
    observer: NonNullable<Observer<A, E>["onExit"]> | Observer<A, E>
  ): <R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    observer: NonNullable<Observer<A, E>["onExit"]> | Observer<A, E>
  ): Effect.Effect<A, E, R>
} = /*#__PURE__*/ dual(
  2,
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    observer: NonNullable<Observer<A, E>["onExit"]> | Observer<A, E>
  ): Effect.Effect<A, E, R> => {
    const { onExit, onStart } = typeof observer === "function" ? { onExit: observer, onStart: undefined } : observer
    return Effect.withFiber((fiber) => {
      const recorder = Context.getOrUndefined(fiber.context, Recorder)
      if (recorder === undefined) return self
      const clock = fiber.getRef(Clock.Clock)
      let startedAt = onStart === undefined ? clock.monotonicTimeNanosUnsafe() : undefined
      return Effect.onExitPrimitive(
        // The start is stated under the finalizer: interruption cannot come between the two.
        onStart === undefined ? self : Effect.suspend(() => {
          startedAt = clock.monotonicTimeNanosUnsafe()
          handMade(recorder, onStart)
          return self
        }),
        (exit) => {
          if (startedAt !== undefined && onExit !== undefined) {
            const duration = Duration.nanos(clock.monotonicTimeNanosUnsafe() - startedAt)
            handMade(recorder, () => onExit(exit, duration))
          }
          return undefined
        }
      )
    })
  }
)

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

/** Whatever a custom recorder does, it must not change what the code does that it measures. */
const hand = (recorder: RecorderService, event: MetricEvent): void => {
  try {
    recorder.registerEventUnsafe(event)
  } catch {
    // The contract is that it does not throw.
  }
}

/** Hands over what a function of the user makes, if it makes something. */
const handMade = (recorder: RecorderService, make: () => MetricEvent | undefined): void => {
  let event: MetricEvent | undefined
  try {
    event = make()
  } catch {
    event = noEvent
  }
  if (event !== undefined) hand(recorder, event)
}

/** The refusals that were logged: once is enough. */
const refusedMetrics = new WeakMap<object, Set<string>>()

/** Stands for the event that a function failed to make: refused, and so counted. */
const noEvent = null as unknown as MetricEvent
