import { Effect } from "effect"
import type { Recorder } from "mvx-metrics"
import { BytesReceived, BytesSent, Closes, OpenAttempts } from "./TcpMetrics.ts"

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

/** What the recorder of one connection of the server says. */
export const ofConnection = Effect.fnUntraced(function*(recorder: Recorder.RecorderService) {
  const closes = (yield* recorder.snapshot(Closes)).dimensions
  return {
    "connections ended": closes.ended_total,
    "connections broken": closes.broken_total,
    "bytes to the server": (yield* recorder.snapshot(BytesReceived)).dimensions.total,
    "bytes to the clients": (yield* recorder.snapshot(BytesSent)).dimensions.total
  } satisfies Partial<Tally>
})

/** What the recorder of the clients says. */
export const ofClients = Effect.fnUntraced(function*(recorder: Recorder.RecorderService) {
  const attempts = (yield* recorder.snapshot(OpenAttempts)).dimensions
  return {
    "attempts that succeeded": attempts.success_total,
    "attempts that failed": attempts.failure_total
  } satisfies Partial<Tally>
})

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
