/**
 * Memory for what is rendered. An ArrayBuffer of its own costs many times what is written into a short message, and the
 * collector has to sweep each one: short pieces are cut from shared blocks instead.
 */

/**
 * Of one block. A piece that is kept (a frame that waits for a slow peer) keeps its block: not much more than an
 * ArrayBuffer of its own would weigh with all that belongs to it.
 */
const BLOCK_BYTES = 1024;
/** Of a piece; a longer one has memory of its own. */
const MAX_PIECE_BYTES = 256;

let block = new Uint8Array(BLOCK_BYTES);
let used = 0;

/** So many bytes, all zero. Their `buffer` may be shared with other pieces: never look at it. */
export function allocate(length: number): Uint8Array {
  if (length > MAX_PIECE_BYTES) return new Uint8Array(length);
  if (used + length > BLOCK_BYTES) {
    block = new Uint8Array(BLOCK_BYTES);
    used = 0;
  }
  const piece = block.subarray(used, used + length);
  used += length;
  return piece;
}
