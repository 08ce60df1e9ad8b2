import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Metric from "../Metric.ts"
import type { RecorderCapture } from "../Recorder.ts"
import { newOwner, nobody, type Owner } from "./dimension/Kind.ts"
import { atLeast, seriesIn, skeletonOf } from "./dimension/Node.ts"
import { defaultLimit, overflowLabels } from "./dimension/Series.ts"
import type { RecorderCore } from "./RecorderCore.ts"
import type { RegisteredRecorder } from "./RegisteredRecorder.ts"
import { nextEpoch, type Slot } from "./Slot.ts"

type Labels = Readonly<Record<string, string>>

/** Merges the second state into the first, which may be changed in place where it is the owner's. Throws what the metric throws. */
const mergeInto = (metric: Metric.Any, state: unknown, other: unknown, owner: Owner): unknown =>
  metric.measures === undefined
    ? metric.combine!.combine(state, other)
    : metric.measures.root.merge(state as never, other as never, owner)

/** The values of one metric of those who are gone. */
class Remains {
  readonly metric: Metric.Any
  readonly epoch: number
  readonly startedAt: number
  /** How many recorders have the metric, or are about to. */
  users = 0
  /** Whether a recorder that had it is gone, and what it had counted stays. */
  isKept = false
  private state: unknown
  private owner: Owner = nobody
  /** The sum with those who are there, as it was last shown. */
  private shown: unknown

  constructor(metric: Metric.Any, startedAt: number) {
    this.metric = metric
    this.state = metric.initial
    this.startedAt = startedAt
    this.epoch = nextEpoch(startedAt)
  }

  add(state: unknown): void {
    if (this.owner === nobody) this.owner = newOwner()
    this.state = mergeInto(this.metric, this.state, state, this.owner)
  }

  /**
   * What is shown of the sum: never less than before. Its series come first from
   * now on: else one that was there could be beyond the limit once a recorder is
   * gone.
   */
  show(sum: unknown): unknown {
    const root = this.metric.measures?.root
    if (root === undefined) return sum
    this.shown = this.shown === undefined ? sum : atLeast(root, sum, this.shown)
    if (seriesIn(root, sum) > seriesIn(root, this.state)) this.add(skeletonOf(root, sum))
    return this.shown
  }

  /** The state, which nobody changes any more. */
  share(): unknown {
    this.owner = nobody
    return this.state
  }
}

/**
 * The series that the recorders of a runtime with the same labels add up to:
 * the values of those who are there, and of those who are gone.
 */
export class Rollup {
  readonly labels: Labels
  /** How many recorders are a part of it. */
  members = 0
  private readonly remains = new Map<string, Remains>()
  private readonly clock: Clock.Clock
  /** How many events those who are gone had accepted. */
  private offset = 0

  constructor(labels: Labels, clock: Clock.Clock) {
    this.labels = labels
    this.clock = clock
  }

  /** Why the metric cannot take part, if it cannot. */
  refusalOf(metric: Metric.Any): Metric.InvalidMetricError | undefined {
    const { name } = metric
    if (!Metric.canMerge(metric)) {
      const expected = "a way to merge (`combine`, or dimensions), because its recorder has `export: \"rollup\"`"
      return new Metric.InvalidMetricError({ metric: name, given: "none", expected })
    }
    const known = this.remains.get(name)
    if (known === undefined || known.metric === metric) return undefined
    const expected = "the definition that other recorders with the same labels roll up"
    return new Metric.InvalidMetricError({ metric: name, given: "another one", expected })
  }

  /** A metric of a recorder takes part. */
  register(metric: Metric.Any): void {
    let remains = this.remains.get(metric.name)
    if (remains === undefined) {
      remains = new Remains(metric, this.clock.currentTimeMillisUnsafe())
      this.remains.set(metric.name, remains)
    }
    remains.users++
  }

  /** Keeps for good what a metric has counted where it is no more. Throws what the metric throws. */
  retire(slot: Slot): void {
    const remains = this.remains.get(slot.metric.name)!
    remains.users--
    remains.isKept = true
    remains.add(slot.share())
  }

  retireOffset(offset: number): void {
    this.offset += offset
  }

  /** A recorder is not going to be there: its metrics take part no more, unless others have them. */
  withdraw(metrics: ReadonlyArray<Metric.Any>): void {
    for (const { name } of metrics) {
      const remains = this.remains.get(name)!
      remains.users--
      if (remains.users === 0 && !remains.isKept) this.remains.delete(name)
    }
  }

  get isEmpty(): boolean {
    return this.remains.size === 0
  }

  /** A sum that begins with those who are gone, as of now. */
  begin(): RollupSum {
    return new RollupSum(Array.from(this.remains.values()), this.offset)
  }
}

const mergeFailed = (core: RecorderCore, metric: Metric.Any, defect: unknown): void =>
  core.countDefect("The states of a metric could not be merged", metric.name, undefined, Cause.die(defect))

/** A recorder as a part of a rollup. */
export class RollupMember {
  readonly rollup: Rollup
  private readonly core: RecorderCore
  /** What it counted is in the rollup already, or never will be. */
  private hasLeft = false

  constructor(rollup: Rollup, core: RecorderCore) {
    this.rollup = rollup
    this.core = core
  }

  /** The recorder, or a metric of it, is gone: what it counted stays. */
  retire(slot: Slot): void {
    if (this.hasLeft) return
    try {
      this.rollup.retire(slot)
    } catch (defect) {
      mergeFailed(this.core, slot.metric, defect)
    }
  }

  /** The recorder is no more. `wasThere` is whether what it has counted stays. */
  leave(wasThere: boolean): void {
    const { offset, slots } = this.core.table
    if (wasThere) {
      for (const slot of slots) this.retire(slot)
      this.rollup.retireOffset(offset)
    } else {
      this.rollup.withdraw(slots.map(({ metric }) => metric))
    }
    this.hasLeft = true
  }
}

/** The sum over a rollup, while it is being made. */
class RollupSum {
  private readonly owner = newOwner()
  private readonly remains: ReadonlyArray<Remains>
  private readonly states: Array<unknown>
  private readonly places: ReadonlyMap<Metric.Any, number>
  private offset: number

  constructor(remains: ReadonlyArray<Remains>, offset: number) {
    this.offset = offset
    this.remains = remains
    this.states = remains.map((remains) => remains.share())
    this.places = new Map(remains.map(({ metric }, place) => [metric, place]))
  }

  add(core: RecorderCore, slots: ReadonlyArray<Slot>): void {
    this.offset += core.table.offset
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at]!
      const { metric } = slot
      const place = this.places.get(metric)!
      try {
        this.states[place] = mergeInto(metric, this.states[place], slot.share(), this.owner)
      } catch (defect) {
        mergeFailed(core, metric, defect)
      }
    }
  }

  finish(): Pick<RecorderCapture, "offset" | "metrics"> {
    return {
      offset: this.offset,
      metrics: this.remains.map((remains, place) => {
        const { epoch, metric, startedAt } = remains
        return { metric, state: remains.show(this.states[place]), epoch, startedAt }
      })
    }
  }
}

/**
 * A read of rollups, in which each recorder counts once, although the read may
 * take some time and recorders go meanwhile: what counts is who was there, and who
 * was gone, when it began.
 */
export class RollupRead {
  private readonly sums: ReadonlyMap<Rollup, RollupSum>
  private readonly slots: ReadonlyArray<ReadonlyArray<Slot>>

  constructor(rollups: ReadonlyArray<Rollup>, recorders: ReadonlyArray<RegisteredRecorder>) {
    this.sums = new Map(rollups.map((rollup) => [rollup, rollup.begin()]))
    this.slots = rollups.length === 0 ? [] : recorders.map(({ base }) => base.core.table.slots)
  }

  /** Adds one of the recorders, the one at this place. */
  add(core: RecorderCore, place: number): void {
    this.sums.get(core.rollup!.rollup)!.add(core, this.slots[place]!)
  }

  /** What the rollups amount to; those without a metric are left out. */
  captures(namespace: string, takenAt: number): ReadonlyArray<RecorderCapture> {
    return Array.from(this.sums, ([{ labels }, sum]): RecorderCapture => ({
      namespace,
      export: "rollup",
      recorderId: "",
      entityId: "",
      labels,
      takenAt,
      ...sum.finish()
    })).filter(({ metrics }) => metrics.length > 0)
  }
}

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => a < b ? -1 : 1))

/** The rollups of a runtime, by their labels: as many as a dimension has series, and one for all beyond. */
export class Rollups {
  private readonly byLabels = new Map<string, Rollup>()
  private overflow: Rollup | undefined
  private readonly clock: Clock.Clock
  private readonly onOverflow: () => void

  /** `onOverflow` is called the first time that there are too many. */
  constructor(clock: Clock.Clock, onOverflow: () => void) {
    this.clock = clock
    this.onOverflow = onOverflow
  }

  /** A recorder with these labels becomes a part of their rollup. */
  join(labels: Labels, core: RecorderCore): void {
    const rollup = this.of(labels)
    rollup.members++
    core.rollup = new RollupMember(rollup, core)
  }

  /**
   * A recorder is gone. `wasThere` is whether what it has counted stays. Of a
   * rollup without others, and without values, nothing is left.
   */
  leave(member: RollupMember, wasThere: boolean): void {
    const { rollup } = member
    member.leave(wasThere)
    rollup.members--
    if (rollup.members > 0 || !rollup.isEmpty) return
    if (rollup === this.overflow) this.overflow = undefined
    else this.byLabels.delete(keyOf(rollup.labels))
  }

  private of(labels: Labels): Rollup {
    const key = keyOf(labels)
    let rollup = this.byLabels.get(key)
    if (rollup !== undefined) return rollup
    if (this.byLabels.size >= defaultLimit) {
      if (this.overflow === undefined) this.onOverflow()
      return this.overflow ??= new Rollup(overflowLabels, this.clock)
    }
    this.byLabels.set(key, rollup = new Rollup(labels, this.clock))
    return rollup
  }

  get all(): ReadonlyArray<Rollup> {
    return Array.from(this.byLabels.values()).concat(this.overflow ?? [])
  }
}
