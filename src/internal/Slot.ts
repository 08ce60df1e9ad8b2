import type { MetricEvent } from "../Event.ts"
import type * as Metric from "../Metric.ts"
import { nobody, type Owner } from "./dimension/Kind.ts"
import type { Meta } from "./EventMeta.ts"

/** The place of one metric in one recorder: its state there, and since when it counts. */
export class Slot {
  declare readonly metric: Metric.Any
  declare readonly reduce: Metric.Any["reduce"]
  /** Whoever hands it out uses `share`. */
  declare state: unknown
  /** Who may change the state in place: this slot, until it shares it. */
  owner: Owner = nobody
  /** What the event in hand makes of the state, until all metrics have seen it. */
  next: unknown = untaken
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

  /** The state, which nobody changes any more. */
  share(): unknown {
    this.owner = nobody
    return this.state
  }

  /** Takes the event, if the reducer does, where no other metric may have to take it too. */
  take(event: MetricEvent, meta: Meta): boolean {
    const next = this.#reduced(event, meta)
    if (next === untaken) return false
    this.state = next
    return true
  }

  /** Takes the event, if the reducer does, once all metrics have seen it. */
  takeLater(event: MetricEvent, meta: Meta): boolean {
    return (this.next = this.#reduced(event, meta)) !== untaken
  }

  #reduced(event: MetricEvent, meta: Meta): unknown {
    const next = this.reduce(this.state, event, meta)
    if (next._tag === "Some") return next.value
    if (next._tag === "None") return untaken
    throw new TypeError("Expected the reducer to return an Option")
  }

  /** What the event makes of the state is in the registers of the metric, to be written in place. */
  defer(): void {
    this.next = inRegisters
  }

  /** Brings the state up to date with what the event in hand makes of it; `false` where the metric did not take it. */
  commit(): boolean {
    const { next } = this
    if (next === untaken) return false
    this.next = untaken
    if (next === inRegisters) this.metric.measures!.write(this)
    else this.state = next
    return true
  }
}

// Not exported: the engine looks an exported constant up for each event.
const untaken = Symbol("untaken")

const inRegisters = Symbol("inRegisters")

let lastEpoch = 0

/** A number that is greater than any before, and about the time in milliseconds: so that it is also in another process. */
export const nextEpoch = (now: number): number => lastEpoch = Math.max(lastEpoch + 1, now)
