/** What do very many recorders cost, such as one for each connection? */
import { deepStrictEqual } from "node:assert"
import { collectGarbage, heapInUse, macrotask, paired, processorTime } from "./harness/measure.ts"
import {
  type Case,
  type Effort,
  floor,
  limit,
  peer,
  product,
  type Question,
  type Readings
} from "./harness/Question.ts"
import { type Entities, idsOf, type Make } from "./peers/Entities.ts"

/** How many events each has in a turn. */
const turn = 10
const eventsEach = "ten events each"
const againstOne = "10 000 / 1"

/** Waiting events are at most about so many. */
const most = 100_000

/** So many entities that live their life in steps. */
class Lives {
  private readonly entities: Entities
  private readonly count: number
  private recorded = 0
  private milliseconds = 0

  constructor(make: Make, ids: ReadonlyArray<string>) {
    this.entities = make(ids)
    this.count = ids.length
  }

  create(): void {
    this.entities.create()
  }

  /** Gives each an event, one after the other, so many times. */
  record(times: number): void {
    const { count, entities } = this
    for (let time = 0; time < times; time++) {
      for (let at = 0; at < count; at++) entities.record(at, time)
      this.milliseconds += time * count
    }
    this.recorded += times * count
  }

  async settle(): Promise<void> {
    await this.entities.settle?.()
  }

  async check(): Promise<void> {
    deepStrictEqual(await this.entities.totals(), { requests: this.recorded, milliseconds: this.milliseconds })
  }

  async end(): Promise<void> {
    await this.entities.end()
  }
}

/** Processor time, of all threads of the process: the garbage collector's, too. */
const spent = async (work: () => void | Promise<void>): Promise<number> => {
  const before = processorTime()
  await work()
  return processorTime() - before
}

/** The creation, one event each, turns of ten events each per macrotask, the end. */
const live = async (make: Make, count: number, { short }: Effort): Promise<Readings> => {
  // One is too little to be measured: as many of them as make a thousand.
  const copies = short ? 1 : Math.max(1, 1_000 / count)
  const ids = idsOf(count)
  const all = Array.from({ length: copies }, () => new Lives(make, ids))
  const before = await heapInUse()
  const created = await spent(() => {
    for (const lives of all) lives.create()
  })
  for (const lives of all) lives.record(1)
  for (const lives of all) await lives.settle()
  const idle = await heapInUse() - before
  const [one] = all as [Lives]
  const turns = short ? 2 : Math.max(2, 200_000 / (turn * count))
  const emitted = await spent(async () => {
    for (let left = turns, waiting = 0; left > 0; left--) {
      one.record(turn)
      waiting += turn * count
      await macrotask()
      if (waiting >= most) {
        await one.settle()
        waiting = 0
      }
    }
    await one.settle()
  })
  for (const lives of all) await lives.check()
  collectGarbage()
  const ended = await spent(async () => {
    for (const lives of all) await lives.end()
  })
  return {
    create: created / copies / count / 1e3,
    idle: idle / copies / count / 1e3,
    [eventsEach]: emitted / turns / turn / count,
    end: ended / copies / count / 1e3
  }
}

const of = (make: () => Promise<Make>, count: number): Case["run"] => async (effort) => {
  const makeEntities = await make()
  const size = effort.short ? Math.min(count, 100) : count
  // Code and caches are nobody's.
  await live(makeEntities, Math.min(size, 10_000), effort)
  return live(makeEntities, size, effort)
}

/** Ten events each, in turns with the same events for one. A few turns, so that who made the garbage collects it. */
const roundRobin: Case["run"] = async ({ short }) => {
  const { recorders } = await import("./peers/mvxEntities.ts")
  const count = short ? 100 : 10_000
  const events = turn * count
  const inARow = 4
  const make = (count: number): Lives => {
    // Room for all of them: neither side folds in place.
    const lives = new Lives(recorders({ capacity: 4 * events / count }), idsOf(count))
    lives.create()
    return lives
  }
  const side = (lives: Lives, times: number) => () =>
    spent(async () => {
      for (let i = 0; i < inARow; i++) {
        lives.record(times)
        await lives.settle()
      }
    })
  const many = make(count)
  const one = make(1)
  const reading = await paired(side(many, turn), side(one, events), { pairs: short ? 3 : 12 })
  await many.check()
  await one.check()
  return { [againstOne]: reading }
}

const mvx = (options: { readonly scoped?: boolean; readonly hooks?: boolean } = {}) => async (): Promise<Make> =>
  (await import("./peers/mvxEntities.ts")).recorders(options)
const registries = async () => (await import("./peers/prometheusEntities.ts")).registries
const labels = async () => (await import("./peers/prometheusEntities.ts")).labels
const providers = async () => (await import("./peers/opentelemetryEntities.ts")).providers
const byHand = async () => (await import("./peers/Entities.ts")).byHand

const very = 100_000
const withHooks = 20_000
const ours = "mvx-metrics, 100 000 recorders"
const scoped = "mvx-metrics, 100 000 in scopes"
const hooks = "mvx-metrics, 20 000 with onStopped"
const inTurn = "mvx-metrics, round-robin"

const question: Question = {
  title:
    "what each of so many things with two counters costs: to be created, idle, in turn with the others, at the end",
  columns: { create: "us", idle: "kB", [eventsEach]: "ns", end: "us", [againstOne]: "x" },
  rounds: 3,
  cases: {
    [ours]: product(of(mvx(), very)),
    "mvx-metrics, 1 000 recorders": product(of(mvx(), 1_000)),
    "mvx-metrics, 1 recorder": product(of(mvx(), 1)),
    [scoped]: product(of(mvx({ scoped: true }), very)),
    [hooks]: product(of(mvx({ hooks: true }), withHooks)),
    [inTurn]: product(roundRobin),
    "@prometheus-io/client, 100 000 registries": peer(of(registries, very)),
    "@prometheus-io/client, 1 000 registries": peer(of(registries, 1_000)),
    "@prometheus-io/client, 1 registry": peer(of(registries, 1)),
    "@prometheus-io/client, 100 000 labels": peer(of(labels, very)),
    "OpenTelemetry, 1 000 providers": peer(of(providers, 1_000)),
    "OpenTelemetry, 1 provider": peer(of(providers, 1)),
    "100 000 objects": floor(of(byHand, very)),
    "1 000 objects": floor(of(byHand, 1_000)),
    "1 object": floor(of(byHand, 1))
  },
  claims: [
    limit("to create a recorder, of 100 000", [ours, "create"], "us", 8),
    limit("the same in a scope of its own", [scoped, "create"], "us", 12),
    limit("an idle recorder", [ours, "idle"], "kB", 1.5),
    limit("the same in a scope of its own", [scoped, "idle"], "kB", 2),
    {
      claim: "shutdown of 100 000 recorders",
      unit: "ms",
      atMost: 200,
      value: (reading) => reading(ours, "end") * very / 1e3
    },
    {
      claim: "shutdown of 20 000 with an asynchronous onStopped",
      unit: "ms",
      atMost: 2_000,
      value: (reading) => reading(hooks, "end") * withHooks / 1e3
    },
    limit("ten events each to 10 000 recorders in turn / as many to one", [inTurn, againstOne], "x", 2.5)
  ]
}
export default question
