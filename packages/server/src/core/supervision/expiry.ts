/**
 * Sees to it that what is due in the life of each credential happens when it is: one heap of connections by what comes
 * next and one timer for all of them. The timer sleeps at most a second, so a stepped clock or a token of many days
 * cannot fool it.
 */

import { readInstant, type Clock, type Timer } from "../clock.js";
import type { Connection } from "../connection/connection.js";
import { remainingMs } from "../connection/lifetime.js";
import { MAX_SLICE_MS } from "../slice.js";

export interface Expiry<P> {
  /** Also for one that is watched already and has something else due next. */
  watch(connection: Connection<P>): void;
  forget(connection: Connection<P>): void;
  readonly size: number;
}

interface Entry<P> {
  readonly connection: Connection<P>;
  /** As it was when it was placed: the heap's order must not change under it. */
  dueAt: number;
  index: number;
}

const MAX_SLEEP_MS = 1_000;

export function createExpiry<P>(clock: Clock): Expiry<P> {
  const heap: Entry<P>[] = [];
  const entries = new Map<Connection<P>, Entry<P>>();
  let timer: Timer | undefined;
  let wakesAt = Infinity;
  let isAwake = false;

  function place(entry: Entry<P>, index: number): void {
    heap[index] = entry;
    entry.index = index;
  }

  function rise(entry: Entry<P>): void {
    let { index } = entry;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Entry<P>;
      if (parent.dueAt <= entry.dueAt) break;
      place(parent, index);
      index = above;
    }
    place(entry, index);
  }

  function sink(entry: Entry<P>): void {
    let { index } = entry;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && right.dueAt < (heap[below] as Entry<P>).dueAt) below++;
      const child = heap[below] as Entry<P>;
      if (entry.dueAt <= child.dueAt) break;
      place(child, index);
      index = below;
    }
    place(entry, index);
  }

  function settle(entry: Entry<P>): void {
    rise(entry);
    sink(entry);
  }

  function remove(connection: Connection<P>): void {
    const entry = entries.get(connection);
    if (entry === undefined) return;
    entries.delete(connection);
    const last = heap.pop() as Entry<P>;
    if (last === entry) return;
    place(last, entry.index);
    settle(last);
  }

  function arm(): void {
    // Woken, it looks at all that is due before it sleeps again.
    if (isAwake) return;
    const first = heap[0];
    if (first === undefined) {
      timer?.cancel();
      timer = undefined;
      wakesAt = Infinity;
      return;
    }
    const instant = readInstant(clock);
    const delayMs = Math.min(MAX_SLEEP_MS, remainingMs(first.connection.deadline, instant));
    if (timer !== undefined && instant.monotonic + delayMs >= wakesAt) return;
    timer?.cancel();
    wakesAt = instant.monotonic + delayMs;
    timer = clock.after(delayMs, wake);
  }

  function wake(): void {
    timer = undefined;
    wakesAt = Infinity;
    isAwake = true;
    work();
  }

  function work(): void {
    const instant = readInstant(clock);
    // Ten thousand credentials may end in one moment: others have their turn in between. Those that still wait can do
    // nothing meanwhile: what they send, what is sent to them and what waits to be written each ask for the
    // credential's end themselves.
    for (let first = heap[0]; first !== undefined; first = heap[0]) {
      const { connection, dueAt } = first;
      if (remainingMs(connection.deadline, instant) > 0) break;
      connection.due(instant);
      // One that ended was forgotten; one that goes on has something else due next.
      if (entries.get(connection) === first) {
        replace(first);
        if (first.dueAt === dueAt && remainingMs(connection.deadline, instant) === 0) remove(connection);
      }
      // Not by a timer: Node runs those that are due one behind the other before it looks at its sockets again.
      if (clock.monotonic() - instant.monotonic >= MAX_SLICE_MS) return clock.endOfTurn(work);
    }
    isAwake = false;
    arm();
  }

  function replace(entry: Entry<P>): void {
    entry.dueAt = entry.connection.deadline.expiresAt;
    settle(entry);
  }

  return {
    watch(connection) {
      const known = entries.get(connection);
      if (known !== undefined) {
        replace(known);
      } else {
        const entry: Entry<P> = { connection, dueAt: connection.deadline.expiresAt, index: heap.length };
        entries.set(connection, entry);
        heap.push(entry);
        rise(entry);
      }
      arm();
    },
    forget(connection) {
      remove(connection);
      if (heap.length === 0) arm();
    },
    get size() {
      return heap.length;
    },
  };
}
