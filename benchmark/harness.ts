/**
 * How the benchmarks measure: two sides do the same work in short segments that
 * take turns, so that whatever else the machine does falls on both. What counts
 * is how the two sides of a pair relate, and of that the median over the pairs:
 * a segment that something interrupted does not show in it.
 *
 * Each round is a process of its own, because what the compiler made of the
 * code in the first second holds for the rest of a process.
 */

/** What a benchmark found out in one round. */
export interface Figure {
  readonly name: string
  /** A ratio, a time, or thousands of bytes. */
  readonly unit: "x" | "ns" | "us" | "ms" | "kB"
  /** The value should not be above this. */
  readonly limit: number
  readonly value: number
  /** The cost of one operation of the subject and of the baseline, in nanoseconds. */
  readonly sides?: readonly [subject: number, baseline: number]
}

/** One side of a comparison: runs a segment and returns what one operation cost, in nanoseconds. */
export type Side = () => number | Promise<number>

/** How many operations are timed in one go. */
export const burst = 1_000

export const collectGarbage: () => void = globalThis.gc ?? (() => {
  throw new Error("The benchmarks need node --expose-gc: npm run bench")
})

export const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

/** Wall time of a synchronous piece of work, in nanoseconds. */
export const time = (work: () => void): number => {
  const start = performance.now()
  work()
  return (performance.now() - start) * 1e6
}

/** Processor time of the process so far, all its threads included, in nanoseconds. */
export const processorTime = (): number => {
  const { system, user } = process.cpuUsage()
  return (user + system) * 1e3
}

/** The next macrotask. */
export const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Waits for what must come soon. */
export const until = async (condition: () => boolean): Promise<void> => {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("Waited for 10 s in vain")
    await macrotask()
  }
}

/** A side made of bursts: `run` does one burst and returns the nanoseconds that count. */
export const bursts = (run: () => number | Promise<number>): Side => async () => {
  const count = 10
  let elapsed = 0
  for (let i = 0; i < count; i++) elapsed += await run()
  return elapsed / (count * burst)
}

/** Relates a subject to a baseline, as a ratio or as a difference. */
export const compare = async (
  figure: Pick<Figure, "name" | "limit"> & { readonly unit: "x" | "ns" },
  subject: Side,
  baseline: Side,
  { pairs = 300 }: { readonly pairs?: number } = {}
): Promise<Figure> => {
  const run = async (pairs: number): Promise<Array<readonly [subject: number, baseline: number]>> => {
    const measured: Array<readonly [number, number]> = []
    for (let pair = 0; pair < pairs; pair++) {
      await macrotask()
      const first = await subject()
      await macrotask()
      measured.push([first, await baseline()])
    }
    return measured
  }
  await run(pairs / 3)
  collectGarbage()
  const measured = await run(pairs)
  return {
    ...figure,
    value: median(measured.map(([a, b]) => figure.unit === "x" ? a / b : a - b)),
    sides: [median(measured.map(([a]) => a)), median(measured.map(([, b]) => b))]
  }
}

/** Hands a figure to the program that runs the benchmarks, or shows it when there is none. */
export const report = (figure: Figure): void => {
  if (process.send === undefined) console.log(row([figure]))
  else process.send(figure)
}

const show = (value: number, unit: Figure["unit"]): string =>
  `${value.toFixed(unit === "ns" ? 0 : 2)}${unit === "x" ? "x" : ` ${unit}`}`

/** A line of the table: what the rounds say about one figure. */
export const row = (rounds: ReadonlyArray<Figure>): string => {
  const { limit, name, unit } = rounds[0]!
  const values = rounds.map((figure) => figure.value)
  const value = median(values)
  const sides = rounds.flatMap((figure) => figure.sides === undefined ? [] : [figure.sides])
  return columns(
    name,
    show(value, unit),
    `${show(Math.min(...values), unit)} - ${show(Math.max(...values), unit)}`,
    show(limit, unit),
    value <= limit ? "ok" : "OVER",
    sides.length === 0 ? "" : [0, 1].map((side) => median(sides.map((pair) => pair[side]!)).toFixed(1)).join(" / ")
  )
}

const columns = (name: string, ...cells: ReadonlyArray<string>): string =>
  [name.padEnd(62), ...cells.map((cell, at) => cell.padStart([9, 20, 9, 5, 17][at]!))].join(" ").trimEnd()

/** The head of the table. */
export const header = columns("figure", "median", "min - max", "limit", "", "sides, ns")
