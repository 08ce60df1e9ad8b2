import type { MetricEvent } from "../../Event.ts"
import type { Meta } from "../EventMeta.ts"
import type { Slot } from "../Slot.ts"
import { tally, type Uncounted } from "../StatsTotal.ts"
import type { FieldsState } from "./Fields.ts"
import { failedForGood, type Fold, type JointFold, takeOver } from "./Fold.ts"
import { generateJointFold } from "./generateFold.ts"
import { overOf, type Struct } from "./Node.ts"

/**
 * What a metric made of dimensions has beside its definition. It brings along
 * what a recorder does with such metrics only: who has none of them needs none of
 * that code.
 */
export class Measures {
  readonly root: Struct
  /** The reducer in two halves, which can also change a state in place. */
  readonly fold: Fold
  /** For the fold of a recorder; folds in the middle of it use others. */
  readonly registers: unknown

  constructor(root: Struct, fold: Fold) {
    this.root = root
    this.fold = fold
    this.registers = fold.registers()
  }

  /** The same dimensions for another metric, which may fold in another way. */
  with(fold: Fold = this.fold): Measures {
    return new Measures(this.root, fold)
  }

  /** The fold of all metrics of a list at once, this one among them, where there is one. */
  joint(all: ReadonlyArray<Measures | undefined>): JointFold<any> | undefined {
    return all.length === 1 ? this.#alone : generateJointFold(all.map((measures) => measures?.fold))
  }

  get #alone(): JointFold<any> {
    const { step } = this.fold
    return (places, event, meta, recorder) => {
      const place = places[0]
      try {
        takeOver(place)
        const next = step(place.state as FieldsState, event, meta, place)
        if (next === undefined) return 0
        place.state = next
        return 1
      } catch (defect) {
        return recorder.reducerFailed(place, event, defect) ? 0 : failedForGood
      }
    }
  }

  /** Reads what the event makes of the state, if it counts it, to be written in place. */
  read(slot: Slot, event: MetricEvent, meta: Meta): void {
    if (this.fold.read(event, meta, this.registers)) slot.defer()
  }

  /** Writes what was read. */
  write(slot: Slot): void {
    slot.state = this.fold.write(slot.state as FieldsState, takeOver(slot), this.registers)
  }

  /** What all that are there have left out, and those who were there before. */
  uncounted(slots: ReadonlyArray<Slot>, before: Uncounted): Uncounted {
    let all = before
    for (const slot of slots) {
      const { current: state, metric: { measures } } = slot
      if (measures === undefined || ((state as FieldsState).skipped === 0 && overOf(measures.root, state) === 0)) {
        continue
      }
      // Most have left nothing out, and need no copy.
      if (all === before) all = { skipped: new Map(before.skipped), overLimit: new Map(before.overLimit) }
      measures.countUncounted(slot, all)
    }
    return all
  }

  /** Adds what a state has left out. */
  countUncounted({ current: state, metric: { name } }: Slot, { overLimit, skipped }: Uncounted): void {
    const fields = state as FieldsState
    if (fields.skipped > 0) tally(skipped, name, fields.skipped)
    for (const [at, node] of this.root.fields.entries()) {
      const over = overOf(node, fields[`f${at}`])
      if (over > 0) tally(overLimit, `${name}.${this.root.names[at]}`, over)
    }
  }
}
