/**
 * Writes what calls come to and what streams yield, the messages a server sends most, straight into their bytes: where
 * everything is plain ASCII and short no text is put together first. Anything else is left to the codec.
 *
 * @see HubProtocol.md, Completion and StreamItem Message Encoding
 */

import { allocate } from "../memory.js";
import type { FrameHeader } from "../websocket/frame.js";
import { RECORD_SEPARATOR } from "./framing.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE_BRACE = 0x7d;

/** Characters of id and value together. Beyond it the engine's own encoder is quicker. */
const MAX_PLAIN_LENGTH = 160;

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** The constant parts of one kind of message: in front of its id, and between the id and the value. */
export interface ResultShape {
  readonly head: Uint8Array;
  readonly middle: Uint8Array;
}

export const completionShape: ResultShape = {
  head: ascii('{"type":3,"invocationId":"'),
  middle: ascii('","result":'),
};

export const streamItemShape: ResultShape = {
  head: ascii('{"type":2,"invocationId":"'),
  middle: ascii('","item":'),
};

/**
 * The framed message behind a transport's header, or undefined where something in it would have to be escaped or is
 * long.
 * @param json the value's JSON, or undefined where the value is the string `text`
 */
export function renderPlainResult(
  { head, middle }: ResultShape,
  invocationId: string,
  text: string,
  json: string | undefined,
  header: FrameHeader | undefined,
): Uint8Array | undefined {
  const value = json ?? text;
  const variable = invocationId.length + value.length;
  if (variable > MAX_PLAIN_LENGTH) return undefined;
  const isString = json === undefined;
  const length = head.length + middle.length + variable + (isString ? 4 : 2);
  const start = header?.size(length) ?? 0;
  const bytes = allocate(start + length);
  let at = copy(head, bytes, start);
  at = writePlain(invocationId, bytes, at);
  if (at === -1) return undefined;
  at = copy(middle, bytes, at);
  if (isString) {
    bytes[at++] = QUOTE;
    at = writePlain(value, bytes, at);
    if (at === -1) return undefined;
    bytes[at++] = QUOTE;
  } else {
    at = writeAscii(value, bytes, at);
    if (at === -1) return undefined;
  }
  bytes[at++] = CLOSE_BRACE;
  bytes[at] = RECORD_SEPARATOR;
  header?.write(bytes, length);
  return bytes;
}

function copy(from: Uint8Array, to: Uint8Array, at: number): number {
  for (let index = 0; index < from.length; index++) to[at + index] = from[index] as number;
  return at + from.length;
}

/** What stands in a JSON string as itself (RFC 8259 7). Where the next byte goes, or -1 for a text with anything else. */
function writePlain(text: string, to: Uint8Array, at: number): number {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x20 || unit >= 0x80 || unit === QUOTE || unit === BACKSLASH) return -1;
    to[at + index] = unit;
  }
  return at + text.length;
}

function writeAscii(text: string, to: Uint8Array, at: number): number {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0x80) return -1;
    to[at + index] = unit;
  }
  return at + text.length;
}
