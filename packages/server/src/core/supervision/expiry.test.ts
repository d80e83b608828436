import { createFakeClock, type FakeClock } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admissionOf, createFixture, type Fixture, type Peer } from "../../../test/connection-fixture.js";
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

/** Connections that can refresh, wired as an application wires them. */
function createBench() {
  const expiry: { watch?: Expiry<Staff> } = {};
  const fixture = createFixture({
    onEnded: (connection) => expiry.watch?.forget(connection),
    onRescheduled: (connection) => expiry.watch?.watch(connection),
  });
  const watch = (expiry.watch = createExpiry<Staff>(fixture.clock));
  const { clock } = fixture;
  return {
    clock,
    expiry: watch,
    connect(livesMs: number): Peer {
      const peer = fixture.connect({ livesMs });
      peer.connection.apply({ type: "refresh-shown" });
      watch.watch(peer.connection);
      return peer;
    },
    renew({ connection }: Peer, livesMs: number): void {
      connection.replace(admissionOf({ expiresAt: clock.now() + livesMs }), "reauthenticated");
    },
  };
}

function lapsing(livesMs: number) {
  const { clock, expiry, connect, renew } = createBench();
  const peer = connect(livesMs);
  return { clock, expiry, peer, renew: (nextMs: number) => renew(peer, nextMs) };
}

/** Kinds of the notices it was given. */
function told(clock: FakeClock, { said }: Peer): string[] {
  while (clock.pendingTurn > 0) clock.endTurn();
  return [...said().matchAll(/^notice \{"kind":"(\w+)"/gm)].map((match) => match[1] as string);
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
    // As an application does: who ends is forgotten, in the middle of a slice.
    const fixture = createFixture({ onEnded: (connection) => expiry.forget(connection) });
    const { clock } = fixture;
    let spentMs = 0;
    const slices: number[] = [];
    const peers = Array.from({ length: 100 }, () => fixture.connect({ livesMs: 60_000 }));
    const measured =
      (run: () => void): (() => void) =>
      () => {
        const before = expiry.size;
        run();
        if (expiry.size < before) slices.push(before - expiry.size);
      };
    const expiry = createExpiry<Staff>({
      now: () => clock.now(),
      // Each look at the clock: a millisecond's work.
      monotonic: () => (clock.monotonic() + spentMs++) as ReturnType<typeof clock.monotonic>,
      endOfTurn: (run) => clock.endOfTurn(measured(run)),
      after: (delayMs, run) => clock.after(delayMs, measured(run)),
    });
    for (const { connection } of peers) expiry.watch(connection);
    clock.advance(60_000);
    expect(expiry.size).toBeGreaterThan(80);
    while (clock.pendingTurn > 0) clock.endTurn();
    expect([expiry.size, clock.pending]).toEqual([0, 0]);
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

  it("goes on at the very millisecond when most of those it watched were forgotten", () => {
    // In no order, so that what is left has to be put in order again.
    const lives = Array.from({ length: 400 }, (_, index) => 2_000 + ((index * 7_919) % 401) * 10);
    const { fixture, expiry, peers } = watched(lives);
    const kept = peers
      .map((peer, index) => ({ peer, livesMs: lives[index] as number }))
      .filter((_, at) => at % 5 === 0);
    for (const [index, { connection }] of peers.entries()) if (index % 5 !== 0) expiry.forget(connection);
    expect(expiry.size).toBe(80);
    // It wakes once a second, whatever is due.
    fixture.clock.advance(1_999);
    for (let atMs = 2_000; atMs <= 6_000; atMs++) {
      fixture.clock.advance(1);
      for (const { peer, livesMs } of kept) if (peer.connection.isActive === livesMs <= atMs) expect.fail(`at ${atMs}`);
    }
    expect([expiry.size, fixture.clock.pending]).toEqual([0, 0]);
    expect(active(peers).filter((isActive) => isActive)).toHaveLength(320);
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

  it("warns in time, lapses, and closes when the grace is over, with one timer and none afterwards", () => {
    const { clock, expiry, peer } = lapsing(60_000);
    clock.advance(47_999);
    expect(told(clock, peer)).toEqual([]);
    clock.advance(1);
    expect(told(clock, peer)).toEqual(["expiring"]);
    clock.advance(11_999);
    expect([told(clock, peer), clock.pending]).toEqual([["expiring"], 1]);
    clock.advance(1);
    expect([told(clock, peer), peer.connection.lapse]).toEqual([["expiring", "expired"], "token_expired"]);
    clock.advance(9_999);
    expect([peer.connection.isListening, clock.pending]).toEqual([true, 1]);
    // Else it would pass for one that does not read, which is reset.
    peer.socket.confirm();
    clock.advance(1);
    expect([peer.socket.closed?.code, expiry.size, clock.pending]).toEqual([4401, 0, 0]);
  });

  it("warns a token of 30 days five minutes before its end at most", () => {
    const { clock, peer } = lapsing(30 * DAY_MS);
    clock.advance(30 * DAY_MS - 300_001);
    expect(told(clock, peer)).toEqual([]);
    clock.advance(120_002);
    expect(told(clock, peer)).toEqual(["expiring"]);
  });

  it("gives no second warning for one credential, and one for each", () => {
    const { clock, peer, renew } = lapsing(60_000);
    clock.advance(50_000);
    renew(60_000);
    clock.advance(47_999);
    expect(told(clock, peer)).toEqual(["expiring"]);
    clock.advance(2_000);
    expect(told(clock, peer)).toEqual(["expiring", "expiring"]);
  });

  it.each([
    ["later", 600_000],
    ["earlier", 5_000],
  ])("goes by a credential that ends %s than the one it replaced", (_, livesMs) => {
    const { clock, expiry, peer, renew } = lapsing(60_000);
    clock.advance(1_500);
    renew(livesMs);
    clock.advance(livesMs - 1);
    expect([peer.connection.isActive, expiry.size]).toEqual([true, 1]);
    clock.advance(1);
    expect(peer.connection.lapse).toBe("token_expired");
  });

  it("finds what was due behind a blocked loop: the lapse first, its grace from then on", () => {
    const { clock, peer } = lapsing(60_000);
    clock.block(3_600_000);
    clock.advance(0);
    expect([told(clock, peer), peer.connection.lapse]).toEqual([["expired"], "token_expired"]);
    clock.advance(9_999);
    expect(peer.connection.isListening).toBe(true);
    clock.block(60_000);
    clock.advance(0);
    expect(peer.connection.isListening).toBe(false);
  });

  it.each([
    ["forward", 3_600_000],
    ["back", -3_600_000],
  ])("measures the grace by whichever clock is further along: the wall clock is stepped %s", (_, stepMs) => {
    const { clock, peer } = lapsing(60_000);
    clock.advance(60_000);
    clock.stepWallClock(stepMs);
    clock.advance(stepMs > 0 ? 1_000 : 10_000);
    expect(peer.connection.isListening).toBe(false);
  });

  it("does not turn round and round on one that is due and cannot go on", () => {
    const fixture = createFixture();
    const expiry = createExpiry<Staff>(fixture.clock);
    const { connection } = fixture.connect({ livesMs: 1_000 });
    connection.apply({ type: "drained" });
    expiry.watch(connection);
    fixture.clock.advance(1_000);
    expect([expiry.size, fixture.clock.pending]).toEqual([0, 0]);
  });

  it("takes one from lapse to lapse: nobody can say, then its end, then back, then its end again", () => {
    const { clock, peer, renew } = lapsing(60_000);
    clock.advance(55_000);
    peer.connection.apply({ type: "authority-lost" });
    clock.advance(5_000);
    expect(peer.connection.lapse).toBe("token_expired");
    clock.advance(5_000);
    renew(20_000);
    expect(peer.connection.lapse).toBeUndefined();
    clock.advance(20_000);
    expect(peer.connection.lapse).toBe("token_expired");
    expect(clock.pending).toBe(1);
  });

  it("does everything in the life of each credential exactly when due, as a model would", () => {
    const act = fc.oneof(
      fc.record({ advance: fc.integer({ min: 0, max: 15_000 }) }),
      fc.record({ renew: fc.integer({ min: 1, max: 40_000 }), index: fc.nat(2) }),
      fc.record({ lapse: fc.constantFrom("claims-changed", "authority-lost"), index: fc.nat(2) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
        const bench = createBench();
        const { clock, expiry } = bench;
        const peers = [20_000, 20_000, 7_000].map((livesMs) => bench.connect(livesMs));
        const models = [20_000, 20_000, 7_000].map((livesMs) => ({
          endsAt: clock.now() + livesMs,
          lapse: undefined as string | undefined,
          graceEndsAt: Infinity,
          isOver: false,
        }));
        for (const each of acts) {
          if ("advance" in each) clock.advance(each.advance);
          const now = clock.now();
          for (const model of models) {
            if (model.isOver) continue;
            // In the order of time: its end, where it means something, and the end of a grace.
            for (;;) {
              const meansSomething = model.lapse === undefined || model.lapse === "auth_unavailable";
              if (meansSomething && model.endsAt <= now && model.endsAt < model.graceEndsAt) {
                model.lapse = "token_expired";
                model.graceEndsAt = model.endsAt + 10_000;
              } else if (model.graceEndsAt <= now) {
                model.isOver = true;
                break;
              } else break;
            }
          }
          if (!("advance" in each)) {
            const { connection } = peers[each.index] as Peer;
            const model = models[each.index] as (typeof models)[number];
            if ("renew" in each) {
              bench.renew(peers[each.index] as Peer, each.renew);
              if (!model.isOver)
                Object.assign(model, { endsAt: now + each.renew, lapse: undefined, graceEndsAt: Infinity });
            } else {
              connection.apply({ type: each.lapse });
              if (!model.isOver && model.lapse === undefined) {
                model.lapse = each.lapse === "claims-changed" ? "reauth_required" : "auth_unavailable";
                model.graceEndsAt = now + 10_000;
              }
            }
          }
          for (const [index, { connection }] of peers.entries()) {
            const { lapse, isOver } = models[index] as (typeof models)[number];
            expect([connection.isListening, connection.lapse]).toEqual(isOver ? [false, undefined] : [true, lapse]);
          }
          expect([expiry.size, clock.pending]).toEqual([
            models.filter(({ isOver }) => !isOver).length,
            models.every(({ isOver }) => isOver) ? 0 : 1,
          ]);
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
