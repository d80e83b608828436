/** Mounts an application on a node:http server, beside whatever else lives there. */

import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { ForwardedHeaders } from "../../core/auth/credential.js";
import type { Endpoint } from "../../core/endpoint.js";
import type { HttpReply } from "../../core/http.js";
import { takeForwarded } from "./forwarded-headers.js";
import { answerWithoutUpgrade, asksForWebSocket, BODY_BEHIND_UPGRADE, hasBody, keepInHttp } from "./other-upgrades.js";
import { openReply } from "./reply-channel.js";
import { pathOf, takeRequest, type Edge } from "./request.js";
import { NodeRequestBody } from "./request-body.js";
import { createTrustedProxies, UNIX_PEER } from "./trusted-proxies.js";
import { INTAKE_BYTES } from "./intake.js";
import { NodeWebSocket, WebSocketWithLastWords } from "./web-socket.js";

export interface AttachOptions {
  /** Bytes of one WebSocket message, which may hold several hub messages. Default 131072. */
  readonly maxPayloadBytes?: number | undefined;
  /**
   * Addresses of the proxies in front of this server: exact (`"::1"`), networks (`"10.0.0.0/8"`), or `"unix:"` for
   * every peer where the server listens on a Unix socket. They alone are believed when they say who the client is:
   * its address (`X-Forwarded-For`), whether it came over https (`X-Forwarded-Proto`), and the identity that `forwardedIdentity` reads. Default none.
   */
  readonly trustedProxies?: readonly string[] | undefined;
}

export interface Attachment {
  /** Takes the application off the server again. Open connections stay; `app.close()` ends them. */
  detach(): void;
  /**
   * Cuts a gateway's headers out of a request that another server received and keeps them for `app.http`, as is done
   * with every request of this server. Once or more often; before any listener of that server sees the request.
   */
  takeForwarded(request: IncomingMessage): void;
}

const DEFAULT_MAX_PAYLOAD_BYTES = 128 * 1024;
const MAX_FRAGMENTS = 64;
/**
 * Reads that one incomplete frame may be spread over, beside what is its size alone. `ws` joins them in quadratic
 * time: a frame that comes a byte at a time, with its own default of 262144, holds the event loop for seconds.
 */
const MAX_BUFFERED_CHUNKS = 1024;
/** Ours on any server, so that several applications on one do not take each other for somebody who listens. */
const foreignUpgradeListeners = new WeakSet<object>();
const NOT_FOUND: HttpReply = { status: 404, headers: {}, body: "" };
/** A body nobody reads is not waited for beyond this. */
const MAX_IGNORED_BODY_BYTES = 64 * 1024;

/**
 * Mounts the application. Requests under its paths are answered here and reach no other listener, whenever
 * that was added; everything else is left alone. What nobody else listens for is answered 404.
 */
export function attach(
  server: Server | SecureServer,
  app: { readonly endpoint: Endpoint },
  { maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES, trustedProxies = [] }: AttachOptions = {},
): Attachment {
  const { endpoint } = app;
  const proxies = createTrustedProxies(trustedProxies);
  if (endpoint.forwarded?.some(({ trustedOnly }) => trustedOnly) === true && trustedProxies.length === 0) {
    throw new TypeError("attach.trustedProxies: who forwards the identities that the application reads");
  }
  /** What the answer to an upgrade names, while it is given. */
  const subprotocols = new WeakMap<IncomingMessage, string>();
  const webSockets = new WebSocketServer({
    WebSocket: WebSocketWithLastWords,
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxPayloadBytes,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_BUFFERED_CHUNKS + Math.ceil(maxPayloadBytes / INTAKE_BYTES),
    handleProtocols: (_offered, request) => subprotocols.get(request) ?? false,
  });

  /** `path`: where the request is ours; what stands in others' is kept for `app.http`. */
  function readEdge(request: IncomingMessage, path?: string): Edge {
    const { remoteAddress } = request.socket;
    // A reset TCP connection has no address either; it must not pass for a Unix socket.
    const peer = remoteAddress ?? (typeof server.address() === "string" ? UNIX_PEER : undefined);
    const { "x-forwarded-for": forwardedFor } = request.headers;
    let own: ForwardedHeaders | undefined;
    // All are cut out, whoever's request it is; a path is one authenticator's at most.
    for (const port of endpoint.forwarded ?? []) {
      const found = takeForwarded(request, port, proxies.trusts(peer));
      if (found === undefined) continue;
      if (path === undefined) port.keep(request.headers, found);
      else if (port.owns(path)) own = found;
    }
    return {
      remoteAddress: proxies.clientOf(peer, Array.isArray(forwardedFor) ? forwardedFor.join() : forwardedFor),
      forwarded: own,
      isSecure: isSecure(request, peer),
      secrets: path === undefined ? undefined : endpoint.secrets?.(path),
      cookieNames: path === undefined || request.headers.cookie === undefined ? undefined : endpoint.cookies?.(path),
    };
  }

  /** A proxy that ends TLS says so; where several did, the first one spoke with the client. */
  function isSecure({ socket, headers }: IncomingMessage, peer: string | undefined): boolean {
    if ("encrypted" in socket && socket.encrypted === true) return true;
    const said = headers["x-forwarded-proto"];
    if (said === undefined || !proxies.trusts(peer)) return false;
    return /^https\s*(?:,|$)/i.test(String(said));
  }

  function onRequest(request: IncomingMessage, response: ServerResponse, path: string, isAwaited: boolean): void {
    const body = new NodeRequestBody(request, response, isAwaited);
    endpoint.request(takeRequest(request, path, readEdge(request, path)), body).then(
      (answer) => ("open" in answer ? openReply(response, answer) : writeResponse(request, response, answer)),
      () => writeResponse(request, response, { status: 500, headers: {}, body: "" }),
    );
  }

  function onUpgrade(request: IncomingMessage, socket: NetSocket, head: Buffer, path: string): void {
    // A peer that resets while it is being authenticated must not end the process.
    socket.on("error", ignore);
    endpoint.upgrade(takeRequest(request, path, readEdge(request, path))).then(
      (answer) => {
        if (!answer.accepted) return writeRaw(socket, answer.reply);
        let isOpen = false;
        if (answer.subprotocol !== undefined) subprotocols.set(request, answer.subprotocol);
        if (!socket.destroyed) {
          webSockets.handleUpgrade(request, socket, head, (ws) => {
            isOpen = true;
            socket.removeListener("error", ignore);
            const opened = new NodeWebSocket(ws, socket, answer.closesAsNormal);
            opened.listen(answer.open(opened));
          });
        }
        if (!isOpen) answer.abandon();
      },
      () => writeRaw(socket, { status: 500, headers: {}, body: "" }),
    );
  }

  function isOurs(request: IncomingMessage): boolean {
    const path = pathOf(request.url ?? "");
    return path !== undefined && endpoint.owns(path);
  }

  /** Whether somebody beside us may know what to do with an upgrade. */
  function isHeardByOthers(): boolean {
    return server.listeners("upgrade").some((listener) => !foreignUpgradeListeners.has(listener));
  }

  /** We speak WebSocket; whoever else listens may speak anything on paths that are not ours. */
  function isForNobody(request: IncomingMessage): boolean {
    return !asksForWebSocket(request) && (isOurs(request) || !isHeardByOthers());
  }

  /** As if the request had not asked for it. */
  function ignoreUpgrade(request: IncomingMessage, socket: Duplex): void {
    if (!hasBody(request)) return void server.emit("request", request, answerWithoutUpgrade(request, socket));
    socket.on("error", ignore);
    writeRaw(socket, BODY_BEHIND_UPGRADE);
  }

  /** Runs only for upgrades that are not ours: node needs a listener to see upgrades at all. */
  function onForeignUpgrade(_request: IncomingMessage, socket: Duplex): void {
    if (isHeardByOthers()) return;
    socket.on("error", ignore);
    writeRaw(socket, NOT_FOUND);
  }
  foreignUpgradeListeners.add(onForeignUpgrade);

  // The events themselves are intercepted, not listened to: a listener added later would hear a listener's
  // requests, too, and answer them a second time or write their URLs to a log.
  const emit = server.emit;
  let isAttached = true;
  const intercept = function (this: unknown, event: string | symbol, ...args: unknown[]): boolean {
    if (isAttached && isRequestEvent(event)) {
      const request = args[0] as IncomingMessage;
      if (event === "upgrade" && isForNobody(request)) {
        ignoreUpgrade(request, args[1] as Duplex);
        return true;
      }
      if (event !== "upgrade" && request.headers.upgrade !== undefined) {
        (args[1] as ServerResponse).shouldKeepAlive = false;
      }
      const path = pathOf(request.url ?? "");
      if (path !== undefined && endpoint.owns(path)) {
        if (event === "upgrade") onUpgrade(request, args[1] as NetSocket, args[2] as Buffer, path);
        else onRequest(request, args[1] as ServerResponse, path, event === "checkContinue");
        return true;
      }
      if (endpoint.forwarded !== undefined && endpoint.forwarded.length > 0) readEdge(request);
    }
    const wasHeard = Reflect.apply(emit, server, [event, ...args]) as boolean;
    if (wasHeard || !isAttached || event !== "request") return wasHeard;
    writeResponse(args[0] as IncomingMessage, args[1] as ServerResponse, NOT_FOUND);
    return true;
  };
  server.emit = intercept as typeof server.emit;
  server.on("upgrade", onForeignUpgrade);
  const giveBackUpgrades = keepInHttp(server, (request) => hasBody(request) && isForNobody(request));

  return {
    takeForwarded: (request) => void readEdge(request),
    detach() {
      // Somebody may have wrapped the event since: then it stays, and lets everything through.
      isAttached = false;
      giveBackUpgrades();
      server.removeListener("upgrade", onForeignUpgrade);
      if (server.emit === intercept) server.emit = emit;
    },
  };
}

function isRequestEvent(event: string | symbol): boolean {
  return event === "request" || event === "upgrade" || event === "checkContinue" || event === "checkExpectation";
}

function ignore(): void {
  // The socket's own close says everything there is to say.
}

function writeResponse(request: IncomingMessage, response: ServerResponse, { status, headers, body }: HttpReply): void {
  if (response.destroyed) return;
  const connection = isWorthKeeping(request) ? {} : { connection: "close" };
  const length = status === 204 ? {} : { "content-length": Buffer.byteLength(body) };
  response.writeHead(status, { ...headers, ...connection, ...length });
  response.end(request.method === "HEAD" ? "" : body);
}

/** Whether the HTTP connection can be used again: what is left of the body is short, and nobody gave up on it. */
function isWorthKeeping(request: IncomingMessage): boolean {
  if (request.complete) return true;
  const hasGivenUp = request.isPaused();
  const isChunked = request.headers["transfer-encoding"] !== undefined;
  return !hasGivenUp && !isChunked && Number(request.headers["content-length"] ?? 0) <= MAX_IGNORED_BODY_BYTES;
}

/** An HTTP answer on a socket that has left the HTTP parser. */
function writeRaw(socket: Duplex, { status, headers, body }: HttpReply): void {
  if (socket.destroyed || socket.writableEnded) return;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, "connection: close"];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  lines.push(`content-length: ${Buffer.byteLength(body)}`, "", body);
  socket.once("finish", () => socket.destroy());
  socket.end(lines.join("\r\n"));
}
