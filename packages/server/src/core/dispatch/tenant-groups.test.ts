import { describe, expect, it } from "vitest";
import { createFixture, type Fixture, type Peer, type Staff } from "../../../test/connection-fixture.js";
import { allowAll, deferred, groupOf, policy, requirement, template } from "../../../test/hub-fixture.js";
import { assigned, groupKey, type GroupReference } from "../groups/group.js";
import type { ConnectionId } from "../ids.js";
import { Publication } from "../publication.js";
import { createTenantGroups, type GroupTarget, type TenantGroups } from "./tenant-groups.js";

const ISSUER = "https://issuer.example";
const team = groupOf(template("team/{team}", requirement(assigned)), { team: "night" });
const ownWard = policy<string>("OwnWard", ({ principal }, name) => principal.department === name);
const ward = groupOf(
  template(
    "ward/{ward}",
    requirement(ownWard, (values: { ward: string }) => values.ward),
  ),
  { ward: "icu" },
);

function groupsOf(fixture: Fixture, tenant?: string, issuer: string | undefined = ISSUER): TenantGroups<Staff> {
  return createTenantGroups(fixture, { tenant, issuer });
}

function say({ fanout }: Fixture, event: string, group: GroupReference<Staff>): void {
  const key = groupKey(undefined, group);
  fanout(new Publication(event, [], key), { to: "group", key, hub: undefined });
}

const by = ({ connection }: Peer): GroupTarget => ({ connection: connection.id });

describe("putting connections into a group from outside", () => {
  it("joins one connection by its id, and what is said to the group reaches it", async () => {
    const fixture = createFixture();
    const [peer, other] = [fixture.connect(), fixture.connect()];
    expect(await groupsOf(fixture).add(by(peer), team)).toEqual({ joined: 1, refused: [] });
    say(fixture, "hello", team);
    fixture.clock.endTurn();
    expect([peer.said(), other.said()]).toEqual(["hello([])\n", ""]);
  });

  it("joins every connection that a principal has, on any hub, and no later one", async () => {
    const fixture = createFixture();
    fixture.connect({ subject: "ann", hub: "/a" });
    fixture.connect({ subject: "ann", hub: "/b" });
    fixture.connect({ subject: "bob" });
    const groups = groupsOf(fixture);
    expect(await groups.add({ subject: "ann" }, team)).toEqual({ joined: 2, refused: [] });
    fixture.connect({ subject: "ann" });
    expect(groups.members(team).map(({ connectionId, hub }) => [connectionId, hub])).toEqual([
      ["c1", "/a"],
      ["c2", "/b"],
    ]);
  });

  it("again is joining once", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const groups = groupsOf(fixture);
    for (let times = 0; times < 2; times++) {
      expect(await groups.add(by(peer), team)).toEqual({ joined: 1, refused: [] });
    }
    expect(groups.count(team)).toBe(1);
  });

  it.each<[string, GroupTarget]>([
    ["an id nobody has", { connection: "nobody" as ConnectionId }],
    ["the id of another tenant's connection", { connection: "c1" as ConnectionId }],
    ["a principal of another tenant", { subject: "ann" }],
    ["a principal of another issuer", { subject: "bob", issuer: "https://other.example" }],
    ["an id of the prototype", { connection: "__proto__" as ConnectionId }],
  ])("joins nobody for %s", async (_, target) => {
    const fixture = createFixture();
    fixture.connect({ subject: "ann", tenant: "annex" });
    fixture.connect({ subject: "bob" });
    const groups = groupsOf(fixture);
    expect(await groups.add(target, team)).toEqual({ joined: 0, refused: [] });
    expect(await groups.remove(target, team)).toEqual({ removed: 0 });
    expect([groups.count(team), groupsOf(fixture, "annex").count(team)]).toEqual([0, 0]);
  });

  it("goes by what the application calls a principal, not by the subject where the two differ", async () => {
    const fixture = createFixture();
    fixture.connect({ subject: "ann", principalId: "badge-7" });
    fixture.connect({ subject: "badge-7", principalId: "badge-8" });
    const groups = groupsOf(fixture);
    expect(await groups.add({ subject: "badge-7" }, team)).toMatchObject({ joined: 1 });
    expect(groups.members(team)).toEqual([
      {
        connectionId: "c1",
        hub: "/hubs/ward",
        tenant: undefined,
        issuer: ISSUER,
        subject: "ann",
        principalId: "badge-7",
      },
    ]);
  });

  it("asks a group's rule about each connection's own principal", async () => {
    const fixture = createFixture();
    fixture.connect({ subject: "ann", department: "icu" });
    fixture.connect({ subject: "ann", department: "er" });
    const groups = groupsOf(fixture);
    expect(await groups.add({ subject: "ann" }, ward)).toEqual({
      joined: 1,
      refused: [{ connectionId: "c2", reason: "forbidden", retryAfterSeconds: undefined }],
    });
    expect(groups.members(ward).map(({ connectionId }) => connectionId)).toEqual(["c1"]);
  });

  it("says what else stood in the way: a limit, a rule that failed, an end, a removal", async () => {
    const fixture = createFixture({ maxGroups: 1 });
    const [full, ending, removed] = [fixture.connect(), fixture.connect(), fixture.connect()];
    const groups = groupsOf(fixture);
    const broken = groupOf(template("broken", requirement(policy("Broken", () => Promise.reject(new Error("down"))))));
    const asked = deferred<boolean>();
    const slow = groupOf(template("slow", requirement(policy("Slow", () => asked.promise))));
    await groups.add(by(full), team);
    expect((await groups.add(by(full), groupOf(template("x", allowAll)))).refused).toMatchObject([
      { connectionId: "c1", reason: "room_limit" },
    ]);
    expect((await groups.add(by(full), broken)).refused).toEqual([
      { connectionId: "c1", reason: "auth_unavailable", retryAfterSeconds: 1 },
    ]);
    const outcomes = [groups.add(by(ending), slow), groups.add(by(removed), slow)];
    ending.connection.apply({ type: "drained" });
    expect(await groups.remove(by(removed), slow)).toEqual({ removed: 1 });
    asked.resolve(true);
    expect((await Promise.all(outcomes)).map(({ refused }) => refused[0]?.reason)).toEqual([
      "going_away",
      "superseded",
    ]);
    expect(groups.count(slow)).toBe(0);
  });

  it.each<[string, unknown, GroupReference<Staff>]>([
    ["no target", {}, team],
    ["two targets", { connection: "c1", subject: "ann" }, team],
    ["a group nobody declared", { subject: "ann" }, { template: { ...team.template }, values: { team: "night" } }],
    ["a value that is no name", { subject: "nobody" }, { ...team, values: { team: "\ud800" } }],
  ])("takes %s for a mistake", async (_, target, group) => {
    const groups = groupsOf(createFixture());
    await expect(groups.add(target as GroupTarget, group)).rejects.toThrow(TypeError);
    await expect(groups.remove(target as GroupTarget, group)).rejects.toThrow(TypeError);
  });

  it("wants to know the issuer where the application trusts several", async () => {
    const fixture = createFixture();
    fixture.connect({ subject: "ann" });
    const groups = createTenantGroups<Staff>(fixture, { tenant: undefined, issuer: undefined });
    await expect(groups.add({ subject: "ann" }, team)).rejects.toThrow(TypeError);
    expect(await groups.add({ subject: "ann", issuer: ISSUER }, team)).toMatchObject({ joined: 1 });
  });
});

describe("taking connections out of a group from outside", () => {
  it("drops what was said to the group and is still queued, before it returns", async () => {
    const fixture = createFixture();
    const [peer, other] = [fixture.connect({ subject: "ann" }), fixture.connect({ subject: "bob" })];
    const groups = groupsOf(fixture);
    for (const subject of ["ann", "bob"]) await groups.add({ subject }, team);
    say(fixture, "before", team);
    const removing = groups.remove({ subject: "ann" }, team);
    fixture.clock.endTurn();
    expect([peer.said(), other.said()]).toEqual(["", "before([])\n"]);
    expect(await removing).toEqual({ removed: 1 });
    say(fixture, "after", team);
    fixture.clock.endTurn();
    expect(peer.said()).toBe("");
  });

  it("takes out whom a rule let in, too, and counts who was in", async () => {
    const fixture = createFixture();
    fixture.connect({ subject: "ann", department: "icu" });
    fixture.connect({ subject: "ann", department: "er" });
    const groups = groupsOf(fixture);
    await groups.add({ subject: "ann" }, ward);
    expect(await groups.remove({ subject: "ann" }, ward)).toEqual({ removed: 1 });
    expect(await groups.remove({ subject: "ann" }, ward)).toEqual({ removed: 0 });
    expect(groups.list()).toEqual([]);
  });

  it.each<[string, (peer: Peer, fixture: Fixture) => void]>([
    ["is through with it", ({ socket }) => socket.unstall()],
    ["is given up", ({ connection }) => connection.apply({ type: "lagging" })],
  ])("resolves only when a busy socket %s: it may hold the group's frames", async (_, happen) => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const groups = groupsOf(fixture);
    await groups.add(by(peer), team);
    peer.socket.stall();
    say(fixture, "handed over", team);
    fixture.clock.endTurn();
    let isDone = false;
    const removing = groups.remove(by(peer), team).then((removal) => ((isDone = true), removal));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDone).toBe(false);
    happen(peer, fixture);
    expect(await removing).toEqual({ removed: 1 });
  });
});

describe("who is in a group", () => {
  it("is counted and listed by tenant", async () => {
    const fixture = createFixture();
    for (const tenant of ["general", "general", "annex", undefined]) {
      const peer = fixture.connect(tenant === undefined ? {} : { tenant });
      await groupsOf(fixture, tenant).add(by(peer), team);
    }
    const [general, annex, none] = [groupsOf(fixture, "general"), groupsOf(fixture, "annex"), groupsOf(fixture)];
    expect([general.count(team), annex.count(team), none.count(team)]).toEqual([2, 1, 1]);
    expect(general.list()).toEqual([{ pattern: "team/{team}", values: { team: "night" }, tenant: "general", size: 2 }]);
    expect(annex.members(team)).toMatchObject([{ connectionId: "c3", tenant: "annex" }]);
    expect(none.list()).toMatchObject([{ tenant: undefined, size: 1 }]);
    expect([groupsOf(fixture, "nobody's").list(), none.count(ward), none.members(ward)]).toEqual([[], 0, []]);
  });

  it("forgets who has ended", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const groups = groupsOf(fixture);
    await groups.add(by(peer), team);
    peer.connection.apply({ type: "expiry-due" });
    expect([groups.count(team), groups.members(team), groups.list()]).toEqual([0, [], []]);
  });

  it("is told in copies: changing them changes nothing", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const groups = groupsOf(fixture);
    await groups.add(by(peer), team);
    (groups.members(team) as unknown[]).length = 0;
    for (const { values } of groups.list()) (values as Record<string, string>)["team"] = "day";
    expect([groups.count(team), groups.list()[0]?.values]).toEqual([1, { team: "night" }]);
    say(fixture, "hello", team);
    fixture.clock.endTurn();
    expect(peer.said()).toBe("hello([])\n");
  });
});
