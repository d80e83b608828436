/**
 * How often something may happen: so many at once, then so many a second. One number a bucket, no timer: the generic
 * cell rate algorithm (ITU-T I.371), which a token bucket is equal to.
 */

/** What a bucket gives out: `burst` at once when it is full, and `perSecond` from then on. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Sums of fractions are not exact: so much of a millisecond decides nothing. */
const EPSILON_MS = 1e-3;

/** Milliseconds until an empty bucket is full again. */
export function refillMs({ burst, perSecond }: Rate): number {
  return (burst * 1000) / perSecond;
}

export class TokenBucket {
  /** When it is full again, on the clock that never steps. Milliseconds. */
  #fullAt = -Infinity;

  /** How long until it has one to give; 0 when it has one now. Milliseconds. Takes nothing. */
  waitMs({ burst, perSecond }: Rate, now: number): number {
    const missingMs = this.#fullAt - now;
    const waitMs = missingMs - ((burst - 1) * 1000) / perSecond;
    return waitMs > EPSILON_MS ? waitMs : 0;
  }

  /** Takes one, whether it has one or not: ask `waitMs` first. */
  take({ perSecond }: Rate, now: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + 1000 / perSecond;
  }
}
