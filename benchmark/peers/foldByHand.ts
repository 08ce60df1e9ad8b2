/** What `totals` of mvx.ts folds, without it: a fresh state for each event, because others may keep it. */
export interface State {
  readonly requests_total: number
  readonly writes_total: number
  readonly search_total: number
}

export interface Request {
  readonly method: string
  readonly route: string
}

export const initial: State = { requests_total: 0, writes_total: 0, search_total: 0 }

export const step = (state: State, { method, route }: Request): State => ({
  requests_total: state.requests_total + 1,
  writes_total: state.writes_total + (method === "GET" ? 0 : 1),
  search_total: state.search_total + (route === "/search" ? 1 : 0)
})
