/**
 * Until when a credential holds, on both clocks: the wall clock may be stepped, the monotonic one stops while a
 * machine sleeps. Whichever says first that the time has come is believed.
 */

import type { EpochMs, Instant, MonotonicMs } from "../clock.js";

export interface Lifetime {
  readonly expiresAt: EpochMs;
  readonly expiresAtMonotonic: MonotonicMs;
}

export function lifetimeUntil(expiresAt: EpochMs, { now, monotonic }: Instant): Lifetime {
  return { expiresAt, expiresAtMonotonic: (monotonic + (expiresAt - now)) as MonotonicMs };
}

export function isOver({ expiresAt, expiresAtMonotonic }: Lifetime, { now, monotonic }: Instant): boolean {
  return now >= expiresAt || monotonic >= expiresAtMonotonic;
}

/** Milliseconds left, never negative. */
export function remainingMs({ expiresAt, expiresAtMonotonic }: Lifetime, { now, monotonic }: Instant): number {
  return Math.max(0, Math.min(expiresAt - now, expiresAtMonotonic - monotonic));
}
