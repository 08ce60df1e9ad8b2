/** Fails where the lockfile names the place that a package came from, which would tie it to one registry. */
import { readFileSync } from "node:fs"

const lock = JSON.parse(
  readFileSync("package-lock.json", "utf8"),
  (key, value) => key === "funding" ? undefined : value
)
const addresses = JSON.stringify(lock, null, 2).split("\n").filter((line) => /"resolved"|:\/\//.test(line))
for (const address of addresses) console.error(address.trim())
process.exitCode = addresses.length === 0 ? 0 : 1
