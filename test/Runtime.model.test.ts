/**
 * Random walks through the life of a runtime: how recorders come in and how they
 * go, compared after each step with a model of the registry.
 *
 * A walk is a list of commands: create, remove, stop, restart, emit, read,
 * subscribe, interrupt a caller, close a scope, shut down, and let a hook that
 * waits go on. Recorders differ in which of their parts wait, fail or cannot be
 * interrupted, so that creations, removals, stops and the shutdown overlap in
 * every way. The model knows each outcome, or that there is none yet.
 *
 * A walk that fails is made shorter, and printed with a token for running it
 * again:
 *
 * - `RUNTIME_REPLAY='<token>'` runs that walk alone
 * - `RUNTIME_SEED=<seed>` runs all walks of a seed, the second entry of the token
 * - `RUNTIME_WALKS=<number>` runs more walks, or fewer
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
import { Event, Metric, Recorder, Runtime } from "mvx-metrics"
import { isDeepStrictEqual } from "node:util"

// -----------------------------------------------------------------------------
// what is stated, and what is measured
// -----------------------------------------------------------------------------

class Hit extends Event.Class<Hit>()("hit", { n: Schema.Int }) {}
class Miss extends Event.Class<Miss>()("miss", { n: Schema.Int }) {}

/** The reducer of `Fragile` throws on it. */
class Poison extends Event.Class<Poison>()("poison", { n: Schema.Int }) {}

const classes = { hit: Hit, miss: Miss, poison: Poison }

type Fact = Hit | Miss | Poison

const Hits = Metric.make("hits", {
  events: [Hit],
  initial: { total: 0, last: -1 },
  reduce: (s, e) => {
    lastFolder = Fiber.getCurrent()
    return Option.some({ total: s.total + 1, last: e.n })
  }
})

const Fragile = Metric.make("fragile", {
  events: [Hit, Poison],
  initial: { total: 0 },
  reduce: (s, e) => {
    if (e._tag === "poison") throw new Error("poison")
    return Option.some({ total: s.total + 1 })
  }
})

/** Another metric under the name of `Hits`. */
const Impostor = Metric.rename(Fragile, "hits")

/** The fiber that folded last: that of the dispatcher, unless somebody reads or stops. */
let lastFolder: Fiber.Fiber<unknown, unknown> | undefined

// -----------------------------------------------------------------------------
// walks
// -----------------------------------------------------------------------------

/** Ends at once, or when a command says how; a stubborn one cannot be interrupted meanwhile. */
type Part = "instant" | "fails" | "gated" | "stubborn"
type Ending = "succeeds" | "fails"
type Hook = "wrap" | "onStarting" | "onStopped" | "stop" | "release"
const hooks = ["wrap", "onStarting", "onStopped", "stop", "release"] as const satisfies ReadonlyArray<Hook>

/** What a recorder is like: its parts, those of what `wrap` makes of it, and how it takes a defect. */
interface Kind extends Readonly<Record<Exclude<Hook, "wrap">, Part>> {
  readonly has: ReadonlySet<"wrap" | "onStarting" | "onStopped">
  readonly wrap: Part
  readonly gives: "base" | "custom" | "unreadable" | "garbage"
  readonly wrapStarts: boolean
  readonly onDefect: "isolate" | "fail"
  /** What its hooks call, from inside. */
  readonly calls: "removeRecorder" | "shutdown" | undefined
  readonly wrong: "capacity" | "metric" | "name" | undefined
}

const ids = ["a", "b", "c", "d", " a ", "b\t"]
const wrongIds: ReadonlyArray<unknown> = ["", " \n", 42, undefined, null, {}]

type Command =
  | {
    readonly do: "create"
    readonly id: unknown
    readonly kind: Kind
    readonly times: number
    readonly scope?: number
  }
  | { readonly do: "remove"; readonly id: unknown; readonly times: number }
  | { readonly do: "stop" | "get" | "find"; readonly id: unknown }
  | { readonly do: "start handle" | "stop handle"; readonly recorder: number }
  | { readonly do: "emit"; readonly recorder: number; readonly tags: ReadonlyArray<string>; readonly strictly: boolean }
  | { readonly do: "let"; readonly hook: number; readonly ending: Ending }
  | { readonly do: "interrupt"; readonly caller: number }
  | { readonly do: "close scope"; readonly scope: number }
  | { readonly do: "captures" | "snapshots" | "shutdown" | "interrupt dispatcher" }
  | { readonly do: "subscribe"; readonly blocked: boolean }
  | { readonly do: "unsubscribe"; readonly reader: number }
  | { readonly do: "block"; readonly reader: number; readonly blocked: boolean }

/** A command, after which the runtime has the time to do all that it does by itself, or the next follows at once. */
interface Step {
  readonly command: Command
  readonly atOnce: boolean
}

interface Options {
  /** The dispatcher can be interrupted. */
  readonly isProbed: boolean
  readonly linger: number
  /** Of the runtime, and so of its subscribers; recorders have their own. */
  readonly capacity: number
}

/** Draws what a step does from a number. */
class Draw {
  private state: number

  constructor(salt: number, seed: number) {
    this.state = Math.imul(salt ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(seed + 1, 0xc2b2ae35)
  }

  number(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }

  of<A>(values: ReadonlyArray<A>): A {
    return values[this.number() % values.length]!
  }

  in(count: number): boolean {
    return this.number() % count === 0
  }

  weighted<A>(values: ReadonlyArray<readonly [weight: number, value: A]>): A {
    let at = this.number() % values.reduce((sum, [weight]) => sum + weight, 0)
    return values.find(([weight]) => (at -= weight) < 0)![1]
  }
}

const anyId = (draw: Draw): unknown => draw.in(20) ? draw.of(wrongIds) : draw.of(ids)

const anyKind = (draw: Draw): Kind => {
  const has = new Set<"wrap" | "onStarting" | "onStopped">()
  if (draw.in(3)) has.add("onStarting")
  if (draw.in(3)) has.add("onStopped")
  if (draw.in(3)) has.add("wrap")
  const part = (): Part => draw.of(["instant", "instant", "gated", "gated", "gated", "fails"])
  const stubborn = (): Part => draw.of(["instant", "instant", "gated", "gated", "stubborn", "fails"])
  return {
    has,
    onStarting: stubborn(),
    onStopped: part(),
    wrap: draw.of(["instant", "instant", stubborn()]),
    stop: part(),
    release: part(),
    gives: draw.of(["base", "custom", "custom", "custom", "unreadable", draw.of(["garbage", "custom"])]),
    wrapStarts: draw.in(5),
    onDefect: draw.of(["isolate", "fail"]),
    calls: draw.in(12) ? "removeRecorder" : draw.in(60) ? "shutdown" : undefined,
    wrong: draw.in(20) ? draw.of(["capacity", "metric", "name"]) : undefined
  }
}

/** The commands, each with its weight. */
const commands: ReadonlyArray<readonly [number, (draw: Draw) => Command]> = [
  [80, (draw) => ({
    do: "create",
    id: anyId(draw),
    kind: anyKind(draw),
    times: draw.of([1, 1, 1, 3]),
    ...(draw.in(3) ? { scope: draw.number() % 3 } : {})
  })],
  [35, (draw) => ({ do: "remove", id: anyId(draw), times: draw.of([1, 1, 1, 3]) })],
  [20, (draw) => ({ do: "stop", id: anyId(draw) })],
  [10, (draw) => ({ do: draw.of(["get", "find"]), id: anyId(draw) })],
  [25, (draw) => ({ do: draw.of(["start handle", "start handle", "stop handle"]), recorder: draw.number() % 6 })],
  [70, (draw) => ({
    do: "emit",
    recorder: draw.number() % 6,
    tags: Array.from(
      { length: 1 + draw.number() % 3 },
      () => draw.of(["hit", "hit", "hit", "hit", "miss", "garbage", "poison"])
    ),
    strictly: draw.in(3)
  })],
  [90, (draw) => ({ do: "let", hook: draw.number() % 12, ending: draw.of(["succeeds", "succeeds", "fails"]) })],
  [20, (draw) => ({ do: "interrupt", caller: draw.number() % 6 })],
  [15, (draw) => ({ do: "close scope", scope: draw.number() % 3 })],
  [25, (draw) => ({ do: draw.of(["captures", "snapshots"]) })],
  [12, (draw) => ({ do: "subscribe", blocked: draw.in(3) })],
  [8, (draw) => ({ do: "unsubscribe", reader: draw.number() % 3 })],
  [8, (draw) => ({ do: "block", reader: draw.number() % 3, blocked: draw.in(2) })],
  [2, () => ({ do: "shutdown" })],
  [3, () => ({ do: "interrupt dispatcher" })]
]

const stepOf = (salt: number) => (seed: number): Step => {
  const draw = new Draw(salt, seed)
  return { command: draw.weighted(commands)(draw), atOnce: draw.in(3) }
}

const plain: Kind = {
  has: new Set(),
  onStarting: "instant",
  onStopped: "instant",
  wrap: "instant",
  stop: "instant",
  release: "instant",
  gives: "base",
  wrapStarts: false,
  onDefect: "isolate",
  calls: undefined,
  wrong: undefined
}

/** What lets the dispatcher be seen. */
const probe: ReadonlyArray<Step> = [
  { command: { do: "create", id: "d", kind: plain, times: 1 }, atOnce: false },
  { command: { do: "emit", recorder: 0, tags: ["hit"], strictly: false }, atOnce: false }
]

const anyNumber = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 })))

const anyWalk = Arbitrary.map(
  Arbitrary.all({
    salt: anyNumber,
    steps: Arbitrary.array(anyNumber, { maxLength: 160 }),
    late: Arbitrary.array(anyNumber, { maxLength: 40 })
  }),
  ({ late, salt, steps }): { readonly options: Options; readonly steps: ReadonlyArray<Step> } => {
    const draw = new Draw(salt, 0)
    const isProbed = draw.in(4)
    return {
      options: { isProbed, linger: isProbed ? 0 : draw.of([0, 60_000]), capacity: draw.of([10_000, 10_000, 3]) },
      steps: [
        ...(isProbed ? probe : []),
        ...steps.map(stepOf(salt)),
        { command: { do: "shutdown" }, atOnce: draw.in(2) },
        ...late.map(stepOf(salt))
      ]
    }
  }
)

const describeKind = (kind: Kind) =>
  [
    ...hooks.filter((hook) => hook === "onStarting" || hook === "onStopped").flatMap((hook) =>
      kind.has.has(hook) ? [`${hook} ${kind[hook]}`] : []
    ),
    ...(kind.has.has("wrap")
      ? [
        `wrap ${kind.wrap} gives ${kind.gives}${
          kind.wrapStarts ? " started" : ""
        }, stop ${kind.stop}, release ${kind.release}`
      ]
      : []),
    kind.onDefect,
    ...(kind.calls === undefined ? [] : [`hooks call ${kind.calls}`]),
    ...(kind.wrong === undefined ? [] : [`wrong ${kind.wrong}`])
  ].join("; ")

const describeStep = ({ atOnce, command }: Step) =>
  [
    ...Object.entries(command).map(([key, value]) =>
      key === "do" ? value : `${key} ${key === "kind" ? `{ ${describeKind(value as Kind)} }` : Formatter.format(value)}`
    ),
    ...(atOnce ? ["at once"] : [])
  ].join(", ")

// -----------------------------------------------------------------------------
// the model
// -----------------------------------------------------------------------------

/** How something ends, in words, once that is known. */
class Outcome {
  text = "waiting"

  static of(text: string): Outcome {
    const outcome = new Outcome()
    outcome.resolve(text)
    return outcome
  }

  get isKnown(): boolean {
    return this.text !== "waiting"
  }

  resolve(text: string): void {
    if (!this.isKnown) this.text = text
  }
}

/** What takes time: it gives what it waits for. */
type Process<A = void> = Generator<() => boolean, A, void>

interface Running {
  readonly process: Process
  condition: () => boolean
}

interface Waiting {
  readonly recorder: ModelRecorder
  readonly hook: Hook
  ending: Ending | undefined
}

interface Change {
  readonly metric: string
  readonly event: Fact
  readonly state: unknown
  readonly offset: number
}

class ModelRecorder {
  readonly model: Model
  readonly number: number
  readonly id: string
  readonly kind: Kind
  registry: "Creating" | "Live" | "Removing" | "Gone" = "Creating"
  /** The outcome of the creation, its undoing included. */
  readonly created = new Outcome()
  removed: Outcome | undefined
  ending: Outcome | undefined
  /** `wrap` was called: it may have acquired something. */
  hasResources = false
  isCustom = false
  /** The creation runs, and whether it is to stop. */
  creation: "none" | "running" | "interrupted" = "none"

  status: Recorder.RecorderStatus["_tag"] = "Virgin"
  cause = ""
  private started: Outcome | undefined
  private stopped = new Outcome()
  private closing: Outcome | undefined
  /** It is going to be closed. */
  private isRetired = false
  /** The run of `onStarting`. */
  private startRun: "none" | "running" | "interrupted" = "none"
  private isTearingDown = false
  /** `onStarting` has acquired something that is not released. */
  private holds = false
  private holdsWrap = false
  private hasStartResources = false
  /** Not compared any more. */
  isForgotten = false

  readonly events: Array<Fact> = []
  readonly changes: Array<Change> = []
  readonly totals = { folded: 0, ignored: 0, discarded: 0, invalidEvent: 0, invalidState: 0, highWater: 0, defects: 0 }
  hits = { total: 0, last: -1 }
  fragile = { total: 0 }

  constructor(model: Model, number: number, id: string, kind: Kind) {
    this.model = model
    this.number = number
    this.id = id
    this.kind = kind
  }

  /** Its creation is being undone. */
  get isAbandoned(): boolean {
    return this.registry === "Removing" && this.removed === undefined
  }

  get handle(): string {
    return `${this.isCustom ? "custom" : "recorder"} ${this.number}`
  }

  get pending(): number {
    return this.events.length - this.totals.folded - this.totals.discarded
  }

  get report(): string {
    return `folded ${this.totals.folded}, discarded ${this.totals.discarded}`
  }

  get hasFailed(): boolean {
    return this.status === "Failure" || this.status === "Cancelled"
  }

  get statusText(): string {
    if (this.status === "Stopped") return `Stopped: ${this.reportThen}`
    return this.hasFailed ? `${this.status} because ${this.cause}` : this.status
  }
  private reportThen = ""

  // --- events -----------------------------------------------------------------

  emit(event: Fact | undefined): string {
    const { totals } = this
    if (event === undefined) {
      totals.invalidEvent++
      return "InvalidEventError"
    }
    if (this.status === "Virgin") this.begin()
    if (this.status !== "Running" && this.status !== "Starting") {
      totals.invalidState++
      return this.invalidState("registerEvent")
    }
    this.events.push(event)
    totals.highWater = Math.max(totals.highWater, this.pending)
    return "success"
  }

  fold(): void {
    const { totals } = this
    while (this.pending > 0) {
      const event = this.events[totals.folded + totals.discarded]!
      if (event._tag === "poison") {
        totals.defects++
        if (this.kind.onDefect === "fail") return this.terminate("Failure", "poison")
      }
      totals.folded++
      if (event._tag !== "hit") {
        totals.ignored++
        continue
      }
      const offset = totals.folded
      this.hits = { total: this.hits.total + 1, last: event.n }
      this.fragile = { total: this.fragile.total + 1 }
      this.changes.push({ metric: "hits", event, state: this.hits, offset })
      this.changes.push({ metric: "fragile", event, state: this.fragile, offset })
    }
  }

  get snapshots(): Record<string, unknown> {
    return {
      hits: { name: "hits", dimensions: this.hits },
      fragile: { name: "fragile", dimensions: this.fragile }
    }
  }

  // --- its life ---------------------------------------------------------------

  private get isHeld(): boolean {
    return this.hasStartResources || this.kind.has.has("onStopped")
  }

  invalidState(operation: string): string {
    const because = this.hasFailed ? ` because ${this.cause}` : ""
    return `RecorderInvalidStateError: ${operation} in ${this.status}${because}`
  }

  begin(): void {
    if (!this.kind.has.has("onStarting")) {
      this.started = undefined
      this.status = "Running"
      return
    }
    this.status = "Starting"
    this.started = new Outcome()
    this.startRun = "running"
    this.model.spawn(this.runOnStarting())
  }

  /**
   * It fails at once when it starts. Which comes first then, the failure or
   * the next fold of a dispatcher that does not linger, is the business of the host
   * where that has other work already.
   */
  get isAboutToFail(): boolean {
    return this.model.options.linger === 0 && this.kind.has.has("onStarting") && this.kind.onStarting === "fails" &&
      (this.status === "Virgin" || this.startRun === "running")
  }

  private *runOnStarting(): Process {
    this.hasStartResources = true
    yield this.model.nextTurn
    this.holds = true
    this.model.callFromInside(this)
    const ending = yield* this.model.pass(this, "onStarting", () => this.startRun === "interrupted")
    this.startRun = "none"
    if (this.status !== "Starting") return
    if (ending === "fails") return this.terminate("Failure", "onStarting failed")
    this.status = "Running"
    this.started!.resolve("success")
  }

  start(): Outcome {
    if (this.status === "Virgin" || this.status === "Stopped") {
      if (this.isRetired || this.closing !== undefined) return Outcome.of(this.invalidState("start"))
      this.begin()
    } else if (this.status !== "Starting") {
      return Outcome.of(this.invalidState("start"))
    }
    return this.started ?? Outcome.of("success")
  }

  stop(): Outcome {
    if (this.status === "Running") this.endRunning()
    else if (this.status !== "Stopping") return Outcome.of(this.invalidState("stop"))
    return this.stopped
  }

  private endRunning(): void {
    this.status = "Stopping"
    this.stopped = new Outcome()
    if (this.isHeld) return this.model.spawn(this.tearDown(true, (failed) => this.endStop(failed)))
    this.fold()
    this.endStop(false)
  }

  private endStop(failed: boolean): void {
    if (this.hasFailed) return this.stopped.resolve(`RecorderStopError because ${this.cause}`)
    if (failed) {
      this.status = "Failure"
      this.cause = "onStopped failed"
      return this.stopped.resolve("RecorderStopError because onStopped failed")
    }
    this.status = "Stopped"
    this.reportThen = this.report
    this.stopped.resolve(`stopped: ${this.report}`)
  }

  terminate(status: "Failure" | "Cancelled", cause: string): void {
    if (this.hasFailed || this.closing?.isKnown === true) return
    const before = this.status
    this.status = status
    this.cause = cause
    this.totals.discarded += this.pending
    if (before === "Stopping" || !this.isHeld) return
    this.model.spawn(this.tearDown(before === "Running", () => {
      if (before === "Starting") this.started!.resolve(`RecorderStartError because ${cause}`)
    }))
  }

  private *tearDown(runsOnStopped: boolean, done: (failed: boolean) => void): Process {
    this.isTearingDown = true
    yield this.model.nextTurn
    if (this.startRun === "running") {
      yield this.model.nextTurn
      if (this.startRun === "running") this.startRun = "interrupted"
    }
    yield () => this.startRun === "none"
    if (this.pending > 0) yield this.model.nextTurn
    this.fold()
    let failed = false
    if (runsOnStopped && this.kind.has.has("onStopped")) {
      yield this.model.nextTurn
      this.model.callFromInside(this)
      failed = (yield* this.model.pass(this, "onStopped")) === "fails"
    }
    if (this.hasStartResources) yield this.model.nextTurn
    this.holds = this.hasStartResources = false
    this.isTearingDown = false
    done(failed)
  }

  /** Ends the recorder for good. */
  close(): Outcome {
    if (this.closing !== undefined) return this.closing
    const closing = this.closing = new Outcome()
    const before = this.status
    if (before === "Virgin") {
      this.status = "Stopped"
      this.reportThen = this.report
    } else if (before === "Starting") {
      this.status = "Stopping"
      this.stopped = new Outcome()
      this.model.spawn(this.tearDown(false, (failed) => {
        this.started!.resolve("RecorderStartError because interrupted")
        this.endStop(failed)
      }))
    } else if (before === "Running") {
      this.endRunning()
    }
    const isStop = before === "Starting" || before === "Running" || before === "Stopping"
    this.model.spawn(this.awaitClose(closing, isStop))
    return closing
  }

  private *awaitClose(closing: Outcome, isStop: boolean): Process {
    yield () => !this.isTearingDown
    closing.resolve(isStop && this.stopped.text.startsWith("Recorder") ? this.stopped.text : "success")
  }

  /** Nothing goes on in it any more. */
  get isOver(): boolean {
    return this.closing?.isKnown === true && this.model.waiting.every(({ recorder }) => recorder !== this)
  }

  /** What `onStarting` and `wrap` have acquired and is not released. */
  get heldText(): string {
    return `${this.holds ? 1 : 0} ${this.holdsWrap ? 1 : 0}`
  }

  // --- its place in the registry ------------------------------------------------

  *create(): Process {
    this.creation = "running"
    this.hasResources = this.kind.has.has("wrap")
    yield this.model.nextTurn
    const text = yield* this.wrapAndStart()
    this.creation = "none"
    if (this.registry !== "Creating") return
    if (text !== "success") return this.abandon(text)
    this.registry = "Live"
    this.created.resolve("success")
  }

  private *wrapAndStart(): Process<string> {
    const { kind } = this
    const isInterrupted = () => this.creation === "interrupted"
    if (isInterrupted()) return "interrupted"
    if (kind.has.has("wrap")) {
      this.holdsWrap = true
      if (kind.wrapStarts) {
        const started = this.start()
        yield () => started.isKnown || isInterrupted()
        if (isInterrupted()) return "interrupted"
        if (started.text !== "success") return started.text
      }
      const ending = yield* this.model.pass(this, "wrap", isInterrupted)
      if (isInterrupted()) return "interrupted"
      if (ending === "fails") return "wrap failed"
      if (kind.gives === "garbage") return "InvalidOptionError: wrap"
      this.isCustom = kind.gives !== "base"
    }
    if (this.status === "Running") return "success"
    const started = this.start()
    yield () => started.isKnown || isInterrupted()
    if (!started.isKnown) return "interrupted"
    if (!started.text.startsWith("RecorderInvalidStateError")) return started.text
    return `RecorderStartError because ${this.hasFailed ? this.cause : started.text}`
  }

  /** A stop of what `wrap` made: the waiting is that of the caller. */
  *stopCustom(outcome: Outcome, orReport: boolean): Process {
    const ending = yield* this.model.pass(this, "stop", () => outcome.isKnown)
    if (outcome.isKnown) return
    if (ending === "fails") return outcome.resolve("stop failed")
    const stopped = this.stop()
    yield () => stopped.isKnown
    const isKept = orReport && stopped.text.startsWith("RecorderInvalidStateError") && this.status === "Stopped"
    outcome.resolve(isKept ? this.stoppedText : stopped.text)
  }

  /** With `orReport`, one that has stopped gives its report. */
  stopHandle(orReport = false): Outcome {
    if (orReport && this.status === "Stopped") return Outcome.of(this.stoppedText)
    if (!this.isCustom) return this.stop()
    const outcome = new Outcome()
    this.model.customStops.add(outcome)
    this.model.spawn(this.stopCustom(outcome, orReport))
    return outcome
  }

  private get stoppedText(): string {
    return this.statusText.replace("S", "s")
  }

  end(): Outcome {
    this.isRetired = true
    if (!this.hasResources && this.creation === "none") return this.close()
    if (this.ending === undefined) {
      this.ending = new Outcome()
      this.model.spawn(this.endAll(this.ending))
    }
    return this.ending
  }

  private *endAll(ending: Outcome): Process {
    const causes: Array<string> = []
    yield this.model.nextTurn
    if (this.creation !== "none") {
      yield this.model.nextTurn
      if (this.creation === "running") this.creation = "interrupted"
      yield () => this.creation === "none"
    }
    if (this.isCustom && !this.isAbandoned) {
      yield this.model.nextTurn
      const stopped = this.stopHandle(true)
      yield () => stopped.isKnown
      if (!stopped.text.startsWith("RecorderInvalidStateError") && !stopped.text.startsWith("stopped")) {
        causes.push(causeOf(stopped.text))
      }
    }
    const closing = this.close()
    yield () => closing.isKnown
    if (closing.text !== "success") causes.push(causeOf(closing.text))
    if (this.hasResources) {
      yield this.model.nextTurn
      if (this.holdsWrap) {
        this.holdsWrap = false
        if ((yield* this.model.pass(this, "release")) === "fails") causes.push("release failed")
      }
    }
    ending.resolve(causes.length === 0 ? "success" : `RecorderStopError because ${causes.join(", ")}`)
  }

  /** Undoes a creation. */
  abandon(text: string): void {
    this.registry = "Removing"
    this.model.spawn(this.forgetAfter(this.end(), (ended) => {
      if (ended !== "success") this.model.log("creation failed")
      this.created.resolve(text)
    }))
  }

  remove(): Outcome {
    if (this.removed !== undefined) return this.removed
    this.registry = "Removing"
    const removed = this.removed = new Outcome()
    this.model.spawn(this.forgetAfter(this.end(), (ended) => removed.resolve(ended)))
    return removed
  }

  private *forgetAfter(ended: Outcome, done: (text: string) => void): Process {
    yield () => ended.isKnown
    this.registry = "Gone"
    this.model.forget(this)
    done(ended.text)
  }

  /** What a scope does with it. */
  *release(): Process {
    const removed = this.remove()
    yield () => removed.isKnown
    if (removed.text !== "success") this.model.log("scope closed")
  }
}

/** What kept a recorder from stopping. */
const causeOf = (text: string): string => text.replace("RecorderStopError because ", "")

/** Whoever subscribes to the runtime is given the changes that events behind an offset of each recorder make. */
class ModelReader {
  private readonly from = new Map<ModelRecorder, number>()

  constructor(recorders: ReadonlyArray<ModelRecorder>) {
    for (const recorder of recorders) this.from.set(recorder, recorder.events.length)
  }

  /** How many changes of a recorder it is not given. */
  before(recorder: ModelRecorder): number {
    const from = this.from.get(recorder)
    return from === undefined ? 0 : recorder.changes.filter(({ offset }) => offset <= from).length
  }

  /** How many changes it is given. */
  count({ made }: Model): number {
    return made.reduce((sum, recorder) => sum + recorder.changes.length - this.before(recorder), 0)
  }
}

class ModelScope {
  isClosed = false
  readonly recorders: Array<ModelRecorder> = []
}

class Model {
  readonly options: Options
  status: Runtime.RuntimeStatus["_tag"] = "Running"
  /** Those that were ever made, in the order of creation. */
  readonly made: Array<ModelRecorder> = []
  recorders: ReadonlyArray<ModelRecorder> = []
  waiting: ReadonlyArray<Waiting> = []
  readonly logged: Record<string, number> = {}
  readonly past = {
    accepted: 0,
    folded: 0,
    ignored: 0,
    discarded: 0,
    invalidEvent: 0,
    invalidState: 0,
    highWater: 0,
    defects: 0
  }
  /** Whose event it is. */
  readonly owners = new Map<Event.MetricEvent, ModelRecorder>()
  /** Stops that run in the fibers of their callers. */
  readonly customStops = new Set<Outcome>()
  report = ""
  isDispatching = true
  private outcome: Outcome | undefined
  private turn = 0
  private processes: ReadonlyArray<Running> = []

  constructor(options: Options) {
    this.options = options
  }

  // --- what takes time ----------------------------------------------------------

  /** Runs a process up to where it waits. */
  spawn(process: Process): void {
    this.run({ process, condition: () => true })
  }

  private run(running: Running): void {
    do {
      this.processes = this.processes.filter((other) => other !== running)
      const next = running.process.next()
      if (next.done === true) return
      const { turn } = this
      running.condition = next.value === this.nextTurn ? () => this.turn > turn : next.value
      this.processes = [...this.processes, running]
    } while (running.condition())
  }

  /** Comes with the next turn of the host. */
  readonly nextTurn = (): boolean => true

  /** Whatever can go on without the host, in the order in which they began to wait. */
  advance(): void {
    for (let running; (running = this.processes.find(({ condition }) => condition())) !== undefined;) this.run(running)
  }

  /** Whatever goes on by itself. */
  settle(): void {
    for (let idle = 0; idle < 3;) {
      this.turn++
      const before = this.processes.map(({ condition }) => condition)
      this.advance()
      if (this.options.linger === 0 && this.isDispatching) { for (const recorder of this.made) recorder.fold() }
      const isIdle = before.length === this.processes.length &&
        this.processes.every(({ condition }, index) => condition === before[index])
      idle = isIdle ? idle + 1 : 0
    }
  }

  *pass(
    recorder: ModelRecorder,
    hook: Hook,
    isInterrupted: () => boolean = () => false
  ): Process<Ending | "interrupted"> {
    const part = recorder.kind[hook]
    if (part === "instant") return "succeeds"
    if (part === "fails") return "fails"
    const waiting: Waiting = { recorder, hook, ending: undefined }
    this.waiting = [...this.waiting, waiting]
    yield () => waiting.ending !== undefined || part !== "stubborn" && isInterrupted()
    this.waiting = this.waiting.filter((other) => other !== waiting)
    return waiting.ending ?? "interrupted"
  }

  decide(recorder: ModelRecorder, hook: Hook, ending: Ending): void {
    for (const waiting of this.waiting) {
      if (waiting.recorder === recorder && waiting.hook === hook) waiting.ending = ending
    }
  }

  countWaiting(recorder: ModelRecorder, hook: Hook): number {
    return this.waiting.filter((waiting) => waiting.recorder === recorder && waiting.hook === hook).length
  }

  log(message: string): void {
    this.logged[message] = (this.logged[message] ?? 0) + 1
  }

  // --- the registry ---------------------------------------------------------------

  get live(): ReadonlyArray<ModelRecorder> {
    return this.recorders.filter(({ registry }) => registry === "Live")
  }

  find(id: unknown): ModelRecorder | undefined {
    return this.live.find((recorder) => typeof id === "string" && recorder.id === id.trim())
  }

  /** The recorder of an id, or the error. */
  get(id: unknown): ModelRecorder | Outcome {
    return this.find(id) ?? Outcome.of(`RecorderNotFoundError: ${describeId(id)}`)
  }

  invalidState(operation: string): string {
    const because = this.status === "Failure" ? " because interrupted" : ""
    return `RuntimeInvalidStateError: ${operation} in ${this.status}${because}`
  }

  create(operation: string, id: unknown, kind: Kind): ModelRecorder | Outcome {
    if (this.status !== "Running") return Outcome.of(this.invalidState(operation))
    if (typeof id !== "string" || id.trim() === "") return Outcome.of(`InvalidRecorderIdError: ${wrongIdText(id)}`)
    if (this.recorders.some((recorder) => recorder.id === id.trim())) {
      return Outcome.of(`RecorderAlreadyExistsError: ${id.trim()}`)
    }
    if (kind.wrong === "capacity") return Outcome.of("InvalidOptionError: capacity")
    if (kind.wrong === "metric") return Outcome.of("InvalidMetricError")
    if (kind.wrong === "name") return Outcome.of("MetricNameTakenError")
    const recorder = new ModelRecorder(this, this.made.length, id.trim(), kind)
    this.made.push(recorder)
    this.recorders = [...this.recorders, recorder]
    if (kind.has.has("wrap") || kind.has.has("onStarting")) {
      this.spawn(recorder.create())
    } else {
      recorder.begin()
      recorder.registry = "Live"
      recorder.created.resolve("success")
    }
    return recorder
  }

  forget(recorder: ModelRecorder): void {
    this.recorders = this.recorders.filter((other) => other !== recorder)
    addTotals(this.past, recorder)
  }

  stopRecorder(id: unknown): Outcome {
    const recorder = this.get(id)
    if (recorder instanceof Outcome) return recorder
    return recorder.stopHandle(true)
  }

  shutdown(): Outcome {
    if (this.outcome !== undefined) return this.outcome
    this.outcome = new Outcome()
    if (this.status === "Running") this.status = "Stopping"
    for (const recorder of this.recorders) {
      if (recorder.registry === "Creating") recorder.abandon(this.invalidState("createRecorder"))
    }
    const before: Array<string> = []
    const failing: Array<Outcome> = []
    const ending: Array<readonly [ModelRecorder, Outcome]> = []
    const abandoned: Array<ModelRecorder> = []
    for (const recorder of this.recorders) {
      if (recorder.isAbandoned) {
        abandoned.push(recorder)
      } else if (recorder.hasFailed) {
        before.push(`${recorder.id}: ${recorder.cause}`)
        failing.push(recorder.removed ?? recorder.end())
      } else ending.push([recorder, recorder.removed ?? recorder.end()])
    }
    this.spawn(this.endShutdown(this.outcome, before, [...failing, ...abandoned.map(({ created }) => created)], ending))
    return this.outcome
  }

  private *endShutdown(
    outcome: Outcome,
    before: ReadonlyArray<string>,
    others: ReadonlyArray<Outcome>,
    ending: ReadonlyArray<readonly [ModelRecorder, Outcome]>
  ): Process {
    const recorders = before.length + ending.length
    for (const other of others) yield () => other.isKnown
    for (const [, ended] of ending) yield () => ended.isKnown
    const now = ending.flatMap(([{ id }, { text }]) => text === "success" ? [] : [`${id}: ${causeOf(text)}`])
    const { discarded, folded } = this.totals
    const report = `recorders ${recorders}, folded ${folded}, discarded ${discarded}`
    this.report = `${report}, failures [${[...before, ...now].join("; ")}]`
    this.isDispatching = false
    if (now.length > 0) outcome.resolve(`RuntimeShutdownError: ${now.join("; ")}`)
    else outcome.resolve(this.status === "Failure" ? this.invalidState("shutdown") : `shut down: ${this.report}`)
    if (this.status === "Stopping") this.status = "Closed"
  }

  /** From inside a hook nothing is waited for. */
  callFromInside({ id, kind }: ModelRecorder): void {
    if (kind.calls === "removeRecorder") this.find(id)?.remove()
    else if (kind.calls === "shutdown") this.shutdown()
  }

  get hasShutDown(): boolean {
    return this.outcome?.isKnown === true
  }

  interruptDispatcher(): void {
    this.status = "Failure"
    this.isDispatching = false
    for (const recorder of this.recorders) {
      if (recorder.registry === "Creating") recorder.abandon(this.invalidState("createRecorder"))
    }
    for (const recorder of this.recorders) recorder.terminate("Cancelled", "interrupted")
  }

  /** Changes reach nobody any more. */
  get isSilent(): boolean {
    return this.hasShutDown || this.status === "Failure"
  }

  // --- reading ----------------------------------------------------------------------

  get totals() {
    const totals = { ...this.past, pending: 0 }
    for (const recorder of this.recorders) {
      addTotals(totals, recorder)
      totals.pending += recorder.pending
    }
    return totals
  }

  get stats() {
    const { defects, invalidEvent, invalidState, ...totals } = this.totals
    return {
      ...totals,
      refused: { invalidEvent, invalidState, overflow: 0 },
      defects: defects === 0 ? {} : { fragile: defects },
      dropped: 0,
      droppedByTag: {},
      skipped: {},
      overLimit: {},
      recorders: this.live.length
    }
  }

  get statusText(): string {
    return this.status === "Closed" ? `Closed: ${this.report}` : this.status
  }

  /** Folds and gives the recorders that can be read. */
  read(): ReadonlyArray<ModelRecorder> {
    return this.recorders.filter((recorder) => {
      if (recorder.registry === "Creating" || recorder.isAbandoned) return false
      if (recorder.isCustom && recorder.kind.gives === "unreadable") {
        this.log("could not be read")
        return false
      }
      recorder.fold()
      return true
    })
  }
}

const addTotals = (totals: Model["past"], { events, totals: own }: ModelRecorder): void => {
  totals.accepted += events.length
  totals.folded += own.folded
  totals.ignored += own.ignored
  totals.discarded += own.discarded
  totals.invalidEvent += own.invalidEvent
  totals.invalidState += own.invalidState
  totals.highWater = Math.max(totals.highWater, own.highWater)
  totals.defects += own.defects
}

const wrongIdText = (id: unknown): string =>
  typeof id === "string"
    ? JSON.stringify(id)
    : typeof id === "object" && id !== null
    ? "an object without fields"
    : String(id)

const describeId = (id: unknown): string => typeof id === "string" ? id.trim() : wrongIdText(id)

// -----------------------------------------------------------------------------
// outcomes in words
// -----------------------------------------------------------------------------

const describeCause = (cause: Cause.Cause<unknown>): string =>
  cause.reasons.map((reason) => {
    if (reason._tag === "Interrupt") return "interrupted"
    const error = reason._tag === "Fail" ? reason.error : reason.defect
    if (error instanceof Recorder.RecorderStopError) return `[${describeCause(error.cause)}]`
    if (error instanceof Recorder.RecorderInvalidStateError) return describeError(error)
    return error instanceof Error ? error.message : String(error)
  }).join(", ")

const describeReport = ({ discarded, folded }: Recorder.StopReport) => `folded ${folded}, discarded ${discarded}`

const describeFailures = (failures: ReadonlyArray<Runtime.RecorderFailure>) =>
  failures.map(({ cause, recorderId }) => `${recorderId}: ${describeCause(cause)}`).join("; ")

const describeShutdown = (report: Runtime.ShutdownReport) =>
  `recorders ${report.recorders}, ${describeReport(report)}, failures [${describeFailures(report.failures)}]`

const describeStatus = (status: Recorder.RecorderStatus): string => {
  if (status._tag === "Stopped") return `Stopped: ${describeReport(status.report)}`
  return "cause" in status ? `${status._tag} because ${describeCause(status.cause)}` : status._tag
}

type AnyError =
  | string
  | Runtime.CreateError
  | Runtime.RecorderNotFoundError
  | Runtime.RuntimeShutdownError
  | Event.InvalidEventError
  | Recorder.QueueOverflowError
  | Recorder.RecorderInvalidStateError
  | Recorder.RecorderStopError
  | Recorder.StopTimeoutError

const describeError = (error: AnyError): string => {
  if (typeof error === "string") return error
  switch (error._tag) {
    case "RecorderInvalidStateError":
    case "RuntimeInvalidStateError": {
      const because = error.cause === undefined ? "" : ` because ${describeCause(error.cause)}`
      return `${error._tag}: ${error.operation} in ${error.state}${because}`
    }
    case "RecorderStartError":
    case "RecorderStopError":
      return `${error._tag} because ${describeCause(error.cause)}`
    case "RuntimeShutdownError":
      return `${error._tag}: ${describeFailures(error.failures)}`
    case "RecorderAlreadyExistsError":
    case "RecorderNotFoundError":
    case "InvalidRecorderIdError":
      return `${error._tag}: ${error.recorderId}`
    case "InvalidOptionError":
      return `${error._tag}: ${error.option}`
    default:
      return error._tag
  }
}

// -----------------------------------------------------------------------------
// a walk with a real runtime
// -----------------------------------------------------------------------------

const giveTurns = (count: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    let turns = count
    const turn = () => void (turns-- > 0 ? setImmediate(turn) : resume(Effect.void))
    turn()
  })

const agree = (what: string, real: unknown, model: unknown): void => {
  if (isDeepStrictEqual(real, model)) return
  assert.fail(`${what}\n  runtime: ${Formatter.format(real)}\n  model:   ${Formatter.format(model)}`)
}

/** What a part of a recorder waits for before it ends. */
class Gate {
  readonly waiting = new Set<Deferred.Deferred<void, string>>()
  private readonly name: string
  private readonly part: Part
  private isOpen = false

  constructor(name: string, part: Part) {
    this.name = name
    this.part = part
  }

  readonly pass: Effect.Effect<void, string> = Effect.suspend(() => {
    if (this.part === "fails") return Effect.fail(`${this.name} failed`)
    if (this.part === "instant" || this.isOpen) return Effect.void
    const waiting = Deferred.makeUnsafe<void, string>()
    this.waiting.add(waiting)
    const ended = Effect.ensuring(Deferred.await(waiting), Effect.sync(() => this.waiting.delete(waiting)))
    return this.part === "stubborn" ? Effect.uninterruptible(ended) : ended
  })

  decide(ending: Ending): void {
    for (const waiting of Array.from(this.waiting)) {
      Deferred.doneUnsafe(waiting, ending === "succeeds" ? Exit.void : Exit.fail(`${this.name} failed`))
    }
  }

  /** From now on nothing waits here. */
  open(): void {
    this.isOpen = true
    this.decide("succeeds")
  }
}

/** A recorder of the walk, as the walk has it. */
class Actor {
  readonly gates: Readonly<Record<Hook, Gate>>
  /** What is acquired and not released, by `onStarting` and by `wrap`. */
  held = { onStarting: 0, wrap: 0 }
  base: Recorder.Handle | undefined
  handle: Recorder.Handle | undefined
  readonly options: Runtime.RecorderOptions<string, Scope.Scope>

  constructor(kind: Kind, callFromInside: Effect.Effect<unknown>) {
    const gates = this.gates = Object.fromEntries(
      hooks.map((hook) => [hook, new Gate(hook, kind[hook])])
    ) as Actor["gates"]
    const { held } = this
    const onStarting = Effect.acquireRelease(
      Effect.sync(() => void held.onStarting++),
      () => Effect.sync(() => void held.onStarting--)
    ).pipe(Effect.andThen(callFromInside), Effect.andThen(gates.onStarting.pass))
    const onStopped = Effect.andThen(callFromInside, gates.onStopped.pass)
    const wrap = (base: Recorder.Handle) => {
      this.handle = this.base = base
      return Effect.gen(function*() {
        yield* Effect.acquireRelease(
          Effect.sync(() => void held.wrap++),
          () => Effect.andThen(Effect.sync(() => void held.wrap--), Effect.orDie(gates.release.pass))
        )
        if (kind.wrapStarts) yield* Effect.mapError(base.start, describeError)
        yield* gates.wrap.pass
      }).pipe(Effect.map(() => {
        if (kind.gives === "base") return base
        if (kind.gives === "garbage") return {} as Recorder.Handle
        const broken = { capture: Effect.die("broken"), snapshots: Effect.die("broken") }
        return this.handle = Recorder.decorate(base, {
          stop: Effect.andThen(Effect.orDie(gates.stop.pass), base.stop),
          ...(kind.gives === "unreadable" ? broken : {})
        })
      }))
    }
    this.options = {
      capacity: kind.wrong === "capacity" ? 0 : 10_000,
      metrics: kind.wrong === "metric" ? ["hits" as never] : kind.wrong === "name" ? [Hits, Impostor] : [Hits, Fragile],
      onDefect: kind.onDefect,
      ...(kind.has.has("onStarting") ? { onStarting } : {}),
      ...(kind.has.has("onStopped") ? { onStopped } : {}),
      ...(kind.has.has("wrap") ? { wrap } : {})
    } as Runtime.RecorderOptions<string, Scope.Scope>
  }
}

/** Somebody who called an operation, and may be waiting. */
class Caller {
  readonly name: string
  readonly outcome = new Outcome()
  exit: Exit.Exit<unknown, AnyError> | undefined
  fiber: Fiber.Fiber<void> | undefined
  isInterrupted = false
  /** What the model makes of an interruption; `undefined` where there is nothing to interrupt. */
  interrupt: (() => void) | undefined

  constructor(name: string) {
    this.name = name
  }
}

interface Subscriber {
  readonly reader: ModelReader
  readonly fiber: Fiber.Fiber<void>
  readonly received: ReadonlyArray<Recorder.MetricChange>
  /** Holds the subscriber up after each batch while it is closed. */
  readonly gate: Latch.Latch
  isBlocked: boolean
  checked: number
  readonly last: Map<ModelRecorder, number>
}

/**
 * Takes a walk. Its fibers are detached: a test that fails must not wait for a
 * recorder that is stuck.
 */
const walk = Effect.fnUntraced(function*(options: Options, steps: ReadonlyArray<Step>) {
  const model = new Model(options)
  const scope = Scope.makeUnsafe()
  const logged: Record<string, number> = {}
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    const [text] = Array.isArray(message) ? message : [message]
    const what = ["creation failed", "scope closed", "could not be read"].find((what) => String(text).includes(what))
    if (logLevel === "Error" && what !== undefined) logged[what] = (logged[what] ?? 0) + 1
  })
  const { capacity, linger } = options
  const runtime = yield* Runtime.make({ capacity, linger, namespace: "walk", stopTimeout: "1 day" }).pipe(
    Scope.provide(scope),
    Effect.provideService(Logger.CurrentLoggers, new Set([logger]))
  )

  /** The recorders of the model, each with the one that it stands for. */
  const actors: Array<readonly [ModelRecorder, Actor]> = []
  let callers: Array<Caller> = []
  let subscribers: Array<Subscriber> = []
  const scopes = Array.from({ length: 3 }, () => ({ real: Scope.makeUnsafe(), model: new ModelScope() }))
  let lastN = 0
  let calls = 0
  let dispatcher: Fiber.Fiber<unknown, unknown> | undefined
  const shutDown = new Set<unknown>()
  const taken: Array<string> = []
  /** Changes that subscribers who are gone did not get; `undefined` when nobody can know. */
  let skipped: number | undefined = 0

  // --- calls ------------------------------------------------------------------

  const describeValue = (value: unknown): string => {
    if (value === undefined) return "success"
    if (typeof value === "object" && value !== null && "failures" in value) {
      shutDown.add(value)
      return `shut down: ${describeShutdown(value as Runtime.ShutdownReport)}`
    }
    if (typeof value === "object" && value !== null && "folded" in value) {
      return `stopped: ${describeReport(value as Recorder.StopReport)}`
    }
    const found = actors.find(([, { handle }]) => handle === value)
    if (found === undefined) return "an unknown recorder"
    return `${found[1].base === value ? "recorder" : "custom"} ${found[0].number}`
  }

  const textOf = ({ exit }: Caller): string => {
    if (exit === undefined) return "waiting"
    if (Exit.isSuccess(exit)) return describeValue(exit.value)
    const error = Cause.findErrorOption(exit.cause)
    return Option.isSome(error) ? describeError(error.value) : describeCause(exit.cause)
  }

  /** Calls an operation in a fiber of its own, after the model has said what comes of it. */
  const call = Effect.fnUntraced(function*(caller: Caller, effect: Effect.Effect<unknown, AnyError>) {
    callers.push(caller)
    caller.fiber = yield* Effect.forkDetach(
      Effect.exit(Effect.onExit(effect, (exit) =>
        Effect.sync(() => {
          caller.exit = exit
        }))),
      { startImmediately: true }
    ) as Effect.Effect<Fiber.Fiber<void>>
  })

  /** A caller who shares an outcome with others. */
  const sharing = (name: string, source: Outcome, toText: (text: string) => string = (text) => text): Caller => {
    const caller = new Caller(`${name} (call ${++calls})`)
    model.spawn((function*() {
      yield () => source.isKnown
      if (!caller.isInterrupted) caller.outcome.resolve(toText(source.text))
    })())
    caller.interrupt = () => caller.outcome.resolve("interrupted")
    return caller
  }

  /** A caller who stops a recorder: what a custom one waits for ends with the caller. */
  const stopping = (name: string, source: Outcome): Caller => {
    const caller = sharing(name, source)
    caller.interrupt = () => {
      caller.outcome.resolve("interrupted")
      if (model.customStops.has(source)) source.resolve("interrupted")
    }
    return caller
  }

  const create = Effect.fnUntraced(function*({ id, kind, scope: index }: Extract<Command, { do: "create" }>) {
    const operation = index === undefined ? "createRecorder" : "recorder"
    const caller = new Caller(`${operation} ${Formatter.format(id)} (call ${++calls})`)
    const place = index === undefined ? undefined : scopes[index]!
    const created = model.create(operation, id, kind)
    const inside = {
      removeRecorder: Effect.exit(runtime.removeRecorder(id as string)),
      shutdown: Effect.exit(runtime.shutdown)
    }
    const actor = new Actor(kind, kind.calls === undefined ? Effect.void : inside[kind.calls])
    if (created instanceof Outcome) {
      caller.outcome.resolve(created.text)
    } else {
      actors.push([created, actor])
      caller.interrupt = () => {
        if (created.registry === "Creating") created.abandon("interrupted")
      }
      model.spawn((function*() {
        yield () => created.created.isKnown
        caller.interrupt = undefined
        if (caller.isInterrupted) return caller.outcome.resolve("interrupted")
        if (created.created.text !== "success") return caller.outcome.resolve(created.created.text)
        if (place?.model.isClosed === true) yield* created.release()
        else place?.model.recorders.push(created)
        caller.outcome.resolve(created.handle)
      })())
    }
    const effect = place === undefined
      ? runtime.createRecorder(id as string, actor.options)
      : Scope.provide(runtime.recorder(id as string, actor.options), place.real)
    yield* call(
      caller,
      effect.pipe(
        Effect.tap((handle) =>
          Effect.sync(() => {
            if (actor.base !== undefined) return
            actor.handle = actor.base = handle
          })
        ),
        Effect.onError(() => created instanceof Outcome ? Effect.void : checkFree(created.id))
      )
    )
  })

  /** Whoever hears that a recorder is gone can use its id at once. */
  const checkFree = (id: string): Effect.Effect<void> =>
    runtime.createRecorder(id, { capacity: 0 }).pipe(
      Effect.catchTag("RecorderAlreadyExistsError", () => Effect.sync(() => void taken.push(id))),
      Effect.exit,
      Effect.asVoid
    )

  const closeScope = Effect.fnUntraced(function*(index: number) {
    const place = scopes[index]!
    if (place.model.isClosed) {
      scopes[index] = { real: Scope.makeUnsafe(), model: new ModelScope() }
      return
    }
    place.model.isClosed = true
    const caller = new Caller(`close scope (call ${++calls})`)
    model.spawn((function*() {
      for (const recorder of place.model.recorders.toReversed()) yield* recorder.release()
      caller.outcome.resolve("success")
    })())
    yield* call(caller, Scope.close(place.real, Exit.void))
  })

  const emit = Effect.fnUntraced(function*(command: Extract<Command, { do: "emit" }>) {
    const [expected, { handle }] = recent(command.recorder)
    if (handle === undefined) return
    for (const tag of command.tags) {
      const event = tag === "garbage" ? undefined : new classes[tag as Fact["_tag"]]({ n: ++lastN })
      const text = expected.emit(event)
      if (event !== undefined) model.owners.set(event, expected)
      if (command.strictly) {
        const caller = new Caller("registerEvent")
        caller.exit = yield* Effect.exit(handle.registerEvent(event as Event.MetricEvent))
        agree("registerEvent", textOf(caller), text)
      } else {
        agree("registerEventUnsafe", handle.registerEventUnsafe(event as Event.MetricEvent), text === "success")
      }
    }
  })

  /** One of those that were created last. */
  const recent = (index: number) => actors[actors.length - 1 - index % Math.min(6, actors.length)]!

  // --- commands ---------------------------------------------------------------

  const run = Effect.fnUntraced(function*(command: Command) {
    switch (command.do) {
      case "create":
        for (let time = 0; time < command.times; time++) yield* create(command)
        return
      case "remove":
        for (let time = 0; time < command.times; time++) {
          const found = model.get(command.id)
          const caller = found instanceof Outcome
            ? sharing("removeRecorder", found)
            : sharing("removeRecorder", found.remove(), (text) => text === "success" ? found.handle : text)
          yield* call(
            caller,
            Effect.tap(
              runtime.removeRecorder(command.id as string),
              () => found instanceof Outcome ? Effect.void : checkFree(found.id)
            )
          )
        }
        return
      case "stop":
        return yield* call(
          stopping("stopRecorder", model.stopRecorder(command.id)),
          runtime.stopRecorder(command.id as string)
        )
      case "get": {
        const found = model.get(command.id)
        const caller = sharing("getRecorder", found instanceof Outcome ? found : Outcome.of(found.handle))
        return yield* call(caller, runtime.getRecorder(command.id as string))
      }
      case "find": {
        const found = yield* runtime.findRecorder(command.id as string)
        return agree(
          "findRecorder",
          Option.getOrUndefined(Option.map(found, describeValue)),
          model.find(command.id)?.handle
        )
      }
      case "start handle":
      case "stop handle": {
        if (actors.length === 0) return
        const [expected, { handle }] = recent(command.recorder)
        if (handle === undefined) return
        return command.do === "start handle"
          ? yield* call(sharing("start", expected.start()), handle.start)
          : yield* call(stopping("stop", expected.stopHandle()), handle.stop)
      }
      case "emit":
        return actors.length === 0 ? undefined : yield* emit(command)
      case "let": {
        const waiting = model.waiting[command.hook % Math.max(1, model.waiting.length)]
        if (waiting === undefined) return
        const { hook, recorder } = waiting
        model.decide(recorder, hook, command.ending)
        return actors.find(([expected]) => expected === recorder)![1].gates[hook].decide(command.ending)
      }
      case "interrupt": {
        const waiting = callers.filter(({ exit, interrupt }) => exit === undefined && interrupt !== undefined)
        const caller = waiting[command.caller % Math.max(1, waiting.length)]
        if (caller === undefined) return
        caller.isInterrupted = true
        caller.interrupt!()
        return caller.fiber!.interruptUnsafe()
      }
      case "close scope":
        return yield* closeScope(command.scope)
      case "captures": {
        const captures = yield* runtime.captures
        return agree(
          "captures",
          captures.map(({ entityId, metrics, namespace, offset, recorderId }) => ({
            place: `${namespace} ${recorderId} ${entityId} ${offset}`,
            states: metrics.map(({ state }) => state)
          })),
          model.read().map(({ events, fragile, hits, id }) => ({
            place: `walk ${id} ${id} ${events.length}`,
            states: [hits, fragile]
          }))
        )
      }
      case "snapshots": {
        const snapshots = yield* runtime.snapshots
        return agree(
          "snapshots",
          Object.entries(snapshots),
          model.read().map(({ id, snapshots }) => [id, snapshots])
        )
      }
      case "shutdown":
        return yield* call(sharing("shutdown", model.shutdown()), runtime.shutdown)
      case "interrupt dispatcher":
        if (dispatcher === undefined || model.status !== "Running") return
        model.interruptDispatcher()
        return dispatcher.interruptUnsafe()
      case "subscribe": {
        if (subscribers.length >= 3) return
        const received: Array<Recorder.MetricChange> = []
        const gate = yield* Latch.make(!command.blocked)
        const reader = new ModelReader(model.made)
        const fiber = yield* Effect.forkDetach(
          Stream.runForEachArray(runtime.changes, (batch) => {
            received.push(...batch)
            return gate.await
          }),
          { startImmediately: true }
        )
        subscribers.push({
          reader,
          fiber,
          received,
          gate,
          isBlocked: command.blocked,
          checked: 0,
          last: new Map()
        })
        return
      }
      case "unsubscribe": {
        const [subscriber] = subscribers.splice(command.reader, 1)
        if (subscriber === undefined) return
        if (skipped !== undefined) skipped = subscriber.isBlocked ? undefined : skipped + missing(subscriber)
        return subscriber.fiber.interruptUnsafe()
      }
      case "block": {
        const subscriber = subscribers[command.reader]
        if (subscriber === undefined) return
        subscriber.isBlocked = command.blocked
        return yield* command.blocked ? subscriber.gate.close : subscriber.gate.open
      }
    }
  })

  // --- comparing --------------------------------------------------------------

  /** What does not agree, of what can be compared at any time. */
  const difference = Effect.gen(function*() {
    const differ = (what: string, real: unknown, model: unknown) =>
      real === model ? undefined : [what, real, model] as const
    const status = yield* runtime.status
    const text = status._tag === "Closed" ? `Closed: ${describeShutdown(status.report)}` : status._tag
    let found = differ("status", text, model.statusText) ??
      differ("recorderIds", (yield* runtime.recorderIds).join(), model.live.map(({ id }) => id).join())
    for (const [expected, { base, gates, held }] of actors) {
      if (found !== undefined) return found
      if (expected.isForgotten) continue
      if (base !== undefined) {
        found = differ(`status of ${expected.number}`, describeStatus(yield* base.status), expected.statusText)
      }
      for (const hook of hooks) {
        found ??= differ(`${hook} of ${expected.number}`, gates[hook].waiting.size, model.countWaiting(expected, hook))
      }
      found ??= differ(`resources of ${expected.number}`, `${held.onStarting} ${held.wrap}`, expected.heldText)
    }
    for (const caller of callers) found ??= differ(caller.name, textOf(caller), caller.outcome.text)
    return found
  })

  /** What is told later has not been told yet. */
  const isBehind = Effect.map(
    runtime.stats,
    ({ changesSkipped }) =>
      !isDeepStrictEqual(logged, model.logged) ||
      subscribers.some(({ fiber, isBlocked }) => !isBlocked && (fiber.pollUnsafe() !== undefined) !== model.isSilent) ||
      expectedSkips() !== undefined && expectedSkips() !== changesSkipped
  )

  /** How many changes were skipped, where a blocked subscriber does not keep it open. */
  const expectedSkips = () =>
    skipped === undefined || subscribers.some(({ isBlocked }) => isBlocked)
      ? undefined
      : subscribers.reduce((sum, subscriber) => sum + missing(subscriber), skipped)

  const compare = Effect.gen(function*() {
    const found = yield* difference
    if (found !== undefined) agree(...found)
    callers = callers.filter(({ exit }) => exit === undefined)
    for (const [expected] of actors) expected.isForgotten = expected.registry === "Gone" && expected.isOver
    const { changesSkipped, ...stats } = yield* runtime.stats
    agree("stats", stats, model.stats)
    if (capacity === 10_000) agree("changes skipped", changesSkipped, 0)
    assert.isAtMost(shutDown.size, 1, "all callers of shutdown get one report")
    agree("ids that are not free", taken, [])
    return changesSkipped
  })

  const missing = ({ reader, received }: Subscriber) => reader.count(model) - received.length

  const compareSubscriber = (subscriber: Subscriber) => {
    const { fiber, isBlocked, last, received } = subscriber
    for (; subscriber.checked < received.length; subscriber.checked++) {
      const { entityId, event, metric, offset, recorderId, sequence, snapshot, state } = received[subscriber.checked]!
      const recorder = model.owners.get(event)!
      const before = last.get(recorder) ?? subscriber.reader.before(recorder)
      if (capacity === 10_000) agree(`sequence of ${recorder.number}`, sequence, before + 1)
      assert.isAbove(sequence, before)
      last.set(recorder, sequence)
      agree(
        "a change",
        { recorderId, entityId, metric, event, state, offset, snapshot },
        {
          recorderId: recorder.id,
          entityId: recorder.id,
          ...recorder.changes[sequence - 1]!,
          snapshot: { name: metric, dimensions: state }
        }
      )
    }
    if (isBlocked) return
    if (capacity === 10_000) agree("changes not delivered", missing(subscriber), 0)
    agree("end of the changes", fiber.pollUnsafe() !== undefined, model.isSilent)
  }

  const compareSettled = Effect.gen(function*() {
    model.settle()
    yield* giveTurns(8)
    for (let round = 0; round < 20 && ((yield* difference) !== undefined || (yield* isBehind)); round++) {
      yield* giveTurns(8)
    }
    const changesSkipped = yield* compare
    agree("logged", logged, model.logged)
    for (const subscriber of subscribers) compareSubscriber(subscriber)
    if (expectedSkips() !== undefined) agree("changes skipped", changesSkipped, expectedSkips())
  })

  const all = Effect.gen(function*() {
    for (const [index, { atOnce, command }] of steps.entries()) {
      yield* Effect.gen(function*() {
        const isSettled = settled.has(command.do) || command.do === "emit" && command.tags.includes("poison") ||
          model.made.some(({ isAboutToFail }) => isAboutToFail)
        if (isSettled) yield* compareSettled
        const begun = performance.now()
        yield* run(command)
        model.advance()
        // What takes longer than a slice of time gives way to others.
        const gaveWay = performance.now() - begun >= 1
        if (atOnce && !isSettled && !gaveWay) yield* compare
        else yield* compareSettled
        if (options.isProbed && index === 1) dispatcher = lastFolder
      }).pipe(Effect.catchCause((cause) => Effect.die(new Error(explain(options, index, steps, cause)))))
    }
  })

  /** Lets everything come to its end, one part after the other. */
  const finish = Effect.gen(function*() {
    for (let reader = 0; reader < subscribers.length; reader++) yield* run({ do: "block", reader, blocked: false })
    yield* run({ do: "shutdown" })
    yield* compareSettled
    while (model.waiting.length > 0) {
      yield* run({ do: "let", hook: 0, ending: "succeeds" })
      yield* compareSettled
    }
    assert.isTrue(model.hasShutDown)
    agree("the dispatcher runs", dispatcher !== undefined && dispatcher.pollUnsafe() === undefined, false)
    agree("callers who still wait", callers.map(({ name }) => name), [])
    for (const [{ statusText, totals }, { base }] of actors) {
      if (base === undefined) continue
      agree("status in the end", describeStatus(yield* base.status), statusText)
      const { discarded, folded, ignored, refused } = yield* base.stats
      agree("stats in the end", { discarded, folded, ignored, refused: refused.invalidState }, {
        discarded: totals.discarded,
        folded: totals.folded,
        ignored: totals.ignored,
        refused: totals.invalidState
      })
    }
  }).pipe(
    Effect.catchCause((cause) => Effect.die(new Error(explain(options, steps.length, steps, cause))))
  )

  /** Lets everything end, whatever a walk that failed has come to. */
  const leave = Effect.gen(function*() {
    for (const [, { gates }] of actors) for (const gate of Object.values(gates)) gate.open()
    for (const { gate } of subscribers) gate.openUnsafe()
    yield* Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* giveTurns(8)
  })

  const untilTheEnd = Effect.onExit(Effect.andThen(all, finish), () => leave)

  yield* Effect.provideService(untilTheEnd, Logger.CurrentLoggers, new Set([logger]))
  // Commands follow each other at once: nothing may come in between because the fiber of the test gives way.
}, Effect.provideService(References.PreventSchedulerYield, true))

/** Commands whose order with what goes on by itself is not for the model to know. */
const settled: ReadonlySet<Command["do"]> = new Set<Command["do"]>([
  "let",
  "interrupt",
  "captures",
  "snapshots",
  "interrupt dispatcher",
  "unsubscribe"
])

const explain = (options: Options, failed: number, steps: ReadonlyArray<Step>, cause: Cause.Cause<unknown>) =>
  [
    Formatter.format(options),
    ...steps.slice(0, failed + 1).map((step, index) => `${index === failed ? "->" : "  "} ${describeStep(step)}`),
    Cause.pretty(cause)
  ].join("\n")

const { RUNTIME_REPLAY, RUNTIME_SEED, RUNTIME_WALKS } = process.env

describe("a runtime on a random walk", () => {
  it.effect.prop(
    "does what the model says",
    [anyWalk],
    ([{ options, steps }]) => walk(options, steps),
    {
      timeout: 600_000,
      arbitrary: {
        runs: Number(RUNTIME_WALKS ?? 2_000),
        size: 100,
        maxShrinks: 500,
        seed: RUNTIME_SEED === undefined ? undefined : Number(RUNTIME_SEED),
        replay: RUNTIME_REPLAY
      }
    }
  )
})
