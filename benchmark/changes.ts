/** What does a change cost: to make it while folding, and to bring it to a subscriber of the stream? */
import { Effect, Stream } from "effect"
import { deepStrictEqual, strictEqual } from "node:assert"
import { makeRecorder, saveAttempt } from "./fixture.ts"
import { burst, bursts, compare, macrotask, report, type Side, time, until } from "./harness.ts"

const observed = makeRecorder()
const unobserved = makeRecorder()

let delivered = 0
let lastSequence = 0
Effect.runFork(Stream.runForEachArray(observed.changes, (changes) =>
  Effect.sync(() => {
    for (const change of changes) lastSequence = change.sequence
    delivered += changes.length
  })))

let offered = 0
const received = () => until(() => delivered === offered)

/** The fold of bursts, and with `delivery` also what follows until everybody has received what there is. */
const folding = (recorder: typeof observed, received: () => Promise<void>, delivery: boolean): Side =>
  bursts(async () => {
    for (let i = 0; i < burst; i++) recorder.registerEventUnsafe(saveAttempt(i))
    if (recorder === observed) offered += burst
    const start = performance.now()
    const fold = time(() => recorder.snapshotsUnsafe())
    await received()
    return delivery ? (performance.now() - start) * 1e6 : fold
  })

const added = await compare(
  { name: "a change with one subscriber, added to the fold", unit: "ns", limit: 40 },
  folding(observed, received, false),
  folding(unobserved, macrotask, false)
)
const through = await compare(
  { name: "a change with one subscriber, made and delivered", unit: "ns", limit: 100 },
  folding(observed, received, true),
  folding(unobserved, macrotask, true)
)
deepStrictEqual(observed.snapshotsUnsafe(), unobserved.snapshotsUnsafe())
strictEqual(delivered, offered)
strictEqual(lastSequence, offered)
report(added)
report(through)
