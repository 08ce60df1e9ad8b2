/** The events and metrics that the gates share, and a batch fold by hand to compare with. */
import { Effect, Option, Schema, Scope } from "effect"
import { Event, Metric, Recorder, Runtime } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"

/** How many events are timed in one go. */
export const burst = 1_000

/** A side made of bursts: `run` does one burst and returns the nanoseconds that count. */
export const bursts = (run: () => number | Promise<number>) => async (): Promise<number> => {
  const count = 10
  let elapsed = 0
  for (let i = 0; i < count; i++) elapsed += await run()
  return elapsed / (count * burst)
}

export class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
  outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
  durationMs: Schema.Finite
}) {}

type Fields = ConstructorParameters<typeof SaveAttempt>[0]

const rotation = 1_024
const outcomes = Array.from({ length: rotation }, (_, i): Fields["outcome"] => i % 3 === 0 ? "FAILURE" : "SUCCESS")
const durations = Array.from({ length: rotation }, (_, i) => (i * 37 % rotation) / 8)

/** The fields of events rotate, so that nothing about them is constant. */
export const outcome = (i: number): Fields["outcome"] => outcomes[i % rotation]!
export const durationMs = (i: number): number => durations[i % rotation]!

export const saveAttempt = (i: number): SaveAttempt =>
  new SaveAttempt({ outcome: outcome(i), durationMs: durationMs(i) })

const SaveAttempts = Metric.make("saves.attempts", {
  events: [SaveAttempt],
  initial: { total: 0, success_total: 0, failure_total: 0 },
  reduce: (state, event) =>
    Option.some({
      total: state.total + 1,
      success_total: state.success_total + (event.outcome === "SUCCESS" ? 1 : 0),
      failure_total: state.failure_total + (event.outcome === "FAILURE" ? 1 : 0)
    })
})

const SaveDuration = Metric.make("saves.duration", {
  events: [SaveAttempt],
  initial: { total: 0, duration_ms_total: 0 },
  reduce: (state, event) =>
    Option.some({ total: state.total + 1, duration_ms_total: state.duration_ms_total + event.durationMs })
})

const SaveExtremes = Metric.make("saves.extremes", {
  events: [SaveAttempt],
  initial: { min: Infinity, max: -Infinity },
  reduce: (state, { durationMs }) =>
    Option.some({ min: Math.min(state.min, durationMs), max: Math.max(state.max, durationMs) })
})

const SaveFailures = Metric.make("saves.failures", {
  events: [SaveAttempt],
  initial: { total: 0, slow_total: 0 },
  reduce: (state, event) =>
    event.outcome === "SUCCESS" ? Option.none() : Option.some({
      total: state.total + 1,
      slow_total: state.slow_total + (event.durationMs > 100 ? 1 : 0)
    })
})

const LastSave = Metric.make("saves.last", {
  events: [SaveAttempt],
  initial: { outcome: "", duration_ms: 0, streak: 0 },
  reduce: (state, { durationMs, outcome }) =>
    Option.some({ outcome, duration_ms: durationMs, streak: outcome === state.outcome ? state.streak + 1 : 1 })
})

const all: ReadonlyArray<Metric.Any> = [SaveAttempts, SaveDuration, SaveExtremes, SaveFailures, LastSave]

/** So many metrics of save attempts, of five kinds. */
export const metrics = (count: number): ReadonlyArray<Metric.Any> =>
  Array.from({ length: count }, (_, i) => {
    const metric = all[i % all.length]!
    return i < all.length ? metric : Metric.rename(metric, `${metric.name}.${i}`)
  })

/** A recorder that lives as long as the process. */
export const makeRecorder = (options?: Partial<Recorder.Options>): Recorder.Handle =>
  Effect.runSync(Scope.provide(
    Recorder.make({ entityId: "benchmark", metrics: metrics(1), ...options }),
    Scope.makeUnsafe()
  ))

/** A runtime that lives as long as the process, or until it is shut down. */
export const makeRuntime = (options?: Runtime.Options): Runtime.Handle =>
  Effect.runSync(Scope.provide(Runtime.make(options), Scope.makeUnsafe()))

/** So many ids of recorders, as a program has them at hand. */
export const recorderIds = (count: number): ReadonlyArray<string> => {
  const ids = Array.from({ length: count }, (_, i) => `connection-${i}`)
  // Strings are put together when they are first looked at.
  return Array.from(new Set(ids))
}

/** What somebody without a recorder writes: a buffer, and a batch fold through the same metrics. */
export class HandFold {
  private readonly metrics: ReadonlyArray<Metric.Any>
  private readonly states: Array<unknown>
  buffer: Array<SaveAttempt> = []

  constructor(metrics: ReadonlyArray<Metric.Any>) {
    this.metrics = metrics
    this.states = metrics.map((metric) => metric.initial)
  }

  fold(): void {
    const { buffer, metrics, states } = this
    const meta = { time: Date.now() }
    for (const event of buffer) {
      for (let at = 0; at < metrics.length; at++) {
        const next = metrics[at]!.reduce(states[at], event, meta)
        if (next._tag === "Some") states[at] = next.value
      }
    }
    this.buffer = []
  }

  get snapshots(): Record<string, Metric.MetricSnapshot> {
    return Object.fromEntries(
      this.metrics.map((metric, at) => [metric.name, Metric.snapshot(metric, this.states[at])])
    )
  }
}

/** Throws unless both sides saw the same events. */
export const sameResult = (recorder: Recorder.Handle, hand: HandFold): void =>
  deepStrictEqual(recorder.snapshotsUnsafe(), hand.snapshots)
