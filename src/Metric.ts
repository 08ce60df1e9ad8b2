/**
 * What it means: a metric is a named aggregate, a pure fold of events into a
 * state, with a view of that state as dimensions.
 *
 * A metric is a value. It holds no numbers of its own: any number of recorders
 * may use the same metric, each keeping a state of its own, and a test folds it
 * over a list of events without a recorder.
 *
 * ```ts
 * import { Event, Metric } from "mvx-metrics"
 * import { Option, Schema } from "effect"
 *
 * class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
 *   outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
 *   durationMs: Schema.Finite
 * }) {}
 *
 * const SaveAttempts = Metric.make("document_storage.save.attempts", {
 *   events: [SaveAttempt],
 *   initial: { total: 0, success_total: 0, failure_total: 0 },
 *   reduce: (state, event) =>
 *     Option.some({
 *       total: state.total + 1,
 *       success_total: state.success_total + (event.outcome === "SUCCESS" ? 1 : 0),
 *       failure_total: state.failure_total + (event.outcome === "FAILURE" ? 1 : 0)
 *     })
 * })
 *
 * const state = Metric.fold(SaveAttempts, [
 *   new SaveAttempt({ outcome: "SUCCESS", durationMs: 2.5 }),
 *   new SaveAttempt({ outcome: "FAILURE", durationMs: 0.5 })
 * ])
 *
 * Metric.snapshot(SaveAttempts, state).dimensions // => { total: 2, success_total: 1, failure_total: 1 }
 * ```
 *
 * `effect` has a module of the same name. Where both are needed, import this
 * one from its subpath under another name:
 * `import * as FoldMetric from "mvx-metrics/Metric"`.
 *
 * @since 0.1.0
 */
import type * as Combiner from "effect/Combiner"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Pipeable from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import {
  type Any as AnyDimension,
  type Builder,
  builder,
  type Dimension,
  isDimension,
  structOf,
  type Values
} from "./Dimension.ts"
import type { AnyClass, MetricEvent } from "./Event.ts"
import type { FieldsState } from "./internal/dimension/Fields.ts"
import { filtered, type Fold, foldOf, mapped, purely } from "./internal/dimension/Fold.ts"
import { MergeConflict, newOwner, nobody } from "./internal/dimension/Kind.ts"
import { Measures } from "./internal/dimension/Measures.ts"
import { EventMeta, type Meta } from "./internal/EventMeta.ts"
import { type Instrument, type Instruments, isRecord } from "./internal/Instrument.ts"
import {
  checkDistinct,
  checkFunction,
  checkInstruments,
  checkName,
  checkVersion,
  namingMetric,
  shapeOf,
  tagsOf
} from "./internal/metricDefinition.ts"
import { InvalidMetricError, MetricMergeError } from "./internal/MetricError.ts"
import { type FlatInstrument, flatInstruments, type Sample } from "./internal/Sample.ts"
import { samplesIn } from "./internal/samplesIn.ts"
import { storedState } from "./internal/storedState.ts"
import { viewOf } from "./internal/viewOf.ts"

const TypeId = "~mvx-metrics/Metric"

/**
 * A named aggregate: an initial state, a pure step, and a view of the state.
 *
 * **Details**
 *
 * `tags` are the events that the metric is offered, `undefined` for all. A
 * recorder routes by them, so that a metric never pays for an event that it did
 * not name.
 *
 * `instruments`, `combine`, `state` and `version` say how the dimensions are
 * exported, how two states are merged, and how a state is stored.
 *
 * @category models
 * @since 0.1.0
 */
export interface Metric<out Name extends string, in Event, in out State, out Dimensions> extends Pipeable.Pipeable {
  readonly [TypeId]: typeof TypeId
  readonly name: Name
  readonly description: string | undefined
  readonly tags: ReadonlyArray<string> | undefined
  readonly initial: State
  readonly reduce: (state: State, event: Event, meta: Meta) => Option.Option<State>
  readonly dimensions: (state: State, meta: Meta) => Dimensions
  readonly instruments: Instruments
  readonly combine: Combiner.Combiner<State> | undefined
  readonly state: Schema.Codec<State, unknown> | undefined
  readonly version: number
  /** @internal */
  readonly measures: Measures | undefined
}

/**
 * Any metric, whatever it folds.
 *
 * @category models
 * @since 0.1.0
 */
export type Any = Metric<string, any, any, any>

export type { Meta } from "./internal/EventMeta.ts"

export type { Instrument, InstrumentKind, Instruments, Quantity } from "./internal/Instrument.ts"

export type { FlatInstrument, Sample } from "./internal/Sample.ts"

/**
 * The current view of one metric: plain, frozen data.
 *
 * @category models
 * @since 0.1.0
 */
export interface MetricSnapshot<out M extends Any = Metric<string, any, any, unknown>> {
  readonly name: M["name"]
  readonly dimensions: DimensionsOf<M>
}

/**
 * The events that a metric takes.
 *
 * @category models
 * @since 0.1.0
 */
export type EventOf<M extends Any> = M extends Metric<string, infer Event, any, any> ? Event : never

/**
 * The state of a metric.
 *
 * @category models
 * @since 0.1.0
 */
export type StateOf<M extends Any> = M["initial"]

/**
 * The dimensions that a metric shows.
 *
 * @category models
 * @since 0.1.0
 */
export type DimensionsOf<M extends Any> = ReturnType<M["dimensions"]>

/**
 * What a metric names as its events: classes with a readable tag, or tags.
 *
 * @category models
 * @since 0.1.0
 */
export type EventSource = AnyClass | string

/**
 * The event that an entry of `events` stands for.
 *
 * @category models
 * @since 0.1.0
 */
export type SourceEvent<Source extends EventSource> = Source extends AnyClass<infer E> ? E
  : Source extends string ? { readonly _tag: Source }
  : never

/**
 * The options of {@link make}, without the events.
 *
 * @category models
 * @since 0.1.0
 */
export interface Definition<Event, State, Dimensions> {
  /** The state before the first event. */
  readonly initial: State
  /** The step. `Option.none()` means that the event does not count here. Pure in all its arguments. */
  readonly reduce: (state: NoInfer<State>, event: Event, meta: Meta) => Option.Option<NoInfer<State>>
  /** The view. Without one, the state itself is shown and must be a record. Pure in all its arguments. */
  readonly dimensions?: ((state: NoInfer<State>, meta: Meta) => Dimensions) | undefined
  readonly description?: string | undefined
  /** Kind and unit of each dimension. */
  readonly instruments?: { readonly [Dimension in keyof NoInfer<Dimensions>]?: Instrument } | undefined
  /** How the states of two recorders become one: a `Combiner`, or a record with its one function. */
  readonly combine?: Combiner.Combiner<NoInfer<State>> | undefined
  /** How the state is stored and shipped. */
  readonly state?: Schema.Codec<NoInfer<State>, unknown> | undefined
  /** The version of the stored state; 1 unless given. */
  readonly version?: number | undefined
}

/**
 * The state of a metric made of dimensions that show this: opaque, immutable.
 *
 * @category models
 * @since 0.1.0
 */
export interface DimensionsState<in out Dimensions = any> {
  readonly "~mvx-metrics/Metric/DimensionsState": (dimensions: Dimensions) => Dimensions
}

/**
 * A state as it is stored.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoredState<out Name extends string = string> {
  readonly metric: Name
  readonly version: number
  readonly state: Schema.Json
}

/**
 * The options of {@link fromDimensions}.
 *
 * @category models
 * @since 0.1.0
 */
export interface DimensionsOptions {
  readonly description?: string | undefined
  /** The version of the stored state; 1 unless given. */
  readonly version?: number | undefined
}

export { InvalidMetricError, MetricMergeError } from "./internal/MetricError.ts"

/**
 * Returns `true` for metrics made by this module.
 *
 * @category guards
 * @since 0.1.0
 */
export const isMetric = (u: unknown): u is Any => Predicate.hasProperty(u, TypeId)

/**
 * Defines a metric: the one way in, which everything else builds on.
 *
 * **When to use**
 *
 * Use for every measurement that you want to state yourself: a few counters
 * that belong together, an average, a state machine's time in each state.
 *
 * **Details**
 *
 * - `events` lists the classes or tags that the metric is offered; without it
 *   the metric is offered every event. The type of `event` follows from it.
 *   Classes of `Data.TaggedClass` have no readable tag: name the tag, and
 *   annotate the event.
 * - `reduce` returns the next state, or `Option.none()` for an event that does
 *   not count.
 * - `dimensions` is what snapshots show; without it, the state.
 *
 * Throws an `InvalidMetricError` when the name is blank, a dimension stands
 * twice once nested names are joined with a dot, an instrument names a
 * dimension that does not exist or has a kind that its value cannot have, or
 * anything else is not what the types say.
 *
 * **Gotchas**
 *
 * `reduce` must return a new state and leave the old one as it is: old states
 * live on in captures, changes and other recorders.
 *
 * **Example** (Averaging a duration)
 *
 * ```ts
 * import { Event, Metric } from "mvx-metrics"
 * import { Option, Schema } from "effect"
 *
 * class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
 *   durationMs: Schema.Finite
 * }) {}
 *
 * const SaveDuration = Metric.make("document_storage.save.average_duration", {
 *   events: [SaveAttempt],
 *   initial: { total: 0, duration_ms_total: 0 },
 *   reduce: (s, e) => Option.some({ total: s.total + 1, duration_ms_total: s.duration_ms_total + e.durationMs }),
 *   dimensions: (s) => ({ ...s, average_duration_ms: s.total === 0 ? 0 : s.duration_ms_total / s.total })
 * })
 *
 * const state = Metric.fold(SaveDuration, [1, 4].map((durationMs) => new SaveAttempt({ durationMs })))
 *
 * Metric.snapshot(SaveDuration, state).dimensions
 * // => { total: 2, duration_ms_total: 5, average_duration_ms: 2.5 }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <const Name extends string, State, Event extends MetricEvent = MetricEvent, Dimensions = State>(
    name: Name,
    definition: { readonly events?: ReadonlyArray<Event["_tag"]> | undefined } & Definition<Event, State, Dimensions>
  ): Metric<Name, Event, State, Dimensions>
  <const Name extends string, const Sources extends ReadonlyArray<EventSource>, State, Dimensions = State>(
    name: Name,
    definition: { readonly events: Sources } & Definition<SourceEvent<Sources[number]>, State, Dimensions>
  ): Metric<Name, SourceEvent<Sources[number]>, State, Dimensions>
} = (
  name: string,
  definition: { readonly events?: ReadonlyArray<EventSource> | undefined } & Definition<any, any, any>
): Any => {
  checkName(name)
  if (!Predicate.isObject(definition)) throw InvalidMetricError.of(name, definition, "a definition")
  const { combine, description, dimensions, initial, reduce, state, version = 1 } = definition
  if (typeof reduce !== "function") throw InvalidMetricError.of(name, reduce, "`reduce` to be a function")
  if (initial === undefined) throw InvalidMetricError.of(name, initial, "`initial` to be given")
  if (dimensions !== undefined && typeof dimensions !== "function") {
    throw InvalidMetricError.of(name, dimensions, "`dimensions` to be a function")
  }
  if (dimensions === undefined && !isRecord(initial)) {
    throw InvalidMetricError.of(name, initial, "`initial` to be a record, or `dimensions` to make one of it")
  }
  if (combine !== undefined && typeof combine?.combine !== "function") {
    throw InvalidMetricError.of(name, combine, "`combine` to be a Combiner")
  }
  if (state !== undefined && !Schema.isSchema(state)) throw InvalidMetricError.of(name, state, "`state` to be a Schema")
  checkVersion(name, version)
  const view = dimensions ?? ((state: unknown) => state)
  return construct({
    name,
    description,
    tags: definition.events === undefined ? undefined : tagsOf(name, definition.events),
    initial,
    reduce,
    dimensions: view,
    instruments: checkInstruments(name, definition.instruments, shapeOf(name, view, initial)),
    combine,
    state,
    version,
    measures: undefined
  })
}

/**
 * Defines a metric of ready-made dimensions.
 *
 * **When to use**
 *
 * Use for the measurements of every day: counts, sums, means, histograms, by
 * labels or not. A measurement of your own is stated with {@link make}.
 *
 * **Details**
 *
 * The callback is given a builder for dimensions of these events, and returns
 * them by name. The result is a metric as any other, whose states can also be
 * merged, stored and published.
 *
 * An event counts for all dimensions or for none: when a selector throws, the
 * metric stays as it was. An event that no dimension counts, because of `when`,
 * is ignored.
 *
 * Throws an `InvalidMetricError` when the name is blank, when there is no
 * dimension, when two dimensions have one name once nested names are joined with
 * a dot, or when an option of a dimension is wrong.
 *
 * **Gotchas**
 *
 * Classes of `Data.TaggedClass` have no readable tag: name the tag, and annotate
 * the builder, as `(d: Dimension.Builder<MyEvent>) => ...`.
 *
 * The state is opaque: read it through {@link snapshot} or {@link samples}.
 *
 * **Example** (One fact, three answers)
 *
 * ```ts
 * import { Event, Metric } from "mvx-metrics"
 * import { Schema } from "effect"
 *
 * class Request extends Event.Class<Request>()("http.request", {
 *   method: Schema.Literals(["GET", "POST"]),
 *   durationMs: Schema.Finite
 * }) {}
 *
 * const Requests = Metric.fromDimensions("http.requests", [Request], (d) => ({
 *   total: d.count(),
 *   slow_total: d.count({ when: (e) => e.durationMs > 100 }),
 *   by_method: d.by("method", (e) => e.method, d.max((e) => e.durationMs, { unit: "ms" }))
 * }))
 *
 * const state = Metric.fold(Requests, [
 *   new Request({ method: "GET", durationMs: 20 }),
 *   new Request({ method: "GET", durationMs: 120 })
 * ])
 *
 * Metric.samples(Requests, state).map(({ dimension, kind, labels, value }) => ({ dimension, kind, labels, value }))
 * // => [
 * //   { dimension: "total", kind: "counter", labels: {}, value: 2 },
 * //   { dimension: "slow_total", kind: "counter", labels: {}, value: 1 },
 * //   { dimension: "by_method", kind: "gauge", labels: { method: "GET" }, value: 120 }
 * // ]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromDimensions: {
  <
    const Name extends string,
    Event extends MetricEvent,
    const Dimensions extends Readonly<Record<string, Dimension<Event, any, unknown>>>
  >(
    name: Name,
    events: ReadonlyArray<Event["_tag"]> | undefined,
    f: (d: Builder<Event>) => Dimensions,
    options?: DimensionsOptions
  ): Metric<Name, Event, DimensionsState<Values<Dimensions>>, Values<Dimensions>>
  <
    const Name extends string,
    const Sources extends ReadonlyArray<EventSource>,
    const Dimensions extends Readonly<Record<string, Dimension<SourceEvent<Sources[number]>, any, unknown>>>
  >(
    name: Name,
    events: Sources,
    f: (d: Builder<SourceEvent<Sources[number]>>) => Dimensions,
    options?: DimensionsOptions
  ): Metric<Name, SourceEvent<Sources[number]>, DimensionsState<Values<Dimensions>>, Values<Dimensions>>
} = (
  name: string,
  events: ReadonlyArray<EventSource> | undefined,
  f: (d: Builder<any>) => Readonly<Record<string, AnyDimension>>,
  options: DimensionsOptions = {}
): Metric<any, any, any, any> => {
  checkName(name)
  const given: unknown = options
  if (!Predicate.isObject(given)) throw InvalidMetricError.of(name, given, "the options to be an object")
  const { description, version = 1 } = options
  checkFunction(name, "fromDimensions", f)
  checkVersion(name, version)
  const tags = events === undefined ? undefined : tagsOf(name, events)
  const dimensions = namingMetric(name, () => f(builder<any>()))
  if (!isRecord(dimensions) || Object.keys(dimensions).length === 0) {
    throw InvalidMetricError.of(name, dimensions, "the function to return a record of dimensions")
  }
  for (const [dimension, given] of Object.entries(dimensions)) {
    if (!isDimension(given)) {
      throw InvalidMetricError.of(name, given, `"${dimension}" to be a dimension, such as d.count()`)
    }
  }
  const root = namingMetric(name, () => structOf(dimensions))
  const instruments = (root.instrument as { readonly dimensions: Instruments }).dimensions
  checkDistinct(name, instruments)
  const fold = foldOf(root)
  return construct({
    name,
    description,
    tags,
    initial: root.initial,
    reduce: (state, event, meta) => Option.fromUndefinedOr(fold.step(state, event, meta, purely)),
    dimensions: (state, meta) => root.view(state, meta.time),
    instruments: Object.freeze(instruments),
    combine: { combine: (a, b) => root.merge(a, b, nobody) },
    state: root.codec,
    version,
    measures: new Measures(root, fold)
  })
}

/**
 * Folds events into a state, without a recorder.
 *
 * **When to use**
 *
 * Use in tests, and to compute a metric over recorded events.
 *
 * **Details**
 *
 * Starts from the metric's initial state. Events with a tag that the metric did
 * not name are passed over, as a recorder would. `time` (default 0) is what
 * reducers see as `meta.time` for events without a `time` of their own. A
 * reducer that throws throws here.
 *
 * **Example** (Testing a reducer)
 *
 * ```ts
 * import { Metric } from "mvx-metrics"
 * import { Option } from "effect"
 *
 * const Hits = Metric.make("cache.hits", {
 *   events: ["cache.hit"],
 *   initial: { total: 0, last_at: 0 },
 *   reduce: (s, _, meta) => Option.some({ total: s.total + 1, last_at: meta.time })
 * })
 *
 * Metric.fold(Hits, [{ _tag: "cache.hit" }, { _tag: "cache.miss" }], { time: 1_000 })
 * // => { total: 1, last_at: 1000 }
 * ```
 *
 * @category folding
 * @since 0.1.0
 */
export const fold: {
  <Event>(
    events: Iterable<Event | MetricEvent>,
    options?: { readonly time?: number | undefined }
  ): <Name extends string, State, Dimensions>(self: Metric<Name, Event, State, Dimensions>) => State
  <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>,
    events: Iterable<NoInfer<Event> | MetricEvent>,
    options?: { readonly time?: number | undefined }
  ): State
} = /*#__PURE__*/ dual(
  (args) => isMetric(args[0]),
  (self: Any, events: Iterable<MetricEvent>, options?: { readonly time?: number | undefined }): unknown => {
    const tags = self.tags === undefined ? undefined : new Set(self.tags)
    const meta = new EventMeta(options?.time ?? 0)
    if (self.measures !== undefined) return foldInPlace(self.initial, self.measures.fold, events, tags, meta)
    let state = self.initial
    for (const event of events) {
      if (tags !== undefined && !tags.has(event._tag)) continue
      meta.event = event
      const next = self.reduce(state, event, meta)
      if (!Option.isOption(next)) throw InvalidMetricError.of(self.name, next, "`reduce` to return an Option")
      if (Option.isSome(next)) state = next.value
    }
    return state
  }
)

/**
 * The view of a state: `{ name, dimensions }`, a frozen copy of plain data.
 *
 * **Details**
 *
 * `time` (default 0) is what the view sees as `meta.time`. A view that throws
 * throws here.
 *
 * @category folding
 * @since 0.1.0
 */
export const snapshot: {
  <State>(
    state: State,
    options?: { readonly time?: number | undefined }
  ): <Name extends string, Event, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => MetricSnapshot<Metric<Name, Event, State, Dimensions>>
  <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>,
    state: NoInfer<State>,
    options?: { readonly time?: number | undefined }
  ): MetricSnapshot<Metric<Name, Event, State, Dimensions>>
} = /*#__PURE__*/ dual(
  (args) => isMetric(args[0]),
  (self: Any, state: unknown, options?: { readonly time?: number | undefined }): MetricSnapshot =>
    viewOf(self, state, options?.time ?? 0)
)

/**
 * How the quantities of a metric are published, by dimension; names of nested
 * dimensions are joined with a dot.
 *
 * **Details**
 *
 * A number without an instrument is a counter where its name is `total` or ends
 * in `_total`, else a gauge.
 *
 * **Example** (Kinds and units)
 *
 * ```ts
 * import { Metric } from "mvx-metrics"
 *
 * const Uploads = Metric.fromDimensions("uploads", ["upload"], (d) => ({
 *   total: d.count(),
 *   by_user: d.by({ user: () => "a" }, d.struct({ bytes: d.sum(() => 1, { unit: "By" }) }))
 * }))
 *
 * Metric.instruments(Uploads)
 * // => {
 * //   total: { kind: "counter", labels: [] },
 * //   "by_user.bytes": { kind: "counter", unit: "By", labels: ["user"] }
 * // }
 * ```
 *
 * @category publishing
 * @since 0.1.0
 */
export const instruments = (self: Any): Readonly<Record<string, FlatInstrument>> =>
  flatInstruments(self.instruments, shapeOf(self.name, self.dimensions, self.initial))

/**
 * What a state shows, flattened into numbers and distributions with their kind,
 * unit and labels: what exporters publish.
 *
 * **Details**
 *
 * A value that is not there yet (`undefined`) has no sample, and neither have
 * texts and other things that are not numbers. The series of the events beyond
 * the limit of a label has the label `otel.metric.overflow="true"` in place of
 * its own. `time` (default 0) is what the view sees as `meta.time`. A view that
 * throws throws here.
 *
 * @category publishing
 * @since 0.1.0
 */
export const samples: {
  <State>(
    state: State,
    options?: { readonly time?: number | undefined }
  ): <Name extends string, Event, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => ReadonlyArray<Sample>
  <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>,
    state: NoInfer<State>,
    options?: { readonly time?: number | undefined }
  ): ReadonlyArray<Sample>
} = /*#__PURE__*/ dual(
  (args) => isMetric(args[0]),
  (self: Any, state: unknown, options?: { readonly time?: number | undefined }): ReadonlyArray<Sample> =>
    samplesIn(self, state, options?.time ?? 0, Infinity).next().value ?? []
)

/**
 * Returns `true` when two states of the metric can become one: it is made of
 * dimensions, or was given a `combine`.
 *
 * @category merging
 * @since 0.1.0
 */
export const canMerge = (self: Any): boolean => self.combine !== undefined

/**
 * Makes one state of two, as if one recorder had folded the events of both.
 *
 * **When to use**
 *
 * Use to sum up what several recorders, threads or hosts have measured.
 *
 * **Details**
 *
 * How faithful that is depends on the dimensions: see `Dimension.merging`.
 * Throws a `MetricMergeError` when the metric has no way to merge, and when the
 * states do not fit together, such as histograms with different boundaries.
 *
 * **Example** (Two hosts)
 *
 * ```ts
 * import { Metric } from "mvx-metrics"
 *
 * const Hits = Metric.fromDimensions("cache.hits", ["cache.hit"], (d) => ({ total: d.count() }))
 *
 * const one = Metric.fold(Hits, [{ _tag: "cache.hit" }])
 * const other = Metric.fold(Hits, [{ _tag: "cache.hit" }, { _tag: "cache.hit" }])
 *
 * Metric.snapshot(Hits, Metric.merge(Hits, one, other)).dimensions // => { total: 3 }
 * ```
 *
 * @category merging
 * @since 0.1.0
 */
export const merge: {
  <State>(a: State, b: State): <Name extends string, Event, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => State
  <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>,
    a: NoInfer<State>,
    b: NoInfer<State>
  ): State
} = /*#__PURE__*/ dual(3, (self: Any, a: unknown, b: unknown): unknown => {
  const { combine } = self
  if (combine === undefined) throw unmergeable(self)
  return merging(self, () => combine.combine(a, b))
})

/**
 * What happened between two states of one recorder, as a state: merged with
 * `earlier` it is `later`.
 *
 * **When to use**
 *
 * Use for deltas: what was counted since the last report.
 *
 * **Details**
 *
 * Counts, sums, means, variances and histograms have a difference; the smallest
 * and greatest value in them, and gauges, are as they are in `later`. Where
 * `later` has counted less than `earlier` anywhere, it began anew meanwhile, and
 * the difference is `later` itself.
 *
 * Throws a `MetricMergeError` when the metric is not made of dimensions, and
 * when the states do not fit together.
 *
 * **Example** (Since the last report)
 *
 * ```ts
 * import { Metric } from "mvx-metrics"
 *
 * const Hits = Metric.fromDimensions("cache.hits", ["cache.hit"], (d) => ({ total: d.count() }))
 *
 * const earlier = Metric.fold(Hits, [{ _tag: "cache.hit" }])
 * const later = Metric.fold(Hits, [{ _tag: "cache.hit" }, { _tag: "cache.hit" }, { _tag: "cache.hit" }])
 *
 * Metric.snapshot(Hits, Metric.diff(Hits, later, earlier)).dimensions // => { total: 2 }
 * ```
 *
 * @category merging
 * @since 0.1.0
 */
export const diff: {
  <State>(later: State, earlier: State): <Name extends string, Event, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => State
  <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>,
    later: NoInfer<State>,
    earlier: NoInfer<State>
  ): State
} = /*#__PURE__*/ dual(3, (self: Any, later: any, earlier: any): unknown => {
  const { measures } = self
  if (measures === undefined) {
    throw new MetricMergeError({
      name: self.name,
      reason: "expected a metric made of dimensions, found one with a reducer"
    })
  }
  return merging(self, () => measures.root.diff(later, earlier)) ?? later
})

/**
 * How a state of the metric is stored and shipped: as JSON, together with the
 * metric's name and version.
 *
 * **Details**
 *
 * The stored form is `{ metric, version, state }`. A stored state of another
 * metric, another version or another shape fails with a `SchemaError` that says
 * what was expected and what was found.
 *
 * Throws an `InvalidMetricError` when the metric was not given a `state` schema
 * and is not made of dimensions.
 *
 * **Example** (Storing a state)
 *
 * ```ts
 * import { Metric } from "mvx-metrics"
 * import { Schema } from "effect"
 *
 * const Hits = Metric.fromDimensions("cache.hits", ["cache.hit"], (d) => ({ total: d.count() }))
 * const codec = Metric.codec(Hits)
 *
 * const stored = Schema.encodeSync(codec)(Metric.fold(Hits, [{ _tag: "cache.hit" }]))
 * JSON.stringify(stored) // => '{"metric":"cache.hits","version":1,"state":{"dimensions":{"total":1},"skipped":0}}'
 *
 * const state = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(stored)))
 * Metric.snapshot(Hits, state).dimensions // => { total: 1 }
 * ```
 *
 * @category storing
 * @since 0.1.0
 */
export const codec = <Name extends string, Event, State, Dimensions>(
  self: Metric<Name, Event, State, Dimensions>
): Schema.Codec<State, StoredState<Name>> => {
  const { name, state, version } = self
  if (state === undefined) {
    throw InvalidMetricError.of(name, state, "`state` to be a Schema, or the metric to be made of dimensions")
  }
  return storedState(name, version, state) as unknown as Schema.Codec<State, StoredState<Name>>
}

/**
 * Counts only the events for which the predicate holds.
 *
 * **Example** (Counting failures only)
 *
 * ```ts
 * import { Metric } from "mvx-metrics"
 * import { Option } from "effect"
 *
 * const Requests = Metric.make("http.requests", {
 *   initial: { total: 0 },
 *   reduce: (s, _event: { readonly _tag: "http.request"; readonly status: number }) =>
 *     Option.some({ total: s.total + 1 })
 * })
 *
 * const Failures = Requests.pipe(Metric.filter((e) => e.status >= 500), Metric.rename("http.failures"))
 *
 * Metric.fold(Failures, [200, 503].map((status) => ({ _tag: "http.request", status }))) // => { total: 1 }
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const filter: {
  <Event>(predicate: (event: Event) => boolean): <Name extends string, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => Metric<Name, Event, State, Dimensions>
  <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>,
    predicate: (event: NoInfer<Event>) => boolean
  ): Metric<Name, Event, State, Dimensions>
} = /*#__PURE__*/ dual(
  2,
  (self: Any, predicate: (event: unknown) => boolean): Any => {
    checkFunction(self.name, "filter", predicate)
    const { measures } = self
    return construct({
      ...self,
      reduce: (state, event, meta) => predicate(event) ? self.reduce(state, event, meta) : Option.none(),
      measures: measures?.with(filtered(measures.fold, predicate))
    })
  }
)

/**
 * Lets a metric fold other events, by way of a function from those to its own.
 *
 * **When to use**
 *
 * Use to feed a ready-made metric from the events of your own domain.
 *
 * **Details**
 *
 * `events` takes the place of the metric's own. An event that `f` gives a
 * numeric `time` is folded at that time.
 *
 * **Example** (Feeding a generic metric)
 *
 * ```ts
 * import { Metric } from "mvx-metrics"
 * import { Option } from "effect"
 *
 * const Bytes = Metric.make("bytes", {
 *   initial: { total: 0 },
 *   reduce: (s, e: { readonly _tag: "bytes"; readonly count: number }) => Option.some({ total: s.total + e.count })
 * })
 *
 * const Uploaded = Metric.mapEvent(Bytes, {
 *   events: ["upload"],
 *   f: (e: { readonly _tag: "upload"; readonly body: string }) => ({ _tag: "bytes" as const, count: e.body.length })
 * })
 *
 * Metric.fold(Uploaded, [{ _tag: "upload", body: "abc" }]) // => { total: 3 }
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const mapEvent: {
  <const Sources extends ReadonlyArray<EventSource>, Event>(options: {
    readonly events: Sources
    readonly f: (event: SourceEvent<Sources[number]>) => Event
  }): <Name extends string, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => Metric<Name, SourceEvent<Sources[number]>, State, Dimensions>
  <Outer extends MetricEvent, Event>(options: {
    readonly events?: ReadonlyArray<Outer["_tag"]> | undefined
    readonly f: (event: Outer) => Event
  }): <Name extends string, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => Metric<Name, Outer, State, Dimensions>
  <Name extends string, Event, State, Dimensions, const Sources extends ReadonlyArray<EventSource>>(
    self: Metric<Name, Event, State, Dimensions>,
    options: {
      readonly events: Sources
      readonly f: (event: SourceEvent<Sources[number]>) => NoInfer<Event>
    }
  ): Metric<Name, SourceEvent<Sources[number]>, State, Dimensions>
  <Name extends string, Event, State, Dimensions, Outer extends MetricEvent>(
    self: Metric<Name, Event, State, Dimensions>,
    options: {
      readonly events?: ReadonlyArray<Outer["_tag"]> | undefined
      readonly f: (event: Outer) => NoInfer<Event>
    }
  ): Metric<Name, Outer, State, Dimensions>
} = /*#__PURE__*/ dual(
  2,
  (
    self: Any,
    { events, f }: {
      readonly events?: ReadonlyArray<EventSource> | undefined
      readonly f: (event: any) => MetricEvent
    }
  ): Any => {
    checkFunction(self.name, "mapEvent", f)
    const { measures } = self
    const map = (event: MetricEvent, meta: Meta): readonly [MetricEvent, Meta] => {
      const inner = f(event)
      return [inner, "time" in inner ? new EventMeta(meta.time, inner) : meta]
    }
    return construct({
      ...self,
      tags: events === undefined ? undefined : tagsOf(self.name, events),
      reduce: (state, event, meta) => self.reduce(state, ...map(event, meta)),
      measures: measures?.with(mapped(measures.fold, map))
    })
  }
)

/**
 * Changes what a metric shows, and leaves what it folds.
 *
 * **Details**
 *
 * The instruments of dimensions that are no longer shown go.
 *
 * **Example** (Adding a ratio)
 *
 * ```ts
 * import { Metric } from "mvx-metrics"
 * import { Option } from "effect"
 *
 * const Lookups = Metric.make("cache.lookups", {
 *   initial: { total: 0, hits: 0 },
 *   reduce: (s, e: { readonly _tag: "cache.lookup"; readonly hit: boolean }) =>
 *     Option.some({ total: s.total + 1, hits: s.hits + (e.hit ? 1 : 0) })
 * }).pipe(
 *   Metric.mapDimensions((d) => ({ ...d, hit_ratio: d.total === 0 ? 0 : d.hits / d.total }))
 * )
 *
 * Metric.snapshot(Lookups, { total: 4, hits: 3 }).dimensions // => { total: 4, hits: 3, hit_ratio: 0.75 }
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const mapDimensions: {
  <Dimensions, Dimensions2>(
    f: (dimensions: Dimensions, meta: Meta) => Dimensions2
  ): <Name extends string, Event, State>(
    self: Metric<Name, Event, State, Dimensions>
  ) => Metric<Name, Event, State, Dimensions2>
  <Name extends string, Event, State, Dimensions, Dimensions2>(
    self: Metric<Name, Event, State, Dimensions>,
    f: (dimensions: NoInfer<Dimensions>, meta: Meta) => Dimensions2
  ): Metric<Name, Event, State, Dimensions2>
} = /*#__PURE__*/ dual(2, (self: Any, f: (dimensions: unknown, meta: Meta) => unknown): Any => {
  checkFunction(self.name, "mapDimensions", f)
  const dimensions = (state: unknown, meta: Meta) => f(self.dimensions(state, meta), meta)
  const shape = shapeOf(self.name, dimensions, self.initial)
  const shown = Object.entries(self.instruments).filter(([dimension]) =>
    shape === undefined || Object.hasOwn(shape, dimension)
  )
  return construct({
    ...self,
    dimensions,
    instruments: checkInstruments(self.name, Object.fromEntries(shown), shape)
  })
})

/**
 * The same metric under another name.
 *
 * @category combinators
 * @since 0.1.0
 */
export const rename: {
  <const Name2 extends string>(name: Name2): <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => Metric<Name2, Event, State, Dimensions>
  <Name extends string, Event, State, Dimensions, const Name2 extends string>(
    self: Metric<Name, Event, State, Dimensions>,
    name: Name2
  ): Metric<Name2, Event, State, Dimensions>
} = /*#__PURE__*/ dual(2, (self: Any, name: string): Any => {
  checkName(name)
  return construct({ ...self, name })
})

/**
 * The same metric with another description.
 *
 * @category combinators
 * @since 0.1.0
 */
export const describe: {
  (description: string): <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>
  ) => Metric<Name, Event, State, Dimensions>
  <Name extends string, Event, State, Dimensions>(
    self: Metric<Name, Event, State, Dimensions>,
    description: string
  ): Metric<Name, Event, State, Dimensions>
} = /*#__PURE__*/ dual(2, (self: Any, description: string): Any => construct({ ...self, description }))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

const Proto = { [TypeId]: TypeId, ...Pipeable.Prototype }

/** A metric of its own, also where it folds as another does. */
const construct = ({ measures, ...fields }: Omit<Any, typeof TypeId | "pipe">): Any =>
  Object.freeze(Object.assign(Object.create(Proto), fields, { measures: measures?.with() }))

const unmergeable = (self: Any): MetricMergeError =>
  new MetricMergeError({ name: self.name, reason: "expected a metric with `combine`, or one made of dimensions" })

const merging = <A>(self: Any, merge: () => A): A => {
  try {
    return merge()
  } catch (cause) {
    throw new MetricMergeError({
      name: self.name,
      reason: cause instanceof Error ? cause.message : String(cause),
      ...(cause instanceof MergeConflict ? {} : { cause })
    })
  }
}

/** The tag of no event. */
const none = Symbol("none")

/** The fold of a batch, in place: nobody sees the states in between. */
const foldInPlace = (
  initial: FieldsState,
  { step }: Fold,
  events: Iterable<MetricEvent>,
  tags: ReadonlySet<string> | undefined,
  meta: EventMeta
): FieldsState => {
  const by = { owner: newOwner() }
  let state = initial
  // Events of one tag tend to come together.
  let lastTag: unknown = none
  for (const event of events) {
    const { _tag } = event
    if (_tag !== lastTag) {
      if (tags !== undefined && !tags.has(_tag)) continue
      lastTag = _tag
    }
    meta.event = event
    state = step(state, event, meta, by) ?? state
  }
  return state
}
