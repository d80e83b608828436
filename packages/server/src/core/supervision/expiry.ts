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
  /** Undefined once it was forgotten: the entry stays where it is until it comes first, or until most are like it. */
  connection: Connection<P> | undefined;
  /** As it was when it was placed: the heap's order must not change under it. */
  readonly dueAt: number;
}

const MAX_SLEEP_MS = 1_000;
/** Forgotten entries that are not worth a look at all others. */
const MIN_FORGOTTEN = 64;

export function createExpiry<P>(clock: Clock): Expiry<P> {
  let heap: Entry<P>[] = [];
  const entries = new Map<Connection<P>, Entry<P>>();
  let timer: Timer | undefined;
  let wakesAt = Infinity;
  let isAwake = false;

  function rise(entry: Entry<P>, from: number): void {
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Entry<P>;
      if (parent.dueAt <= entry.dueAt) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = entry;
  }

  function sink(entry: Entry<P>, from: number): void {
    let index = from;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && right.dueAt < (heap[below] as Entry<P>).dueAt) below++;
      const child = heap[below] as Entry<P>;
      if (entry.dueAt <= child.dueAt) break;
      heap[index] = child;
      index = below;
    }
    heap[index] = entry;
  }

  function add(connection: Connection<P>): void {
    const entry: Entry<P> = { connection, dueAt: connection.deadline.expiresAt };
    entries.set(connection, entry);
    heap.push(entry);
    rise(entry, heap.length - 1);
  }

  /** Finding its place would cost more than all the rest of an end: very many may end in one moment. */
  function empty(entry: Entry<P>): void {
    entries.delete(entry.connection as Connection<P>);
    entry.connection = undefined;
  }

  /** What comes next, of those that are still watched. */
  function first(): Entry<P> | undefined {
    let entry = heap[0];
    while (entry !== undefined && entry.connection === undefined) {
      const last = heap.pop() as Entry<P>;
      if (heap.length > 0) sink(last, 0);
      entry = heap[0];
    }
    return entry;
  }

  function sweep(): void {
    if (heap.length - entries.size <= Math.max(MIN_FORGOTTEN, entries.size)) return;
    heap = Array.from(entries.values());
    for (let index = heap.length >> 1; index-- > 0;) sink(heap[index] as Entry<P>, index);
  }

  function arm(): void {
    // Woken, it looks at all that is due before it sleeps again.
    if (isAwake) return;
    const connection = first()?.connection;
    if (connection === undefined) {
      timer?.cancel();
      timer = undefined;
      wakesAt = Infinity;
      return;
    }
    const instant = readInstant(clock);
    const delayMs = Math.min(MAX_SLEEP_MS, remainingMs(connection.deadline, instant));
    if (timer !== undefined && instant.monotonic + delayMs >= wakesAt) return;
    timer?.cancel();
    wakesAt = instant.monotonic + delayMs;
    timer = clock.after(delayMs, wake);
  }

  function wake(): void {
    timer = undefined;
    wakesAt = Infinity;
    isAwake = true;
    sweep();
    work();
  }

  function work(): void {
    const instant = readInstant(clock);
    // Ten thousand credentials may end in one moment: others have their turn in between. Those that still wait can do
    // nothing meanwhile: what they send, what is sent to them and what waits to be written each ask for the
    // credential's end themselves.
    for (let entry = first(); entry !== undefined; entry = first()) {
      const { connection, dueAt } = entry;
      if (connection === undefined || remainingMs(connection.deadline, instant) > 0) break;
      connection.due(instant);
      // One that ended was forgotten; one that goes on has something else due next.
      if (entry.connection !== undefined) {
        empty(entry);
        const { deadline } = connection;
        if (deadline.expiresAt !== dueAt || remainingMs(deadline, instant) > 0) add(connection);
      }
      // Not by a timer: Node runs those that are due one behind the other before it looks at its sockets again.
      if (clock.monotonic() - instant.monotonic >= MAX_SLICE_MS) return clock.endOfTurn(work);
    }
    isAwake = false;
    arm();
  }

  return {
    watch(connection) {
      const known = entries.get(connection);
      if (known?.dueAt !== connection.deadline.expiresAt) {
        if (known !== undefined) empty(known);
        add(connection);
      }
      arm();
    },
    forget(connection) {
      const known = entries.get(connection);
      if (known === undefined) return;
      empty(known);
      if (entries.size > 0) return;
      heap = [];
      arm();
    },
    get size() {
      return entries.size;
    },
  };
}
