import { ByteSize, Effect, Layer, PlatformError } from "effect"
import { HttpIncomingMessage, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiError, HttpApiMiddleware } from "effect/http-api"
import * as Documents from "./Documents.ts"
import { DocumentNotFound, DocumentsApi, DocumentTooLarge } from "./DocumentsApi.ts"

/** The API on a folder. What a disk cannot do is told to those who run the service, not to the client. */
export const layer = (folder: string) =>
  HttpApiBuilder.layer(DocumentsApi).pipe(
    Layer.provide(HttpApiBuilder.group(
      DocumentsApi,
      "documents",
      Effect.fnUntraced(function*(handlers) {
        const documents = yield* Documents.make(folder)
        return handlers
          // Raw, because a document may be of any content type.
          .handleRaw("put", ({ params: { id }, request }) =>
            contentOf(request).pipe(
              Effect.flatMap((content) => documents.put(id, content)),
              Effect.map((isNew) => HttpServerResponse.empty({ status: isNew ? 201 : 204 })),
              Effect.catchTags({
                EmptyDocument: badRequest,
                NameNotAllowed: badRequest,
                UnreadableDocument: internalError,
                DocumentNotWritten: internalError
              })
            ))
          .handle("get", ({ params: { id } }) => explained(id, documents.get(id)))
          .handle("delete", ({ params: { id } }) => explained(id, documents.remove(id)))
      })
    )),
    Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true }))
  )

const mostMegabytes = 10

const contentOf = (request: HttpServerRequest.HttpServerRequest) =>
  request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.megabytes(mostMegabytes)),
    Effect.map((buffer) => new Uint8Array(buffer)),
    Effect.catchTag("HttpServerError", (error) =>
      error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"
        ? Effect.fail(new DocumentTooLarge({ detail: `a document has ${mostMegabytes} MB at most` }))
        : Effect.die(error))
  )

const explained = <A>(id: string, self: Effect.Effect<A, PlatformError.PlatformError>) =>
  self.pipe(
    Effect.catchReason("PlatformError", "NotFound", () =>
      Effect.fail(new DocumentNotFound({ detail: `there is no document ${JSON.stringify(id)}` }))),
    Effect.catchTag("PlatformError", internalError)
  )

const badRequest = ({ message }: Error) => Effect.fail(new HttpApiError.BadRequestProblem({ detail: message }))

const internalError = (error: Error) =>
  Effect.andThen(Effect.logError(error.message), Effect.fail(new HttpApiError.InternalServerErrorProblem({})))
