/** How cases measure, in the process that is theirs. */
import { Bench } from "tinybench"
import type { Effort } from "./Question.ts"
import { median } from "./statistics.ts"

export const collectGarbage: () => void = globalThis.gc ?? (() => {
  throw new Error("The benchmarks need node --expose-gc: npm run bench")
})

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

/** Bytes of the heap that are in use after a collection. */
export const heapInUse = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    await macrotask()
    collectGarbage()
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/**
 * The median over many segments. A segment does some work, times what counts of
 * it, and returns that in nanoseconds; between two of them the event loop turns.
 */
export const measure = async (segment: () => number | Promise<number>, { time, warmup }: Effort): Promise<number> => {
  const bench = new Bench({ time, warmupTime: warmup, iterations: 3, warmupIterations: 2, throws: true })
  // Not those of the bench: it takes no negative ones, and a difference between two times may be negative.
  let segments: Array<number> = []
  bench.add("case", async () => {
    const start = performance.now()
    await macrotask()
    segments.push(await segment())
    return { overriddenIterationCost: performance.now() - start }
  }, {
    beforeAll: () => {
      segments = []
      collectGarbage()
    }
  })
  await bench.run()
  return median(segments)
}

/** How many pairs to take. */
export const pairsOf = ({ short }: Effort, usually = 300): number => short ? 2 : usually

/** Whether the second side is the first of a pair: the sequence of Thue and Morse, which has no period. */
const isTurned = (pair: number): boolean => {
  let turned = false
  for (let bits = pair; bits !== 0; bits &= bits - 1) turned = !turned
  return turned
}

/**
 * How two sides in one process relate that take turns in short segments, so that
 * whatever else the machine does falls on both: the median over the pairs. Either
 * side is the first of half of the pairs, as what one leaves behind falls on the
 * next, and never in a rhythm, which the garbage collector would fall into: it
 * comes at equal intervals too.
 */
export const paired = async (
  subject: () => number | Promise<number>,
  baseline: () => number | Promise<number>,
  { pairs, relate = (a, b) => a / b, warmup = pairs / 3 }: {
    readonly pairs: number
    /** How many pairs come before those that count. */
    readonly warmup?: number
    readonly relate?: (subject: number, baseline: number) => number
  }
): Promise<number> => {
  const segment = async (side: () => number | Promise<number>): Promise<number> => {
    await macrotask()
    return side()
  }
  const run = async (pairs: number): Promise<ReadonlyArray<number>> => {
    const related: Array<number> = []
    for (let pair = 0; pair < pairs; pair++) {
      const turned = isTurned(pair)
      const first = await segment(turned ? baseline : subject)
      const second = await segment(turned ? subject : baseline)
      related.push(turned ? relate(second, first) : relate(first, second))
    }
    return related
  }
  await run(warmup)
  collectGarbage()
  return median(await run(pairs))
}
