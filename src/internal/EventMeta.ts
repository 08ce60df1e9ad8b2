import type { MetricEvent } from "../Event.ts"

/**
 * What a reducer is told beside the event. One object serves a whole batch:
 * `time` is looked up only by the reducers that ask for it, because reading a
 * field that most events do not have costs more than a fold.
 */
export class EventMeta {
  event: MetricEvent | undefined
  readonly #batchTime: number

  constructor(batchTime: number, event?: MetricEvent) {
    this.event = event
    this.#batchTime = batchTime
  }

  get time(): number {
    const own = (this.event as { readonly time?: unknown } | undefined)?.time
    return typeof own === "number" && !Number.isNaN(own) ? own : this.#batchTime
  }
}
