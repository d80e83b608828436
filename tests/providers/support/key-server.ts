/** A provider's key endpoint on a real loopback port that behaves as badly as a test says. Ended with the test. */

import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { certificate, key } from "../../support/certificate.js";
import { Recorder } from "../../support/recorder.js";
import { shut } from "../../support/server.js";

export interface KeyServer {
  /** `http://<host>:<port>`, without a closing slash. */
  readonly origin: string;
  /** Every request that arrived: `GET /jwks`. */
  readonly requests: Recorder<string>;
  /** What it answers from now on. */
  answer: RequestListener;
  /** Stops listening, and ends every connection. */
  stop(): Promise<void>;
}

export async function startKeyServer(
  answer: RequestListener,
  { tls = false, host = "127.0.0.1" } = {},
): Promise<KeyServer> {
  const requests = new Recorder<string>();
  const listener: RequestListener = (request, response) => {
    response.on("error", () => undefined);
    requests.push(`${request.method} ${request.url}`);
    server.answer(request, response);
  };
  const http = tls ? createTlsServer({ key, cert: certificate }, listener) : createServer(listener);
  http.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => http.listen(0, host, resolve));
  const { port } = http.address() as AddressInfo;
  const server: KeyServer = {
    origin: `${tls ? "https" : "http"}://${host}:${port}`,
    requests,
    answer,
    stop: () => shut(http as Parameters<typeof shut>[0]),
  };
  onTestFinished(() => (http.listening ? server.stop() : undefined));
  return server;
}

/** Answers every request with this text. */
export function text(body: string | Buffer, headers: Readonly<Record<string, string>> = {}): RequestListener {
  return (_request, response) => void response.writeHead(200, headers).end(body);
}

export function json(value: unknown): RequestListener {
  return text(JSON.stringify(value), { "content-type": "application/json" });
}

export function status(code: number, headers: Readonly<Record<string, string>> = {}): RequestListener {
  return (_request, response) => void response.writeHead(code, headers).end();
}

/** Answers an OpenID provider's two addresses. */
export function provider(issuer: string, keys: () => readonly object[], members: object = {}): RequestListener {
  return (request: IncomingMessage, response) => {
    const isMetadata = request.url?.endsWith("/.well-known/openid-configuration") === true;
    json(isMetadata ? { issuer, jwks_uri: `${issuer}/jwks`, ...members } : { keys: keys() })(request, response);
  };
}

/** The ways a provider can fail, each of which ends by itself or lasts until the client gives up. */
export const faults: Readonly<Record<string, { readonly answer: RequestListener; readonly lasts?: true }>> = {
  "hangs before a word": { answer: () => undefined, lasts: true },
  "hangs after its headers": { answer: (_, response) => response.writeHead(200).flushHeaders(), lasts: true },
  "drips a byte at a time": { answer: drip, lasts: true },
  redirects: { answer: status(302, { location: "/elsewhere" }) },
  "redirects for good": { answer: status(308, { location: "http://127.0.0.1:9/" }) },
  "answers 500": { answer: status(500) },
  "answers 404 with keys": { answer: (_, response) => void response.writeHead(404).end('{"keys":[]}') },
  "answers 204": { answer: status(204) },
  "answers without an end": { answer: endless },
  "claims 200 MB": {
    answer: (_, response) => {
      response.writeHead(200, { "content-length": String(200 * 1024 * 1024) });
      response.write(Buffer.alloc(1024 * 1024, " "));
    },
  },
  "answers garbage": { answer: text(Buffer.from([0xff, 0xfe, 0x00, 0x01])) },
  "answers a page": { answer: text("<html></html>", { "content-type": "application/json" }) },
  "answers JSON that is no key set": { answer: json({ error: "down" }) },
  "answers a list": { answer: json([]) },
  "answers two sets at once": { answer: text('{"keys":[],"keys":[]}') },
  "answers nested without end": { answer: text(`{"keys":${"[".repeat(10_000)}${"]".repeat(10_000)}}`) },
  "answers nothing": { answer: text("") },
  "answers compressed": { answer: text(Buffer.alloc(64), { "content-encoding": "gzip" }) },
  "closes the connection": { answer: (request) => void request.socket.destroy() },
  "resets the connection": { answer: (request) => void request.socket.resetAndDestroy() },
  "closes in the middle of the body": {
    answer: (request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write('{"keys":', () => request.socket.end());
    },
  },
  "closes in the middle of a chunked body": {
    answer: (request, response) => void response.writeHead(200).write('{"keys":[]}', () => request.socket.end()),
  },
  "sends no HTTP": { answer: (request) => void request.socket.end("SSH-2.0-OpenSSH_9.2\r\n") },
  "sends headers without end": {
    answer: ({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(64 * 1024)}`),
  },
  "switches protocols": {
    answer: ({ socket }) => void socket.write("HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
  },
};

/** As fast as it is read, for as long as somebody reads. */
function endless(...[, response]: Parameters<RequestListener>): void {
  const chunk = Buffer.alloc(64 * 1024, " ");
  response.writeHead(200);
  const fill = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", fill);
  fill();
}

function drip(...[request, response]: Parameters<RequestListener>): void {
  response.writeHead(200, { "content-type": "application/json" });
  const timer = setInterval(() => response.write(" "), 1);
  request.socket.on("close", () => clearInterval(timer));
}
