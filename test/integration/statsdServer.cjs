/**
 * Runs the server of the npm package `statsd` with the configuration file that is
 * the argument. Tells the parent process the port it listens on, and what it
 * flushes.
 */
const { subscribe } = require("node:diagnostics_channel")
const util = require("node:util")

// The server is older than the Node that took it away.
util.log ??= () => {}

/** This file is a backend of the server, too. */
exports.init = (_startupTime, _config, events) => {
  events.on("flush", (_timestamp, { counters, gauges, timer_data: timers }) => {
    process.send({ counters, gauges, timers })
  })
  return true
}

subscribe("udp.socket", ({ socket }) => {
  socket.once("listening", () => process.send({ port: socket.address().port }))
})

process.once("disconnect", () => process.exit())

require("statsd/stats.js")
