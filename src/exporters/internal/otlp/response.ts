/** What a receiver says about an export that it has taken. */
export interface PartialSuccess {
  /** How many data points it did not take. */
  readonly rejected: number
  readonly message: string
}

const decoder = new TextDecoder()

/** What a response says beyond its status, if anything. One that cannot be read says nothing. */
export const partialSuccessOf = (contentType: string | undefined, body: Uint8Array): PartialSuccess | undefined => {
  try {
    const found = contentType?.includes("json") === true ? ofJson(body) : ofProtobuf(body)
    return found.rejected > 0 || found.message !== "" ? found : undefined
  } catch {
    return undefined
  }
}

const shortened = (message: string): string => message.slice(0, 200).trim()

/** Why a receiver refuses, as far as it says so in a text, or as a `google.rpc.Status`. */
export const messageOf = (contentType: string | undefined, body: Uint8Array): string => {
  try {
    const message = contentType?.includes("json") === true
      ? JSON.parse(decoder.decode(body)).message
      : contentType?.startsWith("text/") === true
      ? decoder.decode(body)
      : decoder.decode(fieldsOf(body).get(2) as Uint8Array | undefined)
    return typeof message === "string" ? shortened(message) : ""
  } catch {
    return ""
  }
}

const ofJson = (body: Uint8Array): PartialSuccess => {
  const { errorMessage = "", rejectedDataPoints = 0 } = JSON.parse(decoder.decode(body)).partialSuccess
  return { rejected: countOf(Number(rejectedDataPoints)), message: shortened(String(errorMessage)) }
}

const ofProtobuf = (body: Uint8Array): PartialSuccess => {
  const partialSuccess = fieldsOf(fieldsOf(body).get(1) as Uint8Array)
  return {
    rejected: countOf(partialSuccess.get(1)),
    message: shortened(decoder.decode(partialSuccess.get(2) as Uint8Array | undefined))
  }
}

const countOf = (u: unknown): number => Number.isSafeInteger(u) && (u as number) > 0 ? u as number : 0

/** The fields of a message of Protocol Buffers that are numbers or have a length, by their numbers. */
const fieldsOf = (bytes: Uint8Array): ReadonlyMap<number, number | Uint8Array> => {
  const fields = new Map<number, number | Uint8Array>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1;; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if ((byte & 128) === 0) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const value = varint()
    const isDelimited = (tag & 7) === 2
    fields.set(tag >>> 3, isDelimited ? bytes.subarray(at, at += value) : value)
  }
  return fields
}
