import { describe, expect, it } from "vitest";
import { stockClient } from "../../test/app-fixture.js";
import { bodyOf, createWard, hello, HUB, upgraded, type WardFixture } from "../../test/ward-fixture.js";
import type { HttpReply } from "../core/http.js";

describe("negotiating", () => {
  it("gives a stock client a ticket in place of its JWT, two different ids, and all transports", async () => {
    const { tokenOf, negotiate } = createWard();
    const token = tokenOf({});
    const reply = await negotiate(token);
    const body = bodyOf(reply);
    expect(reply.headers).toEqual({
      "content-type": "application/json",
      "cache-control": "no-store",
      vary: "Origin",
    });
    expect(body).toMatchObject({
      negotiateVersion: 1,
      availableTransports: [
        { transport: "WebSockets", transferFormats: ["Text", "Binary"] },
        { transport: "ServerSentEvents", transferFormats: ["Text"] },
        { transport: "LongPolling", transferFormats: ["Text", "Binary"] },
      ],
    });
    for (const id of [body.connectionId, body.connectionToken]) expect(id).toMatch(/^[\w-]{22}$/);
    expect(body.connectionId).not.toBe(body.connectionToken);
    expect(body.accessToken).toMatch(/^hwt_[\w-]{43}$/);
    expect(reply.body).not.toContain(token);
    expect("url" in body).toBe(false);
  });

  it("in version 0 gives the secret as the only id, and logs another", async () => {
    const fixture = createWard();
    const body = bodyOf(await fixture.negotiate(fixture.tokenOf({}), { query: "" }));
    expect(body).toMatchObject({ negotiateVersion: 0 });
    expect("connectionToken" in body).toBe(false);
    const socket = await upgraded(fixture, {
      query: `id=${body.connectionId}`,
      queryBearers: [body.accessToken ?? ""],
    });
    socket.peerSends(hello);
    expect(fixture.of("connection.opened")[0]?.connectionId).toMatch(/^[\w-]{22}$/);
    expect(fixture.of("connection.opened")[0]?.connectionId).not.toBe(body.connectionId);
  });

  it.each([
    ["a .NET client", { "user-agent": "Microsoft SignalR/8.0 (8.0.1; Linux; .NET; .NET 8.0.1)" }, false],
    ["a client that names itself nowhere", {}, true],
    [
      "a browser",
      {
        "x-signalr-user-agent": "Microsoft SignalR/10.0 (10.0.11; Unknown OS; Browser; x)",
        origin: "https://a.example",
      },
      true,
    ],
  ])("gives %s a ticket: %s", async (_, headers, hasTicket) => {
    const { tokenOf, negotiate } = createWard({ allowedOrigins: ["https://a.example"] });
    const body = bodyOf(await negotiate(tokenOf({}), { headers }));
    expect(body.accessToken !== undefined).toBe(hasTicket);
  });

  it.each<[string, (fixture: WardFixture) => Promise<HttpReply>, number, string | undefined, string]>([
    ["without a credential", (f) => f.negotiate(undefined), 401, undefined, "invalid_token"],
    ["by an unknown token", (f) => f.negotiate("eyJ-unknown"), 401, "invalid_token;action=relogin", "invalid_token"],
    [
      "by an expired token",
      (f) => f.negotiate(f.tokenOf({ livesMs: 0 })),
      401,
      "token_expired;action=refresh",
      "token_expired",
    ],
    [
      "by a token about to expire",
      (f) => f.negotiate(f.tokenOf({ issuedAt: f.clock.now() - 3_600_000, livesMs: 9_999 })),
      401,
      "token_expired;action=refresh",
      "token_expired",
    ],
    [
      "by two tokens that differ",
      (f) => f.negotiate(f.tokenOf({}), { bearers: [f.tokenOf({}), "eyJ-other"] }),
      400,
      "invalid_request;action=fix-request",
      "invalid_request",
    ],
    [
      "by a JWT in the query",
      (f) => f.negotiate(undefined, { queryBearers: [f.tokenOf({})] }),
      401,
      "invalid_token;action=relogin",
      "invalid_token",
    ],
    [
      "by a made-up ticket",
      (f) => f.negotiate(`hwt_${"a".repeat(43)}`),
      401,
      "ticket_invalid;action=reconnect",
      "ticket_invalid",
    ],
    [
      "from a page that is not allowed",
      (f) => f.negotiate(f.tokenOf({}), { headers: { origin: "https://evil.example" } }),
      403,
      "origin_denied;action=fix-request",
      "origin_denied",
    ],
    [
      "by a visitor whose client reads statuses",
      (f) => f.negotiate(f.tokenOf({ roles: [] }), { headers: {} }),
      403,
      "forbidden: staff only",
      "forbidden",
    ],
  ])("%s is refused, and logged as a warning with its reason and no token", async (_, ask, status, error, reason) => {
    const fixture = createWard();
    const reply = await ask(fixture);
    expect([reply.status, reply.body === "" ? undefined : (JSON.parse(reply.body) as { error: string }).error]).toEqual(
      [status, error],
    );
    expect(reply.headers["www-authenticate"]).toBe(
      status !== 401 ? undefined : error === undefined ? "Bearer" : 'Bearer error="invalid_token"',
    );
    expect(fixture.events).toHaveLength(1);
    expect(fixture.of("connection.refused")[0]).toMatchObject({ hub: HUB, reason, remoteAddress: "192.0.2.7" });
    expect(JSON.stringify(fixture.events)).not.toMatch(/eyJ|hwt_/);
  });

  it("takes a JWT in the query where that is switched on", async () => {
    const { negotiate, tokenOf } = createWard({ allowQueryToken: true });
    expect(bodyOf(await negotiate(undefined, { queryBearers: [tokenOf({})] })).accessToken).toBeDefined();
  });

  it.each([
    ["the directory is down", { principal: () => Promise.reject(new Error("ldap")) }],
    ["the authenticator is down", { authenticator: { authenticate: () => Promise.reject(new Error("jwks")) } }],
  ])("answers 503 and never 401 when %s, to a stock client, too", async (_, options) => {
    const fixture = createWard(options);
    const reply = await fixture.negotiate(fixture.tokenOf({}));
    expect(reply).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
    expect(reply.body).toContain("auth_unavailable;action=retry-after;retry_after=1");
    expect(fixture.of("application.failed")).toHaveLength(1);
  });

  it.each([
    ["negotiateVersion=x", "The client requested a non-integer protocol version."],
    ["NegotiateVersion=-1", "The client requested version '-1', but the server does not support this version."],
  ])("answers %s with 200 and .NET's words", async (query, words) => {
    const { negotiate, tokenOf } = createWard();
    expect(bodyOf(await negotiate(tokenOf({}), { query }))).toEqual({ error: words });
  });

  it("answers other methods, other paths and other transports as the protocol says", async () => {
    const { negotiate, app, upgrade, tokenOf } = createWard();
    expect(await negotiate(undefined, { method: "GET" })).toMatchObject({ status: 405, headers: { allow: "POST" } });
    expect((await negotiate(undefined, { path: HUB })).status).toBe(401);
    expect((await negotiate(tokenOf({}), { path: HUB, query: "" })).status).toBe(400);
    expect((await negotiate(tokenOf({}), { path: HUB, query: "id=x" })).status).toBe(404);
    expect((await negotiate(undefined, { path: "/elsewhere" })).status).toBe(404);
    expect(await upgrade({ path: `${HUB}/negotiate` })).toMatchObject({ status: 404 });
    const owned = [
      HUB,
      "/HUBS/Ward",
      `${HUB}/negotiate`,
      `${HUB}/Negotiate`,
      `${HUB}/`,
      `${HUB}//`,
      `${HUB}/x`,
      `${HUB}x`,
      "/hubs",
      "/",
    ];
    expect(owned.filter((path) => app.endpoint.owns(path))).toEqual(owned.slice(0, 5));
  });

  it("holds back whoever the server ended three times at once, and lets go by itself", async () => {
    const fixture = createWard();
    const token = fixture.tokenOf({ sessionId: "s1" });
    const other = fixture.tokenOf({ sessionId: "s2" });
    for (let count = 0; count < 3; count++) {
      const { socket } = await fixture.connect(token);
      socket.peerSends(Uint8Array.of(0x1e));
      socket.end();
    }
    let isAnswered = false;
    const waiting = fixture.negotiate(token).then((reply) => ((isAnswered = true), reply));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    bodyOf(await fixture.negotiate(other));
    fixture.clock.advance(250);
    bodyOf(await waiting);
  });
});

describe("whatever the directory thinks", () => {
  it.each([
    ["nobody knows the person", { principal: () => null }, 403],
    ["the mapping throws a reason of its own", { principal: () => Promise.reject(new Error("x")) }, 503],
  ])("nobody gets in when %s", async (_, options, status) => {
    const { negotiate, tokenOf } = createWard(options);
    expect(await negotiate(tokenOf({}), { headers: {} })).toMatchObject({ status });
  });

  it("counts a stock client that was told why as ended at once, so that it cannot loop", async () => {
    const fixture = createWard();
    const token = fixture.tokenOf({ roles: [] });
    for (let count = 0; count < 3; count++) {
      const { connectionToken, accessToken = "" } = bodyOf(await fixture.negotiate(token, { headers: stockClient }));
      const socket = await upgraded(fixture, { query: `id=${connectionToken}`, queryBearers: [accessToken] });
      socket.peerSends(hello);
      socket.end();
    }
    let isAnswered = false;
    const waiting = fixture.negotiate(token).then(() => (isAnswered = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    fixture.clock.advance(250);
    await waiting;
  });
});
