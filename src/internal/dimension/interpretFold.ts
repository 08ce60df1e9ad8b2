import type { Meta } from "../EventMeta.ts"
import { fieldsClass, type FieldsState } from "./Fields.ts"
import type { Fold } from "./Fold.ts"
import { nobody, type Owner } from "./Kind.ts"
import { isInput, type Labelled, labelOf, type Leaf, type Node, type Struct } from "./Node.ts"
import type { SeriesState } from "./Series.ts"

/** One value for each leaf and each dimension with labels, in the order of the tree; `undefined` where it does not count. */
interface Registers {
  values: ReadonlyArray<unknown>
  skipped: number
  time: number
}

/** The input of a leaf that takes the event itself. */
const one = 1

/** The fold where code generation is forbidden: a walk over the tree of dimensions. */
export const interpretFold = (root: Struct): Fold<Registers> => {
  const isTimed = someLeaf(root, (leaf) => leaf.isTimed)
  const registers = (): Registers => ({ values: [], skipped: 0, time: 0 })
  const readRoot: Fold<Registers>["read"] = (event, meta, registers) => {
    const reader: Reader = { event, values: [], skipped: 0 }
    const counts = read(root, reader, true)
    const time = isTimed ? meta.time : 0
    registers.values = reader.values
    registers.skipped = reader.skipped
    registers.time = time
    return counts || reader.skipped > 0
  }
  const writeRoot: Fold<Registers>["write"] = (state, owner, { skipped, time, values }) => {
    const written = writeStruct(root, state, { values, at: 0, time, owner })
    return skipped === 0 ? written : withSkipped(root, written, skipped, owner)
  }
  return {
    step: (state, event, meta, by) => {
      const own = registers()
      return readRoot(event, meta, own) ? writeRoot(state, by.owner, own) : undefined
    },
    registers,
    read: readRoot,
    write: writeRoot
  }
}

/** The pure step of one dimension alone. */
export const stepOf = (node: Node) => (state: unknown, event: unknown, meta: Meta): unknown => {
  const values: Array<unknown> = []
  return read(node, { event, values, skipped: 0 }, true)
    ? write(node, state, { values, at: 0, time: meta.time, owner: nobody })
    : state
}

/** Whether any leaf of the tree is such. */
const someLeaf = (node: Node, predicate: (leaf: Leaf) => boolean): boolean => {
  switch (node._tag) {
    case "Leaf":
      return predicate(node)
    case "Labelled":
      return someLeaf(node.inner, predicate)
    case "Struct":
      return node.fields.some((field) => someLeaf(field, predicate))
  }
}

interface Reader {
  readonly event: unknown
  readonly values: Array<unknown>
  skipped: number
}

/** Whether the node counts the event, `outer` being whether what it stands in does. */
const read = (node: Node, reader: Reader, outer: boolean): boolean => {
  const { event, values } = reader
  const counts = outer && (node.when === undefined || Boolean(node.when(event)))
  switch (node._tag) {
    case "Leaf":
      return readLeaf(node, reader, counts)
    case "Struct":
      return node.fields.map((field) => read(field, reader, counts)).includes(true)
    case "Labelled": {
      const place = values.push(undefined) - 1
      const innerCounts = read(node.inner, reader, counts)
      if (innerCounts) values[place] = node.selects.map((select) => labelOf(select(event)))
      return innerCounts
    }
  }
}

const readLeaf = ({ input, select }: Leaf, reader: Reader, counts: boolean): boolean => {
  const value = !counts ? undefined : input === "event" ? one : select(reader.event)
  const isThere = value !== undefined && (value !== null || input !== "text")
  const isTaken = isThere && isInput(input, value)
  if (isThere && !isTaken) reader.skipped++
  reader.values.push(!isTaken ? undefined : input === "text" ? labelOf(value) : value)
  return isTaken
}

interface Writer {
  readonly values: ReadonlyArray<unknown>
  at: number
  readonly time: number
  readonly owner: Owner
}

const write = (node: Node, state: unknown, writer: Writer): unknown => {
  switch (node._tag) {
    case "Leaf": {
      const input = writer.values[writer.at++]
      return input === undefined ? state : node.add(state, input, writer.time, writer.owner)
    }
    case "Struct":
      return writeStruct(node, state as FieldsState, writer)
    case "Labelled":
      return writeSeries(node, state as SeriesState, writer)
  }
}

const writeStruct = (node: Struct, state: FieldsState, writer: Writer): FieldsState => {
  const states = node.fields.map((field, at) => write(field, state[`f${at}`], writer))
  const { owner } = writer
  if (owner === nobody || state.owner !== owner) {
    if (states.every((written, at) => Object.is(written, state[`f${at}`]))) return state
    return new (fieldsClass(node.fields.length))(owner, state.skipped, ...states)
  }
  states.forEach((written, at) => state[`f${at}`] = written)
  return state
}

const writeSeries = (node: Labelled, state: SeriesState, writer: Writer): SeriesState => {
  const { owner, values } = writer
  const labels = values[writer.at++] as ReadonlyArray<string> | undefined
  if (labels === undefined) {
    writer.at += widthOf(node.inner)
    return state
  }
  const written = state.ownedBy(owner)
  const place = written.place(labels, node.limit)
  if (place < 0) {
    written.over++
    if (node.onLimit === "drop") writer.at += widthOf(node.inner)
    else written.other = write(node.inner, written.other ?? node.inner.initial, writer)
    return written
  }
  const before = written.values.get(place) ?? node.inner.initial
  written.values = written.values.set(place, write(node.inner, before, writer), owner)
  return written
}

/** How many registers a node has. */
const widthOf = (node: Node): number => {
  switch (node._tag) {
    case "Leaf":
      return 1
    case "Labelled":
      return 1 + widthOf(node.inner)
    case "Struct":
      return node.fields.reduce((sum, field) => sum + widthOf(field), 0)
  }
}

const withSkipped = (root: Struct, state: FieldsState, skipped: number, owner: Owner): FieldsState => {
  if (owner !== nobody && state.owner === owner) {
    state.skipped += skipped
    return state
  }
  const states = root.fields.map((_, at) => state[`f${at}`])
  return new (fieldsClass(root.fields.length))(owner, state.skipped + skipped, ...states)
}
