/**
 * A value as JSON that no number is lost in: those that JSON does not know (big
 * integers, NaN, the infinities) are strings, maps and sets are what they hold.
 * Throws for what has no JSON: cycles, a `toJSON` that throws.
 */
export const jsonOf = (value: unknown): string => JSON.stringify(value, replaced)

const replaced = (_key: string, value: unknown): unknown => {
  switch (typeof value) {
    case "bigint":
      return String(value)
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "object":
      return replacedObject(value)
    default:
      return value
  }
}

const replacedObject = (value: object | null): unknown => {
  if (value instanceof Map) {
    const entries = Array.from(value)
    return entries.every(([key]) => typeof key === "string") ? Object.fromEntries(entries) : entries
  }
  if (value instanceof Set) return Array.from(value)
  // JSON would take it for a record of its places.
  if (ArrayBuffer.isView(value) && Symbol.iterator in value) return Array.from(value as Uint8Array)
  // JSON sees nothing in it.
  if (value instanceof Error && Object.keys(value).length === 0) return String(value)
  return value
}
