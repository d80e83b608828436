/** Real time, so many times as fast: for what takes minutes on the server and depends on somebody else's real timeout. */

import type { Clock, EpochMs, MonotonicMs } from "@hubward/server/ports";

/** @param pace 1 is the system's own time */
export function createSwiftClock(pace: number): Clock {
  const startedAt = Date.now();
  const elapsed = (since: number): number => (performance.now() - since) * pace;
  const since = performance.now();
  return {
    now: () => Math.floor(startedAt + elapsed(since)) as EpochMs,
    monotonic: () => elapsed(since) as MonotonicMs,
    after(delayMs, run) {
      const timer = setTimeout(run, Math.max(0, delayMs) / pace);
      timer.unref();
      return { cancel: () => clearTimeout(timer) };
    },
    endOfTurn: (run) => void setImmediate(run),
  };
}
