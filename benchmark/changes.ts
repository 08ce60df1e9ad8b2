/** What does it cost to tell others what changed? */
import { strictEqual } from "node:assert"
import { macrotask, measure, paired, time, until } from "./harness/measure.ts"
import { type Case, type Effort, limit, peer, product, type Question } from "./harness/Question.ts"
import { capacity, type Telling } from "./peers/Telling.ts"

const burst = 1_000
const slowOfTwo = "1 slow of 2"
const besideSlow = "beside a slow one"

/** So many subscribers, and perhaps one who does not read before all is over. */
const watched = async (telling: Telling, subscribers: number, isOneSlow = false) => {
  const all = Array.from({ length: subscribers }, () => 0)
  for (let at = 0; at < subscribers; at++) telling.subscribe((received) => all[at]! += received)
  const slow = { received: 0, missed: 0 }
  const read = isOneSlow
    ? telling.subscribeSlow!((received, missed) => {
      slow.received += received
      slow.missed += missed
    })
    : undefined
  await macrotask()
  await macrotask()
  let emitted = 0
  const emit = (): void => {
    emitted += burst
    telling.emit(burst)
  }
  const received = async (): Promise<void> => {
    await telling.settle?.()
    await until(() => all.every((received) => received === emitted))
  }
  const through = async (): Promise<number> => {
    const start = performance.now()
    emit()
    await received()
    return (performance.now() - start) * 1e6 / burst
  }
  return {
    /** What an event took until everybody had its change. */
    through,
    /** What it took to be folded, with the change added for those who are told later. */
    folded: async (fold: () => void): Promise<number> => {
      emit()
      const elapsed = time(fold)
      await received()
      return elapsed / burst
    },
    check: async (): Promise<void> => {
      if (read !== undefined) {
        for (let missed = 0; missed <= capacity; missed += burst) await through()
        strictEqual(slow.received, 0)
        read()
        await until(() => slow.received > 0)
        strictEqual(slow.received, capacity)
        strictEqual(slow.missed, telling.tellsMissed ? emitted - capacity : 0)
      }
      await telling.check()
      strictEqual(all.every((received) => received === emitted), true)
    }
  }
}

const of = (make: () => Promise<() => Telling>): Case["run"] => async (effort) => {
  const makeTelling = await make()
  const measured = async (subscribers: number, telling = makeTelling(), isOneSlow = false): Promise<number> => {
    const { check, through } = await watched(telling, subscribers, isOneSlow)
    const reading = await measure(through, effort)
    await check()
    return reading
  }
  const readings = { "0": await measured(0), "1": await measured(1), "10": await measured(10) }
  const telling = makeTelling()
  return telling.subscribeSlow === undefined
    ? readings
    : { ...readings, [slowOfTwo]: await measured(1, telling, true) }
}

const pairsOf = ({ short }: Effort): number => short ? 10 : 300

/** What one subscriber adds, in turns with the same without any. */
const added = (part: "fold" | "all"): Case["run"] => async (effort) => {
  const { byReducer } = await import("./peers/mvxChanges.ts")
  const make = async (subscribers: number) => {
    const telling = byReducer()
    const { check, folded, through } = await watched(telling, subscribers)
    return { check, side: part === "fold" ? () => folded(telling.fold) : through }
  }
  const one = await make(1)
  const none = await make(0)
  const reading = await paired(one.side, none.side, { pairs: pairsOf(effort), relate: (one, none) => one - none })
  await one.check()
  await none.check()
  return { "1": reading }
}

/** One subscriber beside a slow one, in turns with one alone. */
const notAlone: Case["run"] = async (effort) => {
  const { byReducer } = await import("./peers/mvxChanges.ts")
  const beside = await watched(byReducer(), 1, true)
  const alone = await watched(byReducer(), 1)
  const reading = await paired(beside.through, alone.through, { pairs: pairsOf(effort) })
  await beside.check()
  await alone.check()
  return { [besideSlow]: reading }
}

const ours = "mvx-metrics, reducer by hand"
const series = "mvx-metrics, 2 000 series by two labels"
const addedToFold = "mvx-metrics, added to the fold"
const addedInAll = "mvx-metrics, added in all"
const slow = "mvx-metrics, beside a slow one / alone"

const question: Question = {
  title: "what an event costs until it is folded and so many subscribers have its change; bursts of 1 000",
  columns: { "0": "ns", "1": "ns", "10": "ns", [slowOfTwo]: "ns", [besideSlow]: "x" },
  rounds: 3,
  cases: {
    [ours]: product(of(async () => (await import("./peers/mvxChanges.ts")).byReducer)),
    [series]: product(of(async () => {
      const { bySeries } = await import("./peers/mvxChanges.ts")
      return () => bySeries(2_000)
    })),
    [addedToFold]: product(added("fold")),
    [addedInAll]: product(added("all")),
    [slow]: product(notAlone),
    "diagnostics_channel": peer(of(async () => (await import("./peers/emitters.ts")).diagnosticsChannel)),
    "EventEmitter": peer(of(async () => (await import("./peers/emitters.ts")).eventEmitter)),
    "Effect PubSub.dropping": peer(of(async () => (await import("./peers/pubsub.ts")).dropping)),
    "Effect PubSub.sliding": peer(of(async () => (await import("./peers/pubsub.ts")).sliding)),
    "Effect PubSub.sliding, a burst at once": peer(
      of(async () => (await import("./peers/pubsub.ts")).slidingInBatches)
    )
  },
  claims: [
    limit("a change with one subscriber, added to the fold", [addedToFold, "1"], "ns", 40),
    limit("a change with one subscriber, made and delivered", [addedInAll, "1"], "ns", 100),
    limit("an observed event of 2 000 series", [series, "1"], "ns", 1_000),
    limit("with one subscriber beside a slow one / with one alone", [slow, besideSlow], "x", 1.2)
  ]
}
export default question
