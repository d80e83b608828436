/** Remembers for a while which ids have come already, so that what may happen once happens once. */

import { readInstant, type Clock, type Instant } from "../../core/clock.js";

export interface SeenIdsOptions {
  readonly clock: Clock;
  /** Ids held at once. Count. */
  readonly maxIds: number;
  /**
   * What gives way when all of them are still to be remembered: the oldest id, where a repetition does little harm, or
   * the new one, where it would.
   */
  readonly whenFull: "forget-oldest" | "refuse";
}

export interface SeenIds {
  has(id: string): boolean;
  /** Remembers an id that is not there for this many milliseconds. False when there is no room for it. */
  add(id: string, forMs: number): boolean;
  /** Ids held at present, some of them perhaps over. */
  readonly size: number;
}

/** An id is over when its time has passed on both clocks: a wall clock that is set forward forgets nothing early. */
export function createSeenIds({ clock, maxIds, whenFull }: SeenIdsOptions): SeenIds {
  const until = new Map<string, Instant>(); // oldest first
  /** Looking through all of them before this finds nothing that is over. */
  let firstOverAt = Infinity;

  const isOver = (end: Instant, at: Instant): boolean => at.now >= end.now && at.monotonic >= end.monotonic;

  function forgetOver(at: Instant): void {
    if (at.monotonic < firstOverAt) return;
    firstOverAt = Infinity;
    for (const [id, end] of until) {
      if (isOver(end, at)) until.delete(id);
      else firstOverAt = Math.min(firstOverAt, Math.max(end.monotonic, at.monotonic + 1000));
    }
  }

  return {
    has(id) {
      const end = until.get(id);
      return end !== undefined && !isOver(end, readInstant(clock));
    },
    add(id, forMs) {
      const at = readInstant(clock);
      until.delete(id);
      if (until.size >= maxIds) forgetOver(at);
      if (until.size >= maxIds) {
        if (whenFull === "refuse") return false;
        const [oldest] = until.keys();
        if (oldest !== undefined) until.delete(oldest);
      }
      const end = { now: at.now + forMs, monotonic: at.monotonic + forMs } as Instant;
      until.set(id, end);
      firstOverAt = Math.min(firstOverAt, end.monotonic);
      return true;
    },
    get size() {
      return until.size;
    },
  };
}
