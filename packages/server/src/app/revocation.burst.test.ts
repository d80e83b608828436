import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createApp, type AppPeer } from "../../test/app-fixture.js";
import type { Clock } from "../core/clock.js";
import type { ConnectionId } from "../core/ids.js";

const HUB = "/hubs/ward";
const PEOPLE = 40;

/** Its time passes by itself while it is told to: a millisecond at each look, as if every step took as long. */
function createBusyClock() {
  const fake = createFakeClock();
  let spentMs = 0;
  let isBusy = false;
  const clock: Clock = {
    now: () => fake.now(),
    monotonic: () => (fake.monotonic() + (isBusy ? spentMs++ : spentMs)) as ReturnType<Clock["monotonic"]>,
    after: (delayMs, run) => fake.after(delayMs, run),
    endOfTurn: (run) => fake.endOfTurn(run),
  };
  return {
    clock,
    fake,
    /** Does something that takes its time. */
    busy<T>(work: () => T): T {
      isBusy = true;
      const done = work();
      isBusy = false;
      return done;
    },
    endTurns(): void {
      while (fake.pendingTurn > 0) fake.endTurn();
    },
  };
}

/** A tenant with so many people that what their end leaves behind waits for its turn, and one person of another. */
async function createTenants() {
  const time = createBusyClock();
  const fixture = createApp({ clock: time.clock });
  const { app, tokenOf } = fixture;
  const anyone = app.policy("Anyone", () => true);
  const ward = app.group("ward", {}).allow(anyone);
  const departed: string[] = [];
  const signals: AbortSignal[] = [];
  app
    .hub(HUB)
    .allow(anyone)
    .disconnected(({ principal }) => void departed.push(principal.subject))
    .methods((m) => ({
      Join: m.handle((call) => call.groups.join(ward())),
      Wait: m.handle(({ signal }) => {
        signals.push(signal);
        return new Promise(() => undefined);
      }),
    }));
  const peers: AppPeer[] = [];
  for (let index = 0; index < PEOPLE; index++) {
    const subject = `staff-${index}`;
    const peer = await fixture.connect(tokenOf({ subject, tenant: "general", livesMs: 60_000 }));
    await peer.call("Join");
    peers.push(peer);
  }
  const other = await fixture.connect(tokenOf({ subject: "other", tenant: "south", livesMs: 60_000 }));
  time.endTurns();
  for (const peer of peers) peer.hear();
  const ids = Array.from(app.tenant("general").connections(), ({ connectionId }) => connectionId);
  return { ...fixture, ...time, ward, peers, other, ids, departed, signals };
}

const suspend = (tenants: Awaited<ReturnType<typeof createTenants>>) =>
  tenants.busy(() => tenants.app.revoke({ tenant: "general" }));

describe("a revocation of very many", () => {
  it("leaves what it need not do at once for later, and nobody finds those it has shut meanwhile", async () => {
    const tenants = await createTenants();
    const { app, ward, peers, ids, endTurns } = tenants;
    const receipt = suspend(tenants);
    expect(app.connectionCount).toBeGreaterThan(PEOPLE / 2);
    const general = app.tenant("general");
    expect([...general.connections()]).toEqual([]);
    expect([general.groups.count(ward()), general.groups.members(ward()), general.groups.list()]).toEqual([0, [], []]);
    const last = { connection: ids.at(-1) as ConnectionId };
    expect(await general.groups.add(last, ward())).toEqual({ joined: 0, refused: [] });
    expect(await general.groups.add({ subject: `staff-${PEOPLE - 1}` }, ward())).toEqual({ joined: 0, refused: [] });
    expect(await general.groups.remove(last, ward())).toEqual({ removed: 0 });
    expect(await general.recheck(last)).toMatchObject({ matched: 0 });
    general.toAll().emit("note", "not for you");
    general.to(ward()).emit("note", "not for you");
    general.toPrincipal({ subject: `staff-${PEOPLE - 1}` }).emit("note", "not for you");
    endTurns();
    expect(app.connectionCount).toBe(1);
    for (const { socket } of peers) {
      expect(socket.closed?.code).toBe(4413);
      socket.end();
    }
    expect(await receipt).toMatchObject({ matched: PEOPLE, stillClosing: 0 });
    for (const peer of peers) expect(peer.hear().map(({ type }) => type)).toEqual([7]);
  });

  it("stops what runs for each of them before anything waits for its turn", async () => {
    const tenants = await createTenants();
    for (const peer of tenants.peers) await peer.call("Wait");
    expect(tenants.signals).toHaveLength(PEOPLE);
    void suspend(tenants);
    expect(tenants.signals.every(({ aborted }) => aborted)).toBe(true);
    expect(tenants.fake.pendingTurn).toBeGreaterThan(0);
  });

  it("forgets one whose socket goes first with its socket, and tells its departure once", async () => {
    const tenants = await createTenants();
    const { app, peers, departed, endTurns } = tenants;
    const receipt = suspend(tenants);
    for (const { socket } of peers) socket.end();
    expect(app.connectionCount).toBe(1);
    endTurns();
    await receipt;
    expect([app.connectionCount, departed.length, new Set(departed).size]).toEqual([1, PEOPLE, PEOPLE]);
  });

  it("does nothing about a credential that ends before its connection was forgotten", async () => {
    const tenants = await createTenants();
    const { app, peers, fake, endTurns, events } = tenants;
    void suspend(tenants);
    fake.advance(60_000);
    endTurns();
    expect(new Set(peers.map(({ socket }) => socket.closed?.code ?? "reset"))).toEqual(new Set([4413]));
    for (const { socket } of peers) socket.end();
    const reasons = events.flatMap((each) => (each.event === "connection.closed" ? [each.reason] : []));
    expect(reasons.filter((reason) => reason === "tenant_suspended")).toHaveLength(PEOPLE);
    expect(app.connectionCount).toBe(0);
  });

  it("has nobody left when the application is closed in the same moment", async () => {
    const tenants = await createTenants();
    const { app, peers, other, endTurns } = tenants;
    const receipt = suspend(tenants);
    const closed = app.close();
    for (const { socket } of [...peers, other]) socket.end();
    await closed;
    expect(app.connectionCount).toBe(0);
    endTurns();
    expect(await receipt).toMatchObject({ matched: PEOPLE, stillClosing: 0 });
  });
});
