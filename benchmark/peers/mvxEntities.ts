import { Effect, Exit, Option, Schema, Scope } from "effect"
import { Event, Metric, type Recorder, Runtime } from "mvx-metrics"
import { strictEqual } from "node:assert"
import { type Entities, sumOf } from "./Entities.ts"

class Request extends Event.Class<Request>()("http.request", { milliseconds: Schema.Finite }) {}

/** Two metrics, of which the last tells how often it has folded: to ask so many recorders would cost more. */
const makeMetrics = (folded: () => void): ReadonlyArray<Metric.Any> => [
  Metric.make("requests", {
    events: [Request],
    initial: { total: 0 },
    reduce: (state) => Option.some({ total: state.total + 1 })
  }),
  Metric.make("durations", {
    events: [Request],
    initial: { milliseconds_total: 0 },
    reduce: (state, event) => {
      folded()
      return Option.some({ milliseconds_total: state.milliseconds_total + event.milliseconds })
    }
  })
]

export interface Options {
  /** Each in a scope of its own. */
  readonly scoped?: boolean
  /** Each with an asynchronous `onStopped`. */
  readonly hooks?: boolean
  readonly capacity?: number
}

export const recorders = ({ capacity, hooks, scoped }: Options = {}) => (ids: ReadonlyArray<string>): Entities => {
  const runtime = Effect.runSync(Scope.provide(Runtime.make({ capacity }), Scope.makeUnsafe()))
  const scopes = scoped ? ids.map(() => Scope.makeUnsafe()) : []
  let all: ReadonlyArray<Recorder.Handle> = []
  let left = 0
  let done = () => {}
  const metrics = makeMetrics(() => {
    if (--left === 0) done()
  })
  let stopped = 0
  const onStopped = Effect.callback<void>((resume) => {
    setImmediate(() => {
      stopped++
      resume(Effect.void)
    })
  })
  const options = hooks ? { metrics, onStopped } : { metrics }
  const settle = () =>
    new Promise<void>((resolve) => {
      done = resolve
      if (left === 0) resolve()
    })
  return {
    create: () => {
      all = Effect.runSync(Effect.gen(function*() {
        const all: Array<Recorder.Handle> = []
        for (const [at, id] of ids.entries()) {
          all.push(
            yield* scoped
              ? Scope.provide(runtime.recorder(id, options), scopes[at]!)
              : runtime.createRecorder(id, options)
          )
        }
        return all
      }))
    },
    record: (at, milliseconds) => {
      left++
      all[at]!.registerEventUnsafe(new Request({ milliseconds }))
    },
    settle,
    totals: async () =>
      sumOf(all.map((recorder) => {
        const { durations, requests } = recorder.snapshotsUnsafe() as Record<string, { readonly dimensions: any }>
        return { requests: requests!.dimensions.total, milliseconds: durations!.dimensions.milliseconds_total }
      })),
    end: async () => {
      for (const scope of scopes) Effect.runSync(Scope.close(scope, Exit.void))
      const { failures, recorders } = await Effect.runPromise(runtime.shutdown)
      strictEqual(failures.length, 0)
      strictEqual(recorders, scoped ? 0 : ids.length)
      strictEqual(stopped, hooks ? ids.length : 0)
    }
  }
}
