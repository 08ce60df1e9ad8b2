/** The work that change notifications are compared by: an event is folded, and whoever is subscribed is told. */
import { type Counting, Requests } from "./Counting.ts"
import { initial, type Request, type State, step } from "./foldByHand.ts"

/** How many changes are kept for a subscriber. A power of two, which Effect's PubSub takes best. */
export const capacity = 8_192

export interface Telling extends Pick<Counting, "settle"> {
  /** Emits so many events. */
  readonly emit: (count: number) => void
  /** Throws unless all events were counted. */
  readonly check: () => Promise<void>
  readonly subscribe: (receive: (received: number) => void) => void
  /** A subscriber who takes nothing before what is returned is called, where there can be such a one. */
  readonly subscribeSlow?: (receive: (received: number, missed: number) => void) => () => void
  /** Whether who is slow is told how many changes were missed. */
  readonly tellsMissed?: true
}

/** What subscribers are told where the fold is by hand. */
export interface Change {
  readonly event: Request
  readonly state: State
}

export const folding = (tell: (change: Change) => void): Pick<Telling, "emit" | "check"> => {
  let state = initial
  const requests = new Requests((method, route) => {
    const event = { method, route }
    state = step(state, event)
    tell({ event, state })
  })
  return {
    emit: (count) => requests.run(count),
    check: () => requests.check({ record: () => {}, counts: async () => [{ "": state.requests_total }] })
  }
}
