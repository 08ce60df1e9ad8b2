import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiError, HttpApiGroup, HttpApiMiddleware, HttpApiSchema } from "effect/http-api"

/** One file name, which leads nowhere else. */
export const DocumentId = Schema.String.check(
  Schema.isPattern(/^(?!\.)[\w.-]{1,100}(?<!\.)$/, {
    message: "Expected up to 100 letters, digits, hyphens, underscores and dots, with no dot at either end"
  })
)

export class DocumentNotFound extends HttpApiError.Problem<DocumentNotFound>()("DocumentNotFound", {
  type: "about:blank",
  status: 404,
  title: "Not Found"
}) {}

export class DocumentTooLarge extends HttpApiError.Problem<DocumentTooLarge>()("DocumentTooLarge", {
  type: "about:blank",
  status: 413,
  title: "Content Too Large"
}) {}

const Content = Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array())
const path = "/documents/:id"
const params = { id: DocumentId }

/** What everybody can do with the documents. What is wrong with a request is answered as problem details (RFC 9457). */
export class DocumentsApi extends HttpApi.make("documents-api").add(
  HttpApiGroup.make("documents").add(
    HttpApiEndpoint.put("put", path, {
      params,
      payload: Content,
      success: [HttpApiSchema.Created, HttpApiSchema.NoContent],
      error: DocumentTooLarge
    }),
    HttpApiEndpoint.get("get", path, { params, success: Content, error: DocumentNotFound }),
    HttpApiEndpoint.delete("delete", path, { params, error: DocumentNotFound })
  )
).middleware(HttpApiMiddleware.ProblemDetails) {}
