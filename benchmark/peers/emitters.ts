/** Each subscriber is called before the next event: none can be slow without everybody waiting for it. */
import { channel } from "node:diagnostics_channel"
import { EventEmitter } from "node:events"
import { folding, type Telling } from "./Telling.ts"

let channels = 0

export const diagnosticsChannel = (): Telling => {
  const changes = channel(`benchmark.changes.${channels++}`)
  return {
    ...folding((change) => changes.publish(change)),
    subscribe: (receive) => changes.subscribe(() => receive(1))
  }
}

export const eventEmitter = (): Telling => {
  const changes = new EventEmitter()
  return {
    ...folding((change) => {
      changes.emit("change", change)
    }),
    subscribe: (receive) => {
      changes.on("change", () => receive(1))
    }
  }
}
