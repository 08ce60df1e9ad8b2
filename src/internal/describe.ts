const limit = 120

/** Says in a short text what an unknown value is; never throws, whatever it is given. */
export const describe = (value: unknown): string => {
  try {
    const text = describeUnsafe(value)
    return text.length > limit ? `${text.slice(0, limit)}…` : text
  } catch {
    return typeof value
  }
}

const describeUnsafe = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value)
    case "bigint":
      return `${value}n`
    case "function":
      return value.name === "" ? "a function" : `function ${value.name}`
    case "object": {
      if (value === null) return "null"
      if (Array.isArray(value)) return `an array of ${value.length}`
      if (value instanceof Error) return `${value.name}: ${value.message}`
      const tag = (value as { readonly _tag?: unknown })._tag
      if (typeof tag === "string") return `a value tagged ${JSON.stringify(tag)}`
      const keys = Object.keys(value)
      return keys.length === 0 ? "an object without fields" : `an object with the fields ${keys.join(", ")}`
    }
    default:
      return String(value)
  }
}
