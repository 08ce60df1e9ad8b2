import * as Effect from "effect/Effect"

/**
 * What the host of the program offers for giving way. Effect's scheduler is not
 * used for it, because it may be made of microtasks, which let no I/O happen.
 */
interface Host {
  readonly setImmediate?: ((f: () => void) => unknown) | undefined
  readonly MessageChannel?: typeof MessageChannel | undefined
  readonly setTimeout: (f: () => void, delay: number) => unknown
}

/** The fastest way of a host to run a function after pending I/O, in its next macrotask. */
export const makeImmediate = (host: Host): (f: () => void) => void => {
  const { setImmediate } = host
  if (typeof setImmediate === "function") return (f) => void setImmediate(f)
  if (typeof host.MessageChannel === "function") {
    const { port1, port2 } = new host.MessageChannel()
    const waiting: Array<() => void> = []
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it does not open the port, as `onmessage` does
    port1.onmessage = () => waiting.shift()?.()
    return (f) => {
      waiting.push(f)
      port2.postMessage(undefined)
    }
  }
  return (f) => void host.setTimeout(f, 0)
}

export const immediate = makeImmediate(globalThis)

/** Lets pending I/O of the host happen. */
export const giveWay = Effect.callback<void>((resume) => immediate(() => resume(Effect.void)))

/** The longest delay that hosts know, in milliseconds. */
export const longestTimer = 2 ** 31 - 1

/** Waits by the clock of the host, which no `TestClock` stands still for. */
export const pause = (millis: number): Effect.Effect<void> =>
  millis > longestTimer ? Effect.never : Effect.callback((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

/** Wall time that no `TestClock` stands still for: it bounds how long the event loop is held. */
export const now = (): number => performance.now()

/** Carries a value along with what a function starts. */
export interface AsyncStorage<A> {
  readonly run: <B>(value: A, f: () => B) => B
  readonly getStore: () => A | undefined
}

interface AsyncHooks {
  readonly AsyncLocalStorage: {
    new(): unknown
    readonly snapshot: () => <A>(f: () => A) => A
  }
}

interface StorageHost {
  readonly process?: {
    readonly getBuiltinModule?: ((id: "node:async_hooks") => AsyncHooks) | undefined
  } | undefined
}

const asyncHooks = (host: object): AsyncHooks | undefined =>
  (host as StorageHost).process?.getBuiltinModule?.("node:async_hooks")

/** What runs a function as a part of what runs now. */
export const asyncContext = (): <A>(f: () => A) => A =>
  asyncHooks(globalThis)?.AsyncLocalStorage.snapshot() ?? ((f) => f())

/** The `AsyncLocalStorage` of the host; where there is none, what follows an `await` does not have the value. */
export const makeAsyncStorage = <A>(host: object): AsyncStorage<A> => {
  const hooks = asyncHooks(host)
  if (hooks !== undefined) return new hooks.AsyncLocalStorage() as AsyncStorage<A>
  let current: A | undefined
  return {
    run: (value, f) => {
      const before = current
      current = value
      try {
        return f()
      } finally {
        current = before
      }
    },
    getStore: () => current
  }
}
