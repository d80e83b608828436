/**
 * Work of one kind on very many connections, done in slices: to write a farewell to ten thousand sockets holds the event
 * loop for most of a second, to shut as many gates some tens of milliseconds. A few have theirs done at once.
 */

import type { Clock } from "./clock.js";
import { MAX_SLICE_MS } from "./slice.js";

export interface PacedQueue {
  /** Calls at once while there is little to do; else in the order asked, behind the current turn of the event loop. */
  add(work: () => void): void;
}

/** What may be done at once, before the rest waits. Milliseconds. */
const MAX_DIRECT_MS = 2;
/** From when on it is another burst. Milliseconds. */
const BURST_MS = 20;

export function createPacedQueue(clock: Pick<Clock, "monotonic" | "endOfTurn">): PacedQueue {
  let waiting: (() => void)[] = [];
  let next = 0;
  let burstAt = Number.NEGATIVE_INFINITY;

  function slice(): void {
    const startedAt = clock.monotonic();
    try {
      while (next < waiting.length && clock.monotonic() - startedAt < MAX_SLICE_MS) waiting[next++]?.();
    } finally {
      // Also behind one that failed: it must not keep the others.
      if (next < waiting.length) {
        clock.endOfTurn(slice);
      } else {
        waiting = [];
        next = 0;
      }
    }
  }

  return {
    add(work) {
      if (waiting.length === 0) {
        const now = clock.monotonic();
        if (now - burstAt >= BURST_MS) burstAt = now;
        if (now - burstAt < MAX_DIRECT_MS) return work();
      }
      if (waiting.push(work) === 1) clock.endOfTurn(slice);
    },
  };
}
