/** A clock that stands still until a test moves it. Only tests import this file. */
import type { Clock } from "./clock.js";

export interface FakeClock extends Clock {
  /** Moves time forward, runs what falls due in order, and lets promises settle after each step. */
  advance(ms: number): Promise<void>;
  /** Timers that are still armed. */
  readonly armed: number;
}

interface Timer {
  readonly dueAt: number;
  readonly action: () => void;
}

export function createFakeClock(): FakeClock {
  let now = 1_000;
  const timers = new Set<Timer>();

  const nextDue = (until: number): Timer | undefined =>
    [...timers].filter(({ dueAt }) => dueAt <= until).sort((a, b) => a.dueAt - b.dueAt)[0];

  return {
    now: () => now,
    after(delayMs, action) {
      const timer: Timer = { dueAt: now + delayMs, action };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (let due = nextDue(until); due !== undefined; due = nextDue(until)) {
        timers.delete(due);
        now = due.dueAt;
        due.action();
        await settle();
      }
      now = until;
    },
    get armed() {
      return timers.size;
    },
  };
}

/** Lets every promise that can settle now do so: a macrotask runs only when no microtask is left. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

declare function setImmediate(action: () => void): unknown;
