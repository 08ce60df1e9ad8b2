import type { MetricEvent } from "../Event.ts"
import type * as Metric from "../Metric.ts"
import { nobody, type Owner } from "./dimension/Kind.ts"
import type { Meta } from "./EventMeta.ts"

// Not exported: the engine looks an exported constant up for each event.
const untaken = Symbol("untaken")

/**
 * A state during a batch, each event of which makes a new one. The draft is as
 * young as they are: to write a young object into an old one, such as the slot, would
 * take a quarter of the time of a fold, because the garbage collector keeps record of it.
 */
class Draft {
  state: unknown
  /** What the event in hand makes of the state, until all metrics have seen it. */
  next: unknown = untaken

  constructor(state: unknown) {
    this.state = state
  }
}

/** The place of one metric in one recorder: its state there, and since when it counts. */
export class Slot {
  declare readonly metric: Metric.Any
  declare readonly reduce: Metric.Any["reduce"]
  /** As it was before the batch, while there is a draft of it. */
  state: unknown
  /** Who may change the state in place: this slot, until it shares it. */
  owner: Owner = nobody
  /** What the event in hand makes of the state is in the registers of the metric, to be written in place. */
  #isRead = false
  #draft: Draft | undefined
  declare readonly epoch: number
  declare readonly startedAt: number
  /** The metric counts the events behind this offset. */
  declare readonly from: number

  constructor(metric: Metric.Any, from: number, startedAt: number) {
    this.metric = metric
    this.reduce = metric.reduce
    this.state = metric.initial
    this.from = from
    this.startedAt = startedAt
    this.epoch = nextEpoch(startedAt)
  }

  /** The state as it is now. Whoever hands it out uses `share`. */
  get current(): unknown {
    return this.#draft === undefined ? this.state : this.#draft.state
  }

  /** The state, which nobody changes any more. */
  share(): unknown {
    this.owner = nobody
    return this.current
  }

  /** Takes the event, if the reducer does, where no other metric may have to take it too. */
  take(event: MetricEvent, meta: Meta, drafted: Array<Slot>): boolean {
    const draft = this.#draft ?? this.#begin(drafted)
    const next = this.#reduced(draft.state, event, meta)
    if (next === untaken) return false
    draft.state = next
    return true
  }

  /** Has the reducer take the event, if it does, once all metrics have seen it. */
  takeLater(event: MetricEvent, meta: Meta, drafted: Array<Slot>): void {
    const draft = this.#draft ?? this.#begin(drafted)
    draft.next = this.#reduced(draft.state, event, meta)
  }

  #reduced(state: unknown, event: MetricEvent, meta: Meta): unknown {
    const next = this.reduce(state, event, meta)
    if (next._tag === "Some") return next.value
    if (next._tag === "None") return untaken
    throw new TypeError("Expected the reducer to return an Option")
  }

  /** What the event makes of the state has been read into the registers of the metric, to be written in place. */
  defer(): void {
    this.#isRead = true
  }

  /** Brings the state up to date with what the event in hand makes of it; `false` where the metric did not take it. */
  commit(): boolean {
    if (this.#isRead) {
      this.#isRead = false
      this.metric.measures!.write(this)
      return true
    }
    const draft = this.#draft
    if (draft === undefined || draft.next === untaken) return false
    draft.state = draft.next
    draft.next = untaken
    return true
  }

  #begin(drafted: Array<Slot>): Draft {
    drafted.push(this)
    return this.#draft = new Draft(this.state)
  }

  /** The batch is over: the draft is the state. */
  settle(): void {
    this.state = this.#draft!.state
    this.#draft = undefined
  }
}

let lastEpoch = 0

/** A number that is greater than any before, and about the time in milliseconds: so that it is also in another process. */
export const nextEpoch = (now: number): number => lastEpoch = Math.max(lastEpoch + 1, now)
