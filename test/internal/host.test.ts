import { assert, describe, it } from "@effect/vitest"
import { makeImmediate } from "../../src/internal/host.ts"

const order = async (host: Parameters<typeof makeImmediate>[0]): Promise<ReadonlyArray<string>> => {
  const log: Array<string> = []
  const immediate = makeImmediate(host)
  await new Promise<void>((resolve) => {
    immediate(() => log.push("first"))
    immediate(() => {
      log.push("second")
      resolve()
    })
    void Promise.resolve().then(() => log.push("microtask"))
    log.push("now")
  })
  return log
}

describe("immediate", () => {
  const hosts = {
    setImmediate: { setImmediate, setTimeout },
    "a message channel, where there is no setImmediate": { MessageChannel, setTimeout },
    "a zero timer, where there is neither": { setTimeout }
  }

  it.each(Object.keys(hosts))("runs after microtasks, in order, by way of %s", async (name) => {
    assert.deepStrictEqual(await order(hosts[name as keyof typeof hosts]), ["now", "microtask", "first", "second"])
  })
})
