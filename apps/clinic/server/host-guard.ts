/**
 * Lets requests through to the server behind only when they name one of our hosts. A page elsewhere whose name was
 * pointed at this machine (DNS rebinding) is same-origin with what it then reaches, so no Origin would give it away;
 * its Host does.
 */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { securityHeaders } from "./security-headers.js";

const refusalText = "This host is not served here. PUBLIC_ORIGIN says where the demo is reached.\n";

/**
 * Passes what `front` hears on to `behind`, which need not listen: upgrades and hub paths too, because whatever is
 * mounted on `behind` sees nothing else. Answers 421 to other hosts and 400 to what is no path.
 */
export function guardHosts(front: Server, behind: Server, allowedHosts: ReadonlySet<string>): void {
  front.on("request", (request: IncomingMessage, response: ServerResponse) => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    const status = refusalStatus(request, allowedHosts);
    if (status === undefined) {
      behind.emit("request", request, response);
    } else {
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" });
      response.end(status === 421 ? refusalText : "");
    }
  });
  front.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const status = refusalStatus(request, allowedHosts);
    if (status === undefined) {
      behind.emit("upgrade", request, socket, head);
    } else {
      // Without a listener a peer that resets now would end the process.
      socket.on("error", () => socket.destroy());
      socket.once("finish", () => socket.destroy());
      const statusText = status === 421 ? "Misdirected Request" : "Bad Request";
      socket.end(`HTTP/1.1 ${status} ${statusText}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    }
  });
}

function refusalStatus(request: IncomingMessage, allowedHosts: ReadonlySet<string>): 400 | 421 | undefined {
  // An absolute target ("GET http://other/ HTTP/1.1") would name a second host.
  if (!request.url?.startsWith("/")) return 400;
  const hosts = request.headersDistinct["host"] ?? [];
  const host = hosts.length === 1 ? hosts[0]?.toLowerCase() : undefined;
  return host !== undefined && allowedHosts.has(host) ? undefined : 421;
}
