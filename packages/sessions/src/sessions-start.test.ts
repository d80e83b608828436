import { describe, expect, it } from "vitest";
import { createFixture, expectRefusal, loginRequest, origin, post, signIn, tokenOf } from "../test/fixture.js";
import { readJson } from "./read-json.js";

describe("signing in", () => {
  it("answers with a bearer token and exactly one cookie, and may not be cached", async () => {
    const { sessions } = await createFixture();
    const response = await sessions.start({ subject: "nurse-7", request: loginRequest() });
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Secure-hubward-refresh=[\w-]{22}\.0\.[\w-]{43}; Max-Age=1209600; Path=\/auth; HttpOnly; SameSite=Strict; Secure$/,
      ),
    ]);
    expect(await response.json()).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: "Bearer",
      expires_in: 300,
    });
  });

  it("over http sets a cookie that http can keep, under the name and path it was told", async () => {
    const local = "http://localhost:8080";
    const { sessions } = await createFixture({
      publicOrigin: local,
      cookieName: "clinic-8080",
      cookiePath: "/session",
    });
    const response = await sessions.start({ subject: "nurse-7", request: loginRequest({ origin: local }) });
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^clinic-8080=[\w.-]+; Max-Age=1209600; Path=\/session; HttpOnly; SameSite=Strict$/),
    ]);
  });

  it("works after the body was read, and without an Origin: no cookie is the credential", async () => {
    const { sessions } = await createFixture();
    const request = new Request(`${origin}/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"name":"nurse-7"}',
    });
    expect(sessions.checkLogin(request)).toBeUndefined();
    expect(await readJson(request)).toEqual({ ok: true, value: { name: "nurse-7" } });
    expect((await sessions.start({ subject: "nurse-7", request })).status).toBe(200);
  });

  it.each([
    [403, "origin_denied", loginRequest({ origin: "https://evil.example" })],
    [403, "origin_denied", loginRequest({ origin: "null" })],
    [403, "origin_denied", loginRequest({ origin: `${origin}.evil.example` })],
    [403, "origin_denied", loginRequest({ origin: `${origin}:8443` })],
    [403, "origin_denied", loginRequest({ origin: origin.toUpperCase() })],
    [403, "origin_denied", loginRequest({ origin: "http://ward.example" })],
    [415, "invalid_request", post("/auth/login", { origin })],
    [415, "invalid_request", loginRequest({ "content-type": "application/x-www-form-urlencoded" })],
    [415, "invalid_request", loginRequest({ "content-type": "text/plain; x=application/json" })],
    [405, "invalid_request", new Request(`${origin}/auth/login`, { headers: { origin } })],
  ])("is refused with %i %s before and after the password is compared", async (status, error, request) => {
    const { sessions } = await createFixture();
    const early = sessions.checkLogin(request);
    expect(early).toBeDefined();
    if (early !== undefined) await expectRefusal(early, status, error);
    await expectRefusal(await sessions.start({ subject: "nurse-7", request }), status, error);
  });

  it("puts nothing into the store when it is refused", async () => {
    let created = 0;
    const store = {
      create: async () => void created++,
      listOpen: async () => [],
      read: async () => undefined,
      compareAndSet: async () => false,
    };
    const { sessions } = await createFixture({ store });
    await sessions.start({ subject: "nurse-7", request: loginRequest({ origin: "https://evil.example" }) });
    expect(created).toBe(0);
    await sessions.start({ subject: "nurse-7", request: loginRequest() });
    expect(created).toBe(1);
  });

  it("gives every session an id of its own", async () => {
    const { sessions } = await createFixture();
    const ids = await Promise.all(Array.from({ length: 50 }, async () => tokenOf(await signIn(sessions)).sessionId));
    expect(new Set(ids).size).toBe(50);
  });

  it.each([
    ["an empty subject", { subject: "" }],
    ["a subject of 257 characters", { subject: "x".repeat(257) }],
    ["half a character", { subject: "\ud800" }],
    ["an empty tenant", { tenant: "" }],
    ["an empty client", { clientId: "" }],
    ["another subject among the claims", { claims: { sub: "admin" } }],
    ["a lifetime among the claims", { claims: { exp: 4_000_000_000 } }],
    ["another session among the claims", { claims: { sid: "another" } }],
    ["another tenant among the claims", { claims: { tenant: "another" } }],
    ["large claims", { claims: { roles: ["x".repeat(3_000)] } }],
    ["claims that are a list", { claims: ["nurse"] as never }],
    ["claims that JSON cannot hold", { claims: { big: 1n } }],
  ])("with %s is the programmer's mistake", async (_name, wrong) => {
    const { sessions } = await createFixture();
    const login = { subject: "nurse-7", request: loginRequest(), ...wrong };
    await expect(sessions.start(login)).rejects.toThrow(/^(subject|tenant|clientId|claims): /);
  });
});
