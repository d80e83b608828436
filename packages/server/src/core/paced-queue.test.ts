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

  describe("with work that comes in pieces", () => {
    function createSharedQueue() {
      const clock = createFakeClock();
      const queue = createPacedQueue(clock);
      const done: string[] = [];
      const add = (name: string, pieces: number): void => {
        let piece = 0;
        queue.add(() => {
          clock.block(1);
          done.push(`${name}${++piece}`);
          return piece < pieces;
        });
      };
      return { clock, add, done };
    }

    it("does the pieces of what comes alone one behind the other", () => {
      const { clock, add, done } = createSharedQueue();
      add("a", 14);
      expect(done).toHaveLength(2);
      clock.endTurn();
      expect(done).toHaveLength(12);
      clock.endTurn();
      expect(done).toEqual(Array.from({ length: 14 }, (_, piece) => `a${piece + 1}`));
      expect(clock.pendingTurn).toBe(0);
    });

    it("lets others have their turn in between", () => {
      const { clock, add, done } = createSharedQueue();
      add("a", 100);
      add("b", 3);
      add("c", 1);
      clock.endTurn();
      expect(done).toEqual(["a1", "a2", "a3", "b1", "c1", "a4", "b2", "a5", "b3", "a6", "a7", "a8"]);
    });

    it("forgets what is done, however long others go on", () => {
      const { clock, add, done } = createSharedQueue();
      add("a", 6_000);
      add("b", 2);
      while (clock.pendingTurn > 0) clock.endTurn();
      expect(done).toHaveLength(6_002);
      expect(done.at(-1)).toBe("a6000");
    });
  });
});
