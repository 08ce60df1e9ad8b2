import { nobody, type Owner } from "./Kind.ts"

const bits = 4
const width = 1 << bits

/** The place of an index among the slots of its node. */
export const mask = width - 1

/** A node's slots hold values, or nodes of the level below. Absent ones are holes that nobody has filled. */
interface Node {
  readonly owner: Owner
  readonly slots: Array<unknown>
}

const emptyNode: Node = { owner: nobody, slots: [] }

/**
 * A persistent sparse array with indexes below 2^28: a tree of nodes with 16 slots. A change copies the
 * nodes from the root to the slot, unless they are the owner's own: O(log n) for
 * one change, no copy for the changes after it.
 */
export class Vector<A> {
  readonly owner: Owner
  private root: Node
  /** How many bits the indexes have that fit. */
  private depth: number

  private constructor(owner: Owner, root: Node, depth: number) {
    this.owner = owner
    this.root = root
    this.depth = depth
  }

  static readonly empty: Vector<never> = new Vector<never>(nobody, emptyNode, bits)

  get(index: number): A | undefined {
    if (index >>> this.depth !== 0) return undefined
    let node: Node | undefined = this.root
    for (let shift = this.depth - bits; shift > 0; shift -= bits) {
      node = node.slots[(index >>> shift) & mask] as Node | undefined
      if (node === undefined) return undefined
    }
    return node.slots[index & mask] as A | undefined
  }

  /** This vector where the owner may change it, else a copy of his. */
  ownedBy(owner: Owner): Vector<A> {
    return owner !== nobody && this.owner === owner ? this : new Vector<A>(owner, this.root, this.depth)
  }

  /** Sets the value; returns this vector where the owner may change it in place, else another. */
  set(index: number, value: A, owner: Owner): Vector<A> {
    const vector = this.ownedBy(owner)
    vector.slotsOf(index, owner)[index & mask] = value
    return vector
  }

  /**
   * The slots that hold the value of the index, at its place there (`mask`), in a
   * vector of the owner's: to be changed by him.
   */
  slotsOf(index: number, owner: Owner): Array<unknown> {
    const { root } = this
    // Most vectors are one node, and most changes are not the first of their owner.
    return index < root.slots.length && this.depth === bits && owner !== nobody && root.owner === owner
      ? root.slots
      : this.slotsAlong(index, owner)
  }

  private slotsAlong(index: number, owner: Owner): Array<unknown> {
    while (index >>> this.depth !== 0) {
      if (this.root.slots.length > 0) this.root = { owner, slots: [this.root] }
      this.depth += bits
    }
    let node = this.root = owned(this.root, owner)
    for (let shift = this.depth - bits; shift > 0; shift -= bits) {
      const at = (index >>> shift) & mask
      const below = (node.slots[at] as Node | undefined) ?? emptyNode
      const mine = owned(below, owner)
      if (mine !== below) place(node.slots, at, mine)
      node = mine
    }
    if (node.slots.length <= (index & mask)) place(node.slots, index & mask, undefined)
    return node.slots
  }

  /** Calls back for every value that is there, in the order of the indexes. */
  forEach(f: (value: A, index: number) => void): void {
    visit(this.root, this.depth - bits, 0, f as (value: unknown, index: number) => void)
  }
}

const owned = (node: Node, owner: Owner): Node =>
  owner !== nobody && node.owner === owner ? node : { owner, slots: node.slots.slice() }

/** Sets a slot, without leaving holes that would make the array a slow one. */
const place = (slots: Array<unknown>, at: number, value: unknown): void => {
  while (slots.length < at) slots.push(undefined)
  slots[at] = value
}

const visit = (node: Node, shift: number, start: number, f: (value: unknown, index: number) => void): void => {
  for (let at = 0; at < node.slots.length; at++) {
    const slot = node.slots[at]
    if (slot === undefined) continue
    const index = start + (at << shift)
    if (shift === 0) f(slot, index)
    else visit(slot as Node, shift - bits, index, f)
  }
}
