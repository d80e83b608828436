import { createFakeClock, testAuthentication } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { createApp } from "../../test/app-fixture.js";
import { Secret } from "../core/auth/secret.js";
import { forwardedIdentity } from "./forwarded-identity.js";
import { HubwardError, refusalReply } from "./index.js";
import { decideRequest, readBearer } from "./http.js";

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
    expect(readBearer(header)?.reveal()).toBe(expected);
  });
});
