/** The process's own randomness and hashing behind the core's ports. */

import { createHash, randomFillSync } from "node:crypto";
import type { Digest } from "../core/digest.js";
import type { Random } from "../core/random.js";

const POOL_BYTES = 4096;

function createRandom(): Random {
  // One system call fills many ids.
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return {
    bytes(count) {
      if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count));
      if (used + count > POOL_BYTES) {
        randomFillSync(pool);
        used = 0;
      }
      const bytes = pool.slice(used, used + count);
      // Handed out once: what stays in the pool must not tell what was given.
      pool.fill(0, used, used + count);
      used += count;
      return bytes;
    },
    fraction: () => Math.random(),
  };
}

export const systemRandom: Random = createRandom();

export const systemDigest: Digest = (text) => createHash("sha256").update(text, "utf8").digest("base64url");
