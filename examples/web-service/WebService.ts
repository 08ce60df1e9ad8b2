import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import * as Prometheus from "mvx-metrics/exporters/Prometheus"
import { createServer } from "node:http"
import * as DocumentStorage from "../document-storage/DocumentStorage.ts"
import * as Closing from "./Closing.ts"
import * as Connections from "./Connections.ts"
import * as DocumentsHandlers from "./DocumentsHandlers.ts"
import * as HttpMetrics from "./HttpMetrics.ts"
import * as Readings from "./Readings.ts"
import * as RequestObserver from "./RequestObserver.ts"

const host = "127.0.0.1"

/** The service cannot be reached at its port. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  port: Schema.Int,
  problem: Schema.String
}) {
  override get message() {
    return `cannot listen on ${host}:${this.port}: ${this.problem}`
  }
}

const listen = (port: number) =>
  Layer.effect(
    HttpServer.HttpServer,
    Effect.mapError(
      NodeHttpServer.make(() => Connections.endIdleOnClose(createServer()), {
        host,
        port,
        gracefulShutdownTimeout: "10 seconds"
      }),
      ({ cause }) => new ListenError({ port, problem: problemOf(cause) })
    )
  ).pipe(Layer.merge(NodeHttpServer.layerHttpServices))

/** What there is to see. */
export const places = `\
/documents/:id  PUT, GET or DELETE a document
/metrics        the numbers, for Prometheus
/snapshots      the numbers, as JSON
/changes        every change of a number, as server-sent events
`

/** Serves the documents of a folder, and what is measured of that. */
export const layer = (options: { readonly folder: string; readonly port: number }) => {
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/", HttpServerResponse.text(places)),
    DocumentsHandlers.layer(options.folder),
    Prometheus.layer({ path: "/metrics" }),
    Readings.layer
  )
  const server = HttpRouter.serve(routes, {
    middleware: RequestObserver.middleware,
    routerConfig: { maxParamLength: 16_384 },
    disableLogger: true,
    disableListenLog: true
  })
  return Closing.layerFirst.pipe(
    Layer.provide(server),
    Layer.provideMerge(listen(options.port)),
    Layer.provide([
      HttpMetrics.layer,
      DocumentStorage.layer(options.folder),
      Closing.layer
    ])
  )
}

const problemOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE"
    ? "the port is in use"
    : String(cause instanceof Error ? cause.message : cause)
