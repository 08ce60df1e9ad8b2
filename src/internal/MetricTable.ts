import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type { MetricEvent } from "../Event.ts"
import type * as Metric from "../Metric.ts"
import type { MetricChange } from "../Recorder.ts"
import { failedForGood, type JointFold } from "./dimension/Fold.ts"
import { EventMeta } from "./EventMeta.ts"
import { type Routes, routesOf } from "./Routes.ts"
import { Slot } from "./Slot.ts"

/** A fold is in progress in this thread: one inside of it must leave the registers alone. */
let isFolding = false

const nowhere: ReadonlyArray<Slot> = []
const unrouted: ReadonlyArray<ReadonlyArray<Slot>> = []

/** Who a table works for. */
export interface TableOwner {
  readonly recorderId: string
  readonly entityId: string
  /** A reducer threw. Returns whether the fold goes on without that metric. */
  reducerFailed(slot: Slot, event: MetricEvent, defect: unknown): boolean
  /** The view of a state, or the cause of its throwing. */
  view(metric: Metric.Any, state: unknown, time: number): Metric.MetricSnapshot | Cause.Cause<never>
}

class Change implements MetricChange {
  declare readonly recorderId: string
  declare readonly entityId: string
  declare readonly metric: string
  declare readonly event: MetricEvent
  declare readonly state: unknown
  declare readonly sequence: number
  declare readonly offset: number
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

  get _tag(): "Change" {
    return "Change"
  }

  get snapshot(): Metric.MetricSnapshot | undefined {
    const { time } = new EventMeta(this.#batchTime, this.event)
    const view = this.#owner.view(this.#definition, this.state, time)
    return Cause.isCause(view) ? undefined : view
  }
}

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
  #waiting: ReadonlyArray<Slot> = nowhere
  /** Which of `routed` is offered the events of a tag, else the first; `undefined` after a change of metrics. */
  #byTag: Routes["byTag"] | undefined
  #routed: ReadonlyArray<ReadonlyArray<Slot>> = unrouted
  /** Events of one tag tend to come together. */
  #lastTag: string | undefined
  #lastSlots: ReadonlyArray<Slot> = nowhere
  #lastJoint: JointFold<Slot> | undefined
  #routes: Routes | undefined
  readonly #owner: TableOwner
  readonly #clock: Clock.Clock

  constructor(owner: TableOwner, clock: Clock.Clock) {
    this.#owner = owner
    this.#clock = clock
  }

  find(name: string): Slot | undefined {
    return this.slots.find((slot) => slot.metric.name === name)
  }

  /** Adds a metric that counts the events accepted from now on, `accepted` being how many there were so far. */
  add(metric: Metric.Any, accepted: number): void {
    const slot = new Slot(metric, accepted, this.#clock.currentTimeMillisUnsafe())
    // Unlike a spread, `concat` leaves no room to grow: there are many recorders.
    this.slots = this.slots.concat(slot)
    if (accepted > this.offset) this.#waiting = this.#waiting.concat(slot)
    else this.#byTag = this.#lastTag = undefined
  }

  remove(slot: Slot): void {
    this.slots = this.slots.filter((other) => other !== slot)
    this.#waiting = this.#waiting.filter((other) => other !== slot)
    this.#byTag = this.#lastTag = undefined
  }

  /** How many events may be folded before a waiting metric begins to count. */
  room(): number {
    while (this.#waiting.length > 0) {
      const room = this.#waiting[0]!.from - this.offset
      if (room > 0) return room
      this.#waiting = this.#waiting.slice(1)
      this.#byTag = this.#lastTag = undefined
    }
    return Infinity
  }

  /**
   * Folds `events[start]` up to `events[end - 1]`, or up to the one that failed
   * the recorder, which then never folds again. `offset` counts along, and is
   * always that of whole events: an event shows in no metric before it shows in all.
   */
  fold(events: ReadonlyArray<MetricEvent>, start: number, end: number): void {
    const isOutermost = !isFolding
    isFolding = true
    const drafted: Array<Slot> = []
    try {
      this.#foldEach(events, start, end, isOutermost, drafted)
    } finally {
      isFolding = !isOutermost
      for (const slot of drafted) slot.settle()
    }
  }

  /**
   * In place, a state that nobody has seen is changed instead of copied, after all
   * code of the user's has run for the event: nobody sees it half counted.
   */
  #foldEach(
    events: ReadonlyArray<MetricEvent>,
    start: number,
    end: number,
    inPlace: boolean,
    drafted: Array<Slot>
  ): void {
    const batchTime = this.#clock.currentTimeMillisUnsafe()
    const meta = new EventMeta(batchTime)
    const owner = this.#owner
    for (let index = start; index < end; index++) {
      const event = events[index]!
      const slots = this.#slotsOf(event)
      meta.event = event
      const joint = slots === this.#lastSlots ? this.#lastJoint : undefined
      if (inPlace && joint !== undefined) {
        let counted = joint(slots, event, meta, owner)
        if (counted === failedForGood) return
        this.offset++
        if (counted === 0) this.ignored++
        else if (this.changes === undefined) {
          for (; counted !== 0; counted &= counted - 1) this.sequence++
        } else {
          for (let at = 0; at < slots.length; at++) {
            if ((counted & (1 << at)) !== 0) this.#changed(slots[at]!, event, batchTime)
          }
        }
        continue
      }
      if (slots.length === 1) {
        const slot = slots[0]!
        let taken = false
        try {
          taken = slot.take(event, meta, drafted)
        } catch (defect) {
          if (!owner.reducerFailed(slot, event, defect)) return
        }
        this.offset++
        if (taken) this.#changed(slot, event, batchTime)
        else this.ignored++
        continue
      }
      for (let at = 0; at < slots.length; at++) {
        const slot = slots[at]!
        try {
          const { measures } = slot.metric
          if (inPlace && measures !== undefined) measures.read(slot, event, meta)
          else slot.takeLater(event, meta, drafted)
        } catch (defect) {
          if (!owner.reducerFailed(slot, event, defect)) return
        }
      }
      this.offset++
      let taken = false
      for (let at = 0; at < slots.length; at++) {
        const slot = slots[at]!
        if (!slot.commit()) continue
        taken = true
        this.#changed(slot, event, batchTime)
      }
      if (!taken) this.ignored++
    }
  }

  #changed(slot: Slot, event: MetricEvent, time: number): void {
    const sequence = ++this.sequence
    if (this.changes === undefined) return
    this.changes.push(new Change(this.#owner, slot.metric, event, slot.share(), sequence, this.offset, time))
  }

  #slotsOf(event: MetricEvent): ReadonlyArray<Slot> {
    try {
      const { _tag } = event
      if (_tag === this.#lastTag && this.#byTag !== undefined) return this.#lastSlots
      const byTag = this.#byTag ?? this.#route()
      const list = byTag.get(_tag) ?? 0
      this.#lastJoint = this.#routes!.joint(list)
      this.#lastSlots = this.#routed[list]!
      this.#lastTag = _tag
      return this.#lastSlots
    } catch {
      // A tag that was readable when the event was handed over, and is no more.
      return nowhere
    }
  }

  #route(): Routes["byTag"] {
    const { slots } = this
    const waiting = this.#waiting
    const active = waiting.length === 0 ? slots : slots.filter((slot) => !waiting.includes(slot))
    const routes = this.#routes = routesOf(active.map(({ metric }) => metric))
    this.#routed = routes.lists.map((places) => {
      if (places.length === active.length) return active
      return places.length === 0 ? nowhere : places.map((place) => active[place]!)
    })
    return this.#byTag = routes.byTag
  }
}
