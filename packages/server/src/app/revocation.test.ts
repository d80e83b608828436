import { createFakeClock, MemorySocket, testAuthentication } from "@hubward/testing";
import { encodeHandshakeRequest, HubwardError, messageType } from "@hubward/wire";
import { describe, expect, it } from "vitest";
import {
  createApp,
  stockClient,
  type AppFixture,
  type AppPeer,
  type Attributes,
  type NegotiateBody,
} from "../../test/app-fixture.js";
import { text } from "../../test/connection-fixture.js";
import { bodyOfText, requestOf } from "../../test/http-fixture.js";
import { deferred } from "../../test/hub-fixture.js";
import type { AuditRecord } from "../core/audit.js";
import type { NewRevocation, Revocation } from "../core/auth/revocation.js";
import type { RevocationLog } from "../core/auth/revocation-log.js";
import { systemRandom } from "../platform/system-crypto.js";
import { createMemoryRevocationLog } from "../memory/revocation-log.js";
import type { HubwardOptions } from "./options.js";
import type { RevokeTarget, TenantRevokeTarget } from "./revocation-face.js";

const ISSUER = "https://issuer.example";
const HUB = "/hubs/ward";

function createWard(options: Partial<HubwardOptions<Attributes>> = {}) {
  const fixture = createApp(options);
  const { app } = fixture;
  const asked: string[] = [];
  const anyone = app.policy("Anyone", () => true);
  app
    .hub(HUB, { statefulReconnect: true, authenticationRefresh: true })
    .allow(anyone)
    .methods((m) => ({ Hi: m.handle(({ principal }) => void asked.push(principal.subject)) }));
  return { ...fixture, asked };
}

/** Lets promises and what they end go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What somebody is told of a promise by now. */
async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "fulfilled",
    (error: unknown) => (error instanceof HubwardError ? error.message : String(error)),
  );
}

function goodbye(peer: AppPeer): string | undefined {
  const close = peer.hear().find((message) => message.type === messageType.close);
  return close?.type === messageType.close ? close.error : undefined;
}

const ann = {
  subject: "ann",
  tenant: "general",
  sessionId: "s-ann",
  tokenId: "t-ann",
  clientId: "c-ann",
  keyId: "k-ann",
} as const;
const bob = {
  ...ann,
  subject: "bob",
  sessionId: "s-bob",
  tokenId: "t-bob",
  clientId: "c-bob",
  keyId: "k-bob",
} as const;
const inGeneral = (fixture: AppFixture) => fixture.app.tenant("general");

type Revoke = (fixture: AppFixture, connectionId: string) => Promise<unknown>;

describe("a revocation", () => {
  it.each<[string, Revoke, string, "nobody else" | "her whole tenant"]>([
    [
      "connection",
      ({ app }, id) => app.revoke({ connection: id as never }),
      "session_revoked;action=relogin",
      "nobody else",
    ],
    ["tokenId", ({ app }) => app.revoke({ tokenId: "t-ann" }), "session_revoked;action=relogin", "nobody else"],
    ["session", ({ app }) => app.revoke({ session: "s-ann" }), "session_revoked;action=relogin", "nobody else"],
    [
      "session in its tenant",
      (f) => inGeneral(f).revoke({ session: "s-ann" }),
      "session_revoked;action=relogin",
      "nobody else",
    ],
    ["subject", (f) => inGeneral(f).revoke({ subject: "ann" }), "account_disabled", "nobody else"],
    [
      "tokenId in its tenant",
      (f) => inGeneral(f).revoke({ tokenId: "t-ann" }),
      "session_revoked;action=relogin",
      "nobody else",
    ],
    ["client", ({ app }) => app.revoke({ client: "c-ann" }), "account_disabled", "nobody else"],
    ["keyId", ({ app }) => app.revoke({ keyId: "k-ann" }), "session_revoked;action=relogin", "nobody else"],
    [
      "issuedBefore of a subject",
      (f) => inGeneral(f).revoke({ issuedBefore: f.clock.now(), subject: "ann" }),
      "session_revoked;action=relogin",
      "nobody else",
    ],
    ["tenant", ({ app }) => app.revoke({ tenant: "general" }), "tenant_suspended", "her whole tenant"],
    [
      "issuedBefore of a tenant",
      ({ app, clock }) => app.revoke({ issuedBefore: clock.now(), tenant: "general" }),
      "session_revoked;action=relogin",
      "her whole tenant",
    ],
    [
      "issuedBefore of an issuer in a tenant",
      (f) => inGeneral(f).revoke({ issuedBefore: f.clock.now(), issuer: ISSUER }),
      "session_revoked;action=relogin",
      "her whole tenant",
    ],
    [
      "a reason of its own",
      ({ app }) => app.revoke({ session: "s-ann" }, { reason: "account_disabled" }),
      "account_disabled",
      "nobody else",
    ],
    [
      "changed claims",
      (f) => inGeneral(f).requireReauthentication({ subject: "ann" }),
      "reauth_required;action=refresh",
      "nobody else",
    ],
  ])(
    "by %s shuts her connection before the promise is back, and leaves neighbours alone",
    async (_, revoke, reason, whom) => {
      const ward = createWard();
      const peers = {
        ann: await ward.connect(ward.tokenOf(ann)),
        colleague: await ward.connect(ward.tokenOf(bob)),
        namesake: await ward.connect(
          ward.tokenOf({ ...ann, tenant: "annex", sessionId: "x", tokenId: "x", clientId: "x", keyId: "x" }),
        ),
      };
      const connectionId = ward.of("connection.opened")[0]?.connectionId ?? "";
      const receipt = revoke(ward, connectionId);
      // Nothing was awaited.
      ward.app.everyTenant().toAll().emit("news", 1);
      expect(goodbye(peers.ann)).toBe(reason);
      expect(peers.ann.socket.closed).toBeDefined();
      const isShut = whom === "her whole tenant";
      expect(peers.colleague.hear()).toMatchObject(isShut ? [{ type: messageType.close }] : [{ target: "news" }]);
      expect(peers.namesake.hear()).toMatchObject([{ target: "news" }]);
      for (const { socket } of Object.values(peers)) if (socket.closed !== undefined) socket.end();
      expect(await receipt).toMatchObject({ number: 1, matched: isShut ? 2 : 1, stillClosing: 0 });
      peers.ann.socket.writes.forEach((bytes) => expect(text(bytes)).not.toContain("news"));
    },
  );

  it.each<[string, RevokeTarget]>([
    ["nothing", {} as never],
    ["two things", { session: "a", subject: "b" } as never],
    ["a tenant beside a subject, which is the tenant's to revoke", { subject: "a", tenant: "b" } as never],
    ["what no credential can be named by", { session: "" }],
    ["the future", { issuedBefore: Date.UTC(2100, 0, 1) }],
  ])("of %s is a mistake, and shuts nobody out", async (_, target) => {
    const ward = createWard();
    await ward.connect(ward.tokenOf(ann));
    await expect(ward.app.revoke(target)).rejects.toThrow(/revo/);
    expect(ward.app.connectionCount).toBe(1);
    expect(ward.of("revocation.applied")).toEqual([]);
  });

  it("within a tenant is of its people alone", async () => {
    const ward = createWard();
    await expect(inGeneral(ward).revoke({ tenant: "annex" } as never)).rejects.toThrow(TypeError);
    await expect(inGeneral(ward).revoke({ keyId: "k" } as never)).rejects.toThrow(TypeError);
  });

  it.each<[string, (now: number) => TenantRevokeTarget]>([
    ["session", () => ({ session: "s-ann" })],
    ["token", () => ({ tokenId: "t-ann" })],
    ["subject", () => ({ subject: "ann" })],
    ["subject until now", (now) => ({ issuedBefore: now, subject: "ann" })],
    ["token issued until now", (now) => ({ issuedBefore: now })],
    ["token of its issuer until now", (now) => ({ issuedBefore: now, issuer: ISSUER })],
  ])("within another tenant reaches no %s of this one", async (_, target) => {
    const ward = createWard();
    const peer = await ward.connect(ward.tokenOf(ann));
    expect(await ward.app.tenant("annex").revoke(target(ward.clock.now()))).toMatchObject({ matched: 0 });
    expect(await peer.call("Hi")).toBeDefined();
    expect((await ward.negotiate(ward.tokenOf(ann), { headers: {} })).status).toBe(200);
  });

  it.each<[string, TenantRevokeTarget]>([
    ["session", { session: "s-ann" }],
    ["token", { tokenId: "t-ann" }],
    ["subject", { subject: "ann" }],
    ["everything", { issuedBefore: 0 }],
  ])("within a tenant that is not named is a mistake: it would reach the %s of all of them", async (_, target) => {
    const ward = createWard();
    await ward.connect(ward.tokenOf(ann));
    const nobodys = ward.app.tenant(undefined as never);
    await expect(nobodys.revoke(target)).rejects.toThrow(TypeError);
    await expect(nobodys.lift({ subject: "ann" })).rejects.toThrow(TypeError);
    await expect(nobodys.requireReauthentication({ subject: "ann" })).rejects.toThrow(TypeError);
    expect(ward.of("revocation.applied")).toEqual([]);
  });

  it("needs an issuer where the authenticator does not name its only one", async () => {
    const authenticate = () => testAuthentication();
    const { app } = createApp({ authenticator: { authenticate } });
    await expect(app.revoke({ session: "s" })).rejects.toThrow(/issuer/);
    await expect(app.revoke({ session: "s", issuer: ISSUER })).resolves.toMatchObject({ number: 1, matched: 0 });
    await expect(app.revoke({ tenant: "general" })).resolves.toMatchObject({ number: 2 });
  });

  describe("through everyTenant", () => {
    const annOf = (tenant: string | undefined) => ({
      ...ann,
      tenant,
      sessionId: `s-${tenant}`,
      tokenId: `t-${tenant}`,
    });
    async function inThreePlaces() {
      const ward = createWard();
      const places = ["general", "annex", undefined];
      const peers = [];
      for (const tenant of places) peers.push(await ward.connect(ward.tokenOf(annOf(tenant))));
      const colleague = await ward.connect(ward.tokenOf(bob));
      const namesake = await ward.connect(ward.tokenOf({ ...ann, issuer: "https://other.example" }));
      return { ...ward, peers, colleague, namesake };
    }

    it("suspends a subject of the issuer in whatever tenant and in none, and lifts it there", async () => {
      const ward = await inThreePlaces();
      const everywhere = ward.app.everyTenant();
      expect(await everywhere.revoke({ subject: "ann" }, { dryRun: true })).toMatchObject({
        matched: 3,
        connections: [{ tenant: "general" }, { tenant: "annex" }, { tenant: undefined }],
      });
      const receipt = everywhere.revoke({ subject: "ann" });
      expect(ward.peers.map(goodbye)).toEqual(["account_disabled", "account_disabled", "account_disabled"]);
      for (const { socket } of ward.peers) socket.end();
      expect(await receipt).toMatchObject({ matched: 3 });
      for (const peer of [ward.colleague, ward.namesake]) expect(await peer.call("Hi")).toBeDefined();
      const statuses = async () =>
        Promise.all(
          ["general", undefined].map(
            async (tenant) => (await ward.negotiate(ward.tokenOf(annOf(tenant)), { headers: {} })).status,
          ),
        );
      expect(await statuses()).toEqual([403, 403]);
      await inGeneral(ward).lift({ subject: "ann" });
      expect(await statuses(), "a tenant lifts its own suspensions alone").toEqual([403, 403]);
      await everywhere.lift({ subject: "ann" });
      expect(await statuses()).toEqual([200, 200]);
    });

    it.each<[string, Revoke, string]>([
      [
        "issuedBefore",
        ({ app, clock }) => app.everyTenant().revoke({ subject: "ann", issuedBefore: clock.now() }),
        "session_revoked;action=relogin",
      ],
      [
        "changed claims",
        ({ app }) => app.everyTenant().requireReauthentication({ subject: "ann" }),
        "reauth_required;action=refresh",
      ],
    ])("%s of a subject is of all of them", async (_, revoke, reason) => {
      const ward = await inThreePlaces();
      const receipt = revoke(ward, "");
      expect(ward.peers.map(goodbye)).toEqual([reason, reason, reason]);
      for (const peer of [ward.colleague, ward.namesake]) expect(await peer.call("Hi")).toBeDefined();
      for (const { socket } of ward.peers) socket.end();
      await receipt;
    });

    it("takes what names people, and no part of the application", async () => {
      const { app } = createWard();
      for (const target of [{ tenant: "general" }, { keyId: "k" }, { client: "c" }, { connection: "x" }])
        await expect(app.everyTenant().revoke(target as never)).rejects.toThrow(TypeError);
      const before = { issuedBefore: 0, tenant: "general" };
      await expect(app.everyTenant().revoke(before as never)).rejects.toThrow(TypeError);
      await expect(app.tenant("annex").revoke(before as never)).rejects.toThrow(TypeError);
    });
  });

  it("tried without being done says whom it would shut out, and changes nothing", async () => {
    const ward = createWard();
    const peer = await ward.connect(ward.tokenOf(ann));
    await ward.connect(ward.tokenOf(bob));
    const [opened] = ward.of("connection.opened");
    expect(await ward.app.revoke({ session: "s-ann" }, { dryRun: true })).toEqual({
      matched: 1,
      connections: [
        {
          connectionId: opened?.connectionId,
          hub: HUB,
          tenant: "general",
          issuer: ISSUER,
          subject: "ann",
          sessionId: "s-ann",
        },
      ],
    });
    expect(await peer.call("Hi")).toBeDefined();
    expect(ward.of("revocation.applied")).toEqual([]);
  });

  it("holds in every scope whose people have such credentials", async () => {
    const ward = createWard();
    const scope = ward.app.scope({
      authenticator: {
        authenticate: () => testAuthentication({ subject: "ann", expiresAt: ward.clock.now() + 60_000 }),
      },
      principal: () => ({}),
    });
    const anyone = scope.policy("Anyone", () => true);
    scope
      .hub("/hubs/devices")
      .allow(anyone)
      .methods(() => ({}));
    const peer = await ward.connect("any", "/hubs/devices");
    const revoked = ward.app.revoke({ subject: "ann" });
    expect(goodbye(peer)).toBe("account_disabled");
    peer.socket.end();
    expect(await revoked).toMatchObject({ matched: 1 });
  });

  it("says what it did, and no secret", async () => {
    const ward = createWard();
    const token = ward.tokenOf(ann);
    await ward.connect(token);
    void ward.app.revoke({ session: "s-ann" });
    expect(ward.of("revocation.applied")).toEqual([
      {
        event: "revocation.applied",
        number: undefined,
        kind: "end",
        target: { type: "session", tenant: undefined, issuer: ISSUER, sessionId: "s-ann" },
        reason: "session_revoked",
        matched: 1,
        gatedMs: 0,
      },
    ]);
    expect(JSON.stringify(ward.events)).not.toContain(token);
  });
});

it("stops what somebody whose network has failed still does, too", async () => {
  const fixture = createApp();
  const anyone = fixture.app.policy("Anyone", () => true);
  const [waited, told] = [deferred<void>(), deferred<string>()];
  fixture.app
    .hub(HUB)
    .allow(anyone)
    .methods((m) => ({
      Order: m.handle(async (call) => {
        await waited.promise;
        told.resolve(await reasonOf((async () => call.toAll().emit("ordered"))()));
      }),
    }));
  const watching = await fixture.connect(fixture.tokenOf(bob), HUB);
  const ordering = await fixture.connect(fixture.tokenOf(ann), HUB);
  ordering.send({ type: messageType.invocation, target: "Order", arguments: [] });
  await settle();
  ordering.socket.end();
  await inGeneral(fixture).revoke({ session: "s-ann" });
  waited.resolve();
  expect(await told.promise).toBe("session_revoked;action=relogin");
  expect(watching.hear()).toEqual([]);
});

describe("the receipt", () => {
  it("waits for the sockets, but not for ever", async () => {
    const ward = createWard();
    const prompt = await ward.connect(ward.tokenOf(ann));
    await ward.connect(ward.tokenOf({ ...ann, tokenId: "t-2" }));
    const receipt = ward.app.revoke({ session: "s-ann" });
    await settle();
    ward.clock.advance(50);
    prompt.socket.end();
    await settle();
    ward.clock.advance(3_000);
    expect(await receipt).toEqual({
      number: 1,
      matched: 2,
      gatedMs: 0,
      closedMs: 3_000,
      stillClosing: 1,
      passesFrom: undefined,
    });
  });

  it("does not wait for a socket that is gone, be it asked for by who is told just that", async () => {
    const records: AuditRecord[] = [];
    let receipt: Promise<unknown> | undefined;
    const ward = createWard({
      audit: { record: (record) => void records.push(record) },
      telemetry: ({ event }) => {
        if (event === "connection.closed") receipt = ward.app.revoke({ session: "s-ann" });
      },
    });
    const peer = await ward.connect(ward.tokenOf(ann));
    peer.socket.end();
    expect(await receipt).toMatchObject({ matched: 0, closedMs: 0, stillClosing: 0 });
    expect(records.find(({ event }) => event === "connection.closed")?.principal).toMatchObject({ subject: "ann" });
  });

  it("says when the last socket was gone, and from when new tokens pass", async () => {
    const ward = createWard({ maxIssuerSkewMs: 5_000 });
    const peer = await ward.connect(ward.tokenOf(ann));
    const at = ward.clock.now();
    const receipt = ward.app.revoke({ issuedBefore: at });
    await settle();
    ward.clock.advance(40);
    peer.socket.end();
    expect(await receipt).toMatchObject({ closedMs: 40, passesFrom: at + 6_000 });
  });
});

describe("every door", () => {
  type Door = (ward: ReturnType<typeof createWard>, token: string) => Promise<string>;

  const doors: readonly (readonly [string, Door])[] = [
    ["negotiate", async ({ negotiate }, token) => (await negotiate(token, { headers: {} })).body],
    ["upgrade without negotiate", async ({ upgrade }, token) => bodyOf(await upgrade({ bearers: [token] }))],
    [
      "server-sent events",
      async ({ app }, token) =>
        bodyOf(
          await app.endpoint.request(
            requestOf({
              method: "GET",
              path: HUB,
              query: "id=x",
              bearers: [token],
              headers: { accept: "text/event-stream" },
            }),
            bodyOfText(),
          ),
        ),
    ],
    [
      "poll",
      async ({ app }, token) =>
        bodyOf(
          await app.endpoint.request(
            requestOf({ method: "GET", path: HUB, query: "id=x", bearers: [token] }),
            bodyOfText(),
          ),
        ),
    ],
    [
      "send",
      async ({ app }, token) =>
        bodyOf(await app.endpoint.request(requestOf({ path: HUB, query: "id=x", bearers: [token] }), bodyOfText("{}"))),
    ],
    [
      "refresh",
      async ({ app }, token) =>
        bodyOf(
          await app.endpoint.request(
            requestOf({ path: `${HUB}/refresh`, query: "id=x", bearers: [token] }),
            bodyOfText(),
          ),
        ),
    ],
    ["a route", ({ app }, token) => reasonOf(app.http.authenticate({ headers: { authorization: `Bearer ${token}` } }))],
  ];

  it.each(doors)(
    "%s refuses who is revoked, with the reason; and who is not is never asked to sign in",
    async (_, door) => {
      const ward = createWard();
      const token = ward.tokenOf(ann);
      const shape = (answer: string): string => answer.replace(/"[\w-]{22}"|hwt_[\w-]{43}|\d{4}(?=\})/g, "…");
      const before = await door(ward, token);
      void ward.app.revoke({ session: "s-ann" });
      expect(await door(ward, token)).toContain("session_revoked;action=relogin");
      expect(before).not.toContain("revoked");
      expect(shape(await door(ward, ward.tokenOf(bob)))).toBe(shape(before));
    },
  );

  it.each(doors)("%s answers auth_unavailable until the log was read", async (_, door) => {
    const page = deferred<never>();
    const { clock } = createApp();
    const log = createMemoryRevocationLog({ clock, random: systemRandom });
    const ward = createWard({ revocations: { ...log, read: () => page.promise } });
    expect(await door(ward, ward.tokenOf(ann))).toContain("auth_unavailable;action=retry-after;retry_after=1");
  });

  it("opens once the log was read; `ready` says when, and who was revoked in another life stays so", async () => {
    const log = createMemoryRevocationLog({ clock: createFakeClock(), random: systemRandom });
    const first = createWard({ revocations: log });
    const token = first.tokenOf(ann);
    await first.app.ready();
    await first.app.revoke({ session: "s-ann" });
    await first.app.close();

    const second = createWard({ revocations: log });
    await second.app.ready();
    expect(second.tokenOf(ann)).toBe(token);
    expect((await second.negotiate(token, { headers: {} })).status).toBe(401);
    expect((await second.negotiate(second.tokenOf(bob), { headers: {} })).status).toBe(200);
  });

  it.each<[string, (ward: ReturnType<typeof createWard>) => Promise<unknown>, string, number]>([
    ["a session", ({ app }) => app.revoke({ session: "s-ann" }), "session_revoked;action=relogin", 4410],
    ["a person", (ward) => inGeneral(ward).revoke({ subject: "ann" }), "account_disabled", 4413],
    ["a tenant", ({ app }) => app.revoke({ tenant: "general" }), "tenant_suspended", 4413],
  ])(
    "a stock client whose credential is over by %s hears why over a connection that is none",
    async (_, revoke, reason, code) => {
      const ward = createWard();
      const token = ward.tokenOf(ann);
      await revoke(ward);
      const body = JSON.parse((await ward.negotiate(token)).body) as NegotiateBody;
      const socket = await ward.upgrade({
        query: `id=${body.connectionToken}`,
        queryBearers: [body.accessToken ?? ""],
      });
      if (!(socket instanceof MemorySocket)) throw new TypeError("refused");
      socket.peerSends(encodeHandshakeRequest({ protocol: "json", version: 1 }));
      expect(text(socket.closed?.lastFrames ?? new Uint8Array())).toContain(`"error":"${reason}"`);
      expect(socket.closed?.code).toBe(code);
      expect(ward.app.connectionCount).toBe(0);
      expect(ward.of("connection.refused")).toMatchObject([
        { reason: reason.split(";")[0], principal: { subject: "ann", sessionId: "s-ann" } },
      ]);
    },
  );

  it("says by status that a token's claims are out of date, as of an expired one: a new token helps, and a Close that lets a stock client come back loses its reason", async () => {
    const ward = createWard();
    const token = ward.tokenOf(ann);
    await ward.app.requireReauthentication({ tenant: "general" });
    const { status, body } = await ward.negotiate(token);
    expect([status, body]).toEqual([401, '{"error":"reauth_required;action=refresh;retry_after=61"}']);
    expect(ward.of("connection.refused")).toMatchObject([{ reason: "reauth_required", principal: { subject: "ann" } }]);
  });

  it("refuses a token that lives longer than revocations are remembered, and says which option to set", async () => {
    const ward = createWard({ maxTokenAgeMs: 60_000, maxIssuerSkewMs: 1_000 });
    expect((await ward.negotiate(ward.tokenOf({ ...ann, livesMs: 61_000 }))).status).toBe(200);
    expect((await ward.negotiate(ward.tokenOf({ ...bob, livesMs: 61_001 }))).status).toBe(401);
    expect(ward.of("connection.refused")).toMatchObject(
      [{ reason: "invalid_token", hint: /maxTokenAgeMs/ }].map(matching),
    );
  });
});

function matching({ reason, hint }: { reason: string; hint: RegExp }): unknown {
  return { reason, hint: expect.stringMatching(hint) };
}

function bodyOf(answer: object): string {
  if (answer instanceof MemorySocket) return "accepted";
  return "body" in answer ? String(answer.body) : "accepted";
}

describe("a revocation that comes between", () => {
  const ticketOf = (body: string): NegotiateBody => JSON.parse(body) as NegotiateBody;

  it("negotiate and upgrade: the ticket is refused with the reason", async () => {
    const ward = createWard();
    const { connectionToken, accessToken } = ticketOf((await ward.negotiate(ward.tokenOf(ann))).body);
    await ward.app.revoke({ session: "s-ann" });
    expect(await ward.upgrade({ query: `id=${connectionToken}`, queryBearers: [accessToken ?? ""] })).toMatchObject({
      status: 401,
      body: '{"error":"session_revoked;action=relogin"}',
    });
    const again = await ward.negotiate(undefined, { bearers: [accessToken ?? ""] });
    expect(again).toMatchObject({ status: 401, body: '{"error":"session_revoked;action=relogin"}' });
  });

  it("negotiate and upgrade, of the connection by its id: it is never opened", async () => {
    const ward = createWard();
    const { connectionToken, connectionId, accessToken } = ticketOf((await ward.negotiate(ward.tokenOf(ann))).body);
    await ward.app.revoke({ connection: connectionId as never });
    const socket = await ward.upgrade({ query: `id=${connectionToken}`, queryBearers: [accessToken ?? ""] });
    if (!(socket instanceof MemorySocket)) throw new TypeError("refused");
    socket.peerSends(encodeHandshakeRequest({ protocol: "json", version: 1 }));
    expect(text(socket.closed?.lastFrames ?? new Uint8Array())).toContain("session_revoked");
    expect(ward.of("connection.opened")).toEqual([]);
  });

  it("the accepted upgrade and its open socket: it hears why and is none", async () => {
    const ward = createWard();
    const { connectionToken, accessToken } = ticketOf((await ward.negotiate(ward.tokenOf(ann))).body);
    const asked = requestOf({
      method: "GET",
      path: HUB,
      query: `id=${connectionToken}`,
      queryBearers: [accessToken ?? ""],
    });
    const answer = await ward.app.endpoint.upgrade(asked);
    if (!answer.accepted) throw new TypeError("refused");
    await ward.app.revoke({ session: "s-ann" });
    const socket = new MemorySocket();
    socket.listen(answer.open(socket));
    socket.peerSends(encodeHandshakeRequest({ protocol: "json", version: 1 }));
    expect(text(socket.closed?.lastFrames ?? new Uint8Array())).toContain("session_revoked");
    expect(ward.app.connectionCount).toBe(0);
  });

  it("the open socket and its handshake: it is closed", async () => {
    const ward = createWard();
    const { connectionToken, accessToken } = ticketOf((await ward.negotiate(ward.tokenOf(ann))).body);
    const socket = await ward.upgrade({ query: `id=${connectionToken}`, queryBearers: [accessToken ?? ""] });
    if (!(socket instanceof MemorySocket)) throw new TypeError("refused");
    void ward.app.revoke({ session: "s-ann" });
    expect(socket.isEnded || socket.closed !== undefined).toBe(true);
    expect(ward.of("connection.opened")).toEqual([]);
  });

  it.each<[string, "authenticator" | "principal" | "policy"]>([
    ["while the authenticator verifies", "authenticator"],
    ["while the directory is asked", "principal"],
    ["while the hub's policy is asked", "policy"],
  ])(
    "the request and its answer, %s: refused, at negotiate, at a route and in a re-authentication",
    async (_, where) => {
      const gate = deferred<undefined>();
      let isSlow = false;
      const step = async (here: string): Promise<void> => (isSlow && here === where ? await gate.promise : undefined);
      const now = createFakeClock().now();
      const authenticationOf = (token: string) =>
        testAuthentication({
          ...ann,
          tokenId: token,
          issuedAt: now,
          expiresAt: now + (token === "first" ? 60_000 : 120_000),
        });
      const fixture = createApp({
        authenticator: {
          issuer: ISSUER,
          async authenticate({ token }) {
            await step("authenticator");
            return authenticationOf(token.reveal());
          },
        },
        async principal() {
          await step("principal");
          return { department: null };
        },
      });
      const slow = fixture.app.policy("Slow", async () => {
        await step("policy");
        return true;
      });
      fixture.app
        .hub(HUB, { authenticationRefresh: true })
        .allow(slow)
        .methods(() => ({}));
      const peer = await fixture.connect("first");
      isSlow = true;
      const headers = { authorization: "Bearer later" };
      const pending = [
        fixture.negotiate("later", { headers: {} }).then(({ body }) => body),
        reasonOf(fixture.app.http.authorize({ headers }, slow)),
      ];
      peer.send({
        type: messageType.invocation,
        invocationId: "1",
        target: "hubward.reauthenticate",
        arguments: ["later"],
      });
      await settle();
      // Only the token that is on its way: the live connection stands by another one.
      void fixture.app.revoke({ tokenId: "later" });
      gate.resolve(undefined);
      for (const answer of await Promise.all(pending)) expect(answer).toContain("session_revoked");
      await settle();
      expect(peer.hear()).toMatchObject([
        { type: messageType.completion, outcome: { kind: "error", error: "session_revoked;action=relogin" } },
      ]);
      expect(fixture.of("connection.reauthenticated")).toEqual([]);
      expect(fixture.app.connectionCount).toBe(1);
    },
  );

  it("a lost transport and its resume: the resume finds nothing", async () => {
    const ward = createWard();
    const query = "negotiateVersion=1&useStatefulReconnect=true";
    const { connectionToken, accessToken } = ticketOf((await ward.negotiate(ward.tokenOf(ann), { query })).body);
    const upgrade = { query: `id=${connectionToken}`, queryBearers: [accessToken ?? ""] };
    const socket = await ward.upgrade(upgrade);
    if (!(socket instanceof MemorySocket)) throw new TypeError("refused");
    socket.peerSends(encodeHandshakeRequest({ protocol: "json", version: 2 }));
    socket.end();
    expect(ward.of("connection.detached")).toHaveLength(1);
    expect(await ward.app.revoke({ session: "s-ann" })).toMatchObject({ matched: 1, stillClosing: 0 });
    expect(await ward.upgrade(upgrade)).toMatchObject({ status: 401 });
    expect(ward.of("connection.closed")).toMatchObject([{ reason: "session_revoked" }]);
  });
});

describe("changed claims", () => {
  it("lapse a client that can refresh; a token issued behind them and the skew brings it back", async () => {
    const ward = createWard({ maxIssuerSkewMs: 2_000 });
    const peer = await ward.connect(ward.tokenOf(ann));
    peer.send({ type: messageType.invocation, invocationId: "0", target: "hubward.notices", arguments: [] });
    await settle();
    peer.hear();
    await inGeneral(ward).requireReauthentication({ subject: "ann" });
    expect(ward.of("connection.lapsed")).toMatchObject([{ reason: "reauth_required" }]);
    const renew = async () => peer.call("hubward.reauthenticate", ward.tokenOf({ ...ann, tokenId: "t-2" }));
    expect(await renew()).toMatchObject({ outcome: { error: "reauth_required;action=refresh;retry_after=3" } });
    ward.clock.advance(3_000);
    expect(await renew()).toMatchObject({ outcome: { kind: "value" } });
    expect(ward.of("connection.restored")).toHaveLength(1);
    expect(await peer.call("Hi")).toMatchObject({ outcome: { kind: "value" } });
  });

  it("leave the grace to who is rechecked in it", async () => {
    const ward = createWard({ maxIssuerSkewMs: 2_000 });
    const peer = await ward.connect(ward.tokenOf(ann));
    await peer.call("hubward.notices");
    await inGeneral(ward).requireReauthentication({ subject: "ann" });
    expect(await inGeneral(ward).recheck({ subject: "ann" })).toMatchObject({ matched: 1, ended: 0, unavailable: 1 });
    expect(await peer.call("Hi")).toMatchObject({ outcome: { error: "reauth_required;action=refresh" } });
    ward.clock.advance(3_000);
    const renewed = await peer.call("hubward.reauthenticate", ward.tokenOf({ ...ann, tokenId: "t-2" }));
    expect(renewed).toMatchObject({ outcome: { kind: "value" } });
    expect(await peer.call("Hi")).toMatchObject({ outcome: { kind: "value" } });
  });

  it("leave no grace to who is rechecked in it and may not be here any more", async () => {
    const ward = createWard({ principal: () => (isWelcome ? { roles: [], department: null } : null) });
    let isWelcome = true;
    const peer = await ward.connect(ward.tokenOf(ann));
    await peer.call("hubward.notices");
    await inGeneral(ward).requireReauthentication({ subject: "ann" });
    isWelcome = false;
    expect(await inGeneral(ward).recheck({ subject: "ann" })).toMatchObject({ matched: 1, ended: 1 });
    expect(goodbye(peer)).toBe("forbidden");
  });

  it("of all reach everybody, and pass by who comes with a newer token", async () => {
    const ward = createWard({ maxIssuerSkewMs: 0 });
    const peers = [
      await ward.connect(ward.tokenOf(ann)),
      await ward.connect(ward.tokenOf({ ...bob, tenant: "annex" })),
    ];
    void ward.app.requireReauthentication({ all: true });
    expect(peers.map(goodbye)).toEqual(["reauth_required;action=refresh", "reauth_required;action=refresh"]);
    ward.clock.advance(1_000);
    expect((await ward.negotiate(ward.tokenOf(ann), { headers: stockClient })).status).toBe(200);
    expect(ward.of("connection.refused")).toEqual([]);
  });
});

describe("a suspension", () => {
  it("stands until it is lifted", async () => {
    const ward = createWard();
    const ask = async () => (await ward.negotiate(ward.tokenOf(ann), { headers: {} })).status;
    await ward.app.revoke({ tenant: "general" });
    ward.clock.stepWallClock(86_400_000 * 30);
    expect(await ask()).toBe(403);
    expect(await ward.app.lift({ tenant: "general" })).toEqual({ number: 2 });
    expect(await ask()).toBe(200);
    await expect(ward.app.lift({ session: "s" } as never)).rejects.toThrow(TypeError);
  });
});

describe("who asks", () => {
  const audited = () => {
    const records: AuditRecord[] = [];
    return { records, ward: createWard({ audit: { record: (record) => void records.push(record) } }) };
  };

  it("is told to telemetry and the audit, of every kind of entry, and to nobody who is refused", async () => {
    const { records, ward } = audited();
    const token = ward.tokenOf(ann);
    const peer = await ward.connect(token);
    const general = inGeneral(ward);
    const revoked = general.revoke({ subject: "ann" }, { by: "admin-of-the-audit" });
    const said = goodbye(peer);
    expect(said).toContain("account_disabled");
    peer.socket.end();
    await revoked;
    await general.lift({ subject: "ann" }, { by: "lift-of-the-audit" });
    await general.requireReauthentication({ subject: "ann" }, { by: "claims-of-the-audit" });
    await ward.app.revoke({ tenant: "general" });
    await ward.app.lift({ tenant: "general" });
    const told = ward.of("revocation.applied").map(({ kind, by, number }) => [kind, by, number]);
    expect(told).toEqual([
      ["suspension", "admin-of-the-audit", undefined],
      ["lift", "lift-of-the-audit", 2],
      ["claims-changed", "claims-of-the-audit", undefined],
      ["suspension", undefined, undefined],
      ["lift", undefined, 5],
    ]);
    const kept = records.filter(({ event }) => event === "revocation.applied");
    expect(kept.map(({ kind, by }) => [kind, by])).toEqual(told.map(([kind, by]) => [kind, by]));
    const { status, body, headers } = await ward.negotiate(token, { headers: {} });
    expect(status).toBe(401);
    expect([said, body, JSON.stringify(headers)].join()).not.toContain("of-the-audit");
  });

  it("is told of what no log could keep, too", async () => {
    const ward = createWard({ revocations: createFullLog().log });
    await ward.app.ready();
    expect(await reasonOf(inGeneral(ward).revoke({ subject: "ann" }, { by: "boss" }))).toContain("not_durable");
    expect(await reasonOf(inGeneral(ward).lift({ subject: "ann" }, { by: "boss" }))).toContain("not_durable");
    expect(ward.of("revocation.failed")).toMatchObject([
      { kind: "suspension", by: "boss" },
      { kind: "lift", by: "boss" },
    ]);
  });

  it.each<[string, unknown]>([
    ["empty text", ""],
    ["text without end", "x".repeat(2_049)],
    ["text of two lines", "two\nlines"],
    ["number", 7],
  ])("is no %s: nothing has happened then", async (_what, by) => {
    const { records, ward } = audited();
    const asked = { by: by as string };
    await expect(ward.app.revoke({ tenant: "general" }, asked)).rejects.toThrow(TypeError);
    await expect(ward.app.lift({ tenant: "general" }, asked)).rejects.toThrow(TypeError);
    await expect(ward.app.requireReauthentication({ all: true }, asked)).rejects.toThrow(TypeError);
    expect((await ward.negotiate(ward.tokenOf(ann), { headers: {} })).status).toBe(200);
    expect(records).toEqual([]);
  });
});

/** A log whose disk is full whenever it is told to be. */
function createFullLog(): { readonly log: RevocationLog; isFull: boolean } {
  const inner = createMemoryRevocationLog({ clock: createFakeClock(), random: systemRandom });
  const disk = {
    isFull: true,
    log: {
      ...inner,
      append: (entry: NewRevocation): Promise<Revocation> =>
        disk.isFull ? Promise.reject(new HubwardError("not_durable")) : inner.append(entry),
    },
  };
  return disk;
}

describe("a log that cannot keep an entry", () => {
  it("is no reason to let anybody in: what was shut stays shut, and whoever asked hears not_durable", async () => {
    const disk = createFullLog();
    const ward = createWard({ revocations: disk.log });
    await ward.app.ready();
    const token = ward.tokenOf(ann);
    const peer = await ward.connect(token);
    expect(await reasonOf(ward.app.revoke({ session: "s-ann" }))).toContain("not_durable");
    expect(goodbye(peer)).toBe("session_revoked;action=relogin");
    expect((await ward.negotiate(token, { headers: {} })).status).toBe(401);
    expect(ward.of("revocation.failed")).toMatchObject([{ kind: "end", target: { sessionId: "s-ann" } }]);
  });

  it("may be asked again, and a suspension that no log has can be lifted by one that can", async () => {
    const disk = createFullLog();
    const ward = createWard({ revocations: disk.log });
    await ward.app.ready();
    const token = ward.tokenOf(ann);
    const ask = async () => (await ward.negotiate(token, { headers: {} })).status;
    expect(await reasonOf(ward.app.revoke({ tenant: "general" }))).toContain("not_durable");
    expect(await reasonOf(ward.app.lift({ tenant: "general" }))).toContain("not_durable");
    expect(await ask()).toBe(403);
    disk.isFull = false;
    expect(await ward.app.revoke({ tenant: "general" })).toMatchObject({ number: 1 });
    expect(await ask()).toBe(403);
    await ward.app.lift({ tenant: "general" });
    expect(await ask()).toBe(200);
  });

  it("of changed claims: tokens issued behind them pass, though nobody numbered the entry", async () => {
    const ward = createWard({ revocations: createFullLog().log, maxIssuerSkewMs: 0 });
    await ward.app.ready();
    expect(await reasonOf(ward.app.requireReauthentication({ all: true }))).toContain("not_durable");
    expect((await ward.negotiate(ward.tokenOf(ann), { headers: {} })).status).toBe(401);
    ward.clock.advance(1_000);
    expect((await ward.negotiate(ward.tokenOf({ ...ann, tokenId: "t-2" }), { headers: {} })).status).toBe(200);
  });
});

it("a hundred at once are each kept once, and shut whom they are about", async () => {
  const ward = createWard();
  const people = Array.from({ length: 100 }, (_, index) => ({
    ...ann,
    subject: `p-${index}`,
    sessionId: `s-${index}`,
  }));
  const peers: AppPeer[] = [];
  for (const person of people) peers.push(await ward.connect(ward.tokenOf(person)));
  const neighbour = await ward.connect(ward.tokenOf(bob));
  const receipts = people.map(({ sessionId }) => ward.app.revoke({ session: sessionId }));
  for (const { socket } of peers) socket.end();
  const numbers = (await Promise.all(receipts)).map(({ number, matched }) => [number, matched]);
  expect(numbers).toEqual(people.map((_, index) => [index + 1, 1]));
  ward.app.everyTenant().toAll().emit("news", 1);
  expect(neighbour.hear()).toMatchObject([{ target: "news" }]);
  expect(ward.app.connectionCount).toBe(1);
});
