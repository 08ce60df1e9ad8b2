/** What does an emit cost, and what becomes of the event, when whoever folds cannot keep up? */
import { strictEqual } from "node:assert"
import { setTimeout } from "node:timers/promises"
import { loopDelay } from "./harness/loopDelay.ts"
import { collectGarbage, measure, time, until } from "./harness/measure.ts"
import { type Case, floor, limit, peer, product, type Question } from "./harness/Question.ts"
import { median, quantile } from "./harness/statistics.ts"
import { capacity, type Consuming } from "./peers/Consuming.ts"
import { Requests } from "./peers/Counting.ts"

const perEventColumn = "per event"
const perKept = "offered / kept"
const longestColumn = "longest of 256"
const longestP99 = "longest, p99"
const delay = "loop delay p99"

/** So many events before anybody else has a turn: ten times what there is room for. */
const burst = 10 * capacity

/** A caller who finds the queue of a recorder full makes room for so many: in each block one emit folds, the slowest. */
const block = 256

/** The heap, with nobody having had a turn since. */
const heap = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const timesInterrupted = (): number => process.resourceUsage().involuntaryContextSwitches

const of = (make: () => Promise<Consuming>): Case["run"] => async (effort) => {
  const { check, folded, offer, settle, slides } = await make()
  let [offered, accepted, taken] = [0, 0, 0]
  const requests = new Requests((method, route) => {
    if (offer(method, route)) taken++
  })
  const emit = (count: number): void => {
    requests.run(count)
    offered += count
  }
  /** Waits for what was taken, and notes how many of them that is. */
  const settled = async (): Promise<void> => {
    accepted += slides ? Math.min(capacity, taken) : taken
    taken = 0
    await settle?.()
    await until(() => folded() >= accepted)
    strictEqual(folded(), accepted)
  }

  emit(burst)
  await settled()
  const acceptedBefore = accepted
  const before = heap()
  emit(burst)
  const waiting = heap() - before
  await settled()
  const offeredPerKept = burst / (accepted - acceptedBefore)

  const perEvent = await measure(async () => {
    await settled()
    return time(() => emit(burst)) / burst
  }, effort)
  await settled()

  const slowest: Array<number> = []
  emit(capacity)
  while (slowest.length < (effort.short ? 20 : 2_000)) {
    const before = timesInterrupted()
    let longest = 0
    for (let i = 0; i < block; i++) longest = Math.max(longest, time(() => emit(1)))
    // Where another process got the processor meanwhile, the time is not the emit's.
    if (timesInterrupted() === before) slowest.push(longest)
  }
  await settled()
  check?.(offered, accepted)
  return {
    [perEventColumn]: perEvent,
    [perKept]: offeredPerKept,
    waiting: waiting / 1e6,
    [longestColumn]: median(slowest) / 1e3,
    [longestP99]: quantile(slowest, 0.99) / 1e3
  }
}

/** How long the dispatcher holds the event loop while it folds very many events that nobody reads. */
const drained: Case["run"] = async ({ short }) => {
  const { draining } = await import("./peers/mvxConsuming.ts")
  const drain = async (backlog: number): Promise<number> => {
    const { check, fill, isDone } = draining(backlog, 10)
    fill()
    collectGarbage()
    const reading = await loopDelay(async () => {
      while (!isDone()) await setTimeout(1)
    })
    check()
    return reading
  }
  await drain(short ? 1_000 : 100_000)
  return { [delay]: await drain(short ? 10_000 : 1_000_000) }
}

const fold = "mvx-metrics, fold"
const foldOfTen = "mvx-metrics, fold, 10 metrics"
const drain = "mvx-metrics, 10^6 waiting, 10 metrics"

const mvx = (overflow: "fold" | "drop" | "fail", metrics = 1): Case =>
  product(of(async () => (await import("./peers/mvxConsuming.ts")).consuming(overflow, metrics)))

const question: Question = {
  title: "what an event costs who emits it, in bursts of ten times what there is room for, and what becomes of it",
  columns: {
    [perEventColumn]: "ns",
    [perKept]: "x",
    waiting: "MB",
    [longestColumn]: "us",
    [longestP99]: "us",
    [delay]: "ms"
  },
  rounds: 3,
  cases: {
    [fold]: mvx("fold"),
    [foldOfTen]: mvx("fold", 10),
    "mvx-metrics, drop": mvx("drop"),
    "mvx-metrics, fail": mvx("fail"),
    [drain]: product(drained),
    "Effect Queue.dropping": peer(of(async () => (await import("./peers/effectConsuming.ts")).dropping())),
    "Effect Queue.sliding": peer(of(async () => (await import("./peers/effectConsuming.ts")).sliding())),
    "Effect PubSub.dropping": peer(of(async () => (await import("./peers/effectConsuming.ts")).droppingPubSub())),
    "an array without bound": floor(of(async () => (await import("./peers/Consuming.ts")).unbounded()))
  },
  claims: [
    {
      claim: "an emit that finds the queue full, 10 metrics: median",
      unit: "ms",
      atMost: 1,
      value: (reading) => reading(foldOfTen, longestColumn) / 1e3
    },
    {
      claim: "an emit that finds the queue full, 10 metrics: p99",
      unit: "ms",
      atMost: 1,
      value: (reading) => reading(foldOfTen, longestP99) / 1e3
    },
    limit("event-loop delay p99 while 10^6 events are folded, 10 metrics", [drain, delay], "ms", 10)
  ]
}
export default question
