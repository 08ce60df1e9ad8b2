import * as Equal from "effect/Equal"
import * as Option from "effect/Option"

/**
 * Keeps values from being changed: freezes them all the way down, and remembers
 * what is in those parts that the language cannot freeze.
 *
 * Values with an equality of their own, such as Effect's collections and dates,
 * are left alone: they are immutable, and some of them remember in themselves
 * what they have computed.
 */
export class Guard {
  private readonly seen = new Set<object>()
  private readonly open = new Map<object, Contents>()

  constructor(...values: ReadonlyArray<unknown>) {
    for (const value of values) this.add(value)
  }

  /** Puts back what has been changed all the same, and returns it as it was found; `undefined` where nothing was. */
  restore(): object | undefined {
    let changed: object | undefined
    for (const [value, { items, putBack }] of this.open) {
      const found = contentsOf(value)!
      if (found.items.length === items.length && found.items.every((item, at) => Object.is(item, items[at]))) continue
      changed ??= found.copy
      putBack()
    }
    return changed
  }

  private add(value: unknown): void {
    if (typeof value !== "object" || value === null || this.seen.has(value)) return
    this.seen.add(value)
    if (Option.isOption(value)) this.add(Option.getOrUndefined(value))
    if (Equal.isEqual(value)) return
    const contents = contentsOf(value)
    if (contents === undefined) {
      Object.freeze(value)
      for (const key of Reflect.ownKeys(value)) {
        const property = Object.getOwnPropertyDescriptor(value, key)!
        // A getter may compute anything.
        if ("value" in property) this.add(property.value)
      }
    } else {
      this.open.set(value, contents)
      for (const item of contents.items) this.add(item)
    }
  }
}

/** What is in a value that cannot be frozen. */
interface Contents {
  readonly items: ReadonlyArray<unknown>
  readonly copy: object
  readonly putBack: () => void
}

/** `undefined` for a value that can be frozen. */
const contentsOf = (value: object): Contents | undefined => {
  if (value instanceof Map) {
    const copy = new Map(value)
    return {
      items: Array.from(copy).flat(),
      copy,
      putBack: () => {
        value.clear()
        for (const [key, item] of copy) value.set(key, item)
      }
    }
  }
  if (value instanceof Set) {
    const copy = new Set(value)
    return {
      items: Array.from(copy),
      copy,
      putBack: () => {
        value.clear()
        for (const item of copy) value.add(item)
      }
    }
  }
  if (value instanceof Date) {
    const copy = new Date(value)
    return { items: [copy.getTime()], copy, putBack: () => void value.setTime(copy.getTime()) }
  }
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    const copy = bytes.slice()
    return { items: Array.from(copy), copy: structuredClone(value), putBack: () => bytes.set(copy) }
  }
  return undefined
}
