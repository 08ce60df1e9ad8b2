import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import type { MetricEvent } from "../../Event.ts"
import { InvalidOptionError } from "../../internal/InvalidOptionError.ts"
import type { Source } from "../Laws.ts"

/** Events that are folded at one time, those with a `time` of their own excepted. */
export interface Part {
  readonly time: number
  readonly events: ReadonlyArray<MetricEvent>
}

export type Parts = readonly [Part, Part, Part]

export const mapParts = (
  [xs, ys, zs]: Parts,
  f: (part: Part, at: number) => Part
): Parts => [f(xs, 0), f(ys, 1), f(zs, 2)]

/** Between the parts: none, a moment, a slice of a rate, the window of one, and more than that. */
const gaps = [0, 1, 1_000, 60_000, 120_000]

/** No time of an event is 0: that is what an initial state may say. */
const firstTime = 1

const anyEvent = (sources: ReadonlyArray<Source>): Arbitrary.Arbitrary<MetricEvent> => {
  if (!Array.isArray(sources) || sources.length === 0) {
    throw InvalidOptionError.of("events", sources, "one or more schemas or arbitraries of events")
  }
  const arbitraries = sources.map((source) => Arbitrary.isArbitrary(source) ? source : Arbitrary.schema(source))
  const anyIndex = Arbitrary.schema(Schema.Literals(Array.from(arbitraries.keys())))
  return Arbitrary.flatMap(anyIndex, (index) => arbitraries[index]!)
}

/** Up to three times ten events, or whatever the size of the check is. */
export const anyParts = (sources: ReadonlyArray<Source>): Arbitrary.Arbitrary<Parts> => {
  const events = Arbitrary.array(anyEvent(sources))
  const gap = Arbitrary.schema(Schema.Literals(gaps))
  return Arbitrary.map(Arbitrary.all([events, events, events, gap, gap]), ([xs, ys, zs, first, second]): Parts => [
    { time: firstTime, events: xs },
    { time: firstTime + first, events: ys },
    { time: firstTime + first + second, events: zs }
  ])
}

/**
 * No part begins before the one before it has ended. Where events have a time of
 * their own, those without one are left out: their batch cannot be between them.
 */
export const inOrder = (parts: Parts): Parts => {
  const timed = parts.flatMap((part) => part.events.filter(hasTime)).toSorted((a, b) => a.time - b.time)
  if (timed.length === 0) return mapParts(parts, (part, at) => ({ ...part, time: part.time + at }))
  let from = 0
  let count = 0
  return mapParts(parts, ({ events }) => {
    count += events.filter(hasTime).length
    let to = Math.max(from, count)
    while (to > 0 && to < timed.length && timed[to]!.time === timed[to - 1]!.time) to++
    const part = { time: firstTime, events: timed.slice(from, to) }
    from = to
    return part
  })
}

const hasTime = (event: MetricEvent): event is MetricEvent & { readonly time: number } =>
  Number.isFinite((event as { readonly time?: unknown }).time)

/** The parts with events, those that do not differ in their time being one. */
export const joined = (parts: Parts): ReadonlyArray<Part> => {
  const joined: Array<Part> = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (last === undefined || last.events.length === 0) joined.splice(-1, 1, part)
    else if (last.time === part.time) joined.splice(-1, 1, { ...part, events: [...last.events, ...part.events] })
    else if (part.events.length > 0) joined.push(part)
  }
  return joined
}
