import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import * as SchemaTransformation from "effect/SchemaTransformation"

/** The codec of a state together with the name and the version of its metric. */
export const storedState = <State>(
  name: string,
  version: number,
  state: Schema.Codec<State, unknown>
): Schema.Codec<State, unknown> => {
  const Stored = Schema.Struct({
    metric: Schema.String.check(
      Schema.makeFilter((found) =>
        found === name || `Expected the state of metric ${JSON.stringify(name)}, got ${JSON.stringify(found)}`
      )
    ),
    version: Schema.Int.check(
      Schema.makeFilter((found) =>
        found === version || `Expected version ${version} of metric ${JSON.stringify(name)}, got ${found}`
      )
    ),
    state: Schema.toCodecJson(state)
  })
  // An issue that reports its input says what was found.
  const decode = SchemaParser.decodeUnknownEffect(Stored, { reportInput: true })
  const encode = SchemaParser.encodeEffect(Stored, { reportInput: true })
  return Schema.Unknown.pipe(Schema.decodeTo(
    Schema.toType(state),
    SchemaTransformation.transformEffect({
      decode: (stored: unknown) => Effect.map(decode(stored), ({ state }) => state as any),
      encode: (state: any) => encode({ metric: name, version, state })
    })
  )) as unknown as Schema.Codec<State, unknown>
}
