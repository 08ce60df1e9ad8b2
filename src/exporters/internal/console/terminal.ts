/** What a terminal tells about itself. */
export interface Terminal {
  readonly columns?: number | undefined
}

interface Host {
  readonly process?: { readonly stdout?: Terminal & { readonly isTTY?: boolean | undefined } | undefined } | undefined
}

/** The terminal of a host whose standard output is one. */
export const terminalOf = (host: object): Terminal | undefined => {
  const stdout = (host as Host).process?.stdout
  return stdout?.isTTY === true ? stdout : undefined
}
