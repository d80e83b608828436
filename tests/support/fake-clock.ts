/** Time by hand, for a server on real sockets: timers run when the test says so, turns of the event loop are real. */

import type { Clock, EpochMs, MonotonicMs } from "@hubward/server/ports";

export interface FakeClock extends Clock {
  /** Moves both clocks on and runs the timers that become due, in order. */
  advance(ms: number): void;
  /** Moves both clocks on and runs nothing: what a blocked event loop or a sleeping machine looks like. */
  jump(ms: number): void;
  /** Timers that wait, by their delay when they were armed. */
  readonly pending: readonly number[];
}

interface FakeTimer {
  readonly dueAt: number;
  readonly delayMs: number;
  readonly run: () => void;
}

/** A whole second, so that a token's claims and the clock agree to the millisecond. */
const START = Date.UTC(2030, 0, 1);

export function createFakeClock(): FakeClock {
  let elapsed = 0;
  let timers: FakeTimer[] = [];

  return {
    now: () => (START + elapsed) as EpochMs,
    monotonic: () => elapsed as MonotonicMs,
    after(delayMs, run) {
      const timer = { dueAt: elapsed + delayMs, delayMs, run };
      timers.push(timer);
      return { cancel: () => (timers = timers.filter((other) => other !== timer)) };
    },
    endOfTurn: (run) => void setImmediate(run),
    advance(ms) {
      const until = elapsed + ms;
      for (;;) {
        const due = timers.filter(({ dueAt }) => dueAt <= until);
        const next = due.reduce<FakeTimer | undefined>(
          (first, timer) => (first !== undefined && first.dueAt <= timer.dueAt ? first : timer),
          undefined,
        );
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        elapsed = Math.max(elapsed, next.dueAt);
        next.run();
      }
      elapsed = until;
    },
    jump(ms) {
      elapsed += ms;
    },
    get pending() {
      return timers.map(({ delayMs }) => delayMs);
    },
  };
}
