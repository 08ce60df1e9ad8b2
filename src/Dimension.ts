/**
 * Ready-made folds: a dimension is one quantity of a metric, as a pure value.
 *
 * A dimension knows how an event changes its state, what the state shows, how
 * two states become one, how a state is stored and how it is published. A metric
 * made of dimensions has all of that without another line:
 *
 * ```ts
 * import { Event, Metric } from "mvx-metrics"
 * import { Schema } from "effect"
 *
 * class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
 *   outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
 *   durationMs: Schema.Finite
 * }) {}
 *
 * const Saves = Metric.fromDimensions("document_storage.saves", [SaveAttempt], (d) => ({
 *   total: d.count(),
 *   mean_duration_ms: d.mean((e) => e.durationMs, { unit: "ms" }),
 *   by_outcome: d.by("outcome", (e) => e.outcome, d.count())
 * }))
 *
 * const state = Metric.fold(Saves, [
 *   new SaveAttempt({ outcome: "SUCCESS", durationMs: 2 }),
 *   new SaveAttempt({ outcome: "FAILURE", durationMs: 4 })
 * ])
 *
 * const { dimensions } = Metric.snapshot(Saves, state)
 * dimensions.total // => 2
 * dimensions.mean_duration_ms // => 3
 * dimensions.by_outcome.FAILURE // => 1
 * ```
 *
 * @since 0.1.0
 */
import type * as Combiner from "effect/Combiner"
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { count } from "./internal/dimension/Count.ts"
import * as Exponential from "./internal/dimension/ExponentialHistogram.ts"
import { max, min } from "./internal/dimension/Extremum.ts"
import { fields } from "./internal/dimension/Fields.ts"
import * as Explicit from "./internal/dimension/Histogram.ts"
import * as HyperLogLog from "./internal/dimension/HyperLogLog.ts"
import { stepOf } from "./internal/dimension/interpretFold.ts"
import { type Kind, type Merging, nobody } from "./internal/dimension/Kind.ts"
import { last } from "./internal/dimension/Last.ts"
import { mean } from "./internal/dimension/Mean.ts"
import type { Input, Labelled, Leaf, Node, Struct } from "./internal/dimension/Node.ts"
import * as Quantiles from "./internal/dimension/Quantiles.ts"
import { defaultLimit, type LabelledValue, type OnLimit, overflowKey, series } from "./internal/dimension/Series.ts"
import * as SlidingWindow from "./internal/dimension/SlidingWindow.ts"
import * as SpaceSaving from "./internal/dimension/SpaceSaving.ts"
import { sum, upDown } from "./internal/dimension/Sum.ts"
import { variance, type VarianceValue } from "./internal/dimension/Variance.ts"
import type { Meta } from "./internal/EventMeta.ts"
import type { Instrument, InstrumentKind, Quantity } from "./internal/Instrument.ts"
import { InvalidOptionError } from "./internal/InvalidOptionError.ts"

const TypeId = "~mvx-metrics/Dimension"

/**
 * One quantity of a metric: a pure fold of events into a state, with everything
 * that reading, merging, storing and publishing the state takes.
 *
 * **Details**
 *
 * - `step` is the state after one more event; an event that does not count, or
 *   whose value cannot be measured, leaves it as it is.
 * - `value` is what a snapshot shows, at the time of the read.
 * - `combine` makes one state of two; it throws where they do not fit together.
 * - `codec` stores a state as JSON.
 * - `instrument` says how it is published.
 * - `merging` says how faithfully states merge.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dimension<in Event, in out State, out Value> {
  readonly [TypeId]: typeof TypeId
  readonly initial: State
  readonly step: (state: State, event: Event, meta: Meta) => State
  readonly value: (state: State, meta: Meta) => Value
  readonly combine: Combiner.Combiner<State>
  readonly codec: Schema.Codec<State, any>
  readonly instrument: Instrument
  readonly merging: Merging
}

/**
 * The state of a dimension of one kind that is more than a number: opaque,
 * immutable.
 *
 * @category models
 * @since 0.1.0
 */
export interface State<out Kind extends string> {
  readonly "~mvx-metrics/Dimension/State": Kind
}

/**
 * Any dimension.
 *
 * @category models
 * @since 0.1.0
 */
export type Any = Dimension<any, any, unknown>

export type {
  /**
   * How faithfully two states merge: `merge(fold(xs), fold(ys))` equals
   * `fold(xs ++ ys)` exactly, up to a stated bound, or when the events of `ys`
   * are later than those of `xs`.
   *
   * @category models
   * @since 0.1.0
   */
  Merging
} from "./internal/dimension/Kind.ts"

export type {
  /**
   * What an explicit histogram shows.
   *
   * @category models
   * @since 0.1.0
   */
  HistogramValue
} from "./internal/dimension/Histogram.ts"

export type {
  /**
   * What an exponential histogram shows.
   *
   * @category models
   * @since 0.1.0
   */
  ExponentialValue
} from "./internal/dimension/ExponentialHistogram.ts"

export type {
  /**
   * What quantiles show.
   *
   * @category models
   * @since 0.1.0
   */
  QuantilesValue
} from "./internal/dimension/Quantiles.ts"

export type {
  /**
   * One of the most frequent items.
   *
   * @category models
   * @since 0.1.0
   */
  TopKEntry
} from "./internal/dimension/SpaceSaving.ts"

export type {
  /**
   * What a variance shows.
   *
   * @category models
   * @since 0.1.0
   */
  VarianceValue
} from "./internal/dimension/Variance.ts"

export type {
  /**
   * A series of a dimension with several labels.
   *
   * @category models
   * @since 0.1.0
   */
  LabelledValue
} from "./internal/dimension/Series.ts"

export {
  /**
   * The name of the series that takes the events beyond the limit of a label.
   * Reserved: an event with this text as its one label counts as beyond the limit.
   *
   * @category labels
   * @since 0.1.0
   */
  overflowKey
} from "./internal/dimension/Series.ts"

/**
 * What can be the value of a label. Numbers and booleans stand for their text;
 * an absent value is the empty label.
 *
 * @category labels
 * @since 0.1.0
 */
export type Label = string | number | boolean | bigint | null | undefined

/**
 * What a dimension by one label shows: a record that holds the values that have
 * been seen, and nothing else (it has no prototype).
 *
 * @category labels
 * @since 0.1.0
 */
export type ByLabel<L extends Label, Value> =
  & (string extends L ? Readonly<Record<string, Value>> : { readonly [K in Text<L>]?: Value })
  & { readonly [overflowKey]?: Value }

type Text<L extends Label> = L extends null | undefined ? ""
  : number extends L ? number
  : bigint extends L ? number
  : `${Exclude<L, null | undefined>}`

/**
 * Options that every dimension has.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in Event> {
  /** Which events count; all of them, unless given. */
  readonly when?: ((event: Event) => unknown) | undefined
}

/**
 * Options of a dimension that measures something.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnitOptions<in Event> extends Options<Event> {
  /** What the values are in, in UCUM notation: `ms`, `By`, `{request}`. */
  readonly unit?: string | undefined
}

/**
 * Options of a dimension with labels.
 *
 * @category labels
 * @since 0.1.0
 */
export interface LabelOptions<in Event> extends Options<Event> {
  /** How many series there are at most; 2 000 unless given, as in OpenTelemetry. */
  readonly limit?: number | undefined
  /**
   * What becomes of the events beyond the limit. `"other"` (the default) counts
   * them in one series named {@link overflowKey}, `"drop"` in none. They are
   * counted in the `stats` of the recorder.
   */
  readonly onLimit?: OnLimit | undefined
}

/**
 * The values of a record of dimensions.
 *
 * @category models
 * @since 0.1.0
 */
export type Values<Fields extends Readonly<Record<string, Any>>> = {
  readonly [K in keyof Fields]: Fields[K] extends Dimension<any, any, infer Value> ? Value : never
}

/**
 * What is measured of an event; nothing, where it is `undefined`.
 *
 * @category models
 * @since 0.1.0
 */
export type Measure<in Event> = (event: Event) => number | undefined

/**
 * Makes dimensions of one type of events: what the callback of
 * `Metric.fromDimensions` is given.
 *
 * **Details**
 *
 * The first argument says what is measured of an event. An event for which that
 * is `undefined` does not count: optional fields need no more than
 * `(e) => e.bytes`. Any other value that is not a finite number never gets into a
 * state: it is skipped, and counted in the `skipped` of the recorder's `stats`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Builder<in out Event> {
  /**
   * How many events there were. A counter; merges exactly.
   */
  readonly count: (options?: UnitOptions<Event>) => Dimension<Event, number, number>

  /**
   * The sum of values that are not negative. A counter: it only grows.
   *
   * **Gotchas**
   *
   * A negative value is skipped and counted; use `upDown` for values that may be
   * negative. A sum beyond the greatest finite number stays there.
   */
  readonly sum: (f: Measure<Event>, options?: UnitOptions<Event>) => Dimension<Event, number, number>

  /**
   * The sum of values that may be negative: how many there are now, where events
   * say +1 and -1. An up-down counter.
   */
  readonly upDown: (f: Measure<Event>, options?: UnitOptions<Event>) => Dimension<Event, number, number>

  /** The smallest value so far, `undefined` before the first. A gauge; merges exactly. */
  readonly min: (
    f: Measure<Event>,
    options?: UnitOptions<Event>
  ) => Dimension<Event, number | undefined, number | undefined>

  /** The greatest value so far, `undefined` before the first. A gauge; merges exactly. */
  readonly max: (
    f: Measure<Event>,
    options?: UnitOptions<Event>
  ) => Dimension<Event, number | undefined, number | undefined>

  /**
   * The arithmetic mean, `undefined` before the first value. A gauge. Its state is
   * a sum and a count, so that it merges as faithfully as a sum.
   */
  readonly mean: (
    f: Measure<Event>,
    options?: UnitOptions<Event>
  ) => Dimension<Event, State<"mean">, number | undefined>

  /**
   * Count, mean, variance (of all values, not an estimate from a sample) and
   * standard deviation. Gauges.
   *
   * **Details**
   *
   * Folded as by Welford (1962), merged as by Chan, Golub and LeVeque (1979):
   * neither loses digits where the values are large and close together, as the
   * sum of squares does.
   */
  readonly variance: (
    f: Measure<Event>,
    options?: UnitOptions<Event>
  ) => Dimension<Event, State<"variance">, VarianceValue>

  /**
   * The newest value, by the time of the event; `undefined` before the first. A gauge.
   *
   * **Details**
   *
   * Events without a `time` of their own have that of their batch, and the last
   * one of a batch counts. A merge keeps the newer value, and of two with one
   * time the greater one.
   */
  readonly last: (
    f: Measure<Event>,
    options?: UnitOptions<Event>
  ) => Dimension<Event, State<"last">, number | undefined>

  /**
   * How many values were in each bucket, their count, sum, smallest and greatest.
   *
   * **Details**
   *
   * A boundary belongs to the bucket below it, as in OpenTelemetry and Prometheus.
   * The default boundaries are those of the OpenTelemetry SDK, which suit
   * durations in milliseconds: 0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1 000,
   * 2 500, 5 000, 7 500, 10 000.
   */
  readonly histogram: (
    f: Measure<Event>,
    options?: UnitOptions<Event> & {
      /** The upper bounds of the buckets, ascending. */
      readonly boundaries?: ReadonlyArray<number> | undefined
    }
  ) => Dimension<Event, State<"histogram">, Explicit.HistogramValue>

  /**
   * A histogram whose buckets follow from the values: each is wider than the one
   * before by one factor, 2^(2^-scale), and the scale is the finest with which all
   * values fit into `maxSize` buckets. The base-2 exponential histogram of
   * OpenTelemetry; histograms of different scale merge exactly.
   */
  readonly exponentialHistogram: (
    f: Measure<Event>,
    options?: UnitOptions<Event> & {
      /** How many buckets there are at most, for positive and for negative values each; 160 unless given. */
      readonly maxSize?: number | undefined
    }
  ) => Dimension<Event, State<"exponentialHistogram">, Exponential.ExponentialValue>

  /**
   * Quantiles, by way of an exponential histogram. A summary.
   *
   * **Details**
   *
   * A quantile lies in the bucket of the value that it estimates: its relative
   * error is below 2^(2^-scale) - 1. With 160 buckets that is 4.5 % for values
   * whose greatest is up to 980 times the smallest, 9.1 % up to 960 000 times. Twice
   * as many buckets are one scale more. 0 and 1 are exact.
   */
  readonly quantiles: <const Q extends ReadonlyArray<number>>(
    f: Measure<Event>,
    options: UnitOptions<Event> & {
      /** Between 0 and 1: 0.5 is the median. */
      readonly quantiles: Q
      readonly maxSize?: number | undefined
    }
  ) => Dimension<Event, State<"exponentialHistogram">, Quantiles.QuantilesValue<Q>>

  /**
   * How many different values there were, about. A gauge; merges exactly.
   *
   * **Details**
   *
   * HyperLogLog with 2^precision registers and Ertl's estimator (2017): the
   * standard error is 1.04 / sqrt(2^precision), 0.81 % with the default precision
   * of 14, however many values there were. An absent value does not count.
   */
  readonly distinct: (
    f: (event: Event) => Label,
    options?: UnitOptions<Event> & {
      /** From 4 to 18; 14 unless given. */
      readonly precision?: number | undefined
    }
  ) => Dimension<Event, State<"distinct">, number>

  /**
   * The most frequent values, the most frequent first, each with a count and how
   * much too high that may be. Gauges, by the label `item`.
   *
   * **Details**
   *
   * Space-Saving (Metwally, Agrawal, El Abbadi 2005): every value that makes up
   * more than one part in `capacity` of all is found. States merge as by Agarwal
   * et al. (2013). An absent value does not count.
   */
  readonly topK: (
    f: (event: Event) => Label,
    options?: Options<Event> & {
      /** How many are shown; 10 unless given. */
      readonly k?: number | undefined
      /** How many are counted; ten times `k` unless given. */
      readonly capacity?: number | undefined
      /** The name of the label; `item` unless given. */
      readonly label?: string | undefined
    }
  ) => Dimension<Event, State<"topK">, ReadonlyArray<SpaceSaving.TopKEntry>>

  /**
   * Events per second, or the sum of a value per second, over the last `window`.
   * A gauge.
   *
   * **Details**
   *
   * It is counted by the time of the events in 60 slices of the window, and read
   * at the time of the read: it falls to zero while nothing happens. The oldest
   * slice counts in part, as if its events had been spread evenly. Events older
   * than the window do not count.
   *
   * **Gotchas**
   *
   * `Metric.snapshot` and `Metric.samples` read at time 0 unless they are given
   * another: what is later is not there yet. An event from the far future, by a
   * wrong clock, moves the window there, and those of the present do not count.
   */
  readonly rate: {
    (options?: RateOptions<Event>): Dimension<Event, State<"rate">, number>
    (f: Measure<Event>, options?: RateOptions<Event>): Dimension<Event, State<"rate">, number>
  }

  /**
   * A dimension for each value of a label, or for each combination of several.
   *
   * **Details**
   *
   * With one label a snapshot is a record by its values, with several an array of
   * `{ labels, value }`. There are `limit` series at most; see
   * {@link LabelOptions}.
   *
   * A merge takes what does not fit into the overflow, also under
   * `onLimit: "drop"`.
   */
  readonly by: {
    <Names extends string, S, Value>(
      labels: Readonly<Record<Names, (event: Event) => Label>>,
      inner: Dimension<Event, S, Value>,
      options?: LabelOptions<Event>
    ): Dimension<Event, State<"series">, ReadonlyArray<LabelledValue<Names, Value>>>
    <const Name extends string, const L extends Label, S, Value>(
      label: Name,
      f: (event: Event) => L,
      inner: Dimension<Event, S, Value>,
      options?: LabelOptions<Event>
    ): Dimension<Event, State<"series">, ByLabel<L, Value>>
  }

  /** Several dimensions together, such as for each value of a label. */
  readonly struct: <const Fields extends Readonly<Record<string, Dimension<Event, any, unknown>>>>(
    fields: Fields,
    options?: Options<Event>
  ) => Dimension<Event, State<"struct">, Values<Fields>>
}

/**
 * Options of a rate.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateOptions<in Event> extends UnitOptions<Event> {
  /** One minute, unless given. */
  readonly window?: Duration.Input | undefined
}

/**
 * Returns `true` for dimensions.
 *
 * @category guards
 * @since 0.1.0
 */
export const isDimension = (u: unknown): u is Any => u instanceof DimensionImpl

/**
 * A builder for dimensions of one type of events, outside of a metric.
 *
 * **When to use**
 *
 * Use to define a dimension once for several metrics, or to fold it alone.
 *
 * **Example** (One dimension, by itself)
 *
 * ```ts
 * import { Dimension } from "mvx-metrics"
 *
 * const d = Dimension.builder<{ readonly _tag: "upload"; readonly bytes: number }>()
 * const bytes = d.sum((e) => e.bytes, { unit: "By" })
 *
 * const one = bytes.step(bytes.initial, { _tag: "upload", bytes: 3 }, { time: 0 })
 * bytes.combine.combine(one, one) // => 6
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const builder = <Event>(): Builder<Event> => theBuilder as unknown as Builder<Event>

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

type Untyped = Dimension<any, any, any>

class DimensionImpl implements Untyped {
  declare readonly [TypeId]: typeof TypeId
  readonly node: Node
  readonly step: Untyped["step"]

  constructor(node: Node) {
    this.node = node
    this.step = stepOf(node)
  }

  get initial(): unknown {
    return this.node.initial
  }

  get combine(): Combiner.Combiner<any> {
    return { combine: (a, b) => this.node.merge(a, b, nobody) }
  }

  get codec(): Schema.Codec<any, any> {
    return this.node.codec
  }

  get instrument(): Instrument {
    return this.node.instrument
  }

  get merging(): Merging {
    return this.node.merging
  }

  value(state: unknown, meta: Meta): any {
    return this.node.view(state, meta.time)
  }
}
Object.defineProperty(DimensionImpl.prototype, TypeId, { value: TypeId })

/** @internal */
export const nodeOf = (dimension: Any): Node => (dimension as DimensionImpl).node

const checkFunction = (option: string, f: unknown): void => {
  if (typeof f !== "function") throw InvalidOptionError.of(option, f, "a function of the event")
}

const optionsOf = <A extends Options<any>>(options: A | undefined): Partial<A> => {
  if (options === undefined) return {}
  if (!Predicate.isObject(options)) throw InvalidOptionError.of("options", options, "an object")
  const { unit, when } = options as UnitOptions<any>
  if (when !== undefined) checkFunction("when", when)
  if (unit !== undefined && typeof unit !== "string") throw InvalidOptionError.of("unit", unit, "a string")
  return options
}

/** Throws unless the check of an option says nothing. */
const check = (option: string, given: unknown, expected: string | undefined): void => {
  if (expected !== undefined) throw InvalidOptionError.of(option, given, expected)
}

const leaf = (
  { add, ...algebra }: Kind<any, any, unknown>,
  input: Input,
  select: Leaf["select"],
  when: Options<any>["when"],
  instrument: Instrument,
  isTimed = false
): Untyped => {
  checkFunction("f", select)
  return new DimensionImpl({ ...algebra, _tag: "Leaf", add, input, select, when, instrument, isTimed })
}

/** A dimension that shows one number. */
const number =
  (kind: Kind<any, number, unknown>, input: Input, instrumentKind: InstrumentKind, isTimed?: boolean) =>
  (f: Measure<any>, options?: UnitOptions<any>): Untyped => {
    const { unit, when } = optionsOf(options)
    return leaf(kind, input, f, when, quantity(instrumentKind, unit), isTimed)
  }

const quantity = (kind: InstrumentKind, unit: string | undefined): Quantity =>
  unit === undefined ? { kind } : { kind, unit }

const theEvent = (event: unknown): unknown => event

const defaultK = 10

const theBuilder: Builder<any> = {
  count: (options) => {
    const { unit, when } = optionsOf(options)
    return leaf(count, "event", theEvent, when, quantity("counter", unit))
  },
  sum: number(sum, "amount", "counter"),
  upDown: number(upDown, "finite", "upDownCounter"),
  min: number(min, "finite", "gauge"),
  max: number(max, "finite", "gauge"),
  mean: number(mean, "finite", "gauge"),
  last: number(last, "finite", "gauge", true),
  variance: (f, options) => {
    const { unit, when } = optionsOf(options)
    return leaf(variance, "finite", f, when, {
      dimensions: {
        count: quantity("counter", undefined),
        mean: quantity("gauge", unit),
        variance: quantity("gauge", unit === undefined ? undefined : `(${unit})2`),
        stddev: quantity("gauge", unit)
      }
    })
  },
  histogram: (f, options) => {
    const { boundaries = Explicit.defaultBoundaries, unit, when } = optionsOf(options)
    check("boundaries", boundaries, Explicit.checkBoundaries(boundaries))
    return leaf(Explicit.histogram(boundaries), "finite", f, when, quantity("histogram", unit))
  },
  exponentialHistogram: (f, options) => {
    const { maxSize = Exponential.defaultMaxSize, unit, when } = optionsOf(options)
    check("maxSize", maxSize, Exponential.checkMaxSize(maxSize))
    return leaf(Exponential.exponentialHistogram(maxSize), "finite", f, when, quantity("histogram", unit))
  },
  quantiles: (f, options) => {
    const { maxSize = Exponential.defaultMaxSize, quantiles, unit, when } = optionsOf(options)
    check("quantiles", quantiles, Quantiles.checkQuantiles(quantiles as ReadonlyArray<number>))
    check("maxSize", maxSize, Exponential.checkMaxSize(maxSize))
    return leaf(Quantiles.quantiles(quantiles!, maxSize), "finite", f, when, quantity("summary", unit))
  },
  distinct: (f, options) => {
    const { precision = HyperLogLog.defaultPrecision, unit, when } = optionsOf(options)
    check("precision", precision, HyperLogLog.checkPrecision(precision))
    return leaf(HyperLogLog.distinct(precision), "text", f, when, quantity("gauge", unit))
  },
  topK: (f, options) => {
    const { k = defaultK, capacity = 10 * k, label = "item", when } = optionsOf(options)
    check("k", k, SpaceSaving.checkK(k))
    check("capacity", capacity, SpaceSaving.checkCapacity(capacity, k))
    checkLabels([label])
    return leaf(SpaceSaving.topK(k, capacity), "text", f, when, { items: label, of: quantity("gauge", undefined) })
  },
  rate: (first?: unknown, second?: RateOptions<any>) => {
    const [f, options] = typeof first === "function"
      ? [first as Measure<any>, second]
      : [() => 1, first as RateOptions<any> | undefined]
    const { unit = "1", when, window = SlidingWindow.defaultWindowMs } = optionsOf(options)
    const kind = SlidingWindow.rate(windowOf(window), SlidingWindow.defaultSlices)
    return leaf(kind, "amount", f, when, quantity("gauge", `${unit}/s`), true)
  },
  by: (first: unknown, ...rest: ReadonlyArray<any>) =>
    typeof first === "string"
      ? by([first], [rest[0]], rest[1], rest[2], true)
      : by(...labelsOf(first), rest[0], rest[1], false),
  struct: (fields, options) => new DimensionImpl(structOf(fields, optionsOf(options).when)) as Untyped
}

const windowOf = (given: Duration.Input): number => {
  let window: number
  try {
    window = Duration.toMillis(Duration.fromInputUnsafe(given))
  } catch {
    window = NaN
  }
  const isDuration = Number.isFinite(window) && window >= SlidingWindow.defaultSlices && !Number.isNaN(given)
  if (isDuration) return window
  throw InvalidOptionError.of("window", given, `a finite duration of 60 ms or more, such as "1 minute"`)
}

const labelsOf = (given: unknown): readonly [ReadonlyArray<string>, ReadonlyArray<any>] => {
  if (!Predicate.isObject(given) || Object.keys(given).length === 0) {
    throw InvalidOptionError.of("labels", given, "the name of a label, or a record of functions by such names")
  }
  return [Object.keys(given), Object.values(given)]
}

const checkLabels = (names: ReadonlyArray<string>): void => {
  for (const name of names) {
    if (name.trim() === "" || name === overflowKey || name === "__proto__") {
      throw InvalidOptionError.of("labels", name, `a name that is not blank, "${overflowKey}" or "__proto__"`)
    }
  }
}

const by = (
  names: ReadonlyArray<string>,
  selects: Labelled["selects"],
  inner: Any,
  options: LabelOptions<any> | undefined,
  isRecord: boolean
): Untyped => {
  const { limit = defaultLimit, onLimit = "other", when } = optionsOf(options)
  checkLabels(names)
  for (const select of selects) checkFunction("f", select)
  const node = checkedNode("inner", inner)
  const taken = names.filter((name) => labelNames(node.instrument).includes(name))
  if (taken.length > 0) {
    throw InvalidOptionError.of("labels", taken[0], "a name that the dimension does not have for another label")
  }
  if (!Number.isSafeInteger(limit) || limit < 1) throw InvalidOptionError.of("limit", limit, "a positive integer")
  if (onLimit !== "other" && onLimit !== "drop") {
    throw InvalidOptionError.of("onLimit", onLimit, `one of "other", "drop"`)
  }
  return new DimensionImpl({
    ...series({ names, inner: node, limit, isRecord }),
    _tag: "Labelled",
    names,
    selects,
    inner: node,
    limit,
    onLimit,
    when,
    instrument: isRecord ? { label: names[0]!, of: node.instrument } : { labels: names, of: node.instrument }
  })
}

/** The labels of the series that the instrument publishes. */
const labelNames = (instrument: Instrument): ReadonlyArray<string> => {
  if ("kind" in instrument) return []
  if ("dimensions" in instrument) return Object.values(instrument.dimensions).flatMap(labelNames)
  const own = "label" in instrument
    ? [instrument.label]
    : "items" in instrument
    ? [instrument.items]
    : instrument.labels
  return own.concat(labelNames(instrument.of))
}

const checkedNode = (option: string, given: unknown): Node => {
  if (!isDimension(given)) throw InvalidOptionError.of(option, given, "a dimension, such as d.count()")
  return nodeOf(given)
}

/** @internal */
export const structOf = (given: Readonly<Record<string, Any>>, when?: Options<any>["when"]): Struct => {
  if (!Predicate.isObject(given) || Object.keys(given).length === 0 || Object.hasOwn(given, "__proto__")) {
    throw InvalidOptionError.of("dimensions", given, `a record of dimensions by names other than "__proto__"`)
  }
  const names = Object.keys(given)
  const nodes = names.map((name) => checkedNode(name, given[name]))
  return {
    ...fields(names, nodes),
    _tag: "Struct",
    names,
    fields: nodes,
    when,
    instrument: { dimensions: Object.fromEntries(nodes.map((node, at) => [names[at], node.instrument])) }
  }
}
