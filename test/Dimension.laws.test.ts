import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Dimension, Event, Metric } from "mvx-metrics"
import { Laws } from "mvx-metrics/testing"

const fields = {
  /** As great as numbers get, and as small. */
  extreme: Schema.Finite,
  sensible: Schema.Finite.check(Schema.isBetween({ minimum: -1_000, maximum: 1_000 })),
  /** Absent at times, or no number. */
  // @effect-diagnostics-next-line schemaNumber:off
  odd: Schema.optionalKey(Schema.Number),
  label: Schema.Literals(["a", "b", "c", "d"]),
  text: Schema.String
}

/** Is folded at the time of its batch. */
class Reading extends Event.Class<Reading>()("reading", fields) {}

/** Carries its own time, in no order. */
class Measured extends Event.Class<Measured>()("measured", {
  ...fields,
  time: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 200_000 }))
}) {}

type AnyEvent = Reading | Measured

const d = Dimension.builder<AnyEvent>()

type Dimensions = Readonly<Record<string, Dimension.Dimension<AnyEvent, any, unknown>>>

const ofNumbers = (of: string, f: Dimension.Measure<AnyEvent>): Dimensions => ({
  [`sum ${of}`]: d.sum(f),
  [`upDown ${of}`]: d.upDown(f),
  [`min ${of}`]: d.min(f),
  [`max ${of}`]: d.max(f),
  [`mean ${of}`]: d.mean(f),
  [`variance ${of}`]: d.variance(f),
  [`last ${of}`]: d.last(f),
  [`histogram ${of}`]: d.histogram(f),
  [`histogram ${of} with boundaries`]: d.histogram(f, { boundaries: [-100, 0.5, 1e300] }),
  [`histogram ${of} without boundaries`]: d.histogram(f, { boundaries: [] }),
  [`exponentialHistogram ${of}`]: d.exponentialHistogram(f),
  [`exponentialHistogram ${of} of few buckets`]: d.exponentialHistogram(f, { maxSize: 4 }),
  [`quantiles ${of}`]: d.quantiles(f, { quantiles: [0, 0.5, 0.99, 1] }),
  [`rate ${of}`]: d.rate(f),
  [`rate ${of} over a short window`]: d.rate(f, { window: "1 second" })
})

const ofEvents: Dimensions = {
  count: d.count(),
  rate: d.rate(),
  distinct: d.distinct((e) => e.text),
  "distinct of low precision": d.distinct((e) => e.text, { precision: 4 }),
  topK: d.topK((e) => e.label),
  "topK above its capacity": d.topK((e) => e.label, { k: 1, capacity: 2 })
}

const isOften = (e: AnyEvent) => e.label !== "a"

const withWhen: Dimensions = {
  "count when": d.count({ when: isOften }),
  "sum when, of what may be absent": d.sum((e) => e.odd, { when: isOften }),
  "mean when, of what may be absent": d.mean((e) => e.odd, { when: isOften }),
  "quantiles when, of what may be absent": d.quantiles((e) => e.odd, { quantiles: [0.5], when: isOften }),
  "topK when, of what may be absent": d.topK((e) => e.odd, { when: isOften }),
  "struct when": d.struct({ total: d.count(), max: d.max((e) => e.odd) }, { when: isOften }),
  "by when": d.by("text", (e) => e.text, d.count(), { when: isOften })
}

const tag = (e: AnyEvent) => e._tag
const label = (e: AnyEvent) => e.label
const few = d.struct({ total: d.count(), sum: d.upDown((e) => e.sensible), max: d.max((e) => e.odd) })

const withLabels: Dimensions = {
  "by a label": d.by("label", label, few),
  "by two labels": d.by({ label, tag }, few),
  "by a label, then another": d.by("label", label, d.by("tag", tag, few)),
  "by a label over its limit": d.by("label", label, few, { limit: 2 }),
  "by any text over its limit": d.by("text", (e) => e.text, few, { limit: 3 }),
  "by the reserved label": d.by("label", (e) => e.label === "a" ? Dimension.overflowKey : e.label, few, { limit: 2 }),
  "by two labels over their limit": d.by({ label, tag }, few, { limit: 3 }),
  "by a label, then another over its limit": d.by("tag", tag, d.by("label", label, few, { limit: 2 })),
  "by a label over its limit, then another over its": d.by(
    "label",
    label,
    d.by("text", (e) => e.text, few, { limit: 2 }),
    {
      limit: 2
    }
  ),
  "by a label over its limit, dropped": d.by("label", label, few, { limit: 2, onLimit: "drop" }),
  "by a label, then another over its limit, dropped": d.by(
    "tag",
    tag,
    d.by("label", label, few, { limit: 1, onLimit: "drop" }),
    { limit: 1 }
  ),
  "by a label over its limit, extreme sums": d.by("label", label, d.upDown((e) => e.extreme), { limit: 2 }),
  "by a label over its limit, variance": d.by("label", label, d.variance((e) => e.sensible), { limit: 2 }),
  "by a label over its limit, last": d.by("label", label, d.last((e) => e.sensible), { limit: 2 }),
  "by a label over its limit, exponentialHistogram": d.by("label", label, d.exponentialHistogram((e) => e.sensible), {
    limit: 2
  }),
  "by a label over its limit, distinct": d.by("label", label, d.distinct((e) => e.text), { limit: 2 }),
  "by a label over its limit, topK": d.by("label", label, d.topK((e) => e.text, { k: 1, capacity: 2 }), { limit: 2 }),
  "by a label over its limit, rate": d.by("label", label, d.rate(), { limit: 2 })
}

const unlabelled: Dimensions = {
  ...ofEvents,
  ...ofNumbers("of extreme values", (e) => e.extreme),
  ...ofNumbers("of sensible values", (e) => e.sensible),
  struct: d.struct({ count: d.count(), inner: d.struct({ mean: d.mean((e) => e.sensible) }) })
}

const all: Dimensions = { ...unlabelled, ...withWhen, ...withLabels }

const names = Object.keys(all)

const lawsOf = (dimensions: Dimensions, events: ReadonlyArray<typeof Reading | typeof Measured>) =>
  Laws.check(Metric.fromDimensions("readings", events, () => dimensions), { events })

describe("the laws hold for", () => {
  it.effect.each(names)("%s", (name) =>
    Effect.gen(function*() {
      const laws = yield* lawsOf({ [name]: all[name]! }, [Reading, Measured])
      assert.lengthOf(laws, name.startsWith("by ") ? 9 : 8)
    }))
})

/** Events with a time of their own would take the place of the others, where the order matters. */
describe("the laws hold, at the time of a batch, for", () => {
  it.effect.each(names.filter((name) => /last|rate/.test(name)))(
    "%s",
    (name) => lawsOf({ [name]: all[name]! }, [Reading])
  )
})

describe("the laws hold", () => {
  it.effect("for all dimensions in one metric", () => lawsOf(all, [Reading, Measured]), 30_000)

  const Few = Metric.fromDimensions("few", [Reading], (d) => ({
    total: d.count(),
    mean: d.mean((e) => e.sensible),
    last: d.last((e) => e.sensible),
    by_label: d.by("label", (e) => e.label, d.sum((e) => e.odd), { limit: 2 })
  }))

  it.effect.each([
    ["filter", Metric.filter(Few, (e) => e.sensible > 0)],
    ["mapEvent", Metric.mapEvent(Few, { events: [Measured], f: ({ time: _, ...fields }) => new Reading(fields) })],
    ["mapDimensions", Metric.mapDimensions(Few, ({ mean = 0, total }) => ({ sum: mean * total }))],
    ["rename", Metric.rename(Few, "other")],
    ["describe", Metric.describe(Few, "what it is")]
  ])("after %s", ([_, metric]) => Laws.check(metric as Metric.Any, { events: [Reading, Measured] }))
})
