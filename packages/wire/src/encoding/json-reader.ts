/**
 * Reads one JSON object within bounds: a single pass over the bytes counts everything that could hurt before
 * JSON.parse allocates anything.
 *
 * @see RFC 8259
 */

import { HubwardError } from "../reasons.js";
import { outline, type Outline } from "./json-outline.js";
import type { ReadLimits } from "./limits.js";
import { decodeUtf8, utf8Length } from "./utf8.js";

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * A quicker way to read what a protocol's messages usually look like. Undefined for anything else, which is then read
 * as a whole; it refuses nothing, and takes nothing that JSON.parse would read differently.
 * @param text the body, decoded
 * @param parse as JSON.parse; what it throws is thrown on
 */
export type JsonShortcut = (
  body: Uint8Array,
  text: string,
  found: Outline,
  parse: (text: string) => unknown,
) => JsonObject | undefined;

/**
 * Parses a JSON object. Its own members are unique and no object in it, however deep, has a member named
 * `__proto__`; duplicate names further down are left to JSON.parse (the last one counts). Texts are well-formed
 * Unicode: two that differ in half a character only would become the same bytes further on.
 * @throws HubwardError bad_request | too_deep | malformed_unicode | message_too_big
 */
export function readJsonObject(body: Uint8Array, limits: ReadLimits, shortcut?: JsonShortcut): JsonObject {
  if (body.length > limits.maxBytes) {
    throw new HubwardError("message_too_big", { detail: "the message is larger than is accepted here" });
  }
  const found = outline(body, limits);
  const text = decodeUtf8(body);
  return shortcut?.(body, text, found, parse) ?? parseObject(text, found);
}

function parseObject(text: string, { members, hasEscapes }: Outline): JsonObject {
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HubwardError("bad_request", { detail: "the message must be a JSON object" });
  }
  const object = value as Record<string, unknown>;
  // The bytes were UTF-8, so half a character can stand in an escape only.
  if (hasEscapes && SURROGATE_ESCAPE.test(text)) assertWellFormed(object);
  if (Object.keys(object).length !== members) {
    throw new HubwardError("bad_request", { detail: "the members of a message must have different names" });
  }
  return object;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No cause: V8's SyntaxError quotes the text it stumbled over, and payload does not belong in an error.
    throw new HubwardError("bad_request", { detail: "the message must be valid JSON" });
  }
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
