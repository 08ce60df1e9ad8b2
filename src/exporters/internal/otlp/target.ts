import { type Point, seriesName, type Target } from "../Series.ts"

/** Names as OpenTelemetry takes them for instruments, and labels as they are. */
export const otlpTarget: Target = {
  nameOf: (series) => seriesName(series).replaceAll(/[^A-Za-z0-9_.\-/]/g, "_"),
  labelOf: (label) => label,
  namesOf: (name) => [name],
  // OpenTelemetry has no attribute without a name.
  reserved: () => [""],
  refusalOf: (point) =>
    typeof point.value === "object"
      ? refusalOfDistribution(point.value)
      : point.family.kind === "counter" && !Number.isFinite(Number(point.value))
      ? { reason: "value", expected: "a counter that is finite", found: String(point.value) }
      : undefined
}

/** Counts are integers in the protocol. */
const refusalOfDistribution = (
  value: Exclude<Point["value"], number | bigint>
): ReturnType<NonNullable<Target["refusalOf"]>> => {
  const counts = "quantiles" in value
    ? []
    : "scale" in value
    ? [value.zeroCount, ...value.positive.counts, ...value.negative.counts]
    : value.counts
  const wrong = [value.count, ...counts].find((count) => !(Number.isSafeInteger(count) && count >= 0))
  if (wrong !== undefined) return { reason: "value", expected: "counts that are whole numbers", found: String(wrong) }
  return Number.isFinite(value.sum)
    ? undefined
    : { reason: "value", expected: "a sum that is finite", found: String(value.sum) }
}
