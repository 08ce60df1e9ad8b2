import type { Handle } from "../Recorder.ts"

/** Hands everything on to another recorder. The members of a recorder are on its prototype: it cannot be spread. */
class ForwardingHandle implements Handle {
  readonly #base: Handle
  readonly registerEventUnsafe: Handle["registerEventUnsafe"]

  constructor(base: Handle) {
    this.#base = base
    this.registerEventUnsafe = base.registerEventUnsafe
  }

  get entityId(): Handle["entityId"] {
    return this.#base.entityId
  }

  registerMetric(metric: Parameters<Handle["registerMetric"]>[0]): ReturnType<Handle["registerMetric"]> {
    return this.#base.registerMetric(metric)
  }

  unregisterMetric(name: string): ReturnType<Handle["unregisterMetric"]> {
    return this.#base.unregisterMetric(name)
  }

  registerEvent(event: Parameters<Handle["registerEvent"]>[0]): ReturnType<Handle["registerEvent"]> {
    return this.#base.registerEvent(event)
  }

  get snapshots(): Handle["snapshots"] {
    return this.#base.snapshots
  }

  get snapshot(): Handle["snapshot"] {
    return (metric) => this.#base.snapshot(metric)
  }

  get metrics(): Handle["metrics"] {
    return this.#base.metrics
  }

  get changes(): Handle["changes"] {
    return this.#base.changes
  }

  get flush(): Handle["flush"] {
    return this.#base.flush
  }

  get start(): Handle["start"] {
    return this.#base.start
  }

  get stop(): Handle["stop"] {
    return this.#base.stop
  }

  get status(): Handle["status"] {
    return this.#base.status
  }

  get statusChanges(): Handle["statusChanges"] {
    return this.#base.statusChanges
  }

  snapshotsUnsafe(): ReturnType<Handle["snapshotsUnsafe"]> {
    return this.#base.snapshotsUnsafe()
  }

  get capture(): Handle["capture"] {
    return this.#base.capture
  }

  get watch(): Handle["watch"] {
    return this.#base.watch
  }

  get stats(): Handle["stats"] {
    return this.#base.stats
  }
}

/** A recorder that is another one but for some members. */
export const decorated = (base: Handle, members: Partial<Handle>): Handle =>
  Object.defineProperties(new ForwardingHandle(base), Object.getOwnPropertyDescriptors(members))
