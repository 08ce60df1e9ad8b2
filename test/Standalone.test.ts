import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { Metric, Recorder, Runtime, Standalone } from "mvx-metrics"
import { AsyncLocalStorage } from "node:async_hooks"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { BrokenView, Hit, Hits, throwingAt } from "./support.ts"

/** What code without Effect does to let things happen. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

const until = async (condition: () => boolean): Promise<void> => {
  for (const deadline = performance.now() + 10_000; !condition() && performance.now() < deadline;) await settled()
  assert.isTrue(condition(), "it never came true")
}

const rejected = (promise: Promise<unknown>): Promise<{ readonly _tag: string; readonly message: string }> =>
  promise.then(() => assert.fail("expected a rejection"), (error) => error)

const thrown = (f: () => unknown): { readonly _tag: string; readonly message: string } => {
  try {
    f()
  } catch (error) {
    return error as { readonly _tag: string; readonly message: string }
  }
  return assert.fail("expected it to throw")
}

const started = async (options?: Standalone.Options): Promise<Standalone.Standalone> => {
  const metrics = Standalone.make(options)
  await metrics.start()
  return metrics
}

const silently = async (f: () => Promise<void>): Promise<Array<string>> => {
  const lines: Array<string> = []
  const { error, log } = console
  console.log = console.error = (...args: ReadonlyArray<unknown>) => void lines.push(args.map(String).join(" "))
  try {
    await f()
  } finally {
    console.log = log
    console.error = error
  }
  return lines
}

const empty = { recorders: 0, folded: 0, discarded: 0, changesSkipped: 0, failures: [] }

describe("a standalone runtime", () => {
  it("is Virgin, Starting, Running, Stopping and Closed, and each start and shutdown is one", async () => {
    const metrics = Standalone.make()
    const seen = [metrics.status()._tag]
    const starts = [metrics.start(), metrics.start()]
    seen.push(metrics.status()._tag)
    await Promise.all(starts)
    seen.push(metrics.status()._tag)
    await metrics.createRecorder("a", { onStopped: settled })
    const shutdowns = [metrics.shutdown(), metrics.shutdown()]
    seen.push(metrics.status()._tag)
    const report = { ...empty, recorders: 1 }
    assert.deepStrictEqual(await Promise.all(shutdowns), [report, report])
    assert.deepStrictEqual(seen, ["Virgin", "Starting", "Running", "Stopping"])
    assert.deepStrictEqual(metrics.status(), { _tag: "Closed", report })
    assert.deepStrictEqual(await metrics.shutdown(), report)
    for (const operation of ["start", "createRecorder"] as const) {
      const error = await rejected(metrics[operation]("b"))
      assert.strictEqual(error._tag, "RuntimeInvalidStateError")
      assert.match(error.message, /found Closed/)
    }
  })

  it("refuses a second start", async () => {
    const metrics = await started()
    const error = await rejected(metrics.start())
    assert.strictEqual(error.message, "Runtime: start expects Virgin or Starting, found Running")
    await metrics.shutdown()
  })

  it("can be read before it is started, and creates nothing then", async () => {
    const metrics = Standalone.make()
    const error = await rejected(metrics.createRecorder("a"))
    assert.strictEqual(error.message, "Runtime: createRecorder expects Running, found Virgin")
    for (const promise of [metrics.stopRecorder("a"), metrics.removeRecorder("a")]) {
      assert.strictEqual((await rejected(promise))._tag, "RuntimeInvalidStateError")
    }
    assert.strictEqual(thrown(() => metrics.getRecorder("a"))._tag, "RecorderNotFoundError")
    assert.deepStrictEqual([metrics.snapshots(), metrics.captures(), metrics.recorderIds()], [{}, [], []])
    assert.deepStrictEqual([metrics.stats().accepted, metrics.stats().recorders], [0, 0])
    assert.isUndefined(metrics.findRecorder("a"))
  })

  it("that is shut down before or while it starts is closed, and the start rejects", async () => {
    const virgin = Standalone.make()
    assert.deepStrictEqual(await virgin.shutdown(), empty)
    assert.strictEqual(virgin.status()._tag, "Closed")
    assert.strictEqual((await rejected(virgin.start()))._tag, "RuntimeInvalidStateError")
    const starting = Standalone.make()
    const start = starting.start()
    assert.deepStrictEqual(await starting.shutdown(), empty)
    assert.strictEqual((await rejected(start)).message, "Runtime: start expects Virgin or Starting, found Closed")
    assert.deepStrictEqual(await starting.shutdown(), empty)
  })

  it("captures what the recorders of a roll-up add up to, also when they are gone", async () => {
    const metrics = await started()
    const Sizes = Metric.fromDimensions("sizes", [Hit], (d) => ({ n: d.sum((e) => e.n) }))
    const options = { export: "rollup", labels: { side: "server" }, metrics: [Sizes] } as const
    for (const id of ["one", "two", "three"]) {
      ;(await metrics.createRecorder(id, options)).registerEvent(new Hit({ n: 2 }))
    }
    await metrics.removeRecorder("one")
    const [capture, ...rest] = metrics.captures()
    assert.deepStrictEqual([rest, capture!.export, capture!.labels, capture!.offset], [
      [],
      "rollup",
      { side: "server" },
      3
    ])
    assert.deepStrictEqual(
      capture!.metrics.flatMap(({ metric, state }) => Metric.samples(metric, state)).map(({ value }) => value),
      [6]
    )
    await metrics.shutdown()
    assert.strictEqual(metrics.captures()[0]!.offset, 3)
  })

  it("refuses wrong options where they are given", () => {
    const wrong: ReadonlyArray<any> = [{ capacity: 0 }, { namespace: "" }, { overflow: "block" }, { linger: NaN }, null]
    for (const options of wrong) assert.strictEqual(thrown(() => Standalone.make(options))._tag, "InvalidOptionError")
  })

  it("reads from the environment what its options leave out; a wrong value there fails the start", async () => {
    try {
      process.env["METRICS_NAMESPACE"] = "shop"
      process.env["METRICS_CAPACITY"] = "1"
      process.env["METRICS_OVERFLOW"] = "drop"
      const metrics = await started({ capacity: 2, overflow: undefined })
      const cache = await metrics.createRecorder("cache")
      assert.deepStrictEqual([1, 2, 3].map((n) => cache.registerEvent(new Hit({ n }))), [true, true, false])
      assert.strictEqual(metrics.captures()[0]?.namespace, "shop")
      await metrics.shutdown()
      process.env["METRICS_CAPACITY"] = "none"
      const failing = Standalone.make()
      const error = await rejected(failing.start())
      assert.strictEqual(error._tag, "ConfigError")
      assert.include(error.message, "METRICS_CAPACITY")
      const status = failing.status()
      assert.strictEqual(status._tag === "Failure" && status.error, error)
      assert.match((await rejected(failing.start())).message, /found Failure/)
      assert.deepStrictEqual([await failing.shutdown(), failing.status()._tag], [empty, "Failure"])
    } finally {
      for (const key of ["NAMESPACE", "CAPACITY", "OVERFLOW"]) delete process.env[`METRICS_${key}`]
    }
  })

  it("creates, finds, stops and removes recorders, each with one object", async () => {
    const metrics = await started()
    const a = await metrics.createRecorder(" a ", { metrics: [Hits], entityId: "storage" })
    assert.deepStrictEqual([a.id, a.entityId, a.status()._tag], ["a", "storage", "Running"])
    assert.strictEqual(metrics.getRecorder("a"), a)
    assert.strictEqual(metrics.findRecorder("a "), a)
    assert.strictEqual((await rejected(metrics.createRecorder("a")))._tag, "RecorderAlreadyExistsError")
    assert.strictEqual((await rejected(metrics.createRecorder("")))._tag, "InvalidRecorderIdError")
    assert.strictEqual((await rejected(metrics.createRecorder("b", { capacity: 0 })))._tag, "InvalidOptionError")
    assert.strictEqual((await rejected(metrics.createRecorder("b", null as any)))._tag, "InvalidOptionError")
    const hook = { onMetricChanged: 1 as any }
    assert.strictEqual((await rejected(metrics.createRecorder("b", hook)))._tag, "InvalidOptionError")
    a.registerEvent(new Hit({ n: 1 }))
    const report = { folded: 1, discarded: 0, changesSkipped: 0 }
    assert.deepStrictEqual(await metrics.stopRecorder("a"), report)
    assert.deepStrictEqual(a.status(), { _tag: "Stopped", report })
    assert.isFalse(a.registerEvent(new Hit({ n: 2 })))
    await a.start()
    assert.deepStrictEqual(await a.stop(), report)
    assert.strictEqual((await rejected(a.stop()))._tag, "RecorderInvalidStateError")
    assert.strictEqual(await metrics.removeRecorder("a"), a)
    assert.deepStrictEqual([metrics.recorderIds(), metrics.findRecorder("a")], [[], undefined])
    assert.deepStrictEqual(a.snapshot(Hits).dimensions, { total: 1, last: 1 })
    assert.strictEqual((await rejected(metrics.removeRecorder("a")))._tag, "RecorderNotFoundError")
    assert.strictEqual((await rejected(metrics.stopRecorder("a")))._tag, "RecorderNotFoundError")
    await metrics.shutdown()
  })

  it("names in its report and its error every recorder that did not stop", async () => {
    await silently(async () => {
      const metrics = await started()
      const problem = new Error("no disk")
      await metrics.createRecorder("a", { onStopped: () => Promise.reject(problem) })
      const error = await rejected(metrics.shutdown())
      assert.instanceOf(error, Runtime.RuntimeShutdownError)
      const status = metrics.status()
      assert.deepStrictEqual(status._tag === "Closed" && status.report.failures, [{ recorderId: "a", error: problem }])
    })
  })
})

describe("a standalone recorder", () => {
  it("takes events and metrics, and is read, synchronously", async () => {
    const metrics = await started()
    const cache = await metrics.createRecorder("cache", { metrics: [Hits] })
    const { registerEvent } = cache
    assert.isTrue(registerEvent(new Hit({ n: 1 })))
    assert.isFalse(registerEvent(null as any))
    const Later = Metric.make("cache.later", {
      initial: { total: 0 },
      reduce: (s) => Option.some({ total: s.total + 1 })
    })
    cache.registerMetric(Later)
    cache.registerMetric(Later)
    registerEvent(new Hit({ n: 2 }))
    assert.deepStrictEqual(cache.metrics(), [Hits, Later])
    assert.deepStrictEqual(cache.snapshot(Hits).dimensions, { total: 2, last: 2 })
    assert.deepStrictEqual(cache.snapshots()["cache.later"]?.dimensions, { total: 1 })
    assert.deepStrictEqual([cache.capture().offset, cache.stats().folded, cache.stats().refused.invalidEvent], [
      2,
      2,
      1
    ])
    assert.deepStrictEqual(Object.keys(metrics.snapshots()["cache"]!), ["cache.hits", "cache.later"])
    assert.deepStrictEqual([metrics.stats().folded, metrics.captures().length], [2, 1])
    const taken = Metric.make("cache.later", { initial: {}, reduce: () => Option.none() })
    assert.instanceOf(thrown(() => cache.registerMetric(taken)), Recorder.MetricNameTakenError)
    assert.instanceOf(thrown(() => cache.registerMetric({} as any)), Metric.InvalidMetricError)
    assert.deepStrictEqual([cache.unregisterMetric("cache.later"), cache.unregisterMetric("cache.later")], [
      true,
      false
    ])
    assert.instanceOf(thrown(() => cache.snapshot(Later)), Recorder.MetricNotRegisteredError)
    await silently(async () => {
      cache.registerMetric(BrokenView)
      registerEvent(new Hit({ n: 3 }))
      assert.instanceOf(thrown(() => cache.snapshot(BrokenView)), Recorder.MetricViewError)
      await settled()
    })
    await metrics.shutdown()
    assert.instanceOf(thrown(() => cache.registerMetric(Later)), Recorder.RecorderInvalidStateError)
  })

  it("runs its hooks, which may be asynchronous", async () => {
    const metrics = await started()
    const log: Array<unknown> = []
    const cache = await metrics.createRecorder("cache", {
      metrics: [Hits],
      onStarting: async (signal) => {
        await settled()
        log.push(["starting", signal.aborted])
      },
      onMetricChanged: async ({ state }) => {
        await settled()
        log.push(state)
      },
      onStopped: () => void log.push("stopped")
    })
    cache.registerEvent(new Hit({ n: 1 }))
    await cache.flush()
    assert.deepStrictEqual(log, [["starting", false], { total: 1, last: 1 }])
    await metrics.shutdown()
    assert.strictEqual(log.at(-1), "stopped")
  })

  it("that does not start is not created, with the reason; nor does one that a shutdown cuts off", async () => {
    await silently(async () => {
      const metrics = await started()
      const problem = new Error("no backend")
      const hook = () => {
        throw problem
      }
      const error = await rejected(metrics.createRecorder("a", { onStarting: hook }))
      assert.strictEqual(error._tag, "RecorderStartError")
      assert.match(error.message, /no backend/)
      let aborted = false
      const creation = metrics.createRecorder("a", {
        onStarting: (signal) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              aborted = true
              resolve(undefined)
            })
          })
      })
      await settled()
      await metrics.shutdown()
      assert.strictEqual((await rejected(creation))._tag, "RuntimeInvalidStateError")
      assert.isTrue(aborted)
    })
  })

  it("shows why it has failed", async () => {
    await silently(async () => {
      const metrics = await started()
      const cache = await metrics.createRecorder("cache", { metrics: [throwingAt(1)], onDefect: "fail" })
      cache.registerEvent(new Hit({ n: 1 }))
      await cache.flush()
      const status = cache.status()
      assert.strictEqual(status._tag, "Failure")
      assert.strictEqual("error" in status && (status.error as Error).message, "reducer 1")
      assert.deepStrictEqual((await metrics.shutdown()).failures.map(({ recorderId }) => recorderId), ["cache"])
    })
  })

  const inside: Record<string, (metrics: Standalone.Standalone, cache: Standalone.Recorder) => Promise<unknown>> = {
    "its own flush": (_, cache) => cache.flush(),
    "its own stop": (_, cache) => cache.stop(),
    "its own removal": (metrics) => metrics.removeRecorder("cache"),
    "the shutdown": (metrics) => metrics.shutdown()
  }

  it.each(Object.keys(inside))("does not wait inside a hook, also after an await, for %s", async (operation) => {
    const metrics = await started({ stopTimeout: 60_000 })
    let done = false
    const cache = await metrics.createRecorder("cache", {
      metrics: [Hits],
      onMetricChanged: async () => {
        await settled()
        await inside[operation]!(metrics, cache)
        done = true
      }
    })
    cache.registerEvent(new Hit({ n: 1 }))
    await until(() => done)
    // Outside of the hook it is waited for.
    assert.deepStrictEqual((await metrics.shutdown()).failures, [])
  })
})

describe("a listener", () => {
  it("hears the changes of all recorders, or of one, until it is ended", async () => {
    const metrics = Standalone.make()
    const heard: Record<string, Array<string>> = { early: [], all: [], one: [] }
    const listen = (name: string) => ({ recorderId, sequence }: Recorder.MetricChange) =>
      void heard[name]!.push(`${recorderId} ${sequence}`)
    metrics.subscribe(listen("early"))
    metrics.subscribe(listen("never"))()
    await metrics.start()
    const a = await metrics.createRecorder("a", { metrics: [Hits] })
    const endAll = metrics.subscribe(listen("all"))
    const endOne = a.subscribe(listen("one"))
    const b = await metrics.createRecorder("b", { metrics: [Hits] })
    a.registerEvent(new Hit({ n: 1 }))
    await until(() => heard["one"]!.length === 1)
    endOne()
    endOne()
    b.registerEvent(new Hit({ n: 1 }))
    a.registerEvent(new Hit({ n: 2 }))
    await until(() => heard["all"]!.length === 3)
    // What it has not heard yet when it is ended, it does not hear.
    b.registerEvent(new Hit({ n: 2 }))
    await b.flush()
    endAll()
    await metrics.shutdown()
    await settled()
    assert.deepStrictEqual(heard["one"], ["a 1"])
    assert.deepStrictEqual(heard["all"]!.toSorted(), ["a 1", "a 2", "b 1"])
    assert.deepStrictEqual(heard["early"]!.toSorted(), ["a 1", "a 2", "b 1", "b 2"])
    assert.isUndefined(heard["never"])
    metrics.subscribe(() => assert.fail("closed"))()
  })

  it("that throws or rejects hurts nobody, and is logged once", async () => {
    const lines = await silently(async () => {
      const metrics = await started()
      const cache = await metrics.createRecorder("cache", { metrics: [Hits] })
      let calls = 0
      metrics.subscribe(() => {
        throw new Error(`listener ${calls++}`)
      })
      metrics.subscribe(() => Promise.reject(new Error("asynchronous listener")))
      const heard: Array<number> = []
      metrics.subscribe(({ sequence }) => heard.push(sequence))
      for (let n = 1; n <= 3; n++) cache.registerEvent(new Hit({ n }))
      await until(() => heard.length === 3 && calls === 3)
      assert.deepStrictEqual((await metrics.shutdown()).failures, [])
      await settled()
    })
    const text = lines.join("\n")
    assert.strictEqual(text.match(/A listener of metric changes failed/g)?.length, 2)
    assert.match(text, /listener 0/)
    assert.match(text, /asynchronous listener/)
    assert.notMatch(text, /listener 1/)
  })

  it("may end itself, and end the runtime", async () => {
    const metrics = await started()
    const cache = await metrics.createRecorder("cache", { metrics: [Hits] })
    let heard = 0
    let report: Promise<unknown> | undefined
    const end = metrics.subscribe(() => {
      heard++
      end()
      report = metrics.shutdown()
    })
    for (let n = 1; n <= 3; n++) cache.registerEvent(new Hit({ n }))
    await until(() => report !== undefined)
    assert.deepStrictEqual(await report, { ...empty, recorders: 1, folded: 3 })
    assert.strictEqual(heard, 1)
  })

  it("has heard of everything when the shutdown is over", async () => {
    const metrics = await started({ linger: 60_000 })
    const cache = await metrics.createRecorder("cache", { metrics: [Hits] })
    let [all, one] = [0, 0]
    metrics.subscribe(() => all++)
    cache.subscribe(() => one++)
    for (let n = 1; n <= 100; n++) cache.registerEvent(new Hit({ n }))
    await metrics.shutdown()
    assert.deepStrictEqual([all, one], [100, 100])
  })

  it("is a part of what subscribed it, not of what happens to fold", async () => {
    const context = new AsyncLocalStorage<string>()
    const metrics = Standalone.make({ linger: 60_000 })
    const heard: Array<string | undefined> = []
    let closed: string | undefined
    context.run("early subscriber", () => metrics.subscribe(() => void heard.push(context.getStore())))
    await metrics.start()
    const cache = await metrics.createRecorder("cache", { metrics: [Hits] })
    context.run("subscriber", () =>
      metrics.subscribe(async () => {
        heard.push(context.getStore())
        await metrics.shutdown()
        closed = metrics.status()._tag
      }))
    // What is folded in this hook is heard while it runs.
    const other = rejected(metrics.createRecorder("other", {
      onStarting: () => {
        context.run("reader", () => cache.registerEvent(new Hit({ n: 1 })) && cache.snapshots())
        return settled()
      }
    }))
    await until(() => closed !== undefined)
    assert.deepStrictEqual([heard, closed], [["early subscriber", "subscriber"], "Closed"])
    assert.strictEqual((await other)._tag, "RuntimeInvalidStateError")
  })

  it("gives the event loop back between slices, however slow it is", async () => {
    const metrics = await started()
    const cache = await metrics.createRecorder("cache", { metrics: [Hits] })
    let heard = 0
    metrics.subscribe(() => {
      heard++
      for (const end = performance.now() + 1; performance.now() < end;);
    })
    for (let n = 1; n <= 50; n++) cache.registerEvent(new Hit({ n }))
    await cache.flush()
    await new Promise<void>((resolve) => setImmediate(resolve))
    await new Promise<void>((resolve) => setImmediate(resolve))
    assert.isAbove(heard, 0)
    assert.isBelow(heard, 50)
    await metrics.shutdown()
  })

  it("has to be a function", async () => {
    const metrics = Standalone.make()
    assert.strictEqual(thrown(() => metrics.subscribe(1 as any))._tag, "InvalidOptionError")
    await metrics.start()
    const cache = await metrics.createRecorder("cache")
    assert.strictEqual(thrown(() => cache.subscribe(undefined as any))._tag, "InvalidOptionError")
    await metrics.shutdown()
  })
})

describe("a program that forgets the shutdown", () => {
  const run = (linger: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const program = fileURLToPath(new URL("standalone/forgotten.js", import.meta.url))
      execFile(
        process.execPath,
        ["--conditions=mvx-metrics-source", program, String(linger)],
        { timeout: 20_000 },
        (error, stdout) => error === null ? resolve(stdout) : reject(error)
      )
    })

  it("ends, and finds everything in `beforeExit`; listeners hear all of it", async () => {
    const lines = (await run(5)).trim().split("\n")
    assert.deepStrictEqual(lines, [
      "change 1",
      `{"cache":{"cache.hits":{"name":"cache.hits","dimensions":{"total":2}}}}`,
      "change 2"
    ])
  })
})
