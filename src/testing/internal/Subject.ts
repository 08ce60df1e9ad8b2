import * as Formatter from "effect/Formatter"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { MetricEvent } from "../../Event.ts"
import { describe } from "../../internal/describe.ts"
import type { FieldsState } from "../../internal/dimension/Fields.ts"
import { EventMeta } from "../../internal/EventMeta.ts"
import { plainCopy } from "../../internal/plainCopy.ts"
import * as Metric from "../../Metric.ts"
import { isAlike, isSame } from "./Likeness.ts"
import type { Part } from "./Part.ts"

/** A metric that is being checked: how it folds, and when its states are equal, whatever it is made of. */
export class Subject {
  readonly metric: Metric.Any
  readonly isOrdered: boolean
  readonly codec: Schema.Codec<unknown, unknown> | undefined
  /** How many events the metric has taken: of one that takes none the laws say nothing. */
  taken = 0

  constructor(metric: Metric.Any, isOrdered: boolean) {
    this.metric = metric
    this.isOrdered = isOrdered || metric.measures?.root.merging === "ordered"
    this.codec = metric.state === undefined ? undefined : Metric.codec(metric)
  }

  /** A copy: a metric that changes its initial state must not do so to that of the next fold. */
  get initial(): unknown {
    return plainCopy(this.metric.initial)
  }

  reduce(state: unknown, event: MetricEvent, time: number): Option.Option<unknown> {
    return this.metric.reduce(state, event, new EventMeta(time, event))
  }

  /** The states that the fold of the parts goes through, from the initial one, one event after the other. */
  statesOf(...parts: ReadonlyArray<Part>): ReadonlyArray<unknown> {
    const states = [this.initial]
    for (const { events, time } of parts) {
      for (const event of events) {
        states.push(Option.getOrElse(this.reduce(states.at(-1), event, time), () => states.at(-1)))
      }
    }
    return states
  }

  fold(...parts: ReadonlyArray<Part>): unknown {
    return this.statesOf(...parts).at(-1)
  }

  merge(a: unknown, b: unknown): unknown {
    return Metric.merge(this.metric, a, b)
  }

  /** Whether nobody can tell the states apart, who reads or merges them. */
  isSame(a: unknown, b: unknown): boolean {
    const { measures } = this.metric
    if (measures === undefined) return isSame(a, b)
    return this.agree(a, b, [])
      && isSame(measures.root.view(a as FieldsState, 0), measures.root.view(b as FieldsState, 0))
  }

  /** Whether they are equal as far as the metric promises, `along` being the states on the way to them. */
  agree(a: unknown, b: unknown, along: ReadonlyArray<unknown>): boolean {
    const { measures } = this.metric
    return measures === undefined
      ? isAlike(a, b, along)
      : measures.root.agree(a as FieldsState, b as FieldsState, along as ReadonlyArray<FieldsState>)
  }

  /** Two different states as text: of dimensions only those that differ. */
  show(a: unknown, b: unknown): readonly [string, string] {
    const { measures } = this.metric
    try {
      if (measures === undefined) return [Formatter.format(a), Formatter.format(b)]
      const stored = [a, b].map((state) => Schema.encodeSync(measures.root.codec)(state as FieldsState))
      const names = measures.root.names.filter((name) =>
        !isSame(...stored.map(({ dimensions }) => dimensions[name]) as [unknown, unknown])
      )
      const [first, second] = stored.map(({ dimensions, skipped }) =>
        Formatter.format({ ...Object.fromEntries(names.map((name) => [name, dimensions[name]])), skipped })
      )
      return [first!, second!]
    } catch {
      // A merge may have made what is no state.
      return [describe(a), describe(b)]
    }
  }
}
