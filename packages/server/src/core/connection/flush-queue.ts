/**
 * Collects the outboxes that have something to write and flushes them once per turn of the event loop. Writing
 * gets at most a quarter of the loop's time: after a long flush the next one waits, frames gather meanwhile, and
 * one write carries more of them. A light load never waits.
 */

import { readInstant, type Clock } from "../clock.js";
import type { FlushQueue, Outbox } from "./outbox.js";
import { Run } from "./run.js";

/** A flush shorter than this is followed by the next one at once. */
const LONG_FLUSH_MS = 1;
/** Rest after a long flush, as a multiple of what it took. */
const REST_FACTOR = 3;
/** Longest rest: what pacing may add to a frame's way. */
const MAX_REST_MS = 10;

/** A flush of thousands takes long enough for credentials to end in its middle: every so many it looks at the clock. */
const LOOK_EVERY = 16;

export function createFlushQueue(clock: Clock): FlushQueue {
  let waiting: Outbox[] = [];
  let flushing: Outbox[] = [];
  let origin = Run.empty();
  let restsUntil = 0;

  function schedule(): void {
    const restMs = restsUntil === 0 ? 0 : restsUntil - clock.monotonic();
    if (restMs > 0) clock.after(restMs, flushAll);
    else clock.endOfTurn(flushAll);
  }

  function flushAll(): void {
    const batch = waiting;
    waiting = flushing;
    flushing = batch;
    const start = readInstant(clock);
    let instant = start;
    for (const [index, outbox] of batch.entries()) {
      if (index % LOOK_EVERY === LOOK_EVERY - 1) instant = readInstant(clock);
      outbox.flush(instant);
    }
    batch.length = 0;
    origin = Run.empty();
    const end = clock.monotonic();
    const tookMs = end - start.monotonic;
    restsUntil = tookMs < LONG_FLUSH_MS ? 0 : end + Math.min(MAX_REST_MS, tookMs * REST_FACTOR);
  }

  return {
    get origin(): Run {
      return origin;
    },
    add(outbox: Outbox): void {
      if (waiting.push(outbox) === 1) schedule();
    },
  };
}
