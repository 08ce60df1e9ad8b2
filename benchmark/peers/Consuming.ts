/** The work that overflow is compared by: who produces is faster than who folds. */
import { initial, type Request, type State, step } from "./foldByHand.ts"

/** Room for so many events. A power of two, which Effect's PubSub takes best. */
export const capacity = 8_192

export interface Consuming {
  /** Offers a request, and says whether it was taken. */
  readonly offer: (method: string, route: string) => boolean
  /** Whether what is taken makes the oldest go where there is no room. */
  readonly slides?: true
  /** How many have been folded. */
  readonly folded: () => number
  /** Waits until all that waits is folded. */
  readonly settle?: () => Promise<void>
  /** Throws unless it says itself what became of so many. */
  readonly check?: (offered: number, accepted: number) => void
}

/** Who folds by hand what was waiting. */
export class Consumer {
  private state: State = initial

  readonly fold = (requests: ReadonlyArray<Request>): void => {
    let { state } = this
    for (const request of requests) state = step(state, request)
    this.state = state
  }

  readonly folded = (): number => this.state.requests_total
}

/** An array that grows, and whoever folds it comes when there is time. */
export const unbounded = (): Consuming => {
  const { fold, folded } = new Consumer()
  let waiting: Array<Request> = []
  return {
    offer: (method, route) => {
      if (waiting.length === 0) {
        setImmediate(() => {
          const requests = waiting
          waiting = []
          fold(requests)
        })
      }
      waiting.push({ method, route })
      return true
    },
    folded
  }
}
