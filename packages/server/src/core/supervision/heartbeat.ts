/** Asks everything that is watched once a second what is overdue: one timer for all, none while there is nothing. */

import { readInstant, type Clock, type Instant, type Timer } from "../clock.js";
import { MAX_SLICE_MS } from "../slice.js";

export interface Beating {
  beat(instant: Instant): void;
}

export interface Heartbeat<Watched extends Beating> {
  watch(watched: Watched): void;
  forget(watched: Watched): void;
  readonly size: number;
}

const BEAT_MS = 1_000;

export function createHeartbeat<Watched extends Beating>(clock: Clock): Heartbeat<Watched> {
  const watched = new Set<Watched>();
  let timer: Timer | undefined;
  /** Of a round that was interrupted: those that are still to be asked. */
  let rest: Iterator<Watched> | undefined;

  function beat(): void {
    // First, so that what is watched meanwhile finds a timer.
    timer = watched.size === 0 ? undefined : clock.after(BEAT_MS, beat);
    ask(rest ?? watched.values());
  }

  function ask(round: Iterator<Watched>): void {
    rest = undefined;
    const instant = readInstant(clock);
    for (let each = round.next(); each.done !== true; each = round.next()) {
      each.value.beat(instant);
      // What makes thousands overdue at once (a network that is gone, a clock that was stepped) ends them all.
      if (clock.monotonic() - instant.monotonic < MAX_SLICE_MS) continue;
      rest = round;
      return clock.endOfTurn(goOn);
    }
  }

  function goOn(): void {
    if (rest !== undefined) ask(rest);
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
      rest = undefined;
    },
    get size() {
      return watched.size;
    },
  };
}
