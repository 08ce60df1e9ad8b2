import { Config, Context, Effect, type Layer, type Scope, type Stream } from "effect"
import { MetricsLive, Recorder, Runtime, Standalone } from "mvx-metrics"
import { describe, expectTypeOf, it } from "vitest"

class Disk extends Context.Service<Disk, { readonly write: Effect.Effect<void> }>()("test/Disk") {}

class DiskFull extends Error {
  readonly _tag = "DiskFull"
}

declare const runtime: Runtime.MetricsRuntimeService

const useDisk = Disk.use((disk) => disk.write)

describe("a recorder of a runtime", () => {
  it("requires what its hooks require, and only the scoped one a scope", () => {
    expectTypeOf(runtime.createRecorder("a")).toEqualTypeOf<Effect.Effect<Recorder.Handle, Runtime.CreateError>>()
    expectTypeOf(runtime.recorder("a")).toEqualTypeOf<
      Effect.Effect<Recorder.Handle, Runtime.CreateError, Scope.Scope>
    >()
    expectTypeOf(runtime.createRecorder("a", { onStopped: useDisk, onStarting: Effect.addFinalizer(() => useDisk) }))
      .toEqualTypeOf<Effect.Effect<Recorder.Handle, Runtime.CreateError, Disk>>()
    expectTypeOf(runtime.recorder("a", { onMetricChanged: () => useDisk })).toEqualTypeOf<
      Effect.Effect<Recorder.Handle, Runtime.CreateError, Disk | Scope.Scope>
    >()
  })

  it("fails as its wrap does", () => {
    const wrap = (base: Recorder.Handle) => Effect.as(Effect.andThen(useDisk, Effect.fail(new DiskFull())), base)
    expectTypeOf(runtime.createRecorder("a", { wrap })).toEqualTypeOf<
      Effect.Effect<Recorder.Handle, Runtime.CreateError | DiskFull, Disk>
    >()
    expectTypeOf(Runtime.layerRecorder("a", { wrap })).toEqualTypeOf<
      Layer.Layer<Recorder.Recorder, Runtime.CreateError | DiskFull, Runtime.MetricsRuntime | Disk>
    >()
  })

  it("has no unknown options", () => {
    // @ts-expect-error: a capacity is a number
    void runtime.createRecorder("a", { capacity: "10" })
    // @ts-expect-error: the namespace is the runtime's
    void runtime.createRecorder("a", { namespace: "shop" })
  })
})

describe("a runtime", () => {
  it("is shut down by its owner alone", () => {
    expectTypeOf<Runtime.Handle>().toHaveProperty("shutdown")
    expectTypeOf<Runtime.MetricsRuntimeService>().not.toHaveProperty("shutdown")
    expectTypeOf(Runtime.MetricsRuntime.Service).toEqualTypeOf<Runtime.MetricsRuntimeService>()
    expectTypeOf(runtime.changes).toEqualTypeOf<Stream.Stream<Recorder.MetricChange>>()
  })

  it("is a layer that requires nothing", () => {
    expectTypeOf(Runtime.layer()).toEqualTypeOf<Layer.Layer<Runtime.MetricsRuntime, Recorder.InvalidOptionError>>()
    expectTypeOf(Runtime.layerConfig({ namespace: Config.String("NAME"), capacity: Config.Int("CAPACITY") }))
      .toEqualTypeOf<Layer.Layer<Runtime.MetricsRuntime, Recorder.InvalidOptionError | Config.ConfigError>>()
    expectTypeOf(MetricsLive).toEqualTypeOf<
      Layer.Layer<Runtime.MetricsRuntime | Recorder.Recorder, Config.ConfigError>
    >()
  })
})

describe("Standalone", () => {
  it("speaks of promises and plain values", () => {
    const metrics = {} as Standalone.Standalone
    expectTypeOf(metrics.start).returns.toEqualTypeOf<Promise<void>>()
    expectTypeOf(metrics.createRecorder).returns.toEqualTypeOf<Promise<Standalone.Recorder>>()
    expectTypeOf<Standalone.Recorder["registerEvent"]>().returns.toEqualTypeOf<boolean>()
    expectTypeOf<Standalone.RecorderOptions["linger"]>().toEqualTypeOf<number | undefined>()
  })
})
