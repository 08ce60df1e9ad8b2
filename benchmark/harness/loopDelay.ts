import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout } from "node:timers/promises"

/**
 * How late the event loop is while some work goes on, so many times: the 99th
 * percentile in milliseconds, the resolution of one included.
 */
export const loopDelay = async (work: () => Promise<unknown>, times = 1): Promise<number> => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  // It counts from its first tick, and what holds the loop shows in the tick that follows.
  while (delay.count === 0) await setTimeout(1)
  for (let i = 0; i < times; i++) {
    await work()
    await setTimeout(2)
  }
  delay.disable()
  return delay.percentile(99) / 1e6
}
