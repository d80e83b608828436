import { describe, expect, it } from "vitest";
import { createFixture, type Fixture, type Peer, type Staff } from "../../../test/connection-fixture.js";
import { allowAll, groupOf, template } from "../../../test/hub-fixture.js";
import type { ConnectionId } from "../ids.js";
import { CallControl } from "./call-control.js";
import { ConnectionCall } from "./connection-call.js";
import { assertNotReserved, ScopedSender, type SenderScope } from "./sender.js";

const ward = template("ward/{ward}", allowAll);
const icu = groupOf(ward, { ward: "icu" });
const ISSUER = "https://issuer.example";

function senderOf(fixture: Fixture, scope: Partial<SenderScope> = {}): ScopedSender<Staff, unknown> {
  return new ScopedSender(fixture, { tenant: undefined, hub: undefined, issuer: ISSUER, ...scope });
}

async function populate(fixture: Fixture) {
  const people = {
    caller: fixture.connect({ id: "caller", tenant: "general", subject: "ann" }),
    sameHub: fixture.connect({ id: "sameHub", tenant: "general", subject: "bob" }),
    otherHub: fixture.connect({ id: "otherHub", tenant: "general", subject: "ann", hub: "/hubs/other" }),
    annex: fixture.connect({ id: "annex", tenant: "annex", subject: "ann" }),
    nowhere: fixture.connect({ id: "nowhere", subject: "ann" }),
  } satisfies Record<string, Peer>;
  for (const { connection } of Object.values(people)) await fixture.groups.join(connection, icu);
  return people;
}

type People = Awaited<ReturnType<typeof populate>>;

function heard(fixture: Fixture, people: People): string[] {
  fixture.clock.endTurn();
  return Object.entries(people).flatMap(([name, { said }]) => (said() === "" ? [] : [name]));
}

describe("a sender", () => {
  it.each<[string, Partial<SenderScope>, (sender: ScopedSender<Staff, unknown>) => void, string[]]>([
    ["all of a tenant", { tenant: "general" }, (s) => s.toAll().emit("e"), ["caller", "sameHub", "otherHub"]],
    [
      "all of a tenant and a hub",
      { tenant: "general", hub: "/hubs/ward" },
      (s) => s.toAll().emit("e"),
      ["caller", "sameHub"],
    ],
    ["all of no tenant, from an application that names none", {}, (s) => s.toAll().emit("e"), ["nowhere"]],
    ["a group of a tenant", { tenant: "annex" }, (s) => s.to(icu).emit("e"), ["annex"]],
    ["a group of no tenant", {}, (s) => s.to(icu).emit("e"), ["nowhere"]],
    [
      "a person of a tenant",
      { tenant: "general" },
      (s) => s.toPrincipal({ subject: "ann" }).emit("e"),
      ["caller", "otherHub"],
    ],
    [
      "a person by another issuer",
      { tenant: "general" },
      (s) => s.toPrincipal({ subject: "ann", issuer: "x" }).emit("e"),
      [],
    ],
    [
      "a connection of the tenant",
      { tenant: "general" },
      (s) => s.toConnection("sameHub" as ConnectionId).emit("e"),
      ["sameHub"],
    ],
    [
      "a connection of another tenant",
      { tenant: "general" },
      (s) => s.toConnection("annex" as ConnectionId).emit("e"),
      [],
    ],
    [
      "a connection of another hub",
      { tenant: "general", hub: "/hubs/ward" },
      (s) => s.toConnection("otherHub" as ConnectionId).emit("e"),
      [],
    ],
    [
      "all but one",
      { tenant: "general" },
      (s) =>
        s
          .toAll()
          .except("caller" as ConnectionId)
          .emit("e"),
      ["sameHub", "otherHub"],
    ],
    [
      "all but two, said in two steps",
      { tenant: "general" },
      (s) =>
        s
          .toAll()
          .except("caller" as ConnectionId)
          .except("otherHub" as ConnectionId)
          .emit("e"),
      ["sameHub"],
    ],
    [
      "a group but one",
      { tenant: "general" },
      (s) =>
        s
          .to(icu)
          .except("caller" as ConnectionId)
          .emit("e"),
      ["sameHub", "otherHub"],
    ],
  ])("reaches %s", async (_, scope, send, expected) => {
    const fixture = createFixture();
    const people = await populate(fixture);
    send(senderOf(fixture, scope));
    expect(heard(fixture, people)).toEqual(expected);
  });

  it("leaves a target as it was when another is made of it", async () => {
    const fixture = createFixture();
    const people = await populate(fixture);
    const all = senderOf(fixture, { tenant: "general" }).toAll();
    all.except("caller" as ConnectionId);
    all.emit("e");
    expect(heard(fixture, people)).toContain("caller");
  });

  it("marks a group's frames with their group, so that leaving takes them back", async () => {
    const fixture = createFixture();
    const { sameHub } = await populate(fixture);
    const sender = senderOf(fixture, { tenant: "general" });
    sender.to(icu).emit("secret");
    sender.toAll().emit("public");
    fixture.groups.leave(sameHub.connection, icu);
    fixture.clock.endTurn();
    expect(sameHub.said()).toBe("public([])\n");
  });

  it("does not guess an issuer where an application trusts several", () => {
    const sender = senderOf(createFixture(), { issuer: undefined });
    expect(() => sender.toPrincipal({ subject: "ann" })).toThrow(TypeError);
  });

  it.each(["hubward.notice", "hubward.", "HUBWARD.x", "Hubward.Reauthenticate"])("never says %s", (name) => {
    const fixture = createFixture();
    fixture.connect();
    expect(() => senderOf(fixture).toAll().emit(name)).toThrow(TypeError);
    expect(() => assertNotReserved("method", name)).toThrow(TypeError);
    expect(fixture.dialect.rendered).toBe(0);
  });

  it.each(["hubward", "hubwardnotice", "x.hubward.", ""])("may say %j", (name) => {
    expect(() => assertNotReserved("event", name)).not.toThrow();
  });
});

describe("a call", () => {
  const callOf = (fixture: Fixture, { connection }: Peer) =>
    new ConnectionCall<Staff, unknown>(connection, "Order", new CallControl(), fixture);

  it.each<[string, (call: ConnectionCall<Staff, unknown>) => void, string[]]>([
    ["all", (call) => call.toAll().emit("e"), ["caller", "sameHub"]],
    ["the others", (call) => call.toOthers().emit("e"), ["sameHub"]],
    ["the caller", (call) => call.toCaller().emit("e"), ["caller"]],
    ["a group", (call) => call.to(icu).emit("e"), ["caller", "sameHub"]],
    ["a person by the caller's own issuer", (call) => call.toPrincipal({ subject: "ann" }).emit("e"), ["caller"]],
    ["a connection", (call) => call.toConnection("sameHub" as ConnectionId).emit("e"), ["sameHub"]],
    [
      "a connection of another tenant, which is nobody",
      (call) => call.toConnection("annex" as ConnectionId).emit("e"),
      [],
    ],
  ])("speaks to %s of its own tenant and hub", async (_, send, expected) => {
    const fixture = createFixture();
    const people = await populate(fixture);
    send(callOf(fixture, people.caller));
    expect(heard(fixture, people)).toEqual(expected);
  });

  it("says who calls and for how long", () => {
    const fixture = createFixture();
    const peer = fixture.connect({ id: "c9", subject: "ann", livesMs: 61_999 });
    const call = callOf(fixture, peer);
    expect(call).toMatchObject({ connectionId: "c9", method: "Order", expiresInSeconds: 61 });
    expect([call.principal.subject, call.authentication.subject, call.signal.aborted]).toEqual(["ann", "ann", false]);
    fixture.clock.block(61_999);
    expect(call.expiresInSeconds).toBe(0);
  });

  it("joins and leaves for its own connection", async () => {
    const fixture = createFixture();
    const peer = fixture.connect();
    const { groups } = callOf(fixture, peer);
    await groups.join(icu);
    expect(peer.connection.memberships.size).toBe(1);
    expect([groups.leave(icu), groups.leave(icu)]).toEqual([true, false]);
  });

  it.each<[string, (peer: Peer, fixture: Fixture) => void, string]>([
    ["ended", ({ connection }) => connection.apply({ type: "expiry-due" }), "token_expired"],
    ["outlived its credential unnoticed", (_, { clock }) => clock.block(60_000), "token_expired"],
  ])("can say nothing more once its caller has %s", async (_, happen, reason) => {
    const fixture = createFixture();
    const peer = fixture.connect({ livesMs: 60_000 });
    const other = fixture.connect();
    const call = callOf(fixture, peer);
    const kept = call.toAll();
    happen(peer, fixture);
    expect(() => kept.emit("late")).toThrow(expect.objectContaining({ reason }));
    expect(() => call.toOthers().emit("late")).toThrow(expect.objectContaining({ reason }));
    await expect(call.groups.join(icu)).rejects.toMatchObject({ reason });
    fixture.clock.endTurn();
    expect(other.said()).toBe("");
  });
});
