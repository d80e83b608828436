/** Long polling and Server-Sent Events by hand, for what no stock client does and for what it cannot show. */

import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { Recorder } from "../../tests/support/recorder.js";
import { ask, bearer, type PlainReply } from "../../tests/support/server.js";
import { until } from "../../tests/support/until.js";
import { negotiateTicket } from "./plain-http.js";
import { HUB_PATH, type World } from "./world.js";

export const HELLO = '{"protocol":"json","version":1}\x1e';
export const EVENT_STREAM = { accept: "text/event-stream" } as const;

/** `200 text/plain "body"`, `404 text/plain "No Connection with that ID"`. */
export function line({ status, headers, body }: PlainReply): string {
  const type = headers["content-type"];
  return `${status}${type === undefined ? "" : ` ${type}`} ${JSON.stringify(body)}`;
}

export const UNKNOWN_ID = '404 text/plain "No Connection with that ID"';
export const DATA = (body: string): string => `200 application/octet-stream ${JSON.stringify(body)}`;

export function call(target: string, ...args: readonly unknown[]): string {
  return `${JSON.stringify({ type: 1, target, arguments: args })}\x1e`;
}

export function invoke(invocationId: string, target: string, ...args: readonly unknown[]): string {
  return `${JSON.stringify({ type: 1, invocationId, target, arguments: args })}\x1e`;
}

export interface RawClient {
  readonly id: string;
  readonly credential: string;
  readonly path: string;
  /** One request with the connection's id. `as`: another credential, or null for none. */
  send(method: string, body?: string, options?: RawOptions): Promise<PlainReply>;
  get(options?: RawOptions): Promise<PlainReply>;
  post(body: string, options?: RawOptions): Promise<PlainReply>;
  remove(options?: RawOptions): Promise<PlainReply>;
  /** Begins a poll, and goes on when the server has it. */
  beginPoll(): Promise<{ readonly reply: Promise<PlainReply> }>;
}

export interface RawOptions {
  readonly as?: string | null | undefined;
  readonly headers?: OutgoingHttpHeaders | undefined;
  readonly path?: string | undefined;
}

export function rawClient(world: World, id: string, credential: string): RawClient {
  const path = `${HUB_PATH}?id=${id}`;
  const send: RawClient["send"] = (method, body = "", options = {}) => {
    const who = options.as === undefined ? credential : options.as;
    const headers = { ...(who === null ? {} : bearer(who)), ...options.headers };
    return ask(world.port, { method, path: options.path ?? path, headers, body });
  };
  return {
    id,
    credential,
    path,
    send,
    get: (options) => send("GET", "", options),
    post: (body, options) => send("POST", body, options),
    remove: (options) => send("DELETE", "", options),
    async beginPoll() {
      const before = world.gets.begun;
      const reply = send("GET");
      await until(() => world.gets.begun > before);
      await new Promise((resolve) => setImmediate(resolve));
      return { reply };
    },
  };
}

/** A connection that was negotiated and nothing else. */
export async function negotiated(world: World, subject = "ada", roles: readonly string[] = []): Promise<RawClient> {
  const { ticket, id } = await negotiateTicket(world, await world.issuer.token(subject, { roles }));
  return rawClient(world, id, ticket);
}

/** A long-polling connection behind its handshake; no poll waits. */
export async function polling(world: World, subject = "ada", roles: readonly string[] = []): Promise<RawClient> {
  const client = await negotiated(world, subject, roles);
  await client.get();
  await client.post(HELLO);
  const reply = await client.get();
  if (reply.body !== "{}\x1e") throw new Error(`no handshake: ${line(reply)}`);
  return client;
}

export interface RawStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** What came, chunk by chunk. */
  readonly chunks: Recorder<string>;
  /** How it ended. */
  readonly ended: Promise<"complete" | "cut">;
  /** Everything that came so far. */
  readonly text: string;
  destroy(): void;
  /** Stops reading, as a client does whose page hangs. */
  pause(): void;
  resume(): void;
  readonly bytesRead: number;
}

/** Asks for the stream of events; the credential stands in the query, as every stock client has it. */
export function openStream(
  { port }: Pick<World, "port">,
  { path, credential }: Pick<RawClient, "path" | "credential">,
  headers: OutgoingHttpHeaders = {},
): Promise<RawStream> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: "127.0.0.1",
        port,
        path: `${path}&access_token=${credential}`,
        headers: { ...EVENT_STREAM, ...headers },
        agent: false,
      },
      (response) => {
        const chunks = new Recorder<string>();
        response.setEncoding("utf8");
        response.on("data", chunks.push);
        response.on("error", () => undefined);
        const ended = new Promise<"complete" | "cut">((settle) => {
          response.on("close", () => settle(response.complete ? "complete" : "cut"));
        });
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          chunks,
          ended,
          get text() {
            return chunks.items.join("");
          },
          destroy: () => sent.destroy(),
          pause: () => response.pause(),
          resume: () => void response.resume(),
          get bytesRead() {
            return response.socket.bytesRead;
          },
        });
      },
    );
    sent.on("error", reject);
    sent.end();
  });
}
