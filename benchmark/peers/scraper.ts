/** Who scrapes has a thread of its own, and makes little of the answer: on two cores it would be measured, too. */
import { Worker } from "node:worker_threads"

/** Says how many lines of requests there are. */
export const makeScraper = (url: string): () => Promise<number> => {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads")
     parentPort.on("message", async (url) => {
       const body = Buffer.from(await (await fetch(url)).arrayBuffer())
       let lines = 0
       for (let at = 0; (at = body.indexOf("\\nrequests", at)) >= 0; at++) lines++
       parentPort.postMessage(lines)
     })`,
    { eval: true }
  )
  return () =>
    new Promise((resolve) => {
      worker.once("message", resolve)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage(url)
    })
}
