import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { InvalidEventError, type MetricEvent } from "../Event.ts"
import * as Metric from "../Metric.ts"
import type { Handle, MetricChange, Missed, RecorderCapture, RecorderStats, Snapshot } from "../Recorder.ts"
import { describe } from "./describe.ts"
import type { Dispatcher } from "./Dispatcher.ts"
import type { RecorderId } from "./RecorderCore.ts"
import { MetricNotRegisteredError, MetricViewError, QueueOverflowError } from "./RecorderError.ts"
import { RecorderLifecycle } from "./RecorderLifecycle.ts"
import type { RecorderSettings } from "./RecorderSettings.ts"
import { toStats } from "./StatsTotal.ts"
import { Subscription, toStream } from "./Subscription.ts"

const accepting = "Virgin, Starting or Running"

/** A recorder: handing over and reading, on top of its life. */
export class RecorderHandle extends RecorderLifecycle implements Handle {
  readonly registerEventUnsafe: (event: MetricEvent) => boolean

  constructor(
    id: RecorderId,
    settings: RecorderSettings,
    context: Context.Context<never>,
    dispatcher: Dispatcher,
    clock: Clock.Clock
  ) {
    super(id, settings, context, dispatcher, clock)
    const { core } = this
    this.registerEventUnsafe = (event) => {
      try {
        if (
          core.incoming.length < core.limit && typeof event === "object" && event !== null &&
          typeof event._tag === "string"
        ) {
          core.incoming.push(event)
          return true
        }
        return core.handoff(event)
      } catch {
        // The event's own `_tag` threw.
        return core.refuse("invalidEvent")
      }
    }
  }

  registerEvent(event: MetricEvent): ReturnType<Handle["registerEvent"]> {
    return Effect.suspend((): ReturnType<Handle["registerEvent"]> => {
      if (this.registerEventUnsafe(event)) return Effect.void
      const { capacity, entityId, pending, refusal } = this.core
      switch (refusal) {
        case "dropped":
          return Effect.void
        case "overflow":
          return Effect.fail(new QueueOverflowError({ entityId, capacity, pending }))
        case "invalidState":
          return Effect.fail(this.invalidState("registerEvent", accepting))
        case "invalidEvent":
          return Effect.fail(InvalidEventError.of(event))
      }
    })
  }

  registerMetric(metric: Metric.Any): ReturnType<Handle["registerMetric"]> {
    return Effect.suspend((): ReturnType<Handle["registerMetric"]> => {
      if (Metric.isMetric(metric) && !this.accepts) return Effect.fail(this.invalidState("registerMetric", accepting))
      const registered = this.core.register(metric)
      if (registered === true) return this.annotate(Effect.logDebug(`Metric registered: ${metric.name}`))
      return registered === false ? Effect.void : Effect.fail(registered)
    })
  }

  unregisterMetric(name: string): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const removed = this.core.unregister(name)
      return Effect.as(removed ? this.annotate(Effect.logDebug(`Metric unregistered: ${name}`)) : Effect.void, removed)
    })
  }

  get metrics(): Effect.Effect<ReadonlyArray<Metric.Any>> {
    return Effect.sync(() => this.core.table.slots.map((slot) => slot.metric))
  }

  get snapshots(): Effect.Effect<Record<string, Metric.MetricSnapshot>> {
    return this.#read("snapshots", () => this.core.readSnapshots())
  }

  snapshotsUnsafe(): Record<string, Metric.MetricSnapshot> {
    this.core.foldAll()
    return this.core.readSnapshots()
  }

  snapshot<M extends Metric.Any>(
    metric: M
  ): Effect.Effect<Metric.MetricSnapshot<M>, MetricNotRegisteredError | MetricViewError> {
    return Effect.flatten(this.#read("snapshot", (): ReturnType<typeof this.snapshot<M>> => {
      const { entityId } = this
      const name = Metric.isMetric(metric) ? metric.name : describe(metric)
      const slot = this.core.table.find(name)
      if (slot === undefined || slot.metric !== metric) {
        return Effect.fail(new MetricNotRegisteredError({ entityId, name }))
      }
      const view = this.core.view(slot.metric, slot.current, this.clock.currentTimeMillisUnsafe())
      return Cause.isCause(view)
        ? Effect.fail(new MetricViewError({ entityId, name, cause: view }))
        : Effect.succeed(view as Metric.MetricSnapshot<M>)
    }))
  }

  get capture(): Effect.Effect<RecorderCapture> {
    return this.#read("capture", () => this.readCapture())
  }

  /** The states as they are now. */
  readCapture(): RecorderCapture {
    return {
      namespace: this.settings.namespace,
      export: this.core.rollup === undefined ? "own" : "rollup",
      recorderId: this.core.recorderId,
      entityId: this.entityId,
      labels: this.settings.labels,
      takenAt: this.clock.currentTimeMillisUnsafe(),
      offset: this.core.table.offset,
      metrics: this.core.table.slots.map((slot) => ({
        metric: slot.metric,
        state: slot.share(),
        epoch: slot.epoch,
        startedAt: slot.startedAt
      }))
    }
  }

  get stats(): Effect.Effect<RecorderStats> {
    return Effect.sync(() => toStats(this.core.totals))
  }

  /** Folds, in slices, what was accepted before the read, and then reads in one step. */
  #read<A>(name: string, evaluate: () => A): Effect.Effect<A> {
    return Effect.andThen(
      this.foldAccepted,
      Effect.withFiber((fiber) => {
        const read = Effect.sync(evaluate)
        const isTraced = !LogLevel.isGreaterThan(fiber.getRef(References.MinimumLogLevel), "Trace")
        return isTraced ? Effect.andThen(this.annotate(Effect.logTrace(`Read: ${name}`)), read) : read
      })
    )
  }

  get changes(): Stream.Stream<MetricChange> {
    return toStream<MetricChange>(
      () => {
        const subscription = new Subscription<MetricChange>(this.core.capacity)
        this.core.subscribe(subscription, this.core.accepted)
        return [subscription, []]
      },
      (subscription) => this.core.unsubscribe(subscription)
    )
  }

  get watch(): Stream.Stream<Snapshot | MetricChange | Missed> {
    return Stream.unwrap(Effect.as(
      this.foldAccepted,
      toStream<Snapshot | MetricChange | Missed>(
        () => {
          const { core } = this
          const { offset, sequence } = core.table
          const { entityId, recorderId } = core
          const subscription = new Subscription<Snapshot | MetricChange | Missed>(
            core.capacity,
            (count): Missed => ({ _tag: "Missed", count })
          )
          core.subscribe(subscription, offset)
          const snapshots = core.readSnapshots()
          return [subscription, [{ _tag: "Snapshot", recorderId, entityId, snapshots, sequence, offset }]]
        },
        (subscription) => this.core.unsubscribe(subscription)
      )
    ))
  }

  get flush(): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const { accepted } = this.core
      const folded = this.foldTo(accepted)
      return this.hook === undefined || this.isInside(fiber)
        ? folded
        : Effect.andThen(folded, this.hook.await(accepted))
    })
  }
}
