/**
 * Runs a command that starts the example service, looks where it says, and
 * stops it as Ctrl-C does. Fails where the service does not do what it should.
 */
import { match, strictEqual } from "node:assert"
import { spawn } from "node:child_process"
import { once } from "node:events"

const command = process.argv[2]
if (command === undefined) throw new Error("Expected a command that starts the service")

// In a process group of its own: Ctrl-C tells all processes of a command.
const child = spawn("bash", ["-c", command], {
  detached: true,
  env: { ...process.env, PORT: "0" },
  stdio: ["ignore", "pipe", "inherit"]
})
const closed = once(child, "close")
let stdout = ""

const look = async (): Promise<void> => {
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      process.stdout.write(chunk)
      stdout += chunk
      const [, url] = stdout.match(/^(http:\/\/127\.0\.0\.1:\d+) /m) ?? []
      if (url !== undefined) resolve(url)
    })
    child.on("close", (code) => reject(new Error(`The service ended with ${code} before it said where to look`)))
  })
  const document = new URL("/documents/hello", url)
  strictEqual((await fetch(document, { method: "PUT", body: "hello" })).status, 201)
  strictEqual(await (await fetch(document)).text(), "hello")
  match(
    await (await fetch(new URL("/metrics", url))).text(),
    /^http_server_request_duration_seconds_count\{.*http_request_method="PUT".*http_route="\/documents\/:id".*\} 1$/m
  )
  const { default: metrics } = await (await fetch(new URL("/snapshots", url))).json() as any
  strictEqual(metrics["document_storage.save.attempts"].dimensions.success_total, 1)
}

try {
  await look()
  process.kill(-child.pid!, "SIGINT")
  const [code, signal] = await closed
  // npm's shell tells that it was interrupted, and not how its program ended.
  if (signal !== "SIGINT") strictEqual(code, 0)
  match(stdout, /^document_storage\.save\.attempts_success_total +counter +1$/m)
} finally {
  if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGKILL")
}
