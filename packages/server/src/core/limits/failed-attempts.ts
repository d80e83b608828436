/**
 * Counts attempts to authenticate that failed, by where they came from. Where there were too many, nothing more is
 * verified for a while. What succeeds does not count, so that many who come through one address do not lock
 * themselves out; but for as long as somebody there goes on failing, they wait as well.
 */

import type { Clock } from "../clock.js";
import { addressKey } from "./address-key.js";
import { KeyedBuckets } from "./keyed-buckets.js";
import { LimitRefusal } from "./limit-refusal.js";
import type { Rate } from "./token-bucket.js";

export interface FailedAttempts {
  /** Why nothing from there is looked at now: `rate_limited`. Undefined when it may be. Counts nothing. */
  refusal(remoteAddress: string | undefined): LimitRefusal | undefined;
  failed(remoteAddress: string | undefined): void;
}

/** What is told of one address. */
const TOLD: Rate = { burst: 1, perSecond: 1 };

/** @param rate undefined for as many as come */
export function createFailedAttempts(clock: Pick<Clock, "monotonic">, rate: Rate | undefined): FailedAttempts {
  if (rate === undefined) return { refusal: () => undefined, failed: () => undefined };
  const failures = new KeyedBuckets(rate);
  const told = new KeyedBuckets(TOLD);
  return {
    refusal(remoteAddress) {
      const key = addressKey(remoteAddress);
      if (key === undefined) return undefined;
      const now = clock.monotonic();
      const waitMs = failures.waitMs(key, now);
      if (waitMs === 0) return undefined;
      const isTold = told.waitMs(key, now) === 0;
      if (isTold) told.take(key, now);
      return new LimitRefusal("rate_limited", waitMs / 1000, isTold);
    },
    failed(remoteAddress) {
      const key = addressKey(remoteAddress);
      if (key === undefined) return;
      const now = clock.monotonic();
      // Those that were under way together may fail together: what they owe beyond the burst is forgiven.
      if (failures.waitMs(key, now) === 0) failures.take(key, now);
    },
  };
}
