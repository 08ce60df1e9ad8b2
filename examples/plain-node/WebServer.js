import * as Http from "node:http"

const json = (response, status, body) => {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`)
}

/** States each request to a recorder, and shows at /snapshots what all recorders of its runtime say. */
export const make = (metrics, recorder) =>
  Http.createServer((request, response) => {
    const startedAt = performance.now()
    // It closes also when the client goes away before the response is complete.
    response.once("close", () => {
      recorder.registerEvent({
        _tag: "http.request",
        status: response.statusCode,
        durationMs: performance.now() - startedAt
      })
    })
    if (request.url === "/snapshots") return json(response, 200, metrics.snapshots())
    if (request.url === "/") return json(response, 200, { hello: "world" })
    return json(response, 404, { error: "not found" })
  })
