/** Nonces for DPoP proofs that need no memory: any server with the secret makes and accepts them (RFC 9449 8). */

import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../../core/clock.js";
import { systemClock } from "../../../platform/system-clock.js";
import { assertRange } from "../option-checks.js";

export interface DpopNonceOptions {
  /**
   * How long one nonce is given out; it is accepted for as long again. Servers that share the secret must agree.
   * Milliseconds, 1000 to 600,000, default 60,000.
   */
  readonly windowMs?: number | undefined;
  /** Default: the system's. */
  readonly clock?: Pick<Clock, "now"> | undefined;
}

export interface DpopNonces {
  /** What to give out now, in a `DPoP-Nonce` header. */
  current(): string;
  /** Whether it was given out in this window or in the one before. */
  accepts(nonce: string): boolean;
}

const MIN_SECRET_BYTES = 32;
const DEFAULT_WINDOW_MS = 60_000;

/**
 * A nonce proves that a proof was made lately, whatever the client's clock says, and not in store for later. It is the
 * HMAC-SHA-256 of the time window's number, so it tells nothing and differs with every window.
 * @throws TypeError when the secret is no bytes; RangeError below 32 bytes or for a window out of range
 */
export function dpopNonces(secret: Uint8Array, options: DpopNonceOptions = {}): DpopNonces {
  const { windowMs = DEFAULT_WINDOW_MS, clock = systemClock } = options;
  if (!(secret instanceof Uint8Array)) throw new TypeError("dpopNonces: bytes are needed, not text");
  if (secret.length < MIN_SECRET_BYTES) throw new RangeError("dpopNonces: at least 32 bytes");
  assertRange("dpopNonces.windowMs", windowMs, 1000, 600_000);
  const key = createSecretKey(secret); // prints nothing
  const make = (window: number): string =>
    createHmac("sha256", key).update(`hubward dpop nonce ${windowMs} ${window}`).digest("base64url");
  const currentWindow = (): number => Math.floor(clock.now() / windowMs);
  return {
    current: () => make(currentWindow()),
    accepts(nonce) {
      const window = currentWindow();
      return [make(window), make(window - 1)].some((expected) => equal(nonce, expected));
    },
  };
}

function equal(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
