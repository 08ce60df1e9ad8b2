/** What does an event of `Event.Class` cost, against a class written by hand? */
import { deepStrictEqual } from "node:assert"
import { durationMs, outcome, saveAttempt } from "./fixture.ts"
import { burst, bursts, compare, report, type Side, time } from "./harness.ts"

class HandWritten {
  declare readonly _tag: string
  declare readonly outcome: string
  declare readonly durationMs: number

  constructor(fields: { readonly outcome: string; readonly durationMs: number }) {
    this._tag = "document_storage.save.attempt"
    this.outcome = fields.outcome
    this.durationMs = fields.durationMs
  }
}

const handWritten = (i: number): HandWritten => new HandWritten({ outcome: outcome(i), durationMs: durationMs(i) })

class Seen {
  events = 0
  failures = 0
  durationMs = 0

  add(made: ReadonlyArray<HandWritten>): void {
    for (const event of made) {
      this.events++
      this.failures += event.outcome === "FAILURE" ? 1 : 0
      this.durationMs += event.durationMs
    }
  }
}

const constructing = (fill: (made: Array<HandWritten>) => void, seen: Seen): Side =>
  bursts(() => {
    const made = Array.from<HandWritten>({ length: burst })
    const elapsed = time(() => fill(made))
    seen.add(made)
    return elapsed
  })

const generatesCode = (() => {
  try {
    return new Function("return true")()
  } catch {
    return false
  }
})()

const ours = new Seen()
const theirs = new Seen()

const figure = await compare(
  generatesCode
    ? { name: "construct an event / a hand-written class", unit: "x", limit: 1.5 }
    : { name: "construct an event without code generation / hand-written", unit: "x", limit: 8 },
  constructing((made) => {
    for (let i = 0; i < burst; i++) made[i] = saveAttempt(i)
  }, ours),
  constructing((made) => {
    for (let i = 0; i < burst; i++) made[i] = handWritten(i)
  }, theirs)
)
deepStrictEqual(ours, theirs)
report(figure)
