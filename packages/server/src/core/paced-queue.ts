/**
 * Work of one kind for very many connections, done in slices: to write a farewell to ten thousand sockets holds the event
 * loop for most of a second, to shut as many gates some tens of milliseconds. A few have theirs done at once.
 */

import type { Clock } from "./clock.js";
import { MAX_SLICE_MS } from "./slice.js";

/** A piece of work. True: there is more of it, to be done when those that wait have had their turn. */
export type PacedWork = () => boolean | void;

export interface PacedQueue {
  /** Calls at once while there is little to do; else in the order asked, behind the current turn of the event loop. */
  add(work: PacedWork): void;
}

/** What may be done at once, before the rest waits. Milliseconds. */
const MAX_DIRECT_MS = 2;
/** From when on it is another burst. Milliseconds. */
const BURST_MS = 20;
/** Places of work that is done, at the front, before they are given back. */
const MAX_DONE = 1_024;

export function createPacedQueue(clock: Pick<Clock, "monotonic" | "endOfTurn">): PacedQueue {
  let waiting: PacedWork[] = [];
  let next = 0;
  let burstAt = Number.NEGATIVE_INFINITY;

  function slice(): void {
    const startedAt = clock.monotonic();
    try {
      while (next < waiting.length && clock.monotonic() - startedAt < MAX_SLICE_MS) {
        const work = waiting[next++] as PacedWork;
        if (work() === true) waiting.push(work);
      }
    } finally {
      // Also behind one that failed: it must not keep the others.
      if (next === waiting.length || next > MAX_DONE) {
        waiting = waiting.slice(next);
        next = 0;
      }
      if (waiting.length > 0) clock.endOfTurn(slice);
    }
  }

  return {
    add(work) {
      let isMore = true;
      if (waiting.length === 0) {
        let now = clock.monotonic();
        if (now - burstAt >= BURST_MS) burstAt = now;
        for (; isMore && now - burstAt < MAX_DIRECT_MS; now = clock.monotonic()) isMore = work() === true;
      }
      if (isMore && waiting.push(work) === 1) clock.endOfTurn(slice);
    },
  };
}
