import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { messageOf, type PartialSuccess, partialSuccessOf } from "./response.ts"

/** What became of a request. */
export type Reply = Taken | Refused | Unavailable

/** The receiver has it, but for what it says. */
export interface Taken {
  readonly _tag: "Taken"
  readonly partialSuccess: PartialSuccess | undefined
}

/** The receiver does not want it: not now, and not later. */
export interface Refused {
  readonly _tag: "Refused"
  readonly status: number
  readonly reason: string
  /** Whether this very body is at fault, and not, say, a token: the same body would always be refused. */
  readonly isOfBody: boolean
}

/** The receiver could not take it, and may later. */
export interface Unavailable {
  readonly _tag: "Unavailable"
  /** Where there was a response. */
  readonly status: number | undefined
  readonly reason: string
  /** Whether it may have been taken all the same. */
  readonly mayHaveArrived: boolean
  /** How long the receiver asks to wait, in milliseconds. */
  readonly retryAfter: number | undefined
}

/** Those after which OTLP permits to send again. */
const retryable = new Set([429, 502, 503, 504])

/** Of a gateway that does not know what became of the request behind it. */
const unsure = new Set([502, 504])

const ofBody = new Set([400, 413, 415, 422])

/** What a receiver says is short. */
const longestBody = "64 KiB"

/** Sends a request once, and is neither traced nor measured. */
export const send = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest,
  timeout: Duration.Duration
): Effect.Effect<Reply> =>
  client.execute(request).pipe(
    // A client may be one that makes errors of statuses.
    Effect.catchIf((error) => error.response !== undefined, (error) => Effect.succeed(error.response!)),
    Effect.timeoutOption(timeout),
    Effect.flatMap((response) =>
      Option.isSome(response) ? replyOf(response.value, timeout) : Effect.succeed(lost("no response in time"))
    ),
    Effect.catch((error) => Effect.succeed(lost(causeOf(error)))),
    Effect.catchDefect((defect) => Effect.succeed(lost(String(defect)))),
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
    Effect.withTracerEnabled(false)
  )

const replyOf = (response: HttpClientResponse, timeout: Duration.Duration): Effect.Effect<Reply> =>
  Effect.gen(function*() {
    const { headers, status } = response
    // Read also where it does not matter: else the connection stays taken.
    const read = Stream.mkUint8Array(Stream.limitBytes(response.stream, longestBody, () => Stream.empty))
    const body = Option.getOrElse(yield* Effect.option(Effect.timeout(read, timeout)), () => new Uint8Array())
    const contentType = headers["content-type"]
    if (status >= 200 && status < 300) {
      return { _tag: "Taken", partialSuccess: partialSuccessOf(contentType, body) }
    }
    const reason = `${status} ${messageOf(contentType, body)}`.trim()
    if (!retryable.has(status)) return { _tag: "Refused", status, reason, isOfBody: ofBody.has(status) }
    return {
      _tag: "Unavailable",
      status,
      reason,
      mayHaveArrived: unsure.has(status),
      retryAfter: waitOf(headers["retry-after"], yield* Clock.currentTimeMillis)
    }
  })

const waitOf = (retryAfter: string | undefined, now: number): number | undefined => {
  const parsed = Headers.parseRetryAfter(retryAfter ?? "")
  return Result.isSuccess(parsed) ? Duration.toMillis(Headers.retryAfterDelay(parsed.success, now)) : undefined
}

const lost = (reason: string): Unavailable => ({
  _tag: "Unavailable",
  status: undefined,
  reason,
  mayHaveArrived: true,
  retryAfter: undefined
})

/**
 * What happened to the connection is in the cause, or in the cause of that. The
 * messages of the client have the whole address in them, which may have a key in it.
 */
const causeOf = ({ cause, reason }: HttpClientError): string => {
  let last: unknown = cause
  while (last instanceof Error && last.cause !== undefined) last = last.cause
  if (!(last instanceof Error)) return last === undefined ? reason._tag : String(last)
  return last.message || String((last as { readonly code?: unknown }).code ?? last.name)
}
