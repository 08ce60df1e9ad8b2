import type * as Clock from "effect/Clock"
import type { MetricEvent } from "../Event.ts"
import type * as Metric from "../Metric.ts"
import type { MetricChange } from "../Recorder.ts"
import { EventMeta } from "./EventMeta.ts"

/** The place of one metric in one recorder: its state there, and since when it counts. */
export class Slot {
  readonly metric: Metric.Any
  readonly reduce: Metric.Any["reduce"]
  state: unknown
  /** What the event in hand makes of the state, until all metrics have seen it. */
  next: unknown = untaken
  readonly epoch: number
  readonly startedAt: number
  /** The metric counts the events behind this offset. */
  readonly from: number

  constructor(metric: Metric.Any, from: number, startedAt: number) {
    this.metric = metric
    this.reduce = metric.reduce
    this.state = metric.initial
    this.from = from
    this.startedAt = startedAt
    this.epoch = lastEpoch = Math.max(lastEpoch + 1, startedAt)
  }
}

const untaken = Symbol("untaken")

let lastEpoch = 0

interface Routes {
  readonly byTag: ReadonlyMap<string, ReadonlyArray<Slot>>
  readonly others: ReadonlyArray<Slot>
}

const nowhere: ReadonlyArray<Slot> = []

/** Who a table works for. */
export interface TableOwner {
  readonly recorderId: string
  readonly entityId: string
  /** A reducer threw. Returns whether the fold goes on without that metric. */
  reducerFailed(slot: Slot, event: MetricEvent, defect: unknown): boolean
  /** The view of a changed metric, or `undefined` when it throws. */
  changeSnapshot(metric: Metric.Any, state: unknown, time: number): Metric.MetricSnapshot | undefined
}

class Change implements MetricChange {
  declare readonly _tag: "Change"
  readonly recorderId: string
  readonly entityId: string
  readonly metric: string
  readonly event: MetricEvent
  readonly state: unknown
  readonly sequence: number
  readonly offset: number
  readonly #owner: TableOwner
  readonly #definition: Metric.Any
  readonly #batchTime: number

  constructor(
    owner: TableOwner,
    definition: Metric.Any,
    event: MetricEvent,
    state: unknown,
    sequence: number,
    offset: number,
    batchTime: number
  ) {
    this.recorderId = owner.recorderId
    this.entityId = owner.entityId
    this.metric = definition.name
    this.event = event
    this.state = state
    this.sequence = sequence
    this.offset = offset
    this.#owner = owner
    this.#definition = definition
    this.#batchTime = batchTime
  }

  get snapshot(): Metric.MetricSnapshot | undefined {
    return this.#owner.changeSnapshot(
      this.#definition,
      this.state,
      new EventMeta(this.#batchTime, this.event).time
    )
  }
}
Object.defineProperty(Change.prototype, "_tag", { value: "Change", enumerable: true })

/** The metrics of a recorder, their states, and the fold of events into them. */
export class MetricTable {
  /** In registration order. */
  slots: ReadonlyArray<Slot> = nowhere
  /** How many accepted events are behind the table: folded or discarded. */
  offset = 0
  ignored = 0
  /** How many changes there were, observed or not. */
  sequence = 0
  /** The changes since they were last taken, while somebody observes. */
  changes: Array<MetricChange> | undefined
  /** Registered, but with events still queued that they must not count. In the order of `from`. */
  private waiting: ReadonlyArray<Slot> = nowhere
  private routes: Routes | undefined
  private readonly owner: TableOwner
  private readonly clock: Clock.Clock

  constructor(owner: TableOwner, clock: Clock.Clock) {
    this.owner = owner
    this.clock = clock
  }

  find(name: string): Slot | undefined {
    return this.slots.find((slot) => slot.metric.name === name)
  }

  /** Adds a metric that counts the events accepted from now on, `accepted` being how many there were so far. */
  add(metric: Metric.Any, accepted: number): void {
    const slot = new Slot(metric, accepted, this.clock.currentTimeMillisUnsafe())
    // Unlike a spread, `concat` leaves no room to grow: there are many recorders.
    this.slots = this.slots.concat(slot)
    if (accepted > this.offset) this.waiting = this.waiting.concat(slot)
    else this.routes = undefined
  }

  remove(name: string): boolean {
    const { length } = this.slots
    this.slots = this.slots.filter((slot) => slot.metric.name !== name)
    this.routes = undefined
    return this.slots.length < length
  }

  /** How many events may be folded before a waiting metric begins to count. */
  room(): number {
    while (this.waiting.length > 0) {
      const room = this.waiting[0]!.from - this.offset
      if (room > 0) return room
      this.waiting = this.waiting.slice(1)
      this.routes = undefined
    }
    return Infinity
  }

  /**
   * Folds `events[start]` up to `events[end - 1]`, or up to the one that failed
   * the recorder, which then never folds again. `offset` counts along, and is always that of whole events: an
   * event shows in no metric before it shows in all.
   */
  fold(events: ReadonlyArray<MetricEvent>, start: number, end: number): void {
    const batchTime = this.clock.currentTimeMillisUnsafe()
    const meta = new EventMeta(batchTime)
    for (let index = start; index < end; index++) {
      const event = events[index]!
      const slots = this.slotsOf(event)
      meta.event = event
      let taken = false
      for (let at = 0; at < slots.length; at++) {
        const slot = slots[at]!
        try {
          const next = slot.reduce(slot.state, event, meta)
          if (next._tag === "Some") {
            slot.next = next.value
            taken = true
          } else if (next._tag !== "None") {
            throw new TypeError("Expected the reducer to return an Option")
          }
        } catch (defect) {
          if (this.owner.reducerFailed(slot, event, defect)) continue
          return
        }
      }
      const offset = ++this.offset
      if (!taken) {
        this.ignored++
        continue
      }
      for (let at = 0; at < slots.length; at++) {
        const slot = slots[at]!
        if (slot.next === untaken) continue
        const state = slot.state = slot.next
        slot.next = untaken
        const sequence = ++this.sequence
        if (this.changes !== undefined) {
          this.changes.push(new Change(this.owner, slot.metric, event, state, sequence, offset, batchTime))
        }
      }
    }
  }

  private slotsOf(event: MetricEvent): ReadonlyArray<Slot> {
    const routes = this.routes ??= this.route()
    try {
      return routes.byTag.get(event._tag) ?? routes.others
    } catch {
      // A tag that was readable when the event was handed over, and is no more.
      return nowhere
    }
  }

  /** Only tags that some metric names are kept: others may be without number. */
  private route(): Routes {
    const active = choose(this.slots, (slot) => !this.waiting.includes(slot))
    const tags = new Set(active.flatMap((slot) => slot.metric.tags ?? []))
    return {
      byTag: new Map(Array.from(tags, (tag) => [
        tag,
        choose(active, ({ metric }) => metric.tags === undefined || metric.tags.includes(tag))
      ])),
      others: choose(active, ({ metric }) => metric.tags === undefined)
    }
  }
}

/** A filter that shares what it can: there are many recorders. */
const choose = (slots: ReadonlyArray<Slot>, accept: (slot: Slot) => boolean): ReadonlyArray<Slot> => {
  const chosen = slots.filter(accept)
  if (chosen.length === slots.length) return slots
  return chosen.length === 0 ? nowhere : chosen.slice()
}
