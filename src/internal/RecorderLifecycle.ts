import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Handle, MetricChange, RecorderStatus } from "../Recorder.ts"
import { ChangeHook } from "./ChangeHook.ts"
import { type Dispatcher, sliceMs } from "./Dispatcher.ts"
import { EnclosingHooks, Hook, isInside } from "./EnclosingHooks.ts"
import { giveWay, now } from "./host.ts"
import { RecorderCore, type RecorderId, type RecorderOwner } from "./RecorderCore.ts"
import {
  RecorderInvalidStateError,
  RecorderStartError,
  RecorderStopError,
  type StopReport,
  StopTimeoutError
} from "./RecorderError.ts"
import type { RecorderSettings } from "./RecorderSettings.ts"
import { Subscription, toStream } from "./Subscription.ts"

const virgin: RecorderStatus = { _tag: "Virgin" }
const running: RecorderStatus = { _tag: "Running" }
const stopping: RecorderStatus = { _tag: "Stopping" }
const nobody: ReadonlyArray<never> = []

type Closing = Effect.Effect<unknown, RecorderStopError | StopTimeoutError>

type StopOutcome = Exit.Exit<StopReport, RecorderStopError | StopTimeoutError>

/** Hears of the end of a teardown: whether a part of it took too long, and what failed. */
type Ended = (timedOut: boolean, causes: ReadonlyArray<Cause.Cause<unknown>>) => void

/** How many statuses a reader may lag behind: a few lives of a recorder. */
const statusCapacity = 64

/**
 * The life of a recorder, around its core.
 *
 * Each operation matches the status first and makes its transition in that same
 * step. What takes time (hooks, and the release of what they acquired) runs in
 * fibers that belong to the recorder, so that interrupting a caller who waits
 * interrupts nothing else.
 */
export class RecorderLifecycle
  implements RecorderOwner, Pick<Handle, "entityId" | "start" | "stop" | "status" | "statusChanges">
{
  declare readonly core: RecorderCore
  declare protected readonly settings: RecorderSettings
  declare protected readonly clock: Clock.Clock
  protected readonly hook: ChangeHook | undefined
  readonly #dispatcher: Dispatcher
  readonly #context: Context.Context<never>
  #current: RecorderStatus = virgin
  /** What `onStarting` acquired. */
  #resources: readonly [scope: Scope.Closeable, hook: Hook] | undefined
  #startFiber: Fiber.Fiber<void, unknown> | undefined
  /** The outcome of the start in progress, or of the last one. */
  #started: Deferred.Deferred<void, RecorderStartError> | undefined
  /** The outcome of the stop in progress or of the last one, an exit where it is known; none where it took no time. */
  #stopped: Effect.Effect<StopReport, RecorderStopError | StopTimeoutError> | undefined
  /** Runs after the teardown in progress; `undefined` where there is none. */
  #afterTeardown: (() => void) | undefined
  /** The outcome of the end for good, which is that of the stop that it took: an exit, where it is known. */
  #closed: Closing | undefined
  /** It is going to be closed, and is not to be started any more. */
  retired = false
  #statusSubscriptions: ReadonlyArray<Subscription<RecorderStatus>> = nobody

  constructor(
    id: RecorderId,
    settings: RecorderSettings,
    context: Context.Context<never>,
    dispatcher: Dispatcher,
    clock: Clock.Clock
  ) {
    this.settings = settings
    this.#context = context
    this.#dispatcher = dispatcher
    this.clock = clock
    this.core = new RecorderCore(id, settings, dispatcher, this, clock)
    if (settings.onMetricChanged !== undefined) {
      this.hook = new ChangeHook(
        settings.capacity,
        (change) => this.#runOnMetricChanged(change),
        (effect) => this.fork(effect),
        (change, cause) => this.#hookFailed(change, cause)
      )
      this.core.subscribe(this.hook.backlog, 0)
    }
  }

  get entityId(): string {
    return this.core.entityId
  }

  get statusUnsafe(): RecorderStatus {
    return this.#current
  }

  get status(): Effect.Effect<RecorderStatus> {
    return Effect.sync(() => this.#current)
  }

  get statusChanges(): Stream.Stream<RecorderStatus> {
    return toStream<RecorderStatus>(
      () => {
        const subscription = new Subscription<RecorderStatus>(statusCapacity)
        if (Exit.isExit(this.#closed)) subscription.end()
        else this.#statusSubscriptions = [...this.#statusSubscriptions, subscription]
        return [subscription, [this.#current]]
      },
      (subscription) => {
        this.#statusSubscriptions = this.#statusSubscriptions.filter((other) => other !== subscription)
      }
    )
  }

  get start(): Handle["start"] {
    return Effect.withFiber((fiber): Handle["start"] => {
      const { _tag } = this.#current
      if (_tag === "Virgin" || _tag === "Stopped") {
        if (this.retired || this.#closed !== undefined) {
          return Effect.fail(this.invalidState("start", "a recorder that is not closed"))
        }
        this.#begin()
      } else if (_tag !== "Starting") return Effect.fail(this.invalidState("start", "Virgin, Starting or Stopped"))
      return this.#started === undefined || this.isInside(fiber) ? Effect.void : Deferred.await(this.#started)
    })
  }

  get stop(): Handle["stop"] {
    return Effect.withFiber((fiber): Handle["stop"] => {
      const { _tag } = this.#current
      if (_tag === "Running") this.#end()
      else if (_tag !== "Stopping") return Effect.fail(this.invalidState("stop", "Running or Stopping"))
      return this.#stopped === undefined || this.isInside(fiber) ? Effect.succeed(this.report) : this.#stopped
    })
  }

  /** Ends the recorder for good, as its scope closes. Never fails. */
  get close(): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const closed = this.closeUnsafe()
      return this.isInside(fiber) ? Effect.void : Effect.ignore(closed)
    })
  }

  /** Begins to end the recorder for good, and gives the outcome: an exit, where that is all. */
  closeUnsafe(): Closing {
    return this.#closed ??= this.#beginClose()
  }

  /** The dispatcher has ended without its owner asking for it. */
  cancel(exit: Exit.Exit<unknown>): void {
    if (Exit.isExit(this.#closed)) return
    this.#terminate({ _tag: "Cancelled", cause: Exit.isFailure(exit) ? exit.cause : Cause.interrupt() })
  }

  admit(): boolean {
    if (this.#current._tag === "Virgin") this.#begin()
    return this.accepts
  }

  fail(cause: Cause.Cause<unknown>): void {
    this.#terminate({ _tag: "Failure", cause })
  }

  logDefect(message: string, metric: string, tag: string | undefined, cause: Cause.Cause<unknown>): void {
    const annotations = { "metrics.metric": metric, ...(tag === undefined ? {} : { "metrics.event": tag }) }
    this.#log(Effect.annotateLogs(Effect.logError(`${message}: ${metric}`, cause), annotations))
  }

  protected get accepts(): boolean {
    const { _tag } = this.#current
    return _tag === "Running" || _tag === "Virgin" || _tag === "Starting"
  }

  /** There is something to wait for, or to release, before the recorder has ended. */
  get #isHeld(): boolean {
    return this.hook !== undefined || this.#resources !== undefined || this.settings.onStopped !== undefined
  }

  get report(): StopReport {
    const { changesSkipped, discarded, folded } = this.core
    return { folded, discarded, changesSkipped }
  }

  get stopTimeoutError(): StopTimeoutError {
    return new StopTimeoutError({ recorderId: this.core.recorderId, report: this.report })
  }

  #begin(): void {
    this.core.setOpen(true)
    const { onStarting } = this.settings
    if (onStarting === undefined) {
      this.#started = undefined
      return this.#toRunning()
    }
    this.#setStatus({ _tag: "Starting" })
    this.#started = Deferred.makeUnsafe()
    const [scope, hook] = this.#resources = [Scope.makeUnsafe(), new Hook()] as const
    const fiber = this.#startFiber = this.fork(this.#traced("start", Scope.provide(onStarting, scope)), hook)
    // Not a part of the fiber: whatever ends it, the start ends too.
    fiber.addObserver((exit) => this.#endStart(exit))
  }

  #endStart(exit: Exit.Exit<void, unknown>): void {
    if (this.#current._tag !== "Starting") return
    this.#startFiber = undefined
    if (Exit.isFailure(exit)) return this.#terminate({ _tag: "Failure", cause: exit.cause })
    this.#toRunning()
    Deferred.doneUnsafe(this.#started!, Exit.void)
  }

  #toRunning(): void {
    this.#setStatus(running)
    this.debug("Recorder started")
    this.hook?.start()
  }

  #end(): void {
    this.#setStatus(stopping)
    const { core, settings } = this
    core.setOpen(false)
    if (core.busy || this.#isHeld) return this.#tearDown(true, settings.onStopped, this.#beginStop())
    if (core.pending === 0) {
      this.#stopped = undefined
      this.#toStopped()
      return
    }
    const done = this.#beginStop()
    const inTime = core.foldTo(core.accepted, now() + Duration.toMillis(settings.stopTimeout))
    if (!inTime) core.discardPending()
    done(!inTime, nobody)
  }

  /** From here until the outcome is known, those who ask for it wait. */
  #beginStop(): Ended {
    const stopped = Deferred.makeUnsafe<StopReport, RecorderStopError | StopTimeoutError>()
    this.#stopped = Deferred.await(stopped)
    return (timedOut, causes) => Deferred.doneUnsafe(stopped, this.#stopped = this.#endStop(timedOut, causes))
  }

  #endStop(
    timedOut: boolean,
    causes: ReadonlyArray<Cause.Cause<unknown>>
  ): StopOutcome {
    const current = this.#current
    const { recorderId } = this.core
    if ("cause" in current) {
      this.#logUnclean(timedOut, causes)
      return Exit.fail(new RecorderStopError({ recorderId, cause: current.cause }))
    }
    if (!timedOut && causes.length === 0) {
      this.#toStopped()
      return Exit.succeed(this.report)
    }
    const timeout = this.stopTimeoutError
    const cause = (timedOut ? [Cause.fail(timeout), ...causes] : causes).reduce((all, cause) =>
      Cause.combine(all, cause)
    )
    this.#setStatus({ _tag: "Failure", cause })
    this.logError("A recorder did not stop cleanly", cause)
    return Exit.fail(causes.length === 0 ? timeout : new RecorderStopError({ recorderId, cause }))
  }

  #toStopped(): void {
    this.#setStatus({ _tag: "Stopped", report: this.report })
    this.debug("Recorder stopped")
  }

  #terminate(status: Extract<RecorderStatus, { readonly cause: unknown }>): void {
    if ("cause" in this.#current) return
    const before = this.#current._tag
    this.#setStatus(status)
    this.core.setOpen(false)
    this.core.discardPending()
    this.#stopHook()
    this.logError(`Recorder ended in ${status._tag}`, status.cause)
    // A stop in progress sees the new status, and ends with it.
    if (before === "Stopping" || !this.#isHeld) return
    this.#tearDown(false, before === "Running" ? this.settings.onStopped : undefined, (timedOut, causes) => {
      this.#logUnclean(timedOut, causes)
      if (before === "Starting") this.#failStart(status.cause)
    })
  }

  /** What goes wrong in the end of a recorder that had failed before changes its status no more. */
  #logUnclean(timedOut: boolean, causes: ReadonlyArray<Cause.Cause<unknown>>): void {
    if (!timedOut && causes.length === 0) return
    this.logError(
      "A recorder that had failed did not stop cleanly",
      ...(timedOut ? ["not within its stopTimeout", ...causes] : causes)
    )
  }

  #failStart(cause: Cause.Cause<unknown>): void {
    const error = new RecorderStartError({ recorderId: this.core.recorderId, cause })
    Deferred.doneUnsafe(this.#started!, Exit.fail(error))
  }

  #stopHook(): void {
    if (this.hook !== undefined) this.core.changesSkipped += this.hook.stop()
  }

  #beginClose(): Closing {
    const before = this.#current
    const { _tag } = before
    this.core.setOpen(false)
    if (_tag === "Virgin") this.#setStatus({ _tag: "Stopped", report: this.report })
    else if (_tag === "Running") this.#end()
    else if (_tag === "Starting") {
      this.#setStatus(stopping)
      const done = this.#beginStop()
      this.#tearDown(false, undefined, (timedOut, causes) => {
        this.#failStart(Cause.interrupt())
        done(timedOut, causes)
      })
    }
    // A reducer may close its recorder in the middle of the fold that stops it.
    if (this.#afterTeardown === undefined && _tag !== "Stopping") return this.#endClose(before)
    const closed = Deferred.makeUnsafe<unknown, RecorderStopError | StopTimeoutError>()
    const end = () => Deferred.doneUnsafe(closed, this.#closed = this.#endClose(before))
    if (this.#afterTeardown !== undefined) this.#afterTeardown = end
    else this.fork(this.#stopped!).addObserver(end)
    return Deferred.await(closed)
  }

  /** What had failed before is closed without failing. */
  #endClose(before: RecorderStatus): Closing {
    this.core.close()
    for (const subscription of this.#statusSubscriptions) subscription.end()
    this.#statusSubscriptions = nobody
    return "cause" in before ? Exit.void : this.#stopped ?? Exit.void
  }

  /**
   * What comes after acceptance is closed, one part after the other, each in a
   * fiber. Each has `stopTimeout`; one that does not keep to it is interrupted and
   * left behind.
   */
  #tearDown(
    deliver: boolean,
    onStopped: RecorderSettings["onStopped"],
    done: Ended
  ): void {
    const causes: Array<Cause.Cause<unknown>> = []
    let timedOut = false
    const parts = this.#parts(deliver, onStopped)
    const next = (): void => {
      const { value: part } = parts.next(timedOut)
      if (part === undefined) {
        const after = this.#afterTeardown!
        this.#afterTeardown = undefined
        done(timedOut, causes)
        return after()
      }
      const fiber = this.fork(...part)
      this.within(fiber, (exit) => {
        if (exit === undefined) {
          timedOut = true
          fiber.interruptUnsafe()
        } else if (Exit.isFailure(exit)) causes.push(exit.cause)
        next()
      })
    }
    this.#afterTeardown = () => {}
    next()
  }

  /**
   * The rest of the fold, the delivery of changes to the hook where they are still
   * due, `onStopped` where it is given, the release.
   */
  *#parts(
    deliver: boolean,
    onStopped: RecorderSettings["onStopped"]
  ): Generator<readonly [effect: Effect.Effect<unknown, unknown>, hook?: Hook], void, boolean> {
    const { core, hook } = this
    if (this.#startFiber !== undefined) yield [Fiber.interrupt(this.#startFiber)]
    if (core.pending > 0 || hook !== undefined) {
      const delivered = Effect.suspend(() => hook?.await(core.table.offset) ?? Effect.void)
      const timedOut = yield [deliver ? Effect.andThen(this.foldAccepted, delivered) : this.foldAccepted]
      core.discardPending()
      if (hook !== undefined) {
        this.#stopHook()
        if (!timedOut) yield [hook.ended]
      }
    }
    if (onStopped !== undefined) yield [this.#traced("stop", Effect.scoped(onStopped))]
    const resources = this.#resources
    this.#resources = undefined
    if (resources !== undefined) yield [Scope.close(resources[0], Exit.void), resources[1]]
  }

  /** Gives the exit of a fiber, or `undefined` when it does not end within `stopTimeout`. */
  within<A, E>(fiber: Fiber.Fiber<A, E>, then: (exit: Exit.Exit<A, E> | undefined) => void): void {
    // Behind what the fiber itself gives way to: whatever the limit, what it runs has begun.
    const limit = Effect.runForkWith(this.#context)(Effect.andThen(giveWay, Effect.sleep(this.settings.stopTimeout)))
    const unobserve = fiber.addObserver((exit) => {
      limit.interruptUnsafe()
      then(exit)
    })
    limit.addObserver((exit) => {
      if (Exit.isFailure(exit)) return
      unobserve()
      then(undefined)
    })
  }

  #runOnMetricChanged(change: MetricChange): Effect.Effect<void> {
    return Effect.suspend(() => this.settings.onMetricChanged!(change)).pipe(
      Effect.scoped,
      Effect.catchCause((cause) => Effect.sync(() => this.#hookFailed(change, cause)))
    ) as Effect.Effect<void>
  }

  #hookFailed(change: MetricChange, cause: Cause.Cause<unknown>): void {
    this.core.countDefect("onMetricChanged failed", change.metric, change.event._tag, cause)
    if (this.settings.onDefect === "fail") this.fail(cause)
  }

  /** Folds, in slices, what is accepted now. */
  protected get foldAccepted(): Effect.Effect<void> {
    return Effect.suspend(() => this.foldTo(this.core.accepted))
  }

  protected foldTo(offset: number): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.core.foldTo(offset, now() + sliceMs) ? Effect.void : Effect.andThen(giveWay, this.foldTo(offset))
    )
  }

  #setStatus(status: RecorderStatus): void {
    this.#current = status
    for (const subscription of this.#statusSubscriptions) subscription.offer([status])
  }

  protected invalidState(operation: string, expected: string): RecorderInvalidStateError {
    const current = this.#current
    return new RecorderInvalidStateError({
      entityId: this.entityId,
      operation,
      state: current._tag,
      expected,
      ...("cause" in current ? { cause: current.cause } : {})
    })
  }

  /** Whether a fiber belongs to one of the recorder's own hooks. */
  isInside(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return isInside(fiber, this)
  }

  /**
   * Runs an effect in a fiber, never on the stack of the caller. It must not wait
   * for `owner`, nor for the runtime: it is as one of their hooks.
   */
  fork<A, E>(effect: Effect.Effect<A, E>, hook = new Hook(), owner: object = this): Fiber.Fiber<A, E> {
    const owners = hook.owners = [owner, this.#dispatcher]
    const enclosing = Context.get(this.#context, EnclosingHooks).filter(({ owners }) => owners.length > 0)
    const context = Context.add(this.#context, EnclosingHooks, enclosing.concat(hook))
    const fiber = Effect.runForkWith(context)(Effect.andThen(giveWay, effect))
    fiber.addObserver(() => {
      // A start that was left behind may end while what it acquired is released.
      if (hook.owners === owners) hook.owners = nobody
    })
    return fiber
  }

  #traced<E>(operation: string, hook: Effect.Effect<void, E>): Effect.Effect<void, E> {
    return Effect.withSpan(hook, `mvx-metrics.recorder.${operation}`, {
      attributes: this.annotations,
      // A trace would hold the recorder for as long as what is started in the hook.
      captureStackTrace: false
    })
  }

  /** Most programs filter Debug out, and should not pay a fiber for it. */
  debug(message: string): void {
    const minimum = Context.get(this.#context, References.MinimumLogLevel)
    if (!LogLevel.isGreaterThan(minimum, "Debug")) this.#log(Effect.logDebug(message))
  }

  logError(...message: ReadonlyArray<unknown>): void {
    this.#log(Effect.logError(...message))
  }

  #log(effect: Effect.Effect<void>): void {
    Effect.runForkWith(this.#context)(Effect.andThen(giveWay, this.annotate(effect)))
  }

  protected annotate(effect: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.annotateLogs(effect, this.annotations)
  }

  get annotations(): Record<string, string> {
    const { namespace } = this.settings
    return {
      ...(namespace === undefined ? {} : { "metrics.runtime": namespace }),
      "metrics.recorder": this.core.recorderId
    }
  }
}
