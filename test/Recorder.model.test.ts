/**
 * Random walks through the life of a recorder, compared after each step with a
 * model of what a recorder is.
 *
 * A walk is a list of commands: emit, register, start, stop, read, subscribe,
 * let a hook succeed or fail, let a second pass, close the scope, and so on. The
 * model is told only what no test can determine: how many events the dispatcher
 * has folded so far, which change `onMetricChanged` was given next, and which of
 * two things came first that may come in either order. From that it knows
 * everything else: each outcome, each status, each snapshot, each number.
 *
 * A walk that fails is made shorter, and printed with a token for running it
 * again:
 *
 * - `RECORDER_REPLAY='<token>'` runs that walk alone
 * - `RECORDER_SEED=<seed>` runs all walks of a seed, the second entry of the token
 * - `RECORDER_WALKS=<number>` runs more walks, or fewer
 */
import { assert, describe, it } from "@effect/vitest"
import {
  Arbitrary,
  Cause,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Formatter,
  Latch,
  Logger,
  Option,
  References,
  Schema,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { Event, Metric, Recorder } from "mvx-metrics"
import { isDeepStrictEqual } from "node:util"

// -----------------------------------------------------------------------------
// what is stated, and what is measured
// -----------------------------------------------------------------------------

class Hit extends Event.Class<Hit>()("hit", { n: Schema.Int }) {}
class Put extends Event.Class<Put>()("put", { n: Schema.Int }) {}
class Miss extends Event.Class<Miss>()("miss", { n: Schema.Int }) {}

/** The reducer of `Fragile` throws on it. */
class Poison extends Event.Class<Poison>()("poison", { n: Schema.Int }) {}

/** `onMetricChanged` fails on the changes that it makes. */
class Sour extends Event.Class<Sour>()("sour", { n: Schema.Int }) {}

/** `onMetricChanged` stops the recorder, from inside. */
class Quit extends Event.Class<Quit>()("quit", { n: Schema.Int }) {}

const classes = { hit: Hit, put: Put, miss: Miss, poison: Poison, sour: Sour, quit: Quit }

type Fact = Hit | Put | Miss | Poison | Sour | Quit

const garbage: ReadonlyArray<unknown> = [
  null,
  undefined,
  42,
  "hit",
  {},
  { _tag: 7 },
  {
    get _tag(): string {
      throw new Error("garbage")
    }
  }
]

const Hits = Metric.make("hits", {
  events: [Hit, Poison],
  initial: { total: 0 },
  reduce: (s) => Option.some({ total: s.total + 1 })
})

/** Ignores every other event that it is offered. */
const EvenPuts = Metric.make("even_puts", {
  events: [Put],
  initial: { total: 0, sum: 0 },
  reduce: (s, e) => e.n % 2 === 0 ? Option.some({ total: s.total + 1, sum: s.sum + e.n }) : Option.none()
})

/** Is offered every event, and shows in which order they came. */
const Trail = Metric.make("trail", {
  initial: { length: 0, digest: 0 },
  reduce: (s, e: Fact) => Option.some({ length: s.length + 1, digest: (s.digest * 31 + e.n) % 1_000_003 })
})

const Fragile = Metric.make("fragile", {
  events: [Hit, Put, Poison],
  initial: { total: 0 },
  reduce: (s, e) => {
    if (e._tag === "poison") throw new Error("poison")
    return Option.some({ total: s.total + 1 })
  }
})

/** Has a view that throws now and then. */
const Blurred = Metric.make("blurred", {
  events: [Hit, Miss, Sour],
  initial: { total: 0 },
  reduce: (s) => Option.some({ total: s.total + 1 }),
  dimensions: (s) => {
    if (s.total % 3 === 2) throw new Error("blurred")
    return s
  }
})

/** Another metric under the name of `Hits`. */
const Impostor = Metric.rename(Trail, "hits")

const metrics: Readonly<Record<string, Metric.Any>> = { Hits, EvenPuts, Trail, Fragile, Blurred, Impostor }

const breaks = (metric: Metric.Any, event: Event.MetricEvent) => metric === Fragile && event._tag === "poison"

const isOffered = (metric: Metric.Any, event: Event.MetricEvent) =>
  metric.tags === undefined || metric.tags.includes(event._tag)

// -----------------------------------------------------------------------------
// walks
// -----------------------------------------------------------------------------

/** A hook ends at once, or when a command says how; a stubborn one cannot be interrupted meanwhile. */
const HookKind = Schema.Literals(["none", "none", "instant", "gated", "gated", "stubborn"])
type HookKind = typeof HookKind.Type

const Options = Schema.Struct({
  capacity: Schema.Literals([10_000, 1, 2, 3, 5, 8]),
  overflow: Schema.Literals(["fold", "drop", "fail"]),
  onDefect: Schema.Literals(["isolate", "isolate", "fail"]),
  linger: Schema.Literals([0, 5, 60_000]),
  onStarting: Schema.Literals(["none", ...HookKind.literals]),
  onStopped: HookKind,
  onMetricChanged: HookKind,
  /** The hooks flush and read. */
  hooksRead: Schema.Literals([false, false, true]),
  metrics: Schema.Literals(["all", "all", "all", "none"])
})
type Options = typeof Options.Type

/** How long each part of a stop may take, in seconds. */
const stopTimeout = 2

const Ending = Schema.Literals(["succeeds", "succeeds", "succeeds", "fails", "dies"])
type Ending = typeof Ending.Type

const Index = Schema.Literals([0, 1, 2, 3])
const Kind = Schema.Literals(["hit", "hit", "hit", "put", "put", "put", "miss", "sour", "quit", "poison", "garbage"])

const command = <const Do extends string, const Fields extends Schema.Struct.Fields>(name: Do, fields: Fields) =>
  Schema.Struct({ do: Schema.Literal(name), ...fields })

/** The commands, each with its weight. */
const weighted = [
  [14, command("emit", { kinds: Schema.Array(Kind).check(Schema.isBetweenLength(1, 6)) })],
  [4, command("hand over", { kind: Kind })],
  [2, command("burst", { kind: Kind, count: Schema.Literals([10, 40, 300]) })],
  [4, command("register", { metric: Schema.Literals([...Object.keys(metrics), "garbage"]) })],
  [3, command("unregister", { metric: Schema.Literals(Object.keys(metrics)) })],
  [4, command("start", { thenClose: Schema.Literals([false, false, false, true]) })],
  [4, command("stop", { thenRestart: Schema.Literals([false, true]) })],
  [4, command("flush", {})],
  [2, command("interrupt", { caller: Index })],
  [2, command("snapshots", {})],
  [2, command("snapshotsUnsafe", {})],
  [2, command("snapshot", { metric: Schema.Literals(Object.keys(metrics)) })],
  [2, command("capture", {})],
  [3, command("subscribe", { to: Schema.Literals(["changes", "watch"]), blocked: Schema.Literals([false, true]) })],
  [1, command("unsubscribe", { reader: Index })],
  [2, command("block", { reader: Index, blocked: Schema.Literals([false, true]) })],
  [4, command("start hook", { ending: Ending })],
  [3, command("stop hook", { ending: Ending })],
  [4, command("change hook", { times: Schema.Literals([1, 2, 20]) })],
  [4, command("second", {})],
  [1, command("close", {})]
] as const
type Command = typeof weighted[number][1]["Type"]

/** A command, after which the recorder has the time to do all that it does by itself, or the next follows at once. */
interface Step {
  readonly command: Command
  readonly atOnce: boolean
}

const anyCommand: Arbitrary.Arbitrary<Command> = Arbitrary.flatMap(
  Arbitrary.schema(Schema.Literals(weighted.flatMap(([weight], index) => Array.from({ length: weight }, () => index)))),
  (index) => compiled[index]!
)
const compiled = weighted.map(([, schema]) => Arbitrary.schema(schema as Schema.Schema<Command>))

const anySteps: Arbitrary.Arbitrary<ReadonlyArray<Step>> = Arbitrary.array(
  Arbitrary.all({ command: anyCommand, atOnce: Arbitrary.schema(Schema.Literals([false, false, false, true])) }),
  { maxLength: 10 }
)

const lastSteps: ReadonlyArray<Step> = [
  { command: { do: "snapshotsUnsafe" }, atOnce: false },
  { command: { do: "close" }, atOnce: false }
]

const anyWalk = Arbitrary.all({
  options: Arbitrary.schema(Options),
  steps: Arbitrary.map(Arbitrary.all([anySteps, anySteps, anySteps]), (steps) => [...steps.flat(), ...lastSteps])
})

const describeStep = ({ atOnce, command: { do: name, ...rest } }: Step) =>
  [name, ...Object.values(rest).map(String), ...(atOnce ? ["at once"] : [])].join(", ")

// -----------------------------------------------------------------------------
// the model
// -----------------------------------------------------------------------------

/** How a call ends, in words, once that is known. */
class Outcome {
  text = "waiting"
  private listeners: Array<(text: string) => void> = []

  static of(text: string): Outcome {
    const outcome = new Outcome()
    outcome.resolve(text)
    return outcome
  }

  resolve(text: string): void {
    if (this.text !== "waiting") return
    this.text = text
    for (const listener of this.listeners) listener(text)
  }

  whenKnown(listener: (text: string) => void): void {
    if (this.text === "waiting") this.listeners.push(listener)
    else listener(this.text)
  }
}

/** A metric in its place: what it makes of the events accepted since its registration. */
interface Place {
  readonly metric: Metric.Any
  /** How many events were accepted before. */
  readonly from: number
  state: unknown
}

interface Change {
  readonly metric: Metric.Any
  readonly event: Event.MetricEvent
  readonly state: unknown
  readonly offset: number
}

/**
 * Whoever is given changes: `onMetricChanged`, or a subscriber. What it has not
 * taken yet waits in a buffer of `capacity` changes; older ones are skipped.
 * Sequence numbers begin with 1.
 */
class Reader {
  private readonly model: Model
  /** It is given the changes that events behind this offset make. */
  private readonly from: number
  private taken = 0
  private left = 0

  constructor(model: Model, from: number) {
    this.model = model
    this.from = from
  }

  /** The last change that is behind the reader: taken, skipped, or before its time. */
  get last(): number {
    return Math.max(this.taken, this.model.changes.findLastIndex(({ offset }) => offset <= this.from) + 1)
  }

  private get newest(): number {
    return Math.max(this.last, this.model.changes.length)
  }

  /** The oldest change in the buffer, `undefined` when there is none. */
  get first(): number | undefined {
    const { last, newest } = this
    return last < newest ? Math.max(last + 1, newest - this.model.options.capacity + 1) : undefined
  }

  /** How many changes it did not get, and will not get. */
  get skipped(): number {
    return this.left + (this.first === undefined ? 0 : this.first - this.last - 1)
  }

  /** It took the next change, and says whether that could be. */
  take(sequence: number): boolean {
    const { first, last } = this
    const possible = first !== undefined && (sequence === last + 1 || sequence > last && sequence <= first)
    this.left += sequence - last - 1
    this.taken = sequence
    return possible
  }

  /** It is given no more of the changes so far. */
  leave(): void {
    this.left += this.newest - this.last
    this.taken = this.newest
  }
}

/** What is done once a recorder accepts no more: the rest of the fold and of the delivery, `onStopped`, the release. */
interface Teardown {
  readonly isStop: boolean
  readonly delivers: boolean
  readonly runsOnStopped: boolean
  phase: "onStarting" | "delivery" | "onStopped"
  /** When the phase may take no longer, in seconds. */
  deadline: number
  timedOut: boolean
  failed: boolean
}

/** What is seen of a recorder that has settled. */
interface Seen {
  readonly history: ReadonlyArray<string>
  /** Why it failed. */
  readonly cause: string | undefined
  readonly folded: number
  /** How often `onStarting` ran. */
  readonly starts: number
  /** The runs of `onMetricChanged`. */
  readonly runs: ReadonlyArray<Run>
}

interface Run {
  readonly change: Recorder.MetricChange
  outcome: "running" | "ended" | "failed" | "interrupted"
}

class Model {
  readonly options: Options
  /** Seconds. */
  now = 0

  // the way of an event
  readonly accepted: Array<Event.MetricEvent> = []
  readonly places: Array<Place> = []
  readonly changes: Array<Change> = []
  folded = 0
  private discarded = 0
  private ignored = 0
  private highWater = 0
  private readonly droppedByTag: Record<string, number> = {}
  readonly refused = { invalidEvent: 0, invalidState: 0, overflow: 0 }
  readonly defects: Record<string, number> = {}
  private readonly kindsOfDefects = new Set<string>()
  /** How many kinds of defects each metric had: each is logged once. */
  readonly loggedDefects: Record<string, number> = {}

  // the life of a recorder
  status: Recorder.RecorderStatus["_tag"] = "Virgin"
  readonly history: Array<string> = ["Virgin"]
  private report = ""
  private cause = ""
  closed = false
  private started = new Outcome()
  private stopped = new Outcome()
  private closing = new Outcome()
  private teardown: Teardown | undefined

  // the hooks
  /** What is known of the run of a hook: whether it waits for a command, or how it ends. */
  private startHook: Ending | "waiting" | undefined
  private stopHook: Ending | "waiting" | undefined
  /** How often the hooks ran. */
  readonly runs = { onStarting: 0, onStopped: 0 }
  /** `onStarting` has acquired something that is not released. */
  holding = false
  readonly readers: Array<Reader> = []
  private readonly hookReader: Reader | undefined
  /** How many runs of `onMetricChanged` were followed, and the change that the last one still works on. */
  private followed = 0
  private current: number | undefined
  private readonly flushes: Array<{ readonly upTo: number; readonly outcome: Outcome }> = []

  constructor(options: Options) {
    this.options = options
    if (options.onMetricChanged !== "none") {
      this.hookReader = new Reader(this, 0)
      this.readers.push(this.hookReader)
    }
  }

  get pending(): number {
    return this.accepted.length - this.folded - this.discarded
  }

  get accepts(): boolean {
    return this.status === "Virgin" || this.status === "Starting" || this.status === "Running"
  }

  private get hasHooks(): boolean {
    const { onMetricChanged, onStarting, onStopped } = this.options
    return onMetricChanged !== "none" || onStarting !== "none" || onStopped !== "none"
  }

  // --- events -----------------------------------------------------------------

  /**
   * An event is handed over. `answer` is what the recorder said: under
   * `overflow: "fold"` a full queue is folded in part, and whether that part
   * held an event that ends the recorder is not for the model to know.
   */
  emit(event: unknown, answer: boolean): string {
    if (garbage.includes(event)) return this.refuse("invalidEvent", "InvalidEventError")
    if (this.status === "Virgin") this.begin()
    if (!this.accepts) return this.refuse("invalidState", this.invalidState("registerEvent"))
    const { capacity, overflow } = this.options
    if (this.pending >= capacity) {
      if (overflow === "drop") {
        const tag = (event as Fact)._tag
        this.droppedByTag[tag] = (this.droppedByTag[tag] ?? 0) + 1
        return "dropped"
      }
      if (overflow === "fail") {
        return this.refuse("overflow", `QueueOverflowError: ${this.pending} of ${capacity}`)
      }
      if (!answer && this.poisonIsPending) {
        this.foldAll()
        return this.refuse("invalidState", this.invalidState("registerEvent"))
      }
    }
    this.accepted.push(event as Fact)
    this.highWater = Math.max(this.highWater, Math.min(this.pending, capacity))
    return "accepted"
  }

  private refuse(reason: keyof typeof this.refused, text: string): string {
    this.refused[reason]++
    return text
  }

  /** The dispatcher, or a read, folds up to here. */
  foldTo(folded: number): void {
    while (this.pending > 0 && this.folded < folded && this.foldNext());
  }

  foldAll(): void {
    this.foldTo(Infinity)
  }

  private foldNext(): boolean {
    const event = this.accepted[this.folded]!
    const places = this.places.filter(({ from, metric }) => from <= this.folded && isOffered(metric, event))
    const broken = places.find(({ metric }) => breaks(metric, event))
    if (broken !== undefined) {
      this.countDefect("reducer", broken.metric)
      if (this.options.onDefect === "fail") {
        this.fail("poison")
        return false
      }
    }
    this.folded++
    let taken = false
    for (const place of places) {
      if (place === broken) continue
      const next = place.metric.reduce(place.state, event, { time: 0 })
      if (Option.isNone(next)) continue
      taken = true
      place.state = next.value
      this.changes.push({ metric: place.metric, event, state: next.value, offset: this.folded })
    }
    if (!taken) this.ignored++
    return true
  }

  private countDefect(kind: string, metric: Metric.Any): void {
    const { name } = metric
    this.defects[name] = (this.defects[name] ?? 0) + 1
    if (this.kindsOfDefects.has(`${kind} of ${name}`)) return
    this.kindsOfDefects.add(`${kind} of ${name}`)
    this.loggedDefects[name] = (this.loggedDefects[name] ?? 0) + 1
  }

  /** An event that ends the recorder is accepted and not folded yet. */
  private get poisonIsPending(): boolean {
    return this.options.onDefect === "fail" && this.pending > 0 &&
      this.accepted.slice(this.folded).some((event, index) =>
        this.places.some(({ from, metric }) => from <= this.folded + index && breaks(metric, event))
      )
  }

  // --- metrics and reading ----------------------------------------------------

  register(metric: unknown): string {
    if (!Metric.isMetric(metric)) return "InvalidMetricError"
    if (!this.accepts) return this.invalidState("registerMetric")
    const found = this.places.find((place) => place.metric.name === metric.name)
    if (found !== undefined) return found.metric === metric ? "success" : `MetricNameTakenError: ${metric.name}`
    this.places.push({ metric, from: this.accepted.length, state: metric.initial })
    return "success"
  }

  unregister(name: string): boolean {
    const index = this.places.findIndex(({ metric }) => metric.name === name)
    if (index >= 0) this.places.splice(index, 1)
    return index >= 0
  }

  /** The state of a metric, from the start: the fold of the accepted events since its registration. */
  stateOf({ from, metric }: Place): unknown {
    return Metric.fold(metric, this.accepted.slice(from, this.folded).filter((event) => !breaks(metric, event)))
  }

  /** The view of a metric, `undefined` when it throws. */
  view(metric: Metric.Any, state: unknown): Metric.MetricSnapshot | undefined {
    try {
      return Metric.snapshot(metric, state)
    } catch {
      this.countDefect("view", metric)
      return undefined
    }
  }

  snapshots(): Record<string, Metric.MetricSnapshot> {
    this.foldAll()
    const views = this.places.map((place) => [place.metric.name, this.view(place.metric, this.stateOf(place))] as const)
    return Object.fromEntries(views.filter(([, view]) => view !== undefined)) as Record<string, Metric.MetricSnapshot>
  }

  snapshot(metric: Metric.Any): Metric.MetricSnapshot | string {
    this.foldAll()
    const place = this.places.find((place) => place.metric === metric)
    if (place === undefined) return `MetricNotRegisteredError: ${metric.name}`
    return this.view(metric, this.stateOf(place)) ?? `MetricViewError: ${metric.name} because blurred`
  }

  flush(): Outcome {
    this.foldAll()
    const flush = { upTo: this.changes.length, outcome: new Outcome() }
    this.flushes.push(flush)
    return flush.outcome
  }

  stats(): Recorder.RecorderStats {
    return {
      accepted: this.accepted.length,
      folded: this.folded,
      ignored: this.ignored,
      dropped: Object.values(this.droppedByTag).reduce((sum, count) => sum + count, 0),
      droppedByTag: this.droppedByTag,
      refused: this.refused,
      defects: this.defects,
      skipped: {},
      overLimit: {},
      discarded: this.discarded,
      pending: this.pending,
      highWater: this.highWater,
      changesSkipped: this.readers.reduce((sum, reader) => sum + reader.skipped, 0)
    }
  }

  // --- lifecycle --------------------------------------------------------------

  start(): Outcome {
    switch (this.status) {
      case "Virgin":
      case "Stopped":
        if (this.closed) return Outcome.of(this.invalidState("start"))
        this.begin()
        return this.started
      case "Starting":
        return this.started
      default:
        return Outcome.of(this.invalidState("start"))
    }
  }

  private begin(): void {
    const { onStarting } = this.options
    this.started = new Outcome()
    if (onStarting === "none") return this.endStart()
    this.become("Starting")
    this.startHook = onStarting === "instant" ? "succeeds" : "waiting"
    this.holding = true
    this.runs.onStarting++
  }

  private endStart(): void {
    if (this.options.onStarting !== "none" && this.startHook !== "succeeds") return this.fail("onStarting failed")
    this.become("Running")
    this.started.resolve("success")
  }

  stop(): Outcome {
    switch (this.status) {
      case "Running":
        this.end()
        return this.stopped
      case "Stopping":
        return this.stopped
      default:
        return Outcome.of(this.invalidState("stop"))
    }
  }

  private end(): void {
    const isRunning = this.status === "Running"
    this.stopped = new Outcome()
    this.tearDown({ isStop: true, delivers: isRunning, runsOnStopped: isRunning })
    this.become("Stopping")
    if (this.hasHooks) return
    this.foldAll()
    while (this.teardown !== undefined) this.advance(this.teardown, 0)
  }

  close(): Outcome {
    if (this.closed) return Outcome.of("success")
    this.closed = true
    const { status } = this
    if (status === "Virgin") this.become("Stopped")
    if (status === "Starting" || status === "Running") this.end()
    if (this.teardown === undefined) this.closing.resolve("success")
    return this.closing
  }

  get isClosed(): boolean {
    return this.closing.text !== "waiting"
  }

  /** The recorder ends in `Failure`. */
  private fail(cause: string): void {
    this.cause = cause
    this.discarded = this.accepted.length - this.folded
    this.hookReader?.leave()
    if (this.status !== "Stopping") {
      this.tearDown({ isStop: false, delivers: false, runsOnStopped: this.status === "Running" })
    }
    this.become("Failure")
  }

  private become(status: Recorder.RecorderStatus["_tag"]): void {
    this.status = status
    this.history.push(status)
    if (status === "Stopped") this.report = this.describeReport()
  }

  get statusText(): string {
    if (this.status === "Stopped") return `Stopped: ${this.report}`
    return this.status === "Failure" ? `Failure because ${this.cause}` : this.status
  }

  private describeReport(): string {
    return describeReport(this.stats())
  }

  private invalidState(operation: string): string {
    const because = this.status === "Failure" ? ` because ${this.cause}` : ""
    return `RecorderInvalidStateError: ${operation} in ${this.status}${because}`
  }

  // --- what happens by itself -------------------------------------------------

  /** A command has told a hook how to end. */
  decide(hook: "onStarting" | "onStopped", ending: Ending): void {
    if (hook === "onStarting" && this.startHook === "waiting") this.startHook = ending
    if (hook === "onStopped" && this.stopHook === "waiting") this.stopHook = ending
  }

  /** How many runs of each hook go on. */
  get running(): Record<"onStarting" | "onStopped" | "onMetricChanged", number> {
    const isKept = this.delivers || this.options.onMetricChanged === "stubborn"
    return {
      onStarting: this.startHook === "waiting" ? 1 : 0,
      onStopped: this.stopHook === "waiting" ? 1 : 0,
      onMetricChanged: this.current !== undefined && isKept ? 1 : 0
    }
  }

  /** Follows the recorder to where it has come, once everything has happened that can happen by itself. */
  settle(seen: Seen): void {
    do this.foldTo(seen.folded)
    while (this.step(seen))
    for (const { outcome, upTo } of this.flushes) {
      if (this.inLine === undefined || this.inLine > upTo) outcome.resolve("success")
    }
  }

  private step(seen: Seen): boolean {
    const isPoisoned = this.poisonIsPending && seen.cause === "poison" &&
      seen.history[this.history.length] === "Failure"
    if (this.status === "Starting" && this.startHook !== "waiting" && !isPoisoned) {
      this.endStart()
      return true
    }
    if (this.followHook(seen.runs)) return true
    if (isPoisoned) {
      this.foldAll()
      return true
    }
    return this.teardown !== undefined && this.advance(this.teardown, seen.starts)
  }

  /** `onMetricChanged` is given changes. */
  private get delivers(): boolean {
    return this.status === "Running" || this.status === "Stopping" && this.teardown?.phase === "delivery" &&
        this.teardown.delivers
  }

  /** The first change that `onMetricChanged` is not through with. */
  private get inLine(): number | undefined {
    return this.current ?? this.hookReader?.first
  }

  private followHook(runs: ReadonlyArray<Run>): boolean {
    if (this.current !== undefined) {
      const { change, outcome } = runs[this.followed - 1]!
      if (outcome === "running" || outcome === "interrupted" && this.delivers) return false
      this.current = undefined
      if (outcome === "failed") {
        this.countDefect("onMetricChanged", this.changes[change.sequence - 1]!.metric)
        if (this.options.onDefect === "fail" && this.status !== "Failure") this.fail("sour")
      }
      return true
    }
    const run = runs[this.followed]
    if (run === undefined || !this.delivers || run.change.sequence > this.changes.length) return false
    const { event, sequence } = run.change
    this.followed++
    this.current = sequence
    assert.isTrue(this.hookReader!.take(sequence), `change ${sequence} was not the next for onMetricChanged`)
    if (event._tag === "quit" && this.status === "Running") this.end()
    return true
  }

  private tearDown(options: Pick<Teardown, "isStop" | "delivers" | "runsOnStopped">): void {
    this.teardown = {
      ...options,
      runsOnStopped: options.runsOnStopped && this.options.onStopped !== "none",
      phase: this.status === "Starting" ? "onStarting" : "delivery",
      deadline: this.now + stopTimeout,
      timedOut: false,
      failed: false
    }
  }

  /** One phase of the end, if it can be left. `starts` is how often `onStarting` ran. */
  private advance(teardown: Teardown, starts: number): boolean {
    const isLate = this.now >= teardown.deadline
    const enter = (phase: Teardown["phase"]): true => {
      teardown.phase = phase
      teardown.deadline = this.now + stopTimeout
      return true
    }
    if (teardown.phase === "onStarting") {
      const hasRun = starts === this.runs.onStarting
      if (hasRun && this.options.onStarting === "stubborn" && this.startHook === "waiting") {
        if (!isLate) return false
        teardown.timedOut = true
      } else {
        this.startHook = undefined
      }
      // A start that is cut off at once may not have come to its hook.
      this.runs.onStarting = starts
      return enter("delivery")
    }
    if (teardown.phase === "delivery") {
      if (this.pending > 0) return false
      if ((teardown.delivers ? this.inLine : this.current) !== undefined) {
        if (!isLate) return false
        teardown.timedOut = true
      }
      this.hookReader?.leave()
      if (teardown.runsOnStopped) {
        this.runs.onStopped++
        this.stopHook = this.options.onStopped === "instant" ? "succeeds" : "waiting"
      }
      return enter("onStopped")
    }
    if (teardown.runsOnStopped && this.stopHook === "waiting") {
      if (!isLate) return false
      teardown.timedOut = true
      if (this.options.onStopped !== "stubborn") this.stopHook = undefined
    } else {
      teardown.failed = teardown.runsOnStopped && this.stopHook !== "succeeds"
    }
    this.holding = false
    this.teardown = undefined
    // A start that did not come to its end ends here, once what it acquired is released.
    this.started.resolve(`RecorderStartError because ${teardown.isStop ? "interrupted" : this.cause}`)
    if (teardown.isStop) this.endStop(teardown)
    if (this.closed) this.closing.resolve("success")
    return true
  }

  private endStop({ failed, timedOut }: Teardown): void {
    if (this.status === "Failure") return this.stopped.resolve(`RecorderStopError because ${this.cause}`)
    if (!failed && !timedOut) {
      this.become("Stopped")
      return this.stopped.resolve(`stopped: ${this.report}`)
    }
    this.cause = timedOut ? "StopTimeoutError" : "onStopped failed"
    this.become("Failure")
    this.stopped.resolve(
      failed ? `RecorderStopError because ${this.cause}` : `StopTimeoutError: ${this.describeReport()}`
    )
  }
}

// -----------------------------------------------------------------------------
// outcomes in words
// -----------------------------------------------------------------------------

const describeReport = ({ changesSkipped, discarded, folded }: Recorder.StopReport) =>
  `folded ${folded}, discarded ${discarded}, skipped ${changesSkipped}`

const describeCause = (cause: Cause.Cause<unknown>): string => {
  if (Cause.hasInterruptsOnly(cause)) return "interrupted"
  const error = Cause.squash(cause)
  if (error instanceof Recorder.StopTimeoutError) return error._tag
  return error instanceof Error ? error.message : String(error)
}

const describeStatus = (status: Recorder.RecorderStatus): string => {
  if (status._tag === "Stopped") return `Stopped: ${describeReport(status.report)}`
  return "cause" in status ? `${status._tag} because ${describeCause(status.cause)}` : status._tag
}

type AnyError =
  | Event.InvalidEventError
  | Metric.InvalidMetricError
  | Recorder.MetricNameTakenError
  | Recorder.MetricNotRegisteredError
  | Recorder.MetricViewError
  | Recorder.QueueOverflowError
  | Recorder.RecorderInvalidStateError
  | Recorder.RecorderStartError
  | Recorder.RecorderStopError
  | Recorder.StopTimeoutError

const describeError = (error: AnyError): string => {
  switch (error._tag) {
    case "RecorderInvalidStateError": {
      const because = error.cause === undefined ? "" : ` because ${describeCause(error.cause)}`
      return `${error._tag}: ${error.operation} in ${error.state}${because}`
    }
    case "RecorderStartError":
    case "RecorderStopError":
      return `${error._tag} because ${describeCause(error.cause)}`
    case "StopTimeoutError":
      return `${error._tag}: ${describeReport(error.report)}`
    case "QueueOverflowError":
      return `${error._tag}: ${error.pending} of ${error.capacity}`
    case "MetricViewError":
      return `${error._tag}: ${error.name} because ${describeCause(error.cause)}`
    case "MetricNameTakenError":
    case "MetricNotRegisteredError":
      return `${error._tag}: ${error.name}`
    default:
      return error._tag
  }
}

const describeExit = (exit: Exit.Exit<Recorder.StopReport | void, AnyError>): string => {
  if (Exit.isSuccess(exit)) return exit.value === undefined ? "success" : `stopped: ${describeReport(exit.value)}`
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) ? describeError(error.value) : describeCause(exit.cause)
}

// -----------------------------------------------------------------------------
// a walk with a real recorder
// -----------------------------------------------------------------------------

/** Lets the host run all that is due, as often as the longest chain of fibers and immediates takes. */
const giveTime = Effect.callback<void>((resume) => {
  let turns = 24
  const turn = () => void (turns-- > 0 ? setImmediate(turn) : resume(Effect.void))
  turn()
})

const agree = (what: string, real: unknown, model: unknown): void => {
  if (isDeepStrictEqual(real, model)) return
  assert.fail(`${what}\n  recorder: ${Formatter.format(real)}\n  model:    ${Formatter.format(model)}`)
}

/** What a hook waits for before it ends. */
class Gate {
  private readonly name: string
  private readonly kind: HookKind
  private readonly waiting = new Set<Deferred.Deferred<void, string>>()
  private isOpen = false

  constructor(name: string, kind: HookKind) {
    this.name = name
    this.kind = kind
  }

  readonly pass: Effect.Effect<void, string> = Effect.suspend(() => {
    if (this.kind === "instant" || this.isOpen) return Effect.void
    const waiting = Deferred.makeUnsafe<void, string>()
    this.waiting.add(waiting)
    return this.kind === "stubborn" ? Effect.uninterruptible(Deferred.await(waiting)) : Deferred.await(waiting)
  })

  decide(ending: Ending): void {
    const text = `${this.name} failed`
    const exit = ending === "succeeds" ? Exit.void : ending === "fails" ? Exit.fail(text) : Exit.die(new Error(text))
    for (const waiting of this.waiting) Deferred.doneUnsafe(waiting, exit)
    this.waiting.clear()
  }

  /** From now on nothing waits here. */
  open(): void {
    this.isOpen = true
    this.decide("succeeds")
  }
}

/** A subscriber of the walk: what it has received, and what it should. */
interface Subscriber {
  readonly reader: Reader
  readonly fiber: Fiber.Fiber<void>
  readonly received: ReadonlyArray<Recorder.Snapshot | Recorder.MetricChange | Recorder.Missed>
  /** Holds the subscriber up after each batch while it is closed. */
  readonly gate: Latch.Latch
  isBlocked: boolean
  readonly snapshot: Omit<Recorder.Snapshot, "_tag"> | undefined
  checked: number
}

interface Caller {
  readonly name: string
  /** How the call ended. */
  readonly ended: () => string
  readonly expected: () => string
  interrupt(): void
}

/**
 * Takes a walk. Its fibers are detached: a test that fails must not wait for a
 * recorder that is stuck.
 */
const walk = Effect.fnUntraced(function*(options: Options, steps: ReadonlyArray<Step>) {
  const model = new Model(options)
  const scope = yield* Scope.make()
  const gates = {
    onStarting: new Gate("onStarting", options.onStarting),
    onStopped: new Gate("onStopped", options.onStopped),
    onMetricChanged: new Gate("onMetricChanged", options.onMetricChanged)
  }
  const ran = { onStarting: 0, onStopped: 0 }
  const running = { onStarting: 0, onStopped: 0, onMetricChanged: 0 }
  const runs: Array<Run> = []
  const callers: Array<Caller> = []
  const subscribers: Array<Subscriber> = []
  const history: Array<string> = []
  const logged: Record<string, number> = {}
  const violations: Array<string> = []
  const epochs = new Map<Place, number>()
  let held = 0
  let isClosing = false
  let heldAfterClose: number | undefined
  let lastN = 0
  let runsChecked = 0

  /** From inside a hook neither of them waits for the hook. */
  const readInside = Effect.suspend(() =>
    options.hooksRead ? Effect.andThen(recorder.flush, recorder.capture) : Effect.void
  )

  const runHook = <A, E>(name: keyof typeof running, effect: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      running[name]++
      return Effect.onExit(effect, () => Effect.sync(() => void running[name]--))
    })

  const acquire = Effect.acquireRelease(Effect.sync(() => void held++), () => Effect.sync(() => void held--))

  const onStarting = Effect.suspend(() => {
    ran.onStarting++
    return Effect.andThen(acquire, runHook("onStarting", Effect.andThen(readInside, gates.onStarting.pass)))
  })

  const onStopped = Effect.suspend(() => {
    ran.onStopped++
    return runHook("onStopped", Effect.andThen(readInside, gates.onStopped.pass))
  })

  const onMetricChanged = (change: Recorder.MetricChange) =>
    Effect.gen(function*() {
      const { _tag } = yield* recorder.status
      if (_tag !== "Running" && _tag !== "Stopping") violations.push(`onMetricChanged runs in ${_tag}`)
      if (running.onMetricChanged > 0) violations.push("onMetricChanged runs twice at a time")
      const run: Run = { change, outcome: "running" }
      runs.push(run)
      const quit = change.event._tag === "quit" ? Effect.orDie(recorder.stop) : Effect.void
      const end = change.event._tag === "sour" ? Effect.fail("sour") : Effect.void
      yield* runHook(
        "onMetricChanged",
        quit.pipe(Effect.andThen(readInside), Effect.andThen(gates.onMetricChanged.pass), Effect.andThen(end))
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            const isInterrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
            run.outcome = Exit.isSuccess(exit) ? "ended" : isInterrupted ? "interrupted" : "failed"
          })
        )
      )
    })

  const logger = Logger.make(({ fiber, logLevel }) => {
    const metric = fiber.getRef(References.CurrentLogAnnotations)["metrics.metric"]
    if (logLevel === "Error" && typeof metric === "string") logged[metric] = (logged[metric] ?? 0) + 1
  })

  const recorder: Recorder.Handle = yield* Recorder.make({
    entityId: "walk",
    labels: { region: "eu" },
    capacity: options.capacity,
    overflow: options.overflow,
    onDefect: options.onDefect,
    linger: options.linger,
    stopTimeout: `${stopTimeout} seconds`,
    onStarting: options.onStarting === "none" ? undefined : onStarting,
    onStopped: options.onStopped === "none" ? undefined : onStopped,
    onMetricChanged: options.onMetricChanged === "none" ? undefined : onMetricChanged
  }).pipe(
    Scope.provide(scope),
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.PreventSchedulerYield, false)
  )
  const statuses = yield* Effect.forkDetach(
    Stream.runForEach(recorder.statusChanges, (status) => Effect.sync(() => history.push(status._tag))),
    { startImmediately: true }
  )

  const close = Effect.suspend(() => {
    const isFirst = !isClosing
    isClosing = true
    return Effect.tap(Scope.close(scope, Exit.void), () =>
      Effect.sync(() => {
        if (isFirst) heldAfterClose = held
      }))
  })

  const makeEvent = (kind: typeof Kind.Type): Event.MetricEvent =>
    kind === "garbage"
      ? garbage[++lastN % garbage.length] as Event.MetricEvent
      : new classes[kind]({ n: ++lastN })

  const emit = (kind: typeof Kind.Type) => {
    const event = makeEvent(kind)
    const answer = recorder.registerEventUnsafe(event)
    return { expected: model.emit(event, answer), answer }
  }

  /** Calls an operation in a fiber of its own. `follow` is what the model does when the caller goes on at once. */
  const call = Effect.fnUntraced(function*(
    name: string,
    effect: Effect.Effect<Recorder.StopReport | void, AnyError>,
    begin: () => Outcome,
    follow: (text: string) => Outcome | undefined = () => undefined
  ) {
    const outcome = new Outcome()
    let ended = "waiting"
    let isInterrupted = false
    const fiber = yield* Effect.forkDetach(
      Effect.onExit(effect, (exit) =>
        Effect.sync(() => {
          ended = describeExit(exit)
        })),
      { startImmediately: true }
    )
    begin().whenKnown((text) => {
      if (isInterrupted) return
      const more = follow(text)
      if (more === undefined) outcome.resolve(text)
      else more.whenKnown(() => outcome.resolve(text))
    })
    callers.push({
      name,
      ended: () => ended,
      expected: () => outcome.text,
      interrupt() {
        isInterrupted = true
        outcome.resolve("interrupted")
        fiber.interruptUnsafe()
      }
    })
  })

  /** Runs one command with the recorder and with the model, and compares what both say about it. */
  const run = Effect.fnUntraced(function*(command: Command) {
    switch (command.do) {
      case "emit":
        for (const kind of command.kinds) {
          const { answer, expected } = emit(kind)
          agree("handing over", answer, expected === "accepted")
        }
        return
      case "burst":
        for (let count = 0; count < command.count; count++) {
          const { answer, expected } = emit(command.kind)
          agree("handing over", answer, expected === "accepted")
        }
        return
      case "hand over": {
        const event = makeEvent(command.kind)
        const ended = describeExit(yield* Effect.exit(recorder.registerEvent(event)))
        const expected = model.emit(event, ended === "success")
        agree("registerEvent", ended, expected === "accepted" || expected === "dropped" ? "success" : expected)
        return
      }
      case "register": {
        const metric = metrics[command.metric] ?? {} as Metric.Any
        const ended = describeExit(yield* Effect.exit(recorder.registerMetric(metric)))
        agree("registerMetric", ended, model.register(metric))
        return
      }
      case "unregister": {
        const { name } = metrics[command.metric]!
        agree("unregisterMetric", yield* recorder.unregisterMetric(name), model.unregister(name))
        return
      }
      case "start": {
        if (!command.thenClose) return yield* call("start", recorder.start, () => model.start())
        const startOrClose = Effect.tapError(
          recorder.start,
          (error) => error._tag === "RecorderStartError" ? close : Effect.void
        )
        return yield* call(
          "start, or close",
          startOrClose,
          () => model.start(),
          (text) => text.startsWith("RecorderStartError") ? model.close() : undefined
        )
      }
      case "stop": {
        if (!command.thenRestart) return yield* call("stop", recorder.stop, () => model.stop())
        let handed: { readonly event: Event.MetricEvent; readonly answer: boolean } | undefined
        const restart = Effect.gen(function*() {
          yield* Effect.forkDetach(recorder.start, { startImmediately: true })
          const event = makeEvent("hit")
          handed = { event, answer: recorder.registerEventUnsafe(event) }
          recorder.snapshotsUnsafe()
        })
        return yield* call("stop, then start", Effect.tap(recorder.stop, () => restart), () => model.stop(), () => {
          if (handed === undefined) return
          model.start()
          agree("handing over", handed.answer, model.emit(handed.event, handed.answer) === "accepted")
          model.snapshots()
        })
      }
      case "flush":
        return yield* call("flush", recorder.flush, () => model.flush())
      case "interrupt": {
        const waiting = callers.filter((caller) => caller.ended() === "waiting" && caller.name !== "close")
        waiting[command.caller]?.interrupt()
        return
      }
      case "snapshots": {
        const snapshots = yield* recorder.snapshots
        agree("snapshots", Object.entries(snapshots), Object.entries(model.snapshots()))
        return
      }
      case "snapshotsUnsafe": {
        const snapshots = recorder.snapshotsUnsafe()
        agree("snapshots", Object.entries(snapshots), Object.entries(model.snapshots()))
        return
      }
      case "snapshot": {
        const metric = metrics[command.metric]!
        const snapshot = yield* recorder.snapshot(metric).pipe(
          Effect.catch((error) => Effect.succeed(describeError(error)))
        )
        agree("snapshot", snapshot, model.snapshot(metric))
        return
      }
      case "capture": {
        const { metrics, ...capture } = yield* recorder.capture
        model.foldAll()
        agree("capture", capture, {
          namespace: undefined,
          export: "own",
          recorderId: "walk",
          entityId: "walk",
          labels: { region: "eu" },
          takenAt: model.now * 1000,
          offset: model.accepted.length
        })
        agree(
          "captured states",
          metrics.map(({ metric, state }) => [metric.name, state]),
          model.places.map((place) => [place.metric.name, model.stateOf(place)])
        )
        agree("metrics", yield* recorder.metrics, model.places.map(({ metric }) => metric))
        for (const [index, { epoch }] of metrics.entries()) {
          const place = model.places[index]!
          const before = epochs.get(place)
          if (before !== undefined) agree("epoch", epoch, before)
          else assert.isTrue([...epochs.values()].every((other) => other !== epoch), "each registration has its epoch")
          epochs.set(place, epoch)
        }
        return
      }
      case "subscribe": {
        if (subscribers.length >= 4) return
        const received: Array<Recorder.Snapshot | Recorder.MetricChange | Recorder.Missed> = []
        const gate = yield* Latch.make(!command.blocked)
        const stream = command.to === "watch" ? recorder.watch : recorder.changes
        const fiber = yield* Effect.forkDetach(
          Stream.runForEachArray(stream, (batch) => {
            received.push(...batch)
            return gate.await
          }),
          { startImmediately: true }
        )
        const snapshot = command.to === "changes" ? undefined : {
          recorderId: "walk",
          entityId: "walk",
          snapshots: model.snapshots(),
          sequence: model.changes.length,
          offset: model.accepted.length
        }
        const reader = new Reader(model, model.accepted.length)
        model.readers.push(reader)
        subscribers.push({ reader, fiber, received, gate, isBlocked: command.blocked, snapshot, checked: 0 })
        return
      }
      case "unsubscribe": {
        const [subscriber] = subscribers.splice(command.reader, 1)
        if (subscriber === undefined) return
        subscriber.fiber.interruptUnsafe()
        const { skipped } = subscriber.reader
        model.readers[model.readers.indexOf(subscriber.reader)] = { skipped } as Reader
        return
      }
      case "block": {
        const subscriber = subscribers[command.reader]
        if (subscriber === undefined) return
        subscriber.isBlocked = command.blocked
        if (command.blocked) yield* subscriber.gate.close
        else yield* subscriber.gate.open
        return
      }
      case "start hook":
        gates.onStarting.decide(command.ending)
        return model.decide("onStarting", command.ending)
      case "stop hook":
        gates.onStopped.decide(command.ending)
        return model.decide("onStopped", command.ending)
      case "change hook":
        for (let time = 0; time < command.times; time++) {
          gates.onMetricChanged.decide("succeeds")
          yield* giveTime
        }
        return
      case "second":
        model.now++
        return yield* TestClock.adjust("1 second")
      case "close":
        return yield* call("close", close, () => model.close())
    }
  })

  /**
   * Gives time until nothing happens any more: the timer of a lingering dispatcher
   * may come at any moment, and hundreds of changes take more turns than one event.
   */
  const settle: Effect.Effect<void> = Effect.gen(function*() {
    const progress = Effect.map(recorder.stats, ({ pending }) => [pending, runs.length, history.length])
    const before = yield* progress
    yield* giveTime
    if (!isDeepStrictEqual(yield* progress, before)) yield* settle
  })

  /** Compares what can be compared at any time. */
  const compare = Effect.gen(function*() {
    agree("status", describeStatus(yield* recorder.status), model.statusText)
    const stats = yield* recorder.stats
    model.foldTo(stats.folded)
    agree("stats", stats, model.stats())
    assert.isAtMost(stats.pending, options.capacity)
  })

  /** Follows a recorder that has settled, and compares everything. */
  const compareSettled = Effect.gen(function*() {
    yield* settle
    const status = yield* recorder.status
    const { folded } = yield* recorder.stats
    const cause = "cause" in status ? describeCause(status.cause) : undefined
    model.settle({ history, cause, folded, starts: ran.onStarting, runs })
    agree("statusChanges", history, model.history)
    for (const subscriber of subscribers) compareSubscriber(subscriber)
    for (; runsChecked < runs.length; runsChecked++) compareChange(runs[runsChecked]!.change)
    yield* compare
    const isDue = options.linger === 0 || model.pending * 2 > options.capacity
    agree("pending events, the dispatcher being due", isDue ? model.pending : 0, 0)
    for (const { ended, expected, name } of callers) agree(name, ended(), expected())
    agree("runs of the hooks", ran, model.runs)
    agree("running hooks", running, model.running)
    agree("violations", violations, [])
    agree("end of the statuses", statuses.pollUnsafe() !== undefined, model.isClosed)
    agree("resources of onStarting", held, model.holding ? 1 : 0)
    if (model.isClosed) agree("resources when the scope was closed", heldAfterClose, 0)
  })

  const compareChange = (change: Recorder.MetricChange) => {
    const expected = model.changes[change.sequence - 1]!
    agree("a change", [change._tag, change.entityId, change.recorderId], ["Change", "walk", "walk"])
    agree("metric of a change", change.metric, expected.metric.name)
    agree("event of a change", change.event, expected.event)
    agree("offset of a change", change.offset, expected.offset)
    agree("state of a change", change.state, expected.state)
    agree("snapshot of a change", change.snapshot, model.view(expected.metric, expected.state))
  }

  const compareSubscriber = (subscriber: Subscriber) => {
    const { fiber, isBlocked, reader, received, snapshot } = subscriber
    let missed = 0
    for (; subscriber.checked < received.length; subscriber.checked++) {
      const item = received[subscriber.checked]!
      if (item._tag === "Snapshot") {
        agree("place of the snapshots", subscriber.checked, 0)
        agree("watch", item, { _tag: "Snapshot", ...snapshot! })
      } else if (item._tag === "Missed") {
        agree("missed changes", missed, 0)
        assert.isAbove(item.count, 0)
        missed = item.count
      } else {
        const gap = item.sequence - reader.last - 1
        assert.isTrue(reader.take(item.sequence), `change ${item.sequence} was not the next`)
        if (snapshot !== undefined) agree("missed changes", missed, gap)
        missed = 0
        compareChange(item)
      }
    }
    agree("missed changes", missed, 0)
    if (isBlocked) return
    assert.isUndefined(reader.first, "every change is delivered")
    if (snapshot !== undefined) assert.isAbove(received.length, 0, "the snapshots come first")
    agree("end of the changes", fiber.pollUnsafe() !== undefined, model.isClosed)
  }

  const all = Effect.gen(function*() {
    if (options.metrics === "all") {
      for (const metric of ["Hits", "EvenPuts", "Trail", "Fragile", "Blurred"]) yield* run({ do: "register", metric })
    }
    for (const [index, { atOnce, command }] of steps.entries()) {
      yield* Effect.gen(function*() {
        const comesLate = ["start hook", "stop hook", "change hook", "second"].includes(command.do)
        if (comesLate) yield* compareSettled
        let gaveWay = false
        const immediate = setImmediate(() => {
          gaveWay = true
        })
        yield* run(command)
        clearImmediate(immediate)
        // A read, or a flush that was called, may fold a long backlog in more than one turn of the host.
        if ((yield* recorder.stats).pending > model.pending) gaveWay = true
        if (atOnce && !comesLate && !gaveWay) yield* compare
        else yield* compareSettled
      }).pipe(Effect.catchCause((cause) => Effect.die(new Error(explain(index, steps, cause)))))
    }
    yield* settle
    agree("logged defects", logged, model.loggedDefects)
  })

  /** Lets everything end, whatever the walk has come to. */
  const leave = Effect.gen(function*() {
    for (const gate of Object.values(gates)) gate.open()
    for (const { gate } of subscribers) gate.openUnsafe()
    const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
    for (let second = 0; second < 5 * stopTimeout && closing.pollUnsafe() === undefined; second++) {
      yield* Effect.andThen(TestClock.adjust("1 second"), giveTime)
    }
  })

  return yield* Effect.onExit(all, () => leave)
  // Commands follow each other at once: nothing may come in between because the fiber of the test gives way.
}, Effect.provideService(References.PreventSchedulerYield, true))

const explain = (failed: number, steps: ReadonlyArray<Step>, cause: Cause.Cause<unknown>) =>
  [
    ...steps.slice(0, failed + 1).map((step, index) => `${index === failed ? "->" : "  "} ${describeStep(step)}`),
    Cause.pretty(cause)
  ].join("\n")

const { RECORDER_REPLAY, RECORDER_SEED, RECORDER_WALKS } = process.env

describe("a recorder on a random walk", () => {
  it.effect.prop(
    "does what the model says",
    [anyWalk],
    ([{ options, steps }]) => walk(options, steps),
    {
      timeout: 600_000,
      arbitrary: {
        runs: Number(RECORDER_WALKS ?? 2_000),
        size: 100,
        maxShrinks: 500,
        seed: RECORDER_SEED === undefined ? undefined : Number(RECORDER_SEED),
        replay: RECORDER_REPLAY
      }
    }
  )
})
