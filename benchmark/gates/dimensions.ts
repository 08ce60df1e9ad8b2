/**
 * What do four dimensions of one metric cost in a batch fold, against the same four
 * updates by hand on mutable fields?
 *
 * The bucket of a value is found by looking at one boundary after the other, or by
 * halving: which is faster depends on the values, so each is a baseline.
 */
import { Metric } from "mvx-metrics"
import { deepStrictEqual } from "node:assert"
import { paired, pairsOf, time } from "../harness/measure.ts"
import { type Case, limit, product, type Question } from "../harness/Question.ts"
import { durationBatches, rotating } from "./labels.ts"
import { burst, bursts, SaveAttempt } from "./saves.ts"

const Saves = Metric.fromDimensions("saves", [SaveAttempt], (d) => ({
  total: d.count(),
  failure_total: d.count({ when: (event) => event.outcome === "FAILURE" }),
  slow_total: d.count({ when: (event) => event.durationMs > 100 }),
  duration_ms: d.histogram((event) => event.durationMs)
}))

const boundaries = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000]

const linear = (value: number): number => {
  let at = 0
  while (at < boundaries.length && value > boundaries[at]!) at++
  return at
}

const halving = (value: number): number => {
  let low = 0
  let high = boundaries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (value > boundaries[middle]!) low = middle + 1
    else high = middle
  }
  return low
}

class ByHand {
  private readonly bucketOf: (value: number) => number
  total = 0
  failures = 0
  slow = 0
  count = 0
  sum = 0
  min = Infinity
  max = -Infinity
  readonly counts = Array.from(boundaries, () => 0).concat(0)

  constructor(bucketOf: (value: number) => number) {
    this.bucketOf = bucketOf
  }

  fold(events: ReadonlyArray<SaveAttempt>): void {
    const { bucketOf } = this
    for (const { durationMs, outcome } of events) {
      this.total++
      if (outcome === "FAILURE") this.failures++
      if (durationMs > 100) this.slow++
      this.count++
      this.sum += durationMs
      if (durationMs < this.min) this.min = durationMs
      if (durationMs > this.max) this.max = durationMs
      this.counts[bucketOf(durationMs)]!++
    }
  }

  merge(other: ByHand): void {
    this.total += other.total
    this.failures += other.failures
    this.slow += other.slow
    this.count += other.count
    this.sum += other.sum
    this.min = Math.min(this.min, other.min)
    this.max = Math.max(this.max, other.max)
    for (const [at, count] of other.counts.entries()) this.counts[at]! += count
  }

  get dimensions(): Metric.DimensionsOf<typeof Saves> {
    const { count, counts, max, min, sum } = this
    return {
      total: this.total,
      failure_total: this.failures,
      slow_total: this.slow,
      duration_ms: { count, sum, min, max, boundaries, counts }
    }
  }
}

const column = "/ by hand"

const folding = (bucketOf: (value: number) => number): Case["run"] => async (effort) => {
  const batches = durationBatches(100, burst)
  const nextOfOurs = rotating(batches)
  const nextOfTheirs = rotating(batches)
  let ours = Saves.initial
  const theirs = new ByHand(bucketOf)
  const value = await paired(
    bursts(() => {
      const events = nextOfOurs()
      let state = Saves.initial
      const elapsed = time(() => {
        state = Metric.fold(Saves, events)
      })
      ours = Metric.merge(Saves, ours, state)
      return elapsed
    }),
    bursts(() => {
      const events = nextOfTheirs()
      const byHand = new ByHand(bucketOf)
      const elapsed = time(() => byHand.fold(events))
      theirs.merge(byHand)
      return elapsed
    }),
    { pairs: pairsOf(effort) }
  )
  deepStrictEqual(Metric.snapshot(Saves, ours).dimensions, theirs.dimensions)
  return { [column]: value }
}

const byLinear = "where by hand searches linearly"
const byHalving = "where by hand searches by halving"

const question: Question = {
  title: "what a count, two with `when` and a histogram cost in a batch fold",
  columns: { [column]: "x" },
  cases: { [byLinear]: product(folding(linear)), [byHalving]: product(folding(halving)) },
  claims: [
    limit("count, two with `when`, histogram / by hand, linear search", [byLinear, column], "x", 1.5),
    limit("the same / by hand, halving", [byHalving, column], "x", 1.5)
  ],
  rounds: 3
}
export default question
