import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { DatagramSocketError } from "effect/socket/DatagramSocket"
import { pause } from "../../../internal/host.ts"
import { MetricsRuntime } from "../../../Runtime.ts"
import { Baseline } from "../Baseline.ts"
import { Collector } from "../Collector.ts"
import { Destination } from "./Destination.ts"
import { type Format, Lines } from "./Lines.ts"
import { maxPayload, Packets } from "./Packets.ts"

export interface ExporterSettings extends Format {
  readonly host: string
  readonly port: number
  readonly mtu: number
}

/**
 * How many bytes go out at a time, and after how many milliseconds the next ones:
 * a server drops what its socket cannot hold, on Linux 208 KiB. Each packet takes
 * more of them than it has.
 */
const burst = 40_000
const overhead = 1_000
const pauseMs = 5

/** Sends what came since it last did. */
export class StatsDExporter {
  private readonly settings: ExporterSettings
  private readonly lines: Lines
  private readonly collector: Collector
  private readonly destination: Destination
  private readonly namespace: string
  private readonly baseline: Baseline
  /** Packets still to be sent. The baseline holds what they say, so they go out before anything else is read. */
  private waiting: Array<string> = []
  private status: "working" | "failing" | "recovering" = "working"
  private failedExports = 0
  private linesLeftOut = 0

  private constructor(settings: ExporterSettings, lines: Lines, collector: Collector, namespace: string) {
    this.settings = settings
    this.lines = lines
    this.collector = collector
    this.baseline = new Baseline(collector)
    this.destination = new Destination(settings.host, settings.port)
    this.namespace = namespace
  }

  static make(settings: ExporterSettings): Effect.Effect<StatsDExporter, never, MetricsRuntime | Scope.Scope> {
    return Effect.gen(function*() {
      const lines = new Lines(settings)
      const { namespace } = yield* MetricsRuntime
      const exporter = new StatsDExporter(settings, lines, yield* Collector.make(lines.target), namespace)
      yield* Effect.addFinalizer(() => exporter.close)
      return exporter
    })
  }

  /** Never fails: what went wrong is counted, and what could not be sent is sent the next time. */
  get run(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const refused = this.destination.refused()
      if (refused !== undefined) yield* this.fail(refused)
      else if (this.status === "recovering") {
        this.status = "working"
        yield* Effect.logInfo(`${this.server} takes metrics again`)
      }
      yield* Effect.catch(this.send, (error) => this.fail(error))
    }).pipe(Effect.annotateLogs("metrics.runtime", this.namespace))
  }

  private get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isLost = this.status === "failing" || this.waiting.length > 0
      return Effect.andThen(
        this.destination.close,
        isLost ? Effect.logWarning(`${this.server} did not take the last metrics: they are lost`) : Effect.void
      )
    }).pipe(Effect.annotateLogs("metrics.runtime", this.namespace))
  }

  private get send(): Effect.Effect<void, DatagramSocketError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.destination.open
      // Where a local server is away, the second packet fails, and the first is lost: this one says nothing new.
      yield* this.destination.send(this.figures)
      yield* this.sendWaiting
      yield* this.collect
      yield* this.sendWaiting
      if (this.status === "failing") this.status = "recovering"
    })
  }

  /** What the exporter says about itself. */
  private get figures(): string {
    const packets = new Packets(maxPayload)
    for (
      const [figure, value] of [["failed_exports", this.failedExports], ["lines_left_out", this.linesLeftOut]] as const
    ) {
      const name = this.lines.nameOf(`mvx_metrics_statsd_${figure}`)
      this.lines.writeGauge(name, { runtime: this.namespace }, value, packets.add)
    }
    return packets.close().join("")
  }

  private get collect(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const packets = new Packets(this.settings.mtu)
      const read = this.baseline.read()
      yield* this.collector.each((point) => this.lines.write(point, read, packets.add))
      this.waiting = packets.close()
      read.commit()
      for (const line of packets.tooLong) yield* this.leaveOut(line)
    })
  }

  private get sendWaiting(): Effect.Effect<void, DatagramSocketError> {
    return Effect.gen({ self: this }, function*() {
      let sent = 0
      while (this.waiting.length > 0) {
        const packet = this.waiting[0]!
        yield* Effect.catchIf(this.destination.send(packet), isTooLarge, () => this.leaveOut(packet))
        this.waiting.shift()
        sent += packet.length + overhead
        if (sent < burst) continue
        // By the host's clock: the server needs the time, and it has no `TestClock`.
        yield* pause(pauseMs)
        sent = 0
      }
    })
  }

  private fail(error: DatagramSocketError): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isFirst = this.status === "working"
      this.failedExports++
      this.status = "failing"
      return Effect.andThen(
        this.destination.close,
        isFirst
          ? Effect.logWarning(`${this.server} does not take metrics: no more is logged until it does`, error)
          : Effect.void
      )
    })
  }

  private leaveOut(lines: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isFirst = this.linesLeftOut === 0
      this.linesLeftOut += lines.split("\n").length
      return isFirst
        ? Effect.logError(`A line too long for a packet is left out, as further ones will be: ${lines.slice(0, 100)}…`)
        : Effect.void
    })
  }

  private get server(): string {
    return `StatsD at ${this.settings.host}:${this.settings.port}`
  }
}

const isTooLarge = ({ reason }: DatagramSocketError): boolean =>
  reason._tag === "DatagramSocketWriteError" && reason.kind === "MessageTooLarge"
