/**
 * Requests that ask to go on in a protocol nobody here speaks, as `curl --http2` and Java's HttpClient do with every
 * plain request (`Upgrade: h2c`). A server ignores that and answers in HTTP/1.1 (RFC 9110 7.8). Node takes all of them
 * out of HTTP as soon as somebody listens for upgrades, which WebSockets need. Answered they are the last of their
 * connection: node may have dropped what its reader saw behind them.
 */

import { ServerResponse, type IncomingMessage, type Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Duplex } from "node:stream";
import type { HttpReply } from "../../core/http.js";

/** To a request with a body that node has taken out of HTTP before that was read. */
export const BODY_BEHIND_UPGRADE: HttpReply = {
  status: 400,
  headers: { "content-type": "text/plain" },
  body: "A request with a body cannot ask for an upgrade here. Send it without one.",
};

/** Whether the request could become a WebSocket: that is among what it asks for. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  const { upgrade = "" } = headers;
  return upgrade.split(",").some((protocol) => protocol.trim().toLowerCase() === "websocket");
}

/** Whether the request says that it has a body, however long. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
}

type ShouldUpgrade = (this: Server | SecureServer, request: IncomingMessage) => boolean;

/**
 * Has node leave requests in HTTP, for their bodies to be read, instead of taking them for upgrades. Where it can: from
 * 22.21 and 24.9 on it asks `shouldUpgradeCallback`; with earlier ones this does nothing.
 * @returns undoes it
 */
export function keepInHttp(
  server: Server | SecureServer,
  isToBeKept: (request: IncomingMessage) => boolean,
): () => void {
  const asked = server as { shouldUpgradeCallback?: ShouldUpgrade };
  const before = asked.shouldUpgradeCallback;
  if (before === undefined) return () => undefined;
  let isUndone = false;
  const decide: ShouldUpgrade = (request) =>
    (isUndone || !isToBeKept(request)) && Reflect.apply(before, server, [request]);
  asked.shouldUpgradeCallback = decide;
  return () => {
    // Somebody may have wrapped it since: then it stays, and agrees with everything.
    isUndone = true;
    if (asked.shouldUpgradeCallback === decide) asked.shouldUpgradeCallback = before;
  };
}

/**
 * An ordinary response to a request without a body that node has taken out of HTTP. What stands behind its head, which
 * nobody has parsed, is never read as a request.
 */
export function answerWithoutUpgrade(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  // Node's own listeners left with its parser: a peer that goes away ends its request, and then the response.
  socket.on("error", () => socket.destroy());
  socket.once("end", () => socket.end());
  socket.once("close", () => request.destroy());
  socket.resume();
  // It is the net.Socket that the request came on.
  response.assignSocket(request.socket);
  response.once("finish", () => {
    // Nobody may have looked at the body that is not there: it has ended all the same, and was not broken off.
    request.resume();
    request.socket.destroySoon();
  });
  return response;
}
