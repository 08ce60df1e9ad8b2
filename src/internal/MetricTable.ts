import type * as Clock from "effect/Clock"
import type { MetricEvent } from "../Event.ts"
import type * as Metric from "../Metric.ts"
import type { MetricChange } from "../Recorder.ts"
import type { FieldsState } from "./dimension/Fields.ts"
import type { Fold } from "./dimension/Fold.ts"
import { failedForGood, type JointFold } from "./dimension/generateFold.ts"
import { newOwner, nobody, type Owner } from "./dimension/Kind.ts"
import { EventMeta } from "./EventMeta.ts"
import { type Routes, routesOf } from "./Routes.ts"

/** The place of one metric in one recorder: its state there, and since when it counts. */
export class Slot {
  readonly metric: Metric.Any
  readonly reduce: Metric.Any["reduce"]
  /** Whoever hands it out uses `share`. */
  state: unknown
  /** Who may change the state in place: this slot, until it shares it. */
  owner: Owner = nobody
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
    this.epoch = nextEpoch(startedAt)
  }

  /** Who may change the state in place: this slot. */
  own(): Owner {
    return this.owner === nobody ? this.owner = newOwner() : this.owner
  }

  /** The state, which nobody changes any more. */
  share(): unknown {
    this.owner = nobody
    return this.state
  }

  /** Takes the event in place, if it counts it, where no other metric may have to take it too. */
  step(fold: Fold, event: MetricEvent, meta: EventMeta): boolean {
    this.own()
    const next = fold.step(this.state as FieldsState, event, meta, this)
    if (next === undefined) return false
    this.state = next
    return true
  }

  /** Reads what the event makes of the state, if it counts it, to be written in place. */
  read({ fold, registers }: Metric.Measures, event: MetricEvent, meta: EventMeta): boolean {
    if (!fold.read(event, meta, registers)) return false
    this.next = inRegisters
    return true
  }

  /** Brings the state up to date with what the event in hand makes of it. */
  commit(): void {
    const { next } = this
    this.next = untaken
    if (next === inRegisters) {
      const { fold, registers } = this.metric.measures!
      this.state = fold.write(this.state as FieldsState, this.own(), registers)
    } else this.state = next
  }
}

const notAnOption = () => new TypeError("Expected the reducer to return an Option")

const untaken = Symbol("untaken")

/** What the event makes of the state is in the registers of the metric, to be written in place. */
const inRegisters = Symbol("inRegisters")

let lastEpoch = 0

/** A number that is greater than any before, and about the time in milliseconds: so that it is also in another process. */
export const nextEpoch = (now: number): number => lastEpoch = Math.max(lastEpoch + 1, now)

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
  /** Which of `routed` is offered the events of a tag, else the first; `undefined` after a change of metrics. */
  private byTag: Routes["byTag"] | undefined
  private routed: ReadonlyArray<ReadonlyArray<Slot>> = unrouted
  /** Events of one tag tend to come together. */
  private lastTag: string | undefined
  private lastSlots: ReadonlyArray<Slot> = nowhere
  private lastJoint: JointFold<Slot> | undefined
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
    else this.byTag = this.lastTag = undefined
  }

  remove(slot: Slot): void {
    this.slots = this.slots.filter((other) => other !== slot)
    this.waiting = this.waiting.filter((other) => other !== slot)
    this.byTag = this.lastTag = undefined
  }

  /** How many events may be folded before a waiting metric begins to count. */
  room(): number {
    while (this.waiting.length > 0) {
      const room = this.waiting[0]!.from - this.offset
      if (room > 0) return room
      this.waiting = this.waiting.slice(1)
      this.byTag = this.lastTag = undefined
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
    try {
      this.foldEach(events, start, end, isOutermost)
    } finally {
      isFolding = !isOutermost
    }
  }

  /**
   * In place, a state that nobody has seen is changed instead of copied, after all
   * code of the user's has run for the event: nobody sees it half counted.
   */
  private foldEach(events: ReadonlyArray<MetricEvent>, start: number, end: number, inPlace: boolean): void {
    const batchTime = this.clock.currentTimeMillisUnsafe()
    const meta = new EventMeta(batchTime)
    const failed = (slot: Slot, event: MetricEvent, defect: unknown) => this.owner.reducerFailed(slot, event, defect)
    for (let index = start; index < end; index++) {
      const event = events[index]!
      const slots = this.slotsOf(event)
      meta.event = event
      const joint = slots === this.lastSlots ? this.lastJoint : undefined
      if (inPlace && joint !== undefined) {
        const counted = joint(slots, event, meta, failed)
        if (counted === failedForGood) return
        const offset = ++this.offset
        if (counted === 0) this.ignored++
        else this.countChanges(slots, counted, event, offset, batchTime)
        continue
      }
      if (slots.length === 1) {
        const slot = slots[0]!
        let taken = false
        try {
          const { measures } = slot.metric
          if (inPlace && measures !== undefined) taken = slot.step(measures.fold, event, meta)
          else {
            const next = slot.reduce(slot.state, event, meta)
            if (next._tag === "Some") {
              slot.state = next.value
              taken = true
            } else if (next._tag !== "None") throw notAnOption()
          }
        } catch (defect) {
          if (!this.owner.reducerFailed(slot, event, defect)) return
        }
        const offset = ++this.offset
        if (taken) this.count(slot, event, offset, batchTime)
        else this.ignored++
        continue
      }
      let taken = false
      for (let at = 0; at < slots.length; at++) {
        const slot = slots[at]!
        try {
          const { measures } = slot.metric
          if (inPlace && measures !== undefined) {
            taken = slot.read(measures, event, meta) || taken
            continue
          }
          const next = slot.reduce(slot.state, event, meta)
          if (next._tag === "Some") {
            slot.next = next.value
            taken = true
          } else if (next._tag !== "None") throw notAnOption()
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
        slot.commit()
        this.count(slot, event, offset, batchTime)
      }
    }
  }

  private count(slot: Slot, event: MetricEvent, offset: number, batchTime: number): void {
    const sequence = ++this.sequence
    if (this.changes === undefined) return
    this.changes.push(new Change(this.owner, slot.metric, event, slot.share(), sequence, offset, batchTime))
  }

  /** `counted` are the places, as bits, of the slots that took the event. */
  private countChanges(
    slots: ReadonlyArray<Slot>,
    counted: number,
    event: MetricEvent,
    offset: number,
    batchTime: number
  ): void {
    if (this.changes === undefined) {
      for (; counted !== 0; counted &= counted - 1) this.sequence++
      return
    }
    for (let at = 0; at < slots.length; at++) {
      if ((counted & (1 << at)) === 0) continue
      this.count(slots[at]!, event, offset, batchTime)
    }
  }

  private slotsOf(event: MetricEvent): ReadonlyArray<Slot> {
    try {
      const { _tag } = event
      if (_tag === this.lastTag && this.byTag !== undefined) return this.lastSlots
      const byTag = this.byTag ?? this.route()
      const list = byTag.get(_tag) ?? 0
      this.lastJoint = this.routes!.joint(list)
      this.lastSlots = this.routed[list]!
      this.lastTag = _tag
      return this.lastSlots
    } catch {
      // A tag that was readable when the event was handed over, and is no more.
      return nowhere
    }
  }

  private route(): Routes["byTag"] {
    const { slots, waiting } = this
    const active = waiting.length === 0 ? slots : slots.filter((slot) => !waiting.includes(slot))
    const routes = this.routes = routesOf(active.map(({ metric }) => metric))
    this.routed = routes.lists.map((places) => {
      if (places.length === active.length) return active
      return places.length === 0 ? nowhere : places.map((place) => active[place]!)
    })
    return this.byTag = routes.byTag
  }
}
