import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { describe } from "./describe.ts"

/** The codec of a state together with the name and the version of its metric. */
export const storedState = <State>(
  name: string,
  version: number,
  state: Schema.Codec<State, unknown>
): Schema.Codec<State, unknown> => {
  const quoted = JSON.stringify(name)
  const Stored = Schema.Struct({
    metric: Schema.String.check(
      Schema.makeFilter((found) =>
        found === name || `Expected the state of metric ${quoted}, found that of ${describe(found)}`
      )
    ),
    version: Schema.Int.check(
      Schema.makeFilter((found) =>
        found === version || `Expected version ${version} of metric ${quoted}, found version ${found}`
      )
    ),
    state: Schema.toCodecJson(state)
  })
  const decode = SchemaParser.decodeUnknownEffect(Stored, { onExcessProperty: "error" })
  const encode = SchemaParser.encodeEffect(Stored)
  return Schema.Unknown.pipe(Schema.decodeTo(
    Schema.toType(state),
    SchemaTransformation.transformEffect({
      decode: (stored: unknown, options) =>
        decode(stored).pipe(
          Effect.map(({ state }) => state as any),
          Effect.mapError((issue) => {
            const message = `The stored state of metric ${quoted}, version ${version}: ${messageOf(issue, stored)}`
            return new SchemaIssue.InvalidValue({ message }, stored, options)
          })
        ),
      encode: (state: any) => encode({ metric: name, version, state })
    })
  )) as unknown as Schema.Codec<State, unknown>
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** What is wrong, where, and what was found there, in one line however long that is. */
const messageOf = (issue: SchemaIssue.Issue, stored: unknown): string => {
  const [{ message, path = [] }] = format(issue).issues as readonly [
    { readonly message: string; readonly path?: ReadonlyArray<PropertyKey> }
  ]
  const found = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], stored)
  const what = /found|Missing key/.test(message) ? message : `${message}, found ${describe(found)}`
  return path.length === 0 ? what : `${what} at ${path.map(String).join(".")}`
}
