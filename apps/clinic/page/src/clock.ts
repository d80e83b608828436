/**
 * Time as the page knows it: monotonic milliseconds since the page was opened. The wall clock of the device may be
 * wrong or be set while the page is open, so no lifetime is ever measured with it.
 */
import { type ReadonlySignal, signal } from "@preact/signals";

export interface Clock {
  /** Milliseconds on a monotonic scale; only differences mean anything. */
  now(): number;
  /** Runs `action` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, action: () => void): () => void;
}

/** Timers take 31 bits of milliseconds; anything longer would fire at once. */
const maxDelayMs = 2 ** 31 - 1;

export const browserClock: Clock = {
  now: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, Math.min(maxDelayMs, Math.max(0, delayMs)));
    return () => clearTimeout(timer);
  },
};

/** The current instant, renewed every `periodMs`: what countdowns and "seconds ago" read. Runs as long as the page. */
export function createTicker(clock: Clock, periodMs = 500): ReadonlySignal<number> {
  const now = signal(clock.now());
  const tick = (): void => {
    now.value = clock.now();
    clock.after(periodMs, tick);
  };
  clock.after(periodMs, tick);
  return now;
}

/** Resolves after `delayMs`. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
