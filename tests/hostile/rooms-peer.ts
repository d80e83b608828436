/** A peer of rooms that does exactly what it is told, also what no client should. */

import { opcodes, upgrade, type RawWebSocket, type UpgradeOptions } from "../support/raw-web-socket.js";
import { bearer } from "../support/server.js";
import type { Target } from "./target.js";

export const ROOMS = "/rooms";
export const SUBPROTOCOL = { "sec-websocket-protocol": "hubward.rooms.v1" } as const;

type Frame = Readonly<Record<string, unknown>>;

/** An open WebSocket that has not said who it is, unless the headers do. */
export function knock(
  { arrive }: Pick<Target, "arrive">,
  options: Partial<UpgradeOptions> = {},
): Promise<RawWebSocket> {
  return arrive({ path: ROOMS, ...options, headers: { ...SUBPROTOCOL, ...options.headers } });
}

/** One that has presented its token in a header and was told `ready`. */
export async function comeIn(target: Target, token?: string): Promise<RawWebSocket> {
  const socket = await knock(target, { headers: bearer(token ?? (await target.strangersToken())) });
  await hear(socket, ({ type }) => type === "ready");
  return socket;
}

/** What an upgrade is refused with: `<status> <body>`; `101` where it is not. */
export async function refusalOf(
  { port }: Pick<Target, "port">,
  options: Partial<UpgradeOptions> = {},
): Promise<string> {
  const outcome = await upgrade({ port, path: ROOMS, ...options, headers: { ...SUBPROTOCOL, ...options.headers } });
  if (!outcome.isOpen) return `${outcome.status} ${outcome.body}`;
  outcome.webSocket.socket.destroy();
  return "101";
}

export function say(socket: RawWebSocket, ...frames: readonly Frame[]): void {
  for (const frame of frames) socket.sendText(JSON.stringify(frame));
}

/** What it was told so far. */
export function told(socket: RawWebSocket): readonly Frame[] {
  return socket.frames.items.flatMap(({ opcode, payload }) => (opcode === opcodes.text ? [parse(payload)] : []));
}

/** The first frame that matches, whether it came already or not. */
export async function hear(socket: RawWebSocket, matches: (frame: Frame) => boolean): Promise<Frame> {
  const { payload } = await socket.frames.first((each) => each.opcode === opcodes.text && matches(parse(each.payload)));
  return parse(payload);
}

/** The answer to a request, by its id. */
export function ask(socket: RawWebSocket, request: Frame & { readonly id: string | number }): Promise<Frame> {
  say(socket, request);
  return hear(socket, ({ id }) => id === request.id);
}

/** `reason`, with the details of who was refused. */
export async function reasonOf(socket: RawWebSocket, request: Frame & { readonly id: string | number }) {
  const answer = await ask(socket, request);
  return answer["type"] === "error" ? answer["reason"] : answer["type"];
}

function parse(payload: Buffer): Frame {
  return JSON.parse(payload.toString("utf8")) as Frame;
}
