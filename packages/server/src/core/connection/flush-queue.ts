/** Collects the outboxes that have something to write and flushes them once per turn of the event loop. */

import { readInstant, type Clock } from "../clock.js";
import type { FlushQueue, Outbox } from "./outbox.js";
import { Run } from "./run.js";

export function createFlushQueue(clock: Clock): FlushQueue {
  let waiting: Outbox[] = [];
  let flushing: Outbox[] = [];
  let origin = Run.empty();

  function flushAll(): void {
    const batch = waiting;
    waiting = flushing;
    flushing = batch;
    const now = readInstant(clock);
    for (const outbox of batch) outbox.flush(now);
    batch.length = 0;
    origin = Run.empty();
  }

  return {
    get origin(): Run {
      return origin;
    },
    add(outbox: Outbox): void {
      if (waiting.push(outbox) === 1) clock.endOfTurn(flushAll);
    },
  };
}
