import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createPacedQueue } from "./paced-queue.js";

/** A queue whose every piece of work takes a millisecond, and what was done. */
function createBusyQueue() {
  const clock = createFakeClock();
  const queue = createPacedQueue(clock);
  const done: number[] = [];
  const add = (piece: number, fail = false): void =>
    queue.add(() => {
      clock.block(1);
      done.push(piece);
      if (fail) throw new Error(`piece ${piece}`);
    });
  return { clock, add, done };
}

describe("a paced queue", () => {
  it("does what comes alone at once, and leaves nothing behind", () => {
    const { clock, add, done } = createBusyQueue();
    for (let piece = 1; piece <= 5; piece++) {
      add(piece);
      clock.block(50);
    }
    expect([done, clock.pendingTurn, clock.pending]).toEqual([[1, 2, 3, 4, 5], 0, 0]);
  });

  it("does a burst in slices of ten milliseconds, in order, one a turn", () => {
    const { clock, add, done } = createBusyQueue();
    for (let piece = 0; piece < 100; piece++) add(piece);
    const counts = [done.length];
    while (clock.pendingTurn > 0) {
      clock.endTurn();
      counts.push(done.length);
    }
    expect(counts).toEqual([2, 12, 22, 32, 42, 52, 62, 72, 82, 92, 100]);
    expect(done).toEqual(Array.from({ length: 100 }, (_, piece) => piece));
  });

  it("puts what comes meanwhile behind what waits, whatever time it is", () => {
    const { clock, add, done } = createBusyQueue();
    for (let piece = 0; piece < 30; piece++) add(piece);
    clock.endTurn();
    clock.block(1_000);
    add(30);
    expect(done).toHaveLength(12);
    while (clock.pendingTurn > 0) clock.endTurn();
    expect(done).toEqual(Array.from({ length: 31 }, (_, piece) => piece));
  });

  it("goes on behind one that fails", () => {
    const { clock, add, done } = createBusyQueue();
    for (let piece = 0; piece < 6; piece++) add(piece, piece === 3);
    expect(() => clock.endTurn()).toThrow("piece 3");
    clock.endTurn();
    expect([done, clock.pendingTurn]).toEqual([[0, 1, 2, 3, 4, 5], 0]);
  });
});
