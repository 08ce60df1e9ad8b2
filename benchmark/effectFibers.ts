/** What does it cost inside Effect, in a fiber? */
import { Context, Duration, Effect, Metric as EffectMetric, Schema } from "effect"
import { Event, Metric, Recorder } from "mvx-metrics"
import { strictEqual } from "node:assert"
import { measure } from "./harness/measure.ts"
import { type Case, type Effort, floor, peer, product, type Question, ratio } from "./harness/Question.ts"
import { labelled, makeRecorder, Request } from "./peers/mvx.ts"

const burst = 1_000

interface Counting {
  /** One of many in a fiber. */
  readonly one: () => Effect.Effect<unknown, never, Recorder.Recorder>
  readonly provide: (effect: Effect.Effect<void, never, Recorder.Recorder>) => Effect.Effect<void>
  /** How many there are. */
  readonly total: () => Promise<number>
}

/** Runs bursts in one fiber each: what an event costs there, and until it is counted. */
const run = async ({ one, provide, total }: Counting, effort: Effort) => {
  let made = 0
  const program = provide(Effect.gen(function*() {
    for (let i = 0; i < burst; i++) yield* one()
  }))
  const bursts = (counted: boolean) =>
    measure(async () => {
      made += burst
      const start = performance.now()
      Effect.runSync(program)
      const elapsed = performance.now() - start
      strictEqual(await total(), made)
      return (counted ? performance.now() - start : elapsed) * 1e6 / burst
    }, effort)
  return { called: await bursts(false), counted: await bursts(true) }
}

const noRecorder = Effect.provideService(Recorder.Recorder, makeRecorder({}))

const recording = (
  one: (recorder: Recorder.Handle) => Counting["one"],
  metrics: ReadonlyArray<Metric.Any> = labelled(1)
): Case["run"] =>
async (effort) => {
  const recorder = makeRecorder({ metrics })
  return run({
    one: one(recorder),
    provide: Effect.provideService(Recorder.Recorder, recorder),
    total: async () => {
      await Effect.runPromise(recorder.flush)
      return Effect.runSync(recorder.stats).folded
    }
  }, effort)
}

const registry = Context.make(EffectMetric.MetricRegistry, new Map())

const counting = (
  make: () => { readonly one: Counting["one"]; readonly total: () => number }
): Case["run"] =>
async (effort) => {
  const { one, total } = make()
  return run({
    one,
    provide: (effect) => Effect.provideContext(noRecorder(effect), registry),
    total: async () => total()
  }, effort)
}

const countOf = (counter: EffectMetric.Counter<number>) => counter.valueUnsafe(registry).count

const attributes = { method: "GET", route: "/documents" }

class Timed extends Event.Class<Timed>()("http.request", {
  method: Schema.String,
  route: Schema.String,
  durationMs: Schema.Finite
}) {}

/** Durations by two labels, in the buckets of Effect's timer. */
const durations = Metric.fromDimensions("durations", [Timed], (d) => ({
  duration: d.by(
    { method: (event) => event.method, route: (event) => event.route },
    d.histogram((event) => event.durationMs, {
      boundaries: EffectMetric.exponentialBoundaries({ start: 0.5, factor: 2, count: 35 }).filter(Number.isFinite)
    })
  )
}))

const ours = "mvx-metrics, yield* Recorder.emit(event)"
const cached = "Effect Metric, update, attributes kept"
const observed = "mvx-metrics, Recorder.observe"
const tracked = "Effect, trackDuration, attributes kept"

const question: Question = {
  title: "one event in a fiber, in Effect.gen: until the fiber goes on, and until it is counted by two labels",
  columns: { called: "ns", counted: "ns" },
  cases: {
    [ours]: product(recording(() => () => Recorder.emit(new Request(attributes)))),
    "mvx-metrics, registerEventUnsafe(event)": product(recording((recorder) => {
      const nothing = Effect.void
      return () => {
        recorder.registerEventUnsafe(new Request(attributes))
        return nothing
      }
    })),
    [cached]: peer(counting(() => {
      const counter = EffectMetric.withAttributes(EffectMetric.counter("requests"), attributes)
      return { one: () => EffectMetric.update(counter, 1), total: () => countOf(counter) }
    })),
    "Effect Metric, update, withAttributes({ 2 })": peer(counting(() => {
      const counter = EffectMetric.counter("requests")
      return {
        one: () => EffectMetric.update(EffectMetric.withAttributes(counter, attributes), 1),
        total: () => countOf(EffectMetric.withAttributes(counter, attributes))
      }
    })),
    "Effect Metric, update, no attributes": peer(counting(() => {
      const counter = EffectMetric.counter("requests")
      return { one: () => EffectMetric.update(counter, 1), total: () => countOf(counter) }
    })),
    "a field incremented in Effect.sync": floor(counting(() => {
      let total = 0
      return { one: () => Effect.sync(() => total++), total: () => total }
    })),
    [observed]: product(
      recording(
        () => () =>
          Recorder.observe(
            Effect.void,
            (_, duration) => new Timed({ ...attributes, durationMs: Duration.toMillis(duration) })
          ),
        [durations]
      )
    ),
    [tracked]: peer(counting(() => {
      const timer = EffectMetric.withAttributes(EffectMetric.timer("duration"), attributes)
      return {
        one: () => Effect.trackDuration(Effect.void, timer),
        total: () => timer.valueUnsafe(registry).count
      }
    }))
  },
  claims: [
    ratio("yield* Recorder.emit(event) / Metric.update with attributes kept", [ours, cached], "called", 0.8),
    ratio("Recorder.observe / Effect.trackDuration", [observed, tracked], "called", 1.2)
  ]
}
export default question
