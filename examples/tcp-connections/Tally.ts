import { Option } from "effect"
import { type Metric, Recorder } from "mvx-metrics"
import { Closes, OpenAttempts, Traffic } from "./TcpMetrics.ts"

const quantities = [
  "attempts that succeeded",
  "attempts that failed",
  "connections ended",
  "connections broken",
  "bytes to the server",
  "bytes to the clients"
] as const

/** What became of some connections, in numbers. */
export type Tally = Readonly<Record<typeof quantities[number], number>>

export const sum = (tallies: ReadonlyArray<Partial<Tally>>): Tally =>
  Object.fromEntries(
    quantities.map((quantity) => [quantity, tallies.reduce((sum, tally) => sum + (tally[quantity] ?? 0), 0)])
  ) as Tally

/** What the recorders on both sides have captured. */
export const ofCaptures = (captures: ReadonlyArray<Recorder.RecorderCapture>): Tally => {
  const attempts = dimensionsOf(captures, OpenAttempts).by_outcome
  const closes = dimensionsOf(captures, Closes).by_outcome
  const bytes = dimensionsOf(captures, Traffic).by_direction
  return {
    "attempts that succeeded": attempts.SUCCESS ?? 0,
    "attempts that failed": attempts.FAILURE ?? 0,
    "connections ended": closes.ENDED ?? 0,
    "connections broken": closes.BROKEN ?? 0,
    "bytes to the server": bytes.in ?? 0,
    "bytes to the clients": bytes.out ?? 0
  }
}

/** What a metric shows that is in one of the captures alone. */
const dimensionsOf = <M extends Metric.Any>(
  captures: ReadonlyArray<Recorder.RecorderCapture>,
  metric: M
): Metric.DimensionsOf<M> => {
  const [found, ...others] = captures.flatMap((capture) => Option.toArray(Recorder.snapshotOf(capture, metric)))
  if (found === undefined || others.length > 0) throw new Error(`Expected one capture of ${metric.name}`)
  return found.dimensions
}

export const isEqual = (one: Tally, other: Tally): boolean =>
  quantities.every((quantity) => one[quantity] === other[quantity])

export const table = (columns: Readonly<Record<string, Tally>>): string => {
  const row = (label: string, cells: ReadonlyArray<string>) =>
    label.padEnd(24) + cells.map((cell) => cell.padStart(14)).join("")
  const tallies = Object.values(columns)
  return [
    row("", Object.keys(columns)),
    ...quantities.map((quantity) => row(quantity, tallies.map((tally) => tally[quantity].toLocaleString("en-US"))))
  ].join("\n")
}
