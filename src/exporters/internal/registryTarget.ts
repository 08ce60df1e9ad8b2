import { seriesName, type Target } from "./Collection.ts"

/** What the exporters that read the registry make of a name. */
export const sanitized = (name: string): string => {
  const text = name.replace(/[^a-zA-Z0-9_:]/g, "_").replace(/_+/g, "_").replace(/_$/, "")
  return /^[0-9:]/.test(text) ? `_${text}` : text
}

const suffixes = { histogram: ["_bucket", "_sum", "_count"], summary: ["_sum", "_count"] } as const

/**
 * Names as the metrics have them. What must not be the same is what Prometheus
 * would make of them.
 */
export const registryTarget: Target = {
  nameOf: seriesName,
  namesOf: (name, kind) => {
    const base = sanitized(name)
    const derived = kind === "histogram" || kind === "summary" ? suffixes[kind] : []
    return [...new Set([name, base, ...derived.map((suffix) => base + suffix)])]
  },
  labelOf: (label) => label,
  labelKey: sanitized,
  reserved: (kind) => [
    // Effect's exporters take the unit out of them.
    "unit",
    "time_unit",
    "__name__",
    ...kind === "histogram" ? ["le"] : kind === "summary" ? ["quantile"] : []
  ]
}
