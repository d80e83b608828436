import { createFakeClock, MemorySocket, type FakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { bytes, text } from "../../../test/connection-fixture.js";
import { nobody } from "../../../test/outbox-fixture.js";
import { readInstant, type EpochMs } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";
import { createFlushQueue } from "./flush-queue.js";
import type { EndingEvent } from "./lifecycle.js";
import { lifetimeUntil } from "./lifetime.js";
import { Outbox } from "./outbox.js";
import { outboxDefaults } from "./outbox-options.js";
import { ReplayOutbox } from "./replay-outbox.js";

const icu = "icu" as GroupKey;
const frame = (words: string, group?: GroupKey): Frame => ({ bytes: bytes(words), group });

interface Bench {
  readonly clock: FakeClock;
  readonly outbox: ReplayOutbox;
  /** Why it said that the connection cannot go on. */
  readonly ends: EndingEvent[];
  /** A new transport, and what was written to it. */
  attach(opening?: string): MemorySocket;
}

function createBench(maxReplayBytes = 1_000, maxBytes = 1_024): Bench {
  const clock = createFakeClock();
  const queue = createFlushQueue(clock);
  const ends: EndingEvent[] = [];
  const outbox = new ReplayOutbox(
    { maxBytes, maxReplayBytes },
    {
      apply: (event) => void ends.push(event),
      gapNotice: (dropped) => frame(`-${[...dropped.values()].reduce((sum, count) => sum + count)} `),
    },
  );
  return {
    clock,
    outbox,
    ends,
    attach(opening = "") {
      const socket = new MemorySocket();
      const instant = readInstant(clock);
      const lifetime = lifetimeUntil((clock.now() + 3_600_000) as EpochMs, instant);
      const transport = new Outbox(socket, queue, outboxDefaults, lifetime, instant.monotonic, nobody);
      expect(outbox.attach(transport, bytes(opening), instant)).toBe(true);
      return socket;
    },
  };
}

const said = (socket: MemorySocket): string => text(socket.written);

describe("an outbox that replays", () => {
  it("writes what it is given, and again over the next transport what was not acknowledged, behind the opening", () => {
    const { clock, outbox, attach } = createBench();
    const first = attach("hello ");
    for (const words of ["a ", "b ", "c "]) outbox.push(frame(words));
    clock.endTurn();
    expect(said(first)).toBe("hello a b c ");
    outbox.acknowledge(1, clock.monotonic());
    outbox.detach();
    outbox.push(frame("d "));
    const second = attach(`from ${outbox.sequenceId}: `);
    outbox.push(frame("e "));
    clock.endTurn();
    expect([said(second), outbox.unacknowledgedCount]).toEqual(["from 2: b c d e ", 4]);
    outbox.acknowledge(5, clock.monotonic());
    outbox.detach();
    const third = attach(`from ${outbox.sequenceId}: `);
    clock.endTurn();
    expect(said(third)).toBe("from 6: ");
  });

  it("sends again what the last transport never wrote", () => {
    const { clock, outbox, attach } = createBench();
    const first = attach();
    outbox.push(frame("a "));
    outbox.detach();
    clock.endTurn();
    expect(first.writes).toEqual([]);
    const second = attach();
    clock.endTurn();
    expect(said(second)).toBe("a ");
  });

  it("holds events back beyond its bound until others are acknowledged, whatever is read, and keeps no more than that", () => {
    const { clock, outbox, attach } = createBench(4, 100);
    const socket = attach();
    for (const words of ["aa", "bb", "cc", "dd"]) outbox.push(frame(words));
    clock.endTurn();
    expect([said(socket), outbox.keptBytes]).toEqual(["aabb", 8]);
    expect(outbox.acknowledge(1, clock.monotonic())).toBe(true);
    clock.endTurn();
    expect([said(socket), outbox.keptBytes]).toEqual(["aabbcc", 6]);
  });

  it.each([
    ["that reads but never acknowledges", true],
    ["that has no transport", false],
  ])("finds a slow consumer in one %s, and never keeps more than both bounds", (_, isAttached) => {
    const { clock, outbox, attach } = createBench(100, 1_024);
    const socket = isAttached ? attach() : undefined;
    let taken = 0;
    while (outbox.push(frame("0123456789"))) {
      taken++;
      clock.endTurn();
      while (socket?.confirm() === true);
      expect(outbox.keptBytes).toBeLessThanOrEqual(100 + 1_024);
    }
    expect(taken).toBe(isAttached ? 112 : 102);
  });

  it("gives up a peer that acknowledges what it does not read", () => {
    const { clock, outbox, attach } = createBench(100, 64 * 1_024);
    attach().stall();
    let taken = 0;
    while (outbox.push(frame("x".repeat(1_000)))) {
      outbox.acknowledge(Number.MAX_SAFE_INTEGER, clock.monotonic());
      clock.endTurn();
      taken++;
      expect(outbox.keptBytes).toBe(0);
    }
    expect(taken * 1_000).toBeLessThanOrEqual(outboxDefaults.maxBytes);
  });

  it("says what is not numbered at once, and not at all without a transport", () => {
    const { clock, outbox, attach } = createBench();
    expect(outbox.control(bytes("ack"))).toBe(true);
    const socket = attach();
    outbox.control(bytes("ack"));
    clock.endTurn();
    expect([said(socket), outbox.unacknowledgedCount]).toEqual(["ack", 0]);
  });

  it("hands over everything for the last write of a close, and takes no more", () => {
    const { clock, outbox, attach } = createBench(2);
    const socket = attach();
    for (const words of ["aa", "bb", "cc"]) outbox.push(frame(words));
    expect(text(outbox.drain())).toBe("aabbcc");
    expect([outbox.push(frame("late")), outbox.keptBytes]).toEqual([true, 0]);
    clock.endTurn();
    expect(said(socket)).toBe("");
  });

  it("takes a group's frames back before they are written, and numbers the others as if they had never been", () => {
    const { clock, outbox, attach, ends } = createBench();
    const socket = attach();
    outbox.push(frame("a "));
    outbox.push(frame("I ", icu));
    outbox.push(frame("b "));
    outbox.evict(icu);
    clock.endTurn();
    expect([said(socket), outbox.mayReplay, outbox.unacknowledgedCount, ends]).toEqual(["a b ", true, 2, []]);
  });

  it("may not replay a group's frames that were written, until they are acknowledged", () => {
    const { clock, outbox, attach } = createBench();
    attach();
    outbox.push(frame("I ", icu));
    clock.endTurn();
    outbox.evict(icu);
    expect(outbox.mayReplay).toBe(false);
    outbox.acknowledge(1, clock.monotonic());
    expect(outbox.mayReplay).toBe(true);
  });

  it("forgets a group's frames that came without a transport, and may go on", () => {
    const { clock, outbox, attach } = createBench(4);
    attach();
    outbox.push(frame("aaaa"));
    clock.endTurn();
    outbox.detach();
    outbox.push(frame("I ", icu));
    expect(outbox.evict(icu)).toBe(1);
    expect(outbox.mayReplay).toBe(true);
    const socket = attach();
    outbox.acknowledge(1, clock.monotonic());
    clock.endTurn();
    expect(said(socket)).toBe("aaaa");
  });

  it("says so when a replay is cut into: the peer would count wrong", () => {
    const { clock, outbox, attach, ends } = createBench();
    attach();
    outbox.push(frame("I ", icu));
    outbox.push(frame("a "));
    clock.endTurn();
    outbox.detach();
    const socket = attach();
    outbox.evict(icu);
    clock.endTurn();
    expect([ends, said(socket)]).toEqual([[{ type: "aborted", reason: "not_found" }], "a "]);
  });

  it("keeps what it says again until that was read, whatever is acknowledged meanwhile: a stock client counts there", () => {
    const { clock, outbox, attach } = createBench();
    attach();
    outbox.push(frame("a "));
    outbox.push(frame("b "));
    clock.endTurn();
    outbox.detach();
    const second = attach();
    clock.endTurn();
    // Sent before the cut, or a moment after it: nobody can tell.
    outbox.acknowledge(2, clock.monotonic());
    expect([outbox.sequenceId, second.openConfirmations]).toEqual([1, 1]);
    second.listen({
      received: () => undefined,
      confirmed: () => outbox.confirmed(clock.monotonic()),
      drained: () => undefined,
      failed: () => undefined,
      closed: () => undefined,
    });
    second.confirm();
    expect([outbox.sequenceId, outbox.keptBytes]).toEqual([3, 0]);
  });

  it("believes an acknowledgement of what only this transport carried, and of everything once the replay was read", () => {
    const { clock, outbox, attach } = createBench();
    attach();
    outbox.push(frame("a "));
    clock.endTurn();
    outbox.detach();
    attach();
    outbox.push(frame("b "));
    clock.endTurn();
    outbox.acknowledge(2, clock.monotonic());
    expect([outbox.sequenceId, outbox.keptBytes]).toEqual([3, 0]);
  });

  it("asks once a second for the confirmation that an early acknowledgement waits for", () => {
    const { clock, outbox, attach } = createBench();
    attach();
    outbox.push(frame("a "));
    clock.endTurn();
    outbox.detach();
    const second = attach();
    // Nothing was written yet: there is nothing to confirm.
    outbox.acknowledge(1, clock.monotonic());
    expect(second.openConfirmations).toBe(0);
    clock.endTurn();
    outbox.beat(clock.monotonic());
    expect([second.openConfirmations, outbox.sequenceId]).toEqual([1, 1]);
  });

  it("goes on with what waited when the frames in its way are taken out: nothing is left to be acknowledged", () => {
    const { clock, outbox, attach } = createBench(4);
    const socket = attach();
    outbox.push(frame("IIII", icu));
    outbox.push(frame("a"));
    outbox.evict(icu);
    clock.endTurn();
    expect([said(socket), outbox.unacknowledgedCount]).toEqual(["a", 1]);
  });

  it("takes back what was not written, but not what has no number: that is still said", () => {
    const { clock, outbox, attach, ends } = createBench(4);
    const socket = attach("hello ");
    outbox.push(frame("aa"));
    clock.endTurn();
    outbox.control(bytes("ack "));
    for (const words of ["bb", "cc"]) outbox.push(frame(words));
    expect(outbox.takeBack()?.map(({ bytes: taken }) => text(taken))).toEqual(["bb", "cc"]);
    clock.endTurn();
    expect([said(socket), outbox.unacknowledgedCount, outbox.mayReplay, ends]).toEqual(["hello aaack ", 1, false, []]);
  });

  it("takes back what waits without a transport", () => {
    const { outbox, attach } = createBench();
    attach();
    outbox.detach();
    outbox.push(frame("a"));
    // Sent, as far as anybody counts, were only frames that a transport took.
    expect([outbox.takeBack()?.length, outbox.keptBytes, outbox.mayReplay]).toEqual([1, 0, true]);
  });

  it("says nothing of what a peer acknowledged before it was written: taken back, it cannot go on", () => {
    const { clock, outbox, attach } = createBench();
    const socket = attach();
    outbox.push(frame("a "));
    outbox.acknowledge(7, clock.monotonic());
    expect(outbox.takeBack()).toBeUndefined();
    clock.endTurn();
    expect(said(socket)).toBe("");
  });

  it("lets those go on who wait for room behind what is taken back", async () => {
    const { clock, outbox, attach } = createBench(2);
    attach();
    for (const words of ["aa", "bb"]) outbox.push(frame(words));
    const room = outbox.room(2, clock);
    expect(room).toBeInstanceOf(Promise);
    outbox.takeBack();
    await room;
    expect(outbox.room(2, clock)).toBeUndefined();
  });
});

describe("an outbox that replays to a peer that does not keep up", () => {
  const yielding = (words: string, yields: Frame["yields"], group = icu): Frame => ({ ...frame(words, group), yields });
  const vitals = (words: string): Frame => yielding(words, "drop");
  const state = (words: string): Frame => yielding(words, { key: "hr" });

  it("drops of what waits, never of what has a number, and tells where it is missing, with a number", () => {
    const { clock, outbox, attach } = createBench(8, 12);
    const socket = attach();
    for (const index of [1, 2, 3, 4, 5, 6, 7]) expect(outbox.push(vitals(`v${index} `))).toBe(true);
    clock.endTurn();
    expect(said(socket)).toBe("v1 v2 ");
    expect(outbox.push(frame("alarm "))).toBe(true);
    outbox.acknowledge(2, clock.monotonic());
    clock.endTurn();
    expect(said(socket)).toBe("v1 v2 -3 v6 ");
    expect(outbox.sequenceId).toBe(3);
    outbox.acknowledge(4, clock.monotonic());
    clock.endTurn();
    expect(said(socket)).toBe("v1 v2 -3 v6 v7 ");
    outbox.acknowledge(5, clock.monotonic());
    clock.endTurn();
    expect([said(socket), outbox.sequenceId, outbox.unacknowledgedCount]).toEqual(["v1 v2 -3 v6 v7 alarm ", 6, 1]);
  });

  it("keeps the newest state of a thing while there is no transport, and says it over the next one", () => {
    const { clock, outbox, attach } = createBench(1_000, 12);
    const first = attach();
    outbox.push(state("h1 "));
    clock.endTurn();
    outbox.detach();
    for (let index = 2; index < 100; index++) expect(outbox.push(state(`h${index} `))).toBe(true);
    for (const index of [1, 2, 3, 4]) outbox.push(vitals(`v${index} `));
    const second = attach("again: ");
    clock.endTurn();
    expect([said(first), said(second)]).toEqual(["h1 ", "again: h1 -2 h99 v3 v4 "]);
  });

  it("is a slow consumer where what may not go does not fit", () => {
    const { outbox, attach } = createBench(3, 12);
    attach();
    for (const words of ["a ", "12345 ", "v "]) outbox.push(words === "v " ? vitals(words) : frame(words));
    expect([outbox.push(frame("56789 ")), outbox.push(frame("b "))]).toEqual([true, false]);
  });

  it("loses with a group what it would be told of it, and gives the rest to whoever holds it on", () => {
    const { outbox } = createBench(3, 6);
    for (const index of [1, 2, 3, 4]) outbox.push(vitals(`v${index} `));
    outbox.push(yielding("e1 ", "drop", "er" as GroupKey));
    outbox.push(yielding("e2 ", "drop", "er" as GroupKey));
    outbox.push(yielding("e3 ", "drop", "er" as GroupKey));
    outbox.evict(icu);
    expect(outbox.takeBack()?.map((each) => text(each.bytes))).toEqual(["e2 ", "e3 "]);
    expect([...(outbox.takeDropped() ?? [])]).toEqual([["er", 1]]);
  });

  it("answers beside what may make way, and says when there is room for more", async () => {
    const { clock, outbox, attach } = createBench(3, 12);
    attach();
    for (const index of [1, 2, 3]) outbox.push(vitals(`v${index} `));
    expect(outbox.room(3, clock)).toBeUndefined();
    outbox.push(frame("a "));
    const room = outbox.room(3, clock);
    expect(room).toBeInstanceOf(Promise);
    for (let sequenceId = 1; sequenceId < 5; sequenceId++) outbox.acknowledge(sequenceId, clock.monotonic());
    await room;
    expect(outbox.room(3, clock)).toBeUndefined();
  });
});
