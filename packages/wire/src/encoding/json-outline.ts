/**
 * Looks through the bytes of a JSON object once and counts everything that could hurt before JSON.parse allocates
 * anything.
 *
 * @see RFC 8259
 */

import { HubwardError } from "../reasons.js";
import type { ReadLimits } from "./limits.js";

export type OutlineLimits = Pick<ReadLimits, "maxDepth" | "maxNodes">;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** What was seen of one message. The same object each time: read it before the next message is looked at. */
export interface Outline {
  /** Members that the outermost object writes. */
  readonly members: number;
  /** Whether there is a backslash in any string. */
  readonly hasEscapes: boolean;
  /**
   * Of each of the first few members: where its name begins and ends (without the quotes), where its value
   * begins, and the comma or bracket behind it (-1: none was found). Offsets in bytes.
   */
  readonly bounds: Int32Array;
}

/** Members of a message at most, in either protocol, but for what later versions may add. */
const MAX_BOUNDED = 8;

const seen = { members: 0, hasEscapes: false, bounds: new Int32Array(4 * MAX_BOUNDED) };

/**
 * Counts depth, values and members. It does not judge grammar: up to the first mistake it sees exactly what JSON.parse
 * sees, and there JSON.parse gives up.
 * @throws HubwardError bad_request | too_deep | message_too_big
 */
export function outline(body: Uint8Array, { maxDepth, maxNodes }: OutlineLimits): Outline {
  const { bounds } = seen;
  seen.hasEscapes = false;
  const end = body.length;
  let depth = 0;
  let nodes = 0;
  let members = 0;
  let nameStart = 0;
  let nameEnd = 0;
  let at = 0;
  while (at < end) {
    const byte = body[at++] as number;
    if (byte <= 0x20) continue;
    if (byte === COMMA) {
      if (depth === 1 && members > 0 && members <= MAX_BOUNDED) bounds[4 * members - 1] = at - 1;
      continue;
    }
    if (byte === COLON) {
      nodes--; // the string before the colon was a name, not a value
      if (depth === 1 && ++members <= MAX_BOUNDED) {
        const first = 4 * members - 4;
        bounds[first] = nameStart;
        bounds[first + 1] = nameEnd;
        bounds[first + 2] = at;
        bounds[first + 3] = -1;
      }
      if (isProtoName(body, nameStart, nameEnd)) {
        throw new HubwardError("bad_request", { detail: "no member may be named like the prototype" });
      }
      continue;
    }
    if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (--depth === 0 && members > 0 && members <= MAX_BOUNDED) bounds[4 * members - 1] = at - 1;
      continue;
    }
    if (++nodes > maxNodes) {
      throw new HubwardError("message_too_big", { detail: "the message holds more values than are accepted here" });
    }
    if (byte === QUOTE) {
      nameStart = at;
      at = skipString(body, at, end);
      nameEnd = at - 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > maxDepth) {
        throw new HubwardError("too_deep", { detail: "the message is nested deeper than is accepted here" });
      }
    } else {
      at = skipLiteral(body, at, end);
    }
  }
  seen.members = members;
  return seen;
}

/** Bytes of a string looked at one by one before indexOf is asked: most strings are shorter. */
const SHORT_STRING = 64;

/** From behind an opening quote to behind the closing one (or to the end, where JSON.parse will complain). */
function skipString(body: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const stop = Math.min(at + SHORT_STRING, end);
    while (at < stop) {
      const byte = body[at] as number;
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) {
        seen.hasEscapes = true;
        at += 2;
      } else {
        at++;
      }
    }
    const quote = body.indexOf(QUOTE, at);
    if (quote === -1) return end;
    let escape = quote;
    while (escape > at && body[escape - 1] === BACKSLASH) escape--;
    seen.hasEscapes ||= body.subarray(at, quote).includes(BACKSLASH);
    at = quote + 1;
    if ((quote - escape) % 2 === 0) return at; // backslashes in pairs escape each other, not the quote
  }
  return end;
}

/** To the end of a number, true, false or null. */
function skipLiteral(body: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = body[at] as number;
    if (byte <= 0x20 || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) return at;
    at++;
  }
  return at;
}

const PROTO_NAME = [..."__proto__"].map((character) => character.charCodeAt(0));

/** Whether a member name, as written between its quotes, reads `__proto__`; each character may be a \u escape. */
function isProtoName(body: Uint8Array, start: number, end: number): boolean {
  if (end - start < PROTO_NAME.length) return false;
  let at = start;
  for (const expected of PROTO_NAME) {
    if (body[at] === expected) at += 1;
    else if (body[at] === BACKSLASH && readUnicodeEscape(body, at) === expected) at += 6;
    else return false;
  }
  return at === end;
}

/** The code unit of the \uXXXX escape at a position, or NaN when there is none. */
function readUnicodeEscape(body: Uint8Array, at: number): number {
  if (body[at + 1] !== 0x75) return Number.NaN;
  return Number(`0x${String.fromCharCode(...body.subarray(at + 2, at + 6))}`);
}
