/**
 * Strict UTF-8: what arrives must be well formed, because two texts that differ only in a broken character
 * could otherwise name the same room, method or call.
 */

import { allocate } from "../memory.js";
import { HubwardError } from "../reasons.js";
import type { FrameHeader } from "../websocket/frame.js";

/** Fatal: never a replacement character. `ignoreBOM` keeps a byte order mark in the text instead of hiding it. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Where short texts are encoded first, because their length is known last. */
const draft = new Uint8Array(4096);
/** Bytes of a UTF-16 code unit at most. */
const MAX_UNIT_BYTES = 3;

/** In the place of a header of that many bytes (RFC 6455 5.2 knows 2, 4 and 10), which is written over it. */
const PLACES = ["", "\0", "\0\0", "\0\0\0", "\0\0\0\0"] as const;

/** Encodes a text as UTF-8, behind a transport's header where one is given; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string, header?: FrameHeader): Uint8Array {
  if (text.length * MAX_UNIT_BYTES > draft.length) return behind(header, encoder.encode(text));
  const place = PLACES[header?.size(text.length) ?? 0];
  if (place === undefined) return behind(header, encoder.encode(text));
  // Nearly always every unit is a byte: as many as there are units are enough, and what fits needs no copy.
  const units = place.length + text.length;
  const bytes = allocate(units);
  if (encoder.encodeInto(place + text, bytes).read === units) {
    header?.write(bytes, text.length);
    return bytes;
  }
  const { written } = encoder.encodeInto(text, draft);
  return behind(header, draft.subarray(0, written));
}

/** A copy of the payload. */
function behind(header: FrameHeader | undefined, payload: Uint8Array): Uint8Array {
  const size = header?.size(payload.length) ?? 0;
  const bytes = allocate(size + payload.length);
  header?.write(bytes, payload.length);
  bytes.set(payload, size);
  return bytes;
}

/** Decodes bytes as UTF-8. @throws HubwardError malformed_unicode */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new HubwardError("malformed_unicode", { detail: "text must be well-formed UTF-8", cause });
  }
}

/** Length of a text in UTF-8 bytes, or -1 when it holds a lone surrogate and so has no UTF-8 form. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 2;
    else {
      const low = text.charCodeAt(at + 1); // NaN at the end of the text, which fails both comparisons below
      if (unit > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) return -1;
      bytes += 2; // two units counted above, four bytes in all
      at++;
    }
  }
  return bytes;
}
