import { createFakeClock, type FakeClock } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOutboxPeer, type OutboxPeer } from "../../../test/outbox-fixture.js";
import { readInstant } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import type { Frame } from "../publication.js";
import { createFlushQueue } from "./flush-queue.js";

const KIB = 1024;
const icu = "icu" as GroupKey;

function frame(length: number, group?: GroupKey): Frame {
  return { bytes: new Uint8Array(length), group };
}

interface Fixture extends OutboxPeer {
  readonly clock: FakeClock;
  hold(): void;
  roomFor(length: number): Promise<void> | undefined;
  settle(): void;
}

function createFixture(limits: Parameters<typeof createOutboxPeer>[2] = {}): Fixture {
  const clock = createFakeClock();
  const peer = createOutboxPeer(clock, createFlushQueue(clock), limits);
  return {
    ...peer,
    clock,
    roomFor: (length) => peer.outbox.room(length, clock),
    hold: () => peer.outbox.hold(readInstant(clock)),
    settle: () => {
      while (clock.pendingTurn > 0) clock.endTurn();
    },
  };
}

/** Whether a promise has settled once everything that is due has run. */
async function hasSettled(promise: Promise<void> | undefined): Promise<boolean> {
  let isSettled = promise === undefined;
  void promise?.then(() => (isSettled = true));
  await new Promise((resolve) => setImmediate(resolve));
  return isSettled;
}

describe("an outbox on hold", () => {
  it("writes what was queued before, at once, and nothing more until it is let go", () => {
    const { outbox, hold, settle, sizes } = createFixture();
    outbox.push(frame(10));
    hold();
    expect(sizes()).toEqual([10]);
    outbox.push(frame(20));
    settle();
    outbox.confirmed(0);
    outbox.drained();
    settle();
    expect(sizes()).toEqual([10]);
    outbox.release();
    settle();
    expect(sizes()).toEqual([10, 20]);
  });

  it("still says that it is alive", () => {
    const { outbox, hold, clock, sizes } = createFixture();
    hold();
    outbox.push(frame(20));
    clock.advance(15_000);
    outbox.keepAlive(new Uint8Array(3), clock.monotonic(), 15_000);
    expect(sizes()).toEqual([3]);
  });

  it("notices that the credential has ended before it writes what was queued", () => {
    const { outbox, hold, clock, expiries, sizes } = createFixture({ livesMs: 1_000 });
    outbox.push(frame(10));
    clock.block(1_000);
    hold();
    expect([expiries(), sizes()]).toEqual([1, []]);
  });
});

describe("room in an outbox", () => {
  it("is there while less than a batch is held, and again when a batch has left", async () => {
    const { outbox, settle, roomFor } = createFixture();
    outbox.push(frame(64 * KIB - 1));
    expect(roomFor(0)).toBeUndefined();
    outbox.push(frame(1));
    const room = roomFor(0);
    expect(await hasSettled(room)).toBe(false);
    settle();
    expect(await hasSettled(room)).toBe(true);
    expect(roomFor(0)).toBeUndefined();
  });

  it("waits for confirmations where a frame would make the peer a slow consumer, though nothing is held", async () => {
    const { outbox, socket, settle, roomFor } = createFixture();
    outbox.push(frame(900 * KIB));
    settle();
    const room = roomFor(900 * KIB);
    expect(await hasSettled(room)).toBe(false);
    socket.confirm();
    expect(await hasSettled(room)).toBe(true);
    expect(roomFor(900 * KIB)).toBeUndefined();
    expect(outbox.push(frame(900 * KIB))).toBe(true);
  });

  it("is there when a group's frames were taken out", async () => {
    const { outbox, socket, roomFor } = createFixture();
    socket.stall();
    outbox.push(frame(100 * KIB, icu));
    const room = roomFor(0);
    outbox.evict(icu);
    expect(await hasSettled(room)).toBe(true);
  });

  it.each<[string, (outbox: Fixture["outbox"]) => unknown]>([
    ["discarded", (outbox) => outbox.discard()],
    ["drained for good", (outbox) => outbox.drain()],
  ])("is not waited for any more in one that was %s", async (_, end) => {
    const { outbox, roomFor } = createFixture();
    outbox.push(frame(100 * KIB));
    const room = roomFor(0);
    end(outbox);
    expect(await hasSettled(room)).toBe(true);
    expect(roomFor(1 << 30)).toBeUndefined();
  });
});

describe("an outbox whose peer is held back", () => {
  it("goes on as far as the kernel takes it: the confirmations stand behind what we do not read", async () => {
    const { outbox, socket, settle, sizes, roomFor } = createFixture();
    for (let count = 0; count < 6; count++) {
      outbox.push(frame(64 * KIB));
      settle();
    }
    expect(sizes()).toHaveLength(4);
    const room = roomFor(0);
    outbox.deafen();
    settle();
    expect(sizes()).toHaveLength(6);
    expect(await hasSettled(room)).toBe(true);
    expect(socket.isEnded).toBe(false);
  });

  it("gives room to a frame that waits for confirmations, though nothing is held", async () => {
    const { outbox, settle, roomFor } = createFixture();
    outbox.push(frame(900 * KIB));
    settle();
    const room = roomFor(900 * KIB);
    outbox.deafen();
    expect(await hasSettled(room)).toBe(true);
    expect(roomFor(900 * KIB)).toBeUndefined();
  });

  it("stops where the kernel stops, and goes on where it goes on", () => {
    const { outbox, socket, settle, sizes } = createFixture();
    outbox.deafen();
    socket.stall();
    for (let count = 0; count < 6; count++) {
      outbox.push(frame(64 * KIB));
      settle();
    }
    expect(sizes()).toHaveLength(1);
    socket.unstall();
    settle();
    expect(sizes()).toHaveLength(6);
  });

  it("counts as lagging when the kernel has taken nothing for too long", () => {
    const { outbox, socket, clock, settle } = createFixture({ maxLagMs: 30_000 });
    outbox.deafen();
    socket.stall();
    outbox.push(frame(10));
    settle();
    clock.advance(30_000);
    expect(outbox.beat(clock.monotonic())).toBe(true);
    clock.advance(1);
    expect(outbox.beat(clock.monotonic())).toBe(false);
  });

  it("does not lag by confirmations, and a late one takes nothing back", () => {
    const { outbox, socket, clock, settle } = createFixture({ maxLagMs: 30_000 });
    for (let count = 0; count < 4; count++) {
      outbox.push(frame(64 * KIB));
      settle();
    }
    outbox.deafen();
    outbox.push(frame(1));
    settle();
    clock.advance(60_000);
    expect(outbox.beat(clock.monotonic())).toBe(true);
    outbox.hear(clock.monotonic());
    const pending = outbox.pendingBytes;
    socket.confirm();
    expect(outbox.pendingBytes).toBeLessThanOrEqual(pending);
  });
});

type Act =
  | { readonly do: "produce"; readonly length: number; readonly group: GroupKey | undefined }
  | { readonly do: "turn" | "stall" | "unstall" | "confirm" | "deafen" | "hear" | "hold" | "release" | "evict" };

const acts: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    do: fc.constant("produce" as const),
    length: fc.constantFrom(0, 1, 30 * KIB, 64 * KIB, 100 * KIB, 200 * KIB, 256 * KIB),
    group: fc.constantFrom(icu, undefined),
  }),
  fc.record({
    do: fc.constantFrom(
      ...(["turn", "turn", "stall", "unstall", "confirm", "deafen", "hear", "hold", "release", "evict"] as const),
    ),
  }),
);

describe("those who ask for room first", () => {
  it("never make their peer a slow consumer, and all get through to one that reads, in any sequence of events", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(acts, { maxLength: 60 }), async (sequence) => {
        const { outbox, socket, clock, hold, settle, roomFor } = createFixture({ maxBytes: 256 * KIB });
        let waiting = 0;
        let refused = 0;
        const produce = async ({ bytes, group }: Frame): Promise<void> => {
          waiting++;
          for (let room = roomFor(bytes.length); room !== undefined; room = roomFor(bytes.length)) await room;
          waiting--;
          if (!outbox.push({ bytes, group })) refused++;
        };
        const run: Record<Exclude<Act["do"], "produce">, () => unknown> = {
          turn: () => clock.endTurn(),
          stall: () => socket.stall(),
          unstall: () => socket.unstall(),
          confirm: () => socket.confirm(),
          deafen: () => outbox.deafen(),
          hear: () => outbox.hear(clock.monotonic()),
          hold,
          release: () => outbox.release(),
          evict: () => outbox.evict(icu),
        };
        for (const act of sequence) {
          if (act.do === "produce") void produce(frame(act.length, act.group));
          else run[act.do]();
          await Promise.resolve();
        }
        outbox.release();
        socket.unstall();
        for (let round = 0; round < 200 && waiting > 0; round++) {
          settle();
          socket.confirm();
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect([waiting, refused]).toEqual([0, 0]);
      }),
      { numRuns: 150 },
    );
  });
});
