import { Effect, FileSystem, Semaphore } from "effect"
import { Event, Recorder } from "mvx-metrics"

/**
 * Makes a recorder of another one that also writes the events it accepts to a
 * file, a line of JSON each: within 100 ms, and before a `flush` or a `stop` is
 * over. The file is open as long as the recorder is there.
 *
 * Events wait in memory to be written, however many they are. A write that fails
 * is logged and tried again, and may leave lines twice; a `flush` or `stop` fails
 * with it. Under `overflow: "drop"`, what `registerEvent` drops is in the file
 * all the same.
 */
export const wrap = (options: { readonly file: string; readonly events: Parameters<typeof Event.encode>[0] }) => {
  const encode = Event.encode(options.events)

  return Effect.fnUntraced(function*(base: Recorder.Handle) {
    const fs = yield* FileSystem.FileSystem
    const file = yield* fs.open(options.file, { flag: "a" })
    const accepted: Array<Event.MetricEvent> = []

    const write = Effect.gen(function*() {
      const count = accepted.length
      if (count === 0) return
      const [encoded, errors] = yield* Effect.partition(accepted.slice(), encode)
      if (errors.length > 0) yield* Effect.logError("Events cannot be encoded", ...errors)
      const lines = encoded.map((event) => `${JSON.stringify(event)}\n`)
      yield* file.writeAll(new TextEncoder().encode(lines.join("")))
      accepted.splice(0, count)
    }).pipe(Effect.orDie, Semaphore.makeUnsafe(1).withPermit, Effect.uninterruptible)

    // A recorder that fails is not stopped, and what it had accepted is written all the same.
    yield* Effect.addFinalizer(() => write)
    yield* write.pipe(
      Effect.ignoreCause({ log: "Error" }),
      Effect.delay("100 millis"),
      Effect.forever,
      Effect.forkScoped
    )

    return Recorder.decorate(base, {
      registerEvent: (event) =>
        Effect.uninterruptible(Effect.map(base.registerEvent(event), () => void accepted.push(event))),
      registerEventUnsafe: (event) => base.registerEventUnsafe(event) && accepted.push(event) > 0,
      flush: Effect.andThen(base.flush, write),
      stop: Effect.tap(base.stop, write)
    })
  })
}
