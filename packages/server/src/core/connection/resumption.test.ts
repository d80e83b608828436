import { MemorySocket } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import {
  bytes,
  createFixture,
  text,
  type Fixture,
  type Peer,
  type PeerOptions,
} from "../../../test/connection-fixture.js";
import { groupOf, template, allowAll } from "../../../test/hub-fixture.js";
import { readInstant } from "../clock.js";
import { Publication } from "../publication.js";
import type { LifecycleEvent } from "./lifecycle.js";
import type { ReplayProtocol } from "./protocol-handler.js";
import type { Resumption } from "./resumption.js";

/** Says `from 1\n` on a new transport, and `ack\n` when told to. */
class LineReplay implements ReplayProtocol {
  isAckDue = false;

  resumed(sequenceId: number): Uint8Array {
    return bytes(`from ${sequenceId}\n`);
  }

  takeAcknowledgement(): Uint8Array | undefined {
    if (!this.isAckDue) return undefined;
    this.isAckDue = false;
    return bytes("ack\n");
  }
}

interface ResumablePeer extends Peer {
  readonly replay: LineReplay;
}

function connect(fixture: Fixture, options: PeerOptions = {}, maxReplayBytes = 1_000): ResumablePeer {
  const peer = fixture.connect(options);
  const replay = new LineReplay();
  peer.connection.keepForReplay(replay, maxReplayBytes);
  return { ...peer, replay };
}

function wayBack({ resumption }: Peer["connection"]): Resumption {
  if (resumption === undefined) throw new TypeError("there is no way back");
  return resumption;
}

function say({ connection }: Peer, event: string): void {
  connection.deliver(new Publication(event, [], undefined), undefined);
}

/** The peer comes back and is let in, or not. */
async function comeBack({ connection }: Peer): Promise<MemorySocket | string> {
  const outcome = await wayBack(connection).reclaim();
  return outcome === "ready" ? attach(connection) : outcome;
}

function attach(connection: Peer["connection"]): MemorySocket {
  const socket = new MemorySocket();
  return socket.listen(wayBack(connection).attach(socket, "192.0.2.8"));
}

function asSocket(outcome: MemorySocket | string): MemorySocket {
  if (typeof outcome === "string") throw new TypeError(`it was ${outcome}`);
  return outcome;
}

describe("a connection that may outlive its transport", () => {
  it("is detached when the transport is lost, and goes on over the next one", async () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    const { connection, socket } = peer;
    say(peer, "a");
    fixture.clock.endTurn();
    socket.end();
    say(peer, "b");
    expect([connection.isActive, connection.refusal(), connection.standing, connection.signal.aborted]).toEqual([
      true,
      undefined,
      0,
      false,
    ]);
    const next = asSocket(await comeBack(peer));
    say(peer, "c");
    fixture.clock.endTurn();
    expect(text(next.written)).toBe("from 1\na([])\nb([])\nc([])\n");
    expect(fixture.reports).toEqual(["opened c1", "detached c1", "resumed c1 1"]);
    next.peerSends(bytes("heard again"));
    expect(peer.handler.heard).toEqual(["heard again"]);
  });

  it("says what it was told before it began to keep, and not again", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    peer.connection.send({ bytes: bytes("welcome\n"), group: undefined });
    peer.connection.keepForReplay(new LineReplay(), 1_000);
    say(peer, "a");
    fixture.clock.endTurn();
    expect(peer.said()).toBe("welcome\na([])\n");
    peer.socket.end();
    const next = asSocket(await comeBack(peer));
    fixture.clock.endTurn();
    expect(text(next.written)).toBe("from 1\na([])\n");
  });

  it("begins to keep once", () => {
    const { connection } = connect(createFixture());
    expect(() => connection.keepForReplay(new LineReplay(), 1_000)).toThrow(TypeError);
  });

  it("ends when the peer says goodbye in the transport's own way, and when it never became resumable", () => {
    const fixture = createFixture();
    connect(fixture).socket.end({ wasClean: true });
    fixture.connect().socket.end();
    expect(fixture.reports).toEqual([
      "opened c1",
      "ended c1",
      "released c1 normal",
      "opened c2",
      "ended c2",
      "released c2 normal",
    ]);
  });

  it("cancels a transport that still looks alive, waits for its end, and hears nothing of it any more", async () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    const { connection, socket, handler } = peer;
    let outcome: string | undefined;
    const reclaiming = wayBack(connection)
      .reclaim()
      .then((came) => (outcome = came));
    expect([socket.isReset, fixture.reports.at(-1)]).toEqual([true, "detached c1"]);
    socket.peerSends(bytes("late"));
    socket.peerFails();
    await Promise.resolve();
    expect([outcome, handler.heard, connection.isActive]).toEqual([undefined, [], true]);
    socket.end();
    await reclaiming;
    const next = attach(connection);
    fixture.clock.endTurn();
    expect([outcome, text(next.written)]).toEqual(["ready", "from 1\n"]);
  });

  it("is brought back by one at a time, and by the next when that one gives up", async () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    const { connection, socket } = peer;
    const first = wayBack(connection).reclaim();
    expect(await wayBack(connection).reclaim()).toBe("busy");
    socket.end();
    expect([await first, await wayBack(connection).reclaim()]).toEqual(["ready", "busy"]);
    wayBack(connection).abandon();
    asSocket(await comeBack(peer));
    expect(fixture.reports.filter((report) => report.startsWith("resumed"))).toHaveLength(1);
  });

  it("is not brought back by a transport nobody made way for", () => {
    const fixture = createFixture();
    const { connection, socket } = connect(fixture);
    const uninvited = attach(connection);
    uninvited.peerSends(bytes("x"));
    uninvited.end();
    expect([uninvited.isReset, socket.isEnded, connection.isActive]).toEqual([true, false, true]);
  });

  it.each<[string, (fixture: Fixture, peer: Peer) => void, string]>([
    [
      "has not been back for 15 s",
      ({ clock }, { connection }) => (clock.advance(15_000), connection.beat(readInstant(clock))),
      "normal",
    ],
    [
      "has a credential that ends",
      ({ clock }, { connection }) => (clock.advance(10_000), connection.beat(readInstant(clock))),
      "token_expired",
    ],
    [
      "has a credential that ended unnoticed",
      ({ clock }, { connection }) => (clock.block(10_000), void connection.refusal()),
      "token_expired",
    ],
    [
      "is told more than is kept",
      (_, peer) => {
        for (let count = 0; count < 5; count++) say(peer, "x".repeat(300));
      },
      "slow_consumer",
    ],
    ["is drained", (_, { connection }) => connection.apply({ type: "drained" }), "going_away"],
    ["is failed by its application", (_, { connection }) => connection.fail(new Error("boom")), "unexpected_error"],
  ])("ends at once, with nobody to tell, when it is detached and %s", async (what, end, reason) => {
    const fixture = createFixture({ outbox: { maxBytes: 1_024 } });
    const livesMs = what.includes("credential") ? 10_000 : 3_600_000;
    const peer = connect(fixture, { livesMs });
    peer.socket.end();
    end(fixture, peer);
    expect(fixture.reports.slice(-2)).toEqual(["ended c1", `released c1 ${reason}`]);
    expect([peer.connection.isActive, peer.connection.refusal()?.reason, peer.connection.signal.aborted]).toEqual([
      false,
      reason,
      true,
    ]);
    expect(await comeBack(peer)).toBe("refused");
    say(peer, "late");
    fixture.clock.endTurn();
    expect(peer.socket.lateWrites).toBe(0);
  });

  it("stays for as long as 15 s, and its silence meanwhile does not count", async () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    fixture.clock.advance(29_000);
    peer.socket.end();
    fixture.clock.advance(14_999);
    peer.connection.beat(readInstant(fixture.clock));
    asSocket(await comeBack(peer));
    peer.connection.beat(readInstant(fixture.clock));
    expect(peer.connection.isActive).toBe(true);
  });

  it.each<[string, LifecycleEvent]>([
    ["expires", { type: "expiry-due" }],
    ["is drained", { type: "drained" }],
    ["is overdue", { type: "resume-overdue" }],
  ])("that %s between its old transport and the next resets the next", async (_, event) => {
    const fixture = createFixture();
    const peer = connect(fixture);
    const reclaiming = wayBack(peer.connection).reclaim();
    peer.connection.apply(event);
    expect(await reclaiming).toBe("refused");
    peer.socket.end();

    const other = connect(fixture);
    other.socket.end();
    expect(await wayBack(other.connection).reclaim()).toBe("ready");
    other.connection.apply(event);
    const next = attach(other.connection);
    next.peerSends(bytes("x"));
    next.end();
    expect([next.isReset, next.writes, other.handler.heard]).toEqual([true, [], []]);
    expect(fixture.reports.filter((report) => report.startsWith("released"))).toHaveLength(2);
  });

  it("closes over its transport as any other does, with what waits in front", () => {
    const fixture = createFixture();
    const peer = connect(fixture, {}, 6);
    say(peer, "a");
    say(peer, "b");
    peer.connection.apply({ type: "drained" });
    fixture.clock.endTurn();
    expect(peer.said()).toBe("a([])\nb([])\nbye going_away\n");
    peer.socket.end();
    expect(fixture.reports.at(-1)).toBe("released c1 going_away");
  });

  it("resets a peer that acknowledges nothing and is told more than is kept", () => {
    const fixture = createFixture({ outbox: { maxBytes: 1_024 } });
    const peer = connect(fixture, {}, 100);
    for (let count = 0; count < 6; count++) {
      say(peer, "x".repeat(200));
      fixture.clock.endTurn();
      peer.socket.confirm();
    }
    expect([peer.socket.isReset, peer.connection.refusal()?.reason]).toEqual([true, "slow_consumer"]);
  });

  it("says what waited as the peer acknowledges what came before", () => {
    const fixture = createFixture();
    const peer = connect(fixture, {}, 6);
    for (const event of ["a", "b", "c"]) say(peer, event);
    fixture.clock.endTurn();
    expect(peer.said()).toBe("a([])\n");
    peer.connection.acknowledged(1);
    fixture.clock.endTurn();
    expect(peer.said()).toBe("a([])\nb([])\n");
  });

  it("acknowledges once a second at most, when something is due, and at once when asked to", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    const beat = (): void => {
      peer.connection.beat(readInstant(fixture.clock));
      fixture.clock.endTurn();
    };
    beat();
    expect(peer.said()).toBe("");
    peer.replay.isAckDue = true;
    beat();
    beat();
    expect(peer.said()).toBe("ack\n");
    peer.replay.isAckDue = true;
    peer.connection.acknowledge();
    fixture.clock.endTurn();
    expect(peer.said()).toBe("ack\nack\n");
  });

  it("holds the peer back on its next transport, too, and lets it go on there", async () => {
    const peer = connect(createFixture());
    peer.connection.pause();
    peer.socket.end();
    const next = asSocket(await comeBack(peer));
    expect(next.isPaused).toBe(true);
    peer.connection.resume();
    expect(next.isPaused).toBe(false);
    // And without a transport there is nobody to hold back.
    next.end();
    peer.connection.pause();
    peer.connection.resume();
    expect(asSocket(await comeBack(peer)).isPaused).toBe(false);
  });

  it("stays in its groups while it is detached", async () => {
    const fixture = createFixture();
    const ward = groupOf(template("ward/{ward}", allowAll), { ward: "icu" });
    const peer = connect(fixture);
    await fixture.groups.join(peer.connection, ward);
    peer.socket.end();
    const [key] = peer.connection.memberships.keys();
    if (key === undefined) throw new TypeError("no membership");
    fixture.fanout(new Publication("vitals", [1], key), { to: "group", key, hub: undefined });
    const next = asSocket(await comeBack(peer));
    fixture.clock.endTurn();
    expect(text(next.written)).toBe("from 1\nvitals([1])\n");
  });

  it("is not resumed while it would say again what a group said that it left", async () => {
    const fixture = createFixture();
    const ward = groupOf(template("ward/{ward}", allowAll), { ward: "icu" });
    const peer = connect(fixture);
    await fixture.groups.join(peer.connection, ward);
    const [key] = peer.connection.memberships.keys();
    if (key === undefined) throw new TypeError("no membership");
    fixture.fanout(new Publication("vitals", [1], key), { to: "group", key, hub: undefined });
    fixture.clock.endTurn();
    peer.socket.end();
    fixture.groups.leave(peer.connection, ward);
    expect(await comeBack(peer)).toBe("refused");
  });

  it("ends when a group is left while its frames are being said again: the count would be wrong", async () => {
    const fixture = createFixture();
    const ward = groupOf(template("ward/{ward}", allowAll), { ward: "icu" });
    const peer = connect(fixture);
    await fixture.groups.join(peer.connection, ward);
    const [key] = peer.connection.memberships.keys();
    if (key === undefined) throw new TypeError("no membership");
    fixture.fanout(new Publication("vitals", [1], key), { to: "group", key, hub: undefined });
    fixture.clock.endTurn();
    peer.socket.end();
    const next = asSocket(await comeBack(peer));
    fixture.groups.leave(peer.connection, ward);
    expect(next.closed?.reason).toBe("not_found;action=reconnect");
    expect(text(next.written)).not.toContain("vitals");
  });
});
