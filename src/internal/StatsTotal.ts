import type { RecorderStats } from "../Recorder.ts"

/** How many keys are told apart before the rest is counted under `"*"`: tags and names may be without number. */
const maxKeys = 256

export type Counts = ReadonlyMap<string, number>

/** Counts under a key, in a map that does not grow without bound. */
export const tally = (counts: Map<string, number>, key: string, by: number = 1): void => {
  const at = counts.has(key) || counts.size < maxKeys ? key : "*"
  counts.set(at, (counts.get(at) ?? 0) + by)
}

/** What metrics of dimensions have left out. */
export interface Uncounted {
  /** Values that could not be measured, by metric. */
  readonly skipped: Map<string, number>
  /** Events beyond the limit of a label, by metric and dimension. */
  readonly overLimit: Map<string, number>
}

/** What one recorder did, or several. */
export interface Totals {
  readonly accepted: number
  readonly folded: number
  readonly ignored: number
  readonly dropped: number
  readonly invalidEvent: number
  readonly invalidState: number
  readonly overflow: number
  readonly discarded: number
  readonly pending: number
  readonly highWater: number
  readonly changesSkipped: number
  readonly droppedByTag: Counts
  readonly defects: Counts
  /** By metric. */
  readonly skipped: Counts
  /** By metric and dimension. */
  readonly overLimit: Counts
}

export const toStats = ({ invalidEvent, invalidState, overflow, ...totals }: Totals): RecorderStats => ({
  ...totals,
  droppedByTag: Object.fromEntries(totals.droppedByTag),
  refused: { invalidEvent, invalidState, overflow },
  defects: Object.fromEntries(totals.defects),
  skipped: Object.fromEntries(totals.skipped),
  overLimit: Object.fromEntries(totals.overLimit)
})

/** The sum of what recorders did. `highWater` is of one recorder: the greatest, not the sum. */
export class StatsTotal implements Totals {
  accepted = 0
  folded = 0
  ignored = 0
  dropped = 0
  invalidEvent = 0
  invalidState = 0
  overflow = 0
  discarded = 0
  pending = 0
  highWater = 0
  changesSkipped = 0
  readonly droppedByTag = new Map<string, number>()
  readonly defects = new Map<string, number>()
  readonly skipped = new Map<string, number>()
  readonly overLimit = new Map<string, number>()

  add(other: Totals): this {
    this.accepted += other.accepted
    this.folded += other.folded
    this.ignored += other.ignored
    this.dropped += other.dropped
    this.invalidEvent += other.invalidEvent
    this.invalidState += other.invalidState
    this.overflow += other.overflow
    this.discarded += other.discarded
    this.pending += other.pending
    this.highWater = Math.max(this.highWater, other.highWater)
    this.changesSkipped += other.changesSkipped
    for (const [tag, count] of other.droppedByTag) tally(this.droppedByTag, tag, count)
    for (const [metric, count] of other.defects) tally(this.defects, metric, count)
    for (const [metric, count] of other.skipped) tally(this.skipped, metric, count)
    for (const [dimension, count] of other.overLimit) tally(this.overLimit, dimension, count)
    return this
  }
}
