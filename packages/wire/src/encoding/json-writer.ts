/**
 * Writes application values as JSON the way .NET's System.Text.Json reads them: bytes as base64, times as
 * ISO 8601.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The JSON of a value; undefined, functions and symbols become null, as they do inside arrays.
 * @throws TypeError for a BigInt, a circular value or one nested too deeply to write
 */
export function writeJson(value: unknown): string {
  if (typeof value === "string") return writeString(value);
  try {
    const text = needsReplacer(value, WALK_DEPTH) ? JSON.stringify(value, replaceBytes) : JSON.stringify(value);
    return (text as string | undefined) ?? "null"; // typed as string, but undefined for the three above
  } catch (cause) {
    if (cause instanceof RangeError) throw new TypeError("the value is nested too deeply or too large", { cause });
    throw cause;
  }
}

/** What stands in a JSON string as itself (RFC 8259 7), lone surrogates left out. Anything else is in the class. */
const NEEDS_ESCAPE = /[^\x20\x21\x23-\x5b\x5d-\ud7ff\ue000-\uffff]/;
/** In longer texts looking first costs more than it saves. */
const MAX_PLAIN_LENGTH = 256;

/** As JSON.stringify writes it: looking whether there is anything to escape is quicker, and there hardly ever is. */
export function writeString(text: string): string {
  return text.length > MAX_PLAIN_LENGTH || NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** At this depth the walk may be going in a circle: it stops, and the replacer decides. */
const WALK_DEPTH = 32;

/**
 * Whether JSON.stringify alone would write something wrong. Looking first is much cheaper than a replacer, and
 * hardly any value holds bytes.
 */
function needsReplacer(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (depth === 0 || value instanceof Uint8Array) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (needsReplacer(item, depth - 1)) return true;
    return false;
  }
  if (value instanceof Date) return false;
  if ("toJSON" in value) return true; // what it returns is seen by the replacer only
  for (const key in value) if (needsReplacer((value as Record<string, unknown>)[key], depth - 1)) return true;
  return false;
}

/** Looks at the holder, not at the value: Node's Buffer has a toJSON that has already run by then. */
function replaceBytes(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Readonly<Record<string, unknown>>)[key];
  return original instanceof Uint8Array ? toBase64(original) : value;
}

const ALPHABET = encoder.encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const PADDING = 0x3d;

/** Base64 with padding (RFC 4648 4). */
export function toBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(PADDING);
  let to = 0;
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const group = (byteAt(bytes, at) << 16) | (byteAt(bytes, at + 1) << 8) | byteAt(bytes, at + 2);
    text[to] = byteAt(ALPHABET, group >> 18);
    text[to + 1] = byteAt(ALPHABET, (group >> 12) & 63);
    if (left > 1) text[to + 2] = byteAt(ALPHABET, (group >> 6) & 63);
    if (left > 2) text[to + 3] = byteAt(ALPHABET, group & 63);
    to += 4;
  }
  return decoder.decode(text);
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
