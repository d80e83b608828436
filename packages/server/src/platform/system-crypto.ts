/** The process's own randomness and hashing behind the core's ports. */

import { hash, randomBytes, randomFillSync } from "node:crypto";
import type { Digest } from "../core/digest.js";
import type { Random } from "../core/random.js";

const POOL_BYTES = 4096;

function createRandom(): Random {
  // One system call fills many ids.
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  return {
    secret(bytes) {
      if (bytes > POOL_BYTES) return randomBytes(bytes).toString("base64url");
      if (used + bytes > POOL_BYTES) {
        randomFillSync(pool);
        used = 0;
      }
      const text = pool.toString("base64url", used, used + bytes);
      // Handed out once: what stays in the pool must not tell what was given.
      pool.fill(0, used, used + bytes);
      used += bytes;
      return text;
    },
    fraction: () => Math.random(),
  };
}

export const systemRandom: Random = createRandom();

export const systemDigest: Digest = (text) => hash("sha256", text, "base64url");
