/** A client of rooms: the `ws` library and JSON, nothing of ours. */

import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { Recorder } from "./recorder.js";

export interface Frame extends Readonly<Record<string, unknown>> {
  readonly type: string;
}

export interface RoomsClientOptions {
  /** Default `/rooms`. */
  readonly path?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default `hubward.rooms.v1`; null offers none. */
  readonly subprotocol?: string | null | undefined;
}

export interface RoomsClient {
  readonly socket: WebSocket;
  readonly frames: Recorder<Frame>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  send(frame: Readonly<Record<string, unknown>>): void;
  /** Sends a request and gives what is answered: the first frame with its id. */
  ask(frame: Readonly<Record<string, unknown>>): Promise<Frame>;
  /** The first frame of this type, whether it came already or not. */
  first(type: string): Promise<Frame>;
}

/** Refused by an HTTP status. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`${status} ${body}`);
    this.status = status;
    this.body = body;
  }
}

/** Opens a WebSocket. @throws (rejects with) UpgradeRefused */
export async function openRooms(
  port: number,
  { path = "/rooms", headers = {}, subprotocol = "hubward.rooms.v1" }: RoomsClientOptions = {},
): Promise<RoomsClient> {
  const url = `ws://127.0.0.1:${port}${path}`;
  const socket = subprotocol === null ? new WebSocket(url, { headers }) : new WebSocket(url, subprotocol, { headers });
  onTestFinished(() => socket.terminate());
  const frames = new Recorder<Frame>();
  socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString("utf8")) as Frame));
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString("utf8") })),
  );
  await new Promise<void>((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
    socket.on("unexpected-response", (_request, response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (piece: string) => (body += piece));
      response.on("end", () => reject(new UpgradeRefused(response.statusCode ?? 0, body)));
    });
  });
  let asked = 0;
  const send = (frame: Readonly<Record<string, unknown>>): void => socket.send(JSON.stringify(frame));
  return {
    socket,
    frames,
    closed,
    send,
    ask(frame) {
      const id = `ask-${++asked}`;
      send({ ...frame, id });
      return frames.first((each) => each["id"] === id);
    },
    first: (type) => frames.first((each) => each.type === type),
  };
}

/** With the token in the header, and in. */
export async function enterRooms(port: number, token: string, options: RoomsClientOptions = {}): Promise<RoomsClient> {
  const client = await openRooms(port, {
    ...options,
    headers: { authorization: `Bearer ${token}`, ...options.headers },
  });
  await client.first("ready");
  return client;
}
