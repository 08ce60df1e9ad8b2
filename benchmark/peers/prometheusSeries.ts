import type * as Official from "@prometheus-io/client"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Client } from "./prometheus.ts"
import { type Counted, type Scraped, type Series, totalsOf, totalsOfText } from "./Series.ts"

/** With `constant`, each series has these labels, too. */
const make = ({ Counter, Registry }: Client, constant?: Readonly<Record<string, string>>) => {
  const registry = new Registry()
  const counter = new Counter({
    name: "requests_total",
    help: "Requests",
    labelNames: ["route", "client", ...Object.keys(constant ?? {})],
    registers: [registry]
  })
  const counted: Counted = {
    record: constant === undefined
      ? ({ client, route }) => counter.inc({ route, client })
      : ({ client, route }) => counter.inc({ route, client, ...constant })
  }
  return { counted, registry }
}

export const json = (
  client: Client
): Series<ReadonlyArray<Official.MetricObjectWithValues<Official.MetricValue<string>>>> => {
  const { counted, registry } = make(client)
  return {
    ...counted,
    read: () => registry.getMetricsAsJSON() as any,
    totals: ([read]) => totalsOf(read!.values.map(({ labels, value }) => [labels, value]))
  }
}

export const text = (client: Client, constant?: Readonly<Record<string, string>>): Series<string> => {
  const { counted, registry } = make(client, constant)
  return { ...counted, read: () => registry.metrics(), totals: totalsOfText }
}

/** A server as the documentation has it. */
export const scraped = async (client: Client): Promise<Scraped> => {
  const { counted, registry } = make(client)
  const server = createServer(async (_, response) => {
    response.setHeader("Content-Type", registry.contentType)
    response.end(await registry.metrics())
  })
  server.listen(0)
  await once(server, "listening")
  return { ...counted, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics` }
}
