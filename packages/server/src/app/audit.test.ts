import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createApp, type AppFixture } from "../../test/app-fixture.js";
import type { AuditRecord } from "../core/audit.js";
import { anyOf, hasRole, type App, type ConnectionId } from "./index.js";

function createAuditedApp() {
  const records: AuditRecord[] = [];
  const fixture = createApp({ audit: { record: (record) => void records.push(record) } });
  const { app } = fixture;
  const staff = app.policy("Staff", hasRole("nurse", "doctor"));
  const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
  const doctors = app.policy("DoctorsOnly", hasRole("doctor"));
  const ward = app.group("ward/{ward}", { ward: z.string() }).allow(ownWard, (values) => values.ward);
  const list = app.group("list", {}).assigned();
  app
    .hub("/hubs/ward")
    .allow(staff)
    .methods((m) => ({
      Join: m.args(z.string()).handle((call, name) => call.groups.join(ward({ ward: name }))),
      Leave: m.args(z.string()).handle((call, name) => call.groups.leave(ward({ ward: name }))),
      Order: m
        .args(z.string())
        .allow(doctors)
        .handle(() => undefined),
    }));
  return { ...fixture, records, ward, list };
}

const names = (records: readonly AuditRecord[]): readonly string[] => records.map(({ event }) => event);

function idOf({ of }: AppFixture): ConnectionId {
  const opened = of("connection.opened").at(-1);
  if (opened === undefined) throw new TypeError("nobody has connected");
  return opened.connectionId;
}

describe("the audit", () => {
  it("has a record of each step of a connection's life, numbered, with whose it was and why", async () => {
    const fixture = createAuditedApp();
    const { app, records, ward, list } = fixture;
    const token = fixture.tokenOf({ subject: "nina", sessionId: "s-1", tokenId: "j-1", department: "icu" });
    const peer = await fixture.connect(token);
    const connection = idOf(fixture);
    await peer.call("Join", "icu");
    await peer.call("Join", "icu");
    await peer.call("Join", "er");
    await peer.call("Order", "heparin");
    await app.groups.add({ connection }, list());
    await app.groups.remove({ connection }, list());
    await app.groups.remove({ connection }, ward({ ward: "icu" }));
    await peer.call("Leave", "icu");
    peer.socket.end({ wasClean: true });

    expect(records.map(({ sequence }) => sequence)).toEqual(records.map((_, index) => index + 1));
    expect(new Set(records.map(({ run }) => run)).size).toBe(1);
    expect(
      records.map(({ event, groups, by, reason, policy, method }) => [event, groups, by, reason, policy, method]),
    ).toEqual([
      ["connection.opened", undefined, undefined, undefined, undefined, undefined],
      ["membership.joined", ["ward/icu"], "call", undefined, undefined, undefined],
      ["call.refused", undefined, undefined, "forbidden", "OwnWard", "Join"],
      ["call.refused", undefined, undefined, "forbidden", "DoctorsOnly", "Order"],
      ["membership.joined", ["list"], "application", undefined, undefined, undefined],
      ["membership.left", ["list"], "application", undefined, undefined, undefined],
      ["membership.left", ["ward/icu"], "application", undefined, undefined, undefined],
      ["connection.closed", undefined, undefined, "normal", undefined, undefined],
    ]);
    for (const record of records) {
      expect(record).toMatchObject({
        connectionId: connection,
        hub: "/hubs/ward",
        at: fixture.clock.now(),
        principal: {
          issuer: "https://issuer.example",
          subject: "nina",
          sessionId: "s-1",
          tokenId: "j-1",
          roles: ["nurse"],
        },
      });
      expect(record.remoteAddress).toBe(records[0]?.remoteAddress);
    }
  });

  it("says of a refusal who it was as far as that was known, and which policy said no", async () => {
    const { negotiate, tokenOf, records } = createAuditedApp();
    const path = "/hubs/ward/negotiate";
    await negotiate(undefined, { path });
    await negotiate("eyJ-nobody", { path });
    await negotiate(tokenOf({ subject: "vera", roles: [], tokenId: "j-2" }), { path });
    expect(records.map(({ event, reason, policy, principal }) => [event, reason, policy, principal?.subject])).toEqual([
      ["connection.refused", "invalid_token", undefined, undefined],
      ["connection.refused", "invalid_token", undefined, undefined],
      ["connection.refused", "forbidden", "Staff", "vera"],
    ]);
    expect(records[2]?.principal).toMatchObject({ tokenId: "j-2" });
  });

  it("says of a credential that ended whose it was, and that it went for it", async () => {
    const fixture = createAuditedApp();
    const peer = await fixture.connect(fixture.tokenOf({ subject: "nina", livesMs: 20_000 }));
    fixture.clock.advance(20_001);
    peer.socket.end({ wasClean: true });
    expect(fixture.records.map(({ event, reason, principal }) => [event, reason, principal?.subject])).toEqual([
      ["connection.opened", undefined, "nina"],
      ["connection.closed", "token_expired", "nina"],
    ]);
  });

  it("shares its numbers with the scopes, and has nothing of what the application's own code threw", async () => {
    const { app, records, negotiate, tokenOf, clock } = createAuditedApp();
    const partners = app.scope({
      authenticator: {
        issuer: "https://partners.example",
        authenticate() {
          throw new Error("canary-of-the-application");
        },
      },
      principal: () => ({}),
    });
    partners
      .hub("/hubs/partners")
      .allow(partners.policy("P", () => true))
      .methods(() => ({}));
    await negotiate("x", { path: "/hubs/partners/negotiate" });
    await negotiate(tokenOf({ roles: [] }), { path: "/hubs/ward/negotiate" });
    expect(records.map(({ sequence, hub, reason, at }) => [sequence, hub, reason, at])).toEqual([
      [1, "/hubs/partners", "auth_unavailable", clock.now()],
      [2, "/hubs/ward", "forbidden", clock.now()],
    ]);
    expect(JSON.stringify(records)).not.toContain("canary");
  });

  it("costs nobody anything when its sink fails: telemetry hears of it", async () => {
    const fixture = createApp({
      audit: {
        record() {
          throw new HubwardError("internal_error");
        },
      },
    });
    fixture.app
      .hub("/hubs/ward")
      .allow(fixture.app.policy("All", () => true))
      .methods(() => ({}));
    await fixture.connect(fixture.tokenOf({}));
    expect(names(fixture.events as never)).toEqual(["application.failed", "connection.opened"]);
    expect(fixture.of("application.failed")).toEqual([expect.objectContaining({ where: "audit" })]);
  });

  it("refuses a sink that is none", () => {
    expect(() => createApp({ audit: (() => undefined) as never })).toThrow("hubward.audit");
  });
});

describe("decisions", () => {
  it("say of each hub, method and group which policies are asked, where, and about what", () => {
    const { app } = createApp();
    const staff = app.policy("Staff", hasRole("nurse"));
    const chief = app.policy("Chief", hasRole("chief"));
    const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
    const ward = app
      .group("ward/{ward}", { ward: z.string() })
      .allow(anyOf(ownWard, anyOf(chief, staff)), (v) => v.ward)
      .whenSlow({ latest: (_, [bed]) => String(bed) });
    app.group("list", {}).assigned().whenSlow("drop-oldest");
    app.group("nobody", {});
    app
      .hub("/hubs/ward")
      .allow(staff)
      .methods((m) => ({
        Plain: m.handle(() => undefined),
        Order: m
          .args(z.string(), z.string())
          .allow(chief)
          .allow(ownWard, (id) => id)
          .once((_, id) => id)
          .handle(() => 1),
        Watch: m.args(z.string()).stream(() => []),
        Send: m.uploads(z.string(), z.number()).handle(() => undefined),
      }));
    app.hub("/hubs/open").methods((m) => ({ Ask: m.allow(chief).handle(() => undefined) }));

    const hubStaff = { point: "hub", name: "Staff", takesResource: false, anyOf: undefined };
    const method = { what: "method", hub: "/hubs/ward", arguments: 0, uploads: 0, isStream: false, isOnce: false };
    expect(app.decisions()).toEqual([
      { what: "hub", hub: "/hubs/ward", policies: [hubStaff] },
      { ...method, method: "Plain", policies: [hubStaff] },
      {
        ...method,
        method: "Order",
        arguments: 2,
        isOnce: true,
        policies: [
          hubStaff,
          { point: "method", name: "Chief", takesResource: false, anyOf: undefined },
          { point: "resource", name: "OwnWard", takesResource: true, anyOf: undefined },
        ],
      },
      { ...method, method: "Watch", arguments: 1, isStream: true, policies: [hubStaff] },
      { ...method, method: "Send", uploads: 2, policies: [hubStaff] },
      { what: "hub", hub: "/hubs/open", policies: [] },
      {
        ...method,
        hub: "/hubs/open",
        method: "Ask",
        policies: [{ point: "method", name: "Chief", takesResource: false, anyOf: undefined }],
      },
      {
        what: "group",
        group: "ward/{ward}",
        isAssigned: false,
        whenSlow: "latest",
        policies: [
          {
            point: "group",
            name: "anyOf(OwnWard, anyOf(Chief, Staff))",
            takesResource: true,
            anyOf: ["OwnWard", "Chief", "Staff"],
          },
        ],
      },
      {
        what: "group",
        group: "list",
        isAssigned: true,
        whenSlow: "drop-oldest",
        policies: [{ point: "group", name: "assigned", takesResource: false, anyOf: undefined }],
      },
      { what: "group", group: "nobody", isAssigned: false, whenSlow: "close", policies: [] },
    ]);

    ward.allow(chief);
    const later = app.decisions().find((decision) => decision.what === "group");
    expect(later?.policies.map(({ name }) => name)).toEqual(["anyOf(OwnWard, anyOf(Chief, Staff))", "Chief"]);
  });

  it("name who may come to rooms, who may publish what, and who may see who is there", () => {
    const { app } = createApp();
    const staff = app.policy("Staff", () => true);
    const ownWard = app.policy("OwnWard", (_context, _name: string) => true);
    app
      .group("lobby", {})
      .allow(staff)
      .room((room) =>
        room
          .publish("note", z.string(), (draft) => draft.members())
          .publish("order", z.string(), (draft) =>
            draft
              .allow(staff)
              .allow(ownWard, (payload) => payload)
              .once(),
          )
          .presence((draft) => draft.allow(staff)),
      );
    app
      .group("quiet", {})
      .allow(staff)
      .room((room) => room);
    app.rooms().allow(staff);
    const by = (point: string, name = "Staff") => ({
      point,
      name,
      takesResource: name === "OwnWard",
      anyOf: undefined,
    });
    expect(app.decisions()).toEqual([
      { what: "rooms", rooms: "/rooms", policies: [by("rooms")] },
      { what: "group", group: "lobby", isAssigned: false, whenSlow: "close", policies: [by("group")] },
      { what: "publish", group: "lobby", event: "note", isOnce: false, policies: [] },
      {
        what: "publish",
        group: "lobby",
        event: "order",
        isOnce: true,
        policies: [by("publish"), by("publish", "OwnWard")],
      },
      { what: "presence", group: "lobby", policies: [by("presence")] },
      { what: "group", group: "quiet", isAssigned: false, whenSlow: "close", policies: [by("group")] },
    ]);
    for (const decision of app.decisions()) expect(Object.isFrozen(decision.policies)).toBe(true);
  });

  it("are values: frozen to their last member, and without a rule's own code", () => {
    const { app } = createAuditedApp();
    const isFrozen = (value: unknown): boolean =>
      typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen));
    expect(isFrozen(app.decisions())).toBe(true);
    expect(structuredClone(app.decisions())).toEqual(app.decisions());
  });

  it("are each scope's own", () => {
    const app: App<never> = createApp().app as never;
    const scope = app.scope({
      authenticator: { authenticate: () => Promise.reject(new Error()) },
      principal: () => null,
    });
    scope
      .hub("/hubs/partners")
      .allow(scope.policy("Partner", () => true))
      .methods(() => ({}));
    expect(app.decisions()).toEqual([]);
    expect(scope.decisions()).toHaveLength(1);
  });
});

describe("live connections", () => {
  it("are listed as they are: who, how, since when, until when, and in which groups", async () => {
    const fixture = createAuditedApp();
    const { app, clock } = fixture;
    const since = clock.now();
    const nina = fixture.tokenOf({
      subject: "nina",
      sessionId: "s-1",
      tokenId: "j-1",
      department: "icu",
      livesMs: 60_000,
    });
    const peer = await fixture.connect(nina);
    await peer.call("Join", "icu");
    await app.groups.add({ subject: "nina" }, fixture.list());
    clock.advance(5_000);
    const found = Array.from(app.connections());
    expect(found).toEqual([
      {
        connectionId: idOf(fixture),
        hub: "/hubs/ward",
        transport: "WebSockets",
        tenant: undefined,
        issuer: "https://issuer.example",
        subject: "nina",
        roles: ["nurse"],
        sessionId: "s-1",
        tokenId: "j-1",
        standing: "active",
        lapsedFor: undefined,
        expiresAt: since + 60_000,
        since,
        remoteAddress: fixture.of("connection.opened")[0]?.remoteAddress,
        groups: ["ward/icu", "list"],
      },
    ]);
    const [before] = found;
    expect(Object.isFrozen(before) && Object.isFrozen(before?.groups) && Object.isFrozen(before?.roles)).toBe(true);
    await app.groups.remove({ subject: "nina" }, fixture.list());
    expect(before?.groups).toEqual(["ward/icu", "list"]);
    expect(Array.from(app.connections(), ({ groups }) => groups)).toEqual([["ward/icu"]]);
    peer.socket.end({ wasClean: true });
    expect(Array.from(app.connections())).toEqual([]);
  });

  it("are a tenant's own, unless those of every tenant are asked for", async () => {
    const fixture = createAuditedApp();
    for (const tenant of [undefined, "general", "annex"]) {
      await fixture.connect(fixture.tokenOf({ subject: `of-${tenant}`, ...(tenant === undefined ? {} : { tenant }) }));
    }
    const { app } = fixture;
    const subjects = (found: Iterable<{ readonly subject: string }>): string[] =>
      Array.from(found, (one) => one.subject);
    expect(subjects(app.connections())).toEqual(["of-undefined"]);
    expect(subjects(app.tenant("annex").connections())).toEqual(["of-annex"]);
    expect(subjects(app.tenant("nowhere").connections())).toEqual([]);
    expect(subjects(app.everyTenant().connections())).toEqual(["of-undefined", "of-general", "of-annex"]);
  });

  it("are never held up: whoever goes while they are read is left out", async () => {
    const fixture = createAuditedApp();
    const first = await fixture.connect(fixture.tokenOf({ subject: "first" }));
    const second = await fixture.connect(fixture.tokenOf({ subject: "second" }));
    const reading = fixture.app.connections()[Symbol.iterator]();
    expect(reading.next().value).toMatchObject({ subject: "first" });
    second.socket.end({ wasClean: true });
    first.socket.end({ wasClean: true });
    expect(reading.next().done).toBe(true);
  });
});
