import * as Equal from "effect/Equal"
import * as Option from "effect/Option"

type Contents = ReadonlyArray<unknown> | Uint8Array

/**
 * Keeps values from being changed: freezes them all the way down, and remembers
 * how those parts look that the language cannot freeze.
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

  /** What has been changed all the same, if anything has. */
  get changed(): object | undefined {
    for (const [value, before] of this.open) {
      const after = contentsOf(value)!
      if (after.length !== before.length || !after.every((item, at) => Object.is(item, before[at]))) return value
    }
    return undefined
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
      if (!(contents instanceof Uint8Array)) for (const item of contents) this.add(item)
    }
  }
}

/** A copy of what is in a value that cannot be frozen, `undefined` for one that can. */
const contentsOf = (value: object): Contents | undefined => {
  if (value instanceof Map) return Array.from(value).flat()
  if (value instanceof Set) return Array.from(value)
  if (value instanceof Date) return [value.getTime()]
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice()
  }
  return value instanceof ArrayBuffer ? new Uint8Array(value).slice() : undefined
}
