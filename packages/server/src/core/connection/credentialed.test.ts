import { MemorySocket } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import {
  admissionOf,
  bytes,
  createFixture,
  text,
  times,
  type Fixture,
  type Peer,
  type PeerOptions,
} from "../../../test/connection-fixture.js";
import { allowAll, deferred, groupOf, policy, requirement, template } from "../../../test/hub-fixture.js";
import { readInstant } from "../clock.js";
import { declareTemplate, groupKey, type GroupPlace, type GroupReference } from "../groups/group.js";
import type { Staff } from "../../../test/connection-fixture.js";
import { Publication } from "../publication.js";
import type { LapseReason, LifecycleEvent } from "./lifecycle.js";
import type { ReplayProtocol } from "./protocol-handler.js";

const LIVES_MS = 60_000;

const lapsing: Record<LapseReason, LifecycleEvent> = {
  token_expired: { type: "expiry-due" },
  reauth_required: { type: "claims-changed" },
  auth_unavailable: { type: "authority-lost" },
};
const reasons = Object.keys(lapsing) as LapseReason[];

const icu = groupOf(template("ward/{ward}", allowAll), { ward: "icu" });

class LineReplay implements ReplayProtocol {
  resumed(sequenceId: number): Uint8Array {
    return bytes(`from ${sequenceId}\n`);
  }
  takeAcknowledgement(): undefined {
    return undefined;
  }
}

/** One that has shown that it can refresh. */
function connect(fixture: Fixture, options: PeerOptions = {}): Peer {
  const peer = fixture.connect({ livesMs: LIVES_MS, ...options });
  peer.connection.apply({ type: "refresh-shown" });
  return peer;
}

function say({ connection }: Peer, event: string): void {
  connection.deliver(new Publication(event, [], undefined), undefined);
}

function tell(fixture: Fixture, event: string, reference: GroupReference<Staff> = icu): void {
  const key = groupKey(undefined, reference);
  fixture.fanout(new Publication(event, [], key), { to: "group", key, hub: undefined });
}

function answer({ connection }: Peer, words: string): void {
  connection.answer({ bytes: bytes(`${words}\n`), group: undefined });
}

function renew({ clock }: Fixture, { connection }: Peer, livesMs = LIVES_MS): boolean {
  return connection.replace(admissionOf({ expiresAt: clock.now() + livesMs }), "reauthenticated");
}

/** What it was told, notices left out. */
function heard(fixture: Fixture, { said }: Peer): string[] {
  while (fixture.clock.pendingTurn > 0) fixture.clock.endTurn();
  return said()
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("notice "));
}

function notices(fixture: Fixture, { said }: Peer): unknown[] {
  while (fixture.clock.pendingTurn > 0) fixture.clock.endTurn();
  return said()
    .split("\n")
    .filter((line) => line.startsWith("notice "))
    .map((line) => JSON.parse(line.slice(7)) as unknown);
}

function letTimePass({ clock }: Fixture, { connection }: Peer, ms: number): void {
  clock.block(ms);
  connection.due(readInstant(clock));
}

describe("a connection that lapses", () => {
  it("holds back what was queued and what is said later, answers meanwhile, and says it all in order when it is back", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    say(peer, "written");
    fixture.clock.endTurn();
    say(peer, "queued");
    letTimePass(fixture, peer, LIVES_MS);
    say(peer, "later");
    answer(peer, "refused");
    expect(heard(fixture, peer)).toEqual(["written([])", "refused"]);
    expect(renew(fixture, peer)).toBe(true);
    say(peer, "last");
    expect(heard(fixture, peer)).toEqual(["written([])", "refused", "queued([])", "later([])", "last([])"]);
    expect(fixture.reports).toEqual(["opened c1", "lapsed c1 token_expired", "restored c1"]);
  });

  it("does not let by what somebody says the moment they hear of it", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    peer.connection.signal.addEventListener("abort", () => say(peer, "aborted"));
    say(peer, "queued");
    peer.connection.apply({ type: "expiry-due" });
    expect(heard(fixture, peer)).toEqual([]);
    renew(fixture, peer);
    expect(heard(fixture, peer)).toEqual(["queued([])", "aborted([])"]);
  });

  it.each(reasons)(
    "is closed when its grace is over, with the reason it lapsed for, and hears nothing held: %s",
    (reason) => {
      const fixture = createFixture();
      const peer = connect(fixture);
      say(peer, "queued");
      peer.connection.apply(lapsing[reason]);
      expect([peer.connection.lapse, peer.connection.refusal()?.reason, peer.handler.turns]).toEqual([
        reason,
        reason,
        [`suspended ${reason}`],
      ]);
      letTimePass(fixture, peer, times.graceMs - 1);
      expect(peer.connection.isListening).toBe(true);
      letTimePass(fixture, peer, 1);
      say(peer, "late");
      expect(heard(fixture, peer)).toEqual([`bye ${reason}`]);
      expect([peer.socket.closed?.reason.split(";")[0], peer.socket.lateWrites]).toEqual([reason, 0]);
      expect(fixture.reports).toEqual(["opened c1", `lapsed c1 ${reason}`, "ended c1"]);
      expect([renew(fixture, peer), peer.connection.isActive]).toEqual([false, false]);
    },
  );

  it.each<[LapseReason, boolean]>([
    ["token_expired", false],
    ["reauth_required", false],
    ["auth_unavailable", true],
  ])(
    "has no grace where it never showed that it can refresh, but for the server's own trouble: %s",
    (reason, hasGrace) => {
      const fixture = createFixture();
      const peer = fixture.connect({ livesMs: LIVES_MS });
      say(peer, "queued");
      peer.connection.apply(lapsing[reason]);
      expect(heard(fixture, peer)).toEqual(hasGrace ? [] : [`bye ${reason}`]);
      expect(peer.connection.isListening).toBe(hasGrace);
    },
  );

  it("may lapse for its credential's end while nobody could say yes: its grace begins anew, its answers are not held", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    fixture.clock.block(LIVES_MS - 5_000);
    peer.connection.apply({ type: "authority-lost" });
    say(peer, "held");
    fixture.clock.endTurn();
    answer(peer, "refused");
    letTimePass(fixture, peer, 5_000);
    expect([peer.connection.lapse, heard(fixture, peer)]).toEqual(["token_expired", ["refused"]]);
    letTimePass(fixture, peer, times.graceMs - 1);
    expect(peer.connection.isListening).toBe(true);
    renew(fixture, peer);
    expect(heard(fixture, peer)).toEqual(["refused", "held([])"]);
    expect(fixture.reports).toEqual([
      "opened c1",
      "lapsed c1 auth_unavailable",
      "lapsed c1 token_expired",
      "restored c1",
    ]);
  });

  it("comes back by a recheck only from what a directory can mend", () => {
    for (const reason of reasons) {
      const fixture = createFixture();
      const peer = connect(fixture);
      const { admission, version } = peer.connection;
      peer.connection.apply(lapsing[reason]);
      expect(peer.connection.replace(admission, "rechecked")).toBe(true);
      expect(peer.connection.version).toBe(version + 1);
      expect(peer.connection.lapse).toBe(reason === "auth_unavailable" ? undefined : reason);
    }
  });

  it("has another standing and a signal that aborted; when it is back, one that has not", () => {
    const fixture = createFixture();
    const { connection } = connect(fixture);
    const before = connection.signal;
    connection.apply({ type: "expiry-due" });
    expect([before.aborted, connection.signal.aborted, connection.standing]).toEqual([true, true, 1]);
    renew(fixture, { connection } as Peer);
    const after = connection.signal;
    expect([before.aborted, after.aborted, connection.signal === after, connection.standing]).toEqual([
      true,
      false,
      true,
      1,
    ]);
    connection.apply({ type: "revoked", reason: "session_revoked" });
    expect([after.aborted, connection.signal.aborted, connection.standing]).toEqual([true, true, 2]);
  });

  it("keeps its signal and its standing where it is only somebody else's from now on", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    const { signal, version } = peer.connection;
    renew(fixture, peer, 10 * LIVES_MS);
    expect([peer.connection.signal === signal, signal.aborted]).toEqual([true, false]);
    expect([peer.connection.standing, peer.connection.version]).toEqual([0, version + 1]);
    expect(peer.handler.turns).toEqual(["replaced"]);
    expect(peer.connection.remainingMs).toBe(10 * LIVES_MS);
  });

  it("is over before it is brought back in the same turn: what is over stays over, whoever comes first", () => {
    const late = (): [Fixture, Peer] => {
      const fixture = createFixture();
      const peer = connect(fixture);
      peer.connection.apply({ type: "claims-changed" });
      // The loop was blocked: no timer has run.
      fixture.clock.block(times.graceMs);
      return [fixture, peer];
    };
    const [fixture, peer] = late();
    expect([renew(fixture, peer), peer.socket.closed?.reason.split(";")[0]]).toEqual([false, "reauth_required"]);
    const [, other] = late();
    other.socket.peerSends(bytes("again"));
    expect([other.handler.heard, other.connection.isListening]).toEqual([[], false]);
  });

  it("greets first, also where its credential ends before anything has left", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    peer.connection.outbox.push({ bytes: bytes("hello"), group: undefined, isGreeting: true });
    say(peer, "queued");
    peer.connection.apply({ type: "expiry-due" });
    peer.connection.answer({ bytes: bytes("refused"), group: undefined });
    fixture.clock.endTurn();
    expect(peer.said()).toMatch(/^hello.*refused$/s);
    expect(peer.said()).not.toContain("queued");
    expect(renew(fixture, peer)).toBe(true);
    fixture.clock.endTurn();
    expect(peer.said()).toMatch(/^hello.*refused.*queued/s);
  });

  it("lapses first, by the clocks as they are, when its credential ended behind a blocked loop", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    say(peer, "queued");
    fixture.clock.block(LIVES_MS);
    expect(renew(fixture, peer)).toBe(true);
    expect(fixture.reports).toEqual(["opened c1", "lapsed c1 token_expired", "restored c1"]);
    const stock = fixture.connect({ livesMs: LIVES_MS });
    fixture.clock.block(LIVES_MS);
    expect([renew(fixture, stock), stock.socket.closed?.code]).toEqual([false, 4401]);
  });

  it("is not reported as back when that was too much for it", () => {
    const fixture = createFixture({ outbox: { maxBytes: 1_024, maxHeldBytes: 1_024 } });
    const peer = connect(fixture);
    for (let count = 0; count < 7; count++) peer.connection.send({ bytes: new Uint8Array(100), group: undefined });
    fixture.clock.endTurn();
    peer.connection.apply({ type: "expiry-due" });
    for (let count = 0; count < 20; count++) say(peer, "x".repeat(40));
    renew(fixture, peer);
    expect(fixture.reports).toEqual(["opened c1", "lapsed c1 token_expired", "ended c1"]);
    expect(peer.connection.refusal()?.reason).toBe("slow_consumer");
  });

  it("drops the oldest of what it cannot hold, and tells those who asked how many", () => {
    const fixture = createFixture({ outbox: { maxHeldBytes: 30 } });
    const peer = connect(fixture);
    peer.connection.subscribe();
    peer.connection.apply({ type: "expiry-due" });
    for (const event of ["aaaaaa", "bbbbbb", "cccccc", "dddddd"]) say(peer, event);
    renew(fixture, peer);
    expect(heard(fixture, peer)).toEqual(["cccccc([])", "dddddd([])"]);
    expect(notices(fixture, peer).at(-1)).toEqual({ kind: "gap", dropped: 2, groups: [] });
    const silent = connect(createFixture({ outbox: { maxHeldBytes: 30 } }));
    expect(silent.said()).not.toContain("gap");
  });

  it("holds back what its outbox held, and tells with the gap what that had dropped, and in which groups", async () => {
    const ward = groupOf({ ...template("vitals/{ward}", allowAll), whenSlow: "drop-oldest" }, { ward: "icu" });
    declareTemplate(ward.template);
    const fixture = createFixture({ outbox: { maxBytes: 4_096, maxHeldBytes: 4_000 } });
    const peer = connect(fixture);
    peer.connection.subscribe();
    await fixture.groups.join(peer.connection, ward);
    const key = groupKey(undefined, ward);
    const tellWard = (beat: number): void => {
      const said = new Publication("beat", [beat, "x".repeat(900)], key, ward);
      fixture.fanout(said, { to: "group", key, hub: undefined });
    };
    for (let beat = 1; beat <= 10; beat++) tellWard(beat);
    peer.connection.apply({ type: "expiry-due" });
    for (let beat = 11; beat <= 12; beat++) tellWard(beat);
    renew(fixture, peer);
    fixture.groups.judgeAgain(peer.connection);
    const said = heard(fixture, peer).filter((line) => line.startsWith("beat"));
    expect(said.map((line) => Number(/\d+/.exec(line)?.[0]))).toEqual([9, 10, 11, 12]);
    expect(notices(fixture, peer).at(-1)).toEqual({ kind: "gap", dropped: 8, groups: ["vitals/icu"] });
  });

  it("is told of all that is missing in a group that is withheld, what had to make room before included", async () => {
    const ward = groupOf({ ...template("vitals/{ward}", allowAll), whenSlow: "drop-oldest" }, { ward: "icu" });
    declareTemplate(ward.template);
    const fixture = createFixture({ outbox: { maxBytes: 4_096, maxHeldBytes: 4_000 } });
    const peer = connect(fixture);
    peer.connection.subscribe();
    await fixture.groups.join(peer.connection, ward);
    const key = groupKey(undefined, ward);
    for (let beat = 1; beat <= 10; beat++) {
      const said = new Publication("beat", [beat, "x".repeat(900)], key, ward);
      fixture.fanout(said, { to: "group", key, hub: undefined });
    }
    peer.connection.withhold(key);
    peer.connection.sayHeld();
    expect(heard(fixture, peer).filter((line) => line.startsWith("beat"))).toEqual([]);
    expect(notices(fixture, peer).at(-1)).toEqual({ kind: "gap", dropped: 10, groups: ["vitals/icu"] });
  });

  it("hears in its protocol's own words where a gap is, of a hundred groups at most, and of all that is missing", async () => {
    const fixture = createFixture({ outbox: { maxHeldBytes: 30 }, maxGroups: 150 });
    const peer = connect(fixture);
    Object.assign(peer.handler, { nameOf: ({ values }: GroupPlace) => `<${values["ward"]}>` });
    peer.connection.subscribe();
    const ward = template("ward/{ward}", allowAll);
    const groups = Array.from({ length: 120 }, (_, number) => groupOf(ward, { ward: String(number) }));
    for (const group of groups) await fixture.groups.join(peer.connection, group);
    peer.connection.apply({ type: "expiry-due" });
    for (const group of groups) tell(fixture, "x".repeat(30), group);
    renew(fixture, peer);
    fixture.groups.judgeAgain(peer.connection);
    heard(fixture, peer);
    const names = Array.from({ length: 100 }, (_, number) => `<${number}>`);
    expect(notices(fixture, peer).at(-1)).toEqual({ kind: "gap", dropped: 119, groups: names });
  });

  it("does not hear of a gap in a group that it left before it could be told", async () => {
    const fixture = createFixture({ outbox: { maxHeldBytes: 560 } });
    const peer = connect(fixture);
    peer.connection.subscribe();
    await fixture.groups.join(peer.connection, icu);
    peer.connection.hold();
    peer.connection.apply({ type: "expiry-due" });
    // Two of them are held, with room for a notice in front.
    for (const event of ["a", "b", "c", "d"]) tell(fixture, event.repeat(200));
    renew(fixture, peer);
    peer.connection.apply({ type: "claims-changed" });
    fixture.groups.leave(peer.connection, icu);
    renew(fixture, peer);
    peer.connection.release();
    expect(notices(fixture, peer).at(-1)).toMatchObject({ kind: "expired" });
    expect(peer.said()).not.toContain('"gap"');
  });

  it("is told that it expired, why, and how long it has, whether it asked or not", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    peer.connection.apply({ type: "expiry-due" });
    expect(notices(fixture, peer)).toEqual([
      { kind: "expired", reason: expect.stringMatching(/^token_expired/) as unknown, graceSeconds: 10 },
    ]);
  });
});

describe("what a lapse holds for a group", () => {
  async function joined(fixture: Fixture, reference: GroupReference<Staff> = icu): Promise<Peer> {
    const peer = connect(fixture);
    await fixture.groups.join(peer.connection, reference);
    return peer;
  }

  it("is said again once the membership was judged for who came back, and not before", async () => {
    const fixture = createFixture();
    const peer = await joined(fixture);
    tell(fixture, "queued");
    peer.connection.apply({ type: "expiry-due" });
    tell(fixture, "later");
    say(peer, "own");
    renew(fixture, peer);
    expect(heard(fixture, peer)).toEqual(["own([])"]);
    fixture.groups.judgeAgain(peer.connection);
    expect(heard(fixture, peer)).toEqual(["own([])", "queued([])", "later([])"]);
  });

  it("is dropped with the membership: refused, or left meanwhile", async () => {
    let isAllowed = true;
    const moody = groupOf(template("moody", requirement(policy("Moody", () => isAllowed))));
    const fixture = createFixture();
    const peer = await joined(fixture, moody);
    await fixture.groups.join(peer.connection, icu);
    tell(fixture, "queued", moody);
    tell(fixture, "queued");
    peer.connection.apply({ type: "expiry-due" });
    tell(fixture, "later", moody);
    fixture.groups.leave(peer.connection, icu);
    isAllowed = false;
    renew(fixture, peer);
    fixture.groups.judgeAgain(peer.connection);
    expect([heard(fixture, peer), fixture.groups.size]).toEqual([[], 0]);
  });

  it("is gone at the end", async () => {
    const fixture = createFixture();
    const peer = await joined(fixture);
    tell(fixture, "queued");
    peer.connection.apply({ type: "expiry-due" });
    peer.connection.apply({ type: "drained" });
    expect(heard(fixture, peer)).toEqual(["bye going_away"]);
  });
});

describe("a lapse while the connection is held for its greeting", () => {
  it("holds what waited behind the greeting, lets no answer by, and goes on in order", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    say(peer, "greeting");
    peer.connection.hold();
    say(peer, "behind");
    letTimePass(fixture, peer, LIVES_MS);
    answer(peer, "refused");
    expect(heard(fixture, peer)).toEqual(["greeting([])"]);
    renew(fixture, peer);
    expect(heard(fixture, peer)).toEqual(["greeting([])"]);
    peer.connection.release();
    expect(heard(fixture, peer)).toEqual(["greeting([])", "refused", "behind([])"]);
  });

  it("answers when it is let go while the credential is still over", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    peer.connection.hold();
    say(peer, "behind");
    letTimePass(fixture, peer, LIVES_MS);
    answer(peer, "refused");
    peer.connection.release();
    expect(heard(fixture, peer)).toEqual(["refused"]);
    letTimePass(fixture, peer, times.graceMs);
    expect(heard(fixture, peer)).toEqual(["refused", "bye token_expired"]);
  });
});

describe("a lapse of a connection that may outlive its transport", () => {
  function resumable(fixture: Fixture): Peer {
    const peer = connect(fixture);
    peer.connection.keepForReplay(new LineReplay(), 1_000);
    return peer;
  }

  async function comeBack({ connection }: Peer): Promise<MemorySocket | string | undefined> {
    const outcome = await connection.resumption?.reclaim();
    if (outcome !== "ready") return outcome;
    const socket = new MemorySocket();
    return socket.listen(connection.resumption?.attach(socket, undefined) ?? connection);
  }

  it("ends when its transport is lost, and is not resumed", async () => {
    const fixture = createFixture();
    const peer = resumable(fixture);
    say(peer, "a");
    peer.connection.apply({ type: "expiry-due" });
    peer.socket.end();
    expect(fixture.reports).toEqual(["opened c1", "lapsed c1 token_expired", "ended c1", "released c1 token_expired"]);
    expect(await comeBack(peer)).toBe("refused");
  });

  it("is not taken from its transport meanwhile, whoever asks", async () => {
    const fixture = createFixture();
    const peer = resumable(fixture);
    peer.connection.apply({ type: "expiry-due" });
    expect([await comeBack(peer), peer.socket.isReset]).toEqual(["refused", false]);
  });

  it("may not be resumed afterwards before the peer has acknowledged what it may have seen", async () => {
    const fixture = createFixture();
    const peer = resumable(fixture);
    say(peer, "seen");
    fixture.clock.endTurn();
    say(peer, "held");
    peer.connection.apply({ type: "expiry-due" });
    renew(fixture, peer);
    expect(heard(fixture, peer)).toEqual(["seen([])", "held([])"]);
    expect(await comeBack(peer)).toBe("refused");
    peer.connection.acknowledged(1);
    peer.socket.end();
    const next = await comeBack(peer);
    fixture.clock.endTurn();
    // The notice that it had expired has a number as well.
    expect(next instanceof MemorySocket && text(next.written)).toMatch(/^from 2\nnotice .*\nheld\(\[\]\)\n$/);
  });

  it("ends where it is cut into a replay: its peer would count wrong", async () => {
    const fixture = createFixture();
    const peer = resumable(fixture);
    say(peer, "a");
    fixture.clock.endTurn();
    peer.socket.end();
    const next = await comeBack(peer);
    peer.connection.apply({ type: "expiry-due" });
    fixture.clock.endTurn();
    expect(next instanceof MemorySocket && text(next.written)).toBe("from 1\nbye not_found\n");
    expect(fixture.reports).toEqual(["opened c1", "detached c1", "resumed c1 1", "ended c1"]);
  });

  it("takes another principal while it has no transport, and goes on by the new credential's time", async () => {
    const fixture = createFixture();
    const peer = resumable(fixture);
    peer.socket.end();
    fixture.clock.block(1_000);
    expect(renew(fixture, peer, 3 * LIVES_MS)).toBe(true);
    say(peer, "kept");
    const next = await comeBack(peer);
    letTimePass(fixture, peer, LIVES_MS);
    fixture.clock.endTurn();
    expect([peer.connection.isActive, peer.connection.remainingMs]).toEqual([true, 2 * LIVES_MS]);
    expect(next instanceof MemorySocket && text(next.written)).toBe("from 1\nkept([])\n");
  });

  it("ends, and does not lapse, when its credential ends while it has no transport", async () => {
    const fixture = createFixture();
    const peer = resumable(fixture);
    peer.socket.end();
    say(peer, "kept");
    fixture.clock.block(LIVES_MS);
    expect([renew(fixture, peer), await comeBack(peer)]).toEqual([false, "refused"]);
    expect(fixture.reports.at(-1)).toBe("released c1 token_expired");
  });

  it("is warned when it is back, in the words of then, of what came due while it was away", async () => {
    const fixture = createFixture();
    const peer = resumable(fixture);
    peer.socket.end();
    letTimePass(fixture, peer, 50_000);
    fixture.clock.block(2_000);
    const next = await comeBack(peer);
    fixture.clock.endTurn();
    const warning = JSON.stringify({ kind: "expiring", expiresInSeconds: 8 });
    expect(next instanceof MemorySocket && text(next.written)).toBe(`from 1\nnotice ${warning}\n`);
  });
});

describe("the warning that a credential ends soon", () => {
  it("is given once, with the whole seconds that are left", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    letTimePass(fixture, peer, 47_999);
    expect(notices(fixture, peer)).toEqual([]);
    letTimePass(fixture, peer, 1_500);
    letTimePass(fixture, peer, 500);
    expect(notices(fixture, peer)).toEqual([{ kind: "expiring", expiresInSeconds: 10 }]);
  });

  it("is given behind the handshake that came after it, and not for a credential that was replaced", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ livesMs: 20_000, isOpen: false });
    letTimePass(fixture, peer, 17_000);
    expect(notices(fixture, peer)).toEqual([]);
    peer.connection.apply({ type: "handshake-completed" });
    expect(notices(fixture, peer)).toEqual([{ kind: "expiring", expiresInSeconds: 3 }]);
  });
});

describe("a revocation", () => {
  const phases = {
    handshaking: (fixture: Fixture) => fixture.connect({ isOpen: false }),
    active: (fixture: Fixture) => connect(fixture),
    lapsed(fixture: Fixture) {
      const peer = connect(fixture);
      peer.connection.apply({ type: "expiry-due" });
      return peer;
    },
    detached(fixture: Fixture) {
      const peer = connect(fixture);
      peer.connection.keepForReplay(new LineReplay(), 1_000);
      peer.socket.end();
      return peer;
    },
    closing(fixture: Fixture) {
      const peer = connect(fixture);
      peer.connection.apply({ type: "drained" });
      return peer;
    },
    closed(fixture: Fixture) {
      const peer = connect(fixture);
      peer.socket.end();
      return peer;
    },
  };

  it.each<[keyof typeof phases, string | undefined, string]>([
    ["handshaking", "session_revoked", "session_revoked"],
    ["active", "session_revoked", "session_revoked"],
    ["lapsed", "session_revoked", "session_revoked"],
    ["detached", undefined, "session_revoked"],
    // The first reason stands.
    ["closing", "going_away", "going_away"],
    ["closed", undefined, "normal"],
  ])("ends a connection that is %s for good, and says nothing of what was queued or held", (phase, said, refusal) => {
    const fixture = createFixture();
    const peer = phases[phase](fixture);
    const before = peer.said();
    say(peer, "queued");
    peer.connection.apply({ type: "revoked", reason: "session_revoked" });
    say(peer, "late");
    expect([renew(fixture, peer), peer.connection.refusal()?.reason]).toEqual([false, refusal]);
    expect(peer.socket.closed?.reason.split(";")[0]).toBe(said);
    while (fixture.clock.pendingTurn > 0) fixture.clock.endTurn();
    expect(peer.said().slice(before.length)).not.toMatch(/queued|late/);
    expect(peer.connection.signal.aborted).toBe(true);
  });

  it.each<[keyof typeof phases, string]>([
    ["handshaking", "handshake_required"],
    ["active", "may"],
    ["lapsed", "token_expired"],
    ["detached", "may"],
    // A command's event is not lost with the caller's network.
    ["closing", "may"],
    ["closed", "may"],
  ])("apart, one that is %s may speak for its principal: %s", (phase, expected) => {
    const { connection } = phases[phase](createFixture());
    expect(speaks(connection)).toBe(expected);
  });

  it.each<[string, string, (peer: Peer, fixture: Fixture) => void]>([
    [
      "was revoked",
      "session_revoked",
      ({ connection }) => connection.apply({ type: "revoked", reason: "session_revoked" }),
    ],
    [
      "lapsed, whatever ended it then",
      "going_away",
      ({ connection }) => {
        connection.apply({ type: "expiry-due" });
        connection.apply({ type: "drained" });
      },
    ],
    [
      "lapsed, and lost its socket",
      "normal",
      ({ connection, socket }) => {
        connection.apply({ type: "claims-changed" });
        socket.end();
      },
    ],
    [
      "ended, and its credential afterwards",
      "normal",
      ({ socket }, { clock }) => {
        socket.end();
        clock.block(LIVES_MS);
      },
    ],
  ])("and a lapse silence it also after its end: it %s", (_, expected, end) => {
    const fixture = createFixture();
    const peer = connect(fixture);
    end(peer, fixture);
    expect(speaks(peer.connection)).toBe(expected);
  });

  it("does not silence one that came back before it ended", () => {
    const fixture = createFixture();
    const peer = connect(fixture);
    peer.connection.apply({ type: "expiry-due" });
    renew(fixture, peer);
    peer.socket.end();
    expect(speaks(peer.connection)).toBe("may");
  });
});

function speaks(connection: Peer["connection"]): string {
  try {
    connection.assertMaySpeak();
    return "may";
  } catch (error) {
    return error instanceof HubwardError ? error.reason : String(error);
  }
}

describe("a verdict that is still out when a connection is somebody else's", () => {
  it("keeps what the group is told waiting, and neither side of it out of order", async () => {
    const [slow, slower] = [deferred<boolean>(), deferred<boolean>()];
    let isFirst = true;
    const rule = (verdict: typeof slow) => requirement(policy("Slow", () => (isFirst ? true : verdict.promise)));
    const [one, other] = [groupOf(template("one", rule(slow))), groupOf(template("other", rule(slower)))];
    const fixture = createFixture();
    const peer = connect(fixture);
    await fixture.groups.join(peer.connection, one);
    await fixture.groups.join(peer.connection, other);
    isFirst = false;
    renew(fixture, peer);
    const judged = fixture.groups.judgeAgain(peer.connection);
    tell(fixture, "1", one);
    tell(fixture, "2", other);
    expect(heard(fixture, peer)).toEqual([]);
    slow.resolve(true);
    await new Promise((resolve) => setImmediate(resolve));
    tell(fixture, "3", one);
    expect(heard(fixture, peer)).toEqual(["1([])", "3([])"]);
    slower.resolve(true);
    await judged;
    tell(fixture, "4", other);
    expect(heard(fixture, peer)).toEqual(["1([])", "3([])", "2([])", "4([])"]);
  });
});
