import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { bytes, createFixture, LineDialect, times, type Fixture, type Peer } from "../../../test/connection-fixture.js";
import { readInstant } from "../clock.js";
import type { GroupKey } from "../groups/group.js";
import { Publication } from "../publication.js";

const KIB = 1024;

function say(peer: Peer, event: string, group?: string): void {
  peer.connection.deliver(new Publication(event, [], group as GroupKey | undefined), undefined);
}

function beat({ clock }: Fixture, { connection }: Peer): void {
  connection.beat(readInstant(clock));
}

/** Beats once a second for so long, as the heartbeat does. */
function live(fixture: Fixture, peer: Peer, ms: number): void {
  for (let passed = 0; passed < ms; passed += 1_000) {
    fixture.clock.advance(1_000);
    beat(fixture, peer);
    fixture.clock.endTurn();
  }
}

describe("a connection", () => {
  it("is opened once, ends once before the peer is told, and is released once and last", () => {
    const fixture = createFixture();
    const { connection, socket, handler } = fixture.connect();
    connection.apply({ type: "handshake-completed" });
    expect(fixture.reports).toEqual(["opened c1"]);
    const close = socket.close.bind(socket);
    socket.close = (...how) => {
      fixture.reports.push("told");
      close(...how);
    };
    connection.apply({ type: "aborted", reason: "internal_error" });
    connection.apply({ type: "drained" });
    socket.end();
    connection.apply({ type: "socket-closed" });
    expect(fixture.reports).toEqual(["opened c1", "ended c1", "told", "released c1 internal_error"]);
    expect([handler.endings, connection.standing]).toEqual([1, 1]);
    expect(socket.closed).toMatchObject({ code: 4500, reason: "internal_error;action=retry-after" });
  });

  it("that the peer just leaves is released without a word", () => {
    const fixture = createFixture();
    const { connection, socket, handler } = fixture.connect();
    socket.end();
    expect(fixture.reports).toEqual(["opened c1", "ended c1", "released c1 normal"]);
    expect([socket.closed, socket.isReset, handler.endings]).toEqual([undefined, false, 1]);
    expect(connection.refusal()?.reason).toBe("normal");
  });

  it("whose transport's rules were broken is told why at once, however many others end in that moment", () => {
    const fixture = createFixture();
    const [first, second, broken] = [fixture.connect(), fixture.connect(), fixture.connect()] as const;
    first.connection.apply({ type: "drained" });
    fixture.clock.advance(5);
    second.connection.apply({ type: "drained" });
    broken.connection.failed();
    // The transport closes by itself behind this.
    expect([second.socket.closed, broken.socket.closed]).toEqual([
      undefined,
      expect.objectContaining({ code: 1002, reason: "protocol_error;action=fix-request" }),
    ]);
    fixture.clock.endTurn();
    expect(second.socket.closed).toMatchObject({ code: 1001 });
  });

  it("takes one protocol", () => {
    const { connection, handler } = createFixture().connect();
    expect(() => connection.speak(handler)).toThrow(TypeError);
  });

  it("says nothing before the handshake is done", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ isOpen: false });
    say(peer, "early");
    peer.connection.send({ bytes: bytes("early"), group: undefined });
    expect(peer.connection.refusal()?.reason).toBe("handshake_required");
    peer.connection.apply({ type: "handshake-completed" });
    say(peer, "on time");
    fixture.clock.endTurn();
    expect(peer.said()).toBe("on time([])\n");
  });

  it.each<[string, (peer: Peer) => void]>([
    ["a violation", ({ connection }) => connection.apply({ type: "violation", reason: "bad_request" })],
    ["the peer's goodbye", ({ connection }) => connection.apply({ type: "peer-closed" })],
    ["a drain", ({ connection }) => connection.apply({ type: "drained" })],
    ["an abort", ({ connection }) => connection.apply({ type: "aborted", reason: "internal_error" })],
    ["a broken frame", ({ socket }) => socket.peerFails()],
  ])("that ends by %s hands over what was queued first, then says why, in one write", (_, end) => {
    const fixture = createFixture();
    const peer = fixture.connect();
    say(peer, "first");
    say(peer, "second");
    end(peer);
    fixture.clock.endTurn();
    expect(peer.socket.writes).toEqual([]);
    expect(peer.said()).toMatch(/^first\(\[\]\)\nsecond\(\[\]\)\nbye [a-z_]+\n$/);
    expect([peer.socket.isReset, peer.socket.lateWrites]).toEqual([false, 0]);
  });

  it.each<[string, (peer: Peer, fixture: Fixture) => void, string]>([
    ["its credential has ended", ({ connection }) => connection.apply({ type: "expiry-due" }), "token_expired"],
    [
      "it ends for another reason after its credential has, unnoticed by a blocked loop",
      ({ connection }, { clock }) => (clock.block(60_000), connection.apply({ type: "drained" })),
      "going_away",
    ],
  ])("discards what was queued when %s", (_, end, reason) => {
    const fixture = createFixture();
    const peer = fixture.connect({ livesMs: 60_000 });
    say(peer, "secret");
    end(peer, fixture);
    say(peer, "late");
    fixture.clock.endTurn();
    expect(peer.said()).toBe(`bye ${reason}\n`);
    expect(peer.socket.lateWrites).toBe(0);
    expect(peer.connection.refusal()?.reason).toBe(reason);
  });

  it.each([
    ["has bytes stuck in its socket", { isStalled: true, waitMs: 0 }],
    ["owes a confirmation for 5 s", { isStalled: false, waitMs: 5_000 }],
  ])("resets instead of closing a peer that %s: a close would still deliver what its kernel holds", (_, how) => {
    const fixture = createFixture();
    const peer = fixture.connect();
    if (how.isStalled) peer.socket.stall();
    peer.connection.send({ bytes: new Uint8Array(64 * KIB), group: undefined });
    fixture.clock.endTurn();
    fixture.clock.advance(how.waitMs);
    say(peer, "held");
    peer.connection.apply({ type: "expiry-due" });
    expect([peer.socket.isReset, peer.socket.closed]).toEqual([true, undefined]);
    expect(peer.said()).not.toContain("held");
  });

  it("tells a peer that never had to confirm anything in the orderly way", () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    say(peer, "hello");
    fixture.clock.endTurn();
    fixture.clock.advance(3_600_000);
    peer.connection.apply({ type: "expiry-due" });
    expect([peer.socket.isReset, peer.socket.closed?.code]).toEqual([false, 4401]);
  });

  it.each([
    ["heartbeat-overdue", "heartbeat_timeout"],
    ["lagging", "slow_consumer"],
  ] as const)("resets on %s: nobody reads what would be said", (type, reason) => {
    const fixture = createFixture();
    const { connection, socket } = fixture.connect();
    connection.apply({ type });
    expect([socket.isReset, socket.closed]).toEqual([true, undefined]);
    socket.end();
    expect(fixture.reports.at(-1)).toBe(`released c1 ${reason}`);
  });

  it("has lost its standing at once where very many end together, and is told when it is its turn", () => {
    const fixture = createFixture();
    const peers = Array.from({ length: 20 }, (_, index) => fixture.connect({ id: `c${index}` }));
    for (const { socket } of peers) {
      const close = socket.close.bind(socket);
      socket.close = (...how) => {
        fixture.clock.block(1);
        close(...how);
      };
    }
    for (const peer of peers) say(peer, "before");
    for (const { connection } of peers) connection.apply({ type: "revoked", reason: "session_revoked" });
    const told = (): number => peers.filter(({ socket }) => socket.closed !== undefined).length;
    expect(told()).toBe(2);
    for (const peer of peers) {
      say(peer, "after");
      peer.socket.peerSends(bytes("call"));
    }
    expect(peers.map(({ connection }) => connection.refusal()?.reason)).toEqual(peers.map(() => "session_revoked"));
    // The socket of one that waits is gone: there is nobody to tell.
    peers[5]?.socket.end();
    while (fixture.clock.pendingTurn > 0) fixture.clock.endTurn();
    expect(told()).toBe(19);
    expect(peers[5]?.socket.closed).toBeUndefined();
    expect(peers.map(({ socket, handler, said }) => [socket.lateWrites, handler.heard, said()])).toEqual(
      peers.map((_, index) => [0, [], index === 5 ? "" : "bye session_revoked\n"]),
    );
  });

  it("says at once what was queued for one that may still have it: a moment later its credential may have ended", () => {
    const fixture = createFixture();
    const peers = Array.from({ length: 4 }, () => fixture.connect({ livesMs: 60_000 }));
    for (const peer of peers) say(peer, "hello");
    for (const { connection, socket } of peers) {
      fixture.clock.block(5);
      connection.apply({ type: "drained" });
      expect(socket.closed?.code).toBe(1001);
    }
  });

  it("without a protocol has no words: it can only be reset", () => {
    const fixture = createFixture();
    const { connection, socket } = fixture.connect({ isOpen: false, isMute: true });
    connection.apply({ type: "expiry-due" });
    expect([socket.isReset, socket.closed]).toEqual([true, undefined]);
  });

  it("is not heard any more once it closes, whatever the socket still hands on", () => {
    const { connection, socket, handler } = createFixture().connect();
    socket.peerSends(bytes("one"));
    connection.apply({ type: "expiry-due" });
    for (let count = 0; count < 3_000; count++) socket.peerSends(bytes("late"));
    expect(handler.heard).toEqual(["one"]);
  });

  it.each<[string, (fixture: Fixture) => void]>([
    ["by the wall clock", ({ clock }) => clock.stepWallClock(60_000)],
    [
      "by the monotonic clock, the wall clock having been set back",
      ({ clock }) => (clock.stepWallClock(-1e9), clock.block(60_000)),
    ],
    ["by both", ({ clock }) => clock.block(60_000)],
  ])("hears, says and allows nothing once the credential is over %s, though no timer has fired", (_, letTimePass) => {
    for (const probe of ["received", "refusal", "flush", "beat"] as const) {
      const fixture = createFixture();
      const peer = fixture.connect({ livesMs: 60_000 });
      const { connection, socket, handler } = peer;
      say(peer, "held");
      letTimePass(fixture);
      if (probe === "received") socket.peerSends(bytes("late"));
      else if (probe === "refusal") expect(connection.refusal()?.reason).toBe("token_expired");
      else if (probe === "flush") fixture.clock.endTurn();
      else beat(fixture, peer);
      expect([probe, handler.heard, peer.said()]).toEqual([probe, [], "bye token_expired\n"]);
      expect(socket.closed).toMatchObject({ code: 4401, reason: "token_expired;action=refresh" });
      expect(() => connection.assertActive()).toThrow(HubwardError);
    }
  });

  it("holds until the very millisecond before its expiry", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ livesMs: 60_000 });
    fixture.clock.block(59_999);
    expect([peer.connection.refusal(), peer.connection.remainingMs]).toEqual([undefined, 1]);
    fixture.clock.block(1);
    expect(peer.connection.refusal()?.reason).toBe("token_expired");
    expect(peer.connection.remainingMs).toBe(0);
  });

  it("ends a peer that sends what breaks the protocol, by the reason of what it broke", () => {
    const fixture = createFixture();
    const { handler, socket } = fixture.connect();
    handler.failure = new HubwardError("too_deep");
    socket.peerSends(bytes("[[["));
    expect(socket.closed).toMatchObject({ code: 4400, reason: "too_deep;action=fix-request" });
    expect(fixture.reports).not.toContainEqual(expect.stringContaining("failed"));
  });

  it("survives a defect in its protocol, reports it, and tells the peer nothing of it", () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    peer.handler.failure = new TypeError("secret internals");
    peer.socket.peerSends(bytes("x"));
    expect(fixture.reports).toContain("failed c1 TypeError: secret internals");
    expect(peer.socket.closed).toMatchObject({ code: 1011, reason: "unexpected_error;action=retry-after" });
    expect(peer.said()).toBe("bye unexpected_error\n");
  });

  it("ends when something of our own fails while serving it, reports that, and tells the peer nothing of it", () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    peer.connection.fail(new TypeError("secret internals"));
    expect(fixture.reports).toContain("failed c1 TypeError: secret internals");
    expect([peer.said(), peer.socket.closed?.code]).toEqual(["bye unexpected_error\n", 1011]);
  });

  it("aborts its signal with its standing, also one that is asked for afterwards", () => {
    const { connection } = createFixture().connect();
    const { signal } = connection;
    expect(signal.aborted).toBe(false);
    connection.apply({ type: "drained" });
    expect([signal.aborted, connection.signal.aborted]).toEqual([true, true]);
    const late = createFixture().connect().connection;
    late.apply({ type: "drained" });
    expect(late.signal.aborted).toBe(true);
  });

  it("delivers a group's frame only with a membership judged for the principal as it is", () => {
    const fixture = createFixture();
    const { connection, said } = fixture.connect();
    const publication = new Publication("vitals", [1], "icu" as GroupKey);
    connection.deliver(publication, connection.version - 1);
    connection.deliver(publication, connection.version + 1);
    fixture.clock.endTurn();
    expect(said()).toBe("");
    connection.deliver(publication, connection.version);
    fixture.clock.endTurn();
    expect(said()).toBe("vitals([1])\n");
  });

  it("closes a slow consumer by bytes: at the first frame beyond the cap", () => {
    const fixture = createFixture({ outbox: { maxBytes: 100 } });
    const peer = fixture.connect();
    peer.socket.stall();
    say(peer, "x".repeat(50));
    fixture.clock.endTurn();
    expect(peer.connection.isActive).toBe(true);
    say(peer, "y".repeat(50));
    expect([peer.connection.isActive, peer.socket.isReset]).toEqual([false, true]);
    peer.socket.end();
    expect(fixture.reports.at(-1)).toBe("released c1 slow_consumer");
  });

  it("closes a slow consumer by age: 30 s without a confirmation of anything", () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    say(peer, "hello");
    fixture.clock.endTurn();
    for (let second = 0; second < 30; second++) {
      peer.socket.peerSends(bytes("still here"));
      live(fixture, peer, 1_000);
    }
    expect([peer.connection.isActive, peer.socket.openConfirmations]).toEqual([true, 1]);
    live(fixture, peer, 1_000);
    expect(peer.socket.isReset).toBe(true);
    expect(peer.connection.refusal()?.reason).toBe("slow_consumer");
  });

  it("does not blame a peer that it holds back for confirmations it cannot hear, and counts anew afterwards", () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    say(peer, "hello");
    fixture.clock.endTurn();
    peer.connection.pause();
    peer.handler.isBusy = true;
    live(fixture, peer, 60_000);
    peer.connection.resume();
    peer.handler.isBusy = false;
    const keepTalking = (seconds: number): void => {
      for (let second = 0; second < seconds; second++) {
        peer.socket.peerSends(bytes("still here"));
        live(fixture, peer, 1_000);
      }
    };
    keepTalking(30);
    expect(peer.connection.isActive).toBe(true);
    keepTalking(1);
    expect(peer.connection.refusal()?.reason).toBe("slow_consumer");
  });

  it("ends a handshake that is overdue, and only then", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ isOpen: false });
    peer.socket.peerSends(bytes("half a hand"));
    live(fixture, peer, times.handshakeTimeoutMs - 1_000);
    expect(peer.socket.isEnded).toBe(false);
    live(fixture, peer, 1_000);
    expect(peer.socket.closed).toMatchObject({ code: 4408 });
    const open = fixture.connect();
    open.socket.peerSends(bytes("x"));
    live(fixture, open, times.handshakeTimeoutMs);
    expect(open.socket.isEnded).toBe(false);
  });

  it("ends a silent peer after its timeout, not one that speaks, and not one whose call is being handled", () => {
    const fixture = createFixture();
    const [silent, speaking, busy] = [fixture.connect(), fixture.connect(), fixture.connect()];
    busy.handler.isBusy = true;
    const second = (): void => {
      fixture.clock.advance(1_000);
      speaking.socket.peerSends(bytes("."));
      for (const peer of [silent, speaking, busy]) {
        beat(fixture, peer);
        fixture.clock.endTurn();
        peer.socket.confirm();
      }
    };
    for (let count = 1; count < 30; count++) second();
    expect([silent, speaking, busy].map(({ connection }) => connection.isActive)).toEqual([true, true, true]);
    second();
    expect([silent, speaking, busy].map(({ connection }) => connection.isActive)).toEqual([false, true, true]);
    expect(silent.socket.isReset).toBe(true);
    // Its silence counts from the end of its call.
    busy.handler.isBusy = false;
    for (let count = 1; count < 30; count++) second();
    expect(busy.connection.isActive).toBe(true);
    second();
    expect([busy.connection.isActive, speaking.connection.isActive]).toEqual([false, true]);
  });

  it("keeps an idle peer alive every 15 s", () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    for (let second = 0; second < 60; second++) {
      peer.socket.peerSends(bytes("."));
      live(fixture, peer, 1_000);
    }
    expect(peer.said()).toBe("keep-alive\n".repeat(4));
  });

  it("does not take a transport's confirmations for a sign of life where the protocol has pings of its own", () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    for (let second = 0; second < 30; second++) {
      say(peer, "told");
      live(fixture, peer, 1_000);
      peer.socket.confirm();
    }
    expect(peer.socket.confirmationRequests).toBeGreaterThan(0);
    expect(peer.connection.refusal()?.reason).toBe("heartbeat_timeout");
  });

  it("does not beat once it closes", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ livesMs: 60_000 });
    peer.connection.apply({ type: "drained" });
    live(fixture, peer, 120_000);
    expect(peer.socket.lateWrites).toBe(0);
    expect(peer.connection.refusal()?.reason).toBe("going_away");
  });

  it("renders a publication once for all who speak the same dialect", () => {
    const fixture = createFixture();
    const other = new LineDialect();
    const peers = Array.from({ length: 20 }, (_, index) => fixture.connect(index % 4 === 0 ? { dialect: other } : {}));
    const publication = new Publication("vitals", [{ heartRate: 80 }], undefined);
    for (const { connection } of peers) connection.deliver(publication, undefined);
    fixture.clock.endTurn();
    expect([fixture.dialect.rendered, other.rendered]).toEqual([1, 1]);
    expect(new Set(peers.map(({ socket }) => socket.writes[0])).size).toBe(2);
    expect(new Set(peers.map(({ said }) => said()))).toEqual(new Set(['vitals([{"heartRate":80}])\n']));
  });

  it("passes backpressure on to its socket", () => {
    const { connection, socket } = createFixture().connect();
    connection.pause();
    expect(socket.isPaused).toBe(true);
    connection.resume();
    expect(socket.isPaused).toBe(false);
  });

  it("that is held lets no call begin and no event out, and everything in order when it is let go", () => {
    const fixture = createFixture();
    const { connection, handler, socket, said } = fixture.connect();
    connection.send({ bytes: bytes("before\n"), group: undefined });
    connection.hold();
    expect([said(), handler.holds]).toEqual(["before\n", ["hold"]]);
    connection.deliver(new Publication("vitals", [1], undefined), undefined);
    fixture.clock.endTurn();
    expect(said()).toBe("before\n");
    connection.release();
    fixture.clock.endTurn();
    expect([said(), handler.holds, socket.isEnded]).toEqual(["before\nvitals([1])\n", ["hold", "release"], false]);
  });

  it("that ends while it is held writes nothing of what waited, also when it is let go", () => {
    const fixture = createFixture();
    const { connection, socket, said } = fixture.connect();
    connection.hold();
    connection.deliver(new Publication("vitals", [1], undefined), undefined);
    connection.apply({ type: "expiry-due" });
    connection.release();
    fixture.clock.endTurn();
    expect([said(), socket.lateWrites]).toEqual(["bye token_expired\n", 0]);
  });

  it("that is refused while it is held is told why, and nothing of what its groups were told meanwhile", () => {
    const fixture = createFixture();
    const { connection, socket, said } = fixture.connect();
    connection.send({ bytes: bytes("before\n"), group: undefined });
    connection.hold();
    connection.deliver(new Publication("vitals", [1], "icu" as GroupKey), connection.version);
    connection.apply({ type: "aborted", reason: "forbidden" });
    fixture.clock.endTurn();
    expect([said(), socket.lateWrites]).toEqual(["before\nbye forbidden\n", 0]);
  });

  it("that we hold back goes on writing as far as the kernel takes it, and is a slow consumer where it takes nothing", () => {
    const fixture = createFixture();
    const { connection, handler, socket } = fixture.connect();
    connection.pause();
    handler.isBusy = true;
    for (let count = 0; count < 20; count++) {
      connection.send({ bytes: new Uint8Array(64 * 1024), group: undefined });
      fixture.clock.endTurn();
    }
    expect([socket.written.length, connection.isActive]).toEqual([20 * 64 * 1024, true]);
    socket.stall();
    connection.send({ bytes: new Uint8Array(1), group: undefined });
    fixture.clock.endTurn();
    for (let second = 0; second < 31; second++) {
      fixture.clock.advance(1_000);
      connection.beat(readInstant(fixture.clock));
    }
    expect([socket.isReset, connection.refusal()?.reason]).toEqual([true, "slow_consumer"]);
  });
});

describe("a connection whose protocol has no pings of its own", () => {
  it("asks an idle peer for a confirmation every 15 s, and keeps one that only listens", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ keepAlive: "confirmation" });
    for (let second = 0; second < 300; second++) {
      live(fixture, peer, 1_000);
      peer.socket.confirm();
    }
    expect([peer.socket.confirmationRequests, peer.said(), peer.connection.isActive]).toEqual([20, "", true]);
  });

  it("asks one that speaks, too: who is between wants to see both ways in use", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ keepAlive: "confirmation" });
    for (let second = 0; second < 60; second++) {
      peer.socket.peerSends(bytes("."));
      live(fixture, peer, 1_000);
      peer.socket.confirm();
    }
    expect(peer.socket.confirmationRequests).toBe(4);
  });

  it("does not ask beside what it writes: that is confirmed soon enough", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ keepAlive: "confirmation" });
    for (let second = 0; second < 120; second++) {
      if (second % 10 === 0) say(peer, "told");
      live(fixture, peer, 1_000);
      peer.socket.confirm();
    }
    expect([peer.socket.confirmationRequests, peer.connection.isActive]).toEqual([12, true]);
  });

  it("ends one that is gone: 30 s without a frame or a confirmation, with one question open", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ keepAlive: "confirmation" });
    live(fixture, peer, 20_000);
    peer.socket.confirm();
    live(fixture, peer, 29_000);
    expect([peer.connection.isActive, peer.socket.openConfirmations]).toEqual([true, 1]);
    live(fixture, peer, 1_000);
    expect([peer.connection.refusal()?.reason, peer.socket.isReset]).toEqual(["heartbeat_timeout", true]);
  });

  it("judges one that speaks and confirms nothing by its lag alone", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ keepAlive: "confirmation" });
    const keepTalking = (seconds: number): void => {
      for (let second = 0; second < seconds; second++) {
        peer.socket.peerSends(bytes("."));
        live(fixture, peer, 1_000);
      }
    };
    keepTalking(120);
    expect([peer.connection.isActive, peer.socket.openConfirmations]).toEqual([true, 1]);
    say(peer, "told");
    fixture.clock.endTurn();
    keepTalking(30);
    expect(peer.connection.isActive).toBe(true);
    keepTalking(1);
    expect(peer.connection.refusal()?.reason).toBe("slow_consumer");
  });
});
