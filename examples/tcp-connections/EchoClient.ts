import { NodeSocket } from "@effect/platform-node"
import { Effect, Exit } from "effect"
import { Socket } from "effect/socket"
import { Recorder } from "mvx-metrics"
import * as Net from "node:net"
import type { Conversation } from "./Conversation.ts"
import type { Tally } from "./Tally.ts"
import { OpenAttempt } from "./TcpEvents.ts"

const open = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket, Socket.SocketError>((resume) => {
      const connection = Net.createConnection({ host: "127.0.0.1", port })
      connection.once("connect", () => resume(Effect.succeed(connection)))
      connection.on("error", (cause) =>
        resume(Effect.fail(new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) }))))
    }),
    (connection) =>
      Effect.sync(() =>
        connection.destroySoon()
      )
  ).pipe(
    Recorder.observe((exit) => new OpenAttempt({ outcome: Exit.isSuccess(exit) ? "SUCCESS" : "FAILURE" }))
  )

/**
 * Holds a conversation, and says what was sent and what came back, by its own
 * count: no recorder is asked.
 */
export const converse = ({ pieces, port, resetAfter }: Conversation) =>
  Effect.gen(function*() {
    const connection = yield* open(port)
    const socket = yield* NodeSocket.fromDuplex(Effect.succeed(connection))
    const pull = yield* Socket.readerBytes(socket)
    const writer = yield* socket.writer
    let sent = 0
    let received = 0

    for (const piece of pieces.slice(0, resetAfter)) {
      yield* writer.write(piece)
      sent += piece.length
      const echo: Array<Uint8Array> = []
      while (received < sent) {
        for (const chunk of yield* pull) {
          echo.push(chunk)
          received += chunk.length
        }
      }
      if (!Buffer.concat(echo).equals(piece)) return yield* Effect.die("The echo is not what was sent")
    }

    // A reset discards what is on its way, in either direction, and nobody can tell how much that was. Here nothing
    // is: everything sent has come back. So both sides must have the same numbers, to the byte.
    if (resetAfter !== undefined) connection.resetAndDestroy()
    return {
      "attempts that succeeded": 1,
      [resetAfter === undefined ? "connections ended" : "connections broken"]: 1,
      "bytes to the server": sent,
      "bytes to the clients": received
    } satisfies Partial<Tally>
  }).pipe(
    Effect.scoped,
    Effect.catchReason("SocketError", "SocketOpenError", () =>
      Effect.succeed({ "attempts that failed": 1 } satisfies Partial<Tally>))
  )
