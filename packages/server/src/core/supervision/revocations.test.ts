import { createFakeClock, recordingTelemetry, testAuthentication, type FakeClock } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { createMemoryRevocationLog } from "../../memory/revocation-log.js";
import { systemRandom } from "../../platform/system-crypto.js";
import { deferred } from "../../../test/hub-fixture.js";
import type { Authentication } from "../auth/authentication.js";
import type { RevocationListener, RevocationLog, RevocationPage } from "../auth/revocation-log.js";
import { createRevocation } from "../auth/revocation-record.js";
import type { LapseReason, LifecycleEvent } from "../connection/lifecycle.js";
import type { EpochMs } from "../clock.js";
import type { ConnectionId } from "../ids.js";
import { createRevocations, type RevocableConnection } from "./revocations.js";

const ISSUER = "https://issuer.example";

/** As much of a connection as is asked of one: it lapses and closes as it is told. */
class Peer implements RevocableConnection {
  readonly hub = "/hubs/ward";
  readonly events: LifecycleEvent[] = [];
  readonly id: ConnectionId;
  readonly authentication: Authentication;
  lapse: LapseReason | undefined;
  isListening = true;
  fails = false;

  constructor(session: string, issuedAt: number) {
    this.id = `c-${session}` as ConnectionId;
    this.authentication = testAuthentication({ sessionId: session, issuedAt, expiresAt: issuedAt + 60_000 });
  }

  apply(event: LifecycleEvent): void {
    if (this.fails) throw new Error("an observer of it failed");
    this.events.push(event);
    if (event.type === "authority-lost") this.lapse = "auth_unavailable";
    if (event.type === "revoked") this.isListening = false;
  }
}

type Reading = (after: number) => Promise<RevocationPage>;

function createFixture(read?: Reading) {
  const clock: FakeClock = createFakeClock();
  const telemetry = recordingTelemetry();
  const inner = createMemoryRevocationLog({ clock, random: systemRandom });
  const listeners = new Set<RevocationListener>();
  const source = { read: read ?? ((after: number) => inner.read(after)) };
  const log: RevocationLog = {
    ...inner,
    read: (after) => source.read(after),
    subscribe(listener) {
      listeners.add(listener);
      const end = inner.subscribe(listener);
      return () => {
        listeners.delete(listener);
        end();
      };
    },
  };
  const revocations = createRevocations({
    log,
    clock,
    telemetry: telemetry.telemetry,
    maxTokenAgeMs: 3_600_000,
    skewMs: 1_000,
    isLogNew: false,
  });
  const peers: Peer[] = [];
  const confirmed: RevocableConnection[] = [];
  revocations.join({
    connections: () => peers,
    confirm(connection) {
      (connection as Peer).lapse = undefined;
      confirmed.push(connection);
    },
  });
  function admit(session: string): Peer {
    const peer = new Peer(session, clock.now());
    revocations.check.assertWelcome(peer.authentication);
    peers.push(peer);
    return peer;
  }
  const entryOf = (sessionId: string) =>
    createRevocation(
      { kind: "end", target: { type: "session", tenant: undefined, issuer: ISSUER, sessionId } },
      { now: clock.now(), maxTokenAgeMs: 3_600_000 },
    );
  return {
    clock,
    telemetry,
    log: inner,
    source,
    listeners,
    revocations,
    confirmed,
    admit,
    entryOf,
    interrupt: () => listeners.forEach((listener) => listener.interrupted(new Error("the bus broke"))),
    refusal: ({ authentication, id }: Peer) => revocations.check.refusal(authentication, id)?.reason,
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a log that cannot be read", () => {
  it("keeps the doors shut, is asked again ever more slowly, and is told of each time", async () => {
    let asked = 0;
    const fixture = createFixture(async () => {
      asked++;
      throw new Error("the disk is away");
    });
    const ready = fixture.revocations.ready();
    const askedAfter: number[] = [];
    for (const ms of [0, 100, 200, 400, 800, 1_600, 3_200]) {
      fixture.clock.advance(ms);
      await settle();
      askedAfter.push(asked);
    }
    expect(askedAfter).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(() => fixture.admit("s")).toThrow(/auth_unavailable.*retry_after=1/);
    expect(fixture.telemetry.of("revocation.unavailable")).toHaveLength(7);
    fixture.source.read = (after) => fixture.log.read(after);
    fixture.clock.advance(5_000);
    await ready;
    expect(fixture.refusal(fixture.admit("s"))).toBeUndefined();
  });

  it.each<[string, Reading]>([
    ["does not come forward", () => Promise.resolve({ logId: "a", entries: [], upTo: 0, head: 5 })],
    [
      "becomes another one meanwhile",
      (after) => Promise.resolve({ logId: after === 0 ? "a" : "b", entries: [], upTo: after + 1, head: 3 }),
    ],
  ])("because it %s lets nobody in", async (_, read) => {
    const fixture = createFixture(read);
    await settle();
    expect(() => fixture.admit("s")).toThrow(/auth_unavailable/);
    expect(fixture.telemetry.of("revocation.unavailable")).toHaveLength(1);
  });

  it("when all is over, whoever waits for it is told", async () => {
    const { revocations, clock } = createFixture(() => Promise.reject(new Error("away")));
    const ready = revocations.ready();
    revocations.stop();
    await expect(ready).rejects.toThrow(/auth_unavailable/);
    await expect(revocations.ready()).rejects.toThrow(/auth_unavailable/);
    await settle();
    clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });
});

describe("an entry", () => {
  it("told while the log is read counts, and so does one that only the pages hold", async () => {
    const page = deferred<undefined>();
    const fixture = createFixture();
    await fixture.revocations.ready();
    await fixture.log.append(fixture.entryOf("known"));
    const inner = fixture.source.read;
    fixture.source.read = async (after) => {
      const read = await inner(after);
      await page.promise;
      return read;
    };
    fixture.interrupt();
    await fixture.log.append(fixture.entryOf("meanwhile"));
    page.resolve(undefined);
    await fixture.revocations.ready();
    for (const session of ["known", "meanwhile"]) expect(() => fixture.admit(session)).toThrow(/session_revoked/);
    expect(fixture.refusal(fixture.admit("other"))).toBeUndefined();
  });

  it("of somebody else's, told by the log, shuts whom it is about", async () => {
    const fixture = createFixture();
    await fixture.revocations.ready();
    const [ann, bob] = [fixture.admit("ann"), fixture.admit("bob")];
    await fixture.log.append(fixture.entryOf("ann"));
    expect(ann.events).toEqual([{ type: "revoked", reason: "session_revoked" }]);
    expect(bob.events).toEqual([]);
    expect(fixture.telemetry.of("revocation.applied")).toMatchObject([{ number: 1, matched: 1 }]);
  });

  it("of somebody else's shuts whom it is about beside one of our own that reaches less far, of the same moment", async () => {
    const fixture = createFixture();
    await fixture.revocations.ready();
    const ann = fixture.admit("ann");
    const now = fixture.clock.now();
    const scope = { type: "subject", issuer: ISSUER, subject: ann.authentication.subject } as const;
    const until = (before: number) => ({ type: "issued-before", before: before as EpochMs, scope }) as const;
    const ours = fixture.revocations.revoke({ kind: "end", target: until(now - 10_000) });
    expect(ann.events).toEqual([]);
    await fixture.log.append(
      createRevocation({ kind: "end", target: until(now) }, { now, maxTokenAgeMs: 3_600_000, skewMs: 1_000 }),
    );
    expect(ann.events).toEqual([{ type: "revoked", reason: "session_revoked" }]);
    expect(await ours).toMatchObject({ matched: 0 });
  });

  it("shuts the others where one connection fails to close", async () => {
    const fixture = createFixture();
    await fixture.revocations.ready();
    const [first, second] = [fixture.admit("ann"), fixture.admit("ann")];
    first.fails = true;
    void fixture.revocations.revoke({ kind: "end", target: fixture.entryOf("ann").target });
    expect(second.events).toHaveLength(1);
    expect(fixture.telemetry.of("application.failed")).toMatchObject([{ where: "revocation", connectionId: "c-ann" }]);
  });

  it("is forgotten when no token can be alive that it stands against", async () => {
    const fixture = createFixture();
    await fixture.revocations.ready();
    await fixture.revocations.revoke({ kind: "end", target: fixture.entryOf("ann").target });
    const late = fixture.clock.now() + 3_601_000;
    fixture.clock.stepWallClock(3_601_000 - 1_000);
    fixture.clock.advance(999);
    expect(() => fixture.admit("ann")).toThrow(/session_revoked/);
    fixture.clock.advance(1_001);
    expect(fixture.clock.now()).toBeGreaterThanOrEqual(late);
    expect(fixture.refusal(fixture.admit("ann"))).toBeUndefined();
  });
});

describe("entries that may have been missed", () => {
  it("shut the doors at once and leave live connections alone for five seconds; then nobody goes on unjudged", async () => {
    const fixture = createFixture();
    await fixture.revocations.ready();
    const [ann, bob] = [fixture.admit("ann"), fixture.admit("bob")];
    fixture.source.read = () => Promise.reject(new HubwardError("auth_unavailable"));
    fixture.interrupt();
    expect(fixture.refusal(ann)).toBe("auth_unavailable");
    fixture.clock.advance(4_999);
    await settle();
    expect([ann.events, bob.events]).toEqual([[], []]);
    fixture.clock.advance(1);
    expect([ann.events, bob.events]).toEqual([[{ type: "authority-lost" }], [{ type: "authority-lost" }]]);

    // Another process's doing, which nobody told of.
    await fixture.log.append(fixture.entryOf("ann"));
    ann.events.length = 0;
    fixture.source.read = (after) => fixture.log.read(after);
    fixture.clock.advance(5_000);
    await fixture.revocations.ready();
    await settle();
    expect(ann.events).toMatchObject([{ type: "revoked", reason: "session_revoked" }]);
    expect(fixture.confirmed).toEqual([bob]);
    expect(fixture.refusal(bob)).toBeUndefined();
  });

  it("and were not: live connections never hear of it", async () => {
    const fixture = createFixture();
    await fixture.revocations.ready();
    const ann = fixture.admit("ann");
    fixture.interrupt();
    await fixture.revocations.ready();
    await settle();
    fixture.clock.advance(60_000);
    expect(ann.events).toEqual([]);
    expect(fixture.confirmed).toEqual([]);
  });

  it("of a log that is another one now: what was known of numbers says nothing, and tokens are judged by theirs", async () => {
    const fixture = createFixture();
    await fixture.revocations.ready();
    for (let index = 0; index < 5; index++) await fixture.log.append(fixture.entryOf(`old-${index}`));
    const ann = fixture.admit("ann");
    const other = createMemoryRevocationLog({ clock: fixture.clock, random: systemRandom });
    await other.append(
      createRevocation(
        { kind: "claims-changed", target: { type: "all" } },
        { now: fixture.clock.now(), maxTokenAgeMs: 3_600_000 },
      ),
    );
    fixture.source.read = (after) => other.read(after);
    fixture.interrupt();
    await fixture.revocations.ready();
    await settle();
    expect(ann.events).toEqual([{ type: "claims-changed" }]);
    expect(fixture.refusal(ann)).toBe("reauth_required");
  });
});
