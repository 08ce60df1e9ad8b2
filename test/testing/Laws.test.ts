import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Cause, Chunk, Data, DateTime, Effect, Exit, HashMap, Option, Schema, SchemaGetter } from "effect"
import { Event, Metric } from "mvx-metrics"
import { newOwner } from "../../src/internal/dimension/Kind.ts"
import { Measures } from "../../src/internal/dimension/Measures.ts"
import { isAlike, isSame } from "../../src/testing/internal/Likeness.ts"
import * as Laws from "../../src/testing/Laws.ts"

class Hit extends Event.Class<Hit>()("cache.hit", {
  n: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
}) {}

class Timed extends Event.Class<Timed>()("cache.timed", {
  n: Schema.Int,
  time: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
}) {}

/** Carries what the language cannot freeze. */
class Sized extends Event.Class<Sized>()("cache.sized", {
  at: Schema.Date,
  sizes: Schema.Array(Schema.Int),
  bytes: Schema.Uint8Array
}) {}

interface Totals {
  readonly total: number
}

const initial: Totals = { total: 0 }

const count = (state: Totals) => Option.some({ total: state.total + 1 })

const add = (a: Totals, b: Totals): Totals => ({ total: a.total + b.total })

/** A metric that merges in this way. */
const merging = (
  combine: (a: Totals, b: Totals) => Totals,
  reduce: (state: Totals, event: Hit) => Option.Option<Totals> = count
) => Metric.make("cache.hits", { events: [Hit], initial, reduce, combine: { combine } })

const withMeasures = <M extends Metric.Any>(metric: M, measures: Metric.Any["measures"]): M =>
  Object.assign(Object.create(Object.getPrototypeOf(metric)), metric, { measures })

/** A metric of other states. */
const stateful = <State>(initial: State, reduce: (state: State, event: Hit) => State) =>
  Metric.make("cache.hits", {
    events: [Hit],
    initial,
    reduce: (state: State, event) => Option.some(reduce(state, event)),
    dimensions: () => ({})
  })

const brokenOf = <M extends Metric.Any>(metric: M, options: Laws.CheckOptions<Metric.EventOf<M>>) =>
  Effect.flip(Laws.check(metric, options))

/** Which law is broken with the fewest events. */
const broken = <M extends Metric.Any>(
  metric: M,
  law: Laws.Law,
  events: ReadonlyArray<Event.MetricEvent> | number,
  options: Laws.CheckOptions<Metric.EventOf<M>>
) =>
  Effect.gen(function*() {
    const error = yield* brokenOf(metric, options)
    assert.strictEqual(error.law, law, error.message)
    if (typeof events === "number") assert.lengthOf(error.events, events, error.message)
    else assert.deepStrictEqual(error.events, events, error.message)
  })

const zero = new Hit({ n: 0 })

describe("a reducer", () => {
  let calls = 0

  const cases: ReadonlyArray<readonly [string, Metric.Metric<string, Hit, any, any>]> = [
    [
      "changes its state",
      Metric.make("cache.hits", {
        events: [Hit],
        initial: { total: 0 },
        reduce: (state) => {
          state.total++
          return Option.some(state)
        }
      })
    ],
    [
      "changes what is deep in its state",
      stateful({ of: [{ total: 0 }] }, (state) => {
        state.of[0]!.total++
        return state
      })
    ],
    [
      "changes a typed array in its state",
      stateful({ counts: new Uint32Array(2) }, (state) => {
        state.counts[0]!++
        return { counts: state.counts }
      })
    ],
    [
      "changes a map in its state",
      stateful(new Map<number, number>(), (state, { n }) => state.set(n, 1))
    ],
    [
      "changes a record in a map in its state",
      stateful(new Map([["a", { total: 0 }]]), (state) => {
        state.get("a")!.total++
        return state
      })
    ],
    [
      "changes a set in its state",
      stateful({ seen: new Set<number>() }, (state, { n }) => ({ seen: state.seen.add(n) }))
    ],
    [
      "changes a date in its state",
      stateful({ at: new Date(0) }, (state) => {
        state.at.setTime(1)
        return state
      })
    ],
    [
      "changes what an Option in its state holds",
      stateful(Option.some({ total: 0 }), (state) => {
        if (Option.isSome(state)) state.value.total++
        return state
      })
    ],
    [
      "changes its event",
      stateful({}, (state, event) => {
        ;(event as { n: number }).n = 7
        return state
      })
    ],
    ["returns something else each time", stateful({ id: 0 }, () => ({ id: calls++ }))],
    [
      "takes every second event that it is offered",
      Metric.make("cache.hits", {
        events: [Hit],
        initial,
        reduce: (state) => calls++ % 2 === 0 ? Option.some(state) : Option.none()
      })
    ],
    [
      "throws",
      stateful({}, () => {
        throw new Error("not yet")
      })
    ],
    [
      "returns no Option",
      Metric.make("cache.hits", { events: [Hit], initial, reduce: ((state: Totals) => state) as never })
    ]
  ]

  it.effect.each(cases)(
    "that %s is not pure, which a single event shows",
    ([_, metric]) => broken(metric, "reduce is pure", [zero], { events: [Hit] })
  )

  it.effect("that changes what it has put into a map is not pure, which a second event shows", () =>
    broken(
      stateful(new Map<string, { total: number }>(), (state) => {
        const before = state.get("a")
        if (before !== undefined) before.total++
        return new Map([["a", before ?? { total: 0 }]])
      }),
      "reduce is pure",
      [zero, zero],
      { events: [Hit] }
    ))

  it.effect.each<readonly [string, (event: Sized) => void, number]>([
    ["the date", (event) => void event.at.setTime(1), 0],
    ["the bytes", (event) => void event.bytes.fill(1), 1],
    ["the list", (event) => void (event.sizes as Array<number>).push(1), 0]
  ])("that changes %s in its event is not pure", ([_, change, length]) =>
    Effect.gen(function*() {
      const metric = Metric.make("cache.sizes", {
        events: [Sized],
        initial,
        reduce: (state, event) => {
          change(event)
          return Option.some(state)
        }
      })
      const error = yield* brokenOf(metric, { events: [Sized] })
      assert.strictEqual(error.law, "reduce is pure")
      const [event, ...others] = error.events as ReadonlyArray<Sized>
      assert.deepStrictEqual(others, [])
      assert.lengthOf(event!.bytes, length)
      assert.isTrue(event!.bytes.every((byte) => byte === 0))
    }))

  it.effect("that keeps `meta` folds a batch into something else", () =>
    broken(
      Metric.make("cache.hits", {
        events: [Hit],
        initial: { metas: [] as ReadonlyArray<Metric.Meta> },
        reduce: (state, _, meta) => Option.some({ metas: [...state.metas, meta] })
      }),
      "a batch folds as its events do",
      2,
      { events: [Hit] }
    ))

  it.effect("does not spoil its initial state", () =>
    Effect.gen(function*() {
      const metric = stateful({ total: 0, counts: new Uint32Array(1) }, (state) => {
        state.counts[0]!++
        return state
      })
      yield* brokenOf(metric, { events: [Hit] })
      assert.deepStrictEqual(metric.initial, { total: 0, counts: new Uint32Array(1) })
      assert.isFalse(Object.isFrozen(metric.initial))
    }))
})

describe("a batch", () => {
  it.effect("of dimensions that changes what was handed out is reported", () => {
    const metric = Metric.fromDimensions("cache.hits", [Hit], (d) => ({ total: d.count() }))
    const measures = metric.measures!
    const owner = newOwner()
    const fold: typeof measures.fold = {
      ...measures.fold,
      write: (state, _, registers) => measures.fold.write(state, owner, registers)
    }
    return broken(
      withMeasures(metric, measures.with(fold)),
      "a batch folds as its events do",
      [zero, zero, zero],
      { events: [Hit] }
    )
  })
})

describe("a codec", () => {
  const Lossy = Schema.Struct({ total: Schema.Finite }).pipe(Schema.decodeTo(
    Schema.Struct({ total: Schema.Finite, last: Schema.Finite }),
    {
      decode: SchemaGetter.transform(({ total }: Totals) => ({ total, last: -1 })),
      encode: SchemaGetter.transform(({ total }: Totals) => ({ total }))
    }
  ))

  it.effect("that loses a field is reported", () =>
    broken(
      Metric.make("cache.hits", {
        events: [Hit],
        initial: { total: 0, last: -1 },
        reduce: (state, { n }) => Option.some({ total: state.total + 1, last: n }),
        state: Lossy
      }),
      "a state survives its codec",
      [zero],
      { events: [Hit] }
    ))

  it.effect("that refuses a state is reported, with the reason", () =>
    Effect.gen(function*() {
      const error = yield* brokenOf(
        Metric.make("cache.hits", {
          events: [Hit],
          initial,
          reduce: count,
          state: Schema.Struct({ total: Schema.Finite.check(Schema.isLessThan(3)) })
        }),
        { events: [Hit] }
      )
      assert.strictEqual(error.law, "a state survives its codec")
      assert.deepStrictEqual(error.events, [zero, zero, zero])
      assert.match(error.found, /^SchemaError: Expected a value less than 3/)
    }))
})

describe("labels", () => {
  it.effect("that are kept apart beyond their limit, or below it are not, are reported", () =>
    Effect.gen(function*() {
      const of = (limit: number) =>
        Metric.fromDimensions("cache.hits", [Hit], (d) => ({ by_n: d.by("n", (e) => e.n, d.count(), { limit }) }))
      const one = of(1)
      const metric = withMeasures(one, new Measures(of(2).measures!.root, one.measures!.fold))
      const error = yield* brokenOf(metric, { events: [Hit] })
      assert.strictEqual(error.law, "labels are exact")
      assert.lengthOf(error.events, 2)
      assert.strictEqual(error.expected, "by_n to have 2 series")
      assert.strictEqual(error.found, "1")
    }))
})

describe("a merge", () => {
  let calls = 0

  it.effect.each<readonly [string, Metric.Metric<string, Hit, any, any>, Laws.Law, ReadonlyArray<Hit> | number]>([
    [
      "changes a state",
      merging((a, b) => {
        ;(a as { total: number }).total += b.total
        return a
      }),
      "merge is pure",
      []
    ],
    [
      "changes a typed array",
      Metric.make("cache.hits", {
        events: [Hit],
        initial: { counts: new Uint32Array(1) },
        reduce: ({ counts }) => Option.some({ counts: counts.map((count) => count + 1) }),
        combine: {
          combine: (a, b) => {
            a.counts[0]! += b.counts[0]!
            return a
          }
        },
        dimensions: () => ({})
      }),
      "merge is pure",
      [zero]
    ],
    [
      "returns something else each time",
      merging((a, b) => ({ total: a.total + b.total + calls++ })),
      "merge is pure",
      []
    ],
    ["forgets one state", merging((a) => a), "merge has an identity", [zero]],
    ["counts itself", merging((a, b) => ({ total: a.total + b.total + 1 })), "merge has an identity", []],
    [
      "keeps the first",
      merging((a, b) => a.total === 0 ? b : a, (_, { n }) => Option.some({ total: n })),
      "merge is commutative",
      2
    ],
    ["takes the difference", merging((a, b) => ({ total: Math.abs(a.total - b.total) })), "merge is associative", [
      zero,
      zero,
      zero,
      zero
    ]],
    ["keeps the greater", merging((a, b) => ({ total: Math.max(a.total, b.total) })), "merge agrees with fold", [
      zero,
      zero
    ]],
    [
      "throws",
      merging(() => {
        throw new Error("not yet")
      }),
      "merge is pure",
      []
    ]
  ])("that %s breaks a law", ([_, metric, law, events]) => broken(metric, law, events, { events: [Hit] }))
})

describe("a metric that keeps to the laws", () => {
  const ofReducing: ReadonlyArray<Laws.Law> = ["reduce is pure", "a batch folds as its events do"]
  const ofMerging: ReadonlyArray<Laws.Law> = [
    "merge is pure",
    "merge has an identity",
    "merge is commutative",
    "merge is associative",
    "merge agrees with fold"
  ]

  it.effect("is checked for what it has", () =>
    Effect.gen(function*() {
      const events = [Hit]
      assert.deepStrictEqual(yield* Laws.check(stateful({}, (state) => state), { events }), ofReducing)
      assert.deepStrictEqual(yield* Laws.check(merging(add), { events }), [...ofReducing, ...ofMerging])
      const ByN = Metric.fromDimensions("cache.hits", [Hit], (d) => ({ by_n: d.by("n", (e) => e.n, d.count()) }))
      assert.deepStrictEqual(yield* Laws.check(ByN, { events }), [
        ...ofReducing,
        "labels are exact",
        ...ofMerging,
        "a state survives its codec"
      ])
    }))

  it.effect("may be one with a reducer, a merge, a codec, and sums of fractions", () =>
    Effect.gen(function*() {
      class Upload extends Event.Class<Upload>()("upload", {
        bytes: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 })),
        seconds: Schema.Finite.check(Schema.isBetween({ minimum: -10, maximum: 10 })),
        user: Schema.Literals(["ann", "bob"])
      }) {}
      const Uploads = Metric.make("uploads", {
        events: [Upload],
        initial: {
          total: 0,
          bytes: 0,
          seconds: 0,
          largest: null as number | null,
          users: {} as Readonly<Record<string, number>>
        },
        reduce: (s, e) =>
          Option.some({
            total: s.total + 1,
            bytes: s.bytes + e.bytes,
            seconds: s.seconds + e.seconds,
            largest: Math.max(s.largest ?? 0, e.bytes),
            users: { ...s.users, [e.user]: (s.users[e.user] ?? 0) + e.seconds / 3 }
          }),
        combine: {
          combine: (a, b) => ({
            total: a.total + b.total,
            bytes: a.bytes + b.bytes,
            seconds: a.seconds + b.seconds,
            largest: a.largest === null ? b.largest : b.largest === null ? a.largest : Math.max(a.largest, b.largest),
            users: {
              ...a.users,
              ...Object.fromEntries(
                Object.entries(b.users).map(([user, seconds]) => [user, (a.users[user] ?? 0) + seconds])
              )
            }
          })
        },
        state: Schema.Struct({
          total: Schema.Int,
          bytes: Schema.Int,
          seconds: Schema.Finite,
          largest: Schema.NullOr(Schema.Int),
          users: Schema.Record(Schema.String, Schema.Finite)
        }),
        dimensions: ({ users: _, ...shown }) => shown
      })
      assert.deepStrictEqual(yield* Laws.check(Uploads, { events: [Upload] }), [
        ...ofReducing,
        ...ofMerging,
        "a state survives its codec"
      ])
    }))

  it.effect("may keep maps, sets, dates, bytes, options and what Effect has in its state", () => {
    class Seen extends Event.Class<Seen>()("seen", {
      key: Schema.Literals(["a", "b"]),
      n: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })),
      at: Schema.DateTimeUtc
    }) {}
    const State = Schema.Struct({
      totals: Schema.ReadonlyMap(Schema.String, Schema.Finite),
      keys: Schema.ReadonlySet(Schema.String),
      latest: Schema.Option(Schema.DateTimeUtc),
      greatest: Schema.Option(Schema.Finite),
      epoch: Schema.Date,
      counts: Schema.Uint8Array,
      byKey: Schema.HashMap(Schema.String, Schema.Finite),
      recent: Schema.Chunk(Schema.Finite)
    })
    type State = typeof State.Type
    const later = (a: DateTime.Utc, b: DateTime.Utc) => DateTime.max(a, b)
    const combine = (a: State, b: State): State => ({
      totals: new Map([...a.totals].concat([...b.totals].map(([key, n]) => [key, n + (a.totals.get(key) ?? 0)]))),
      keys: new Set([...a.keys, ...b.keys]),
      latest: Option.zipWith(a.latest, b.latest, later).pipe(
        Option.orElse(() => a.latest),
        Option.orElse(() => b.latest)
      ),
      greatest: Option.zipWith(a.greatest, b.greatest, Math.max).pipe(
        Option.orElse(() => a.greatest),
        Option.orElse(() => b.greatest)
      ),
      epoch: a.epoch,
      counts: a.counts.map((count, at) => count + b.counts[at]!),
      byKey: HashMap.reduce(
        b.byKey,
        a.byKey,
        (sum, n, key) => HashMap.modifyAt(sum, key, (before) => Option.some(n + Option.getOrElse(before, () => 0)))
      ),
      recent: Chunk.fromIterable([...a.recent, ...b.recent].toSorted((a, b) => b - a).slice(0, 2))
    })
    const metric = Metric.make("seen", {
      events: [Seen],
      initial: {
        totals: new Map(),
        keys: new Set(),
        latest: Option.none(),
        greatest: Option.none(),
        epoch: new Date(0),
        counts: new Uint8Array(10),
        byKey: HashMap.empty(),
        recent: Chunk.empty()
      } as State,
      reduce: (state, { at, key, n }) =>
        Option.some(combine(state, {
          totals: new Map([[key, n / 7]]),
          keys: new Set([key]),
          latest: Option.some(at),
          greatest: Option.some(n / 7),
          epoch: state.epoch,
          counts: new Uint8Array(10).fill(1, n, n + 1),
          byKey: HashMap.make([key as string, n]),
          recent: Chunk.of(n)
        })),
      dimensions: () => ({}),
      combine: { combine },
      state: State
    })
    return Laws.check(metric, { events: [Seen] })
  })
})

describe("two states", () => {
  class Point {
    readonly x: number
    constructor(x: number) {
      this.x = x
    }
  }

  it.each<readonly [string, unknown, unknown]>([
    ["numbers", { total: NaN, zero: 0 }, { total: NaN, zero: -0 }],
    ["records, absent keys being undefined", { a: { b: [1] } }, { a: { b: [1] }, c: undefined }],
    ["records of either prototype", { a: 1 }, Object.assign(Object.create(null), { a: 1 })],
    ["instances", new Point(1), new Point(1)],
    ["maps, by keys that are equal or look so", new Map([["a", [1]]]), new Map([["a", [1]]])],
    ["maps by records", new Map([[{ a: 1 }, 1]]), new Map([[{ a: 1 }, 1]])],
    ["sets of records", new Set([{ a: 1 }]), new Set([{ a: 1 }])],
    ["dates", new Date(1), new Date(1)],
    ["typed arrays", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    ["texts of what shows nothing else", new URL("http://a"), new URL("http://a")],
    ["values with an equality", [DateTime.makeUnsafe(1), Chunk.of(1)], [DateTime.makeUnsafe(1), Chunk.make(1)]],
    ["options", [Option.some([1]), Option.none()], [Option.some([1]), Option.none()]]
  ])("are the same by their %s", (_, a, b) => {
    assert.isTrue(isSame(a, b))
    assert.isTrue(isAlike(a, b, []))
  })

  it.each<readonly [string, unknown, unknown]>([
    ["a number", { total: 1 }, { total: 2 }],
    ["a number that is none", { total: NaN }, { total: 2.5 }],
    ["a type", { total: 1 }, { total: "1" }],
    ["nothing", { total: null }, { total: {} }],
    ["a key", { a: 1 }, { b: 1 }],
    ["a key more", { a: 1 }, { a: 1, b: 1 }],
    ["a length", [1, undefined], [1]],
    ["a class", new Point(1), { x: 1 }],
    ["a size of a map", new Map([["a", 1]]), new Map([["a", 1], ["b", 1]])],
    ["a value of a map", new Map([["a", 1]]), new Map([["a", 2]])],
    ["a key of a map", new Map([["a", 1]]), new Map([["b", 1]])],
    ["a set", new Set(["a"]), new Set(["b"])],
    ["a size of a set", new Set(["a"]), new Set(["a", "b"])],
    ["a date", new Date(1), new Date(2)],
    ["a byte", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
    ["a text", new URL("http://a"), new URL("http://b")],
    ["a value with an equality", DateTime.makeUnsafe(1_000_000_000_000), DateTime.makeUnsafe(1_000_000_000_001)],
    ["an option", Option.some(1), Option.some(2)],
    ["there being an option", Option.some(undefined), Option.none()]
  ])("differ by %s", (_, a, b) => {
    assert.isFalse(isSame(a, b))
    assert.isFalse(isAlike(a, b, []))
    assert.isFalse(isAlike(b, a, []))
  })

  it("are alike up to the error of sums, by the greatest on the way in the same place", () => {
    assert.isTrue(isAlike([{ sum: 0.1 + 0.2 }], [{ sum: 0.3 }], []))
    assert.isTrue(isAlike(new Map([["a", 0.001]]), new Map([["a", 0.002]]), [new Map([["a", 1e9 + 0.1]])]))
    assert.isTrue(isAlike(Option.some(0.001), Option.some(0.002), [Option.none(), Option.some(1e9)]))
    assert.isFalse(isAlike({ a: 0.001, b: 1 }, { a: 0.002, b: 1 }, [{ a: 1, b: 1e9 }]))
    assert.isFalse(isAlike({ sum: 0.3 }, { sum: 0.300_000_01 }, []))
    assert.isFalse(isSame({ sum: 0.1 + 0.2 }, { sum: 0.3 }))
  })

  it("are alike exactly where they are integers all the way", () => {
    assert.isFalse(isAlike({ total: 1e12 }, { total: 1e12 + 1 }, [{ total: 1e12 }]))
    assert.isTrue(isAlike({ total: 1e12 }, { total: 1e12 + 1 }, [{ total: 1e12 + 0.5 }]))
  })

  it("are alike where a sum has been infinite", () => {
    assert.isTrue(isAlike({ sum: NaN }, { sum: 1.5 }, [{ sum: -Infinity }]))
    assert.isFalse(isAlike({ sum: NaN }, { sum: 1.5 }, [{ sum: 1e300 }]))
  })
})

describe("a metric that keeps the newest", () => {
  const Newest = Metric.make("cache.newest", {
    events: [Hit, Timed],
    initial: { n: 0, at: -Infinity },
    reduce: (state, { n }, { time }) => time < state.at ? Option.none() : Option.some({ n, at: time }),
    combine: { combine: (a, b) => b.at > a.at || (b.at === a.at && b.n > a.n) ? b : a }
  })

  it.effect.each([["with", [Timed]], ["without", [Hit]], ["with and without", [Hit, Timed]]] as const)(
    "merges as it folds where the parts come one after the other, of events %s a time",
    ([_, events]) =>
      Effect.gen(function*() {
        yield* Laws.check(Newest, { events, ordered: true, runs: 300 })
        const error = yield* brokenOf(Newest, { events, runs: 300 })
        assert.strictEqual(error.law, "merge agrees with fold")
        assert.lengthOf(error.events, 2)
      })
  )

  it.effect("is reported when the newest is not the one it keeps", () =>
    Effect.gen(function*() {
      const Oldest = Metric.make("cache.oldest", {
        ...Newest,
        events: [Hit],
        combine: {
          combine: (a, b) =>
            a.at === -Infinity || (b.at > -Infinity && b.at < a.at) || (b.at === a.at && b.n > a.n) ? b : a
        }
      })
      const error = yield* brokenOf(Oldest, { events: [Hit], ordered: true })
      assert.strictEqual(error.law, "merge agrees with fold")
      assert.match(error.message, /^ {2}xs: \[.*\] at time 1\n {2}ys: \[.*\] at time 2$/m)
    }))
})

describe("check", () => {
  const Greatest = merging((a, b) => ({ total: Math.max(a.total, b.total) }))

  it.effect("says in its message what a reader of a test report wants to know", () =>
    Effect.gen(function*() {
      const error = yield* brokenOf(Greatest, { events: [Hit], seed: "seed" })
      assert.strictEqual(
        error.message,
        `Metric "cache.hits" breaks the law "merge agrees with fold"
  xs: [cache.hit({"_tag":"cache.hit","n":0})]
  ys: [cache.hit({"_tag":"cache.hit","n":0})]
  expected fold(xs) merged with fold(ys) to be {"total":2}
  found {"total":1}
  seed: "seed"`
      )
    }))

  it.effect("shows of a metric made of dimensions those that differ", () =>
    Effect.gen(function*() {
      const of = (step: number) =>
        Metric.fromDimensions("cache.hits", [Hit], (d) => ({ total: d.count(), sum: d.sum(() => step) }))
      const metric = of(1)
      const error = yield* brokenOf(withMeasures(metric, of(2).measures), { events: [Hit] })
      assert.strictEqual(error.law, "a batch folds as its events do")
      assert.strictEqual(error.expected, `Metric.fold(events) to be {"sum":1,"skipped":0}`)
      assert.strictEqual(error.found, `{"sum":2,"skipped":0}`)
    }))

  it.effect("reports the first law that is broken by any events, whatever events come first", () =>
    Effect.gen(function*() {
      const difference = merging((a, b) => ({ total: Math.abs(a.total - b.total) }))
      for (let seed = 0; seed < 20; seed++) {
        const error = yield* brokenOf(difference, { events: [Hit], seed })
        assert.strictEqual(error.law, "merge is associative")
      }
    }))

  it.effect("reports for a law of one state the events in one list, where they do not differ in time", () =>
    Effect.gen(function*() {
      const Two = Metric.make("cache.hits", {
        events: [Hit],
        initial,
        reduce: count,
        state: Schema.Struct({ total: Schema.Finite.check(Schema.isLessThan(2)) })
      })
      for (let seed = 0; seed < 20; seed++) {
        const { parts } = yield* brokenOf(Two, { events: [Hit], seed })
        assert.deepStrictEqual(parts, [{ time: 1, events: [zero, zero] }])
      }
    }))

  it.effect("reports the same again with the seed of an error", () =>
    Effect.gen(function*() {
      const first = yield* brokenOf(Greatest, { events: [Hit, Timed] as never })
      const again = yield* brokenOf(Greatest, { events: [Hit, Timed] as never, seed: first.seed })
      assert.deepStrictEqual({ ...again }, { ...first })
    }))

  it.effect("takes classes, other schemas and arbitraries, and runs as often as it is told", () =>
    Effect.gen(function*() {
      class Placed extends Data.TaggedClass("placed")<{ readonly n: number }> {}
      const tags = new Map<string, number>()
      const metric = Metric.make("cache.tags", {
        initial,
        reduce: (state, event: Hit | Placed | { readonly _tag: "struct" }) => {
          tags.set(event._tag, (tags.get(event._tag) ?? 0) + 1)
          if (event._tag === "placed") assert.instanceOf(event, Placed)
          return Option.some({ total: state.total + 1 })
        }
      })
      const events = [
        Hit,
        Schema.Struct({ _tag: Schema.tag("struct") }),
        Arbitrary.map(Arbitrary.schema(Schema.Int), (n) => new Placed({ n }))
      ]
      yield* Laws.check(metric, { events, runs: 10 })
      const few = Array.from(tags.values()).reduce((sum, calls) => sum + calls)
      assert.sameMembers(Array.from(tags.keys()), ["cache.hit", "struct", "placed"])
      yield* Laws.check(metric, { events, runs: 100 })
      assert.isAbove(Array.from(tags.values()).reduce((sum, calls) => sum + calls), 5 * few)
    }))

  it.effect("offers a metric no events that it does not name", () =>
    Laws.check(
      merging(add, (state, event) => {
        assert.instanceOf(event, Hit)
        return count(state)
      }),
      { events: [Hit, Timed] as never }
    ))

  it.effect("is a defect without events, or with none that the metric takes", () =>
    Effect.gen(function*() {
      const messageOf = (exit: Exit.Exit<unknown, unknown>) =>
        Exit.isFailure(exit) && Cause.hasDies(exit.cause) ? (Cause.squash(exit.cause) as Error).message : undefined
      assert.strictEqual(
        messageOf(yield* Effect.exit(Laws.check(Greatest, { events: [] }))),
        "Invalid option `events`: expected one or more schemas or arbitraries of events, found an array of 0"
      )
      const none = yield* Effect.exit(Laws.check(Metric.filter(Greatest, () => false), { events: [Hit] }))
      assert.strictEqual(
        messageOf(none),
        "Invalid option `events`: expected events that \"cache.hits\" takes, found an array of 1"
      )
    }))

  it("is given events that the metric takes, or it does not compile", () => {
    // @ts-expect-error -- the metric takes other events
    void Laws.check(Greatest, { events: [Timed] })
  })
})
