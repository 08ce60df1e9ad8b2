import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Schema } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { OtlpSerialization } from "effect/observability"
import { TestClock } from "effect/testing"
import { Event, Metric, type Recorder } from "mvx-metrics"
import { collectLogs, emitAll, Hits, hits, settle, until } from "../support.ts"
import {
  type Answer,
  type Application,
  application,
  type DataPoint,
  type Export,
  labelsOf,
  metricsOf,
  OtlpReceiver,
  partialSuccess,
  pointsOf,
  rhythm
} from "./OtlpReceiver.ts"

const start = 1_700_000_000_000

const makeReceiver = Effect.andThen(TestClock.setTime(start), OtlpReceiver.make)

/** An application that has counted three hits. */
const counting = (
  receiver: OtlpReceiver,
  options?: Parameters<typeof application>[1],
  given?: Parameters<typeof application>[2]
) =>
  Effect.gen(function*() {
    const app = yield* application(receiver, options, given)
    const recorder = yield* app.runtime.createRecorder("web", { metrics: [Hits] })
    emitAll(recorder, hits(1, 3))
    return { ...app, recorder }
  })

/** How many hits each of the exports tells of. */
const hitsIn = (exports: ReadonlyArray<Export>): ReadonlyArray<number> =>
  exports.map((sent) => pointsOf(sent, "cache.hits_total")[0]!.asDouble!)

const isSame = (a: Export, b: Export): boolean => Buffer.compare(a.body, b.body) === 0

const arrived = (receiver: OtlpReceiver, count: number): Effect.Effect<void> =>
  until(`request ${count} arrives`, Effect.sync(() => receiver.exports.length === count))

const heldBack = () => {
  let release = (): void => {}
  const after = new Promise<void>((resolve) => {
    release = resolve
  })
  return { after, release }
}

const figuresOf = (sent: Export) => ({
  failed: pointsOf(sent, "mvx_metrics_otlp_failed_requests_total")[0]!.asDouble,
  rejected: pointsOf(sent, "mvx_metrics_otlp_rejected_points_total")[0]!.asDouble
})

describe("A receiver that cannot take an export", () => {
  it.effect.each(
    [
      [429, "5", 5_000],
      [503, "5", 5_000],
      [503, new Date(start + 17_000).toUTCString(), 7_000]
    ] as const
  )("gets it again when it asks for it: %s, Retry-After %s", ([status, retryAfter, wait]) =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { temporality: "delta" })
      receiver.answers.push({ status, headers: { "retry-after": retryAfter } })
      yield* TestClock.adjust(10_000)
      assert.strictEqual(yield* app.wait, wait)
      yield* TestClock.adjust(wait)
      yield* app.atRest
      yield* app.nextExport
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 3, 0])
      assert.isTrue(isSame(receiver.exports[0]!, receiver.exports[1]!))
    }))

  it.effect.each([429, 502, 503, 504, "reset"] as const)(
    "gets it again after longer and longer waits: %s",
    (status) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const app = yield* counting(receiver)
        receiver.answers.push({ status }, { status })
        yield* TestClock.adjust(10_000)
        const first = yield* app.wait
        assert.isTrue(first >= 1_000 && first < 1_500, String(first))
        yield* TestClock.adjust(first)
        yield* arrived(receiver, 2)
        const second = yield* app.wait
        assert.isTrue(second >= 2_000 && second < 3_000, String(second))
        yield* TestClock.adjust(second)
        yield* app.atRest
        assert.strictEqual(receiver.exports.length, 3)
        assert.isTrue(receiver.exports.every((sent) => isSame(sent, receiver.exports[0]!)))
      })
  )

  it.effect.each(
    [
      ["fetch", NodeHttpClient.layerFetch],
      ["undici", NodeHttpClient.layerUndici],
      ["node:http", NodeHttpClient.layerNodeHttp]
    ] as const
  )("gets it again from every client of Node: %s", ([, client]) =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { temporality: "delta", compression: "gzip" }, { client })
      receiver.answers.push({ status: 503, body: "busy" }, { status: "reset" })
      yield* app.exportWithRetries
      emitAll(app.recorder, hits(1, 2))
      yield* app.nextExport
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 3, 3, 2])
    }))

  it.effect("is not overrun where it asks not to wait at all", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver)
      receiver.answers.push({ status: 429, headers: { "retry-after": "0" } })
      yield* TestClock.adjust(10_000)
      const wait = yield* app.wait
      assert.isTrue(wait >= 1_000 && wait < 1_500, String(wait))
    }))

  it.effect("gets the next one, and not this one, as soon as that is due", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { temporality: "delta" })
      receiver.answer = () => ({ status: 503 })
      yield* app.exportWithRetries
      const tried = receiver.exports.length
      assert.isTrue(tried === 3 || tried === 4, String(tried))
      emitAll(app.recorder, hits(1, 2))
      receiver.answer = () => ({})
      yield* app.nextExport
      assert.deepStrictEqual(hitsIn(receiver.exports.slice(tried)), [5])
    }))

  it.effect("is spared until it asks to be, however often an export is due meanwhile", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { temporality: "delta" })
      receiver.answers.push({ status: 503, headers: { "retry-after": "25" } })
      yield* app.nextExport
      yield* app.nextExport
      yield* app.nextExport
      assert.strictEqual(receiver.exports.length, 1)
      emitAll(app.recorder, hits(1, 2))
      yield* app.nextExport
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 5])
    }))

  it.effect("is not spared for longer than five minutes", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver)
      receiver.answers.push({ status: 429, headers: { "retry-after": "31536000" } })
      for (let exports = 0; exports < 30; exports++) yield* app.nextExport
      assert.strictEqual(receiver.exports.length, 1)
      yield* app.nextExport
      assert.strictEqual(receiver.exports.length, 2)
    }))

  it.effect.each(["cumulative", "delta"] as const)(
    "and is down when the application starts, gets everything later: %s",
    (temporality) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const { layer, lines } = collectLogs()
        yield* Effect.promise(() => receiver.close())
        const url = `${receiver.url}?api-key=secret`
        const app = yield* counting(receiver, { temporality, url }).pipe(Effect.provide(layer))
        yield* app.exportWithRetries
        yield* app.exportWithRetries
        assert.strictEqual(receiver.exports.length, 0)
        yield* Effect.promise(() => receiver.listen())
        emitAll(app.recorder, hits(1, 4))
        yield* app.exportWithRetries

        const counted = new Map(receiver.exports.map((sent) => [Buffer.from(sent.body).toString("base64"), sent]))
        const found = hitsIn([...counted.values()])
        assert.deepStrictEqual(found, temporality === "delta" ? [3, 4] : [7])
        const told = lines.map(({ text }) => text).filter((text) => text.includes("OTLP"))
        assert.strictEqual(told.length, 2)
        assert.match(told[0]!, /^Warn An OTLP export to 127\.0\.0\.1:\d+ failed: .*ECONNREFUSED/)
        assert.match(told[1]!, /^Info OTLP exports to 127\.0\.0\.1:\d+ work again, after \d+ that failed$/)
        assert.isTrue(told.every((text) => !/undefined|secret/.test(text)))
      })
  )
})

describe("A receiver that refuses an export", () => {
  it.effect.each([400, 401, 403, 404, 413, 500])(
    "with %s is not asked again, and gets the next one, which lacks nothing",
    (status) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const { layer, lines } = collectLogs()
        const app = yield* counting(receiver, { temporality: "delta" }).pipe(Effect.provide(layer))
        const refusal: Answer = {
          status,
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ code: 3, message: "not like this" })
        }
        receiver.answers.push(refusal, refusal)
        yield* app.nextExport
        emitAll(app.recorder, hits(1, 2))
        yield* app.nextExport
        yield* app.nextExport
        receiver.answers.push(refusal)
        yield* app.nextExport
        assert.deepStrictEqual(hitsIn(receiver.exports), [3, 5, 5, 0])
        assert.deepStrictEqual(figuresOf(receiver.exports[2]!), { failed: 2, rejected: 0 })
        const { host } = new URL(receiver.url)
        assert.deepStrictEqual(lines.map(({ text }) => text).filter((text) => text.includes("OTLP")), [
          `Error An OTLP export to ${host} was refused: ${status} not like this`,
          `Info OTLP exports to ${host} work again, after 2 that failed`,
          `Error An OTLP export to ${host} was refused: ${status} not like this`
        ])
        assert.strictEqual(lines[0]!.annotations["metrics.runtime"], "shop")
      })
  )

  it.effect.each(
    [
      ["text/plain; charset=utf-8", " no such tenant\n", "no such tenant"],
      ["application/x-protobuf", new Uint8Array([0x08, 0x03, 0x12, 0x02, 0x6e, 0x6f]), "no"],
      ["application/x-protobuf", new Uint8Array([0x12, 0xc8, 0x01, ...Array(200).fill(0x79)]), "y".repeat(200)],
      ["application/json", "not JSON", ""],
      ["application/x-protobuf", new Uint8Array([0xff, 0xff]), ""],
      ["text/html", "x".repeat(1_000), "x".repeat(200)]
    ] as const
  )("is quoted, as far as it says why: %s %s", ([contentType, body, reason]) =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const { layer, lines } = collectLogs()
      const app = yield* counting(receiver).pipe(Effect.provide(layer))
      receiver.answers.push({ status: 400, headers: { "content-type": contentType }, body })
      yield* app.nextExport
      assert.strictEqual(
        lines[0]!.text,
        `Error An OTLP export to ${new URL(receiver.url).host} was refused: ${`400 ${reason}`.trim()}`
      )
    }))

  it.effect("is told from one that is away also where the client makes errors of statuses", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const strict = Layer.effect(
        HttpClient.HttpClient,
        HttpClient.HttpClient.useSync(HttpClient.filterStatusOk)
      ).pipe(Layer.provide(FetchHttpClient.layer))
      const app = yield* counting(receiver, { temporality: "delta" }, { client: strict })
      receiver.answers.push({ status: 401 })
      yield* app.nextExport
      emitAll(app.recorder, hits(1, 1))
      yield* app.nextExport
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 4])
    }))
})

describe("A receiver that takes a part of an export", () => {
  const json = (partial: object): Answer => ({
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ partialSuccess: partial })
  })

  it.effect.each(
    [
      ["Protocol Buffers", OtlpSerialization.layerProtobuf, partialSuccess(300, "too old")],
      ["JSON", OtlpSerialization.layerJson, json({ rejectedDataPoints: "300", errorMessage: "too old" })]
    ] as const
  )("says so, and is asked no more: %s", ([, serialization, answer]) =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const { layer, lines } = collectLogs()
      const app = yield* counting(receiver, { temporality: "delta" }, { serialization }).pipe(Effect.provide(layer))
      receiver.answers.push(answer, answer)
      yield* app.nextExport
      yield* app.nextExport
      yield* app.nextExport
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 0, 0])
      assert.deepStrictEqual(receiver.exports.map((sent) => figuresOf(sent).rejected), [0, 300, 300])
      const text = `${new URL(receiver.url).host} left out 300 points of an OTLP export: too old`
      assert.deepStrictEqual(lines.map((line) => line.text).filter((text) => text.includes("OTLP")), [`Warn ${text}`])
    }))

  it.effect("may say what nobody can count, and at any length", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const { layer, lines } = collectLogs()
      const app = yield* counting(receiver).pipe(Effect.provide(layer))
      receiver.answers.push(
        json({ rejectedDataPoints: 5, errorMessage: "y".repeat(100_000) }),
        json({ rejectedDataPoints: -1, errorMessage: "x".repeat(1_000) }),
        json({ rejectedDataPoints: "1e999", errorMessage: "endless" })
      )
      for (let exports = 0; exports < 4; exports++) yield* app.nextExport
      assert.deepStrictEqual(receiver.exports.map((sent) => figuresOf(sent).rejected), [0, 0, 0, 0])
      assert.deepStrictEqual(lines.map((line) => line.text).filter((text) => text.includes("OTLP")), [
        `Warn ${new URL(receiver.url).host} warns about an OTLP export: ${"x".repeat(200)}`
      ])
    }))

  it.effect.each([{}, { body: "" }, { body: "ok" }, json({}), partialSuccess(0, "")])(
    "may have nothing to say: %j",
    (answer) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const { layer, lines } = collectLogs()
        const app = yield* counting(receiver).pipe(Effect.provide(layer))
        receiver.answers.push(answer)
        yield* app.nextExport
        yield* app.nextExport
        assert.deepStrictEqual(lines.filter(({ text }) => text.includes("OTLP")), [])
        assert.strictEqual(receiver.exports.length, 2)
      })
  )
})

describe("An export of which nobody knows whether it arrived", () => {
  const ways: ReadonlyArray<readonly [way: string, status: Required<Answer>["status"]]> = [
    ["the connection breaks", "reset"],
    ["no answer comes", "silence"],
    ["a gateway fails", 502],
    ["a gateway gives up", 504]
  ]

  it.effect.each(ways)(
    "is sent again as it was, before anything else, in a delta: %s",
    ([, status]) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const app = yield* counting(receiver, { temporality: "delta" })
        receiver.answer = () => ({ status })
        yield* TestClock.adjust(10_000)
        yield* arrived(receiver, 1)
        if (status === "silence") {
          yield* TestClock.adjust(rhythm.requestTimeout)
          yield* app.wait
          receiver.answer = () => ({ status: 503 })
        }
        yield* app.retries
        const tried = receiver.exports.length
        assert.isAbove(tried, 1)
        emitAll(app.recorder, hits(1, 2))
        receiver.answer = () => ({})
        yield* app.nextExport
        yield* app.nextExport
        assert.deepStrictEqual(hitsIn(receiver.exports.slice(tried)), [3, 2, 0])
        assert.isTrue(receiver.exports.slice(0, tried + 1).every((sent) => isSame(sent, receiver.exports[0]!)))
      })
  )

  it.effect("may be one of a client that dies", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const dying = Layer.effect(
        HttpClient.HttpClient,
        HttpClient.HttpClient.useSync(HttpClient.transformResponse(
          Effect.tap(() => receiver.exports.length < 3 ? Effect.die("the client is broken") : Effect.void)
        ))
      ).pipe(Layer.provide(FetchHttpClient.layer))
      const app = yield* counting(receiver, { temporality: "delta" }, { client: dying })
      yield* app.exportWithRetries
      emitAll(app.recorder, hits(1, 2))
      yield* app.nextExport
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 3, 3, 2])
    }))

  it.effect.each([503, 401, 404, 500] as const)(
    "is kept until it is known, also after %s",
    (status) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const app = yield* counting(receiver, { temporality: "delta" })
        receiver.answer = () => ({ status: "reset" })
        yield* app.exportWithRetries
        emitAll(app.recorder, hits(1, 2))
        receiver.answer = () => ({ status })
        yield* app.exportWithRetries
        emitAll(app.recorder, hits(1, 4))
        receiver.answer = () => ({})
        const before = receiver.exports.length
        yield* app.exportWithRetries
        assert.deepStrictEqual(hitsIn(receiver.exports.slice(before)), [3, 6])
        assert.isTrue(receiver.exports.slice(0, before + 1).every((sent) => isSame(sent, receiver.exports[0]!)))
      })
  )

  it.effect("is given up where the receiver says that it takes no such body", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { temporality: "delta" })
      receiver.answer = () => ({ status: "reset" })
      yield* app.exportWithRetries
      const before = receiver.exports.length
      emitAll(app.recorder, hits(1, 2))
      receiver.answer = (sent) => ({ status: isSame(sent, receiver.exports[0]!) ? 400 : 200 })
      yield* app.exportWithRetries
      assert.deepStrictEqual(hitsIn(receiver.exports.slice(before)), [3, 5])
    }))

  it.effect("is forgotten where values are cumulative: the next one says it all", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver)
      receiver.answer = () => ({ status: "reset" })
      yield* app.exportWithRetries
      const before = receiver.exports.length
      emitAll(app.recorder, hits(1, 2))
      receiver.answer = () => ({})
      yield* app.exportWithRetries
      assert.deepStrictEqual(hitsIn(receiver.exports.slice(before)), [5])
    }))
})

describe("The end of an application", () => {
  it.effect("waits for the request in flight, and then exports what came meanwhile", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { temporality: "delta" })
      const { after, release } = heldBack()
      receiver.answers.push({ after })
      yield* TestClock.adjust(10_000)
      yield* arrived(receiver, 1)
      emitAll(app.recorder, hits(1, 2))
      const closing = yield* Effect.forkChild(app.close, { startImmediately: true })
      yield* settle
      assert.strictEqual(receiver.exports.length, 1)
      release()
      yield* Fiber.join(closing)
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 2])
    }))

  it.effect.each(["cumulative", "delta"] as const)(
    "does not wait to send again what failed: it goes out at once, %s",
    (temporality) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const app = yield* counting(receiver, { temporality })
        receiver.answers.push({ status: 503, headers: { "retry-after": "9" } })
        yield* TestClock.adjust(10_000)
        yield* app.wait
        emitAll(app.recorder, hits(1, 2))
        yield* app.close
        assert.deepStrictEqual(hitsIn(receiver.exports), [3, 5])
      })
  )

  it.effect("does not wait to send again what fails meanwhile: the last export goes out at once", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { temporality: "delta" })
      const { after, release } = heldBack()
      receiver.answers.push({ after, status: 503, headers: { "retry-after": "9" } })
      yield* TestClock.adjust(10_000)
      yield* arrived(receiver, 1)
      emitAll(app.recorder, hits(1, 2))
      const closing = yield* Effect.forkChild(app.close, { startImmediately: true })
      yield* settle
      release()
      yield* Fiber.join(closing)
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 5])
    }))

  it.effect("sends again what fails, as long as there is time", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { temporality: "delta" })
      receiver.answers.push({ status: 503 })
      const closing = yield* Effect.forkChild(app.close, { startImmediately: true })
      yield* TestClock.adjust(yield* app.wait)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(hitsIn(receiver.exports), [3, 3])
    }))

  it.effect("does not wait for a receiver that has no time", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver, { shutdownTimeout: "2 seconds" })
      receiver.answers.push({ status: 503, headers: { "retry-after": "2" } })
      yield* app.close
      assert.strictEqual(receiver.exports.length, 1)
    }))

  it.effect("does not wait for an answer that does not come", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const app = yield* counting(receiver)
      receiver.answers.push({ status: "silence" })
      const closing = yield* Effect.forkChild(app.close, { startImmediately: true })
      yield* arrived(receiver, 1)
      yield* TestClock.adjust(rhythm.shutdownTimeout)
      yield* Fiber.join(closing)
      assert.strictEqual(receiver.exports.length, 1)
    }))

  it.effect("is told to a receiver that is away, and then it is over", () =>
    Effect.gen(function*() {
      const receiver = yield* makeReceiver
      const { layer, lines } = collectLogs()
      const app = yield* counting(receiver).pipe(Effect.provide(layer))
      yield* Effect.promise(() => receiver.close())
      yield* app.exportWithRetries
      const closing = yield* Effect.forkChild(app.close, { startImmediately: true })
      yield* TestClock.adjust(yield* app.wait)
      yield* Fiber.join(closing)
      const { host } = new URL(receiver.url)
      const told = lines.map(({ text }) => text.slice(0, text.indexOf(host) + host.length + 8))
      assert.deepStrictEqual(told, [
        `Warn An OTLP export to ${host} failed:`,
        `Warn The last OTLP export to ${host} failed:`
      ])
    }))
})

class Took extends Event.Class<Took>()("took", { ms: Schema.Int, route: Schema.Literals(["a", "b", "c"]) }) {}

const Durations = Metric.fromDimensions("durations", [Took], (d) => ({
  total: d.count(),
  by_route: d.by("route", (e) => e.route, d.sum((e) => e.ms)),
  explicit: d.histogram((e) => e.ms, { boundaries: [10, 100] }),
  exponential: d.by("route", (e) => e.route, d.exponentialHistogram((e) => e.ms, { maxSize: 4 }))
}))

/** What the receiver answers, and whether it has counted what it does not acknowledge. */
const Reaction = Schema.Struct({
  status: Schema.Literals([200, 400, 401, 429, 500, 502, 503, 504, "reset"]),
  isCounted: Schema.Boolean
})

type Reaction = typeof Reaction.Type

const Step = Schema.Union([
  Schema.TaggedStruct("Emit", {
    events: Schema.Array(Schema.Struct({
      ms: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 })),
      route: Schema.Literals(["a", "b", "c"])
    })).check(Schema.isMaxLength(20))
  }),
  Schema.TaggedStruct("Export", { answers: Schema.Array(Reaction).check(Schema.isMaxLength(5)) }),
  Schema.TaggedStruct("Restart", {})
])

/** A receiver that adds up deltas, and counts each of them once. */
class Totals {
  readonly numbers = new Map<string, number>()
  /** The ends of the intervals of each series, and the starts. */
  readonly intervals = new Map<string, Array<readonly [start: string, end: string]>>()
  private readonly counted = new Set<string>()

  react(sent: Export, { isCounted, status }: Reaction): Answer {
    const body = Buffer.from(sent.body).toString("base64")
    // A receiver that has taken a body does not find fault with it later.
    const answer = status === 400 && this.counted.has(body) ? 200 : status
    const mayCount = answer === 200 || ((answer === "reset" || answer === 502 || answer === 504) && isCounted)
    if (mayCount && !this.counted.has(body)) {
      this.counted.add(body)
      this.count(sent)
    }
    return { status: answer }
  }

  private count(sent: Export): void {
    for (const { name } of metricsOf(sent)) {
      if (!name.startsWith("durations_")) continue
      for (const point of pointsOf(sent, name)) this.add(`${name}${JSON.stringify(labelsOf(point))}`, point)
    }
  }

  private add(series: string, point: DataPoint): void {
    const intervals = this.intervals.get(series) ?? []
    this.intervals.set(series, intervals)
    intervals.push([point.startTimeUnixNano!, point.timeUnixNano!])
    const add = (part: string, more: number): void =>
      void this.numbers.set(`${series} ${part}`, (this.numbers.get(`${series} ${part}`) ?? 0) + more)
    if (point.asDouble !== undefined) return add("value", point.asDouble)
    add("count", Number(point.count))
    add("sum", point.sum!)
    point.bucketCounts?.forEach((count, at) => add(`bucket ${at}`, Number(count)))
    if (point.positive === undefined) return
    add("zero", Number(point.zeroCount))
    // At the smallest scale every bucket has its place.
    point.positive.bucketCounts.forEach((count, at) => {
      add(`exponential ${(point.positive!.offset! + at) >> (point.scale! + 10)}`, Number(count))
    })
  }
}

describe("Deltas", () => {
  it.effect.prop(
    "add up to what was counted, whatever fails, and their intervals follow each other",
    [Schema.Array(Step).check(Schema.isMaxLength(20))],
    ([steps]) =>
      Effect.gen(function*() {
        const receiver = yield* makeReceiver
        const totals = new Totals()
        const app: Application = yield* application(receiver, { temporality: "delta" })
        const newRecorder = app.runtime.createRecorder("web", { metrics: [Durations] })
        const answerWith = (reactions: ReadonlyArray<Reaction>) => {
          const left = reactions.slice()
          receiver.answer = (sent) => totals.react(sent, left.shift() ?? { status: 200, isCounted: true })
        }
        answerWith([])
        const starts = new Set([`${start}000000`])
        const expected = new Totals()
        let recorder: Recorder.Handle = yield* newRecorder
        let emitted: Array<Took> = []
        const finish = () => {
          const state = Metric.fold(Durations, emitted)
          emitted = []
          for (const sample of Metric.samples(Durations, state)) {
            const series = `durations_${sample.dimension}${JSON.stringify({ recorder_id: "web", ...sample.labels })}`
            const add = (part: string, more: number) =>
              expected.numbers.set(`${series} ${part}`, (expected.numbers.get(`${series} ${part}`) ?? 0) + more)
            if (sample.kind === "counter") add("value", Number(sample.value))
            if (sample.kind !== "histogram") continue
            add("count", sample.value.count)
            add("sum", sample.value.sum)
            if ("boundaries" in sample.value) sample.value.counts.forEach((count, at) => add(`bucket ${at}`, count))
            else {
              const { positive, scale, zeroCount } = sample.value
              add("zero", zeroCount)
              positive.counts.forEach((count, at) =>
                add(`exponential ${(positive.offset + at) >> (scale + 10)}`, count)
              )
            }
          }
        }
        for (const step of steps) {
          if (step._tag === "Emit") {
            const events = step.events.map((fields) => new Took(fields))
            emitAll(recorder, events)
            emitted.push(...events)
          } else if (step._tag === "Export") {
            answerWith(step.answers)
            yield* app.exportWithRetries
          } else {
            // What a recorder has counted goes out while it is there.
            answerWith([])
            yield* app.exportWithRetries
            yield* TestClock.adjust(1_234)
            yield* app.runtime.removeRecorder("web")
            recorder = yield* newRecorder
            starts.add(`${Math.trunc(yield* Clock.currentTimeMillis)}000000`)
            finish()
          }
        }
        answerWith([])
        yield* app.close
        finish()

        const nonZero = (numbers: ReadonlyMap<string, number>) =>
          Object.fromEntries(
            Array.from(numbers).filter(([, value]) => value !== 0).toSorted(([a], [b]) => a < b ? -1 : 1)
          )
        assert.deepStrictEqual(nonZero(totals.numbers), nonZero(expected.numbers))
        for (const intervals of totals.intervals.values()) {
          let until = "0"
          for (const [from, to] of intervals.toSorted(([a], [b]) => Number(BigInt(a) - BigInt(b)))) {
            assert.isTrue(from === until || starts.has(from), `${from} after ${until}`)
            assert.isTrue(BigInt(from) >= BigInt(until), `${from} overlaps ${until}`)
            until = to
          }
        }
      }),
    { arbitrary: { runs: 15 }, timeout: 60_000 }
  )
})
