/** The process's own clocks and timers behind the core's port. */

import type { Clock, EpochMs, MonotonicMs } from "../core/clock.js";

/**
 * How old a reading of the wall clock may be. Milliseconds: its own grain. Every message asks several times, and asking
 * the kernel is a good part of what a message costs; that the clock was stepped is seen a millisecond later at most.
 */
const GRAIN_MS = 1;

let wallAt = Number.NEGATIVE_INFINITY;
let wall = 0 as EpochMs;

/** The global is looked up by a getter of Node's, each time. */
const steady = performance;

export const systemClock: Clock = {
  now: () => Date.now() as EpochMs,
  monotonic: () => steady.now() as MonotonicMs,
  instant() {
    const monotonic = steady.now() as MonotonicMs;
    if (!(monotonic - wallAt < GRAIN_MS)) {
      wall = Date.now() as EpochMs;
      wallAt = monotonic;
    }
    return { now: wall, monotonic };
  },
  after(delayMs, run) {
    // Node fires at once for anything beyond 2^31-1 ms.
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), 2 ** 31 - 1));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  endOfTurn(run) {
    setImmediate(run);
  },
};
