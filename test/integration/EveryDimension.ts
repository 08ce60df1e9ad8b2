/** A metric of every built-in dimension, and what Prometheus should have of it. */
import { Schema } from "effect"
import { Event, Metric } from "mvx-metrics"

export class Request extends Event.Class<Request>()("app.request", {
  method: Schema.Literals(["GET", "PUT"]),
  route: Schema.String,
  user: Schema.String,
  durationMs: Schema.Finite,
  bytes: Schema.Finite,
  inFlight: Schema.Literals([1, -1]),
  celsius: Schema.Finite,
  share: Schema.Finite
}) {}

export const Requests = Metric.fromDimensions("app.requests", [Request], (d) => ({
  total: d.count(),
  answered: d.count({ unit: "{request}", when: (e) => e.inFlight < 0 }),
  bytes_total: d.sum((e) => e.bytes, { unit: "By" }),
  busy_ms: d.sum((e) => e.durationMs, { unit: "ms" }),
  in_flight: d.upDown((e) => e.inFlight),
  shortest_ms: d.min((e) => e.durationMs, { unit: "ms" }),
  longest: d.max((e) => e.durationMs, { unit: "ms" }),
  mean_size: d.mean((e) => e.bytes, { unit: "By" }),
  spread: d.variance((e) => e.durationMs, { unit: "ms" }),
  coldest: d.min((e) => e.celsius, { unit: "Cel" }),
  room: d.last((e) => e.celsius, { unit: "Cel" }),
  share: d.last((e) => e.share, { unit: "1" }),
  load: d.last((e) => 100 * e.share, { unit: "%" }),
  never: d.last(() => undefined),
  duration: d.histogram((e) => e.durationMs, { unit: "ms" }),
  temperature: d.histogram((e) => e.celsius, { unit: "Cel", boundaries: [-10, 0, 10] }),
  size: d.exponentialHistogram((e) => e.bytes, { unit: "By" }),
  change: d.exponentialHistogram((e) => e.celsius - 5, { maxSize: 4 }),
  wait_ms: d.quantiles((e) => e.durationMs, { unit: "ms", quantiles: [0, 0.5, 0.99, 1] }),
  users: d.distinct((e) => e.user),
  popular: d.topK((e) => e.route, { k: 3, label: "route" }),
  per_second: d.rate(),
  traffic: d.rate((e) => e.bytes, { unit: "By" }),
  by_method: d.by("method", (e) => e.method, d.count()),
  by_user: d.by("user", (e) => e.user, d.count(), { limit: 3 }),
  by_route: d.by({ method: (e) => e.method, route: (e) => e.route }, d.histogram((e) => e.durationMs, { unit: "ms" })),
  waits: d.by("method", (e) => e.method, d.quantiles((e) => e.durationMs, { quantiles: [0.5] })),
  detail: d.by("method", (e) => e.method, d.struct({ total: d.count(), bytes: d.sum((e) => e.bytes, { unit: "By" }) })),
  nested: d.by("user", (e) => e.user, d.by("method", (e) => e.method, d.max((e) => e.bytes)))
}), { description: "Requests that were answered" })

const users = ["ada", "grace \"the admiral\"", "C:\\alan", "line\nbreak", "🚀 łukasz", ""]
const routes = ["/", "/documents/:id", "/documents/:id", "/{x}", "/a,b=\"c\"\\n"]

/** Requests that differ in everything. */
export const requests = (count: number): ReadonlyArray<Request> =>
  Array.from({ length: count }, (_, index) =>
    new Request({
      method: index % 3 === 0 ? "PUT" : "GET",
      route: routes[index % routes.length]!,
      user: users[index % users.length]!,
      durationMs: (index * index * 7.3) % 12_345,
      bytes: (index * 997) % 4096,
      inFlight: index % 3 === 1 ? -1 : 1,
      celsius: (index % 41) - 20.25,
      share: (index % 10) / 8
    }))

/** How Prometheus has a dimension. */
export interface FamilyName {
  /** In OpenMetrics, so without the suffix of counters. */
  readonly name: string
  /** What one is in the unit that Prometheus has. */
  readonly factor?: number
  readonly unit?: string
}

/** By metric and dimension. */
export type FamilyNames = Readonly<Record<string, Readonly<Record<string, FamilyName>>>>

const seconds = (name: string): FamilyName => ({ name: `${name}_seconds`, factor: 1e-3, unit: "seconds" })
const withUnit = (name: string, unit: string): FamilyName => ({ name: `${name}_${unit}`, unit })

export const names: FamilyNames = {
  "app.requests": {
    total: { name: "app_requests" },
    answered: { name: "app_requests_answered" },
    bytes_total: withUnit("app_requests", "bytes"),
    busy_ms: seconds("app_requests_busy"),
    in_flight: { name: "app_requests_in_flight" },
    shortest_ms: seconds("app_requests_shortest"),
    longest: seconds("app_requests_longest"),
    mean_size: withUnit("app_requests_mean_size", "bytes"),
    "spread.count": { name: "app_requests_spread_count" },
    "spread.mean": seconds("app_requests_spread_mean"),
    "spread.variance": { name: "app_requests_spread_variance_seconds_squared", factor: 1e-6, unit: "seconds_squared" },
    "spread.stddev": seconds("app_requests_spread_stddev"),
    coldest: withUnit("app_requests_coldest", "celsius"),
    room: withUnit("app_requests_room", "celsius"),
    share: { name: "app_requests_share" },
    load: { name: "app_requests_load_ratio", factor: 1e-2, unit: "ratio" },
    duration: seconds("app_requests_duration"),
    temperature: withUnit("app_requests_temperature", "celsius"),
    size: withUnit("app_requests_size", "bytes"),
    change: { name: "app_requests_change" },
    wait_ms: seconds("app_requests_wait"),
    users: { name: "app_requests_users" },
    popular: { name: "app_requests_popular" },
    per_second: withUnit("app_requests", "per_second"),
    traffic: withUnit("app_requests_traffic", "bytes_per_second"),
    by_method: { name: "app_requests_by_method" },
    by_user: { name: "app_requests_by_user" },
    by_route: seconds("app_requests_by_route"),
    waits: { name: "app_requests_waits" },
    "detail.total": { name: "app_requests_detail" },
    "detail.bytes": withUnit("app_requests_detail", "bytes"),
    nested: { name: "app_requests_nested" }
  }
}
