/**
 * What a good hand-written `ws` server does to take the same steps as a hub: negotiate with a bearer token verified
 * by jose, a ticket for the upgrade, the JSON handshake, a role check. Compared in `connect.mjs` only.
 */

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { listenOnLoopback, servePeer } from "../lib/peer-process.mjs";
import { createTokenVerifier } from "../lib/verify-token.mjs";

const ticketLifetimeMs = 30_000;
const handshakeRequest = /^\{.*\}\x1e$/s;

await servePeer(async (config) => {
  const verify = createTokenVerifier(config);
  /** What waits for its upgrade, by connection token. */
  const waiting = new Map();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 32 * 1024 });
  const live = new Map();

  setInterval(() => {
    const now = Date.now();
    for (const [token, { expiresAt }] of waiting) if (expiresAt <= now) waiting.delete(token);
  }, 1000).unref();

  const negotiate = async (request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    if (url.pathname !== "/hub/negotiate") return sendJson(response, 404, { error: "not_found" });
    if (request.method !== "POST") return sendJson(response, 405, { error: "method_not_allowed" });
    const [scheme, token] = (request.headers.authorization ?? "").split(" ");
    let principal;
    try {
      if (scheme !== "Bearer" || !token) throw new Error("no bearer token");
      principal = await verify(token);
    } catch {
      return sendJson(response, 401, { error: "invalid_token" });
    }
    if (!principal.roles.includes("doctor")) return sendJson(response, 403, { error: "forbidden" });
    const connectionId = randomBytes(16).toString("base64url");
    const connectionToken = randomBytes(16).toString("base64url");
    const ticket = randomBytes(32).toString("base64url");
    waiting.set(connectionToken, { ticket, principal, connectionId, expiresAt: Date.now() + ticketLifetimeMs });
    sendJson(response, 200, {
      negotiateVersion: 1,
      connectionId,
      connectionToken,
      availableTransports: [{ transport: "WebSockets", transferFormats: ["Text", "Binary"] }],
      accessToken: ticket,
    });
  };

  const server = createServer((request, response) => {
    request.resume();
    negotiate(request, response).catch(() => response.destroy());
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const url = new URL(request.url, "http://127.0.0.1");
    const connectionToken = url.searchParams.get("id");
    const entry = waiting.get(connectionToken);
    if (!entry || entry.ticket !== url.searchParams.get("access_token") || entry.expiresAt <= Date.now())
      return socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    waiting.delete(connectionToken);
    sockets.handleUpgrade(request, socket, head, (webSocket) => accept(webSocket, entry));
  });

  const accept = (webSocket, { principal, connectionId }) => {
    const timer = setTimeout(() => webSocket.terminate(), 15_000);
    webSocket.on("error", () => webSocket.terminate());
    webSocket.on("close", () => {
      clearTimeout(timer);
      live.delete(connectionId);
    });
    webSocket.once("message", (data) => {
      const text = String(data);
      const request = handshakeRequest.test(text) ? JSON.parse(text.slice(0, -1)) : {};
      if (request.protocol !== "json" || request.version !== 1) return webSocket.close(1002);
      clearTimeout(timer);
      live.set(connectionId, { webSocket, principal });
      webSocket.send("{}\x1e");
    });
  };

  return {
    port: await listenOnLoopback(server),
    members: () => live.size,
    publish() {
      throw new Error("this peer is for connect.mjs");
    },
  };
});

function sendJson(response, status, body) {
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      "cache-control": "no-store",
    })
    .end(text);
}
