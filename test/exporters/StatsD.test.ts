import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Event, Metric, Recorder, Runtime } from "mvx-metrics"
import * as StatsD from "mvx-metrics/exporters/StatsD"
import type * as Dgram from "node:dgram"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import * as Os from "node:os"
import { PerformanceObserver } from "node:perf_hooks"
import { collectLogs, emitAll, settle, until } from "../support.ts"
import { receive, type Receiver } from "./statsdReceiver.ts"

class Saved extends Event.Class<Saved>()("saved", { bytes: Schema.Finite, by: Schema.String }) {}

const Saves = Metric.fromDimensions("saves", [Saved], (d) => ({
  total: d.count(),
  last_bytes: d.last((e) => e.bytes),
  bytes: d.histogram((e) => e.bytes, { boundaries: [100] }),
  by_user: d.by("user", (e) => e.by, d.count(), { limit: 5_000 })
}))

const saved = (bytes: number, by = "ada") => new Saved({ bytes, by })

const tags = "|#recorder_id:default"

/** An application that exports until its scope closes. */
const start = Effect.fnUntraced(function*(options: StatsD.Options) {
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(
    StatsD.layer(options).pipe(
      Layer.provideMerge(Runtime.layerRecorder("default", { metrics: [Saves] })),
      Layer.provideMerge(Runtime.layer())
    ),
    scope
  )
  return {
    recorder: yield* Effect.provide(Recorder.Recorder, context),
    runtime: yield* Effect.provide(Runtime.MetricsRuntime, context),
    end: Scope.close(scope, Exit.void)
  }
})

const interval = TestClock.adjust("10 seconds")

/** Waits for the last line of an export that has something to say. */
const exported = (receiver: Receiver, times: number) =>
  until(
    `${times} exports`,
    Effect.sync(() => receiver.linesOf("mvx_metrics_series_left_out:0|g|#reason:view").length >= times)
  )

/** How often a name is resolved from now on. */
const lookupsOf = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const names: Array<string> = []
      const observer = new PerformanceObserver((list) => {
        for (const { detail } of list.getEntries() as ReadonlyArray<PerformanceEntry & { readonly detail?: any }>) {
          names.push(detail.hostname)
        }
      })
      observer.observe({ entryTypes: ["dns"] })
      return { observer, count: () => names.filter((other) => other === name).length }
    }),
    ({ observer }) => Effect.sync(() => observer.disconnect())
  ).pipe(Effect.map(({ count }) => count))

/** The sockets that are made from now on. */
const socketsMade = Effect.acquireRelease(
  Effect.sync(() => {
    const sockets: Array<Dgram.Socket> = []
    const listener = (message: unknown) => void sockets.push((message as { readonly socket: Dgram.Socket }).socket)
    subscribe("udp.socket", listener)
    return { listener, sockets }
  }),
  ({ listener }) => Effect.sync(() => unsubscribe("udp.socket", listener))
).pipe(Effect.map(({ sockets }) => sockets))

describe("StatsD", () => {
  it.effect("sends what came since the last time, and the rest when the application ends", () =>
    Effect.gen(function*() {
      const receiver = yield* receive()
      const { end, recorder } = yield* start({ port: receiver.port })
      emitAll(recorder, [saved(10), saved(30)])
      yield* interval
      yield* exported(receiver, 1)
      assert.deepStrictEqual(receiver.linesOf("saves"), [
        `saves_total:2|c${tags}`,
        `saves_last_bytes:30|g${tags}`,
        `saves_bytes_count:2|c${tags}`,
        `saves_bytes_sum:40|c${tags}`,
        `saves_bytes:20|d|@0.5${tags}`,
        `saves_by_user:2|c${tags},user:ada`
      ])
      yield* interval
      yield* exported(receiver, 2)
      assert.deepStrictEqual(receiver.linesOf("saves").slice(6), [`saves_last_bytes:30|g${tags}`])
      emitAll(recorder, [saved(7)])
      yield* TestClock.adjust("3 seconds")
      yield* end
      yield* exported(receiver, 3)
      assert.deepStrictEqual(receiver.linesOf("saves").slice(7), [
        `saves_total:1|c${tags}`,
        `saves_last_bytes:7|g${tags}`,
        `saves_bytes_count:1|c${tags}`,
        `saves_bytes_sum:7|c${tags}`,
        `saves_bytes:7|d${tags}`,
        `saves_by_user:1|c${tags},user:ada`
      ])
    }))

  it.effect("begins anew with the values of a metric", () =>
    Effect.gen(function*() {
      const receiver = yield* receive()
      const { end, recorder } = yield* start({ port: receiver.port })
      emitAll(recorder, [saved(1), saved(2)])
      yield* interval
      yield* exported(receiver, 1)
      yield* recorder.unregisterMetric("saves")
      yield* recorder.registerMetric(Saves)
      emitAll(recorder, [saved(1), saved(2), saved(3)])
      yield* end
      yield* exported(receiver, 2)
      assert.strictEqual(receiver.total("saves_total", tags), 5)
      assert.strictEqual(receiver.total("saves_bytes_sum", tags), 9)
    }))

  it.effect("leaves out what has the name of something else", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const Clashes = Metric.fromDimensions("clashes", [Saved], (d) => ({
        bytes: d.histogram((e) => e.bytes),
        bytes_count: d.count(),
        wait: d.by("quantile", (e) => e.by, d.quantiles((e) => e.bytes, { quantiles: [0.5] }))
      }))
      const receiver = yield* receive()
      const { end, recorder } = yield* Effect.provide(start({ port: receiver.port }), logs.layer)
      yield* recorder.registerMetric(Clashes)
      emitAll(recorder, [saved(4), saved(4)])
      yield* end
      yield* exported(receiver, 1)
      assert.deepStrictEqual(receiver.linesOf("clashes"), [
        `clashes_bytes_count:2|c${tags}`,
        `clashes_bytes_sum:8|c${tags}`,
        `clashes_bytes:4|d|@0.5${tags}`
      ])
      assert.lengthOf(logs.lines, 2)
      assert.lengthOf(receiver.linesOf("mvx_metrics_series_left_out:1|g"), 2)
    }))

  it.effect("packs lines up to the MTU", () =>
    Effect.gen(function*() {
      const receiver = yield* receive()
      const { end, recorder } = yield* start({ port: receiver.port, mtu: 500 })
      emitAll(recorder, Array.from({ length: 300 }, (_, n) => saved(1, `user-${n}`)))
      yield* end
      yield* exported(receiver, 1)
      assert.lengthOf(receiver.linesOf("saves_by_user"), 300)
      for (const packet of receiver.packets) assert.isAtMost(Buffer.byteLength(packet), 500)
      assert.isAtMost(receiver.packets.length, 40)
    }))

  it.effect("gives a server time to take a large export", () =>
    Effect.gen(function*() {
      const receiver = yield* receive()
      const { end, recorder } = yield* start({ port: receiver.port })
      emitAll(recorder, Array.from({ length: 5_000 }, (_, n) => saved(1, `a-user-with-a-long-name-${n}`)))
      yield* end
      yield* exported(receiver, 1)
      assert.lengthOf(receiver.linesOf("saves_by_user"), 5_000)
    }))

  it.effect("leaves out a line that no packet can hold, says so once, and counts them", () =>
    Effect.gen(function*() {
      const logs = collectLogs()
      const receiver = yield* receive()
      const { end, recorder } = yield* Effect.provide(start({ port: receiver.port }), logs.layer)
      emitAll(recorder, [saved(1, "a".repeat(70_000)), saved(1, "b".repeat(70_000)), saved(1, "c".repeat(2_000))])
      yield* interval
      yield* exported(receiver, 1)
      assert.lengthOf(receiver.linesOf("saves_by_user"), 1)
      assert.strictEqual(receiver.total("saves_total", tags), 3)
      yield* end
      yield* exported(receiver, 2)
      assert.deepStrictEqual(receiver.linesOf("mvx_metrics_statsd_lines"), [
        "mvx_metrics_statsd_lines_left_out:0|g|#runtime:default",
        "mvx_metrics_statsd_lines_left_out:2|g|#runtime:default"
      ])
      assert.deepStrictEqual(logs.lines.map(({ text }) => text.slice(0, 52)), [
        "Error A line too long for a packet is left out, as f"
      ])
    }))

  describe("to a server that is away", () => {
    it.effect("loses nothing and sends nothing twice, and says so once", () =>
      Effect.gen(function*() {
        const logs = collectLogs()
        const first = yield* receive()
        const { port } = first
        const { end, recorder } = yield* Effect.provide(start({ port, mtu: 200 }), logs.layer)
        emitAll(recorder, [saved(1), saved(2)])
        yield* interval
        yield* exported(first, 1)
        yield* first.close

        // So much that it is read in several slices, and the socket hears in between that it was refused.
        emitAll(recorder, Array.from({ length: 3_000 }, (_, n) => saved(0, `user-${n}`)))
        for (const user of ["b", "c", "d"]) {
          emitAll(recorder, [saved(4, user)])
          yield* interval
          yield* until("the failure is known", Effect.sync(() => logs.lines.length > 0))
          yield* settle
        }

        const second = yield* receive("udp4", port)
        emitAll(recorder, [saved(8, "e")])
        yield* interval
        yield* exported(second, 1)
        yield* end
        yield* exported(second, 2)
        const total = (name: string, tags: string) => first.total(name, tags) + second.total(name, tags)
        assert.strictEqual(total("saves_total", tags), 3_006)
        assert.strictEqual(total("saves_bytes_sum", tags), 23)
        assert.strictEqual(total("mvx_metrics_accepted_total", "|#runtime:default"), 3_006)
        assert.lengthOf(second.linesOf("saves_by_user:1|c|#recorder_id:default,user:user-"), 3_000)
        for (const user of ["b", "c", "d", "e"]) assert.strictEqual(total("saves_by_user", `${tags},user:${user}`), 1)
        const [failures] = second.linesOf("mvx_metrics_statsd_failed_exports")
        assert.match(failures!, /^mvx_metrics_statsd_failed_exports:[1-9]\|g/)
        const server = `StatsD at 127.0.0.1:${port}`
        assert.deepStrictEqual(logs.lines, [
          {
            text: `Warn ${server} does not take metrics: no more is logged until it does`,
            annotations: { "metrics.runtime": "default" }
          },
          { text: `Info ${server} takes metrics again`, annotations: { "metrics.runtime": "default" } }
        ])
      }))

    it.effect("sends no packet again when it goes away in the middle of an export", () =>
      Effect.gen(function*() {
        const first = yield* receive()
        const { port } = first
        const { end, recorder } = yield* start({ port })
        const users = Array.from({ length: 5_000 }, (_, n) => `a-user-with-a-long-name-${n}`)
        emitAll(recorder, users.map((user) => saved(1, user)))
        yield* interval
        yield* until("the export has begun", Effect.sync(() => first.packets.length > 40))
        yield* first.close
        yield* settle
        const second = yield* receive("udp4", port)
        yield* interval
        yield* until(
          "what was left has come",
          Effect.sync(() => second.total("mvx_metrics_accepted_total", "|#runtime:default") > 0)
        )
        yield* end
        yield* exported(second, 2)
        const all = [...first.linesOf("saves_by_user"), ...second.linesOf("saves_by_user")]
        assert.strictEqual(new Set(all).size, all.length)
        // What the socket held that was closed is lost.
        assert.isAbove(all.length, 4_000)
      }))

    it.effect("counts an export of which it hears later that it was refused, and goes on", () =>
      Effect.gen(function*() {
        const first = yield* receive()
        const { port } = first
        const sockets = yield* socketsMade
        const { end, recorder } = yield* start({ port })
        yield* interval
        yield* exported(first, 1)
        yield* first.close
        yield* Effect.callback<void>((resume) => {
          sockets[0]!.once("error", () => resume(Effect.void)).send("as the last packet of an export")
        })
        const second = yield* receive("udp4", port)
        emitAll(recorder, [saved(1)])
        yield* end
        yield* exported(second, 1)
        assert.strictEqual(second.total("saves_total", tags), 1)
        assert.include(second.lines, "mvx_metrics_statsd_failed_exports:1|g|#runtime:default")
      }))

    it.effect("resolves its name again", () =>
      Effect.gen(function*() {
        const lookups = yield* lookupsOf("localhost")
        const { close, port } = yield* receive()
        yield* close
        const { end } = yield* start({ host: "localhost", port })
        for (const times of [1, 2, 3]) {
          yield* interval
          yield* until(`lookup ${times}`, Effect.sync(() => lookups() === times))
          yield* settle
        }
        yield* end
      }))

    it.effect("is not held up at its end, and says that the last metrics are lost", () =>
      Effect.gen(function*() {
        const logs = collectLogs()
        const { close, port } = yield* receive()
        yield* close
        const { end, recorder } = yield* Effect.provide(start({ port }), logs.layer)
        emitAll(recorder, [saved(1)])
        yield* end
        assert.deepStrictEqual(logs.lines.map(({ text }) => text), [
          `Warn StatsD at 127.0.0.1:${port} does not take metrics: no more is logged until it does`,
          `Warn StatsD at 127.0.0.1:${port} did not take the last metrics: they are lost`
        ])
      }))

    it.effect("goes on where its name has no address", () =>
      Effect.gen(function*() {
        const logs = collectLogs()
        const { end, recorder } = yield* Effect.provide(start({ host: "no host" }), logs.layer)
        for (const _ of [1, 2, 3]) {
          emitAll(recorder, [saved(1)])
          yield* interval
          yield* until("the failure is known", Effect.sync(() => logs.lines.length > 0))
        }
        assert.strictEqual((yield* recorder.snapshot(Saves)).dimensions.total, 3)
        yield* end
        assert.deepStrictEqual(logs.lines.map(({ text }) => text), [
          "Warn StatsD at no host:8125 does not take metrics: no more is logged until it does",
          "Warn StatsD at no host:8125 did not take the last metrics: they are lost"
        ])
      }))
  })

  it.effect("resolves a name once a minute", () =>
    Effect.gen(function*() {
      const lookups = yield* lookupsOf("localhost")
      const receiver = yield* receive()
      const { end, recorder } = yield* start({ host: "localhost", port: receiver.port, mtu: 50 })
      for (const times of [1, 2, 3, 4, 5, 6]) {
        emitAll(recorder, [saved(1)])
        yield* interval
        yield* exported(receiver, times)
      }
      yield* settle
      assert.strictEqual(lookups(), 1)
      yield* interval
      yield* exported(receiver, 7)
      yield* until("the second lookup", Effect.sync(() => lookups() === 2))
      yield* end
      yield* exported(receiver, 8)
      assert.strictEqual(receiver.total("saves_total", tags), 6)
      assert.strictEqual(lookups(), 2)
    }))

  const hasIpv6 = Object.values(Os.networkInterfaces()).some((all) => all!.some(({ address }) => address === "::1"))

  it.effect.skipIf(!hasIpv6)("sends to IPv6", () =>
    Effect.gen(function*() {
      const receiver = yield* receive("udp6")
      const { end, recorder } = yield* start({ host: "::1", port: receiver.port })
      emitAll(recorder, [saved(1)])
      yield* end
      yield* exported(receiver, 1)
      assert.strictEqual(receiver.total("saves_total", tags), 1)
    }))

  it.effect("takes its options from the configuration", () =>
    Effect.gen(function*() {
      const receiver = yield* receive()
      const environment = { STATSD_PORT: String(receiver.port), STATSD_PREFIX: "shop" }
      const config = { port: Config.Port("STATSD_PORT"), prefix: Config.String("STATSD_PREFIX") }
      const live = StatsD.layerConfig(config).pipe(
        Layer.provideMerge(Runtime.layer()),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
      )
      yield* Effect.provide(Effect.void, live)
      yield* until(
        "a line has come",
        Effect.sync(() => receiver.linesOf("shop.mvx_metrics_recorders:0|g").length === 1)
      )
    }))

  const wrong: ReadonlyArray<readonly [option: string, given: unknown]> = [
    ["host", " "],
    ["host", 5],
    ["port", 0],
    ["port", 65_536],
    ["port", "8125"],
    ["prefix", 1],
    ["tags", "influx"],
    ["histograms", "histogram"],
    ["mtu", 0],
    ["mtu", 65_508],
    ["mtu", 1.5],
    ["interval", 0],
    ["interval", "soon"],
    ["shutdownTimeout", -1]
  ]

  it.effect.each(wrong)("refuses %s: %s", ([option, given]) =>
    Effect.gen(function*() {
      const layer = Layer.provide(StatsD.layer({ [option]: given }), Runtime.layer())
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.instanceOf(error, Recorder.InvalidOptionError)
      assert.strictEqual(error.option, option)
    }))
})
