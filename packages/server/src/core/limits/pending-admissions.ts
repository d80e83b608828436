/**
 * How many requests may be verified, mapped and judged at the same time. One more is told to come again before anything
 * is done for it: what waits for a slow provider or directory costs memory, and would be answered too late anyway.
 */

import type { Admitter } from "../admission/admission.js";
import type { Clock } from "../clock.js";
import type { Random } from "../random.js";
import { LimitRefusal } from "./limit-refusal.js";
import { TokenBucket, type Rate } from "./token-bucket.js";

export interface PendingAdmissionsPorts {
  readonly clock: Pick<Clock, "monotonic">;
  readonly random: Pick<Random, "fraction">;
  /** Infinity: as many as come. */
  readonly max: number;
}

/** Those that were turned away come back apart. Seconds. */
const MIN_RETRY_SECONDS = 1;
const MAX_RETRY_SECONDS = 5;
const TOLD: Rate = { burst: 1, perSecond: 1 };

/**
 * The same admitter for doors: `authenticate` and `authenticateForwarded` reject with `try_again_later` over the limit.
 * Who was verified already is mapped and judged all the same, and counts while that takes its time.
 */
export function limitPending<P>(admitter: Admitter<P>, { clock, random, max }: PendingAdmissionsPorts): Admitter<P> {
  const told = new TokenBucket();
  let pending = 0;

  async function counted<T>(work: () => Promise<T>): Promise<T> {
    pending++;
    try {
      return await work();
    } finally {
      pending--;
    }
  }

  /** @throws LimitRefusal */
  function assertRoom(): void {
    if (pending < max) return;
    const now = clock.monotonic();
    const isTold = told.waitMs(TOLD, now) === 0;
    if (isTold) told.take(TOLD, now);
    const spread = (MAX_RETRY_SECONDS - MIN_RETRY_SECONDS) * random.fraction();
    throw new LimitRefusal("try_again_later", MIN_RETRY_SECONDS + spread, isTold);
  }

  return {
    challenge: admitter.challenge,
    async authenticate(credential) {
      assertRoom();
      return counted(() => admitter.authenticate(credential));
    },
    async authenticateForwarded(headers) {
      assertRoom();
      return counted(() => admitter.authenticateForwarded(headers));
    },
    identify: (authentication) => counted(() => admitter.identify(authentication)),
    authorize: (admission, requirements, args) => counted(() => admitter.authorize(admission, requirements, args)),
    refusal: (authentication, connectionId) => admitter.refusal(authentication, connectionId),
    get asked() {
      return admitter.asked;
    },
  };
}
