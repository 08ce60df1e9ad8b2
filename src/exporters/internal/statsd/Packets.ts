/** The payload of an IPv4 datagram, at most. */
export const maxPayload = 65_507

/** Puts lines into packets. */
export class Packets {
  /** Lines that no packet can hold. */
  readonly tooLong: Array<string> = []
  private readonly mtu: number
  private readonly packets: Array<string> = []
  private lines: Array<string> = []
  private bytes = 0

  constructor(mtu: number) {
    this.mtu = mtu
  }

  /** Adds a line, or several that stay together. One that is longer than the MTU gets a packet of its own. */
  readonly add = (line: string): void => {
    const bytes = Buffer.byteLength(line)
    if (bytes > maxPayload) {
      this.tooLong.push(line)
      return
    }
    if (this.bytes + bytes > this.mtu) this.next()
    this.lines.push(line)
    // With the line break before the next one.
    this.bytes += bytes + 1
  }

  /** All packets. */
  close(): Array<string> {
    this.next()
    return this.packets
  }

  private next(): void {
    if (this.lines.length > 0) this.packets.push(this.lines.join("\n"))
    this.lines = []
    this.bytes = 0
  }
}
