/**
 * What holds for every recorder, whatever it is offered, and in whatever order.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, References, Schema, Stream } from "effect"
import { Event, Metric, Recorder } from "mvx-metrics"

class Request extends Event.Class<Request>()("http.request", {
  route: Schema.Literals(["/", "/users", "/orders"]),
  bytes: Schema.Int
}) {}

class Login extends Event.Class<Login>()("login", { succeeded: Schema.Boolean }) {}

/** Carries its own time. */
class Tick extends Event.Class<Tick>()("tick", { time: Schema.Int }) {}

/** No metric names it. */
class Heartbeat extends Event.Class<Heartbeat>()("heartbeat", {}) {}

const AnyEvent = Event.union(Request, Login, Tick, Heartbeat)
type AnyEvent = typeof AnyEvent.Type

const Routes = Metric.make("routes", {
  events: [Request],
  initial: { by_route: {} as Readonly<Record<string, number>> },
  reduce: (s, e) => Option.some({ by_route: { ...s.by_route, [e.route]: (s.by_route[e.route] ?? 0) + 1 } })
})

/** Takes some of the events that it is offered. */
const Logins = Metric.make("logins", {
  events: [Login, Tick],
  initial: { total: 0, last_tick: 0 },
  reduce: (s, e, meta) => {
    if (e._tag === "tick") return Option.some({ ...s, last_tick: meta.time })
    return e.succeeded ? Option.some({ ...s, total: s.total + 1 }) : Option.none()
  }
})

/** Is offered every event, and shows in which order they came. */
const Trail = Metric.make("trail", {
  initial: { length: 0, digest: 0 },
  reduce: (s, e: AnyEvent) => {
    const text = JSON.stringify(e)
    let { digest } = s
    for (let index = 0; index < text.length; index++) digest = (digest * 31 + text.charCodeAt(index)) | 0
    return Option.some({ length: s.length + 1, digest })
  }
})

/** Of dimensions: a recorder may fold it in place. */
const Traffic = Metric.fromDimensions("traffic", [Request, Login, Tick], (d) => ({
  total: d.count(),
  logins_total: d.count({ when: (e) => e._tag === "login" && e.succeeded }),
  bytes: d.histogram((e) => e._tag === "http.request" ? e.bytes : NaN, { boundaries: [0, 10] }),
  last_tick: d.last((e) => e._tag === "tick" ? e.time : NaN, { when: (e) => e._tag === "tick" }),
  by: d.by(
    { tag: (e) => e._tag, route: (e) => e._tag === "http.request" ? e.route : "" },
    d.struct({ total: d.count(), mean_bytes: d.mean((e) => e._tag === "http.request" ? e.bytes : NaN) }),
    { limit: 3 }
  ),
  top: d.topK((e) => e._tag === "http.request" ? e.bytes : undefined, { k: 2, capacity: 3 })
}))

/** Has labels that the others have as well, and others. */
const Pages = Metric.fromDimensions("pages", [Request, Login], (d) => ({
  by: d.by({ tag: (e) => e._tag, route: (e) => e._tag === "http.request" ? e.route : "" }, d.count()),
  route: d.by("route", (e) => e._tag === "http.request" ? e.route : "", d.count(), { limit: 2, onLimit: "drop" }),
  tag: d.by("tag", (e) => e._tag, d.count())
}))

/** Is alone in taking heartbeats, and counts none of the events that it is not offered. */
const Beats = Metric.fromDimensions("beats", [Heartbeat], (d) => ({ by: d.by("tag", (e) => e._tag, d.count()) }))

const metrics: ReadonlyArray<Metric.Any> = [Routes, Logins, Trail, Traffic]

/** Has a reducer that throws for failed logins. */
const Fragile = Metric.make("fragile", {
  events: [Request, Login],
  initial: { total: 0 },
  reduce: (s, e) => {
    if (e._tag === "login" && !e.succeeded) throw new Error("fragile")
    return Option.some({ total: s.total + 1 })
  }
})

/** Has a selector that throws for failed logins, after others have not. */
const FragileSum = Metric.fromDimensions("fragile_sum", [Request, Login], (d) => ({
  total: d.count(),
  by: d.by("tag", (e) => e._tag, d.count()),
  sum: d.sum((e) => {
    if (e._tag === "login" && !e.succeeded) throw new Error("fragile")
    return 1
  })
}))

const fragile: ReadonlyArray<Metric.Any> = [Fragile, FragileSum]

const breaksFragile = (event: Event.MetricEvent) => event instanceof Login && !event.succeeded

const Events = Schema.Array(AnyEvent)

/** How often the events are repeated: a long backlog is folded in several slices. */
const Times = Schema.Literals([1, 1, 1, 20])

const repeat = <A>(items: ReadonlyArray<A>, times: number): ReadonlyArray<A> =>
  Array.from({ length: times }, () => items).flat()

const Capacity = Schema.Literals([1, 2, 3, 8, 10_000])
const Overflow = Schema.Literals(["fold", "drop", "fail"])
const Linger = Schema.Literals([0, 60_000])

const runs = (runs: number) => ({ arbitrary: { runs, size: 40 } })

const make = (options: Partial<Recorder.Options> = {}) =>
  Recorder.make({ entityId: "laws", metrics, linger: 60_000, ...options })

/** Hands the events over, and returns those that were accepted. */
const emitAll = (recorder: Recorder.Handle, events: ReadonlyArray<Event.MetricEvent>) =>
  events.filter((event) => recorder.registerEventUnsafe(event))

/** A state as plain data: those of dimensions are opaque. */
const plain = (metric: Metric.Any, state: unknown): unknown =>
  metric.state === undefined ? state : Schema.encodeSync(Metric.codec(metric))(state)

const plainCapture = ({ metrics }: Recorder.RecorderCapture) =>
  metrics.map(({ metric, state }) => [metric.name, plain(metric, state)])

const statesOf = (recorder: Recorder.Handle) => Effect.map(recorder.capture, plainCapture)

const foldOf = (metric: Metric.Any, events: ReadonlyArray<Event.MetricEvent>) => [
  metric.name,
  plain(metric, Metric.fold(metric, events))
]

const foldAll = (events: ReadonlyArray<Event.MetricEvent>) => metrics.map((metric) => foldOf(metric, events))

const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Lets fibers and immediates settle. */
const settle = Effect.replicateEffect(turn, 20, { discard: true })

/** Subscribes, and returns what is received, as it comes. */
const collect = Effect.fnUntraced(function*<A>(stream: Stream.Stream<A>) {
  const received: Array<A> = []
  yield* Effect.forkScoped(
    Stream.runForEachArray(stream, (batch) => Effect.sync(() => void received.push(...batch))),
    { startImmediately: true }
  )
  return received
})

/** Something that is done between two events. */
const Pause = Schema.Literals(["flush", "snapshots", "snapshotsUnsafe", "capture", "turn", "restart"])

const pause = (recorder: Recorder.Handle, kind: typeof Pause.Type): Effect.Effect<unknown> => {
  switch (kind) {
    case "snapshotsUnsafe":
      return Effect.sync(() => recorder.snapshotsUnsafe())
    case "turn":
      return turn
    case "restart":
      return Effect.ignore(Effect.andThen(recorder.stop, recorder.start))
    default:
      return recorder[kind]
  }
}

describe("folding", () => {
  it.effect.prop(
    "shows after a flush the fold of the accepted events",
    [Events, Times, Capacity, Overflow, Linger],
    ([events, times, capacity, overflow, linger]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity, overflow, linger })
        const accepted = emitAll(recorder, repeat(events, times))
        yield* recorder.flush
        assert.deepStrictEqual(yield* statesOf(recorder), foldAll(accepted))
        assert.deepStrictEqual(
          yield* recorder.snapshots,
          Object.fromEntries(metrics.map((metric: Metric.Any) => [
            metric.name,
            Metric.snapshot(metric, Metric.fold(metric, accepted))
          ]))
        )
      }),
    runs(300)
  )

  it.effect.prop(
    "gives the same states however events, reads, flushes and restarts follow each other",
    [Schema.Array(Schema.Union([AnyEvent, AnyEvent, Pause])), Capacity, Linger],
    ([steps, capacity, linger]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity, linger })
        const events: Array<Event.MetricEvent> = []
        for (const step of steps) {
          if (typeof step === "string") yield* pause(recorder, step)
          else events.push(...emitAll(recorder, [step]))
        }
        assert.deepStrictEqual(events, steps.filter((step) => typeof step !== "string"))
        assert.deepStrictEqual(yield* statesOf(recorder), foldAll(events))
      }),
    runs(300)
  )

  it.effect.prop(
    "gives the same states with and without subscribers",
    [Events, Times, Capacity, Schema.Literals(["changes", "watch"])],
    ([events, times, capacity, member]) =>
      Effect.gen(function*() {
        const observed = yield* make({ capacity })
        const unobserved = yield* make({ capacity })
        yield* collect<unknown>(observed[member])
        emitAll(observed, repeat(events, times))
        emitAll(unobserved, repeat(events, times))
        assert.deepStrictEqual(yield* statesOf(observed), yield* statesOf(unobserved))
      }),
    runs(200)
  )

  it.effect.prop(
    "never changes what was captured or sent to a subscriber, whatever is folded after it",
    [Schema.Array(Schema.Union([AnyEvent, AnyEvent, Pause, Schema.Literals(["subscribe", "unsubscribe"])])), Capacity],
    ([steps, capacity]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity, metrics: [...metrics, Beats] })
        const seen: Array<readonly [unknown, () => unknown]> = []
        const see = (read: () => unknown) => void seen.push([read(), read])
        let subscription: Fiber.Fiber<unknown> | undefined
        for (const step of steps) {
          if (step === "subscribe") {
            subscription ??= yield* Effect.forkScoped(
              Stream.runForEach(recorder.changes, (change) =>
                Effect.sync(() => {
                  const metric = [...metrics, Beats].find(({ name }) => name === change.metric)!
                  see(() => plain(metric, change.state))
                })),
              { startImmediately: true }
            )
          } else if (step === "unsubscribe") {
            if (subscription !== undefined) yield* Fiber.interrupt(subscription)
            subscription = undefined
          } else if (typeof step === "string") {
            yield* pause(recorder, step)
            yield* turn
          } else {
            emitAll(recorder, [step])
            const capture = yield* recorder.capture
            see(() => plainCapture(capture))
          }
        }
        yield* recorder.flush
        for (const [then, read] of seen) assert.deepStrictEqual(read(), then)
      }),
    runs(200)
  )

  it.effect.prop(
    "folds metrics of dimensions together as it folds them beside a reducer",
    [
      Schema.Array(Schema.Union([AnyEvent, AnyEvent, AnyEvent, Pause])),
      Capacity,
      Schema.Literals(["isolate", "fail"]),
      Schema.Boolean
    ],
    ([steps, capacity, onDefect, isObserved]) =>
      Effect.gen(function*() {
        const never = (name: string) =>
          Metric.fromDimensions(name, [Heartbeat, Tick], (d) => ({
            total: d.count({ when: (e) => e._tag === "tick" && e.time > 0 })
          }))
        const dimensions = [Traffic, FragileSum, Pages, never("one"), never("other")]
        const together = yield* make({ capacity, onDefect, metrics: dimensions })
        const Nothing = Metric.make("nothing", { initial: {}, reduce: () => Option.none() })
        const beside = yield* make({ capacity, onDefect, metrics: [...dimensions, Nothing] })
        const changes: Array<Array<unknown>> = []
        for (const recorder of [together, beside]) {
          const received: Array<unknown> = []
          changes.push(received)
          if (!isObserved) continue
          yield* Effect.forkScoped(
            Stream.runForEach(recorder.changes, ({ metric, offset, sequence }) =>
              Effect.sync(() => received.push([metric, offset, sequence]))),
            { startImmediately: true }
          )
        }
        for (const step of steps) {
          for (const recorder of [together, beside]) {
            if (typeof step === "string") {
              yield* pause(recorder, step)
            } else emitAll(recorder, [step])
          }
        }
        yield* settle
        assert.deepStrictEqual(yield* statesOf(together), (yield* statesOf(beside)).slice(0, -1))
        assert.deepStrictEqual(changes[0], changes[1])
        const sequence = (recorder: Recorder.Handle) =>
          Effect.map(
            Stream.runHead(recorder.watch),
            Option.map((first) =>
              first._tag === "Snapshot" && first.sequence
            )
          )
        assert.deepStrictEqual(yield* sequence(together), yield* sequence(beside))
        const stats = Effect.fnUntraced(function*(recorder: Recorder.Handle) {
          const { defects, ignored, skipped, overLimit, folded, discarded } = yield* recorder.stats
          return { defects, ignored, skipped, overLimit, folded, discarded, status: (yield* recorder.status)._tag }
        })
        assert.deepStrictEqual(yield* stats(together), yield* stats(beside))
      }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
    runs(200)
  )

  it.effect.prop(
    "skips the events for which a reducer throws, in that metric alone",
    [Events, Capacity, Linger],
    ([events, capacity, linger]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity, linger, metrics: [...fragile, ...metrics] })
        const accepted = emitAll(recorder, events)
        const sound = accepted.filter((event) => !breaksFragile(event))
        assert.deepStrictEqual(yield* statesOf(recorder), [
          ...fragile.map((metric) => foldOf(metric, sound)),
          ...foldAll(accepted)
        ])
        const { defects } = yield* recorder.stats
        for (const { name } of fragile) assert.strictEqual(defects[name] ?? 0, accepted.length - sound.length)
      }),
    runs(200)
  )

  it.effect.prop(
    "ends, under `onDefect: \"fail\"`, before the event for which a reducer throws",
    [Events, Capacity, Linger],
    ([events, capacity, linger]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity, linger, onDefect: "fail", metrics: [...metrics, ...fragile] })
        const accepted = emitAll(recorder, events)
        const failing = accepted.findIndex(breaksFragile)
        const sound = failing < 0 ? accepted : accepted.slice(0, failing)
        assert.deepStrictEqual(yield* statesOf(recorder), [
          ...foldAll(sound),
          ...fragile.map((metric) => foldOf(metric, sound))
        ])
        const { discarded, folded } = yield* recorder.stats
        assert.deepStrictEqual([folded, discarded], [sound.length, accepted.length - sound.length])
        if (events.length > 0) assert.strictEqual((yield* recorder.status)._tag, failing < 0 ? "Running" : "Failure")
      }),
    runs(200)
  )
})

describe("registration", () => {
  it.effect.prop(
    "gives a metric exactly the events accepted after it",
    [Events, Events, Capacity, Linger],
    ([before, after, capacity, linger]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity, linger, metrics: [Trail] })
        emitAll(recorder, before)
        yield* recorder.registerMetric(Traffic)
        yield* recorder.registerMetric(Logins)
        emitAll(recorder, after)
        yield* recorder.registerMetric(Routes)
        assert.deepStrictEqual(yield* statesOf(recorder), [
          foldOf(Trail, [...before, ...after]),
          foldOf(Traffic, after),
          foldOf(Logins, after),
          foldOf(Routes, [])
        ])
      }),
    runs(200)
  )

  it.effect.prop(
    "begins anew, with a later epoch, for a metric that was taken out",
    [Events, Events, Events],
    ([before, between, after]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ metrics: [Trail] })
        emitAll(recorder, before)
        const first = yield* recorder.capture
        assert.isTrue(yield* recorder.unregisterMetric(Trail.name))
        emitAll(recorder, between)
        yield* recorder.registerMetric(Trail)
        emitAll(recorder, after)
        const second = yield* recorder.capture
        assert.deepStrictEqual(second.metrics[0]!.state, Metric.fold(Trail, after))
        assert.isAbove(second.metrics[0]!.epoch, first.metrics[0]!.epoch)
      }),
    runs(100)
  )

  it.effect.prop(
    "in one recorder leaves another recorder with the same metrics alone",
    [Events, Events],
    ([ones, others]) =>
      Effect.gen(function*() {
        const one = yield* make()
        const other = yield* make()
        for (let index = 0; index < Math.max(ones.length, others.length); index++) {
          emitAll(one, ones.slice(index, index + 1))
          emitAll(other, others.slice(index, index + 1))
        }
        assert.deepStrictEqual(yield* statesOf(one), foldAll(ones))
        yield* one.unregisterMetric(Trail.name)
        assert.deepStrictEqual(yield* statesOf(other), foldAll(others))
        assert.strictEqual((yield* other.stats).accepted, others.length)
      }),
    runs(100)
  )
})

describe("accounting", () => {
  const Offered = Schema.Array(
    Schema.Union([AnyEvent, AnyEvent, Schema.Null, Schema.Int, Schema.Literal("stop"), Pause])
  )

  it.effect.prop(
    "leaves nothing out: offered = accepted + dropped + refused, accepted = folded + discarded + pending",
    [Offered, Capacity, Overflow, Schema.Literals(["isolate", "fail"]), Linger],
    ([steps, capacity, overflow, onDefect, linger]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity, overflow, onDefect, linger, metrics: [...metrics, Fragile] })
        let offered = 0
        let accepted = 0
        for (const step of steps) {
          if (step === "stop") yield* Effect.ignore(recorder.stop)
          else if (typeof step === "string") yield* pause(recorder, step)
          else {
            offered++
            accepted += emitAll(recorder, [step as Event.MetricEvent]).length
          }
          const stats = yield* recorder.stats
          const { invalidEvent, invalidState, overflow } = stats.refused
          assert.strictEqual(stats.accepted, accepted)
          assert.strictEqual(stats.accepted + stats.dropped + invalidEvent + invalidState + overflow, offered)
          assert.strictEqual(stats.folded + stats.discarded + stats.pending, stats.accepted)
          assert.strictEqual(Object.values(stats.droppedByTag).reduce((sum, count) => sum + count, 0), stats.dropped)
          assert.isAtMost(stats.ignored, stats.folded)
          assert.isAtMost(stats.pending, stats.highWater)
          assert.isAtMost(stats.highWater, capacity)
        }
      }),
    runs(300)
  )

  it.effect.prop(
    "has each read reflect all events accepted before it: the offset is their number",
    [Schema.Array(Events), Capacity, Overflow],
    ([bursts, capacity, overflow]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity, overflow })
        for (const burst of bursts) {
          emitAll(recorder, burst)
          const { offset } = yield* recorder.capture
          const { accepted, pending } = yield* recorder.stats
          assert.deepStrictEqual([offset, pending], [accepted, 0])
        }
      }),
    runs(100)
  )

  it.effect.prop(
    "answers registerEvent as it answers registerEventUnsafe",
    [Events, Capacity, Overflow],
    ([events, capacity, overflow]) =>
      Effect.gen(function*() {
        const one = yield* make({ capacity, overflow })
        const other = yield* make({ capacity, overflow })
        for (const event of events) {
          const answer = one.registerEventUnsafe(event)
          const error = yield* Effect.option(Effect.flip(other.registerEvent(event)))
          if (answer || overflow === "drop") assert.isTrue(Option.isNone(error))
          else assert.strictEqual(Option.getOrThrow(error)._tag, "QueueOverflowError")
        }
        assert.deepStrictEqual(yield* other.stats, yield* one.stats)
        // Otherwise the dispatcher may come in between: the fiber of a test gives way after so many steps.
      }).pipe(Effect.provideService(References.PreventSchedulerYield, true)),
    runs(100)
  )
})

describe("changes", () => {
  it.effect.prop(
    "are numbered without gaps, and each shows the fold up to its offset",
    [Events, Schema.Array(Pause), Linger],
    ([events, pauses, linger]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ linger })
        const changes = yield* collect(recorder.changes)
        for (const [index, event] of events.entries()) {
          emitAll(recorder, [event])
          if (pauses[index] !== undefined) yield* pause(recorder, pauses[index])
        }
        yield* recorder.flush
        yield* settle
        assert.deepStrictEqual(changes.map(({ sequence }) => sequence), changes.map((_, index) => index + 1))
        for (const { event, metric: name, offset, snapshot, state } of changes) {
          const metric: Metric.Any = metrics.find((metric) => metric.name === name)!
          assert.strictEqual(event, events[offset - 1])
          assert.deepStrictEqual(plain(metric, state), plain(metric, Metric.fold(metric, events.slice(0, offset))))
          assert.deepStrictEqual(snapshot, Metric.snapshot(metric, state))
        }
        for (const metric of metrics) {
          const last = changes.findLast((change) => change.metric === metric.name)
          assert.deepStrictEqual([metric.name, plain(metric, last?.state ?? metric.initial)], foldOf(metric, events))
        }
      }),
    runs(200)
  )

  it.effect.prop(
    "that follow the snapshots of a watch lead to the last snapshots, and what was missed is told",
    [Events, Events, Capacity],
    ([before, after, capacity]) =>
      Effect.gen(function*() {
        const recorder = yield* make({ capacity })
        emitAll(recorder, before)
        const watched = yield* collect(recorder.watch)
        yield* settle
        emitAll(recorder, after)
        const last = yield* recorder.snapshots
        yield* settle
        const shown: Record<string, Metric.MetricSnapshot | undefined> = {}
        let sequence = 0
        for (const item of watched) {
          if (item._tag === "Missed") sequence += item.count
          else if (item._tag === "Change") {
            assert.strictEqual(item.sequence, ++sequence)
            shown[item.metric] = item.snapshot
          } else {
            sequence = item.sequence
            assert.strictEqual(item.offset, before.length)
            Object.assign(shown, item.snapshots)
          }
        }
        const missed = watched.some((item) => item._tag === "Missed")
        if (capacity === 10_000) assert.isFalse(missed)
        if (!missed) assert.deepStrictEqual(shown, last)
        const skipped = watched.reduce((sum, item) => item._tag === "Missed" ? sum + item.count : sum, 0)
        assert.strictEqual((yield* recorder.stats).changesSkipped, skipped)
      }),
    runs(200)
  )

  it.effect.prop(
    "reach onMetricChanged one by one, in order, and those that it did not get are counted",
    [Events, Capacity],
    ([events, capacity]) =>
      Effect.gen(function*() {
        const got: Array<Recorder.MetricChange> = []
        const recorder = yield* make({
          capacity,
          onMetricChanged: (change) => Effect.andThen(Effect.yieldNow, Effect.sync(() => void got.push(change)))
        })
        emitAll(recorder, events)
        yield* recorder.flush
        for (let index = 1; index < got.length; index++) {
          assert.isAbove(got[index]!.sequence, got[index - 1]!.sequence)
        }
        const expected = events.flatMap((event, index) =>
          metrics.filter((metric) => isTaken(metric, events.slice(0, index), event)).map((metric) => metric.name)
        )
        for (const { metric, sequence } of got) assert.strictEqual(metric, expected[sequence - 1])
        assert.strictEqual(got.length + (yield* recorder.stats).changesSkipped, expected.length)
        if (expected.length > 0) assert.strictEqual(got.at(-1)?.sequence, expected.length)
      }),
    runs(100)
  )
})

const isTaken = (metric: Metric.Any, before: ReadonlyArray<AnyEvent>, event: AnyEvent): boolean =>
  (metric.tags === undefined || metric.tags.includes(event._tag)) &&
  Option.isSome(metric.reduce(Metric.fold(metric, before), event, { time: 0 }))
