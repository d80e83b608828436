/**
 * Stops hot loops: a stock client's attempt counter starts over with each successful handshake, so a connection
 * that we keep ending would come back at its first delay, 0 ms, for ever. Its next negotiate has to wait.
 */

import type { Clock } from "../clock.js";

export interface HoldBack {
  /** A connection was ended by the server after this long. */
  ended(key: string, ageMs: number): void;
  /** How long the next connect of this session has to wait. Milliseconds. */
  delayMs(key: string): number;
}

const SHORT_LIVED_MS = 5_000;
const FREE_ENDINGS = 2;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;
const FORGET_AFTER_MS = 60_000;
const MAX_SESSIONS = 10_000;

export function createHoldBack(clock: Pick<Clock, "monotonic">): HoldBack {
  // In the order of the last ending, oldest first.
  const sessions = new Map<string, { readonly count: number; readonly lastAt: number }>();

  function forgetOld(now: number): void {
    for (const [key, { lastAt }] of sessions) {
      if (now - lastAt < FORGET_AFTER_MS && sessions.size <= MAX_SESSIONS) return;
      sessions.delete(key);
    }
  }

  return {
    ended(key, ageMs) {
      const now = clock.monotonic();
      const count = sessions.get(key)?.count ?? 0;
      sessions.delete(key);
      if (ageMs < SHORT_LIVED_MS) sessions.set(key, { count: count + 1, lastAt: now });
      forgetOld(now);
    },
    delayMs(key) {
      const session = sessions.get(key);
      if (session === undefined || clock.monotonic() - session.lastAt >= FORGET_AFTER_MS) return 0;
      const beyond = session.count - FREE_ENDINGS;
      return beyond <= 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (beyond - 1));
    },
  };
}
