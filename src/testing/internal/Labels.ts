import * as Formatter from "effect/Formatter"
import * as Schema from "effect/Schema"
import type { FieldsState } from "../../internal/dimension/Fields.ts"
import { nobody } from "../../internal/dimension/Kind.ts"
import type { Labelled, Node } from "../../internal/dimension/Node.ts"
import { SeriesState } from "../../internal/dimension/Series.ts"
import type { Part } from "./Part.ts"
import type { Fault } from "./Rule.ts"
import type { Subject } from "./Subject.ts"

/** Whether any dimension has labels. */
export const hasLabels = (node: Node): boolean =>
  node._tag === "Labelled" || (node._tag === "Struct" && node.fields.some(hasLabels))

/** Whether events beyond a limit were dropped: then no merge can bring them back. */
export const hasDropped = (node: Node, state: any): boolean => {
  switch (node._tag) {
    case "Leaf":
      return false
    case "Struct":
      return node.fields.some((field, at) => hasDropped(field, (state as FieldsState)[`f${at}`]))
    case "Labelled": {
      const isBeyond = node.onLimit === "drop" && (state as SeriesState).over > 0
      return isBeyond || valuesOf(state).some((inner) => hasDropped(node.inner, inner))
    }
  }
}

/** Where the state of a dimension is in the state of the metric, if it is there. */
type Lens = (state: unknown) => unknown

/** An event, and what the metric makes of it alone. */
interface Single {
  readonly part: Part
  readonly state: unknown
}

/** Events, and the states that the metric goes through with them. */
class Run {
  readonly singles: ReadonlyArray<Single>
  readonly states: ReadonlyArray<unknown>

  constructor(subject: Subject, singles: ReadonlyArray<Single>) {
    this.singles = singles
    this.states = subject.statesOf(...singles.map(({ part }) => part))
  }

  static of(subject: Subject, parts: ReadonlyArray<Part>): Run {
    const events = parts.flatMap(({ events, time }) => events.map((event) => ({ time, events: [event] })))
    return new Run(subject, events.map((part) => ({ part, state: subject.fold(part) })))
  }

  seriesAlong(lens: Lens): ReadonlyArray<SeriesState> {
    return this.states.map(lens).filter((state) => state instanceof SeriesState)
  }
}

/** What is wrong with the series of any dimension. */
export const labelFault = (subject: Subject, parts: ReadonlyArray<Part>): Fault | undefined =>
  nodeFault(subject, subject.metric.measures!.root, (state) => state, Run.of(subject, parts), "")

const nodeFault = (subject: Subject, node: Node, lens: Lens, run: Run, name: string): Fault | undefined => {
  switch (node._tag) {
    case "Leaf":
      return undefined
    case "Struct":
      return firstFault(node.fields, (field, at) =>
        nodeFault(
          subject,
          field,
          (state) => (lens(state) as FieldsState | undefined)?.[`f${at}`],
          run,
          name === "" ? node.names[at]! : `${name}.${node.names[at]}`
        ))
    case "Labelled": {
      const groups = groupsOf(run, lens).map(({ labels, singles }) => ({ labels, run: new Run(subject, singles) }))
      return seriesFault(node, lens, run, groups, name)
        ?? firstFault(groups, ({ labels, run }) =>
          labels && nodeFault(
            subject,
            node.inner,
            (state) => (lens(state) as SeriesState | undefined)?.get(labels),
            run,
            name
          ))
    }
  }
}

const firstFault = <A>(all: ReadonlyArray<A>, f: (one: A, at: number) => Fault | undefined): Fault | undefined => {
  for (const [at, one] of all.entries()) {
    const fault = f(one, at)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** `undefined` for the reserved label, which has no series of its own. */
type Labels = ReadonlyArray<string> | undefined

/** The events with the same labels, as each of them alone shows them. */
const groupsOf = (
  run: Run,
  lens: Lens
): ReadonlyArray<{ readonly labels: Labels; readonly singles: Array<Single> }> => {
  const groups = new Map<string, { readonly labels: Labels; readonly singles: Array<Single> }>()
  for (const single of run.singles) {
    const state = lens(single.state) as SeriesState | undefined
    if (state === undefined || state.size + state.over === 0) continue
    let labels: Labels
    state.forEach((found) => labels = found)
    const key = JSON.stringify(labels ?? null)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { labels, singles: [single] })
    else group.singles.push(single)
  }
  return Array.from(groups.values())
}

/** The series must be those that each group makes alone, as long as there is room. */
const seriesFault = (
  node: Labelled,
  lens: Lens,
  run: Run,
  groups: ReadonlyArray<{ readonly labels: Labels; readonly run: Run }>,
  name: string
): Fault | undefined => {
  const { inner, limit } = node
  const textOf = (state: unknown): string => Formatter.format(Schema.encodeSync(inner.codec)(state))
  const states = run.seriesAlong(lens)
  const state = states.at(-1)
  if (state === undefined) return undefined
  const alone = groups.map(({ run }) => run.seriesAlong(lens))
  let over = 0
  let size = 0
  for (const [at, { labels, run }] of groups.entries()) {
    if (labels !== undefined) size++
    const kept = labels && state.get(labels)
    if (kept === undefined) {
      over += run.singles.length
      continue
    }
    const expected = alone[at]!.at(-1)!.get(labels!)
    if (!inner.agree(expected, kept, [])) {
      return {
        expected: `${name} to have ${textOf(expected)} for ${labels!.join(", ")}`,
        found: textOf(kept)
      }
    }
  }
  size = Math.min(size, limit)
  if (state.size !== size) return { expected: `${name} to have ${size} series`, found: String(state.size) }
  if (state.over !== over) {
    return { expected: `${name} to count ${over} events beyond its limit`, found: String(state.over) }
  }
  // Of values with one time the last one counts in a fold, and the greatest one in a merge.
  if (inner.merging === "ordered" || hasDropped(node, state)) return undefined
  const along: Array<any> = [...states, ...alone.flat()].flatMap(valuesOf)
  const [expected, found] = [alone.flatMap((states) => valuesOf(states.at(-1)!)), valuesOf(state)].map((values) =>
    values.reduce((sum, value) => {
      const next = inner.merge(sum, value, nobody)
      along.push(next)
      return next
    }, inner.initial)
  )
  return inner.agree(expected, found, along) ? undefined : {
    expected: `all series of ${name} together to be ${textOf(expected)}`,
    found: textOf(found)
  }
}

/** What is in the series, that of the overflow included. */
const valuesOf = (state: SeriesState): Array<unknown> => {
  const values: Array<unknown> = []
  state.forEach((_, value) => values.push(value))
  if (state.other !== undefined) values.push(state.other)
  return values
}
