import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { bytes, createFixture, type Staff } from "../../../test/connection-fixture.js";
import type { Connection } from "../connection/connection.js";
import { createHeartbeat, type Beating } from "./heartbeat.js";

describe("the heartbeat", () => {
  it("keeps one timer for all it watches, and none when it watches nobody", () => {
    const fixture = createFixture();
    const heartbeat = createHeartbeat<Connection<Staff>>(fixture.clock);
    expect(fixture.clock.pending).toBe(0);
    const peers = [fixture.connect(), fixture.connect(), fixture.connect()];
    for (const { connection } of peers) heartbeat.watch(connection);
    expect([fixture.clock.pending, heartbeat.size]).toEqual([1, 3]);
    for (const { connection } of peers) heartbeat.forget(connection);
    expect([fixture.clock.pending, heartbeat.size]).toEqual([0, 0]);
    fixture.clock.advance(60_000);
    expect(peers.map(({ connection }) => connection.isActive)).toEqual([true, true, true]);
  });

  it("beats each connection once a second: handshakes, silence, keep-alive, lag, and what the expiry watch missed", () => {
    const fixture = createFixture();
    const heartbeat = createHeartbeat<Connection<Staff>>(fixture.clock);
    const shaking = fixture.connect({ isOpen: false });
    const silent = fixture.connect();
    const talking = fixture.connect();
    const lagging = fixture.connect();
    const expiring = fixture.connect({ livesMs: 20_500 });
    const all = { shaking, silent, talking, lagging, expiring };
    for (const { connection } of Object.values(all)) heartbeat.watch(connection);
    lagging.connection.send({ bytes: bytes("hello"), group: undefined });
    const ends = new Map<string, number>();
    for (let second = 1; second <= 60; second++) {
      for (const peer of [talking, lagging, expiring]) if (peer.connection.isActive) peer.socket.peerSends(bytes("."));
      fixture.clock.endTurn();
      fixture.clock.advance(1_000);
      for (const [name, { socket }] of Object.entries(all))
        if (socket.isEnded && !ends.has(name)) ends.set(name, second);
    }
    expect(Object.fromEntries(ends)).toEqual({ shaking: 15, expiring: 21, silent: 30, lagging: 31 });
    expect(talking.said()).toBe("keep-alive\n".repeat(4));
    expect([shaking, silent, lagging, expiring].map(({ connection }) => connection.refusal()?.reason)).toEqual([
      "handshake_timeout",
      "heartbeat_timeout",
      "slow_consumer",
      "token_expired",
    ]);
  });

  it("ends by the monotonic clock what the expiry heap, ordered by the wall clock, would find late", () => {
    const fixture = createFixture();
    const heartbeat = createHeartbeat<Connection<Staff>>(fixture.clock);
    const before = fixture.connect({ livesMs: 60_000 });
    fixture.clock.stepWallClock(-30_000);
    const after = fixture.connect({ livesMs: 80_000 });
    for (const { connection, socket } of [before, after]) {
      heartbeat.watch(connection);
      socket.peerSends(bytes("."));
    }
    const second = (): void => {
      fixture.clock.advance(1_000);
      for (const { connection, socket } of [before, after]) if (connection.isActive) socket.peerSends(bytes("."));
    };
    for (let count = 0; count < 59; count++) second();
    expect([before, after].map(({ connection }) => connection.isActive)).toEqual([true, true]);
    second();
    expect([before, after].map(({ connection }) => connection.isActive)).toEqual([false, true]);
  });

  it("asks very many in slices, once a second each, so that others have their turn in between", () => {
    const clock = createFakeClock();
    const heartbeat = createHeartbeat<Beating>(clock);
    const beats = new Map<number, number>();
    for (let index = 0; index < 95; index++)
      heartbeat.watch({
        beat() {
          clock.block(1);
          beats.set(index, (beats.get(index) ?? 0) + 1);
        },
      });
    const counts: number[] = [];
    clock.advance(1_000);
    counts.push(beats.size);
    while (clock.pendingTurn > 0) {
      clock.endTurn();
      counts.push(beats.size);
    }
    expect(counts).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 95]);
    for (let second = 2; second <= 5; second++) {
      clock.advance(1_000);
      while (clock.pendingTurn > 0) clock.endTurn();
    }
    expect(new Set(beats.values())).toEqual(new Set([5]));
    expect(clock.pending).toBe(1);
  });

  it("begins no round anew while one is on its way, and ends with the last that is forgotten", () => {
    const clock = createFakeClock();
    const heartbeat = createHeartbeat<Beating>(clock);
    let beats = 0;
    const all = Array.from({ length: 15 }, () => ({
      beat() {
        clock.block(1);
        beats++;
      },
    }));
    for (const each of all) heartbeat.watch(each);
    clock.advance(1_000);
    expect(beats).toBe(10);
    clock.advance(1_000);
    expect(beats).toBe(15);
    clock.endTurn();
    expect(beats).toBe(15);
    clock.advance(1_000);
    for (const each of all) heartbeat.forget(each);
    clock.endTurn();
    expect([beats, clock.pending]).toEqual([25, 0]);
  });

  it("goes on when connections end and are forgotten in the middle of a beat", () => {
    const fixture = createFixture();
    const heartbeat = createHeartbeat<Connection<Staff>>(fixture.clock);
    const peers = Array.from({ length: 5 }, (_, index) => fixture.connect({ isOpen: index % 2 === 1 }));
    for (const { connection, socket } of peers) {
      heartbeat.watch(connection);
      const close = socket.close.bind(socket);
      socket.close = (...how) => {
        close(...how);
        heartbeat.forget(connection);
      };
    }
    for (let second = 0; second < 15; second++) {
      for (const { connection, socket } of peers) if (connection.isActive) socket.peerSends(bytes("."));
      fixture.clock.advance(1_000);
    }
    expect(peers.map(({ socket }) => socket.isEnded)).toEqual([true, false, true, false, true]);
    expect([heartbeat.size, fixture.clock.pending]).toEqual([2, 1]);
  });
});
