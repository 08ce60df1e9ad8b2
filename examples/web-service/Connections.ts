import type * as Http from "node:http"
import type * as Net from "node:net"

/**
 * Makes a server that, once closed, waits for requests and not for
 * connections. Clients keep some open that have no request, browsers even ones
 * that never had any, and each would hold up the end for seconds.
 */
export const endIdleOnClose = (server: Http.Server): Http.Server => {
  const idle = new Set<Net.Socket>()
  server.on("connection", (socket: Net.Socket) => {
    idle.add(socket)
    socket.once("close", () => idle.delete(socket))
  })
  server.on("request", ({ socket }, response) => {
    idle.delete(socket)
    response.once("close", () => {
      if (!server.listening) socket.destroySoon()
      else if (!socket.destroyed) idle.add(socket)
    })
  })
  const close = server.close.bind(server)
  server.close = (callback) => {
    close(callback)
    for (const socket of idle) socket.destroy()
    return server
  }
  return server
}
