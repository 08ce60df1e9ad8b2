import { Console, Effect, Stream } from "effect"
import { Metric, Recorder, Runtime } from "mvx-metrics"
import { SaveAttempts, SaveFailures } from "./DocumentStorageMetrics.ts"

/** Prints how far the storing is, until it is interrupted: at the first change, and then twice a second at most. */
export const progress = Recorder.Recorder.use((recorder) =>
  recorder.changes.pipe(
    Stream.throttle({ cost: () => 1, units: 1, duration: "500 millis", strategy: "enforce" }),
    Stream.runForEachArray(() =>
      Effect.flatMap(recorder.snapshot(SaveAttempts), ({ dimensions }) =>
        Console.error(`  ${dimensions.success_total} stored, ${dimensions.failure_total} failed`))
    )
  )
)

/** Prints what became of the documents, in one line. */
export const summary = Recorder.Recorder.use(Effect.fnUntraced(function*(recorder) {
  const attempts = (yield* recorder.snapshot(SaveAttempts)).dimensions
  const failures = Object.entries((yield* recorder.snapshot(SaveFailures)).dimensions.by_reason)
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`)
  yield* Console.error(
    `Stored ${attempts.success_total} of ${attempts.total} documents` +
      (failures.length === 0 ? "" : ` (${failures.join(", ")})`)
  )
}))

/** Prints the snapshots of all metrics, or a table of the numbers that an exporter would publish. */
export const print = Effect.fnUntraced(function*(format: "table" | "json") {
  yield* Console.log(format === "json" ? yield* json : yield* table)
})

const json = Recorder.Recorder.use((recorder) =>
  Effect.map(recorder.snapshots, (snapshots) => JSON.stringify(snapshots, null, 2))
)

const table = Runtime.MetricsRuntime.use((runtime) =>
  Effect.map(runtime.captures, (captures) => {
    const rows = captures.flatMap(({ metrics, takenAt }) =>
      metrics.flatMap(({ metric, state }) =>
        Metric.samples(metric, state, { time: takenAt }).flatMap(numbersOf).map(([dimension, value], i) => [
          i === 0 ? metric.name : "",
          dimension,
          value.toLocaleString("en-US", { maximumFractionDigits: 3 })
        ])
      )
    )
    return alignedRows([["METRIC", "DIMENSION", "VALUE"], ...rows])
  })
)

/** The numbers of a sample, with names as in Prometheus. */
const numbersOf = (sample: Metric.Sample): ReadonlyArray<readonly [name: string, value: number | bigint]> => {
  const { dimension, kind, labels, value } = sample
  switch (kind) {
    case "histogram":
      return [[nameOf(`${dimension}_count`, labels), value.count], [nameOf(`${dimension}_sum`, labels), value.sum]]
    case "summary":
      return Object.entries(value.quantiles).flatMap(([quantile, estimate]) =>
        estimate === undefined ? [] : [[nameOf(dimension, { ...labels, quantile }), estimate]]
      )
    default:
      return [[nameOf(dimension, labels), value]]
  }
}

const nameOf = (dimension: string, labels: Metric.Sample["labels"]): string => {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  return pairs.length === 0 ? dimension : `${dimension}{${pairs.join(",")}}`
}

const alignedRows = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const [metric, dimension, value] = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)))
  return rows
    .map((row) => `${row[0].padEnd(metric)}  ${row[1].padEnd(dimension)}  ${row[2].padStart(value)}`)
    .join("\n")
}
