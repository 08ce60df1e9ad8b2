/** What does an event of `Event.Class` cost, against a class written by hand? */
import { deepStrictEqual, strictEqual } from "node:assert"
import { paired, pairsOf, time } from "../harness/measure.ts"
import { type Case, limit, product, type Question } from "../harness/Question.ts"
import { burst, bursts, durationMs, outcome, saveAttempt } from "./saves.ts"

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

const constructing = (fill: (made: Array<HandWritten>) => void, seen: Seen) =>
  bursts(() => {
    const made = Array.from<HandWritten>({ length: burst })
    const elapsed = time(() => fill(made))
    seen.add(made)
    return elapsed
  })

const generatesCode = (): boolean => {
  try {
    return new Function("return true")()
  } catch {
    return false
  }
}

const generated = "an event, with code generation"
const interpreted = "the same where code generation is forbidden"
const column = "/ a hand-written class"

const of = (generates: boolean): Case["run"] => async (effort) => {
  strictEqual(generatesCode(), generates)
  const ours = new Seen()
  const theirs = new Seen()
  const value = await paired(
    constructing((made) => {
      for (let i = 0; i < burst; i++) made[i] = saveAttempt(i)
    }, ours),
    constructing((made) => {
      for (let i = 0; i < burst; i++) made[i] = handWritten(i)
    }, theirs),
    { pairs: pairsOf(effort) }
  )
  deepStrictEqual(ours, theirs)
  return { [column]: value }
}

const question: Question = {
  title: "what an event of Event.Class costs to construct",
  columns: { [column]: "x" },
  cases: {
    [generated]: product(of(true)),
    [interpreted]: product(of(false), { nodeArgs: ["--disallow-code-generation-from-strings"] })
  },
  claims: [
    limit("construct an event / a hand-written class", [generated, column], "x", 1.5),
    limit("the same where code generation is forbidden", [interpreted, column], "x", 8)
  ],
  rounds: 3
}
export default question
