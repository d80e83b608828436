/** What an outbox leaves out for a peer that does not keep up, and what not. */

import { createFakeClock, type FakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { bytes, text } from "../../../test/connection-fixture.js";
import { createOutboxPeer, type OutboxPeer } from "../../../test/outbox-fixture.js";
import { readInstant } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";
import { createFlushQueue } from "./flush-queue.js";

const KIB = 1024;
const icu = "icu" as GroupKey;
const er = "er" as GroupKey;

/** A frame of so many KiB that ends in a word: `....word;`. Of a group if it may make way, or one is named. */
function frame(word: string, kib: number, yields?: Frame["yields"], group = yields && icu): Frame {
  return { bytes: bytes(`${word};`.padStart(kib * KIB, ".")), group, yields };
}

const state = (word: string, kib: number, key: string, group = icu): Frame => frame(word, kib, { key }, group);

interface Slow extends OutboxPeer {
  readonly clock: FakeClock;
  /** Pushes; whether all were taken. */
  push(...frames: readonly Frame[]): boolean;
  turn(): void;
  /** The peer reads everything, and confirms it. */
  read(): void;
  /** The words it was sent since the last time. */
  heard(): string;
}

/** `maxKib`: what its outbox may hold. A gap is said as `-3 icu er;`. */
function createSlow(maxKib = 256, options: Parameters<typeof createOutboxPeer>[2] = {}): Slow {
  const clock = createFakeClock();
  const peer = createOutboxPeer(clock, createFlushQueue(clock), {
    maxBytes: maxKib * KIB,
    gapNotice: (dropped) => ({
      bytes: bytes(`-${[...dropped.values()].reduce((a, b) => a + b, 0)} ${[...dropped.keys()].join(" ")};`),
      group: undefined,
    }),
    ...options,
  });
  let read = 0;
  const turn = (): void => {
    for (let count = 0; count < 20 && clock.pendingTurn > 0; count++) clock.endTurn();
  };
  return {
    ...peer,
    clock,
    turn,
    push: (...frames) => frames.map((each) => peer.outbox.push(each)).every((wasTaken) => wasTaken),
    read() {
      peer.socket.unstall();
      for (let count = 0; count < 20; count++) {
        turn();
        while (peer.socket.confirm());
        clock.advance(500);
        peer.outbox.beat(clock.monotonic());
      }
    },
    heard() {
      const all = text(peer.socket.written);
      const fresh = all.slice(read).replaceAll(".", "");
      read = all.length;
      return fresh;
    },
  };
}

/** One that has something unread, so that nothing more is handed over. */
function stalled(maxKib?: number, options?: Parameters<typeof createOutboxPeer>[2]): Slow {
  const slow = createSlow(maxKib, options);
  slow.socket.stall();
  slow.push(frame("a", 1));
  slow.turn();
  return slow;
}

describe("a peer that keeps up", () => {
  it("is told every state of a thing, and shares its buffers, however much is said in a turn", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const peers = [createOutboxPeer(clock, queue), createOutboxPeer(clock, queue)];
    const said = Array.from({ length: 12 }, (_, index) => state(String(index), 20, "hr"));
    for (const each of said) for (const { outbox } of peers) outbox.push(each);
    for (let count = 0; count < 10; count++) clock.endTurn();
    const [first, second] = peers.map(({ socket }) => socket.writes);
    expect(text(peers[0]?.socket.written ?? new Uint8Array()).replaceAll(".", "")).toBe("0;1;2;3;4;5;6;7;8;9;10;11;");
    expect(first?.map((each, index) => each === second?.[index])).toEqual([true, true, true, true]);
  });
});

describe("a peer that does not keep up", () => {
  it("loses the oldest of what may be dropped, in place of its connection, and is told once how many it lost", () => {
    const slow = stalled();
    for (let index = 0; index < 40; index++) expect(slow.push(frame(`v${index}`, 20, "drop"))).toBe(true);
    expect(slow.outbox.pendingBytes).toBeLessThanOrEqual(256 * KIB);
    expect(slow.heard()).toBe("a;");
    slow.read();
    expect(slow.heard()).toBe("-28 icu;v28;v29;v30;v31;v32;v33;v34;v35;v36;v37;v38;v39;");
    // It keeps up again.
    slow.push(frame("b", 20, "drop"), frame("c", 20, "drop"));
    slow.read();
    expect([slow.heard(), slow.outbox.pendingBytes]).toEqual(["b;c;", 0]);
  });

  it("loses nothing that its group does not let go, and is a slow consumer where that does not fit", () => {
    const slow = stalled(128);
    expect(slow.push(frame("v", 20, "drop"), frame("b", 60), frame("w", 20, "drop"), frame("c", 60))).toBe(true);
    expect([slow.push(frame("d", 20)), slow.push(frame("x", 20, "drop"))]).toEqual([false, false]);
    slow.read();
    expect(slow.heard()).toBe("a;-2 icu;b;c;");
    const other = stalled(128);
    expect(other.push(frame("b", 60), frame("c", 60), frame("v", 20, "drop"))).toBe(false);
    other.read();
    expect(other.heard()).toBe("a;b;c;");
  });

  it("is told the newest state of each thing, in the order of the newest, without a gap", () => {
    const slow = stalled();
    for (let round = 0; round < 40; round++) {
      expect(slow.push(state(`hr${round}`, 20, "hr"), state(`spo${round}`, 10, "spo"))).toBe(true);
      slow.turn();
    }
    expect(slow.outbox.pendingBytes).toBeLessThanOrEqual(100 * KIB);
    slow.push(frame("alarm", 1), state("hr", 1, "hr"));
    slow.read();
    expect(slow.heard()).toBe("a;spo39;alarm;hr;");
  });

  it("is a slow consumer where even the newest states do not fit", () => {
    const slow = stalled(128);
    const things = ["a", "b", "c", "d", "e"];
    expect(things.every((key) => slow.push(state(key, 25, key)))).toBe(true);
    expect(things.every((key) => slow.push(state(`${key}2`, 25, key)))).toBe(true);
    expect(slow.push(state("f", 25, "f"))).toBe(false);
    slow.read();
    expect(slow.heard()).toBe("a;a2;b2;c2;d2;e2;");
  });

  it("hears of the gap where it is, in front of what was kept, and of each once", () => {
    const slow = stalled(128);
    slow.push(frame("b", 30), frame("v", 30, "drop"), frame("w", 30, "drop", er), frame("c", 30), frame("d", 30));
    slow.push(frame("x", 6, "drop"));
    slow.socket.unstall();
    slow.clock.endTurn();
    expect(slow.heard()).toBe("a;-1 icu;b;w;");
    slow.socket.stall();
    slow.read();
    expect(slow.heard()).toBe("c;d;x;");
  });

  it("makes room for the notice, too, from what may be dropped; else it waits for the next batch", () => {
    const slow = stalled(128);
    // Everything there is, to the byte.
    slow.push(
      frame("v", 63, "drop"),
      frame("w", 1, "drop"),
      frame("x", 62, "drop"),
      frame("b", 1),
      frame("y", 63, "drop"),
    );
    expect(slow.outbox.pendingBytes).toBe(128 * KIB);
    slow.read();
    expect(slow.heard()).toBe("a;-2 icu;x;b;y;");
    const firm = stalled(128);
    firm.push(frame("v", 63, "drop"), frame("b", 64), frame("c", 63));
    expect(firm.outbox.pendingBytes).toBe(128 * KIB);
    firm.socket.unstall();
    firm.clock.endTurn();
    expect([firm.heard(), firm.outbox.pendingBytes]).toEqual(["a;b;", 128 * KIB]);
    firm.socket.confirm();
    firm.read();
    expect(firm.heard()).toBe("-1 icu;c;");
  });

  it("is still told where nothing else is left to be written", () => {
    const slow = stalled(128);
    slow.push(frame("b", 64), frame("v", 63, "drop"), frame("c", 63, undefined, er));
    slow.socket.unstall();
    slow.clock.endTurn();
    slow.outbox.evict(er);
    expect(slow.heard()).toBe("a;b;");
    slow.read();
    expect([slow.heard(), slow.outbox.pendingBytes]).toEqual(["-1 icu;", 0]);
  });

  it("loses with a group its frames and what it would be told of them", () => {
    const slow = stalled(128);
    slow.push(frame("v", 60, "drop"), frame("e", 60, "drop", er), frame("w", 60, "drop"), frame("x", 60, "drop", er));
    slow.push(state("hr", 5, "hr"), frame("b", 1));
    expect(slow.outbox.evict(icu)).toBe(2);
    slow.read();
    expect(slow.heard()).toBe("a;-1 er;x;b;");
  });

  it("gives back what it holds, and what it dropped and did not tell, to whoever holds it on", () => {
    const slow = stalled(128);
    slow.push(frame("v", 60, "drop"), frame("w", 60, "drop"), frame("x", 60, "drop"), frame("b", 1));
    expect(slow.outbox.takeBack().map((each) => text(each.bytes).replaceAll(".", ""))).toEqual(["w;", "x;", "b;"]);
    expect([...(slow.outbox.takeDropped() ?? [])]).toEqual([["icu", 1]]);
    expect(slow.outbox.takeDropped()).toBeUndefined();
    slow.push(frame("c", 1));
    slow.read();
    expect(slow.heard()).toBe("a;c;");
  });

  it("is written in its last write what is still held, and no more once it is discarded", () => {
    const slow = stalled(128);
    slow.push(frame("v", 60, "drop"), frame("w", 60, "drop"), frame("x", 60, "drop"));
    expect(text(slow.outbox.drain()).replaceAll(".", "")).toBe("w;x;");
    expect([slow.push(frame("b", 200)), slow.outbox.pendingBytes]).toEqual([true, KIB]);
  });

  it("is answered beside what may make way: that keeps nobody waiting", () => {
    const slow = stalled(128);
    slow.push(frame("v", 60, "drop"), frame("w", 60, "drop"), frame("x", 60, "drop"));
    expect(slow.outbox.room(20 * KIB, slow.clock)).toBeUndefined();
    expect(slow.push(frame("b", 70))).toBe(true);
    expect(slow.outbox.room(20 * KIB, slow.clock)).toBeInstanceOf(Promise);
  });

  it("loses nothing that has a number: whoever counts would count wrong", () => {
    const slow = stalled(128, { keepsAll: true });
    expect(slow.push(frame("v", 60, "drop"), state("hr", 30, "hr"), state("hr2", 30, "hr"))).toBe(true);
    expect(slow.push(frame("w", 60, "drop"))).toBe(false);
    slow.read();
    expect(slow.heard()).toBe("a;v;hr;hr2;");
  });

  it("and reads nothing at all for 30 s is ended for its lag all the same", () => {
    const slow = stalled();
    for (let second = 0; second <= 30; second++) {
      expect(slow.outbox.beat(slow.clock.monotonic())).toBe(true);
      for (let index = 0; index < 20; index++) slow.push(frame("v", 20, "drop"), state("hr", 20, "hr"));
      slow.clock.advance(1_000);
      slow.turn();
    }
    expect(slow.outbox.beat(slow.clock.monotonic())).toBe(false);
  });

  it("holds what is newest while it is on hold, and says it when it is released", () => {
    const slow = createSlow(128);
    slow.outbox.hold(readInstant(slow.clock));
    for (let round = 0; round < 10; round++) slow.push(state(`hr${round}`, 30, "hr"), frame(`v${round}`, 30, "drop"));
    slow.outbox.release();
    slow.read();
    expect(slow.heard()).toBe("-7 icu;v7;v8;hr9;v9;");
  });
});
