import * as Formatter from "effect/Formatter"
import * as Schema from "effect/Schema"
import type { FieldsState } from "../internal/dimension/Fields.ts"
import { nobody } from "../internal/dimension/Kind.ts"
import type { Labelled, Node } from "../internal/dimension/Node.ts"
import { SeriesState } from "../internal/dimension/Series.ts"
import type { Fault } from "./Rule.ts"
import type { Part, Subject } from "./Subject.ts"

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

/** What is wrong with the series of a dimension, and of those in it, each part being a single event. */
export const labelFault = (
  subject: Subject,
  node: Node,
  lens: Lens,
  events: ReadonlyArray<Part>,
  name: string
): Fault | undefined => {
  switch (node._tag) {
    case "Leaf":
      return undefined
    case "Struct":
      return firstFault(node.fields, (field, at) =>
        labelFault(
          subject,
          field,
          (state) => (lens(state) as FieldsState | undefined)?.[`f${at}`],
          events,
          [name, node.names[at]].filter(Boolean).join(".")
        ))
    case "Labelled": {
      const statesOf = (events: ReadonlyArray<Part>) =>
        subject.statesOf(...events).map(lens).filter((state) => state instanceof SeriesState)
      const groups = groupsOf(events, (event) => statesOf([event]).at(-1))
      const alone = groups.map((group) => ({ ...group, states: statesOf(group.events) }))
      return seriesFault(node, statesOf(events), alone, name)
        ?? firstFault(groups, ({ events, labels }) =>
          labels && labelFault(
            subject,
            node.inner,
            (state) => (lens(state) as SeriesState | undefined)?.get(labels),
            events,
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

/** The events with the same labels. */
interface Group {
  /** `undefined` for the reserved label, which has no series of its own. */
  readonly labels: ReadonlyArray<string> | undefined
  readonly events: Array<Part>
}

/** `fold` makes a state of a single event, and so tells its labels. */
const groupsOf = (
  events: ReadonlyArray<Part>,
  fold: (event: Part) => SeriesState | undefined
): ReadonlyArray<Group> => {
  const groups = new Map<string, Group>()
  for (const event of events) {
    const state = fold(event)
    if (state === undefined || state.size + state.over === 0) continue
    let labels: ReadonlyArray<string> | undefined
    state.forEach((found) => labels = found)
    const key = JSON.stringify(labels ?? null)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { labels, events: [event] })
    else group.events.push(event)
  }
  return Array.from(groups.values())
}

/**
 * The states that the fold of all events goes through, and the fold of each group
 * alone: the series must be those of the groups, as long as there is room.
 */
const seriesFault = (
  node: Labelled,
  states: ReadonlyArray<SeriesState>,
  alone: ReadonlyArray<Group & { readonly states: ReadonlyArray<SeriesState> }>,
  name: string
): Fault | undefined => {
  const { inner, limit } = node
  const state = states.at(-1)
  if (state === undefined) return undefined
  const textOf = (state: unknown): string => Formatter.format(Schema.encodeSync(inner.codec)(state))
  let over = 0
  let size = 0
  for (const { events, labels, states } of alone) {
    if (labels !== undefined) size++
    const kept = labels && state.get(labels)
    if (kept === undefined) {
      over += events.length
      continue
    }
    const expected = states.at(-1)!.get(labels!)
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
  const along: Array<any> = [...states, ...alone.flatMap(({ states }) => states)].flatMap(valuesOf)
  const [expected, found] = [alone.flatMap(({ states }) => valuesOf(states.at(-1)!)), valuesOf(state)].map((values) =>
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
