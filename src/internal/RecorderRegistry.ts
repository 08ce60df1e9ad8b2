import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Handle } from "../Recorder.ts"
import type { CreateError, RecorderOptions } from "../Runtime.ts"
import type { ChangeHub } from "./ChangeHub.ts"
import { type Dispatcher, sliceMs, visitStep } from "./Dispatcher.ts"
import { isInside } from "./EnclosingHooks.ts"
import { giveWay, now } from "./host.ts"
import type { RecorderCore } from "./RecorderCore.ts"
import { RecorderStopError, type StopReport } from "./RecorderError.ts"
import { RecorderHandle } from "./RecorderHandle.ts"
import { exportOf, nonBlank, type RecorderSettings, settingsOf } from "./RecorderSettings.ts"
import { invalidWrap, RegisteredRecorder, stopCause } from "./RegisteredRecorder.ts"
import type { Rollups } from "./Rollup.ts"
import {
  InvalidRecorderIdError,
  RecorderAlreadyExistsError,
  type RecorderFailure,
  RecorderNotFoundError,
  type RuntimeInvalidStateError
} from "./RuntimeError.ts"
import { StatsTotal } from "./StatsTotal.ts"

type AnyOptions = RecorderOptions<any, any>

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** What the recorders of a runtime have in common. */
export interface RuntimeParts {
  readonly settings: RecorderSettings
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  readonly dispatcher: Dispatcher
  readonly hub: ChangeHub
  readonly rollups: Rollups
}

/**
 * The recorders of a runtime, by id: how they come in and how they go.
 *
 * Each operation makes its transition in one step, and what takes time runs in
 * fibers of the runtime: interrupting a caller interrupts nothing but a
 * creation, which nobody else waits for.
 */
export class RecorderRegistry {
  private readonly recorders = new Map<string, RegisteredRecorder>()
  /** What the removed recorders did. */
  private readonly past = new StatsTotal()
  private readonly parts: RuntimeParts
  private readonly refusal: (operation: string) => RuntimeInvalidStateError | undefined

  /** `refusal` says why an operation is not possible, if it is not. */
  constructor(parts: RuntimeParts, refusal: (operation: string) => RuntimeInvalidStateError | undefined) {
    this.parts = parts
    this.refusal = refusal
  }

  /** All of them, those that are being created or removed included. */
  get all(): Array<RegisteredRecorder> {
    return Array.from(this.recorders.values())
  }

  /** Those that have values: one that is being removed has them until it is gone. */
  get readable(): Array<RegisteredRecorder> {
    return this.all.filter(({ state }) => state === "Live" || state === "Removing")
  }

  /** How many there are to be found. */
  get size(): number {
    let size = 0
    for (const { state } of this.recorders.values()) if (state === "Live") size++
    return size
  }

  get ids(): Array<string> {
    return this.all.filter(({ state }) => state === "Live").map(({ id }) => id)
  }

  /** What all recorders did, those that were removed included. */
  get totals(): StatsTotal {
    const total = new StatsTotal().add(this.past)
    for (const { base } of this.recorders.values()) total.add(base.core.totals)
    return total
  }

  /** The three sums of `totals` that a report shows: all of them cost more. */
  get report(): StopReport {
    let { changesSkipped, discarded, folded } = this.past
    for (const { base: { core } } of this.recorders.values()) {
      folded += core.folded
      discarded += core.discarded
      changesSkipped += core.changesSkipped
    }
    return { folded, discarded, changesSkipped }
  }

  /** Finds a recorder and begins what is to be done with it, in one step. */
  using<A, E>(
    id: string,
    f: (recorder: RegisteredRecorder, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | RecorderNotFoundError> {
    return Effect.withFiber((fiber): Effect.Effect<A, E | RecorderNotFoundError> => {
      const recorder = this.find(id)
      return recorder === undefined ? Effect.fail(RecorderNotFoundError.of(id)) : f(recorder, fiber)
    })
  }

  find(id: string): RegisteredRecorder | undefined {
    const recorder = this.recorders.get(typeof id === "string" ? id.trim() : id)
    return recorder?.state === "Live" ? recorder : undefined
  }

  create(id: string, options: AnyOptions): Effect.Effect<Handle, CreateError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.map(this.createUnder(restore, "createRecorder", id, options), ({ handle }) => handle)
    )
  }

  createScoped(id: string, options: AnyOptions): Effect.Effect<Handle, CreateError, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.createUnder(restore, "recorder", id, options), (recorder) => this.bindToScope(recorder))
    )
  }

  private bindToScope(recorder: RegisteredRecorder): Effect.Effect<Handle, never, Scope.Scope> {
    return Effect.flatMap(
      Effect.scope,
      (scope) => Effect.as(Scope.addFinalizerExit(scope, () => this.release(recorder)), recorder.handle)
    )
  }

  /** To be run uninterruptibly: whoever waits for hooks is interrupted under `restore` alone. */
  private createUnder(
    restore: Restore,
    operation: string,
    id: string,
    options: AnyOptions
  ): Effect.Effect<RegisteredRecorder, CreateError> {
    return Effect.withFiber((fiber) => {
      const refusal = this.refusal(operation)
      if (refusal !== undefined) return Effect.fail(refusal)
      let recorder: RegisteredRecorder
      try {
        recorder = this.make(id, options, fiber.context)
      } catch (error) {
        return Effect.fail(error as CreateError)
      }
      this.recorders.set(recorder.id, recorder)
      this.parts.hub.attach(recorder.base.core)
      if (options.wrap === undefined && options.onStarting === undefined) {
        recorder.base.admit()
        this.complete(recorder)
        return Effect.succeed(recorder)
      }
      const created = recorder.created = Deferred.makeUnsafe<void, CreateError>()
      recorder.create(options.wrap, (exit) => {
        if (recorder.state !== "Creating") return
        if (Exit.isFailure(exit)) return this.abandon(recorder, exit as Exit.Exit<never, CreateError>)
        this.complete(recorder)
        Deferred.doneUnsafe(created, Exit.void)
      })
      return Effect.as(
        Effect.onInterrupt(restore(Deferred.await(created)), () => this.withdraw(recorder)),
        recorder
      )
    })
  }

  /** Throws a `CreateError`. */
  private make(id: string, options: AnyOptions, context: Context.Context<never>): RegisteredRecorder {
    if (typeof id !== "string" || id.trim() === "") throw InvalidRecorderIdError.of(id)
    const recorderId = id.trim()
    if (this.recorders.has(recorderId)) throw new RecorderAlreadyExistsError({ recorderId })
    const { clock, dispatcher } = this.parts
    const settings = settingsOf(options, this.parts.settings)
    const { wrap } = options
    if (wrap !== undefined && typeof wrap !== "function") {
      throw invalidWrap(wrap)
    }
    const entityId = options.entityId === undefined ? recorderId : nonBlank("entityId", options.entityId)
    const base = new RecorderHandle({ recorderId, entityId }, settings, context, dispatcher, clock)
    if (exportOf(options.export) === "rollup") this.parts.rollups.join(settings.labels, base.core)
    for (const metric of options.metrics ?? []) {
      const registered = base.core.register(metric)
      if (typeof registered === "boolean") continue
      this.leaveRollup(base.core, false)
      throw registered
    }
    return new RegisteredRecorder(base)
  }

  private complete(recorder: RegisteredRecorder): void {
    recorder.state = "Live"
    recorder.base.debug("Recorder created")
  }

  /** Undoes a creation. Whoever waits for it hears of the outcome when the id is free again. */
  private abandon(recorder: RegisteredRecorder, outcome: Exit.Exit<never, CreateError>): void {
    recorder.state = "Abandoned"
    this.fork(Effect.map(Effect.exit(recorder.end()), (exit) => {
      if (Exit.isFailure(exit)) {
        recorder.base.logError("A recorder whose creation failed did not stop cleanly", exit.cause)
      }
      this.forget(recorder)
      Deferred.doneUnsafe(recorder.created!, outcome)
    }))
  }

  /** The one who waited for the creation was interrupted: nobody has the recorder. */
  private withdraw(recorder: RegisteredRecorder): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (recorder.state === "Live") return this.release(recorder)
      if (recorder.state === "Creating") this.abandon(recorder, Exit.interrupt())
      return Effect.asVoid(Effect.exit(Deferred.await(recorder.created!)))
    })
  }

  /** Removes a recorder, once: everybody who calls it gets one outcome. */
  remove(recorder: RegisteredRecorder, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void, RecorderStopError> {
    const removed = recorder.removed ??= this.beginRemoval(recorder)
    const isKnown = Exit.isExit(removed) && Exit.isSuccess(removed)
    if (isKnown || recorder.base.isInside(fiber) || isInside(fiber, recorder)) return Effect.void
    return Effect.catchTag(
      Effect.asVoid(removed),
      "StopTimeoutError",
      (error) => Effect.fail(new RecorderStopError({ recorderId: recorder.id, cause: Cause.fail(error) }))
    )
  }

  private beginRemoval(recorder: RegisteredRecorder): NonNullable<RegisteredRecorder["removed"]> {
    recorder.state = "Removing"
    const ended = recorder.end()
    if (Exit.isExit(ended)) {
      this.forget(recorder)
      return ended
    }
    return Fiber.join(this.fork(Effect.onExit(ended, () => Effect.sync(() => this.forget(recorder)))))
  }

  /** Removes a recorder that its scope, or nobody, has. */
  private release(recorder: RegisteredRecorder): Effect.Effect<void> {
    return Effect.catch(
      Effect.withFiber((fiber) => this.remove(recorder, fiber)),
      (error) =>
        Effect.sync(() => recorder.base.logError("A recorder did not stop cleanly when its scope closed", error.cause))
    )
  }

  private forget(recorder: RegisteredRecorder): void {
    // A reducer may have begun the removal once more, in the middle of the fold that it takes.
    if (this.recorders.get(recorder.id) !== recorder) return
    this.recorders.delete(recorder.id)
    // An abandoned one was never there.
    this.leaveRollup(recorder.base.core, recorder.state === "Removing")
    this.past.add(recorder.base.core.totals)
    recorder.base.debug("Recorder removed")
  }

  /** `wasThere` is whether what the recorder has counted stays. */
  private leaveRollup(core: RecorderCore, wasThere: boolean): void {
    if (core.rollup !== undefined) this.parts.rollups.leave(core.rollup, wasThere)
  }

  /** Undoes all creations in progress. */
  abandonCreations(outcome: Exit.Exit<never, CreateError>): void {
    for (const recorder of this.recorders.values()) {
      if (recorder.state === "Creating") this.abandon(recorder, outcome)
    }
  }

  /**
   * Ends all recorders, concurrently, and says how many they are, which had failed
   * before, and which fail now. They stay in the registry: they can still be read.
   */
  get endAll(): Effect.Effect<
    { readonly recorders: number } & Record<"before" | "now", ReadonlyArray<RecorderFailure>>
  > {
    return Effect.gen({ self: this }, function*() {
      const failedBefore: Array<RecorderFailure> = []
      const failedNow: Array<RecorderFailure> = []
      const ending: Array<{ readonly recorderId: string; readonly ended: Effect.Effect<unknown, unknown> }> = []
      let recorders = 0
      let until = now() + sliceMs
      for (const recorder of this.all) {
        if (recorder.state === "Abandoned") {
          // A creation that fails is not a recorder that does.
          ending.push({ recorderId: recorder.id, ended: Effect.exit(Deferred.await(recorder.created!)) })
          continue
        }
        if (++recorders % visitStep === 0 && now() >= until) {
          yield* giveWay
          until = now() + sliceMs
        }
        const status = recorder.base.statusUnsafe
        const ended = recorder.removed ?? recorder.end()
        if ("cause" in status) {
          failedBefore.push({ recorderId: recorder.id, cause: status.cause })
          ending.push({ recorderId: recorder.id, ended: Effect.exit(ended) })
        } else if (!Exit.isExit(ended) || Exit.isFailure(ended)) ending.push({ recorderId: recorder.id, ended })
      }
      for (const { ended, recorderId } of ending) {
        const exit = yield* Effect.exit(ended)
        if (Exit.isFailure(exit)) failedNow.push({ recorderId, cause: stopCause(exit.cause) })
      }
      return { recorders, before: failedBefore, now: failedNow }
    })
  }

  private fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.parts.context)(effect)
  }
}
