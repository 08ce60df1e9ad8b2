/** Among so many labels, one is found sooner by a look at each of them than by its hash. */
const few = 8

/**
 * What is known below some labels. Most often that is one label, for which a map
 * would take ten times the memory.
 */
class Level {
  /** The last place below, in the order of a walk. */
  last: number
  private label: string | undefined
  private below: Level | number | undefined
  /** The other labels, each followed by what is below it, as long as they are few. */
  private others: Array<string | Level | number> = alone
  private all: Map<string, Level | number> | undefined

  constructor(last: number) {
    this.last = last
  }

  get(label: string): Level | number | undefined {
    if (label === this.label) return this.below
    const { all, others } = this
    if (all !== undefined) return all.get(label)
    for (let at = 0; at < others.length; at += 2) {
      if (others[at] === label) return others[at + 1] as Level | number
    }
    return undefined
  }

  /** Adds a place, by the labels from `at` on, which are not known. Returns the place before it in the order of a walk. */
  add(labels: ReadonlyArray<string>, at: number, place: number): number {
    const { last } = this
    const label = labels[at]!
    let before = last
    if (at === labels.length - 1) this.set(label, place)
    else {
      let below = this.get(label) as Level | undefined
      if (below === undefined) this.set(label, below = new Level(last))
      before = below.add(labels, at + 1, place)
    }
    if (before === last) this.last = place
    return before
  }

  private set(label: string, below: Level | number): void {
    if (this.all !== undefined) this.all.set(label, below)
    else if (this.label === undefined) {
      this.label = label
      this.below = below
    } else if (this.others.length < 2 * (few - 1)) this.others = this.others.concat(label, below)
    else {
      this.all = new Map()
      for (let at = 0; at < this.others.length; at += 2) {
        this.all.set(this.others[at] as string, this.others[at + 1] as Level | number)
      }
      this.all.set(label, below)
      this.others = alone
    }
  }
}

/** Never written: it is that of no level. */
const alone: Array<string | Level | number> = []

/** The labels of a series, by name. Those who read it share it: it is frozen. */
export type Labels = Readonly<Record<string, string>>

type LabelsClass = new(values: ReadonlyArray<string>) => Labels

/** The class of plain records with these names: one that is no class' has room for names that never come. */
const labelsClass = (names: ReadonlyArray<string>): LabelsClass => {
  const Labels = function(this: Record<string, string>, values: ReadonlyArray<string>) {
    for (let at = 0; at < names.length; at++) this[names[at]!] = values[at]!
    Object.freeze(this)
  }
  Labels.prototype = Object.prototype
  return Labels as unknown as LabelsClass
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
  /** What the labels are called. */
  readonly names: ReadonlyArray<string>
  readonly #root = new Level(-1)
  readonly #Labels: LabelsClass
  /** By place. */
  readonly #labels: Array<Labels> = []
  /** By place, from -1 on: the place that comes next in a walk. The last one has -1. */
  readonly #next = [-1]
  /** An index that often has the same labels, and where its places are in this one, as far as that was asked for. */
  #beside: LabelIndex | undefined
  #places: Array<number | undefined> = none
  #strangers = 0

  constructor(names: ReadonlyArray<string>, Labels = labelsClass(names)) {
    this.names = names
    this.#Labels = Labels
  }

  /** How many combinations are known, also to newer states. */
  get size(): number {
    return this.#labels.length
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
    for (let at = 0; at < this.names.length && found !== undefined; at++) found = (found as Level).get(labels[at]!)
    return found as number | undefined
  }

  /** Where the places of another index are in this one, as far as that is known. */
  placesBeside(other: LabelIndex): ReadonlyArray<number | undefined> {
    return this.#beside === other ? this.#places : this.#meet(other)
  }

  /** Notes that what has a place in the other index has this one here: neither changes. */
  learn(other: LabelIndex, at: number, place: number): void {
    if (this.#beside !== other) return
    // Without holes, an array stays one.
    while (this.#places.length < at) this.#places.push(undefined)
    this.#places[at] = place
  }

  /**
   * Two that take turns would each have it forget what it knows of the other: it
   * takes another one only when it has met others as often as there are places to
   * learn again. The empty index is that of all recorders, and keeps nobody.
   */
  #meet(other: LabelIndex): ReadonlyArray<number | undefined> {
    if (this.size === 0 || this.#strangers++ < this.#places.length) return none
    this.#strangers = 0
    this.#beside = other
    return this.#places = []
  }

  /** Adds a combination that is not known, and returns its place. */
  add(labels: ReadonlyArray<string>): number {
    return this.#add(labels, new this.#Labels(labels))
  }

  #add(values: ReadonlyArray<string>, labels: Labels): number {
    const place = this.size
    const before = this.#root.add(values, 0, place)
    this.#labels.push(labels)
    this.#next.push(this.#next[before + 1]!)
    this.#next[before + 1] = place
    return place
  }

  /** An index of its own for the state that knows the places below `size`. */
  fork(size: number): LabelIndex {
    const index = new LabelIndex(this.names, this.#Labels)
    for (let place = 0; place < size; place++) index.#add(this.valuesAt(place), this.labelsAt(place))
    return index
  }

  /** The labels of a place, the same record each time. */
  labelsAt(place: number): Labels {
    return this.#labels[place]!
  }

  /** The labels of a place, in the order of their names. */
  valuesAt(place: number): ReadonlyArray<string> {
    const labels = this.#labels[place]!
    return this.names.map((name) => labels[name]!)
  }

  /**
   * The next place of a walk over those below `size`, which begins and ends with -1.
   * Places with the same first labels come one after the other; what the index
   * learns in the middle of a walk is none of it.
   */
  after(place: number, size: number): number {
    do place = this.#next[place + 1]!
    while (place >= size)
    return place
  }
}
