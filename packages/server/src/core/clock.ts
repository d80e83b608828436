/** Time as the core sees it: a port, because the core has no I/O and tests advance time by hand. */

import type { Brand } from "./ids.js";

/** Milliseconds since 1970, from `Clock.now()` only. */
export type EpochMs = Brand<number, "EpochMs">;
/** Milliseconds on a clock that never steps, from `Clock.monotonic()` only. */
export type MonotonicMs = Brand<number, "MonotonicMs">;

/** One moment on both clocks. Lifetimes count from both, and the one that is further along decides. */
export interface Instant {
  readonly now: EpochMs;
  readonly monotonic: MonotonicMs;
}

export function readInstant(clock: Clock): Instant {
  return clock.instant?.() ?? { now: clock.now(), monotonic: clock.monotonic() };
}

export interface Timer {
  cancel(): void;
}

export interface Clock {
  now(): EpochMs;
  monotonic(): MonotonicMs;
  /** Both at once, where that costs less than one after the other. */
  instant?(): Instant;
  /** Calls once after at least `delayMs` (0 to 2^31-1). Never keeps the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls once after the current turn of the event loop's I/O, in the order asked. */
  endOfTurn(run: () => void): void;
}
