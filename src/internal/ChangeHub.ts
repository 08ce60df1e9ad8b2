import type * as Stream from "effect/Stream"
import type { MetricChange } from "../Recorder.ts"
import type { RecorderCore } from "./RecorderCore.ts"
import { Subscription, toStream } from "./Subscription.ts"

/** A subscription to the changes of many recorders. */
export class HubSubscription extends Subscription<MetricChange> {
  private readonly hub: ChangeHub

  constructor(hub: ChangeHub, capacity: number) {
    super(capacity)
    this.hub = hub
  }

  /** What is skipped may be of any recorder: it counts for the hub. */
  override offer(batch: ReadonlyArray<MetricChange>): number {
    this.hub.skipped += super.offer(batch)
    return 0
  }

  /** One recorder has ended: the others go on. */
  override end(): void {}

  endAll(): void {
    super.end()
  }
}

/** Where the changes of all recorders of a runtime come together. It costs nothing while nobody is subscribed. */
export class ChangeHub {
  /** Changes that slow subscribers did not get. */
  skipped = 0
  private subscriptions: ReadonlyArray<HubSubscription> = []
  private ended = false
  private readonly capacity: number
  private readonly cores: () => Iterable<RecorderCore>

  /** `cores` are the recorders that have not ended. */
  constructor(capacity: number, cores: () => Iterable<RecorderCore>) {
    this.capacity = capacity
    this.cores = cores
  }

  get changes(): Stream.Stream<MetricChange> {
    return toStream<MetricChange, HubSubscription>(
      () => [this.subscribe(), []],
      (subscription) => this.unsubscribe(subscription)
    )
  }

  /** Subscribes to what is accepted from now on. */
  subscribe(): HubSubscription {
    const subscription = new HubSubscription(this, this.capacity)
    if (this.ended) {
      subscription.endAll()
      return subscription
    }
    this.subscriptions = [...this.subscriptions, subscription]
    for (const core of this.cores()) core.subscribe(subscription, core.accepted)
    return subscription
  }

  unsubscribe(subscription: HubSubscription): void {
    this.subscriptions = this.subscriptions.filter((other) => other !== subscription)
    for (const core of this.cores()) core.unsubscribe(subscription)
  }

  /** A recorder that comes into being while there may be subscribers. */
  attach(core: RecorderCore): void {
    for (const subscription of this.subscriptions) core.subscribe(subscription, 0)
  }

  end(): void {
    this.ended = true
    for (const subscription of this.subscriptions) subscription.endAll()
    this.subscriptions = []
  }
}
