/**
 * Asks about every connection once in an interval: one timer, and each connection in a place of its own on a wheel, so
 * that those who came together are not asked about together.
 */

import type { Clock, Timer } from "../clock.js";
import type { Connection } from "../connection/connection.js";

export interface RecheckSchedule<P> {
  watch(connection: Connection<P>): void;
  forget(connection: Connection<P>): void;
  readonly size: number;
}

/** How often the wheel turns, where the interval is not shorter. */
const TURN_MS = 1_000;

/** @param recheck called for each connection once in `everyMs` milliseconds; must not throw */
export function createRecheckSchedule<P>(
  clock: Pick<Clock, "after">,
  everyMs: number,
  recheck: (connection: Connection<P>) => void,
): RecheckSchedule<P> {
  const count = Math.max(1, Math.floor(everyMs / TURN_MS));
  const places = Array.from({ length: count }, () => new Set<Connection<P>>());
  const placeOf = new Map<Connection<P>, Set<Connection<P>>>();
  let timer: Timer | undefined;
  let at = 0;
  let assigned = 0;

  function turn(): void {
    timer = clock.after(everyMs / count, turn);
    at = (at + 1) % count;
    for (const connection of Array.from(places[at] ?? [])) recheck(connection);
  }

  return {
    watch(connection) {
      // One behind the other round the wheel: as even as it can be, whenever they come.
      const place = places[assigned++ % count] as Set<Connection<P>>;
      place.add(connection);
      placeOf.set(connection, place);
      timer ??= clock.after(everyMs / count, turn);
    },
    forget(connection) {
      placeOf.get(connection)?.delete(connection);
      placeOf.delete(connection);
      if (placeOf.size > 0) return;
      timer?.cancel();
      timer = undefined;
    },
    get size() {
      return placeOf.size;
    },
  };
}
