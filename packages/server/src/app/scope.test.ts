import { MemorySocket, testAuthentication } from "@hubward/testing";
import { HubwardError } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import {
  createApp,
  stockClient,
  type AppFixture,
  type Attributes,
  type NegotiateBody,
  type Staff,
} from "../../test/app-fixture.js";
import { textSchema } from "../../test/hub-fixture.js";
import type { HttpReply } from "../core/http.js";
import type { Authentication, GroupReference, HubwardOptions, Principal, Scope, ScopeOptions } from "./index.js";

const STAFF = "/hubs/ward";
const DEVICES = "/hubs/devices";
const DEVICE_ISSUER = "https://devices.example";

type Device = Principal<{ readonly model: string }>;

interface Fixture extends AppFixture {
  readonly devices: Scope<Device>;
  readonly deviceToken: (subject: string) => string;
  readonly ward: (values: { readonly ward: string }) => GroupReference<Staff>;
  readonly deviceWard: (values: { readonly ward: string }) => GroupReference<Device>;
}

/** Staff by one issuer and devices by another, each with a hub and a group of the same name. */
function createScopes(
  options: Partial<ScopeOptions<{ model: string }>> = {},
  appOptions: Partial<HubwardOptions<Attributes>> = {},
): Fixture {
  const fixture = createApp(appOptions);
  const { app, clock } = fixture;
  const tokens = new Map<string, Authentication>();
  const devices = app.scope<{ model: string }>({
    authenticator: {
      issuer: DEVICE_ISSUER,
      authenticate({ token }) {
        const authentication = tokens.get(token.reveal());
        if (authentication === undefined) throw new HubwardError("invalid_token");
        return authentication;
      },
    },
    principal: () => ({ model: "monitor" }),
    ...options,
  });
  const staff = app.policy("Staff", ({ principal }) => principal.hasRole("nurse"));
  const monitors = devices.policy("Monitors", ({ principal }) => principal.model === "monitor");
  const ward = app.group("ward/{ward}", { ward: textSchema() }).allow(staff);
  const deviceWard = devices.group("ward/{ward}", { ward: textSchema() }).assigned();
  app
    .hub(STAFF)
    .allow(staff)
    .methods((m) => ({ Join: m.args(textSchema()).handle((call, name) => call.groups.join(ward({ ward: name }))) }));
  devices
    .hub(DEVICES)
    .allow(monitors)
    .methods((m) => ({ Model: m.handle((call) => call.principal.model) }));
  const deviceToken = (subject: string): string => {
    const token = `device-${tokens.size}`;
    const issuer = DEVICE_ISSUER;
    tokens.set(
      token,
      testAuthentication({ subject, issuer, issuedAt: clock.now(), expiresAt: clock.now() + 3_600_000 }),
    );
    return token;
  };
  return { ...fixture, devices, deviceToken, ward, deviceWard };
}

const bodyOf = (reply: HttpReply): NegotiateBody => JSON.parse(reply.body) as NegotiateBody;

describe("a scope", () => {
  it("takes its own credentials, makes its own principals, and nobody else's", async () => {
    const { connect, negotiate, tokenOf, deviceToken } = createScopes();
    const monitor = await connect(deviceToken("ann"), DEVICES);
    expect(await monitor.call("Model")).toMatchObject({ outcome: { kind: "value", value: "monitor" } });
    for (const [token, path] of [
      [deviceToken("ann"), STAFF],
      [tokenOf({ subject: "ann" }), DEVICES],
    ] as const) {
      const reply = await negotiate(token, { path: `${path}/negotiate` });
      expect([reply.status, reply.body]).toEqual([401, '{"error":"invalid_token;action=relogin"}']);
    }
  });

  it("gives tickets that are worth nothing in another, at negotiate, at the upgrade and beside another's id", async () => {
    const { negotiate, upgrade, deviceToken, tokenOf } = createScopes();
    const own = bodyOf(await negotiate(deviceToken("ann"), { path: `${DEVICES}/negotiate` }));
    const others = bodyOf(await negotiate(tokenOf({ subject: "ann" })));
    const ticket = own.accessToken ?? "";
    expect(await negotiate(ticket)).toMatchObject({ status: 401, body: '{"error":"ticket_invalid;action=reconnect"}' });
    for (const id of [own.connectionToken, others.connectionToken]) {
      expect(await upgrade({ path: STAFF, query: `id=${id}`, queryBearers: [ticket] })).toMatchObject({ status: 401 });
    }
    const socket = await upgrade({ path: DEVICES, query: `id=${own.connectionToken}`, queryBearers: [ticket] });
    expect(socket).toBeInstanceOf(MemorySocket);
  });

  it("speaks to its own connections only, also where names, tenants and groups are the same", async () => {
    const { app, devices, connect, tokenOf, deviceToken, ward, deviceWard } = createScopes();
    const person = await connect(tokenOf({ subject: "ann" }));
    const device = await connect(deviceToken("ann"), DEVICES);
    await person.call("Join", "icu");
    expect(await devices.groups.add({ subject: "ann" }, deviceWard({ ward: "icu" }))).toMatchObject({ joined: 1 });
    app.to(ward({ ward: "icu" })).emit("said", "app group");
    app.toPrincipal({ subject: "ann" }).emit("said", "app principal");
    app.everyTenant().toAll().emit("said", "app all");
    devices.to(deviceWard({ ward: "icu" })).emit("said", "scope group");
    devices.toPrincipal({ subject: "ann" }).emit("said", "scope principal");
    devices.toAll().emit("said", "scope all");
    const heard = (messages: readonly unknown[]): unknown[] =>
      messages.map((message) => (message as { readonly arguments: readonly unknown[] }).arguments[0]);
    expect(heard(person.hear())).toEqual(["app group", "app principal", "app all"]);
    expect(heard(device.hear())).toEqual(["scope group", "scope principal", "scope all"]);
    expect([app.groups.list(), devices.groups.list()].map((groups) => groups.map(({ size }) => size))).toEqual([
      [1],
      [1],
    ]);
  });

  it("lets nobody into its group by another's group, which is a mistake of the application", async () => {
    const { app, devices, connect, deviceToken, ward } = createScopes();
    await connect(deviceToken("ann"), DEVICES);
    const foreign = ward({ ward: "icu" }) as unknown as GroupReference<Device>;
    await expect(devices.groups.add({ subject: "ann" }, foreign)).rejects.toThrow(TypeError);
    expect([devices.groups.list(), app.groups.list()]).toEqual([[], []]);
  });

  it("knows its own people over HTTP", async () => {
    const { app, devices, tokenOf, deviceToken } = createScopes();
    const by = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    expect((await devices.http.authenticate(by(deviceToken("ann")))).principal.model).toBe("monitor");
    expect((await app.http.authenticate(by(tokenOf({ subject: "ann" })))).principal.department).toBeNull();
    await expect(devices.http.authenticate(by(tokenOf({})))).rejects.toMatchObject({ reason: "invalid_token" });
    await expect(app.http.authenticate(by(deviceToken("ann")))).rejects.toMatchObject({ reason: "invalid_token" });
  });

  it.each([
    ["has its own origins", ["https://pages.example"], 200],
    ["inherits no origins", undefined, 403],
  ])("%s", async (_, allowedOrigins, status) => {
    const { negotiate, deviceToken, tokenOf } = createScopes(
      { allowedOrigins },
      { allowedOrigins: ["https://staff.example"] },
    );
    const from = (origin: string) => ({ headers: { ...stockClient, origin } });
    const path = `${DEVICES}/negotiate`;
    expect((await negotiate(deviceToken("ann"), { path, ...from("https://pages.example") })).status).toBe(status);
    expect((await negotiate(deviceToken("ann"), { path, ...from("https://staff.example") })).status).toBe(403);
    expect((await negotiate(tokenOf({}), from("https://pages.example"))).status).toBe(403);
    expect((await negotiate(tokenOf({}), from("https://staff.example"))).status).toBe(200);
  });

  it("inherits how hubs are set, and not that a token may stand in the query", async () => {
    const { app, upgrade, deviceToken, connect, tokenOf } = createScopes(
      {},
      { maxMessageBytes: 64, allowQueryToken: true },
    );
    const inQuery = { query: "", queryBearers: [deviceToken("ann")] };
    expect(await upgrade({ path: DEVICES, ...inQuery })).toMatchObject({ status: 401 });
    expect(await upgrade({ path: STAFF, queryBearers: [tokenOf({})] })).toBeInstanceOf(MemorySocket);
    const device = await connect(deviceToken("ann"), DEVICES);
    await device.call("x".repeat(100));
    expect(device.socket.closed?.reason).toContain("message_too_big");
    expect(app.connectionCount).toBe(0);
  });

  it.each<[string, object, string]>([
    ["no authenticator", { authenticator: undefined }, "scope: authenticator is required"],
    ["no mapping", { principal: undefined }, "scope: principal is required"],
    ["counts that are none", { maxMessageBytes: 0 }, "scope.maxMessageBytes"],
    ["a principalId that is no function", { principalId: "badge" }, "scope.principalId"],
    ["an origin that is none", { allowedOrigins: ["*"] }, "allowedOrigins"],
  ])("does not take %s", (_, options, message) => {
    const { app } = createApp();
    const complete = { authenticator: { authenticate: () => testAuthentication() }, principal: () => ({}) };
    expect(() => app.scope({ ...complete, ...options } as ScopeOptions)).toThrow(message);
  });

  it("shares the paths with all others: none can be mounted twice, nor where another negotiates", () => {
    const { app, devices } = createScopes();
    const anything = devices.policy("Anything", () => true);
    const mount = (path: string) =>
      devices
        .hub(path)
        .allow(anything)
        .methods(() => ({}));
    expect(() => mount(STAFF)).toThrow(TypeError);
    expect(() => mount(STAFF.toUpperCase())).toThrow(TypeError);
    expect(() => mount(`${STAFF}/negotiate`)).toThrow(TypeError);
    mount("/hubs/other/negotiate");
    const staff = app.policy("Everyone", () => true);
    expect(() =>
      app
        .hub("/hubs/other")
        .allow(staff)
        .methods(() => ({})),
    ).toThrow(TypeError);
    expect(mount(`${STAFF}/more`).path).toBe(`${STAFF}/more`);
  });

  it("counts and closes with its application", async () => {
    const { app, devices, connect, negotiate, tokenOf, deviceToken } = createScopes();
    const peers = [await connect(tokenOf({})), await connect(deviceToken("ann"), DEVICES)];
    expect(app.connectionCount).toBe(2);
    const closed = app.close();
    for (const { socket } of peers) {
      expect(socket.closed?.reason).toBe("going_away;action=retry-after");
      socket.end();
    }
    await closed;
    await app.close();
    expect(app.connectionCount).toBe(0);
    for (const [token, path] of [
      [tokenOf({}), STAFF],
      [deviceToken("ann"), DEVICES],
    ] as const) {
      expect((await negotiate(token, { path: `${path}/negotiate` })).status).toBe(503);
    }
    expect(devices.tenant("t").groups.list()).toEqual([]);
  });

  it("opened by an application that is closing takes nobody in", async () => {
    const { app, negotiate } = createApp();
    await app.close();
    const late = app.scope({
      authenticator: { authenticate: () => testAuthentication() },
      principal: () => ({}),
    });
    const anyone = late.policy("Anyone", () => true);
    late
      .hub("/hubs/late")
      .allow(anyone)
      .methods(() => ({}));
    expect((await negotiate("x", { path: "/hubs/late/negotiate" })).status).toBe(503);
  });
});

describe("a principal's id", () => {
  it("is what sends go by, within the tenant and the issuer, and what a call is told", async () => {
    const fixture = createApp({ principalId: ({ principal }) => `badge of ${principal.department}` });
    const { app, connect, tokenOf } = fixture;
    const anyone = app.policy("Anyone", () => true);
    app
      .hub(STAFF)
      .allow(anyone)
      .methods((m) => ({ Id: m.handle((call) => call.principalId) }));
    const peer = await connect(tokenOf({ subject: "ann", department: "icu" }));
    expect(await peer.call("Id")).toMatchObject({ outcome: { kind: "value", value: "badge of icu" } });
    app.toPrincipal({ subject: "ann" }).emit("by subject");
    app.toPrincipal({ subject: "badge of icu", issuer: "https://other.example" }).emit("by another issuer");
    app.tenant("general").toPrincipal({ subject: "badge of icu" }).emit("in a tenant");
    app.toPrincipal({ subject: "badge of icu" }).emit("by id");
    expect(peer.hear()).toMatchObject([{ target: "by id" }]);
  });

  it("that is none is our own failure: refused for now, told to telemetry, and nobody is asked to sign in again", async () => {
    const { app, events, negotiate, tokenOf } = createApp({ principalId: () => "" });
    const anyone = app.policy("Anyone", () => true);
    app
      .hub(STAFF)
      .allow(anyone)
      .methods(() => ({}));
    const reply = await negotiate(tokenOf({}));
    expect([reply.status, reply.body]).toEqual([503, '{"error":"auth_unavailable;action=retry-after;retry_after=1"}']);
    expect(events).toMatchObject([
      { event: "application.failed", where: "principalId", error: expect.any(TypeError) as unknown },
      { event: "connection.refused", reason: "auth_unavailable", principal: { subject: "nurse-7" } },
    ]);
  });

  it("decides nothing: two people who share it have a command each", async () => {
    const { app, connect, tokenOf } = createApp({ principalId: () => "everybody" });
    const anyone = app.policy("Anyone", () => true);
    let orders = 0;
    app
      .hub(STAFF)
      .allow(anyone)
      .methods((m) => ({
        Order: m
          .args(textSchema())
          .once((id) => id)
          .handle(() => ++orders),
      }));
    const [ann, bob] = [await connect(tokenOf({ subject: "ann" })), await connect(tokenOf({ subject: "bob" }))];
    await ann.call("Order", "1");
    expect(await bob.call("Order", "1")).toMatchObject({ outcome: { kind: "value", value: 2 } });
    expect(await ann.call("Order", "1")).toMatchObject({ outcome: { kind: "value", value: 1 } });
  });
});
