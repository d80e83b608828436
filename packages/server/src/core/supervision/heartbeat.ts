/** Asks every connection once a second what is overdue: one timer for all, none while there are no connections. */

import { readInstant, type Clock, type Timer } from "../clock.js";
import type { Connection } from "../connection/connection.js";

export interface Heartbeat<P> {
  watch(connection: Connection<P>): void;
  forget(connection: Connection<P>): void;
  /** Connections watched: handshaking, open and closing ones. */
  connections(): Iterable<Connection<P>>;
  readonly size: number;
}

const BEAT_MS = 1_000;

export function createHeartbeat<P>(clock: Clock): Heartbeat<P> {
  const watched = new Set<Connection<P>>();
  let timer: Timer | undefined;

  function beat(): void {
    timer = watched.size === 0 ? undefined : clock.after(BEAT_MS, beat);
    const instant = readInstant(clock);
    for (const connection of watched) connection.beat(instant);
  }

  return {
    watch(connection) {
      watched.add(connection);
      timer ??= clock.after(BEAT_MS, beat);
    },
    forget(connection) {
      watched.delete(connection);
      if (watched.size > 0) return;
      timer?.cancel();
      timer = undefined;
    },
    connections: () => watched,
    get size() {
      return watched.size;
    },
  };
}
