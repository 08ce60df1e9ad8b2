import { NodeSocketServer } from "@effect/platform-node"
import { Effect, Exit, Semaphore } from "effect"
import type { NetAddress } from "effect/net"
import { Socket } from "effect/socket"
import { Recorder, Runtime } from "mvx-metrics"
import { Closed, Received, Sent } from "./TcpEvents.ts"
import { Closes, Traffic } from "./TcpMetrics.ts"

const mostConnections = 64

/** Sends back what comes in, until the other side ends the connection. */
const echo = (socket: Socket.Socket) =>
  Effect.gen(function*() {
    const pull = yield* Socket.readerBytes(socket)
    const writer = yield* socket.writer
    while (true) {
      const chunks = yield* pull
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      yield* Recorder.emit(new Received({ bytes }))
      yield* writer.writeAll(chunks)
      yield* Recorder.emit(new Sent({ bytes }))
    }
  }).pipe(
    Effect.scoped,
    Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void),
    Recorder.observe((exit) => new Closed({ outcome: Exit.isSuccess(exit) ? "ENDED" : "BROKEN" }))
  )

/**
 * Starts the server, which has a recorder for each connection, as long as it
 * lasts; all of them add up to one series. `idle` waits until those that have
 * been answered are gone.
 */
export const make = Effect.gen(function*() {
  const runtime = yield* Runtime.MetricsRuntime
  const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
  const room = yield* Semaphore.make(mostConnections)
  let accepted = 0

  const measured = Effect.fnUntraced(function*(socket: Socket.Socket) {
    const recorder = yield* runtime.recorder(`connection-${`${++accepted}`.padStart(3, "0")}`, {
      metrics: [Traffic, Closes],
      export: "rollup",
      labels: { side: "server" }
    })
    yield* Effect.ignore(Effect.provideService(echo(socket), Recorder.Recorder, recorder))
  }, Effect.scoped)

  yield* Effect.forkScoped(server.run((socket) => room.withPermit(measured(socket))))
  return {
    port: (server.address as NetAddress.InetAddress).port,
    idle: room.withPermits(mostConnections)(Effect.void)
  }
})
