/**
 * Reads a call the way clients write it: no whitespace, no escapes, plain ASCII, a type, a target, arguments and perhaps
 * an id, in any order. JSON.parse then sees the arguments alone. Whatever is written otherwise is left to JSON.parse as a
 * whole: here nothing is refused, and nothing is taken that JSON.parse would read differently.
 *
 * @see HubProtocol.md, Invocation Message Encoding
 */

import type { RawEnvelope } from "./envelope.js";
import type { Outline } from "../encoding/json-outline.js";

const QUOTE = 0x22;
const COMMA = 0x2c;
const DIGIT_1 = 0x31;
const DIGIT_4 = 0x34;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const ascii = (text: string): readonly number[] => Array.from(text, (character) => character.charCodeAt(0));
const TYPE = ascii("type");
const TARGET = ascii("target");
const ARGUMENTS = ascii("arguments");
const INVOCATION_ID = ascii("invocationId");

type PlainCall = RawEnvelope & Readonly<Record<string, unknown>>;

/**
 * Undefined for anything that is not such a call.
 * @param text the body, decoded
 * @param parse as JSON.parse; what it throws is thrown on
 */
export function readPlainCall(
  body: Uint8Array,
  text: string,
  { members, hasEscapes, bounds }: Outline,
  parse: (text: string) => unknown,
): PlainCall | undefined {
  // As many units as bytes: ASCII, where offsets in both are the same.
  if (hasEscapes || text.length !== body.length || members < 3 || members > 4 || body[0] !== OPEN_BRACE)
    return undefined;
  let type: number | undefined;
  let invocationId: string | undefined;
  let target: string | undefined;
  let argumentsStart = -1;
  let argumentsEnd = -1;
  let before = 0; // the brace or comma in front of a member
  for (let at = 0; at < 4 * members; at += 4) {
    const nameStart = bounds[at] as number;
    const nameEnd = bounds[at + 1] as number;
    const start = bounds[at + 2] as number;
    const end = bounds[at + 3] as number;
    // Each piece stands right behind the one before: between them there is nothing that nobody has read.
    if (nameStart !== before + 2 || start !== nameEnd + 2 || end <= start) return undefined;
    const isLast = at === 4 * members - 4;
    if (isLast ? end !== body.length - 1 || body[end] !== CLOSE_BRACE : body[end] !== COMMA) return undefined;
    before = end;
    // Each name has a length of its own.
    switch (nameEnd - nameStart) {
      case TYPE.length: {
        const digit = body[start];
        if (type !== undefined || !isName(body, nameStart, TYPE) || end !== start + 1) return undefined;
        if (digit !== DIGIT_1 && digit !== DIGIT_4) return undefined;
        type = digit - DIGIT_1 + 1;
        break;
      }
      case TARGET.length:
        if (target !== undefined || !isName(body, nameStart, TARGET) || !isPlainString(body, start, end))
          return undefined;
        target = text.slice(start + 1, end - 1);
        break;
      case INVOCATION_ID.length:
        if (invocationId !== undefined || !isName(body, nameStart, INVOCATION_ID) || !isPlainString(body, start, end))
          return undefined;
        invocationId = text.slice(start + 1, end - 1);
        break;
      case ARGUMENTS.length:
        if (argumentsEnd !== -1 || !isName(body, nameStart, ARGUMENTS) || body[start] !== OPEN_BRACKET)
          return undefined;
        argumentsStart = start;
        argumentsEnd = end;
        break;
      default:
        return undefined;
    }
  }
  if (type === undefined || target === undefined || argumentsEnd === -1) return undefined;
  return { type, invocationId, target, arguments: parse(text.slice(argumentsStart, argumentsEnd)) };
}

function isName(body: Uint8Array, start: number, name: readonly number[]): boolean {
  for (let index = 0; index < name.length; index++) if (body[start + index] !== name[index]) return false;
  return true;
}

/** Whether a value is one string without anything that JSON.parse would translate, or refuse. */
function isPlainString(body: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2 || body[start] !== QUOTE || body[end - 1] !== QUOTE) return false;
  for (let at = start + 1; at < end - 1; at++) {
    const byte = body[at] as number;
    if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}
