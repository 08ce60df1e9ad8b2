/** The work that change notifications are compared by: an event is folded, and whoever is subscribed is told. */
import { type Counting, Requests } from "./Counting.ts"

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

/** What a fold by hand has counted. */
export interface State {
  readonly requests_total: number
  readonly writes_total: number
  readonly search_total: number
}

/** What subscribers are told where the fold is by hand. */
export interface Change {
  readonly event: { readonly method: string; readonly route: string }
  readonly state: State
}

/** A fold by hand: a fresh state for each event, because a subscriber may keep it. */
export const folding = (tell: ((change: Change) => void) | undefined): Pick<Telling, "emit" | "check"> => {
  let state: State = { requests_total: 0, writes_total: 0, search_total: 0 }
  const requests = new Requests((method, route) => {
    state = {
      requests_total: state.requests_total + 1,
      writes_total: state.writes_total + (method === "GET" ? 0 : 1),
      search_total: state.search_total + (route === "/search" ? 1 : 0)
    }
    tell?.({ event: { method, route }, state })
  })
  return {
    emit: (count) => requests.run(count),
    check: () => requests.check({ record: () => {}, counts: async () => [{ "": state.requests_total }] })
  }
}
