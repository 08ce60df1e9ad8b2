import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { maxPayload, Packets } from "../../../../src/exporters/internal/statsd/Packets.ts"

const packed = (mtu: number, lines: ReadonlyArray<string>) => {
  const packets = new Packets(mtu)
  for (const line of lines) packets.add(line)
  return { packets: packets.close(), tooLong: packets.tooLong }
}

const Lines = Schema.Array(Schema.String.check(Schema.isPattern(/^[^\n]+$/)))

describe("packets", () => {
  it("are as full as the MTU allows", () => {
    assert.deepStrictEqual(packed(9, ["aaaa", "bbbb", "cc", "dd", "ee", "f"]).packets, [
      "aaaa\nbbbb",
      "cc\ndd\nee",
      "f"
    ])
  })

  it.prop("hold the lines in their order, none of them split", [
    Lines,
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 }))
  ], ([lines, mtu]) => {
    const { packets } = packed(mtu, lines)
    assert.deepStrictEqual(packets.flatMap((packet) => packet.split("\n")), lines)
    for (const [at, packet] of packets.entries()) {
      const bytes = Buffer.byteLength(packet)
      if (bytes > mtu) assert.notInclude(packet, "\n")
      const next = packets[at + 1]?.split("\n")[0]
      if (next !== undefined) assert.isAbove(bytes + 1 + Buffer.byteLength(next), mtu)
    }
  })

  it("keep together what was added as one", () => {
    assert.deepStrictEqual(packed(7, ["aaa", "b\nc", "dd"]).packets, ["aaa\nb\nc", "dd"])
    assert.deepStrictEqual(packed(6, ["aaa", "b\nc", "dd"]).packets, ["aaa", "b\nc\ndd"])
  })

  it("are measured in bytes", () => {
    assert.deepStrictEqual(packed(9, ["łł", "łł"]).packets, ["łł\nłł"])
    assert.deepStrictEqual(packed(8, ["łł", "łł"]).packets, ["łł", "łł"])
  })

  it("leave out what no datagram can hold", () => {
    const most = "a".repeat(maxPayload)
    assert.deepStrictEqual(packed(1432, ["b", most, `${most}a`, "c"]), {
      packets: ["b", most, "c"],
      tooLong: [`${most}a`]
    })
  })
})
