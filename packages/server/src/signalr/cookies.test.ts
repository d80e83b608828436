/** Cookies as a hub's credential, and the cookie that binds, asked of a whole application without a network. */

import { describe, expect, it } from "vitest";
import { createApp, stockClient, type AppFixture, type NegotiateBody } from "../../test/app-fixture.js";
import { bodyOfText, plainReply, requestOf, type TestRequest } from "../../test/http-fixture.js";
import { bodyOf, createWard, hello, HUB, upgraded, type WardFixture } from "../../test/ward-fixture.js";
import type { HttpAnswer } from "../core/http.js";

const origin = "https://ward.example";
const page = { origin, "sec-fetch-site": "same-origin" };
const reading = { "sec-fetch-site": "same-origin" };
const browser = { ...page, "x-signalr-user-agent": "Microsoft SignalR/10.0 (10.0.11; Unknown OS; Browser; Unknown)" };
const stream = { accept: "text/event-stream" };

function createCookieWard(): WardFixture {
  return createWard({ allowedOrigins: [origin], cookie: "__Host-access" });
}

function ask({ app }: AppFixture, request: TestRequest, body = ""): Promise<HttpAnswer> {
  return app.endpoint.request(requestOf({ path: HUB, ...request }), bodyOfText(body));
}

/** The status, also of a reply that comes over time. */
async function statusOf(fixture: AppFixture, request: TestRequest): Promise<number> {
  const answer = await ask(fixture, request);
  return "open" in answer ? 200 : answer.status;
}

/** Lets the transport begin. */
async function open(fixture: AppFixture, request: TestRequest): Promise<void> {
  const answer = await ask(fixture, request);
  if (!("open" in answer)) throw new TypeError(`refused: ${answer.status} ${answer.body}`);
  answer.open({
    reply: () => undefined,
    begin: () => undefined,
    write: () => undefined,
    end: () => undefined,
    queuedBytes: 0,
    reset: () => undefined,
  });
}

async function negotiateByCookie(fixture: AppFixture, access: string): Promise<NegotiateBody> {
  return bodyOf(await fixture.negotiate(undefined, { headers: browser, cookies: { access } }));
}

const reasonsOf = ({ events }: AppFixture): readonly unknown[] =>
  events.flatMap((event) => (event.event === "connection.refused" ? [[event.reason, event.hint]] : []));

describe("negotiate by cookie", () => {
  it("gives an id and no ticket", async () => {
    const fixture = createCookieWard();
    const reply = await negotiateByCookie(fixture, fixture.tokenOf({}));
    expect(Object.keys(reply)).toContain("connectionToken");
    expect(reply.accessToken).toBeUndefined();
  });

  it.each<[string, (fixture: AppFixture, good: string) => TestRequest, number | "ticket"]>([
    ["a valid cookie", (_, access) => ({ cookies: { access } }), 200],
    ["an expired one", (f) => ({ cookies: { access: f.tokenOf({ livesMs: 0 }) } }), 401],
    ["an unknown one", () => ({ cookies: { access: "eyJ-unknown" } }), 401],
    ["an empty one", () => ({ cookies: { access: "" } }), 401],
    ["one that no browser would keep", (_, access) => ({ cookies: { access: `"${access}"` } }), 400],
    ["none", () => ({ cookies: {} }), 401],
    [
      "a valid cookie beside a valid bearer",
      (f, access) => ({ cookies: { access }, bearers: [f.tokenOf({})] }),
      "ticket",
    ],
    [
      "an invalid cookie beside a valid bearer",
      (_, token) => ({ cookies: { access: "x" }, bearers: [token] }),
      "ticket",
    ],
    [
      "a valid cookie beside an unknown bearer",
      (_, access) => ({ cookies: { access }, bearers: ["eyJ-unknown"] }),
      401,
    ],
    [
      "a valid cookie beside an expired bearer",
      (f, access) => ({ cookies: { access }, bearers: [f.tokenOf({ livesMs: 0 })] }),
      401,
    ],
    ["a valid cookie beside two bearers", (_, access) => ({ cookies: { access }, bearers: ["a", "b"] }), 400],
    [
      "a valid cookie beside a JWT in the query",
      (f, access) => ({ cookies: { access }, queryBearers: [f.tokenOf({})] }),
      401,
    ],
    [
      "a valid cookie beside a dead ticket",
      (_, access) => ({ cookies: { access }, bearers: [`hwt_${"x".repeat(43)}`] }),
      200,
    ],
    ["no cookie beside a dead ticket", () => ({ bearers: [`hwt_${"x".repeat(43)}`] }), 401],
    [
      "a valid cookie of another page beside a dead ticket",
      (_, access) => ({
        cookies: { access },
        bearers: [`hwt_${"x".repeat(43)}`],
        headers: { ...browser, "sec-fetch-site": "same-site" },
      }),
      403,
    ],
    ["a valid cookie of curl's", (_, access) => ({ cookies: { access }, headers: {} }), 403],
    ["a valid cookie of the stock client in Node", (_, access) => ({ cookies: { access }, headers: stockClient }), 403],
    [
      "a valid cookie of another page",
      (_, access) => ({ cookies: { access }, headers: { origin: "https://evil.example" } }),
      403,
    ],
  ])("%s", async (_, request, expected) => {
    const fixture = createCookieWard();
    const reply = await fixture.negotiate(undefined, { headers: browser, ...request(fixture, fixture.tokenOf({})) });
    const { accessToken } = reply.status === 200 ? bodyOf(reply) : {};
    expect(accessToken === undefined ? reply.status : "ticket").toBe(expected);
  });

  it("of a live ticket's holder is answered by the ticket", async () => {
    const fixture = createCookieWard();
    const { accessToken = "" } = bodyOf(await fixture.negotiate(fixture.tokenOf({ subject: "ann" })));
    const bob = fixture.tokenOf({ subject: "bob" });
    const { connectionToken } = bodyOf(
      await fixture.negotiate(accessToken, { headers: browser, cookies: { access: bob } }),
    );
    const socket = await upgraded(fixture, { query: `id=${connectionToken}`, queryBearers: [accessToken] });
    socket.peerSends(hello);
    expect(fixture.events.find(({ event }) => event === "connection.opened")).toMatchObject({
      principal: { subject: "ann" },
    });
  });

  it("is nobody's where the hub takes no cookies, whatever the application does", async () => {
    const fixture = createApp({ allowedOrigins: [origin], cookie: "__Host-access" });
    const all = fixture.app.policy("All", () => true);
    const declare = (path: string, cookie?: string | false): unknown =>
      fixture.app
        .hub(path, { cookie })
        .allow(all)
        .methods(() => ({}));
    declare("/hubs/none", false);
    declare("/hubs/inherits");
    declare("/hubs/own", "__Host-other");
    const access = fixture.tokenOf({});
    const at = async (path: string): Promise<number> =>
      (await fixture.negotiate(undefined, { path: `${path}/negotiate`, headers: browser, cookies: { access } })).status;
    expect([await at("/hubs/none"), await at("/hubs/inherits"), await at("/hubs/own")]).toEqual([401, 200, 200]);
    expect(
      ["/hubs/none", "/hubs/inherits/negotiate", "/hubs/own"].map((path) => fixture.app.endpoint.cookies?.(path)),
    ).toEqual([
      { access: undefined, binding: "__Host-hubward-hubs.none" },
      { access: "__Host-access", binding: "__Host-hubward-hubs.inherits" },
      { access: "__Host-other", binding: "__Host-hubward-hubs.own" },
    ]);
    expect(fixture.app.endpoint.cookies?.("/elsewhere")).toBeUndefined();
  });

  it("is not inherited by a scope, whose people are others'", () => {
    const fixture = createApp({ allowedOrigins: [origin], cookie: "__Host-access", maxStreams: 3 });
    const scope = fixture.app.scope({
      authenticator: { authenticate: () => Promise.reject(new Error("x")) },
      principal: () => null,
    });
    scope
      .hub("/hubs/partners")
      .allow(scope.policy("All", () => true))
      .methods(() => ({}));
    expect(fixture.app.endpoint.cookies?.("/hubs/partners")?.access).toBeUndefined();
  });

  it("cannot be switched on for nobody's pages", () => {
    const { app } = createApp();
    const mount = () =>
      app
        .hub("/hubs/x", { cookie: "__Host-access" })
        .allow(app.policy("All", () => true))
        .methods(() => ({}));
    expect(mount).toThrow("hub /hubs/x.cookie: needs allowedOrigins");
    expect(() => createApp({ cookie: "__Host-access" })).toThrow("hubward.cookie: needs allowedOrigins");
  });
});

describe("a WebSocket by cookie", () => {
  const upgradeHeaders = { origin, upgrade: "websocket" };

  it("takes the cookie of the same person, aged or renewed; a foreign one finds nothing", async () => {
    const fixture = createCookieWard();
    const { connectionToken } = await negotiateByCookie(fixture, fixture.tokenOf({ subject: "ann" }));
    const query = `id=${connectionToken}`;
    const by = (access: string | undefined, headers: Readonly<Record<string, string>> = upgradeHeaders) =>
      fixture.upgrade({ query, headers, cookies: access === undefined ? {} : { access } });
    const unknown = await fixture.upgrade({
      query: "id=unknown",
      headers: upgradeHeaders,
      cookies: { access: fixture.tokenOf({ subject: "ann" }) },
    });
    expect(unknown).toMatchObject({ status: 404 });
    const renewed = fixture.tokenOf({ subject: "ann" });
    expect(await by(fixture.tokenOf({ subject: "bob" }))).toEqual(unknown);
    expect(await by(fixture.tokenOf({ subject: "ann", livesMs: 0 }))).toEqual(unknown);
    expect(await by(undefined)).toEqual(unknown);
    expect(await by(renewed, { upgrade: "websocket" })).toMatchObject({ status: 403 });
    expect(await by(renewed, { ...upgradeHeaders, origin: "https://evil.example" })).toMatchObject({ status: 403 });
    await upgraded(fixture, { query, headers: upgradeHeaders, cookies: { access: renewed } });
  });

  it("opens nothing that was not negotiated: the id is what another page cannot know", async () => {
    const fixture = createCookieWard();
    const reply = await fixture.upgrade({ headers: upgradeHeaders, cookies: { access: fixture.tokenOf({}) } });
    expect(reply).toMatchObject({ status: 400 });
    expect(reasonsOf(fixture)).toEqual([["invalid_request", "a cookie opens no connection that was not negotiated"]]);
  });
});

describe.each([
  ["server-sent events", stream],
  ["long polling", {}],
])("%s by cookie", (_, accept) => {
  const headers = { ...reading, ...accept };

  it("asks each request for the cookie and for its page; nobody else's touches the connection", async () => {
    const fixture = createCookieWard();
    const access = fixture.tokenOf({ subject: "ann" });
    const { connectionToken } = await negotiateByCookie(fixture, access);
    const query = `id=${connectionToken}`;
    await open(fixture, { method: "GET", query, headers, cookies: { access } });
    const send = (request: TestRequest): Promise<number> =>
      statusOf(fixture, { method: "POST", query, headers: page, cookies: { access }, ...request });
    expect(await send({})).toBe(200);
    expect(await send({ cookies: { access: fixture.tokenOf({ subject: "ann" }) } })).toBe(200);
    // What it has shown before is known, and still is not taken from another page.
    expect(await send({ headers: {} })).toBe(403);
    expect(await send({ headers: reading })).toBe(403);
    expect(await send({ headers: { ...page, "sec-fetch-site": "same-site" } })).toBe(403);
    expect(await send({ method: "DELETE", headers: { ...page, "sec-fetch-site": "cross-site" } })).toBe(403);
    expect(await send({ method: "GET", headers: accept })).toBe(403);
    expect(await send({ cookies: { access: fixture.tokenOf({ subject: "bob" }) } })).toBe(404);
    expect(await send({ cookies: { access: fixture.tokenOf({ subject: "ann", clientId: "other" }) } })).toBe(404);
    expect(await send({ cookies: {} })).toBe(404);
    expect(await send({ cookies: {}, bearers: ["eyJ-unknown"] })).toBe(401);
    expect(await send({})).toBe(200);
  });

  it("never answers 401 to a cookie that aged or went, for whatever id", async () => {
    const fixture = createCookieWard();
    const access = fixture.tokenOf({ livesMs: 14_000 });
    const { connectionToken } = await negotiateByCookie(fixture, access);
    const query = `id=${connectionToken}`;
    await open(fixture, { method: "GET", query, headers, cookies: { access } });
    const shorter = fixture.tokenOf({ livesMs: 5_000 });
    const aged = fixture.tokenOf({ livesMs: 0 });
    const send = (used: string, id = query): Promise<number> =>
      statusOf(fixture, { method: "POST", query: id, headers: page, cookies: { access: used } });
    expect(await send(shorter)).toBe(200);
    fixture.clock.advance(13_999);
    // What it has shown while it was good still names its connection.
    expect([await send(access), await send(shorter)]).toEqual([200, 200]);
    expect([await send(aged), await send(aged, "id=unknown")]).toEqual([404, 404]);
    expect(reasonsOf(fixture)).toEqual([
      ["token_expired", undefined],
      ["token_expired", undefined],
    ]);
  });
});

describe("a leaked URL", () => {
  const secure = { isSecure: true, headers: browser } as const;

  async function begin(fixture: AppFixture) {
    const reply = await fixture.negotiate(fixture.tokenOf({ subject: "ann" }), secure);
    const [, binding = ""] = /=([\w.-]{66});/.exec(reply.headers["set-cookie"] ?? "") ?? [];
    const { connectionToken, accessToken = "" } = bodyOf(reply);
    const url = { query: `id=${connectionToken}`, queryBearers: [accessToken] };
    return { binding, url };
  }

  it.each([
    ["server-sent events", stream],
    ["long polling", {}],
  ])("of %s is worth nothing without the browser's cookie once it was shown", async (_, accept) => {
    const fixture = createWard({ allowedOrigins: [origin] });
    const { binding, url } = await begin(fixture);
    expect(binding).not.toBe("");
    const owner = { ...url, isSecure: true, cookies: { binding } };
    await open(fixture, { method: "GET", headers: { ...reading, ...accept }, ...owner });
    const thief = { ...url, headers: {} };
    for (const cookies of [undefined, {}, { binding: `${"x".repeat(22)}.${"x".repeat(43)}` }]) {
      const methods = ["GET", "POST", "DELETE"].map((method) =>
        statusOf(fixture, { ...thief, method, ...(cookies && { cookies }) }),
      );
      expect(await Promise.all(methods)).toEqual([404, 404, 404]);
      expect(await fixture.upgrade({ ...thief, headers: { upgrade: "websocket" } })).toMatchObject({ status: 404 });
    }
    expect(await statusOf(fixture, { method: "POST", headers: page, ...owner })).toBe(200);
  });

  it("of a WebSocket is worth nothing either, also of the browser's next ones", async () => {
    const fixture = createWard({ allowedOrigins: [origin] });
    const { binding } = await begin(fixture);
    const again = await fixture.negotiate(fixture.tokenOf({ subject: "ann" }), { ...secure, cookies: { binding } });
    expect(again.headers["set-cookie"]).toBeUndefined();
    const { connectionToken, accessToken = "" } = bodyOf(again);
    const url = { query: `id=${connectionToken}`, queryBearers: [accessToken] };
    await upgraded(fixture, { ...url, cookies: { binding } });
    expect(await statusOf(fixture, { ...url, method: "POST" })).toBe(404);
    expect(await statusOf(fixture, { ...url, method: "POST", cookies: { binding } })).toBe(405);
  });

  it("gets nobody a cookie by its ticket", async () => {
    const fixture = createWard({ allowedOrigins: [origin] });
    const { url } = await begin(fixture);
    const stolen = await fixture.negotiate(url.queryBearers[0], { ...secure, headers: {} });
    expect([stolen.status, stolen.headers["set-cookie"]]).toEqual([200, undefined]);
  });

  it("is asked for no cookie where the client keeps none, and over http there is none", async () => {
    const fixture = createWard({ allowedOrigins: [origin] });
    const { url } = await begin(fixture);
    await open(fixture, { method: "GET", headers: stream, ...url });
    expect(await statusOf(fixture, { method: "POST", ...url, headers: {} })).toBe(200);
    const plain = await fixture.negotiate(fixture.tokenOf({}), { headers: browser });
    expect(plain.headers["set-cookie"]).toBeUndefined();
  });

  it("does not exist where no ticket is given", async () => {
    const fixture = createCookieWard();
    const access = fixture.tokenOf({});
    const byCookie = await fixture.negotiate(undefined, { ...secure, cookies: { access } });
    const dotnet = await fixture.negotiate(access, {
      isSecure: true,
      headers: { "user-agent": "Microsoft SignalR/10.0 (10.0.1; Linux; .NET; .NET 10)" },
    });
    for (const reply of [byCookie, dotnet]) {
      expect(bodyOf(plainReply(reply)).accessToken).toBeUndefined();
      expect(reply.headers["set-cookie"]).toBeUndefined();
    }
  });
});
