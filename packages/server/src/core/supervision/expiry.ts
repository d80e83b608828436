/**
 * Ends credentials when their time comes: one heap of connections by expiry and one timer for all of them.
 * The timer sleeps at most a second, so a stepped clock or a token of many days cannot fool it.
 */

import { readInstant, type Clock, type Timer } from "../clock.js";
import type { Connection } from "../connection/connection.js";
import { remainingMs } from "../connection/lifetime.js";

export interface Expiry<P> {
  watch(connection: Connection<P>): void;
  forget(connection: Connection<P>): void;
  readonly size: number;
}

const MAX_SLEEP_MS = 1_000;

export function createExpiry<P>(clock: Clock): Expiry<P> {
  const heap: Connection<P>[] = [];
  const positions = new Map<Connection<P>, number>();
  let timer: Timer | undefined;
  let wakesAt = Infinity;

  const dueAt = (connection: Connection<P>): number => connection.lifetime.expiresAt;

  function place(connection: Connection<P>, index: number): void {
    heap[index] = connection;
    positions.set(connection, index);
  }

  function rise(connection: Connection<P>, from: number): void {
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Connection<P>;
      if (dueAt(parent) <= dueAt(connection)) break;
      place(parent, index);
      index = above;
    }
    place(connection, index);
  }

  function sink(connection: Connection<P>, from: number): void {
    let index = from;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && dueAt(right) < dueAt(heap[below] as Connection<P>)) below++;
      const child = heap[below] as Connection<P>;
      if (dueAt(connection) <= dueAt(child)) break;
      place(child, index);
      index = below;
    }
    place(connection, index);
  }

  function remove(connection: Connection<P>): void {
    const index = positions.get(connection);
    if (index === undefined) return;
    positions.delete(connection);
    const last = heap.pop() as Connection<P>;
    if (last === connection) return;
    rise(last, index);
    sink(last, positions.get(last) as number);
  }

  function arm(): void {
    const first = heap[0];
    if (first === undefined) {
      timer?.cancel();
      timer = undefined;
      wakesAt = Infinity;
      return;
    }
    const instant = readInstant(clock);
    const delayMs = Math.min(MAX_SLEEP_MS, remainingMs(first.lifetime, instant));
    if (timer !== undefined && instant.monotonic + delayMs >= wakesAt) return;
    timer?.cancel();
    wakesAt = instant.monotonic + delayMs;
    timer = clock.after(delayMs, wake);
  }

  function wake(): void {
    timer = undefined;
    wakesAt = Infinity;
    const instant = readInstant(clock);
    for (let first = heap[0]; first !== undefined; first = heap[0]) {
      if (remainingMs(first.lifetime, instant) > 0) break;
      remove(first);
      first.apply({ type: "expiry-due" });
    }
    arm();
  }

  return {
    watch(connection) {
      if (positions.has(connection)) return;
      heap.push(connection);
      rise(connection, heap.length - 1);
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
