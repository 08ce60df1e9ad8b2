import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import type { Metric } from "mvx-metrics"
import { familyName, prometheusTargets, unitOf } from "../../../../src/exporters/internal/prometheus/names.ts"

type Name = readonly [
  metric: string,
  dimension: string,
  kind: Metric.InstrumentKind,
  unit: string | undefined,
  base: string,
  asIs: string
]

const nameOf = (units: "base" | "asIs", [metric, dimension, kind, unit]: Name) =>
  prometheusTargets[units].nameOf({ metric, dimension, kind, unit })

describe("the name of a series", () => {
  it.each<Name>([
    ["cache.hits", "total", "counter", undefined, "cache_hits_total", "cache_hits_total"],
    ["cache.hits", "failure_total", "counter", undefined, "cache_hits_failure_total", "cache_hits_failure_total"],
    ["cache", "hits", "counter", undefined, "cache_hits_total", "cache_hits_total"],
    ["cache", "by_route.total", "counter", undefined, "cache_by_route_total", "cache_by_route_total"],
    ["cache", "total.of", "counter", undefined, "cache_total_of_total", "cache_total_of_total"],
    ["cache", "size", "gauge", undefined, "cache_size", "cache_size"],
    ["cache", "size", "upDownCounter", undefined, "cache_size", "cache_size"],
    ["cache", "size", "gauge", "1", "cache_size", "cache_size"],
    ["cache", "size", "gauge", "{entry}", "cache_size", "cache_size"],
    ["cache", "hits", "counter", "{request}", "cache_hits_total", "cache_hits_total"],
    // The unit is there once, and in the unit of Prometheus.
    ["saves", "duration", "histogram", "ms", "saves_duration_seconds", "saves_duration"],
    ["saves", "duration_ms", "histogram", "ms", "saves_duration_seconds", "saves_duration_ms"],
    ["saves", "duration_ms_total", "counter", "ms", "saves_duration_seconds_total", "saves_duration_ms_total"],
    ["saves", "total", "counter", "ms", "saves_seconds_total", "saves_total"],
    ["saves", "latency_ms.max", "gauge", "ms", "saves_latency_max_seconds", "saves_latency_ms_max"],
    ["saves", "millis", "gauge", "ms", "saves_seconds", "saves_millis"],
    ["saves", "milliseconds_spent", "gauge", "ms", "saves_spent_seconds", "saves_milliseconds_spent"],
    ["saves", "ms_ms", "gauge", "ms", "saves_ms_seconds", "saves_ms_ms"],
    ["saves", "ms_in_ms", "gauge", "ms", "saves_ms_in_seconds", "saves_ms_in_ms"],
    ["saves", "forms", "gauge", "ms", "saves_forms_seconds", "saves_forms"],
    ["saves", "seconds", "summary", "s", "saves_seconds", "saves_seconds"],
    ["saves", "seconds.max", "gauge", "s", "saves_seconds_max", "saves_seconds_max"],
    ["saves_seconds", "total", "counter", "s", "saves_seconds_total", "saves_seconds_total"],
    ["saves", "milliseconds", "gauge", "s", "saves_milliseconds_seconds", "saves_milliseconds"],
    ["ms", "mean", "gauge", "ms", "ms_mean_seconds", "ms_mean"],
    ["http", "bytes_received", "counter", "By", "http_bytes_received_total", "http_bytes_received_total"],
    ["http", "received", "counter", "By", "http_received_bytes_total", "http_received_total"],
    ["http", "received_kb", "gauge", "kBy", "http_received_bytes", "http_received_kb"],
    ["http", "By", "gauge", "By", "http_bytes", "http_By"],
    // Without a unit, nothing is taken away.
    ["saves", "duration_ms", "gauge", undefined, "saves_duration_ms", "saves_duration_ms"],
    // Of all other units.
    ["m", "age", "gauge", "ns", "m_age_seconds", "m_age"],
    ["m", "age_us", "gauge", "us", "m_age_seconds", "m_age_us"],
    ["m", "age_minutes", "gauge", "min", "m_age_seconds", "m_age_minutes"],
    ["m", "age_h", "gauge", "h", "m_age_seconds", "m_age_h"],
    ["m", "age_days", "gauge", "d", "m_age_seconds", "m_age_days"],
    ["m", "size_bits", "gauge", "bit", "m_size_bytes", "m_size_bits"],
    ["m", "size_mb", "gauge", "MBy", "m_size_bytes", "m_size_mb"],
    ["m", "size_GBy", "gauge", "GBy", "m_size_bytes", "m_size_GBy"],
    ["m", "size", "gauge", "TBy", "m_size_bytes", "m_size"],
    ["m", "size_kibibytes", "gauge", "KiBy", "m_size_bytes", "m_size_kibibytes"],
    ["m", "size_mib", "gauge", "MiBy", "m_size_bytes", "m_size_mib"],
    ["m", "size", "gauge", "GiBy", "m_size_bytes", "m_size"],
    ["m", "size", "gauge", "TiBy", "m_size_bytes", "m_size"],
    ["m", "way", "gauge", "mm", "m_way_meters", "m_way"],
    ["m", "way", "gauge", "cm", "m_way_meters", "m_way"],
    ["m", "way", "gauge", "m", "m_way_meters", "m_way"],
    ["m", "way_km", "gauge", "km", "m_way_meters", "m_way_km"],
    ["m", "mass", "gauge", "mg", "m_mass_grams", "m_mass"],
    ["m", "mass", "gauge", "g", "m_mass_grams", "m_mass"],
    ["m", "mass_kilograms", "gauge", "kg", "m_mass_grams", "m_mass_kilograms"],
    ["m", "energy", "counter", "J", "m_energy_joules_total", "m_energy_total"],
    ["m", "energy", "counter", "kJ", "m_energy_joules_total", "m_energy_total"],
    ["m", "power", "gauge", "mW", "m_power_watts", "m_power"],
    ["m", "power", "gauge", "W", "m_power_watts", "m_power"],
    ["m", "power", "gauge", "kW", "m_power_watts", "m_power"],
    ["m", "voltage", "gauge", "mV", "m_voltage_volts", "m_voltage"],
    ["m", "voltage", "gauge", "V", "m_voltage_volts", "m_voltage"],
    ["m", "current", "gauge", "mA", "m_current_amperes", "m_current"],
    ["m", "current", "gauge", "A", "m_current_amperes", "m_current"],
    ["m", "clock", "gauge", "Hz", "m_clock_hertz", "m_clock"],
    ["m", "clock", "gauge", "kHz", "m_clock_hertz", "m_clock"],
    ["m", "clock", "gauge", "MHz", "m_clock_hertz", "m_clock"],
    ["m", "outside", "gauge", "Cel", "m_outside_celsius", "m_outside"],
    ["m", "load", "gauge", "%", "m_load_ratio", "m_load"],
    ["m", "load_percent", "gauge", "%", "m_load_ratio", "m_load_percent"],
    ["m", "width", "gauge", "[px]", "m_width_px", "m_width"],
    // Rates and squares.
    ["m", "rate", "gauge", "1/s", "m_rate_per_second", "m_rate"],
    ["m", "rate", "gauge", "{request}/s", "m_rate_per_second", "m_rate"],
    ["m", "rate", "gauge", "/min", "m_rate_per_second", "m_rate"],
    ["m", "per_second", "gauge", "1/s", "m_per_second", "m_per_second"],
    ["m", "traffic", "gauge", "By/s", "m_traffic_bytes_per_second", "m_traffic"],
    ["m", "traffic_kb", "gauge", "kBy/s", "m_traffic_bytes_per_second", "m_traffic_kb"],
    ["m", "speed", "gauge", "m/s", "m_speed_meters_per_second", "m_speed"],
    ["m", "density", "gauge", "g/m", "m_density", "m_density"],
    ["m", "odd", "gauge", "m/s/s", "m_odd", "m_odd"],
    ["m", "area", "gauge", "m2", "m_area_meters_squared", "m_area"],
    ["m", "spread.variance", "gauge", "(ms)2", "m_spread_variance_seconds_squared", "m_spread_variance"],
    ["m", "spread_ms", "gauge", "(ms)2", "m_spread_seconds_squared", "m_spread_ms"],
    ["m", "energy", "gauge", "kWh", "m_energy_kwh", "m_energy"],
    ["m", "energy_kWh", "gauge", "kWh", "m_energy_kwh", "m_energy_kWh"],
    // Names of one's own.
    ["m", "x_total", "gauge", undefined, "m_x_total", "m_x_total"],
    ["a-b c", "d.e", "gauge", undefined, "a_b_c_d_e", "a_b_c_d_e"],
    ["2xx", "total", "counter", undefined, "_2xx_total", "_2xx_total"],
    ["", "", "gauge", undefined, "_", "_"],
    ["größe", "🚀", "gauge", undefined, "gr__e__", "gr__e__"],
    ["a:b", "c{d=\"e\"}\n", "gauge", undefined, "a_b_c_d__e___", "a_b_c_d__e___"],
    ["m", "total_total", "counter", undefined, "m_total_total", "m_total_total"]
  ])("%s, %s, %s of %s", (...name) => {
    assert.deepStrictEqual([nameOf("base", name), nameOf("asIs", name)], [name[4], name[5]])
  })

  it.prop("is one that Prometheus can take, whatever the code says", [
    Schema.String,
    Schema.String,
    Schema.Literals(["counter", "upDownCounter", "gauge", "histogram", "summary"]),
    Arbitrary.schema(Schema.Union([Schema.Undefined, Schema.String]))
  ], ([metric, dimension, kind, unit]) => {
    for (const target of [prometheusTargets.base, prometheusTargets.asIs]) {
      const name = target.nameOf({ metric, dimension, kind, unit })
      assert.match(name, /^[a-zA-Z_][a-zA-Z0-9_]*$/)
      assert.match(target.labelOf(metric), /^[a-zA-Z_][a-zA-Z0-9_]*$/)
      assert.strictEqual(name.endsWith("_total") && kind === "counter", kind === "counter")
      assert.include(target.namesOf(name, kind), name)
    }
  })
})

describe("the names that a series takes", () => {
  it("are all that OpenMetrics makes of it", () => {
    const { namesOf } = prometheusTargets.base
    assert.deepStrictEqual(namesOf("a_total", "counter"), ["a", "a_total", "a_created"])
    assert.deepStrictEqual(namesOf("a", "gauge"), ["a"])
    assert.deepStrictEqual(namesOf("a", "upDownCounter"), ["a"])
    assert.deepStrictEqual(namesOf("a", "histogram"), ["a", "a_bucket", "a_sum", "a_count", "a_created"])
    assert.deepStrictEqual(namesOf("a", "summary"), ["a", "a_sum", "a_count", "a_created"])
  })

  it("are those of a family, which has no suffix of counters", () => {
    assert.deepStrictEqual(
      [familyName("a_total", "counter"), familyName("a_total", "gauge"), familyName("a", "histogram")],
      ["a", "a_total", "a"]
    )
  })
})

describe("the names of labels", () => {
  it.each([
    ["method", "method"],
    ["http.route", "http_route"],
    ["otel.metric.overflow", "otel_metric_overflow"],
    ["2nd", "_2nd"],
    ["", "_"],
    ["naïve 🚀", "na_ve__"]
  ])("%j", (label, name) => {
    assert.strictEqual(prometheusTargets.base.labelOf(label), name)
  })

  it("that a target needs for itself are those of buckets and quantiles, where there are any", () => {
    const { reserved } = prometheusTargets.base
    assert.deepStrictEqual(
      (["counter", "upDownCounter", "gauge", "histogram", "summary"] as const).map((kind) => reserved(kind).toSorted()),
      [["__name__"], ["__name__"], ["__name__"], ["__name__", "le"], ["__name__", "quantile"]]
    )
  })
})

describe("the unit of Prometheus", () => {
  /** What a number becomes. */
  const converted = (code: string, value: number) => {
    const { per, times } = unitOf(code)!
    return value * times / per
  }

  it.each([
    ["ns", 5e9, 5],
    ["us", 5e6, 5],
    ["ms", 5, 0.005],
    ["s", 5, 5],
    ["min", 2, 120],
    ["h", 2, 7_200],
    ["d", 2, 172_800],
    ["bit", 12, 1.5],
    ["By", 5, 5],
    ["kBy", 5, 5_000],
    ["MBy", 5, 5e6],
    ["GBy", 5, 5e9],
    ["TBy", 5, 5e12],
    ["KiBy", 5, 5_120],
    ["MiBy", 1, 1_048_576],
    ["GiBy", 1, 1_073_741_824],
    ["TiBy", 1, 1_099_511_627_776],
    ["mm", 5, 0.005],
    ["cm", 5, 0.05],
    ["m", 5, 5],
    ["km", 5, 5_000],
    ["mg", 5, 0.005],
    ["g", 5, 5],
    ["kg", 5, 5_000],
    ["J", 5, 5],
    ["kJ", 5, 5_000],
    ["mW", 5, 0.005],
    ["W", 5, 5],
    ["kW", 5, 5_000],
    ["mV", 5, 0.005],
    ["V", 5, 5],
    ["mA", 5, 0.005],
    ["A", 5, 5],
    ["Hz", 5, 5],
    ["kHz", 5, 5_000],
    ["MHz", 5, 5e6],
    ["Cel", 5, 5],
    ["%", 5, 0.05],
    ["[px]", 5, 5],
    ["1/s", 5, 5],
    ["1/min", 120, 2],
    ["1/ms", 5, 5_000],
    ["By/h", 7_200, 2],
    ["kBy/min", 60, 1_000],
    ["m2", 5, 5],
    ["(ms)2", 5, 0.000005],
    ["ms2", 5, 0.000005],
    ["(KiBy)2", 1, 1_048_576],
    ["By{payload}", 5, 5]
  ])("of %s makes %d to %d", (code, value, expected) => {
    assert.strictEqual(converted(code, value), expected)
  })

  it.each([undefined, "1", "", "{request}", "{a}{b}", "g/m", "m/s/s", "°"])("of %s is none", (code) => {
    assert.isUndefined(unitOf(code))
  })
})
