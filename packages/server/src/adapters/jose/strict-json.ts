/**
 * JSON as a token may carry it: one object in well-formed UTF-8, without duplicate members.
 *
 * JSON.parse keeps the last of two equal members where other parsers keep the first, so the issuer's libraries and
 * ours could read different subjects out of one signed token (RFC 7515 10.12, RFC 7519 4). No reviver can see that.
 */

import { isUtf8 } from "node:buffer";

/** Levels of nesting. Serialising breaks somewhere above a thousand; real claims stay below ten. */
const MAX_DEPTH = 32;

/**
 * Parses the object, or returns undefined where the bytes are anything else: invalid UTF-8, a byte order mark, no
 * JSON, no object, duplicate members at any level (compared after unescaping), a member named `__proto__`, more
 * than 32 levels. Never throws.
 */
export function parseStrictObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    if (!isUtf8(bytes)) return undefined;
    const text = bytes.toString("utf8");
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return hasSafeMembers(text) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Reads an own member: a claim nobody sent is never found on a prototype. */
export function ownMember(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** One pass over text that is known to be valid JSON. */
function hasSafeMembers(text: string): boolean {
  const open: (Set<string> | undefined)[] = []; // member names of each open object; undefined for an array
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
        if (open.push(new Set()) > MAX_DEPTH) return false;
        break;
      case 0x5b: // [
        if (open.push(undefined) > MAX_DEPTH) return false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case QUOTE: {
        const end = endOfString(text, at);
        if (isFollowedByColon(text, end)) {
          const name = readName(text, at, end);
          const names = open.at(-1);
          if (names === undefined || names.has(name) || name === "__proto__") return false;
          names.add(name);
        }
        at = end - 1;
        break;
      }
      default: // white space, punctuation, numbers and literals name nothing
    }
  }
  return true;
}

/** Index behind the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE || at >= text.length) return at + 1;
    at += unit === BACKSLASH ? 2 : 1;
  }
}

function isFollowedByColon(text: string, from: number): boolean {
  let at = from;
  for (;;) {
    const unit = text.charCodeAt(at);
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return unit === COLON;
    at += 1;
  }
}

/** The string between two quotes, unescaped. */
function readName(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes("\\") ? (JSON.parse(text.slice(start, end)) as string) : raw;
}
