import { Effect, FileSystem, Layer } from "effect"
import { Recorder } from "mvx-metrics"

/**
 * A recorder that forwards each change to a file: opened when the recorder
 * starts, appended to line by line, and closed when it has stopped.
 */
export const layer = (
  options: { readonly file: string } & Omit<Recorder.Options, "onStarting" | "onMetricChanged" | "onStopped">
) =>
  Layer.unwrap(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    // Hooks return nothing, so what `onStarting` opens is handed on here. No other hook runs before it.
    let backend: FileSystem.File
    const write = (line: object) =>
      Effect.suspend(() => backend.writeAll(new TextEncoder().encode(`${JSON.stringify(line)}\n`)))

    return Recorder.layer({
      ...options,
      onStarting: Effect.map(fs.open(options.file, { flag: "a" }), (file) => {
        backend = file
      }),
      onMetricChanged: ({ metric, sequence, snapshot }) =>
        write({ sequence, metric, dimensions: snapshot?.dimensions }),
      onStopped: write({ stopped: options.entityId })
    })
  }))
