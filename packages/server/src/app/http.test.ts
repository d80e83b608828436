import { createFakeClock, testAuthentication } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createApp } from "../../test/app-fixture.js";
import { Secret } from "../core/auth/secret.js";
import { forwardedIdentity } from "./forwarded-identity.js";
import { hasRole, HubwardError, refusalReply, type AuditRecord } from "./index.js";
import { decideRequest, rawPathOf, readBearer } from "./http.js";

async function refusal(asked: Promise<unknown>): Promise<HubwardError> {
  return asked.then(
    () => expect.unreachable("it was allowed"),
    (error: unknown) => error as HubwardError,
  );
}

const by = (authorization?: string) => ({ headers: authorization === undefined ? {} : { authorization } });

describe("who asks over HTTP", () => {
  it("is known by the same token, as the same principal", async () => {
    const { app, tokenOf } = createApp();
    const token = tokenOf({ subject: "ann", roles: ["doctor"], department: "icu" });
    for (const request of [by(`Bearer ${token}`), { headers: new Headers({ authorization: `bearer ${token}` }) }]) {
      const { principal, authentication } = await app.http.authenticate(request);
      expect([principal.subject, principal.department, principal.hasRole("doctor")]).toEqual(["ann", "icu", true]);
      expect(authentication.subject).toBe("ann");
    }
  });

  it.each<[string, string | undefined]>([
    ["nothing", undefined],
    ["an empty header", ""],
    ["another scheme", "Basic YTpi"],
    ["a scheme without a token", "Bearer"],
    ["a scheme and spaces", "Bearer   "],
    ["two tokens", "Bearer a b"],
    ["a token beside another", "Bearer a, Bearer b"],
    ["a token with a line feed", "Bearer a\nb"],
    ["a quoted token", 'Bearer "a"'],
  ])("is nobody by %s: a bare challenge", async (_, authorization) => {
    const { app } = createApp();
    const error = await refusal(app.http.authenticate(by(authorization)));
    expect(refusalReply(error)).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" }, body: "" });
  });

  it("is nobody by a ticket, which is a credential for its hub alone: no authenticator is even asked", async () => {
    let asked = 0;
    const { app, negotiate } = createApp({
      authenticator: {
        authenticate: () => (asked++, testAuthentication({ expiresAt: createFakeClock().now() + 60_000 })),
      },
      principal: () => ({ department: null }),
    });
    app
      .hub("/hubs/ward")
      .allow(app.policy("All", () => true))
      .methods(() => ({}));
    const { accessToken } = JSON.parse((await negotiate("eyJ-any")).body) as { accessToken: string };
    expect([accessToken.slice(0, 4), asked]).toEqual(["hwt_", 1]);
    expect((await refusal(app.http.authenticate(by(`Bearer ${accessToken}`)))).reason).toBe("invalid_token");
    expect(asked).toBe(1);
  });

  it.each([
    ["an unknown token", { token: "eyJ-unknown" }, "invalid_token"],
    ["an expired one", { livesMs: 0 }, "token_expired"],
  ])("is refused by %s", async (_, how, reason) => {
    const { app, tokenOf } = createApp();
    const token = "token" in how ? how.token : tokenOf(how);
    expect((await refusal(app.http.authenticate(by(`Bearer ${token}`)))).reason).toBe(reason);
  });

  it("is asked the same policies, with their resource", async () => {
    const { app, tokenOf } = createApp();
    const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
    const request = by(`Bearer ${tokenOf({ department: "icu" })}`);
    await expect(app.http.authorize(request, ownWard, "icu")).resolves.toMatchObject({
      principal: { department: "icu" },
    });
    expect((await refusal(app.http.authorize(request, ownWard, "er"))).reason).toBe("forbidden");
    const broken = app.policy("Broken", () => Promise.reject(new Error("down")));
    expect((await refusal(app.http.authorize(request, broken))).reason).toBe("auth_unavailable");
  });

  it("is authenticated before any policy is asked", async () => {
    const { app } = createApp();
    let asked = 0;
    const policy = app.policy("Counting", () => (asked++, true));
    await refusal(app.http.authorize(by("Bearer eyJ-unknown"), policy));
    expect(asked).toBe(0);
  });
});

describe("a refusal", () => {
  const peer = "203.0.113.9";
  const from = (authorization: string, remoteAddress: string | undefined = peer) => ({
    headers: { authorization },
    remoteAddress,
  });

  it("is told with who it was as far as that was known, which policy said no, and from where", async () => {
    const records: AuditRecord[] = [];
    const { app, tokenOf, of, events } = createApp({ audit: { record: (record) => void records.push(record) } });
    const doctors = app.policy("Doctors", hasRole("doctor"));
    const nina = tokenOf({ subject: "nina", sessionId: "s-1", tokenId: "j-1" });
    const revoked = tokenOf({ subject: "rea", sessionId: "s-2" });
    const over = tokenOf({ subject: "otto", livesMs: 0 });
    await app.revoke({ session: "s-2" });
    await refusal(app.http.authorize({ headers: {}, remoteAddress: peer }, doctors));
    await refusal(app.http.authorize(from("Bearer eyJ-canary"), doctors));
    await refusal(app.http.authorize(from(`Bearer ${over}`), doctors));
    await refusal(app.http.authorize(from(`Bearer ${revoked}`), doctors));
    await refusal(app.http.authorize(from(`Bearer ${nina}`), doctors));
    const told = of("request.refused");
    expect(told.map(({ reason, policy, principal }) => [reason, policy, principal?.subject])).toEqual([
      ["invalid_token", undefined, undefined],
      ["invalid_token", undefined, undefined],
      ["token_expired", undefined, undefined],
      ["session_revoked", undefined, "rea"],
      ["forbidden", "Doctors", "nina"],
    ]);
    expect(told[0]?.hint).toBe("no credential was presented");
    expect(told[4]).toEqual({
      event: "request.refused",
      reason: "forbidden",
      principal: {
        tenant: undefined,
        issuer: "https://issuer.example",
        subject: "nina",
        roles: ["nurse"],
        sessionId: "s-1",
        tokenId: "j-1",
      },
      policy: "Doctors",
      remoteAddress: peer,
      hint: undefined,
    });
    expect(
      records.slice(1).map((record) => [record.event, record.reason, record.policy, record.remoteAddress]),
    ).toEqual(told.map(({ event, reason, policy, remoteAddress }) => [event, reason, policy, remoteAddress]));
    expect(records[5]?.principal).toEqual(told[4]?.principal);
    const all = JSON.stringify([events, records]);
    for (const token of ["eyJ-canary", nina, revoked, over]) expect(all).not.toContain(token);
  });

  it("is told once by a guard, also where a policy is asked later; and nothing is told of who was let in", async () => {
    const { app, tokenOf, of } = createApp();
    const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
    const request = from(`Bearer ${tokenOf({ department: "icu" })}`);
    const admission = await app.http.authorize(request, ownWard, "icu");
    expect(await decideRequest(app, request, ownWard, () => "icu")).toMatchObject({ isAllowed: true });
    expect(of("request.refused")).toEqual([]);
    await refusal(app.http.require(admission, ownWard, "er"));
    expect(of("request.refused")).toMatchObject([{ reason: "forbidden", policy: "OwnWard", remoteAddress: peer }]);
    await decideRequest(app, request, ownWard, () => "er");
    expect(of("request.refused")).toHaveLength(2);
  });

  it("is what a policy asked later says to who was revoked meanwhile", async () => {
    const { app, tokenOf, of } = createApp();
    const all = app.policy("All", () => true);
    const admission = await app.http.authenticate(from(`Bearer ${tokenOf({ subject: "ann" })}`));
    await app.revoke({ subject: "ann" });
    expect((await refusal(app.http.require(admission, all))).reason).toBe("account_disabled");
    expect(of("request.refused")).toMatchObject([{ reason: "account_disabled", principal: { subject: "ann" } }]);
  });

  it("of what does not verify counts as it does at a hub, and both doors are shut then for that address", async () => {
    const { app, clock, tokenOf, negotiate, of } = createApp({
      limits: { authentication: { burst: 3, perSecond: 0.5 } },
    });
    const all = app.policy("All", () => true);
    app
      .hub("/hubs/ward")
      .allow(all)
      .methods(() => ({}));
    const path = "/hubs/ward/negotiate";
    const genuine = tokenOf({ subject: "ann" });
    await negotiate("eyJ-none", { path, remoteAddress: peer });
    // None of these says of a credential that it is none.
    await refusal(app.http.authorize({ headers: {}, remoteAddress: peer }, all));
    await refusal(app.http.authenticate(from(`Bearer ${tokenOf({ subject: "otto", livesMs: 0 })}`)));
    for (const token of ["eyJ-1", "eyJ-2"])
      expect((await refusal(app.http.authenticate(from(`Bearer ${token}`)))).reason).toBe("invalid_token");

    const refused = await refusal(app.http.authorize(from(`Bearer ${genuine}`), all));
    expect(refusalReply(refused)).toMatchObject({ status: 429, headers: { "retry-after": "2" } });
    expect((await negotiate(genuine, { path, remoteAddress: peer })).status).toBe(429);
    expect(of("request.refused").filter(({ reason }) => reason === "rate_limited")).toHaveLength(1);
    expect(of("connection.refused").filter(({ reason }) => reason === "rate_limited")).toEqual([]);
    await expect(app.http.authorize(from(`Bearer ${genuine}`, "203.0.113.10"), all)).resolves.toMatchObject({});
    clock.advance(2_000);
    await expect(app.http.authorize(from(`Bearer ${genuine}`), all)).resolves.toMatchObject({});
  });

  it("counts for nobody where the route does not know whose request it is", async () => {
    const { app, tokenOf } = createApp({ limits: { authentication: { burst: 1, perSecond: 0.1 } } });
    for (let count = 0; count < 5; count++)
      expect((await refusal(app.http.authenticate(by("Bearer eyJ-none")))).reason).toBe("invalid_token");
    await expect(app.http.authenticate(by(`Bearer ${tokenOf({})}`))).resolves.toMatchObject({});
  });
});

describe("who asks through a gateway, which a browser may have done for any page", () => {
  it.each<[headers: Record<string, string>, isWelcome: boolean]>([
    [{}, true],
    [{ origin: "https://ward.example" }, true],
    [{ origin: "https://ward.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" }, true],
    [{ origin: "https://evil.example" }, false],
    [{ origin: "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, false],
    [{ origin: "null" }, false],
    [{ "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }, true],
    [{ "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }, true],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, true],
    [{ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, false],
    [{ "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" }, false],
    [{ "sec-fetch-site": "cross-site" }, false],
    [{ "sec-fetch-site": "same-origin, cross-site", "sec-fetch-mode": "no-cors" }, false],
  ])("%j: %s", async (sent, isWelcome) => {
    const clock = createFakeClock();
    const { app } = createApp({
      clock,
      allowedOrigins: ["https://ward.example"],
      authenticator: forwardedIdentity({ issuer: "https://gateway.example/", maxLifeSeconds: 60, clock }),
      principal: () => ({ department: null }),
    });
    for (const headers of [sent, new Headers(sent)]) {
      const said = new Map([["x-auth-subject", new Secret("ann")]]);
      app.endpoint.forwarded?.[0]?.keep(headers, { kind: "forwarded", headers: said });
      const asked = app.http.authenticate({ headers });
      if (isWelcome) await expect(asked).resolves.toMatchObject({ principal: { subject: "ann" } });
      else expect((await refusal(asked)).reason).toBe("origin_denied");
    }
  });
});

describe("a guard's decision", () => {
  it("is who asks, or the answer to give instead", async () => {
    const { app, tokenOf } = createApp();
    const ownWard = app.policy("OwnWard", ({ principal }, ward: string) => principal.department === ward);
    const request = by(`Bearer ${tokenOf({ subject: "ann", department: "icu" })}`);
    expect(await decideRequest(app, request, ownWard, () => "icu")).toMatchObject({
      isAllowed: true,
      admission: { principal: { subject: "ann" } },
    });
    expect(await decideRequest(app, request, ownWard, () => "er")).toMatchObject({
      isAllowed: false,
      reply: { status: 403, body: '{"error":"forbidden"}' },
    });
  });

  it("reads the resource only for who is known, and takes one that cannot be read for a bad request", async () => {
    const { app, tokenOf } = createApp();
    const ownWard = app.policy("OwnWard", (_context, ward: string) => ward === "icu");
    let read = 0;
    const unreadable = (): string => {
      read++;
      throw new TypeError("no such part");
    };
    expect(await decideRequest(app, by(), ownWard, unreadable)).toMatchObject({ reply: { status: 401, body: "" } });
    expect(read).toBe(0);
    const known = by(`Bearer ${tokenOf({})}`);
    expect(await decideRequest(app, known, ownWard, unreadable)).toMatchObject({
      reply: { status: 400, body: '{"error":"invalid_request;action=fix-request"}' },
    });
    const gone = (): string => {
      throw new HubwardError("not_found");
    };
    expect(await decideRequest(app, known, ownWard, gone)).toMatchObject({ reply: { status: 404 } });
  });

  it("is a bare 500, told to telemetry, where even asking fails", async () => {
    const { app, events } = createApp();
    const failure = new Error("secret text");
    const http = { ...app.http, authenticate: () => Promise.reject(failure) };
    const policy = app.policy("All", () => true);
    const decision = await decideRequest({ http }, by(), policy, undefined);
    expect(decision).toMatchObject({ isAllowed: false, reply: { status: 500 } });
    expect(JSON.stringify(decision)).not.toContain("secret");
    expect(events).toMatchObject([{ event: "application.failed", where: "route guard", error: failure }]);
  });
});

describe("a bearer in a header", () => {
  it.each([
    ["Bearer abc", "abc"],
    ["bearer   abc  ", "abc"],
    ["BEARER a.b-c_d~e+f/g==", "a.b-c_d~e+f/g=="],
    ["Bearer a=b", undefined],
    ["Bearerabc", undefined],
    [" Bearer abc", undefined],
    [undefined, undefined],
    [null, undefined],
  ])("%j: %s", (header, expected) => {
    expect(readBearer(header, {}, () => undefined)?.token.reveal()).toBe(expected);
  });

  it("of the DPoP scheme has its proof and its request beside it, as it was before a framework cut a prefix off", () => {
    const request = { method: "PUT", url: "/7?x=1", originalUrl: "/patients/7?x=1" };
    const { dpop } = readBearer("dPoP abc", request, () => new Secret("proof")) ?? {};
    expect([dpop?.proof?.reveal(), dpop?.method, dpop?.path]).toEqual(["proof", "PUT", "/patients/7"]);
    expect(readBearer("Bearer abc", request, () => new Secret("proof"))?.dpop).toBeUndefined();
  });

  it.each([
    ["/a/%62?c#d", "/a/%62"],
    ["https://evil.example/a?b", "/a"],
    ["//evil.example/a", "//evil.example/a"],
    ["*", undefined],
    [".evil.example/a", undefined],
    ["https://evil.example", undefined],
    [undefined, undefined],
  ])("is shown at a path: %s", (url, path) => {
    expect(rawPathOf(url)).toBe(path);
  });
});
