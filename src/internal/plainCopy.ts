/**
 * Copies plain data and freezes the copy, all the way down, so that whoever
 * reads a snapshot can neither change the metric nor see it change.
 *
 * Own keys stay own keys (`__proto__` among them) and a null prototype stays
 * one. Instances of classes are taken as immutable values and kept as they are.
 */
export const plainCopy = <A>(value: A): A => copy(value) as A

const copy = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map(copy))
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    return copyRecord(value as Record<string, unknown>, prototype)
  }
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [copy(key), copy(item)]))
  if (value instanceof Set) return new Set(Array.from(value, copy))
  if (value instanceof Date) return new Date(value)
  if (ArrayBuffer.isView(value) && "slice" in value) return (value as Uint8Array).slice()
  return value
}

const copyRecord = (record: Record<string, unknown>, prototype: object | null): object => {
  const target: Record<string, unknown> = prototype === null ? Object.create(null) : {}
  for (const key of Object.keys(record)) {
    if (key === "__proto__") {
      Object.defineProperty(target, key, { value: copy(record[key]), enumerable: true })
    } else {
      target[key] = copy(record[key])
    }
  }
  return Object.freeze(target)
}
