/**
 * What happened: a metric event is an immutable, tagged fact.
 *
 * Production code states facts and nothing else. It does not know which
 * numbers are kept, nor where they go. One fact may feed any number of
 * metrics:
 *
 * ```ts
 * import { Event } from "mvx-metrics"
 * import { Schema } from "effect"
 *
 * class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
 *   outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
 *   durationMs: Schema.Finite
 * }) {}
 *
 * new SaveAttempt({ outcome: "SUCCESS", durationMs: 2.5 })._tag // => "document_storage.save.attempt"
 * ```
 *
 * Any tagged value is an event: instances of `Event.Class`, of
 * `Data.TaggedClass` and of `Schema.TaggedClass`, plain literals, and the
 * tagged unions that a domain already has. `Event.Class` adds a constructor
 * that costs what a hand-written class costs, and a schema for the places where
 * events cross a border.
 *
 * **How events evolve**: add optional fields only. Anything else (a field that
 * goes, changes its meaning or its type) is a new tag.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe } from "./internal/describe.ts"
import { generateConstructor, interpretConstructor } from "./internal/eventConstructor.ts"
import { InvalidOptionError } from "./internal/InvalidOptionError.ts"
import { tagOf } from "./internal/tagOf.ts"

/**
 * An immutable, tagged fact about something that happened.
 *
 * **Details**
 *
 * `_tag` names the kind of fact, in dotted lower case by convention
 * (`"document_storage.save.attempt"`). A numeric own field `time`, in Unix
 * milliseconds, is the event's own time: reducers see it as `meta.time`.
 *
 * @category models
 * @since 0.1.0
 */
export interface MetricEvent {
  readonly _tag: string
}

/**
 * The constructor and schema that `Event.Class` returns.
 *
 * **Details**
 *
 * It is an Effect schema class (`Schema.is`, `Schema.Array`, arbitraries and
 * so on accept it), whose `new` assigns the fields without validating them.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventClass<Self, Tag extends string, Fields extends Schema.Struct.Fields>
  extends Omit<Schema.Class<Self, Schema.TaggedStruct<Tag, Fields>, {}>, "new" | "extend" | "make">
{
  new(
    ...args: {} extends Schema.Struct.Type<Fields> ? [fields?: Schema.Struct.Type<Fields>]
      : [fields: Schema.Struct.Type<Fields>]
  ): Schema.Struct.Type<Fields> & { readonly _tag: Tag }
  /** The `_tag` of every instance. */
  readonly tag: Tag
}

/**
 * A class of events, as far as a metric needs to know it: something with a
 * readable tag. `Event.Class` and `Schema.TaggedClass` make such classes.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyClass<E extends MetricEvent = MetricEvent> =
  & (abstract new(...args: ReadonlyArray<any>) => E)
  & ({ readonly tag: string } | { readonly fields: { readonly _tag: Schema.tag<string> } })

type AnyCodec = AnyClass & Schema.ConstraintCodec<MetricEvent, unknown>

/**
 * A schema of several event classes, told apart by `_tag`.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventUnion<Classes extends ReadonlyArray<AnyCodec>> extends Schema.Union<Classes> {
  /** The tags that the union knows. */
  readonly tags: ReadonlyArray<string>
}

/**
 * A value offered as an event is not one: an event is an object with a string
 * `_tag`.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidEventError
  extends /*#__PURE__*/ Schema.TaggedError<InvalidEventError>("mvx-metrics/Event/InvalidEventError")(
    "InvalidEventError",
    { given: Schema.String }
  )
{
  override get message(): string {
    return `Invalid event: expected an object with a string \`_tag\`, found ${this.given}`
  }

  /** @internal */
  static of(given: unknown): InvalidEventError {
    return new InvalidEventError({ given: describe(given) })
  }
}

/**
 * An encoded event carries a tag that the union does not know.
 *
 * **When to use**
 *
 * Use to tell events of a newer or a foreign writer (skip them, keep them for
 * later) from events that are broken (a `SchemaError`).
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownEventError
  extends /*#__PURE__*/ Schema.TaggedError<UnknownEventError>("mvx-metrics/Event/UnknownEventError")(
    "UnknownEventError",
    { tag: Schema.String, known: /*#__PURE__*/ Schema.Array(Schema.String) }
  )
{
  override get message(): string {
    return `Unknown event ${JSON.stringify(this.tag)}: expected one of ${
      this.known.map((tag) => JSON.stringify(tag)).join(", ")
    }`
  }
}

/**
 * Returns `true` for every object with a string `_tag`.
 *
 * **Gotchas**
 *
 * The fields are not looked at: this is the check that a recorder makes when an
 * event is handed over, and it must cost nothing. Events from outside the
 * program go through {@link decode}.
 *
 * **Example** (Checking a value)
 *
 * ```ts
 * import { Event } from "mvx-metrics"
 *
 * Event.isMetricEvent({ _tag: "cache.hit" }) // => true
 * Event.isMetricEvent("cache.hit") // => false
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isMetricEvent = (u: unknown): u is MetricEvent =>
  typeof u === "object" && u !== null && typeof (u as { readonly _tag?: unknown })._tag === "string"

/**
 * Defines a class of events: a `_tag`, readonly typed fields, a constructor and
 * a schema.
 *
 * **When to use**
 *
 * Use for the facts that your code states. A domain that has tagged unions
 * already can emit their members as they are.
 *
 * **Details**
 *
 * The class has a static `tag` and is itself a schema, so `Schema.is`,
 * `Event.union`, `Event.decode` and property tests take it as it is. The
 * constructor is generated once per class and costs about what a hand-written
 * class costs; where code generation is forbidden, a loop does the same.
 *
 * **Gotchas**
 *
 * Construction does not validate: the types do. Validation happens where events
 * come in from outside, in {@link decode}.
 *
 * An optional field that is not given, or given as `undefined`, stays absent.
 * Fields with a constructor default are refused, because nothing runs them.
 *
 * A field named `_tag` or `__proto__`, or a blank tag, throws an
 * `InvalidOptionError`.
 *
 * **Example** (Stating that a document was saved)
 *
 * ```ts
 * import { Event } from "mvx-metrics"
 * import { Schema } from "effect"
 *
 * class SaveAttempt extends Event.Class<SaveAttempt>()("document_storage.save.attempt", {
 *   outcome: Schema.Literals(["SUCCESS", "FAILURE"]),
 *   durationMs: Schema.Finite,
 *   reason: Schema.optionalKey(Schema.String)
 * }) {}
 *
 * const event = new SaveAttempt({ outcome: "SUCCESS", durationMs: 2.5 })
 *
 * SaveAttempt.tag // => "document_storage.save.attempt"
 * JSON.stringify(event) // => '{"_tag":"document_storage.save.attempt","outcome":"SUCCESS","durationMs":2.5}'
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Class = <Self = never>() =>
<const Tag extends string, const Fields extends Schema.Struct.Fields>(
  tag: Tag,
  fields: Fields
): [Self] extends [never] ? "Missing `Self`: class Name extends Event.Class<Name>()(...)"
  : EventClass<Self, Tag, Fields> =>
{
  if (typeof tag !== "string" || tag.trim() === "") {
    throw InvalidOptionError.of("tag", tag, "a non-blank string")
  }
  if (typeof fields !== "object" || fields === null || Object.getOwnPropertySymbols(fields).length > 0) {
    throw InvalidOptionError.of("fields", fields, "a record of schemas, by names that are strings")
  }
  const plan = Object.entries(fields).map(([name, field]) => {
    if (name === "_tag" || name === "__proto__") {
      throw InvalidOptionError.of("fields", name, `names other than "_tag" and "__proto__"`)
    }
    if (field.ast.context?.constructorDefault !== undefined) {
      throw InvalidOptionError.of("fields", name, "fields without a constructor default")
    }
    return { name, optional: field.ast.context?.isOptional === true }
  })
  const schemaClass = Schema.TaggedClass<any>()(tag, fields) as unknown as { new(): object; readonly prototype: object }
  const eventClass = generateConstructor(tag, plan) ?? interpretConstructor(tag, plan)
  // The statics (the schema) and the prototype come from the schema class; its validating constructor is left out.
  Object.setPrototypeOf(eventClass, schemaClass)
  Object.setPrototypeOf(eventClass.prototype, schemaClass.prototype)
  return Object.defineProperty(eventClass, "tag", { value: tag, enumerable: true }) as any
}

/**
 * Combines event classes into one schema.
 *
 * **Example** (Decoding one of several events)
 *
 * ```ts
 * import { Event } from "mvx-metrics"
 * import { Effect, Schema } from "effect"
 *
 * class Hit extends Event.Class<Hit>()("cache.hit", { key: Schema.String }) {}
 * class Miss extends Event.Class<Miss>()("cache.miss", { key: Schema.String }) {}
 *
 * const CacheEvent = Event.union(Hit, Miss)
 *
 * const event = Effect.runSync(Event.decode(CacheEvent)({ _tag: "cache.miss", key: "a" }))
 * event instanceof Miss // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const union = <const Classes extends readonly [AnyCodec, ...ReadonlyArray<AnyCodec>]>(
  ...classes: Classes
): EventUnion<Classes> => {
  const schema = Schema.Union(classes)
  return Object.assign(schema, { tags: classes.map(knownTag) })
}

/**
 * Decodes an event that comes from outside the program: a wire, a file, another
 * thread.
 *
 * **When to use**
 *
 * Use with one event class or with a {@link union} of them, on data in the form
 * that {@link encode} writes.
 *
 * **Details**
 *
 * Fails with an `UnknownEventError` when the tag is a string that the schema
 * does not know, and with a `SchemaError` when anything else is wrong. Fields
 * that the class does not have are dropped, so that a reader may be older than
 * the writer. The schema is compiled once per call of `decode(schema)`: keep
 * the returned function.
 *
 * @category codecs
 * @since 0.1.0
 */
export const decode = <S extends AnyCodec | EventUnion<ReadonlyArray<AnyCodec>>>(
  schema: S
): (input: unknown) => Effect.Effect<S["Type"], UnknownEventError | Schema.SchemaError> => {
  const known = "tags" in schema ? schema.tags : [knownTag(schema)]
  const decodeKnown = Schema.decodeUnknownEffect(Schema.toCodecJson(schema as Schema.Codec<MetricEvent>))
  return (input) =>
    isMetricEvent(input) && !known.includes(input._tag)
      ? Effect.fail(new UnknownEventError({ tag: input._tag, known }))
      : decodeKnown(input)
}

/**
 * Encodes an event as JSON-safe data, the form that {@link decode} reads.
 *
 * **Details**
 *
 * The values of the fields are checked on the way out: an event whose fields do
 * not have the declared types fails with a `SchemaError`.
 *
 * **Example** (Writing and reading back)
 *
 * ```ts
 * import { Event } from "mvx-metrics"
 * import { Effect, Schema } from "effect"
 *
 * class Expired extends Event.Class<Expired>()("cache.expired", { at: Schema.Date }) {}
 *
 * const stored = Effect.runSync(Event.encode(Expired)(new Expired({ at: new Date(0) })))
 * stored // => { _tag: "cache.expired", at: "1970-01-01T00:00:00.000Z" }
 *
 * Effect.runSync(Event.decode(Expired)(stored)) // => new Expired({ at: new Date(0) })
 * ```
 *
 * @category codecs
 * @since 0.1.0
 */
export const encode = <S extends AnyCodec | EventUnion<ReadonlyArray<AnyCodec>>>(
  schema: S
): (event: S["Type"]) => Effect.Effect<Schema.Json, Schema.SchemaError> =>
  Schema.encodeEffect(Schema.toCodecJson(schema as unknown as Schema.Codec<S["Type"]>))

const knownTag = (eventClass: unknown): string => {
  const tag = tagOf(eventClass)
  if (tag === undefined) throw InvalidOptionError.of("events", eventClass, "classes with a readable tag")
  return tag
}

export {
  /**
   * @category errors
   * @since 0.1.0
   */
  InvalidOptionError
} from "./internal/InvalidOptionError.ts"
