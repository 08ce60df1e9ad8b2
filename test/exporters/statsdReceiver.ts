import { Effect } from "effect"
import * as Dgram from "node:dgram"
import { once } from "node:events"

/** What a StatsD server is sent. */
export class Receiver {
  readonly packets: Array<string> = []
  private readonly socket: Dgram.Socket

  constructor(socket: Dgram.Socket) {
    this.socket = socket
    socket.on("message", (packet) => this.packets.push(packet.toString()))
  }

  get port(): number {
    return this.socket.address().port
  }

  get lines(): ReadonlyArray<string> {
    return this.packets.flatMap((packet) => packet.split("\n"))
  }

  /** The lines that begin so. */
  linesOf(prefix: string): ReadonlyArray<string> {
    return this.lines.filter((line) => line.startsWith(prefix))
  }

  /** What the counter has counted that has this name and tags. */
  total(name: string, tags = ""): number {
    return this.lines.reduce((total, line) => {
      const [, value] = line.startsWith(`${name}:`) && line.endsWith(`|c${tags}`) ? line.split(/[:|]/) : []
      return total + Number(value ?? 0)
    }, 0)
  }

  get close(): Effect.Effect<void> {
    return Effect.promise(async () => {
      const closed = once(this.socket, "close")
      this.socket.close()
      await closed
    })
  }
}

/** Receives packets as long as the scope is open. */
export const receive = (type: "udp4" | "udp6" = "udp4", port = 0) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = Dgram.createSocket(type)
      const listening = once(socket, "listening")
      socket.bind(port, type === "udp4" ? "127.0.0.1" : "::1")
      await listening
      return new Receiver(socket)
    }),
    (receiver) => Effect.ignoreCause(receiver.close)
  )
