import { createFakeClock, type FakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createOutboxPeer, type OutboxPeer } from "../../../test/outbox-fixture.js";
import { readInstant, type EpochMs } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";
import { createFlushQueue } from "./flush-queue.js";
import { lifetimeUntil } from "./lifetime.js";
import { resolveOutboxOptions } from "./outbox-options.js";

const KIB = 1024;
const icu = "icu" as GroupKey;
const er = "er" as GroupKey;

function frame(length: number, group?: GroupKey): Frame {
  return { bytes: new Uint8Array(length), group };
}

interface Fixture extends OutboxPeer {
  readonly clock: FakeClock;
  /** Ends turns until nothing more is written. */
  settle(): void;
}

function createFixture(limits: Parameters<typeof createOutboxPeer>[2] = {}): Fixture {
  const clock = createFakeClock();
  const peer = createOutboxPeer(clock, createFlushQueue(clock), limits);
  return {
    ...peer,
    clock,
    settle: () => {
      while (clock.pendingTurn > 0) clock.endTurn();
    },
  };
}

describe("an outbox", () => {
  it("hands over at most 64 KiB a turn, whole frames only", () => {
    const { clock, outbox, sizes } = createFixture();
    for (let count = 0; count < 3; count++) outbox.push(frame(40 * KIB));
    outbox.push(frame(24 * KIB));
    outbox.push(frame(1));
    const turns = Array.from({ length: 5 }, () => {
      clock.endTurn();
      return sizes().length;
    });
    expect(sizes()).toEqual([40 * KIB, 40 * KIB, 64 * KIB, 1]);
    expect(turns).toEqual([1, 2, 3, 4, 4]);
  });

  it("hands over a frame that is larger than a batch alone", () => {
    const { outbox, settle, sizes } = createFixture();
    outbox.push(frame(10));
    outbox.push(frame(100 * KIB));
    outbox.push(frame(10));
    settle();
    expect(sizes()).toEqual([10, 100 * KIB, 10]);
  });

  it("hands over nothing while the socket has bytes queued, and goes on when they have left", () => {
    const { outbox, socket, settle, sizes } = createFixture();
    socket.stall();
    outbox.push(frame(1));
    settle();
    for (let count = 0; count < 10; count++) {
      outbox.push(frame(2));
      settle();
    }
    expect(sizes()).toEqual([1]);
    socket.unstall();
    settle();
    expect(sizes()).toEqual([1, 20]);
  });

  it("says when what it handed over has left, or never will", async () => {
    const { outbox, socket, settle, sizes } = createFixture();
    const told: string[] = [];
    const wait = (name: string): Promise<unknown> | undefined => outbox.handedOver()?.then(() => told.push(name));
    expect(outbox.handedOver()).toBeUndefined();
    socket.stall();
    outbox.push(frame(1));
    expect(outbox.handedOver()).toBeUndefined();
    settle();
    const first = [wait("a"), wait("b")];
    outbox.push(frame(2));
    outbox.drained();
    await Promise.resolve();
    expect(told).toEqual([]);
    socket.unstall();
    await Promise.all(first);
    expect([told, sizes()]).toEqual([["a", "b"], [1]]);
    socket.stall();
    settle();
    const last = wait("c");
    outbox.discard();
    await last;
    expect([told, outbox.handedOver()]).toEqual([["a", "b", "c"], undefined]);
  });

  it("tries a socket again that was busy with bytes of others, whose leaving nobody announces", () => {
    const { clock, outbox, socket, settle, sizes } = createFixture();
    let busyBytes = 6;
    Object.defineProperty(socket, "queuedBytes", { get: () => busyBytes });
    outbox.push(frame(3));
    settle();
    busyBytes = 0;
    settle();
    expect(sizes()).toEqual([]);
    outbox.beat(clock.monotonic());
    settle();
    expect(sizes()).toEqual([3]);
  });

  it("hands over nothing while 256 KiB are unconfirmed", () => {
    const { outbox, socket, settle, sizes } = createFixture();
    for (let count = 0; count < 10; count++) outbox.push(frame(64 * KIB));
    settle();
    expect(sizes()).toEqual([64 * KIB, 64 * KIB, 64 * KIB, 64 * KIB]);
    expect(outbox.pendingBytes).toBe(640 * KIB);
    // The first request was made when the first batch had left: it confirms that one.
    socket.confirm();
    settle();
    expect(sizes()).toHaveLength(5);
    expect(outbox.pendingBytes).toBe(576 * KIB);
    // The next was made as soon as the first was answered, for all four.
    socket.confirm();
    settle();
    expect(sizes()).toHaveLength(8);
  });

  it("asks for a confirmation after 64 KiB, and for one at a time", () => {
    const { outbox, socket, settle } = createFixture();
    outbox.push(frame(64 * KIB - 1));
    settle();
    expect(socket.confirmationRequests).toBe(0);
    outbox.push(frame(1));
    settle();
    expect(socket.confirmationRequests).toBe(1);
    outbox.push(frame(64 * KIB));
    settle();
    expect(socket.confirmationRequests).toBe(1);
    socket.confirm();
    expect(socket.confirmationRequests).toBe(2);
    socket.confirm();
    expect([socket.confirmationRequests, outbox.pendingBytes]).toEqual([2, 0]);
  });

  it("asks for a confirmation of a single byte after 5 s, and not again for what is confirmed", () => {
    const { clock, outbox, socket, settle } = createFixture();
    const beat = (ms: number): boolean => {
      clock.advance(ms);
      return outbox.beat(clock.monotonic());
    };
    beat(60_000);
    expect(socket.confirmationRequests).toBe(0);
    outbox.push(frame(1));
    settle();
    beat(4_999);
    expect(socket.confirmationRequests).toBe(0);
    beat(1);
    expect(socket.confirmationRequests).toBe(1);
    socket.confirm();
    expect(beat(60_000)).toBe(true);
    expect(socket.confirmationRequests).toBe(1);
  });

  it("a pong nobody asked for confirms nothing", () => {
    const { clock, outbox, settle } = createFixture();
    outbox.push(frame(1000));
    settle();
    outbox.confirmed(clock.monotonic());
    expect(outbox.pendingBytes).toBe(1000);
  });

  it("counts held, queued and unconfirmed bytes against the cap, to the byte", () => {
    const { outbox, socket, settle } = createFixture({ maxBytes: 4 * KIB });
    expect(outbox.push(frame(KIB))).toBe(true);
    settle();
    socket.stall();
    expect(outbox.push(frame(KIB))).toBe(true);
    settle();
    expect(outbox.push(frame(2 * KIB))).toBe(true);
    expect(outbox.push(frame(1))).toBe(false);
    expect(outbox.pendingBytes).toBe(4 * KIB);
  });

  it("refuses a single frame beyond the cap even when it is empty", () => {
    const { outbox } = createFixture({ maxBytes: 4 * KIB });
    expect(outbox.push(frame(4 * KIB + 1))).toBe(false);
    expect(outbox.push(frame(4 * KIB))).toBe(true);
  });

  it("finds a peer that lags by the age of its oldest unconfirmed byte, whatever it confirmed before", () => {
    const { clock, outbox, socket, settle } = createFixture({ maxLagMs: 30_000 });
    outbox.push(frame(64 * KIB));
    settle();
    clock.advance(20_000);
    outbox.push(frame(64 * KIB));
    settle();
    // Confirms the first batch only: the oldest unconfirmed byte is now as old as that request at most.
    socket.confirm();
    clock.advance(30_000 - 20_000);
    expect(outbox.beat(clock.monotonic())).toBe(true);
    clock.advance(1);
    expect(outbox.beat(clock.monotonic())).toBe(false);
  });

  it("a peer that is always a little behind never lags while it confirms in time", () => {
    const { clock, outbox, socket, settle } = createFixture({ maxLagMs: 2_000 });
    outbox.push(frame(64 * KIB));
    settle();
    for (let round = 0; round < 50; round++) {
      outbox.push(frame(64 * KIB));
      settle();
      clock.advance(900);
      expect(outbox.beat(clock.monotonic())).toBe(true);
      socket.confirm();
      expect(outbox.pendingBytes).toBe(64 * KIB);
    }
  });

  it("does not take later bytes for a sign of life: the oldest keeps its age", () => {
    const { clock, outbox, settle } = createFixture({ maxLagMs: 30_000 });
    const verdicts = Array.from({ length: 32 }, () => {
      outbox.push(frame(1));
      settle();
      clock.advance(1_000);
      return outbox.beat(clock.monotonic());
    });
    expect(verdicts.indexOf(false)).toBe(30);
  });

  it("a peer that confirms in time never lags, however much it is sent", () => {
    const { clock, outbox, socket, settle } = createFixture({ maxLagMs: 1_000 });
    for (let round = 0; round < 50; round++) {
      expect(outbox.push(frame(64 * KIB))).toBe(true);
      settle();
      clock.advance(900);
      expect(outbox.beat(clock.monotonic())).toBe(true);
      while (socket.confirm()) settle();
    }
    expect(outbox.pendingBytes).toBe(0);
  });

  it.each<[string, (clock: FakeClock) => void, number[]]>([
    ["is not over by either clock", (clock) => clock.block(59_999), [1]],
    ["is over", (clock) => clock.block(60_000), []],
    ["is over by the wall clock alone", (clock) => clock.stepWallClock(60_000), []],
    ["is over by the monotonic clock alone", (clock) => (clock.stepWallClock(-3_600_000), clock.block(60_000)), []],
  ])("looks at the credential before it writes, also in a loop that ran no timer: it %s", (_, letTimePass, written) => {
    const { clock, outbox, expiries, sizes, settle } = createFixture({ livesMs: 60_000 });
    outbox.push(frame(1));
    letTimePass(clock);
    settle();
    expect(sizes()).toEqual(written);
    expect(expiries()).toBe(written.length === 0 ? 1 : 0);
  });

  it("takes one group's frames out of everything not handed over, and leaves the rest in order", () => {
    const { outbox, socket, settle } = createFixture();
    const marked = (mark: number, length: number, group?: GroupKey): Frame => ({
      bytes: new Uint8Array(length).fill(mark),
      group,
    });
    socket.stall();
    outbox.push(marked(1, 10, icu));
    settle();
    outbox.push(marked(2, 60 * KIB, icu));
    outbox.push(marked(3, 10, er));
    outbox.push(marked(4, 60 * KIB, icu));
    outbox.push(marked(5, 10));
    outbox.push(marked(6, 64 * KIB, icu));
    outbox.push(marked(7, 10, icu));
    outbox.push(marked(8, 10, er));
    outbox.evict(icu);
    expect(outbox.pendingBytes).toBe(10 + 30);
    socket.unstall();
    settle();
    const marks = socket.writes.map((bytes) => [...new Set(bytes)]);
    expect(marks.every(({ length }) => length > 0)).toBe(true);
    // What was handed over before stays handed over.
    expect(marks.flat()).toEqual([1, 3, 5, 8]);
    outbox.evict(icu);
    outbox.push(marked(9, 10, icu));
    settle();
    expect([...new Set(socket.writes.at(-1))]).toEqual([9]);
  });

  it("an eviction for one connection takes nothing from another that shares its frames", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const [first, second] = [createOutboxPeer(clock, queue), createOutboxPeer(clock, queue)];
    const shared = { bytes: Uint8Array.of(1), group: icu };
    const other = { bytes: Uint8Array.of(2), group: undefined };
    for (const { outbox } of [first, second]) for (const each of [shared, other]) outbox.push(each);
    first.outbox.evict(icu);
    clock.endTurn();
    expect([first, second].map(({ socket }) => [...socket.written])).toEqual([[2], [1, 2]]);
  });

  it("gives back what was not handed over, in order and beyond one batch, and goes on with what comes then", () => {
    const { clock, outbox, socket, settle, sizes } = createFixture();
    outbox.push(frame(1));
    settle();
    socket.stall();
    const unwritten = [frame(2, icu), frame(60 * KIB), frame(50 * KIB, er), frame(3)];
    for (const each of unwritten) outbox.push(each);
    const back = outbox.takeBack();
    expect(back).toHaveLength(4);
    expect(back.every((each, index) => each === unwritten[index])).toBe(true);
    expect([outbox.pendingBytes, outbox.takeBack()]).toEqual([1, []]);
    socket.unstall();
    settle();
    outbox.push(frame(4));
    clock.endTurn();
    expect(sizes()).toEqual([1, 4]);
  });

  it("taking back for one connection takes nothing from another that shares its frames", () => {
    const clock = createFakeClock();
    const queue = createFlushQueue(clock);
    const [one, other] = [createOutboxPeer(clock, queue), createOutboxPeer(clock, queue)];
    const shared = [frame(1), frame(2)];
    for (const each of shared) for (const { outbox } of [one, other]) outbox.push(each);
    one.outbox.takeBack();
    clock.endTurn();
    expect([one.sizes(), other.sizes()]).toEqual([[], [3]]);
  });

  it("lets those go on who wait for room when what was in their way is taken back", async () => {
    const { clock, outbox, socket } = createFixture({ maxBytes: 1_024 });
    socket.stall();
    outbox.push(frame(1_000));
    const room = outbox.room(100, clock);
    expect(room).toBeInstanceOf(Promise);
    outbox.takeBack();
    await room;
    expect(outbox.room(100, clock)).toBeUndefined();
  });

  it("writes by the lifetime it was renewed with: a later one, none, or one that is over", () => {
    const { clock, outbox, expiries, sizes } = createFixture({ livesMs: 1_000 });
    const write = (length: number): void => {
      outbox.push(frame(length));
      clock.endTurn();
    };
    clock.block(1_000);
    write(1);
    expect([expiries(), sizes()]).toEqual([1, []]);
    outbox.takeBack();
    outbox.renew(undefined);
    write(2);
    expect([expiries(), sizes()]).toEqual([1, [2]]);
    outbox.renew(lifetimeUntil((clock.now() + 1_000) as EpochMs, readInstant(clock)));
    write(3);
    clock.block(1_000);
    write(4);
    expect([expiries(), sizes()]).toEqual([2, [2, 3]]);
  });

  it("drops what is held when it is discarded, says how much, and takes no more", () => {
    const { outbox, socket, clock, settle } = createFixture();
    outbox.push(frame(10));
    settle();
    outbox.push(frame(20));
    expect(outbox.discard()).toBe(20);
    expect(outbox.push(frame(5))).toBe(true);
    outbox.keepAlive(Uint8Array.of(1), clock.monotonic() + 60_000, 1);
    settle();
    expect(socket.writes).toHaveLength(1);
    expect(outbox.discard()).toBe(0);
  });

  it("returns what is held for the last write, in order, beyond one batch too", () => {
    const { outbox, socket, settle } = createFixture();
    socket.stall();
    outbox.push(frame(1));
    settle();
    const parts = [60 * KIB, 60 * KIB, 3].map((length, index) => new Uint8Array(length).fill(index + 1));
    for (const bytes of parts) outbox.push({ bytes, group: undefined });
    const last = outbox.drain();
    expect(Buffer.compare(last, Buffer.concat(parts))).toBe(0);
    socket.unstall();
    settle();
    expect(socket.writes).toHaveLength(1);
    expect(outbox.drain()).toHaveLength(0);
  });

  it("keeps an idle peer alive, but says nothing extra to one it has just spoken to or that lags", () => {
    const { clock, outbox, socket, settle, sizes } = createFixture();
    const beat = (ms: number): void => {
      clock.advance(ms);
      outbox.keepAlive(new Uint8Array(7), clock.monotonic(), 15_000);
    };
    beat(14_999);
    expect(sizes()).toEqual([]);
    beat(1);
    beat(14_999);
    expect(sizes()).toEqual([7]);
    outbox.push(frame(3));
    settle();
    beat(14_999);
    expect(sizes()).toEqual([7, 3]);
    socket.stall();
    beat(1);
    beat(15_000);
    outbox.push(frame(3));
    beat(15_000);
    expect(sizes()).toEqual([7, 3, 7]);
    // Keep-alive bytes are nobody's to confirm.
    expect(outbox.pendingBytes).toBe(6);
  });

  it("lets no keep-alive overtake what waits for confirmations", () => {
    const { clock, outbox, settle, sizes } = createFixture();
    for (let count = 0; count < 5; count++) outbox.push(frame(64 * KIB));
    settle();
    clock.advance(60_000);
    outbox.keepAlive(new Uint8Array(7), clock.monotonic(), 15_000);
    expect(sizes()).toEqual(Array.from({ length: 4 }, () => 64 * KIB));
  });

  it.each<[string, (fixture: Fixture) => void, boolean]>([
    ["that was never asked to confirm anything", () => undefined, true],
    [
      "with bytes stuck in its socket",
      ({ socket, outbox, settle }) => (socket.stall(), outbox.push(frame(1)), settle()),
      false,
    ],
    [
      "whose kernel took what is not yet known to have left",
      ({ socket, outbox, settle }) => {
        socket.stall();
        outbox.push(frame(1));
        settle();
        Object.defineProperty(socket, "isStuck", { value: false });
      },
      true,
    ],
    [
      "whose confirmation is open for less than 5 s",
      ({ clock, outbox, settle }) => (outbox.push(frame(64 * KIB)), settle(), clock.advance(4_999)),
      true,
    ],
    [
      "whose confirmation is overdue",
      ({ clock, outbox, settle }) => (outbox.push(frame(64 * KIB)), settle(), clock.advance(5_000)),
      false,
    ],
    [
      "that has confirmed",
      ({ clock, outbox, socket, settle }) => (
        outbox.push(frame(64 * KIB)),
        settle(),
        socket.confirm(),
        clock.advance(60_000)
      ),
      true,
    ],
  ])("a peer %s counts as answering: see the table", (_, arrange, expected) => {
    const fixture = createFixture();
    arrange(fixture);
    expect(fixture.outbox.isAnswering(fixture.clock.monotonic())).toBe(expected);
  });
});

describe("outbox options", () => {
  it("default to 1 MiB and 30 s, and leave the caller's object alone", () => {
    expect(resolveOutboxOptions()).toEqual({ maxBytes: 1024 * KIB, maxLagMs: 30_000, maxHeldBytes: 256 * KIB });
    const options = Object.freeze({ maxBytes: undefined, maxLagMs: 1_000 });
    expect(resolveOutboxOptions(options)).toEqual({ maxBytes: 1024 * KIB, maxLagMs: 1_000, maxHeldBytes: 256 * KIB });
    expect(resolveOutboxOptions({ maxBytes: 2048 })).toMatchObject({ maxHeldBytes: 2048 });
  });

  it.each([
    { maxBytes: 1023 },
    { maxBytes: 2000.5 },
    { maxBytes: Number.NaN },
    { maxLagMs: 999 },
    { maxLagMs: Infinity },
    { maxHeldBytes: -1 },
    { maxHeldBytes: 0.5 },
    { maxBytes: 2048, maxHeldBytes: 2049 },
  ])("refuse %o", (options) => {
    expect(() => resolveOutboxOptions(options)).toThrow(RangeError);
  });
});
