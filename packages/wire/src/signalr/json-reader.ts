/**
 * Reads one JSON object within bounds: a single pass over the bytes counts everything that could hurt before
 * JSON.parse allocates anything.
 *
 * @see RFC 8259
 */

import { HubwardError } from "../reasons.js";
import type { DecodeLimits } from "./messages.js";
import { decodeUtf8, utf8Length } from "./utf8.js";

export type JsonLimits = Pick<DecodeLimits, "maxBytes" | "maxDepth" | "maxNodes">;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Parses a JSON object. Its own members are unique and no object in it, however deep, has a member named
 * `__proto__`; duplicate names further down are left to JSON.parse (the last one counts). Texts are well-formed
 * Unicode: two that differ in half a character only would become the same bytes further on.
 * @throws HubwardError bad_request | too_deep | malformed_unicode | message_too_big
 */
export function readJsonObject(body: Uint8Array, limits: JsonLimits): Readonly<Record<string, unknown>> {
  if (body.length > limits.maxBytes) {
    throw new HubwardError("message_too_big", { detail: "the message is larger than is accepted here" });
  }
  const members = scan(body, limits);
  const text = decodeUtf8(body);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // No cause: V8's SyntaxError quotes the text it stumbled over, and payload does not belong in an error.
    throw new HubwardError("bad_request", { detail: "the message must be valid JSON" });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HubwardError("bad_request", { detail: "the message must be a JSON object" });
  }
  const object = value as Record<string, unknown>;
  // The bytes were UTF-8, so half a character can stand in an escape only.
  if (SURROGATE_ESCAPE.test(text)) assertWellFormed(object);
  if (Object.keys(object).length !== members) {
    throw new HubwardError("bad_request", { detail: "the members of a message must have different names" });
  }
  return object;
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

function assertWellFormed(value: unknown): void {
  if (typeof value === "string") {
    if (utf8Length(value) < 0) {
      throw new HubwardError("malformed_unicode", { detail: "texts must be well-formed Unicode" });
    }
  } else if (Array.isArray(value)) {
    for (const each of value) assertWellFormed(each);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, each] of Object.entries(value)) {
      assertWellFormed(name);
      assertWellFormed(each);
    }
  }
}

/**
 * Counts depth and values and returns the number of members the outermost object writes. It does not judge
 * grammar: up to the first mistake it sees exactly what JSON.parse sees, and there JSON.parse gives up.
 */
function scan(body: Uint8Array, { maxDepth, maxNodes }: JsonLimits): number {
  const end = body.length;
  let depth = 0;
  let nodes = 0;
  let members = 0;
  let nameStart = 0;
  let nameEnd = 0;
  let at = 0;
  while (at < end) {
    const byte = body[at++] as number;
    if (byte <= 0x20 || byte === COMMA) continue;
    if (byte === COLON) {
      nodes--; // the string before the colon was a name, not a value
      if (depth === 1) members++;
      if (isProtoName(body, nameStart, nameEnd)) {
        throw new HubwardError("bad_request", { detail: "no member may be named like the prototype" });
      }
      continue;
    }
    if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
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
  return members;
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
      at += byte === BACKSLASH ? 2 : 1;
    }
    const quote = body.indexOf(QUOTE, at);
    if (quote === -1) return end;
    let escape = quote;
    while (escape > at && body[escape - 1] === BACKSLASH) escape--;
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
