import { NodeSocketServer } from "@effect/platform-node"
import { Effect, Exit, Queue } from "effect"
import type { NetAddress } from "effect/net"
import { Socket } from "effect/socket"
import { Recorder, Runtime } from "mvx-metrics"
import * as Tally from "./Tally.ts"
import { Closed, Received, Sent } from "./TcpEvents.ts"
import { BytesReceived, BytesSent, Closes } from "./TcpMetrics.ts"

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
 * lasts. `ended` has what each one said in the end, once it is gone.
 */
export const make = Effect.gen(function*() {
  const runtime = yield* Runtime.MetricsRuntime
  const server = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
  const ended = yield* Queue.unbounded<Partial<Tally.Tally>>()
  let accepted = 0

  const measured = Effect.fnUntraced(function*(socket: Socket.Socket) {
    const id = `connection-${`${++accepted}`.padStart(3, "0")}`
    const recorder = yield* runtime.recorder(id, { metrics: [BytesReceived, BytesSent, Closes] })
    yield* Effect.ignore(Effect.provideService(echo(socket), Recorder.Recorder, recorder))
    return recorder
  }, Effect.scoped)

  const serve = (socket: Socket.Socket) =>
    measured(socket).pipe(
      // The recorder is removed, and its values can still be read: nothing can come after them.
      Effect.flatMap(Tally.ofConnection),
      Effect.flatMap((tally) => Queue.offer(ended, tally))
    )

  yield* Effect.forkScoped(server.run(serve))
  return { port: (server.address as NetAddress.InetAddress).port, ended: Queue.asDequeue(ended) }
})
