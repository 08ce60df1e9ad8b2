import { Console, Effect, Stream } from "effect"
import { type Metric, Recorder } from "mvx-metrics"
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
  const failures = Object.entries((yield* recorder.snapshot(SaveFailures)).dimensions)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${count} ${reason.replace("_total", "").replaceAll("_", " ")}`)
  yield* Console.error(
    `Stored ${attempts.success_total} of ${attempts.total} documents` +
      (failures.length === 0 ? "" : ` (${failures.join(", ")})`)
  )
}))

/** Prints the snapshots of all metrics. */
export const print = (format: "table" | "json") =>
  Recorder.Recorder.use((recorder) =>
    Effect.flatMap(
      recorder.snapshots,
      (snapshots) =>
        Console.log(format === "json" ? JSON.stringify(snapshots, null, 2) : table(Object.values(snapshots)))
    )
  )

const table = (snapshots: ReadonlyArray<Metric.MetricSnapshot>): string => {
  const rows = [
    ["METRIC", "DIMENSION", "VALUE"],
    ...snapshots.flatMap(({ dimensions, name }) =>
      Object.entries(dimensions as Record<string, number>).map(([dimension, value], i) => [
        i === 0 ? name : "",
        dimension,
        value.toLocaleString("en-US", { maximumFractionDigits: 3 })
      ])
    )
  ]
  const [metric, dimension, value] = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)))
  return rows
    .map((row) => `${row[0].padEnd(metric)}  ${row[1].padEnd(dimension)}  ${row[2].padStart(value)}`)
    .join("\n")
}
