/**
 * What is known below some labels. Most often that is one label, for which a map
 * would take ten times the memory.
 */
class Level {
  private label: string | undefined
  private below: Level | number | undefined
  private more: Map<string, Level | number> | undefined

  get(label: string): Level | number | undefined {
    const { more } = this
    return more !== undefined ? more.get(label) : label === this.label ? this.below : undefined
  }

  /** Adds a label that is not known. */
  add(label: string, below: Level | number): void {
    if (this.more !== undefined) this.more.set(label, below)
    else if (this.label === undefined) {
      this.label = label
      this.below = below
    } else {
      this.more = new Map([[this.label, this.below!], [label, below]])
      this.label = this.below = undefined
    }
  }

  forEach(f: (below: Level | number, label: string) => void): void {
    if (this.more !== undefined) this.more.forEach(f)
    else if (this.label !== undefined) f(this.below!, this.label)
  }

  entries(): Iterator<readonly [label: string, below: Level | number]> {
    const single = this.label === undefined ? [] : [[this.label, this.below!] as const]
    return this.more === undefined ? single.values() : this.more.entries()
  }
}

/** Never written: it is that of no other index. */
const none: Array<number | undefined> = []

/**
 * The place of each combination of labels: nested maps, one level per label.
 *
 * It only grows, and states of different age share it: the state with `size`
 * series knows the places below `size`, and those above are later ones. Only the
 * newest state may add to it; any other takes a copy first.
 */
export class LabelIndex {
  /** How many labels there are. */
  readonly width: number
  #size = 0
  readonly #root = new Level()
  /** An index that often has the same labels, and where its places are in this one, as far as that was asked for. */
  #beside: LabelIndex | undefined
  #places: Array<number | undefined> = none

  constructor(width: number) {
    this.width = width
  }

  /** How many combinations are known, also to newer states. */
  get size(): number {
    return this.#size
  }

  /** The place of one label, or `undefined`. */
  find1(label: string): number | undefined {
    return this.#root.get(label) as number | undefined
  }

  find2(first: string, second: string): number | undefined {
    return (this.#root.get(first) as Level | undefined)?.get(second) as number | undefined
  }

  find(labels: ReadonlyArray<string>): number | undefined {
    let found: Level | number | undefined = this.#root
    for (let at = 0; at < this.width && found !== undefined; at++) found = (found as Level).get(labels[at]!)
    return found as number | undefined
  }

  /** Where the places of another index are in this one, as far as they are learnt: of the last one that was asked for. */
  placesBeside(other: LabelIndex): ReadonlyArray<number | undefined> {
    return this.#beside === other ? this.#places : this.forgetPlaces(other)
  }

  /** Notes that what has a place in the other index has this one here: neither changes. */
  learn(other: number, place: number): void {
    // Without holes, an array stays one.
    while (this.#places.length < other) this.#places.push(undefined)
    this.#places[other] = place
  }

  private forgetPlaces(other: LabelIndex): ReadonlyArray<number | undefined> {
    this.#beside = other
    return this.#places = []
  }

  /** Adds a combination that is not known, and returns its place. */
  add(labels: ReadonlyArray<string>): number {
    const last = this.width - 1
    let level = this.#root
    for (let at = 0; at < last; at++) {
      const label = labels[at]!
      let next = level.get(label) as Level | undefined
      if (next === undefined) level.add(label, next = new Level())
      level = next
    }
    level.add(labels[last]!, this.#size)
    return this.#size++
  }

  /** An index of its own for the state that knows the places below `size`. */
  fork(size: number): LabelIndex {
    const known: Array<ReadonlyArray<string>> = []
    this.forEach(size, (labels, place) => known[place] = labels)
    const index = new LabelIndex(this.width)
    for (const labels of known) index.add(labels)
    return index
  }

  /** Calls back for every combination with a place below `size`, those with the same first labels one after the other. */
  forEach(size: number, f: (labels: ReadonlyArray<string>, place: number) => void): void {
    if (size > 0) visit(this.#root, [], this.width - 1, size, f)
  }

  /** A walk over the combinations with a place below `size`, in as many steps as one likes. */
  walk(size: number): LabelWalk {
    return new LabelWalk(this.#root, this.width, size)
  }
}

/** What the index learns in the middle of a walk has a place that is not below its size. */
export class LabelWalk {
  private readonly width: number
  private readonly size: number
  private readonly iterators: Array<Iterator<readonly [string, Level | number]>>
  private readonly labels: Array<string> = []

  constructor(root: Level, width: number, size: number) {
    this.width = width
    this.size = size
    this.iterators = size > 0 ? [root.entries()] : []
  }

  /** Calls back for the next combinations, with an array that is the walk's own, and says whether there may be more. */
  some(count: number, f: (labels: ReadonlyArray<string>, place: number) => void): boolean {
    const { iterators, labels, size, width } = this
    let left = count
    while (left > 0 && iterators.length > 0) {
      const depth = iterators.length
      const next = iterators[depth - 1]!.next()
      if (next.done) {
        iterators.pop()
        continue
      }
      const [label, below] = next.value
      labels[depth - 1] = label
      if (depth < width) iterators.push((below as Level).entries())
      else if ((below as number) < size) {
        f(labels, below as number)
        left--
      }
    }
    return iterators.length > 0
  }
}

const visit = (
  level: Level,
  outer: ReadonlyArray<string>,
  levelsBelow: number,
  size: number,
  f: (labels: ReadonlyArray<string>, place: number) => void
): void => {
  level.forEach((below, label) => {
    if (levelsBelow > 0) visit(below as Level, outer.concat(label), levelsBelow - 1, size, f)
    else if ((below as number) < size) f(outer.concat(label), below as number)
  })
}
