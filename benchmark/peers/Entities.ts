/** The work that recorders are compared by: things without number, such as connections, with two counters each. */

export interface Entities {
  /** Makes all of them. */
  readonly create: () => void
  /** Counts a request of one of them, and how long it took. */
  readonly record: (at: number, milliseconds: number) => void
  /** Waits until all that was recorded is counted, where that is put off. */
  readonly settle?: () => Promise<void>
  /** What all of them have counted together. */
  readonly totals: () => Promise<Totals>
  /** Lets go of all of them. */
  readonly end: () => void | Promise<void>
}

export interface Totals {
  readonly requests: number
  readonly milliseconds: number
}

/** Prepares what is not the entities', but the program's. */
export type Make = (ids: ReadonlyArray<string>) => Entities

/** So many ids, as a program has them at hand: strings are put together when they are first looked at. */
export const idsOf = (count: number): ReadonlyArray<string> =>
  Array.from(new Set(Array.from({ length: count }, (_, i) => `connection-${i}`)))

export const sumOf = (all: Iterable<Totals>): Totals => {
  const sum = { requests: 0, milliseconds: 0 }
  for (const { milliseconds, requests } of all) {
    sum.requests += requests
    sum.milliseconds += milliseconds
  }
  return sum
}

/** What nobody goes below: objects whose fields are changed, and a map to find them in. */
export const byHand: Make = (ids) => {
  const all: Array<{ requests: number; milliseconds: number }> = []
  const byId = new Map<string, Totals>()
  return {
    create: () => {
      for (const id of ids) {
        const entity = { requests: 0, milliseconds: 0 }
        all.push(entity)
        byId.set(id, entity)
      }
    },
    record: (at, milliseconds) => {
      const entity = all[at]!
      entity.requests++
      entity.milliseconds += milliseconds
    },
    totals: async () => sumOf(byId.values()),
    end: () => {
      all.length = 0
      byId.clear()
    }
  }
}
