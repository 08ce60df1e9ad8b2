import type * as Metric from "../Metric.ts"
import type { JointFold } from "./dimension/Fold.ts"

/** What the metrics of a list are offered. Recorders with the same metrics share it. */
export interface Routes {
  /** By tag, which of `lists` to take. Only tags that some metric names are kept: others may be without number. */
  readonly byTag: ReadonlyMap<string, number>
  /** The places, in the list of metrics, of those that take part. The first is for the tags that nobody names. */
  readonly lists: ReadonlyArray<ReadonlyArray<number>>
  /** By place in `lists`, the fold of all metrics of the list at once, where there is one. */
  readonly joint: (list: number) => JointFold<any> | undefined
}

/** A list of metrics, found again by its metrics, which it does not hold. */
class MetricList {
  routes: Routes | undefined
  readonly #longer = new WeakMap<Metric.Any, MetricList>()

  and(metric: Metric.Any): MetricList {
    let list = this.#longer.get(metric)
    if (list === undefined) this.#longer.set(metric, list = new MetricList())
    return list
  }
}

const none = new MetricList()

export const routesOf = (metrics: ReadonlyArray<Metric.Any>): Routes => {
  const list = metrics.reduce((list, metric) => list.and(metric), none)
  return list.routes ??= route(metrics)
}

const route = (metrics: ReadonlyArray<Metric.Any>): Routes => {
  const tags = Array.from(new Set(metrics.flatMap((metric) => metric.tags ?? [])))
  const places = (accept: (metric: Metric.Any) => boolean) =>
    metrics.flatMap((metric, place) => accept(metric) ? [place] : [])
  const lists = [
    places((metric) => metric.tags === undefined),
    ...tags.map((tag) => places((metric) => metric.tags === undefined || metric.tags.includes(tag)))
  ]
  // Made when it is first asked for: many lists never are.
  const joints = new Map<number, JointFold<any> | undefined>()
  return {
    byTag: new Map(tags.map((tag, at) => [tag, at + 1])),
    lists,
    joint: (list) => {
      if (!joints.has(list)) {
        const all = lists[list]!.map((place) => metrics[place]!.measures)
        // Any of them brings along what folds all of them.
        joints.set(list, all[0]?.joint(all))
      }
      return joints.get(list)
    }
  }
}
