/** Asks everything that is watched once a second what is overdue: one timer for all, none while there is nothing. */

import { readInstant, type Clock, type Instant, type Timer } from "../clock.js";

export interface Beating {
  beat(instant: Instant): void;
}

export interface Heartbeat<Watched extends Beating> {
  watch(watched: Watched): void;
  forget(watched: Watched): void;
  /** All that is watched; of connections: handshaking, open and closing ones. */
  watched(): Iterable<Watched>;
  readonly size: number;
}

const BEAT_MS = 1_000;

export function createHeartbeat<Watched extends Beating>(clock: Clock): Heartbeat<Watched> {
  const watched = new Set<Watched>();
  let timer: Timer | undefined;

  function beat(): void {
    timer = watched.size === 0 ? undefined : clock.after(BEAT_MS, beat);
    const instant = readInstant(clock);
    for (const each of watched) each.beat(instant);
  }

  return {
    watch(each) {
      watched.add(each);
      timer ??= clock.after(BEAT_MS, beat);
    },
    forget(each) {
      watched.delete(each);
      if (watched.size > 0) return;
      timer?.cancel();
      timer = undefined;
    },
    watched: () => watched,
    get size() {
      return watched.size;
    },
  };
}
