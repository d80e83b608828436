/**
 * Stops hot loops: a stock client's attempt counter starts over with each successful handshake, so a connection
 * that we keep ending would come back at its first delay, 0 ms, for ever. Its next negotiate has to wait.
 */

import { sessionKey, type Authentication } from "../auth/authentication.js";
import type { Clock } from "../clock.js";
import { identityKey } from "../ids.js";
import { KeyedBuckets } from "../limits/keyed-buckets.js";
import type { Rate } from "../limits/token-bucket.js";

export interface HoldBack {
  /** A connection of this session was ended by the server after this long. */
  ended(authentication: Authentication, ageMs: number): void;
  /** How long the next connect of this session has to wait. Milliseconds. */
  delayMs(authentication: Authentication): number;
}

const SHORT_LIVED_MS = 5_000;
const FREE_ENDINGS = 2;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;
const FORGET_AFTER_MS = 60_000;
const MAX_SESSIONS = 10_000;
/** @param endings what one person's sessions may lose together; undefined for any number */
export function createHoldBack(clock: Pick<Clock, "monotonic">, endings: Rate | undefined): HoldBack {
  // In the order of the last ending, oldest first.
  const sessions = new Map<string, { readonly count: number; readonly lastAt: number }>();
  const identities = endings && new KeyedBuckets(endings, MAX_SESSIONS);

  function forgetOld(now: number): void {
    for (const [key, { lastAt }] of sessions) {
      if (now - lastAt < FORGET_AFTER_MS && sessions.size <= MAX_SESSIONS) return;
      sessions.delete(key);
    }
  }

  function delayOfSession(key: string, now: number): number {
    const session = sessions.get(key);
    if (session === undefined || now - session.lastAt >= FORGET_AFTER_MS) return 0;
    const beyond = session.count - FREE_ENDINGS;
    return beyond <= 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (beyond - 1));
  }

  function delayOfIdentity(key: string, now: number): number {
    return Math.min(MAX_DELAY_MS, identities?.waitMs(key, now) ?? 0);
  }

  return {
    ended(authentication, ageMs) {
      const now = clock.monotonic();
      const key = sessionKey(authentication);
      const count = sessions.get(key)?.count ?? 0;
      sessions.delete(key);
      if (ageMs < SHORT_LIVED_MS) {
        sessions.set(key, { count: count + 1, lastAt: now });
        const identity = identityKey(authentication);
        // Not more than can be waited for: a crowd that is ended at once is not locked out for an hour.
        if (delayOfIdentity(identity, now) < MAX_DELAY_MS) identities?.take(identity, now);
      }
      forgetOld(now);
    },
    delayMs(authentication) {
      const now = clock.monotonic();
      const ofSession = delayOfSession(sessionKey(authentication), now);
      return Math.max(ofSession, delayOfIdentity(identityKey(authentication), now));
    },
  };
}
