import { createFakeClock } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFixture, type Fixture, type Peer } from "../../../test/connection-fixture.js";
import { createExpiry, type Expiry } from "./expiry.js";
import type { Staff } from "../../../test/connection-fixture.js";

const DAY_MS = 86_400_000;

function watched(lives: readonly number[]): { fixture: Fixture; expiry: Expiry<Staff>; peers: readonly Peer[] } {
  const fixture = createFixture();
  const expiry = createExpiry<Staff>(fixture.clock);
  const peers = lives.map((livesMs) => fixture.connect({ livesMs }));
  for (const { connection } of peers) expiry.watch(connection);
  return { fixture, expiry, peers };
}

function active(peers: readonly Peer[]): boolean[] {
  return peers.map(({ connection }) => connection.isActive);
}

describe("the watch on expiry", () => {
  it("ends a token of 30 days at its very millisecond, not at once as setTimeout would", () => {
    const { fixture, expiry, peers } = watched([30 * DAY_MS]);
    fixture.clock.advance(DAY_MS);
    expect(active(peers)).toEqual([true]);
    fixture.clock.advance(29 * DAY_MS - 1);
    expect(active(peers)).toEqual([true]);
    fixture.clock.advance(1);
    expect(active(peers)).toEqual([false]);
    expect([expiry.size, fixture.clock.pending]).toEqual([0, 0]);
  });

  it("ends all of one instant in one go, and only those", () => {
    const { fixture, expiry, peers } = watched([...Array.from({ length: 200 }, () => 60_000), 60_001, 59_999]);
    fixture.clock.advance(59_999);
    expect(active(peers).filter((isActive) => !isActive)).toHaveLength(1);
    fixture.clock.advance(1);
    expect(active(peers).filter((isActive) => isActive)).toHaveLength(1);
    expect(expiry.size).toBe(1);
    for (const { socket } of peers.slice(0, 200)) expect(socket.closed?.code).toBe(4401);
  });

  it("ends very many in slices, so that others have their turn in between", () => {
    const fixture = createFixture();
    const { clock } = fixture;
    let spentMs = 0;
    const slices: number[] = [];
    const peers = Array.from({ length: 100 }, () => fixture.connect({ livesMs: 60_000 }));
    const expiry = createExpiry<Staff>({
      now: () => clock.now(),
      // Each look at the clock: a millisecond's work.
      monotonic: () => (clock.monotonic() + spentMs++) as ReturnType<typeof clock.monotonic>,
      endOfTurn: (run) => clock.endOfTurn(run),
      after: (delayMs, run) =>
        clock.after(delayMs, () => {
          const before = expiry.size;
          run();
          if (expiry.size < before) slices.push(before - expiry.size);
        }),
    });
    for (const { connection } of peers) expiry.watch(connection);
    clock.advance(60_000);
    expect(expiry.size).toBe(0);
    expect(active(peers)).not.toContain(true);
    expect(slices.length).toBeGreaterThan(5);
    expect(Math.max(...slices)).toBeLessThanOrEqual(10);
  });

  it.each([
    ["forward by an hour", 3_600_000, 3_600_000],
    ["forward past its end", 86_400_000, 0],
    ["back by an hour", -3_600_000, 7_200_000],
    ["back by a year", -365 * DAY_MS, 7_200_000],
  ])("believes the clock that is further along when the wall clock is stepped %s", (_, stepMs, leftMs) => {
    const { fixture, peers } = watched([7_200_000]);
    fixture.clock.stepWallClock(stepMs);
    // It sleeps for a second at most, so that a step is noticed.
    fixture.clock.advance(Math.max(1_000, leftMs) - 1);
    expect(active(peers)).toEqual([true]);
    fixture.clock.advance(1);
    expect(active(peers)).toEqual([false]);
  });

  it("catches up after a blocked loop", () => {
    const { fixture, peers } = watched([10_000, 20_000, 90_000]);
    fixture.clock.block(60_000);
    fixture.clock.advance(0);
    expect(active(peers)).toEqual([false, false, true]);
  });

  it("keeps one timer however many it watches, and none when it watches nobody", () => {
    const { fixture, expiry, peers } = watched([50_000, 40_000, 30_000, 60_000]);
    expect(fixture.clock.pending).toBe(1);
    for (const { connection } of peers) {
      expiry.watch(connection);
      expiry.forget(connection);
      expiry.forget(connection);
    }
    expect([expiry.size, fixture.clock.pending]).toEqual([0, 0]);
    fixture.clock.advance(DAY_MS);
    expect(active(peers)).toEqual([true, true, true, true]);
  });

  it("wakes earlier for one that ends sooner than what it slept for", () => {
    const { fixture, expiry } = watched([3_600_000]);
    fixture.clock.advance(100);
    const soon = fixture.connect({ livesMs: 300 });
    expiry.watch(soon.connection);
    fixture.clock.advance(300);
    expect(soon.connection.isActive).toBe(false);
  });

  it("ends whoever it watches exactly when due, under any order of arrivals, departures and time", () => {
    const act = fc.oneof(
      fc.record({ do: fc.constant("watch" as const), livesMs: fc.integer({ min: 1, max: 20_000 }) }),
      fc.record({ do: fc.constant("forget" as const), index: fc.nat(20) }),
      fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 0, max: 5_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const fixture = createFixture();
        const expiry = createExpiry<Staff>(fixture.clock);
        const known: { peer: Peer; dueAt: number; isWatched: boolean }[] = [];
        for (const each of acts) {
          if (each.do === "watch") {
            const peer = fixture.connect({ livesMs: each.livesMs });
            known.push({ peer, dueAt: fixture.clock.now() + each.livesMs, isWatched: true });
            expiry.watch(peer.connection);
          } else if (each.do === "forget") {
            const entry = known[each.index];
            if (entry === undefined || !entry.peer.connection.isActive) continue;
            entry.isWatched = false;
            expiry.forget(entry.peer.connection);
          } else {
            fixture.clock.advance(each.ms);
          }
          const now = fixture.clock.now();
          for (const { peer, dueAt, isWatched } of known) {
            expect(peer.connection.isActive).toBe(!isWatched || dueAt > now);
          }
          expect(expiry.size).toBe(known.filter(({ isWatched, dueAt }) => isWatched && dueAt > now).length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("arms no timer by itself", () => {
    const clock = createFakeClock();
    createExpiry(clock);
    expect(clock.pending).toBe(0);
  });
});
