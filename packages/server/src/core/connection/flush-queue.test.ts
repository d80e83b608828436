import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createOutboxPeer, slowDown, type OutboxPeer } from "../../../test/outbox-fixture.js";
import type { Frame } from "../publication.js";
import { createFlushQueue } from "./flush-queue.js";

function frame(...bytes: number[]): Frame {
  return { bytes: Uint8Array.from(bytes), group: undefined };
}

function repeat(count: number, create: () => OutboxPeer): OutboxPeer[] {
  return Array.from({ length: count }, create);
}

describe("the flush queue", () => {
  it("writes once per turn for each connection that has something to say, in the order they first had", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const order: number[] = [];
    const peers = repeat(3, () => createOutboxPeer(clock, queue)).map(({ outbox, socket }, index) => {
      const write = socket.write.bind(socket);
      socket.write = (bytes) => {
        order.push(index);
        write(bytes);
      };
      return { outbox, socket };
    });
    for (const index of [2, 0, 2, 0]) peers[index]?.outbox.push(frame(index));
    expect(clock.pendingTurn).toBe(1);
    expect(order).toEqual([]);
    clock.endTurn();
    expect(order).toEqual([2, 0]);
    expect(clock.pendingTurn).toBe(0);
    clock.endTurn();
    expect(order).toEqual([2, 0]);
  });

  it("gives connections with identical queues the very same buffer, and another to one that differs", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const peers = repeat(100, () => createOutboxPeer(clock, queue));
    const [first, second, extra] = [frame(1), frame(2), frame(3)];
    for (const { outbox } of peers) outbox.push(first);
    peers[7]?.outbox.push(extra);
    for (const { outbox } of peers) outbox.push(second);
    clock.endTurn();
    const buffers = new Set(peers.filter((_, index) => index !== 7).map(({ socket }) => socket.writes[0]));
    expect(buffers.size).toBe(1);
    expect([...([...buffers][0] ?? [])]).toEqual([1, 2]);
    expect([...(peers[7]?.socket.writes[0] ?? [])]).toEqual([1, 3, 2]);
  });

  it("shares again in the next turn, but no bytes of the turn before", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const peers = repeat(2, () => createOutboxPeer(clock, queue));
    const repeated = frame(1);
    const last = frame(2);
    for (let turn = 0; turn < 3; turn++) {
      const { origin } = queue;
      for (const { outbox } of peers) {
        outbox.push(repeated);
        outbox.push(last);
      }
      clock.endTurn();
      // What was joined for a turn is not kept beyond it.
      expect(queue.origin).not.toBe(origin);
    }
    const [a, b] = peers.map(({ socket }) => socket.writes);
    expect(a?.map((bytes) => [...bytes])).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    for (const [index, bytes] of (a ?? []).entries()) expect(b?.[index]).toBe(bytes);
  });

  it("what is said while it flushes leaves with the next turn", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const talker = createOutboxPeer(clock, queue);
    const listener = createOutboxPeer(clock, queue);
    const write = talker.socket.write.bind(talker.socket);
    talker.socket.write = (bytes) => {
      write(bytes);
      if (talker.socket.writes.length === 1) for (const { outbox } of [talker, listener]) outbox.push(frame(9));
    };
    talker.outbox.push(frame(1));
    clock.endTurn();
    expect([talker.socket.writes.length, listener.socket.writes.length]).toEqual([1, 0]);
    clock.endTurn();
    expect([talker, listener].map(({ socket }) => socket.writes.map((bytes) => [...bytes]))).toEqual([
      [[1], [9]],
      [[9]],
    ]);
  });

  it("looks at the clock while it writes: what a credential's end has overtaken stays", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const peers = repeat(200, () => createOutboxPeer(clock, queue, { livesMs: 100 }));
    for (const { outbox, socket } of peers) {
      slowDown(socket, clock, 1);
      outbox.push(frame(1));
    }
    clock.endTurn();
    const written = peers.filter(({ socket }) => socket.writes.length > 0).length;
    expect(written).toBeGreaterThanOrEqual(100);
    expect(written).toBeLessThan(116);
    expect(peers.filter(({ expiries }) => expiries() === 1)).toHaveLength(200 - written);
  });

  /** How long after `tookMs` of writing the next frame leaves; undefined when it left with the very next turn. */
  function restAfter(tookMs: number): number | undefined {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const peer = createOutboxPeer(clock, queue);
    slowDown(peer.socket, clock, tookMs);
    peer.outbox.push(frame(1));
    clock.endTurn();
    peer.outbox.push(frame(2));
    clock.endTurn();
    if (peer.socket.writes.length === 2) return undefined;
    for (let ms = 0.25; ms <= 100; ms += 0.25) {
      clock.advance(0.25);
      clock.endTurn();
      if (peer.socket.writes.length === 2) return ms;
    }
    throw new RangeError("the frame never left");
  }

  it.each([
    [0, undefined],
    [0.5, undefined],
    [1, 3],
    [2, 6],
    [50, 10],
  ])("after a flush of %d ms the next one waits %d ms", (tookMs, expected) => {
    expect(restAfter(tookMs)).toBe(expected);
  });

  it("a rest that is over costs nothing", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const peer = createOutboxPeer(clock, queue);
    slowDown(peer.socket, clock, 2);
    peer.outbox.push(frame(1));
    clock.endTurn();
    clock.advance(6);
    peer.outbox.push(frame(2));
    clock.endTurn();
    expect(peer.socket.writes).toHaveLength(2);
  });
});
