/**
 * A recorder for each TCP connection of a server: hundreds of clients come and
 * go, some of them break their connection, some never get one. The recorders of
 * the connections add up to one series. In the end that series and the clients
 * must agree to the byte, and no recorder of a connection may be left.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Console, Data, Effect, Layer, Random } from "effect"
import { Runtime } from "mvx-metrics"
import * as Conversation from "./Conversation.ts"
import * as EchoClient from "./EchoClient.ts"
import * as EchoServer from "./EchoServer.ts"
import * as Tally from "./Tally.ts"
import { OpenAttempts } from "./TcpMetrics.ts"

class Disagreement extends Data.TaggedError("Disagreement")<{ readonly message: string }> {}

const program = Effect.gen(function*() {
  const runtime = yield* Runtime.MetricsRuntime
  const server = yield* EchoServer.make
  const conversations = yield* Conversation.plan({ port: server.port, answered: 200, refused: 8 })

  const clients = Tally.sum(yield* Effect.forEach(conversations, EchoClient.converse, { concurrency: 32 }))
  yield* server.idle
  const captures = yield* runtime.captures
  const recorders = Tally.ofCaptures(captures)
  yield* Console.log(Tally.table({ recorders, clients }))
  yield* Console.log(`captures: ${captures.map((capture) => `${capture.labels.side} (${capture.export})`).join(", ")}`)

  const left = (yield* runtime.recorderIds).filter((id) => id.startsWith("connection-"))
  if (!Tally.isEqual(recorders, clients)) {
    return yield* new Disagreement({ message: "The recorders and the clients do not agree." })
  }
  if (left.length > 0) {
    return yield* new Disagreement({ message: `These recorders are left: ${left.join(", ")}.` })
  }
  yield* Console.log("The recorders and the clients agree, and no recorder of a connection is left.")
})

program.pipe(
  Effect.scoped,
  Effect.provide(Layer.provideMerge(
    Runtime.layerRecorder("client", { metrics: [OpenAttempts], labels: { side: "client" } }),
    Runtime.layer({ namespace: "tcp-connections" })
  )),
  Random.withSeed("tcp-connections"),
  Effect.tapCause((cause) => Console.error(String(Cause.squash(cause)))),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
