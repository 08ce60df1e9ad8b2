import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import { isMetricEvent, type MetricEvent } from "../Event.ts"
import type * as Metric from "../Metric.ts"
import { InvalidMetricError, isMetric } from "../Metric.ts"
import type { MetricChange } from "../Recorder.ts"
import type { Backlog, Dispatcher } from "./Dispatcher.ts"
import { notListed, sliceStep } from "./Dispatcher.ts"
import { now } from "./host.ts"
import { MetricTable, type TableOwner } from "./MetricTable.ts"
import { MetricNameTakenError } from "./RecorderError.ts"
import type { RecorderSettings } from "./RecorderSettings.ts"
import type { RollupMember } from "./Rollup.ts"
import type { Slot } from "./Slot.ts"
import { tally, type Totals, type Uncounted } from "./StatsTotal.ts"
import type { Subscription } from "./Subscription.ts"
import { viewOf } from "./viewOf.ts"

/** Why an event was not accepted. */
export type Refusal = "invalidEvent" | "invalidState" | "overflow" | "dropped"

/** What a recorder is called, and what it measures. */
export interface RecorderId {
  readonly recorderId: string
  readonly entityId: string
}

/** What the queue needs to know of, and tell to, the lifecycle around it. */
export interface RecorderOwner {
  /** Whether events are accepted now. Starts a recorder that waits for its first event. */
  admit(): boolean
  /** Something threw under `onDefect: "fail"`. */
  fail(cause: Cause.Cause<unknown>): void
  /** A defect of this metric, the first of its kind. */
  logDefect(message: string, metric: string, tag: string | undefined, cause: Cause.Cause<unknown>): void
}

interface Observer {
  readonly subscription: Subscription<MetricChange>
  readonly from: number
}

/** How many events an overflowing caller folds: a slice well under a millisecond. */
const overflowSlice = 256

/** The tag of an event that may not let it be read any more. */
const tagIfReadable = (event: MetricEvent): string | undefined => {
  try {
    return event._tag
  } catch {
    return undefined
  }
}

const nobody: ReadonlyArray<Observer> = []

/** What did not go well. Most recorders never need one. */
class Trouble implements Uncounted {
  dropped = 0
  invalidEvent = 0
  invalidState = 0
  overflow = 0
  readonly droppedByTag = new Map<string, number>()
  readonly defects = new Map<string, number>()
  /** What metrics did not count that are no more. */
  readonly skipped = new Map<string, number>()
  readonly overLimit = new Map<string, number>()
  /** Not among what is counted. */
  readonly #logged = new Set<string>()

  /** Whether this is the first of its kind. */
  isNew(key: string): boolean {
    const { size } = this.#logged
    return this.#logged.add(key).size > size
  }
}

const noTrouble = new Trouble()

/** The queue of every recorder that has nothing to fold. Nobody pushes into it: `limit` is 0 there. */
const empty: Array<MetricEvent> = []

/**
 * The synchronous heart of a recorder: its queue, the fold, and the read side.
 * It knows nothing of fibers.
 *
 * The queue is two arrays: `batch` is being folded, and callers push into
 * `incoming`, which becomes the next batch. `limit` is how long `incoming` may grow
 * before the caller has to look closer: 0 while the dispatcher does not know
 * that there is work, during a fold, or when events are not accepted; half the
 * capacity while the dispatcher rests, the whole capacity after that. So the
 * handoff of an event is one comparison, one check of the event, one push.
 */
export class RecorderCore implements Backlog, TableOwner {
  limit = 0
  incoming: Array<MetricEvent> = empty
  declare readonly table: MetricTable
  declare readonly recorderId: string
  declare readonly entityId: string
  declare readonly capacity: number
  /** Its part in a series of the runtime, if it has one. */
  rollup: RollupMember | undefined
  /** Why the last handoff was refused. */
  refusal: Refusal = "invalidEvent"
  discarded = 0
  changesSkipped = 0
  #batch: Array<MetricEvent> = empty
  /** The offset of the last event in `batch`. */
  #batchEnd = 0
  place = notListed
  #open = true
  /** A reducer or a view is running: what it calls must not fold. */
  busy = false
  #failure: Cause.Cause<unknown> | undefined
  #highWater = 0
  #trouble: Trouble | undefined
  /** `undefined` once nothing will be folded any more. */
  #observers: ReadonlyArray<Observer> | undefined = nobody
  readonly #settings: RecorderSettings
  readonly #dispatcher: Dispatcher
  readonly #owner: RecorderOwner
  readonly #clock: Clock.Clock

  constructor(
    { entityId, recorderId }: RecorderId,
    settings: RecorderSettings,
    dispatcher: Dispatcher,
    owner: RecorderOwner,
    clock: Clock.Clock
  ) {
    this.#settings = settings
    this.recorderId = recorderId
    this.entityId = entityId
    this.capacity = settings.capacity
    this.#dispatcher = dispatcher
    this.#owner = owner
    this.#clock = clock
    this.table = new MetricTable(this, clock)
  }

  get accepted(): number {
    return this.#batchEnd + this.incoming.length
  }

  get pending(): number {
    return this.accepted - this.table.offset
  }

  get folded(): number {
    return this.table.offset - this.discarded
  }

  // --- metrics --------------------------------------------------------------

  /** Whether the metric is new here, or why it cannot be registered. */
  register(metric: Metric.Any): boolean | MetricNameTakenError | InvalidMetricError {
    if (!isMetric(metric)) return InvalidMetricError.of(undefined, metric, "a metric made by Metric.make")
    const registered = this.table.find(metric.name)?.metric
    if (registered === metric) return false
    if (registered !== undefined) return new MetricNameTakenError({ entityId: this.entityId, name: metric.name })
    const rollup = this.rollup?.rollup
    const refusal = rollup?.refusalOf(metric)
    if (refusal !== undefined) return refusal
    rollup?.register(metric)
    this.table.add(metric, this.accepted)
    return true
  }

  unregister(name: string): boolean {
    // What was accepted for the metric belongs to the series that it is a part of.
    if (this.rollup !== undefined) this.foldAll()
    const slot = this.table.find(name)
    if (slot === undefined) return false
    this.table.remove(slot)
    slot.metric.measures?.countUncounted(slot, this.#trouble ??= new Trouble())
    this.rollup?.retire(slot)
    return true
  }

  // --- handing over ---------------------------------------------------------

  /** The rest of a handoff that the fast path could not finish. */
  handoff(event: MetricEvent): boolean {
    if (!isMetricEvent(event)) return this.refuse("invalidEvent")
    if (!this.#owner.admit()) return this.refuse("invalidState")
    if (this.pending >= this.capacity && !this.#makeRoom(event)) return false
    if (this.incoming === empty) this.incoming = []
    this.incoming.push(event)
    if (this.place === notListed) this.#dispatcher.schedule(this, this.#settings.linger)
    if (this.#pastHalf) this.#dispatcher.hasten()
    this.#highWater = Math.max(this.#highWater, this.pending)
    this.#updateLimit()
    return true
  }

  /** Whether events are accepted, as far as the queue is concerned. */
  setOpen(open: boolean): void {
    this.#open = open
    this.#updateLimit()
  }

  #makeRoom(event: MetricEvent): boolean {
    const { overflow } = this.#settings
    if (overflow === "drop") {
      const trouble = this.#trouble ??= new Trouble()
      trouble.dropped++
      tally(trouble.droppedByTag, event._tag)
      this.refusal = "dropped"
      return false
    }
    if (overflow === "fail" || this.busy) return this.refuse("overflow")
    this.foldSome(overflowSlice)
    return this.#owner.admit() || this.refuse("invalidState")
  }

  refuse(reason: Exclude<Refusal, "dropped">): false {
    const trouble = this.#trouble ??= new Trouble()
    trouble[reason]++
    this.refusal = reason
    return false
  }

  get #pastHalf(): boolean {
    return this.pending * 2 > this.capacity
  }

  #updateLimit(): void {
    const inHand = this.#batchEnd - this.table.offset
    this.limit = !this.#open || this.busy || this.incoming === empty
      ? 0
      : (this.#pastHalf ? this.capacity : Math.floor(this.capacity / 2)) - inHand
  }

  // --- folding --------------------------------------------------------------

  foldSome(count: number): boolean {
    const { table } = this
    this.#highWater = Math.max(this.#highWater, this.pending)
    if (this.#batchEnd === table.offset) {
      this.#batch = this.incoming
      this.#batchEnd += this.#batch.length
      this.incoming = empty
      this.limit = 0
    }
    const inHand = this.#batchEnd - table.offset
    const step = Math.min(count, inHand, table.room())
    if (step > 0) {
      const start = this.#batch.length - inHand
      this.busy = true
      try {
        table.fold(this.#batch, start, start + step)
      } finally {
        this.busy = false
      }
      if (table.offset === this.#batchEnd) this.#batch = empty
      this.#deliver()
    }
    const more = this.pending > 0
    if (!more) this.incoming = empty
    this.#updateLimit()
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      this.#owner.fail(failure)
      return false
    }
    return more
  }

  /** Folds up to the offset, until `until` at the latest, and says whether it got there. */
  foldTo(offset: number, until: number): boolean {
    if (this.busy) return true
    while (this.table.offset < offset) {
      this.foldSome(Math.min(sliceStep, offset - this.table.offset))
      if (now() >= until) return this.table.offset >= offset
    }
    return true
  }

  /** Folds everything at once, however long it takes. */
  foldAll(): void {
    this.foldTo(this.accepted, Infinity)
  }

  /** Gives up the events that are not folded yet, and counts them. */
  discardPending(): void {
    const { pending } = this
    this.#highWater = Math.max(this.#highWater, pending)
    this.discarded += pending
    this.table.offset += pending
    this.#batchEnd = this.table.offset
    this.#batch = empty
    this.incoming = empty
    this.#updateLimit()
  }

  // --- observing ------------------------------------------------------------

  /** Subscribes to the changes that events behind the offset make. */
  subscribe<A>(subscription: Subscription<MetricChange | A>, from: number): void {
    if (this.#observers === undefined) return subscription.end()
    this.#observers = this.#observers.concat({ subscription: subscription as Subscription<MetricChange>, from })
    this.table.changes ??= []
  }

  unsubscribe(subscription: Subscription<any>): void {
    this.#observers = this.#observers?.filter((observer) => observer.subscription !== subscription)
    if (this.#observers?.length === 0) this.table.changes = undefined
  }

  /** Nothing will be folded any more: streams of changes end, and the dispatcher forgets the recorder. */
  close(): void {
    this.#dispatcher.forget(this)
    for (const { subscription } of this.#observers ?? nobody) subscription.end()
    this.#observers = undefined
    this.table.changes = undefined
  }

  #deliver(): void {
    const { changes } = this.table
    if (changes === undefined || changes.length === 0) return
    this.table.changes = []
    for (const { from, subscription } of this.#observers ?? nobody) {
      const fresh = changes[0]!.offset > from ? changes : changes.filter((change) => change.offset > from)
      const { pastHalf } = subscription
      this.changesSkipped += subscription.offer(fresh)
      // Whoever is not slow must not miss anything because one turn makes more changes than there is room for.
      if (!pastHalf && subscription.pastHalf) this.#dispatcher.pause()
    }
  }

  // --- reading --------------------------------------------------------------

  /** The view of a state as it is now, or the cause of its throwing. */
  view(metric: Metric.Any, state: unknown, time: number): Metric.MetricSnapshot | Cause.Cause<never> {
    const { busy } = this
    this.busy = true
    try {
      return viewOf(metric, state, time)
    } catch (defect) {
      const cause = Cause.die(defect)
      this.countDefect("The view of a metric threw", metric.name, undefined, cause)
      return cause
    } finally {
      this.busy = busy
    }
  }

  /** The views of all metrics as the states are now; those that throw are left out. */
  readSnapshots(): Record<string, Metric.MetricSnapshot> {
    const time = this.#clock.currentTimeMillisUnsafe()
    const views = this.table.slots.map(({ current, metric }) =>
      [metric.name, this.view(metric, current, time)] as const
    )
    return Object.freeze(Object.fromEntries(views.filter(([, view]) => !Cause.isCause(view)))) as Record<
      string,
      Metric.MetricSnapshot
    >
  }

  /** What became of everything that the recorder was offered. */
  get totals(): Totals {
    const { accepted, changesSkipped, discarded, folded, pending, table } = this
    const trouble = this.#trouble ?? noTrouble
    // A metric of dimensions brings along what counts for all of them.
    const ofDimensions = table.slots.find(({ metric }) => metric.measures !== undefined)
    return {
      accepted,
      folded,
      ignored: table.ignored,
      discarded,
      pending,
      highWater: Math.max(this.#highWater, pending),
      changesSkipped,
      ...trouble,
      ...ofDimensions?.metric.measures!.uncounted(table.slots, trouble)
    }
  }

  // --- defects --------------------------------------------------------------

  reducerFailed(slot: Slot, event: MetricEvent, defect: unknown): boolean {
    const cause = Cause.die(defect)
    this.countDefect("The reducer of a metric threw", slot.metric.name, tagIfReadable(event), cause)
    if (this.#settings.onDefect === "isolate") return true
    this.#failure = cause
    return false
  }

  /** Counts a defect of a metric, and has the first of its kind logged. */
  countDefect(message: string, metric: string, tag: string | undefined, cause: Cause.Cause<unknown>): void {
    const trouble = this.#trouble ??= new Trouble()
    tally(trouble.defects, metric)
    if (trouble.isNew(`${message} ${metric}`)) this.#owner.logDefect(message, metric, tag, cause)
  }
}
