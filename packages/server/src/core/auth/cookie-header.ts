/** Reads cookies of ours out of a Cookie header (RFC 6265bis 4.2.1), strictly, and leaves the others as they are. */

import { Secret } from "./secret.js";

/**
 * `several`: the name stood there more than once, and nothing tells which one is ours. `malformed`: no browser would
 * keep such a value. A cookie that was emptied is an empty Secret.
 */
export type ReadCookie = Secret | "several" | "malformed";

/** What a browser keeps of name and value together, at most (RFC 6265bis 5.6). Characters. */
const MAX_VALUE_LENGTH = 4_096;
/** cookie-octet: visible ASCII without quotes, comma, semicolon and backslash. Nothing is decoded. */
const VALUE_PATTERN = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/** Moves the cookies of these names from a header's value into `found`. Returns what is left of the value. */
export function takeCookies(header: string, names: readonly string[], found: Map<string, ReadCookie>): string {
  if (!names.some((name) => header.includes(name))) return header;
  const kept: string[] = [];
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    const name = equals === -1 ? "" : trimSpace(pair.slice(0, equals));
    // Names compare exactly; a value without a name is nobody's.
    if (name === "" || !names.includes(name)) kept.push(pair);
    else found.set(name, found.has(name) ? "several" : readValue(trimSpace(pair.slice(equals + 1))));
  }
  return trimSpace(kept.join(";"));
}

/** One cookie, where nothing is to be cut out. */
export function readCookie(header: string, name: string): ReadCookie | undefined {
  const found = new Map<string, ReadCookie>();
  takeCookies(header, [name], found);
  return found.get(name);
}

function readValue(value: string): ReadCookie {
  return value.length <= MAX_VALUE_LENGTH && VALUE_PATTERN.test(value) ? new Secret(value) : "malformed";
}

/** Spaces and tabs only: `trim()` would let a name behind a no-break space pass for ours, which no browser protects. */
function trimSpace(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/(?<![ \t])[ \t]+$/, "");
}
