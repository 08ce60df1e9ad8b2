import { Effect, Stream } from "effect"
import { Sse } from "effect/encoding"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Recorder, Runtime } from "mvx-metrics"
import { Closing } from "./Closing.ts"

/** What all metrics show now, as JSON. */
const snapshots = Runtime.MetricsRuntime.useSync((runtime) =>
  HttpRouter.route("GET", "/snapshots", Effect.map(runtime.snapshots, (all) => HttpServerResponse.jsonUnsafe(all)))
)

/** What all metrics show when somebody begins to listen, and then every change, as server-sent events. */
const changes = Effect.gen(function*() {
  const recorder = yield* Runtime.MetricsRuntime.use((runtime) => runtime.getRecorder("default"))
  const closing = yield* Closing
  const events = recorder.watch.pipe(
    Stream.interruptWhen(closing.await),
    Stream.map((reading) => Sse.encoder.write(eventOf(reading))),
    Stream.encodeText
  )
  const response = HttpServerResponse.stream(events, {
    contentType: "text/event-stream",
    headers: { "cache-control": "no-cache" }
  })
  return HttpRouter.route("GET", "/changes", response)
})

export const layer = HttpRouter.addAll(Effect.all([snapshots, changes]))

const eventOf = (reading: Recorder.Snapshot | Recorder.MetricChange | Recorder.Missed): Sse.Event => {
  switch (reading._tag) {
    case "Snapshot": {
      const { offset, sequence, snapshots } = reading
      return eventWith("snapshot", { sequence, offset, snapshots }, sequence)
    }
    case "Change": {
      const { event, metric, offset, sequence, snapshot } = reading
      return eventWith("change", { sequence, offset, metric, event, snapshot }, sequence)
    }
    case "Missed":
      return eventWith("missed", { count: reading.count })
  }
}

const eventWith = (event: string, data: object, id?: number): Sse.Event => ({
  _tag: "Event",
  event,
  id: id?.toString(),
  data: JSON.stringify(data)
})
