/** The process's own clocks and timers behind the core's port. */

import type { Clock, EpochMs, MonotonicMs } from "../core/clock.js";

export const systemClock: Clock = {
  now: () => Date.now() as EpochMs,
  monotonic: () => performance.now() as MonotonicMs,
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
