/** Hub messages as scripts write them, and both encodings of them. HubProtocol.md. */

import { pack, unpack, type Packable } from "./message-pack.js";

export type Encoding = "json" | "messagepack";

/** A hub message with the field names of the JSON encoding. */
export type Message = Readonly<Record<string, Packable | undefined>>;

export const SEPARATOR = "\x1e";
const MAX_SHOWN_BYTES = 32;

export function invoke(id: string | undefined, target: string, ...args: readonly Packable[]): Message {
  return { type: 1, invocationId: id, target, arguments: args };
}

/** An invocation that brings streams along. */
export function upload(
  id: string | undefined,
  target: string,
  streamIds: readonly string[],
  ...args: readonly Packable[]
): Message {
  return { type: 1, invocationId: id, target, arguments: args, streamIds };
}

export function item(id: string, value: Packable): Message {
  return { type: 2, invocationId: id, item: value };
}

export function complete(id: string, end: { readonly result?: Packable; readonly error?: string } = {}): Message {
  return { type: 3, invocationId: id, ...end };
}

export function stream(id: string, target: string, ...args: readonly Packable[]): Message {
  return { type: 4, invocationId: id, target, arguments: args };
}

export function cancel(id: string): Message {
  return { type: 5, invocationId: id };
}

export const ping: Message = { type: 6 };

export function close(fields: { readonly error?: string; readonly allowReconnect?: boolean } = {}): Message {
  return { type: 7, ...fields };
}

export function ack(sequenceId: number): Message {
  return { type: 8, sequenceId };
}

export function sequence(sequenceId: number): Message {
  return { type: 9, sequenceId };
}

export function encodeJson(message: Message): Buffer {
  return Buffer.from(JSON.stringify(message) + SEPARATOR);
}

/** The array of a message in MessagePack, with its length in front. */
export function encodeMessagePack(message: Message): Buffer {
  return framed(pack(toArray(message)));
}

/** Puts the length in front, seven bits a byte, low bits first. */
export function framed(body: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(length), body]);
}

/** What a peer received, message by message; `left` are bytes of one that is not whole. */
export interface Split {
  /** Each message as a line of a transcript, and its type. */
  readonly messages: readonly { readonly line: string; readonly type: unknown; readonly value: unknown }[];
  readonly left: Buffer;
}

export function splitText(bytes: Buffer): Split {
  const pieces = bytes.toString("utf8").split(SEPARATOR);
  const left = Buffer.from(pieces.pop() ?? "");
  return {
    messages: pieces.map((line) => {
      const value: unknown = parseOr(line);
      return { line, value, type: (value as { type?: unknown } | null)?.type };
    }),
    left,
  };
}

export function splitBinary(bytes: Buffer): Split {
  const messages: Split["messages"][number][] = [];
  let left = bytes;
  for (;;) {
    let length = 0;
    let at = 0;
    let byte = 0x80;
    while (byte & 0x80 && at < Math.min(5, left.length)) {
      byte = left[at] as number;
      length += (byte & 0x7f) * 2 ** (7 * at);
      at++;
    }
    if (byte & 0x80 || left.length < at + length) return { messages, left };
    const body = left.subarray(at, at + length);
    const value = unpack(body);
    const [type, , id] = value as readonly unknown[];
    // The bytes, where they are few and the same each time.
    const bytes = body.length > MAX_SHOWN_BYTES || (type === 1 && id !== null) ? "" : ` ${body.toString("hex")}`;
    messages.push({ line: JSON.stringify(value) + bytes, value, type });
    left = left.subarray(at + length);
  }
}

function parseOr(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function toArray(message: Message): readonly Packable[] {
  const { type, headers = {}, invocationId = null, target = "", arguments: args = [], streamIds } = message;
  switch (type) {
    case 1:
    case 4:
      return [type, headers, invocationId, target, args, ...(streamIds === undefined ? [] : [streamIds])];
    case 2:
      return [2, headers, invocationId, message["item"] ?? null];
    case 3: {
      const { error, result } = message;
      const end = error !== undefined ? [1, error] : result !== undefined ? [3, result] : [2];
      return [3, headers, invocationId, ...end];
    }
    case 5:
      return [5, headers, invocationId];
    case 6:
      return [6];
    case 7:
      return [7, message["error"] ?? null, message["allowReconnect"] ?? false];
    case 8:
    case 9:
      return [type, message["sequenceId"] ?? 0];
    default:
      return [type ?? null];
  }
}
