/**
 * The laws that a metric keeps to, for it to be folded in batches, merged and
 * stored: checked with generated events, in a test.
 *
 * ```ts
 * import { Event, Metric } from "mvx-metrics"
 * import { Laws } from "mvx-metrics/testing"
 * import { Effect, Schema } from "effect"
 *
 * class Request extends Event.Class<Request>()("http.request", { route: Schema.String, bytes: Schema.Finite }) {}
 *
 * const Requests = Metric.fromDimensions("http.requests", [Request], (d) => ({
 *   total: d.count(),
 *   bytes_by_route: d.by("route", (e) => e.route, d.sum((e) => e.bytes), { limit: 3 })
 * }))
 *
 * const laws = Effect.runSync(Laws.check(Requests, { events: [Request] }))
 * laws.length // => 9
 * ```
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Formatter from "effect/Formatter"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type { MetricEvent } from "../Event.ts"
import { InvalidOptionError } from "../internal/InvalidOptionError.ts"
import type * as Metric from "../Metric.ts"
import { anyParts, mapParts, type Parts } from "./internal/Part.ts"
import { type Broken, brokenBy, laws, pruned, type Rule, rules } from "./internal/Rule.ts"
import { Subject } from "./internal/Subject.ts"

/**
 * The laws, by the words in which a broken one is reported.
 *
 * **Details**
 *
 * - `reduce is pure`: called twice with the same arguments it returns the same,
 *   and it changes neither the state nor the event.
 * - `a batch folds as its events do`: what a recorder does with many events at
 *   once, where it may change states in place, is what `reduce` does with one
 *   after the other; a state that was handed out meanwhile stays as it is.
 * - `labels are exact`: each series is what its own events alone would have made
 *   of it; beyond the limit the events are counted, and under `onLimit: "other"`
 *   all series together still amount to all events.
 * - `merge is pure`: as `reduce` is.
 * - `merge has an identity`: the initial state changes nothing.
 * - `merge is commutative` and `merge is associative`: it does not matter in
 *   which order recorders are summed up.
 * - `merge agrees with fold`: the states of two recorders merge into the one that
 *   a single recorder would have had.
 * - `a state survives its codec`: also on the way through JSON text.
 *
 * @category models
 * @since 0.1.0
 */
export type Law = typeof laws[number]

/**
 * Where the events of a metric come from: a class of events or another schema,
 * or an `Arbitrary` of Effect.
 *
 * @category models
 * @since 0.1.0
 */
export type Source<E extends MetricEvent = MetricEvent> =
  | (Schema.Constraint & { readonly Type: E })
  | Arbitrary.Arbitrary<E>

/**
 * The options of {@link check}.
 *
 * @category models
 * @since 0.1.0
 */
export interface CheckOptions<out E extends MetricEvent = MetricEvent> {
  /** What the metric is fed with. */
  readonly events: ReadonlyArray<Source<E>>
  /**
   * Whether the metric keeps what is newest, so that `merge agrees with fold` only
   * where the events of one state are later than those of the other. Metrics made of
   * dimensions say so themselves. `false` unless given.
   */
  readonly ordered?: boolean | undefined
  /** How often each law is tried; 100 times unless given. */
  readonly runs?: number | undefined
  /** The same seed makes the same events: that of a {@link LawBrokenError} reports the same again. */
  readonly seed?: string | number | undefined
}

/**
 * A metric does not keep to a law.
 *
 * **Details**
 *
 * `parts` are the fewest and smallest events found with which it does not: one
 * part for a law of one state, several for a law of several states, which the
 * message calls `xs`, `ys` and `zs`. `expected` and `found` are readable text.
 *
 * Of several laws that do not hold it is the first one in the order of {@link Law}:
 * those after it often follow from it.
 *
 * @category errors
 * @since 0.1.0
 */
export class LawBrokenError extends Schema.TaggedError<LawBrokenError>("mvx-metrics/testing/Laws/LawBrokenError")(
  "LawBrokenError",
  {
    metric: Schema.String,
    law: Schema.Literals(laws),
    parts: Schema.Array(Schema.Struct({ time: Schema.Finite, events: Schema.Array(Schema.Any) })),
    expected: Schema.String,
    found: Schema.String,
    seed: Schema.Union([Schema.String, Schema.Finite])
  }
) {
  /** The events of all parts. */
  get events(): ReadonlyArray<MetricEvent> {
    return this.parts.flatMap((part) => part.events)
  }

  override get message(): string {
    const isTimed = this.parts.some((part) => part.time !== this.parts[0]!.time)
    const parts = this.parts.map(({ events, time }, at) => {
      const name = this.parts.length === 1 ? "events" : partNames[at]
      return `  ${name}: ${Formatter.format(events)}${isTimed ? ` at time ${time}` : ""}`
    })
    return [
      `Metric ${JSON.stringify(this.metric)} breaks the law "${this.law}"`,
      ...parts,
      `  expected ${this.expected}`,
      `  found ${this.found}`,
      `  seed: ${JSON.stringify(this.seed)}`
    ].join("\n")
  }
}

/**
 * Checks that a metric keeps to its laws, whatever events it is fed with, and
 * succeeds with the laws that were checked.
 *
 * **When to use**
 *
 * Use in the tests of a metric of your own that has a `combine` or a `state`, and
 * of one made of dimensions whose selectors do more than to read a field.
 *
 * **Details**
 *
 * The laws of merging are checked for metrics that can merge, that of the codec
 * for those with one, that of labels for dimensions by labels. Each is held to
 * what the dimension promises (`merging`): a count is exact, a sum right up to
 * 1e-9 of the greatest sum on the way, a sketch up to its own bound, and `last`
 * keeps the newest where events come in the order of their time. The states of a
 * metric with a reducer are compared all the way down, their numbers as sums, but
 * exactly where they are all integers.
 *
 * Events come in up to three parts, each folded at a time of its own, never
 * earlier than the one before. Those with a field `time` keep theirs.
 *
 * Fails with a {@link LawBrokenError}; the events in it are the fewest with which
 * the law does not hold. An empty list of events, and events of which the metric
 * takes none, are a defect, an `InvalidOptionError`: nothing would be checked.
 *
 * **Gotchas**
 *
 * A number without bounds is at times as great as numbers get: sums of them are
 * infinite, which `Schema.Finite` does not encode. Give the fields of the events
 * the bounds that they have (`Schema.isBetween`), or make the events with an
 * `Arbitrary`.
 *
 * Dimensions under `onLimit: "drop"` do not merge into what one recorder would
 * have had once they have dropped events: there `merge agrees with fold` is not
 * checked.
 *
 * A time that `Metric.mapEvent` gives to events is not known here. Where the order
 * counts, check the metric that it is made of.
 *
 * **Example** (A merge that forgets)
 *
 * ```ts
 * import { Event, Metric } from "mvx-metrics"
 * import { Laws } from "mvx-metrics/testing"
 * import { Effect, Option, Schema } from "effect"
 *
 * class Upload extends Event.Class<Upload>()("upload", {
 *   bytes: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))
 * }) {}
 *
 * const Uploads = Metric.make("uploads", {
 *   events: [Upload],
 *   initial: { total: 0, largest_bytes: 0 },
 *   reduce: (s, e) => Option.some({ total: s.total + 1, largest_bytes: Math.max(s.largest_bytes, e.bytes) }),
 *   combine: { combine: (a, b) => ({ ...a, total: a.total + b.total }) }
 * })
 *
 * const error = Effect.runSync(Effect.flip(Laws.check(Uploads, { events: [Upload] })))
 * error.law // => "merge has an identity"
 * error.events // => [new Upload({ bytes: 1 })]
 * error.expected // => 'the initial state merged with fold(events) to be {"total":1,"largest_bytes":1}'
 * error.found // => '{"total":1,"largest_bytes":0}'
 * ```
 *
 * @category checking
 * @since 0.1.0
 */
export const check = <M extends Metric.Any>(
  metric: M,
  options: CheckOptions<Metric.EventOf<M>>
): Effect.Effect<ReadonlyArray<Law>, LawBrokenError> =>
  Effect.gen(function*() {
    const subject = new Subject(metric, options.ordered ?? false)
    const applicable = rules.filter((rule) => rule.isFor(subject))
    const seed = options.seed ?? (yield* Random.nextInt)
    const anyInput = Arbitrary.map(anyParts(options.events), (parts) => offeredTo(subject, parts))
    let broken: Broken | undefined
    const run = (property: (parts: Parts) => boolean) =>
      Arbitrary.checkEffect(anyInput, property, { runs: options.runs, seed, concurrency: 1, maxShrinks })

    // Some events break a law only because another one does not hold, which others show: the first one in the list.
    let doubtful: ReadonlyArray<Rule> = applicable
    const result = yield* run((parts) => {
      const found = brokenBy(doubtful, subject, parts)
      if (found !== undefined) {
        broken = found
        doubtful = doubtful.slice(0, doubtful.indexOf(found.rule))
      }
      return true
    })
    if (result._tag !== "Passed") return yield* Effect.die(new Error(Arbitrary.formatCheckFailure(result)))
    if (broken !== undefined) {
      const { rule } = broken
      yield* run((parts) => {
        const found = brokenBy([rule], subject, parts)
        broken = found ?? broken
        return found === undefined
      })
      const { expected, found, parts } = pruned(broken, subject)
      return yield* new LawBrokenError({ metric: metric.name, law: rule.law, parts, expected, found, seed })
    }
    if (subject.taken === 0) {
      return yield* Effect.die(InvalidOptionError.of("events", options.events, `events that "${metric.name}" takes`))
    }
    return applicable.map((rule) => rule.law)
  })

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

/** How many smaller lists of events are tried, once a law is broken. */
const maxShrinks = 2_000

const partNames = ["xs", "ys", "zs"]

/** Those of the events that the metric is offered. */
const offeredTo = ({ metric: { tags } }: Subject, parts: Parts): Parts =>
  tags === undefined ? parts : mapParts(parts, ({ events, time }) => ({
    time,
    events: events.filter((event) => tags.includes(event._tag))
  }))
