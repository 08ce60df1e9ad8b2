import { Context, Duration, Effect } from "effect"
import {
  HttpMethod,
  HttpMiddleware,
  HttpRouter,
  HttpServerError,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { Recorder } from "mvx-metrics"
import { RequestFinished, RequestStarted } from "./HttpEvents.ts"

/** States the beginning and the end of every request of a server. */
export const middleware = HttpMiddleware.make((app) =>
  Effect.withFiber((fiber) => {
    const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
    const method = methodOf(request)
    return Recorder.observe(app, {
      onStart: () => new RequestStarted({ method }),
      onExit: (exit, duration) => {
        const response = HttpServerError.exitResponse(exit)
        return new RequestFinished({
          method,
          // The router has left it here: a request that no route takes has none.
          route: Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.path,
          status: response.status,
          seconds: Duration.toSeconds(duration),
          requestBytes: requestBytes(request),
          responseBytes: responseBytes(request, response)
        })
      }
    })
  })
)

/** Whoever makes methods up makes no series. */
const methodOf = ({ method }: HttpServerRequest.HttpServerRequest): string =>
  HttpMethod.isHttpMethod(method) ? method : "_OTHER"

const requestBytes = ({ headers }: HttpServerRequest.HttpServerRequest): number | undefined => {
  const length = headers["content-length"]
  return length === undefined ? undefined : Number(length)
}

const responseBytes = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse
): number | undefined => {
  if (HttpServerResponse.omitsBody(response, request.method === "HEAD")) return undefined
  return response.body._tag === "Empty" ? 0 : response.body.contentLength
}
