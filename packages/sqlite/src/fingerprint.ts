/** Names as they stand in the file: SHA-256, so that any text is a key, and none of them can be read there. */

import { createHash } from "node:crypto";

/** 32 bytes. Parts are told apart: no other list of texts gives the same. */
export function fingerprint(...parts: readonly string[]): Uint8Array {
  return createHash("sha256").update(JSON.stringify(parts)).digest();
}
