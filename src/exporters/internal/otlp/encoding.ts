/** The metrics of one export as the body of a request. */
import * as HttpBody from "effect/http/HttpBody"
import type { Resource } from "effect/observability/OtlpResource"
import type { OtlpSerialization } from "effect/observability/OtlpSerialization"
import type { Since } from "../Baseline.ts"
import { joined } from "../bytes.ts"
import type { Family, Point } from "../Series.ts"
import { type DataPoint, dataPointOf, type Head, headOf, type OtlpMetric, type Shape } from "./points.ts"
import { contentOf, messageField, MetricWriter, Writer } from "./protobuf.ts"

/** The points of one metric. */
interface Metric {
  add(point: DataPoint): void
}

/** One body in the making. */
interface Sink {
  readonly metric: (head: Head) => Metric
  readonly body: () => HttpBody.HttpBody
}

/** Puts the points of one export in the order of OTLP: by metric. */
export class Message {
  private readonly metrics = new Map<Family, { [shape in Shape]?: Metric }>()
  private readonly sink: Sink
  private readonly isDelta: boolean

  constructor(sink: Sink, isDelta: boolean) {
    this.sink = sink
    this.isDelta = isDelta
  }

  add(point: Point, since: Since): void {
    const { family } = point
    const data = dataPointOf(point, since)
    let metrics = this.metrics.get(family)
    if (metrics === undefined) this.metrics.set(family, metrics = {})
    const metric = metrics[data.shape] ??= this.sink.metric(headOf(family, data.shape, this.isDelta))
    metric.add(data)
  }

  body(): HttpBody.HttpBody {
    return this.sink.body()
  }
}

const scope = { name: "mvx-metrics" }

/** What makes bodies of the content type that the serialisation makes. */
export const sinkOf = (serialization: OtlpSerialization["Service"], resource: Resource): () => Sink => {
  const empty = serialization.metrics({ resourceMetrics: [{ resource, scopeMetrics: [] }] })
  return empty._tag === "Uint8Array" && empty.contentType === protobuf
    ? () => protobufSink(contentOf(empty.body))
    : () => serializedSink(serialization, resource)
}

const protobuf = "application/x-protobuf"

const serializedSink = (serialization: OtlpSerialization["Service"], resource: Resource): Sink => {
  const metrics: Array<OtlpMetric> = []
  return {
    metric: ({ aggregationTemporality, description, isMonotonic, name, shape, unit }) => {
      const dataPoints: Array<DataPoint["data"]> = []
      const data = {
        dataPoints,
        ...(aggregationTemporality === undefined ? {} : { aggregationTemporality }),
        ...(isMonotonic === undefined ? {} : { isMonotonic })
      }
      metrics.push({
        name,
        ...(description === undefined ? {} : { description }),
        ...(unit === undefined ? {} : { unit }),
        [shape]: data
      })
      return { add: ({ data }) => dataPoints.push(data) }
    },
    body: () => serialization.metrics({ resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] })
  }
}

/** `resource` is the encoded field of the resource. */
const protobufSink = (resource: Uint8Array): Sink => {
  const metrics: Array<MetricWriter> = []
  return {
    metric: (head) => {
      const metric = new MetricWriter(head)
      metrics.push(metric)
      return metric
    },
    body: () => {
      const instrumentation = new Writer()
      instrumentation.string(1, scope.name)
      const scopeMetrics = [
        ...messageField(1, [instrumentation.written]),
        ...metrics.flatMap((metric) => metric.field(2))
      ]
      const bytes = joined(messageField(1, [resource, ...messageField(2, scopeMetrics)]))
      return HttpBody.uint8Array(bytes, protobuf)
    }
  }
}
