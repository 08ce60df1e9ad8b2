import type { InstrumentKind } from "../../../Metric.ts"
import { seriesName, type Target } from "../Series.ts"

/** What Effect's exporter for Prometheus makes of the name of a series. */
export const prometheusName = (name: string): string => {
  const text = name.replace(/[^a-zA-Z0-9_:]/g, "_")
  return (/^[0-9:]/.test(text) ? `_${text}` : text).replace(/_+/g, "_").replace(/_$/, "")
}

/** What it makes of the name of a label. */
const prometheusLabel = (label: string): string => {
  const text = label.replace(/[^a-zA-Z0-9_]/g, "_")
  return (/^[0-9]/.test(text) ? `_${text}` : text).replace(/_+/g, "_")
}

/** The names that a series takes there. */
export const prometheusNames = (name: string, kind: InstrumentKind): ReadonlyArray<string> => {
  const base = prometheusName(name)
  const suffixes = kind === "histogram" ? ["_bucket", "_sum", "_count"] : kind === "summary" ? ["_sum", "_count"] : []
  return [base, ...suffixes.map((suffix) => base + suffix)]
}

/** What tells a series from the others of its name there, where an empty label is none. */
export const prometheusKey = (name: string, labels: Readonly<Record<string, string>>): string => {
  const shown = Object.entries(labels).filter(([, value]) => value !== "")
  return JSON.stringify([
    name,
    shown.map(([label, value]) => [prometheusLabel(label), value]).toSorted()
  ])
}

/**
 * Names as the metrics have them. What must not be the same is what Prometheus
 * would make of them.
 */
export const registryTarget: Target = {
  nameOf: seriesName,
  namesOf: (name, kind) => [...new Set([name, ...prometheusNames(name, kind)])],
  labelOf: (label) => label,
  labelKey: prometheusLabel,
  reserved: (kind) => [
    // Effect's exporters take the unit out of them.
    "unit",
    "time_unit",
    prometheusLabel("__name__"),
    // No label of Prometheus.
    "",
    ...kind === "histogram" ? ["le"] : kind === "summary" ? ["quantile"] : []
  ]
}
