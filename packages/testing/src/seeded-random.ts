/** Randomness that is the same in every run. For tests only: whoever knows the seed knows every id. */

import type { Random } from "@hubward/server/ports";

/** The seed is any whole number; its low 32 bits count. A mulberry32 generator. */
export function createSeededRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) throw new RangeError("seed: a whole number");
  let state = seed | 0;

  /** The next 32 bits, unsigned. */
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  return {
    secret(bytes) {
      return Buffer.from(Uint8Array.from({ length: bytes }, () => next() >>> 24)).toString("base64url");
    },
    fraction: () => next() / 2 ** 32,
  };
}
