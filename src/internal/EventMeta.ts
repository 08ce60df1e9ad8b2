import type { MetricEvent } from "../Event.ts"

/**
 * What a reducer and a view are told beside their arguments.
 *
 * **Details**
 *
 * For a reducer, `time` is the event's own field `time` where that is a finite
 * number, else the time at which its batch was folded; for a view it is the time
 * of the read. Unix milliseconds.
 *
 * **Gotchas**
 *
 * The object is valid during the call only: keep `meta.time`, not `meta`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Meta {
  readonly time: number
}

/**
 * What a reducer is told beside the event. One object serves a whole batch:
 * `time` is looked up only by the reducers that ask for it, because reading a
 * field that most events do not have costs more than a fold.
 */
export class EventMeta implements Meta {
  declare event: MetricEvent | undefined
  readonly #batchTime: number

  constructor(batchTime: number, event?: MetricEvent) {
    this.event = event
    this.#batchTime = batchTime
  }

  get time(): number {
    const own = (this.event as { readonly time?: unknown } | undefined)?.time
    return Number.isFinite(own) ? own as number : this.#batchTime
  }
}
