/** What the specification of OpenTelemetry has in the environment. */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as OtlpResource from "effect/observability/OtlpResource"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

const optional = Config.withDefault(undefined)

/** What is said of metrics goes before what is said of all signals; neither may be wrong. */
const first = <A, B>(
  name: string,
  ofMetrics: (name: string) => Config.Config<A>,
  ofAll: (name: string) => Config.Config<B>
): Config.Config<A | B | undefined> =>
  Config.all([
    optional(ofMetrics(`OTEL_EXPORTER_OTLP_METRICS_${name}`)),
    optional(ofAll(`OTEL_EXPORTER_OTLP_${name}`))
  ]).pipe(Config.map(([metrics, all]) => metrics ?? all))

const Lowercase = Schema.String.pipe(Schema.decode(SchemaTransformation.toLowerCase()))

/** Upper case counts as lower case. */
const oneOf = <const A extends ReadonlyArray<string>>(values: A) => (name: string): Config.Config<A[number]> =>
  Config.schema(Lowercase.pipe(Schema.decodeTo(Schema.Literals(values))), name)

const millis = (name: string): Config.Config<Duration.Duration> =>
  Config.schema(Schema.Int.check(Schema.isGreaterThan(0)), name).pipe(Config.map(Duration.millis))

/** Pairs as in `key=value,key=value`, percent-encoded. */
const pairs = (name: string) =>
  Config.Record(Schema.StringFromUriComponent, Schema.StringFromUriComponent, name, {
    trim: true,
    keepEmptyValues: true
  })

const address = (path: string) => (name: string): Config.Config<string> =>
  Config.URL(name).pipe(Config.map((base) => {
    const url = new URL(base)
    if (path !== "") url.pathname = url.pathname.replace(/\/?$/, path)
    return url.href
  }))

const exporters = Config.Array(Schema.String, "OTEL_METRICS_EXPORTER").pipe(
  Config.map((names) => names.map((name) => name.trim().toLowerCase())),
  Config.withDefault(["otlp"])
)

const temporality = optional(
  oneOf(["cumulative", "delta", "lowmemory"])("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")
)

/** The options of an exporter, and whether there is to be one. */
export const environment = Config.all({
  isOn: Config.all([optional(oneOf(["true", "false"])("OTEL_SDK_DISABLED")), exporters]).pipe(
    Config.map(([disabled, exporters]) => disabled !== "true" && exporters.includes("otlp"))
  ),
  url: first("ENDPOINT", address(""), address("/v1/metrics")),
  headers: first("HEADERS", pairs, pairs),
  compression: first("COMPRESSION", oneOf(["gzip", "none"]), oneOf(["gzip", "none"])),
  requestTimeout: first("TIMEOUT", millis, millis),
  interval: optional(millis("OTEL_METRIC_EXPORT_INTERVAL")),
  // What asks for little memory is delta for all that only grows: for all that has a temporality here.
  temporality: Config.map(temporality, (given) => given === "lowmemory" ? "delta" : given)
})

interface Service {
  readonly serviceName?: string | undefined
  readonly serviceVersion?: string | undefined
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
}

/** What the exporting service is: what is given goes before what the environment says. */
export const resourceOf = (given: Service = {}): Config.Config<OtlpResource.Resource> =>
  Config.all({
    attributes: optional(pairs("OTEL_RESOURCE_ATTRIBUTES")),
    serviceName: optional(Config.String("OTEL_SERVICE_NAME")),
    serviceVersion: optional(Config.String("OTEL_SERVICE_VERSION"))
  }).pipe(Config.map(({ attributes = {}, ...service }) => {
    const { "service.name": serviceName, "service.version": serviceVersion, ...others } = {
      "service.name": unknownService,
      ...attributes,
      ...(service.serviceName === undefined ? {} : { "service.name": service.serviceName }),
      ...(service.serviceVersion === undefined ? {} : { "service.version": service.serviceVersion }),
      ...given.attributes
    } as Record<string, unknown>
    return OtlpResource.make({
      attributes: others,
      serviceName: given.serviceName ?? String(serviceName),
      serviceVersion: given.serviceVersion ?? (serviceVersion === undefined ? undefined : String(serviceVersion))
    })
  }))

/** As the specification has it for a service without a name. */
const unknownService = ["unknown_service", (globalThis as Host).process?.release?.name].filter(Predicate.isNotUndefined)
  .join(":")

/** Not every host has a process. */
interface Host {
  readonly process?: { readonly release?: { readonly name?: string | undefined } | undefined } | undefined
}
