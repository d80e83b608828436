/** One HTTP request on a connection of its own, and how its answer reads in a transcript. */

import { request, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { RawWebSocket, upgradeHeaders } from "../../../tests/support/raw-web-socket.js";

export interface Ask {
  readonly method?: string | undefined;
  /** With its query, sent as it stands. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders | undefined;
  readonly body?: string | Uint8Array | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Headers that are part of the contract; dates, lengths and server names are not. */
const SHOWN = [
  "allow",
  "cache-control",
  "content-encoding",
  "content-type",
  "expires",
  "pragma",
  "vary",
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-max-age",
];

/** Resolves when the head of the answer came; its body is still to be read. */
export function open(port: number, { method = "GET", path, headers = {}, body }: Ask): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const length = method === "GET" ? {} : { "content-length": body === undefined ? 0 : Buffer.byteLength(body) };
    const sent = request({ host: "127.0.0.1", port, method, path, headers: { ...length, ...headers }, agent: false });
    sent.on("response", resolve);
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Asks for a WebSocket. The server may keep the connection of a refusal open; this does not wait for its end. */
export function askUpgrade(port: number, { path, headers = {} }: Ask): Promise<RawWebSocket | Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: "127.0.0.1",
      port,
      path,
      headers: { ...upgradeHeaders(port), ...headers },
      agent: false,
    });
    sent.on("upgrade", (_response, socket, head) => resolve(new RawWebSocket(socket as Socket, head)));
    sent.on("response", (response) => void readReply(response).then(resolve, reject));
    sent.on("error", reject);
    sent.end();
  });
}

export async function ask(port: number, what: Ask): Promise<Reply> {
  return readReply(await open(port, what));
}

export async function readReply(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

/** `200 application/json {"negotiateVersion":1…} | cache-control: no-store`. */
export function describeReply({ status, headers, body }: Reply): string {
  const { "content-type": contentType, ...rest } = headers;
  const shown = SHOWN.flatMap((name) => (rest[name] === undefined ? [] : [`${name}: ${String(rest[name])}`]));
  const text = contentType?.startsWith("application/octet-stream") === true ? describeBytes(body) : body.toString();
  const parts = [String(status), ...(contentType === undefined ? [] : [contentType]), ...(text === "" ? [] : [text])];
  return [parts.join(" "), ...shown].join(" | ");
}

function describeBytes(body: Buffer): string {
  const text = body.toString("utf8");
  return Buffer.from(text).equals(body) && !/[\x00-\x08]/.test(text)
    ? text.replaceAll("\x1e", "␞")
    : body.toString("hex");
}
