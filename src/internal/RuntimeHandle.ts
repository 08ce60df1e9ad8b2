import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Metric from "../Metric.ts"
import type { Handle as Recorder, MetricChange, RecorderCapture } from "../Recorder.ts"
import type {
  CreateError,
  Handle,
  Options,
  RecorderOptions,
  RuntimeStats,
  RuntimeStatus,
  ShutdownReport
} from "../Runtime.ts"
import { ChangeHub } from "./ChangeHub.ts"
import { Dispatcher, sliceMs, visitStep } from "./Dispatcher.ts"
import { isInside } from "./EnclosingHooks.ts"
import { giveWay, now, pause } from "./host.ts"
import type { RecorderHandle } from "./RecorderHandle.ts"
import { RecorderRegistry } from "./RecorderRegistry.ts"
import { nonBlank, type RecorderSettings, settingsOf } from "./RecorderSettings.ts"
import { type RegisteredRecorder, stop } from "./RegisteredRecorder.ts"
import { RollupRead, Rollups } from "./Rollup.ts"
import { type RecorderFailure, RuntimeInvalidStateError, RuntimeShutdownError } from "./RuntimeError.ts"
import { toStats } from "./StatsTotal.ts"

/** Checks the options of a runtime; throws an `InvalidOptionError` for the first that is wrong. */
export const runtimeSettingsOf = (options: Options): RecorderSettings & { readonly namespace: string } => ({
  ...settingsOf(options),
  namespace: nonBlank("namespace", options.namespace ?? "default")
})

/** How long the read of a custom recorder may take, in milliseconds: the others are not to wait for it. */
const customReadMs = 1_000

/** What becomes of a read of a custom recorder, which may never end. */
const bounded = <A>(read: Effect.Effect<A>): Effect.Effect<Exit.Exit<A, Cause.TimeoutError>> =>
  Effect.flatMap(Effect.forkDetach(read, { startImmediately: true }), (fiber) => {
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return Effect.succeed(exit)
    const late = Exit.fail(new Cause.TimeoutError(`Expected an answer within ${customReadMs} ms`))
    return Effect.raceFirst(Fiber.await(fiber), Effect.as(pause(customReadMs), late)).pipe(
      // It may not be interruptible.
      Effect.ensuring(Effect.forkDetach(Fiber.interrupt(fiber)))
    )
  })

/** A runtime: the registry of its recorders, their dispatcher, the hub of their changes, and its own life. */
export class RuntimeHandle implements Handle {
  readonly namespace: string
  readonly startedAt: number
  readonly registry: RecorderRegistry
  readonly hub: ChangeHub
  private readonly rollups: Rollups
  private readonly dispatcher: Dispatcher
  private readonly context: Context.Context<never>
  private current: RuntimeStatus = { _tag: "Running" }
  /** The outcome of the shutdown: one, for all who ask for it. */
  private outcome: Deferred.Deferred<ShutdownReport, RuntimeShutdownError | RuntimeInvalidStateError> | undefined

  /** Throws an `InvalidOptionError`. */
  constructor(options: Options, context: Context.Context<never>) {
    const settings = runtimeSettingsOf(options)
    const clock = Context.get(context, Clock.Clock)
    this.namespace = settings.namespace
    this.startedAt = clock.currentTimeMillisUnsafe()
    this.context = context
    this.dispatcher = new Dispatcher(context, (exit) => this.fail(exit))
    this.hub = new ChangeHub(settings.capacity, () => this.registry.all.map(({ base }) => base.core))
    this.rollups = new Rollups(
      clock,
      () => this.log(Effect.logWarning("Too many combinations of labels are rolled up: more go into the overflow"))
    )
    this.registry = new RecorderRegistry(
      { settings, context, clock, dispatcher: this.dispatcher, hub: this.hub, rollups: this.rollups },
      (operation) => this.current._tag === "Running" ? undefined : this.invalidState(operation)
    )
  }

  createRecorder<E = never, R = never>(
    id: string,
    options: RecorderOptions<E, R> = {}
  ): Effect.Effect<Recorder, CreateError | E, Exclude<R, Scope.Scope>> {
    return this.registry.create(id, options)
  }

  recorder<E = never, R = never>(
    id: string,
    options: RecorderOptions<E, R> = {}
  ): Effect.Effect<Recorder, CreateError | E, Exclude<R, Scope.Scope> | Scope.Scope> {
    return this.registry.createScoped(id, options)
  }

  getRecorder(id: string): ReturnType<Handle["getRecorder"]> {
    return this.registry.using(id, ({ handle }) => Effect.succeed(handle))
  }

  findRecorder(id: string): ReturnType<Handle["findRecorder"]> {
    return Effect.sync(() => Option.map(Option.fromUndefinedOr(this.registry.find(id)), ({ handle }) => handle))
  }

  get recorderIds(): Effect.Effect<ReadonlyArray<string>> {
    return Effect.sync(() => this.registry.ids)
  }

  stopRecorder(id: string): ReturnType<Handle["stopRecorder"]> {
    return this.registry.using(id, ({ handle }) => stop(handle))
  }

  removeRecorder(id: string): ReturnType<Handle["removeRecorder"]> {
    return this.registry.using(
      id,
      (recorder, fiber) => Effect.as(this.registry.remove(recorder, fiber), recorder.handle)
    )
  }

  get captures(): Effect.Effect<ReadonlyArray<RecorderCapture>> {
    return this.readAll("captures", (recorders) => ({
      ...this.capturing(recorders),
      readCustom: (recorder) => recorder.capture
    }))
  }

  /** The captures of all recorders, at once; not for custom ones. */
  capturesUnsafe(): Array<RecorderCapture> {
    const { readable } = this.registry
    const { read, rest } = this.capturing(readable)
    const captures: Array<RecorderCapture> = []
    for (const [place, { base }] of readable.entries()) {
      base.core.foldAll()
      const capture = read(base, place)
      if (capture !== undefined) captures.push(capture)
    }
    return captures.concat(rest())
  }

  private capturing(recorders: ReadonlyArray<RegisteredRecorder>) {
    const rollups = new RollupRead(this.rollups.all, recorders)
    const clock = Context.get(this.context, Clock.Clock)
    return {
      read: (base: RecorderHandle, place: number): RecorderCapture | void =>
        base.core.rollup === undefined ? base.readCapture() : rollups.add(base.core, place),
      rest: () => rollups.captures(this.namespace, clock.currentTimeMillisUnsafe())
    }
  }

  get snapshots(): Effect.Effect<Record<string, Record<string, Metric.MetricSnapshot>>> {
    return Effect.map(
      this.readAll("snapshots", () => ({
        read: (base) => [base.core.recorderId, base.core.readSnapshots()] as const,
        readCustom: (recorder, id) => Effect.map(recorder.snapshots, (snapshots) => [id, snapshots] as const),
        rest: () => []
      })),
      (entries) => Object.freeze(Object.fromEntries(entries))
    )
  }

  get changes(): Stream.Stream<MetricChange> {
    return this.hub.changes
  }

  get status(): Effect.Effect<RuntimeStatus> {
    return Effect.sync(() => this.current)
  }

  get stats(): Effect.Effect<RuntimeStats> {
    return Effect.sync(() => this.statsUnsafe)
  }

  get statusUnsafe(): RuntimeStatus {
    return this.current
  }

  get statsUnsafe(): RuntimeStats {
    const stats = toStats(this.registry.totals)
    return {
      ...stats,
      changesSkipped: stats.changesSkipped + this.hub.skipped,
      recorders: this.registry.size
    }
  }

  /** Reads one recorder after the other, in slices of time. A custom one that cannot be read is left out. */
  private readAll<A>(
    name: string,
    begin: (recorders: ReadonlyArray<RegisteredRecorder>) => {
      /** Returns nothing for what is a part of the rest. */
      readonly read: (base: RecorderHandle, place: number) => A | void
      readonly readCustom: (recorder: Recorder, id: string) => Effect.Effect<A>
      readonly rest: () => ReadonlyArray<A>
    }
  ): Effect.Effect<Array<A>> {
    return Effect.gen({ self: this }, function*() {
      yield* this.annotate(Effect.logTrace(`Read: ${name} of all recorders`))
      const all: Array<A> = []
      let until = now() + sliceMs
      const { readable } = this.registry
      const { read, readCustom, rest } = begin(readable)
      for (let index = 0; index < readable.length; index++) {
        const recorder = readable[index]!
        const { base, handle } = recorder
        if (index % visitStep === visitStep - 1 && now() >= until) {
          yield* giveWay
          until = now() + sliceMs
        }
        if (handle === base || base.core.rollup !== undefined) {
          for (const offset = base.core.accepted; !base.core.foldTo(offset, until);) {
            yield* giveWay
            until = now() + sliceMs
          }
          const one = read(base, index)
          if (one !== undefined) all.push(one)
        } else {
          const exit = yield* bounded(Effect.suspend(() => readCustom(handle, recorder.id)))
          if (Exit.isSuccess(exit)) all.push(exit.value)
          else base.logError("A custom recorder could not be read", exit.cause)
        }
      }
      return all.concat(rest())
    })
  }

  get shutdown(): Handle["shutdown"] {
    return Effect.withFiber((fiber): Handle["shutdown"] => {
      const outcome = this.outcome ??= this.beginShutdown()
      return isInside(fiber, this.dispatcher) && !Deferred.isDoneUnsafe(outcome)
        ? Effect.succeed(this.report(this.registry.readable.length, []))
        : Deferred.await(outcome)
    })
  }

  private beginShutdown(): NonNullable<typeof this.outcome> {
    const outcome: NonNullable<typeof this.outcome> = Deferred.makeUnsafe()
    this.log(Effect.logDebug("Metrics runtime is shutting down"))
    if (this.current._tag === "Running") this.current = { _tag: "Stopping" }
    this.registry.abandonCreations(Exit.fail(this.invalidState("createRecorder")))
    const end = Effect.map(this.registry.endAll, ({ before, now, recorders }) => {
      const report = this.report(recorders, [...before, ...now])
      this.hub.end()
      this.dispatcher.close()
      if (this.current._tag === "Stopping") this.current = { _tag: "Closed", report }
      this.log(Effect.logDebug("Metrics runtime has ended"))
      Deferred.doneUnsafe(
        outcome,
        now.length > 0
          ? Exit.fail(new RuntimeShutdownError({ failures: now }))
          : this.current._tag === "Failure"
          ? Exit.fail(this.invalidState("shutdown"))
          : Exit.succeed(report)
      )
    })
    Effect.runForkWith(this.context)(end)
    return outcome
  }

  private report(recorders: number, failures: ReadonlyArray<RecorderFailure>): ShutdownReport {
    const { changesSkipped, discarded, folded } = this.registry.report
    return { recorders, folded, discarded, changesSkipped: changesSkipped + this.hub.skipped, failures }
  }

  /** The dispatcher has ended without the runtime asking for it. */
  private fail(exit: Exit.Exit<void>): void {
    const cause = Exit.isFailure(exit) ? exit.cause : Cause.interrupt()
    this.current = { _tag: "Failure", cause }
    this.log(Effect.logError("Metrics runtime ended in Failure", cause))
    this.registry.abandonCreations(Exit.fail(this.invalidState("createRecorder")))
    for (const { base } of this.registry.all) base.cancel(exit)
    this.hub.end()
  }

  private log(effect: Effect.Effect<void>): void {
    Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, this.annotate(effect)))
  }

  /** With the name of the runtime. */
  annotate(effect: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.annotateLogs(effect, "metrics.runtime", this.namespace)
  }

  private invalidState(operation: string): RuntimeInvalidStateError {
    const { current } = this
    return new RuntimeInvalidStateError({
      operation,
      state: current._tag,
      expected: "Running",
      ...("cause" in current ? { cause: current.cause } : {})
    })
  }
}
