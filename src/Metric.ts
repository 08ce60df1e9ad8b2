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
import type { AnyClass, MetricEvent } from "./Event.ts"
import { describe as describeValue } from "./internal/describe.ts"
import { EventMeta } from "./internal/EventMeta.ts"
import { plainCopy } from "./internal/plainCopy.ts"
import { tagOf } from "./internal/tagOf.ts"

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
}

/**
 * Any metric, whatever it folds.
 *
 * @category models
 * @since 0.1.0
 */
export type Any = Metric<string, any, any, any>

/**
 * What a reducer and a view are told beside their arguments.
 *
 * **Details**
 *
 * For a reducer, `time` is the event's own numeric field `time` where it has
 * one, else the time at which its batch was folded; for a view it is the time of
 * the read. Unix milliseconds.
 *
 * **Gotchas**
 *
 * The object is valid during the call only: keep `meta.time`, not `meta`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Meta {
  readonly time: number
}

/**
 * The kinds of instruments, in the terms of OpenTelemetry: a `counter` only
 * grows, an `upDownCounter` may fall, a `gauge` is a current value, a
 * `histogram` a distribution.
 *
 * @category models
 * @since 0.1.0
 */
export type InstrumentKind = typeof instrumentKinds[number]

/**
 * How a dimension is published: its kind and, in UCUM notation, its unit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instrument {
  readonly kind: InstrumentKind
  readonly unit?: string | undefined
}

/**
 * The instruments of a metric, by dimension.
 *
 * @category models
 * @since 0.1.0
 */
export type Instruments = Readonly<Record<string, Instrument>>

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
 * A metric is not well defined, or a value offered as a metric is not one.
 *
 * **Details**
 *
 * `metric` is the metric's name where it has one, `given` what was found, as
 * readable text, and `expected` what should be there. Thrown where a metric is
 * defined; a recorder that is handed something else fails with it.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidMetricError extends Schema.TaggedError<InvalidMetricError>("mvx-metrics/Metric/InvalidMetricError")(
  "InvalidMetricError",
  { metric: Schema.optionalKey(Schema.String), given: Schema.String, expected: Schema.String }
) {
  override get message(): string {
    const subject = this.metric === undefined ? "Invalid metric" : `Invalid metric ${JSON.stringify(this.metric)}`
    return `${subject}: expected ${this.expected}, found ${this.given}`
  }

  /** @internal */
  static of(metric: string | undefined, given: unknown, expected: string): InvalidMetricError {
    return new InvalidMetricError({
      ...(metric === undefined ? {} : { metric }),
      given: describeValue(given),
      expected
    })
  }
}

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
  if (dimensions === undefined && !isPlainRecord(initial)) {
    throw InvalidMetricError.of(name, initial, "`initial` to be a record, or `dimensions` to make one of it")
  }
  if (combine !== undefined && typeof combine?.combine !== "function") {
    throw InvalidMetricError.of(name, combine, "`combine` to be a Combiner")
  }
  if (state !== undefined && !Schema.isSchema(state)) throw InvalidMetricError.of(name, state, "`state` to be a Schema")
  if (!Number.isInteger(version) || version < 1) {
    throw InvalidMetricError.of(name, version, "`version` to be a positive integer")
  }
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
    version
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
} = dual(
  (args) => isMetric(args[0]),
  (self: Any, events: Iterable<MetricEvent>, options?: { readonly time?: number | undefined }): unknown => {
    const tags = self.tags === undefined ? undefined : new Set(self.tags)
    const meta = new EventMeta(options?.time ?? 0)
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
} = dual(
  (args) => isMetric(args[0]),
  (self: Any, state: unknown, options?: { readonly time?: number | undefined }): MetricSnapshot =>
    Object.freeze({
      name: self.name,
      dimensions: plainCopy(self.dimensions(state, { time: options?.time ?? 0 }))
    })
)

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
} = dual(
  2,
  (self: Any, predicate: (event: unknown) => boolean): Any => {
    checkFunction(self.name, "filter", predicate)
    return construct({
      ...self,
      reduce: (state, event, meta) => predicate(event) ? self.reduce(state, event, meta) : Option.none()
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
} = dual(
  2,
  (
    self: Any,
    { events, f }: {
      readonly events?: ReadonlyArray<EventSource> | undefined
      readonly f: (event: any) => MetricEvent
    }
  ): Any => {
    checkFunction(self.name, "mapEvent", f)
    return construct({
      ...self,
      tags: events === undefined ? undefined : tagsOf(self.name, events),
      reduce: (state, event, meta) => {
        const inner = f(event)
        return self.reduce(state, inner, "time" in inner ? new EventMeta(meta.time, inner) : meta)
      }
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
} = dual(2, (self: Any, f: (dimensions: unknown, meta: Meta) => unknown): Any => {
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
} = dual(2, (self: Any, name: string): Any => {
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
} = dual(2, (self: Any, description: string): Any => construct({ ...self, description }))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

const instrumentKinds = ["counter", "upDownCounter", "gauge", "histogram"] as const

const Proto = { [TypeId]: TypeId, ...Pipeable.Prototype }

const construct = (fields: Omit<Any, typeof TypeId | "pipe">): Any =>
  Object.freeze(Object.assign(Object.create(Proto), fields))

const checkName = (name: unknown): void => {
  if (typeof name !== "string" || name.trim() === "") {
    throw InvalidMetricError.of(undefined, name, "the name to be a non-blank string")
  }
}

const checkFunction = (name: string, combinator: string, f: unknown): void => {
  if (typeof f !== "function") throw InvalidMetricError.of(name, f, `${combinator} to be given a function`)
}

const tagsOf = (name: string, events: unknown): ReadonlyArray<string> => {
  if (!Array.isArray(events) || events.length === 0) {
    throw InvalidMetricError.of(name, events, "`events` to be a non-empty array, or absent for every event")
  }
  const tags = events.map((source: unknown) => {
    const tag = typeof source === "string" ? source : Predicate.isFunction(source) ? tagOf(source) : undefined
    if (tag === undefined || tag.trim() === "") {
      throw InvalidMetricError.of(name, source, "`events` to hold tags, or event classes with a readable tag")
    }
    return tag
  })
  return Object.freeze(Array.from(new Set(tags)))
}

const isPlainRecord = (u: unknown): u is Record<string, unknown> => Predicate.isObject(u) && !Array.isArray(u)

/** The dimensions of a fresh metric, or `undefined` where the view throws on the initial state. */
const shapeOf = (
  name: string,
  view: (state: any, meta: Meta) => unknown,
  initial: unknown
): Record<string, unknown> | undefined => {
  let shape: unknown
  try {
    shape = view(initial, { time: 0 })
  } catch {
    return undefined
  }
  if (!isPlainRecord(shape)) throw InvalidMetricError.of(name, shape, "`dimensions` to show a record")
  checkDimensionNames(name, shape)
  return shape
}

const checkInstruments = (
  name: string,
  instruments: object | undefined,
  shape: Record<string, unknown> | undefined
): Instruments => {
  if (instruments === undefined) return Object.freeze({})
  if (!isPlainRecord(instruments)) throw InvalidMetricError.of(name, instruments, "`instruments` to be a record")
  const entries = Object.entries(instruments).filter(([, instrument]) => instrument !== undefined)
  for (const [dimension, instrument] of entries) checkInstrument(name, dimension, instrument, shape)
  return Object.freeze(Object.fromEntries(entries)) as Instruments
}

const checkInstrument = (
  name: string,
  dimension: string,
  instrument: unknown,
  shape: Record<string, unknown> | undefined
): void => {
  const { kind, unit } = (instrument ?? {}) as { readonly kind?: InstrumentKind; readonly unit?: unknown }
  if (kind === undefined || !instrumentKinds.includes(kind)) {
    throw InvalidMetricError.of(
      name,
      kind,
      `the kind of dimension "${dimension}" to be one of ${instrumentKinds.join(", ")}`
    )
  }
  if (unit !== undefined && typeof unit !== "string") {
    throw InvalidMetricError.of(name, unit, `the unit of dimension "${dimension}" to be a string`)
  }
  if (shape === undefined) return
  if (!Object.hasOwn(shape, dimension)) {
    throw InvalidMetricError.of(
      name,
      dimension,
      `\`instruments\` to name dimensions among ${Object.keys(shape).join(", ")}`
    )
  }
  const value = shape[dimension]
  const isNumber = typeof value === "number" || typeof value === "bigint"
  if (kind === "histogram" ? isNumber : !isNumber && !isPlainRecord(value)) {
    throw InvalidMetricError.of(
      name,
      value,
      `dimension "${dimension}" of kind ${kind} to show ${
        kind === "histogram" ? "a distribution" : "a number, or a record of numbers"
      }`
    )
  }
}

const checkDimensionNames = (name: string, shape: Record<string, unknown>): void => {
  const seen = new Set<string>()
  const visit = (record: Record<string, unknown>, prefix: string): void => {
    for (const [key, value] of Object.entries(record)) {
      const path = `${prefix}${key}`
      if (seen.has(path)) throw InvalidMetricError.of(name, path, "every dimension to have a name of its own")
      seen.add(path)
      if (isPlainRecord(value)) visit(value, `${path}.`)
    }
  }
  visit(shape, "")
}
