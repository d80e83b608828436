/**
 * The length prefix of binary messages: 7 bits a byte, low bits first, the top bit says that more follow.
 *
 * @see HubProtocol.md, Binary encoding
 */

import type { LengthPrefix } from "../encoding/framed-buffer.js";

/** Bytes of the longest prefix; the specification ends at 2 GB. */
export const MAX_PREFIX_BYTES = 5;

/** Bytes the prefix for a body of this length takes. */
export function prefixLength(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x4000) return 2;
  if (length < 0x200000) return 3;
  return length < 0x10000000 ? 4 : 5;
}

/** Writes the prefix in its shortest form. */
export function writePrefix(target: Uint8Array, offset: number, length: number): void {
  let at = offset;
  let left = length;
  while (left >= 0x80) {
    target[at++] = (left % 0x80) | 0x80;
    left = Math.floor(left / 0x80); // a shift would take lengths from 2^31 on for negative
  }
  target[at] = left;
}

/** In front of each binary message. */
export const lengthPrefix: LengthPrefix = { size: prefixLength, write: writePrefix };
