import * as NodeDatagramSocket from "@effect/platform-node/NodeDatagramSocket"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as DatagramSocket from "effect/socket/DatagramSocket"
import * as Net from "node:net"

/** For how long a name is believed to have the address that it had. */
const believed = Duration.toMillis("1 minute")

interface Socket {
  readonly writer: DatagramSocket.Writer
  readonly scope: Scope.Closeable
}

/** Where packets go. A name is resolved when a socket is opened, which is connected to what it stands for. */
export class Destination {
  private readonly address: string
  private readonly port: number
  private socket: Socket | undefined
  /** Unix milliseconds. */
  private openedAt = 0
  /** What was reported with no send to fail: that an earlier packet was refused. */
  private reported: DatagramSocket.DatagramSocketError | undefined

  constructor(address: string, port: number) {
    this.address = address
    this.port = port
  }

  /** Opens a socket, unless there is one and its address can still be right. */
  get open(): Effect.Effect<void, DatagramSocket.DatagramSocketError> {
    return Effect.gen({ self: this }, function*() {
      const now = yield* Clock.currentTimeMillis
      if (this.socket === undefined) yield* this.connect
      else if (Net.isIP(this.address) === 0 && now - this.openedAt >= believed) {
        // While the name has no address, the last one is as good as any.
        yield* Effect.ignore(this.connect)
      } else return
      this.openedAt = now
    })
  }

  /**
   * Hands a packet to the socket. Fails as well, with nothing sent, where a
   * packet before it is known to have been refused.
   */
  send(payload: string): Effect.Effect<void, DatagramSocket.DatagramSocketError> {
    return Effect.suspend(() => {
      const refused = this.refused()
      return refused === undefined ? this.socket!.writer.write({ payload }) : Effect.fail(refused)
    })
  }

  /** What became known of earlier packets. */
  refused(): DatagramSocket.DatagramSocketError | undefined {
    const { reported } = this
    this.reported = undefined
    return reported
  }

  /** Closes the socket. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { socket } = this
      this.socket = undefined
      return socket === undefined ? Effect.void : Scope.close(socket.scope, Exit.void)
    })
  }

  private get connect(): Effect.Effect<void, DatagramSocket.DatagramSocketError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function*() {
        const { address, port } = this
        const scope = yield* Scope.make()
        const { reader, writer } = yield* NodeDatagramSocket.make({
          connect: { address, port },
          // Nobody answers, and nobody would read it.
          receiveBuffer: { capacity: 1 },
          onError: (error) => this.reported = error
        })
        const opened = yield* restore(Scope.provide(Effect.andThen(reader, writer), scope)).pipe(
          Effect.onError(() => Scope.close(scope, Exit.void))
        )
        yield* this.close
        this.socket = { writer: opened, scope }
      })
    )
  }
}
