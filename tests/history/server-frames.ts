/** Reads what a server writes: RFC 6455 frames on a WebSocket, hub messages in either encoding inside them. */

import { createBinaryReader, messagePackCodec, type HubMessage } from "@hubward/wire";
import type { FrameKind, Stamp } from "./history.js";

export type ServerMessage = Readonly<Record<string, unknown>>;

/** Invocation ids that begin with it are the test's calls of the protocol's own methods. */
export const CONTROL_PREFIX = "control-";

/** Whole frames only, as the server writes them; throws for anything else. */
export function* readServerFrames(bytes: Uint8Array): Generator<{ opcode: number; payload: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    const short = view.getUint8(at + 1);
    if (short > 127) throw new TypeError("server frames: a server's frame is not masked");
    const headLength = short === 126 ? 4 : short === 127 ? 10 : 2;
    const length = short === 126 ? view.getUint16(at + 2) : short === 127 ? Number(view.getBigUint64(at + 2)) : short;
    const end = at + headLength + length;
    if (end > bytes.length) throw new TypeError("server frames: half a frame");
    yield { opcode: view.getUint8(at) & 0x0f, payload: bytes.subarray(at + headLength, end) };
    at = end;
  }
}

const decoder = new TextDecoder();

export type Encoding = "json" | "messagepack";

/** Reads payloads of one connection; the handshake's answer is JSON whatever follows it. */
export class ServerReader {
  readonly #encoding: Encoding;
  #hasShaken = false;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  *read(payload: Uint8Array): Generator<ServerMessage> {
    if (this.#encoding === "json") return yield* readRecords(decoder.decode(payload));
    const end = this.#hasShaken ? 0 : payload.indexOf(0x1e) + 1;
    this.#hasShaken = true;
    yield* readRecords(decoder.decode(payload.subarray(0, end)));
    for (const body of createBinaryReader({ maxBytes: 2 ** 20 }).read(payload.subarray(end))) {
      const message = messagePackCodec.decode(body);
      if (message !== undefined) yield asJson(message);
    }
  }
}

/** Of a Completion, JSON has the outcome's members at the top. */
function asJson(message: HubMessage): ServerMessage {
  if (message.type !== 3) return { ...message };
  const { outcome, ...rest } = message;
  return { ...rest, ...(outcome.kind === "error" ? { error: outcome.error } : {}) };
}

export function* readRecords(text: string): Generator<ServerMessage> {
  for (const record of text.split("\x1e")) if (record !== "") yield JSON.parse(record) as ServerMessage;
}

/** What a message is to an oracle. The handshake's answer is the only one without a type. */
export function kindOf(message: ServerMessage): FrameKind {
  switch (message["type"]) {
    case undefined:
      return "handshake";
    case 1:
      return message["target"] === "hubward.notice" ? "control" : "event";
    case 2:
      return "item";
    case 3:
      return "error" in message || String(message["invocationId"]).startsWith(CONTROL_PREFIX) ? "control" : "result";
    case 7:
      return "close";
    default:
      return "control";
  }
}

/** What the application wrote on an event of its own: its first argument. */
export function stampOf({ arguments: args }: ServerMessage): Stamp | undefined {
  const [first] = Array.isArray(args) ? (args as readonly unknown[]) : [];
  return typeof first === "object" && first !== null && "tenant" in first ? (first as Stamp) : undefined;
}
