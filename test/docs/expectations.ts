import * as assert from "node:assert/strict"

/** Checks the values that a block states, and that the block came to each of them. */
export const expectations = (lines: ReadonlyArray<number>) => {
  const open = new Set(lines)
  process.on("exit", (code) => {
    if (code !== 0 || open.size === 0) return
    process.exitCode = 1
    process.stderr.write(`Never reached: the values stated on line ${[...open].join(", ")}\n`)
  })
  return (line: number, actual: unknown, expected: unknown): void => {
    assert.deepStrictEqual(actual, expected)
    open.delete(line)
  }
}
