import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ending,
  failureOf,
  newFolder,
  post,
  readGrant,
  removeFolders,
  runClinic,
  type RunningClinic,
} from "./test/running-clinic.js";

let running: RunningClinic;

beforeAll(async () => {
  running = await runClinic();
});
afterAll(async () => {
  await running.end();
  await removeFolders();
});

describe("POST /auth/login", () => {
  test("answers with a bearer token and exactly one cookie that no script and no other path sees", async () => {
    const response = await running.signIn("doctor-icu");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: "Bearer",
      expires_in: 300,
    });
    const cookies = response.headers.getSetCookie();
    expect(cookies).toHaveLength(1);
    const [pair, ...attributes] = (cookies[0] ?? "").split("; ");
    expect(pair?.split("=")[0]).toBe(`clinic-refresh-${running.port}`);
    expect(attributes.sort()).toEqual(["HttpOnly", "Max-Age=1209600", "Path=/auth", "SameSite=Strict"]);
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  test("the token says who and where, and nothing of what that person may do", async () => {
    const { token } = await running.grant("doctor-annex");
    const claims = decodeJwt(token);
    expect(claims).toMatchObject({ sub: "doctor-annex", tenant: "annex", iss: "urn:hubward:demo:clinic" });
    expect(Object.keys(claims).sort()).toEqual(
      ["aud", "client_id", "exp", "iat", "iss", "jti", "sid", "sub", "tenant"].sort(),
    );
  });

  test.each([
    ["a wrong password", "doctor-icu", "wrong"],
    ["an unknown name", "nobody", "demo"],
    ["a name in other letters", "Doctor-ICU", "demo"],
    ["nothing at all", "", ""],
    ["a very long name", "x".repeat(1000), "demo"],
  ])("%s gets the same 401", async (_what, username, password) => {
    const response = await running.signIn(username, password);
    expect(response.status).toBe(401);
    expect(await response.text()).toBe('{"error":"invalid_credentials"}');
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test.each([
    ["no JSON", "text/plain", "{}", 415],
    ["broken JSON", "application/json", "{", 400],
    ["other members", "application/json", '{"name":"admin"}', 400],
    ["a password that is no text", "application/json", '{"username":"admin","password":1}', 400],
    ["null", "application/json", "null", 400],
    ["a body that is too big", "application/json", JSON.stringify({ username: "x".repeat(5000), password: "" }), 413],
  ])("%s is refused before anyone is looked up", async (_what, contentType, body, status) => {
    const headers = { "content-type": contentType };
    const response = await fetch(`${running.url}/auth/login`, { method: "POST", headers, body });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^(invalid_request|message_too_big)$/) });
  });

  test("another method is refused", async () => {
    const response = await fetch(`${running.url}/auth/login`);
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });

  test("origins of our own may sign in, and so may who is no browser; others may not", async () => {
    const body = { username: "admin", password: "demo" };
    const from = async (headers: Record<string, string>): Promise<number> =>
      (await post(`${running.url}/auth/login`, body, headers)).status;
    expect(await from({ origin: `http://127.0.0.1:${running.port}` })).toBe(200);
    expect(await from({ origin: `http://localhost:${running.port}` })).toBe(200);
    expect(await from({})).toBe(200);
    expect(await from({ origin: "http://evil.example" })).toBe(403);
    expect(await from({ origin: "null" })).toBe(403);
    expect(await from({ origin: `https://127.0.0.1:${running.port}` })).toBe(403);
  });

  test("is logged by name where there is such a person, and never with what was typed instead", async () => {
    await running.signIn("visitor", "hunter2");
    await running.signIn("hunter2", "visitor");
    await running.signIn("visitor");
    const entries = running.log.filter(({ event }) => event === "session.refused" || event === "session.started");
    expect(entries.at(-3)).toMatchObject({ level: "warn", reason: "invalid_credentials", subject: "visitor" });
    expect(entries.at(-2)).toMatchObject({ level: "warn", reason: "invalid_credentials" });
    expect(entries.at(-2)).not.toHaveProperty("subject");
    expect(entries.at(-1)).toMatchObject({ level: "info", event: "session.started", subject: "visitor" });
    expect(running.lines.join("")).not.toContain("hunter2");
  });
});

describe("POST /auth/refresh and /auth/logout", () => {
  const origin = (): Record<string, string> => ({ origin: running.url });

  test("a refresh gives a new token and the next cookie", async () => {
    const first = await running.grant("nurse-er");
    const response = await post(`${running.url}/auth/refresh`, undefined, { ...origin(), cookie: first.cookie });
    const second = await readGrant(response);
    expect(second.expiresIn).toBe(300);
    expect(second.cookie).not.toBe(first.cookie);
    expect(decodeJwt(second.token)).toMatchObject({ sub: "nurse-er", sid: decodeJwt(first.token)["sid"] });
  });

  test("a cookie just superseded does no harm", async () => {
    const first = await running.grant("nurse-er");
    const refresh = (cookie: string): Promise<Response> =>
      post(`${running.url}/auth/refresh`, undefined, { ...origin(), cookie });
    const second = await readGrant(await refresh(first.cookie));
    expect((await readGrant(await refresh(first.cookie))).cookie).toBe(second.cookie);
    const third = await readGrant(await refresh(second.cookie));
    const late = await refresh(first.cookie);
    expect(late.status).toBe(409);
    expect(late.headers.getSetCookie()).toEqual([]);
    expect((await refresh(third.cookie)).status).toBe(200);
  });

  test("after signing out the cookie is worth nothing", async () => {
    const { cookie } = await running.grant("nurse-icu");
    const logout = await post(`${running.url}/auth/logout`, undefined, { ...origin(), cookie });
    expect(logout.status).toBe(204);
    const refresh = await post(`${running.url}/auth/refresh`, undefined, { ...origin(), cookie });
    expect(refresh.status).toBe(401);
    expect(await refresh.json()).toEqual({ error: "session_revoked" });
    expect(running.log.slice(-2)).toMatchObject([
      { event: "session.ended", subject: "nurse-icu", why: "logout" },
      { event: "revocation.applied", kind: "end", matched: 0, target: { type: "session", tenant: "general" } },
    ]);
  });

  test("signing out ends every connection of that session before it is answered, and of no other", async () => {
    const { token, cookie } = await running.grant("nurse-icu");
    const tabs = [running.hub(token), running.hub(token)];
    await Promise.all(tabs.map((tab) => tab.start()));
    const elsewhere = await running.connect("nurse-icu");
    const ends = tabs.map(ending);
    expect((await post(`${running.url}/auth/logout`, undefined, { ...origin(), cookie })).status).toBe(204);
    expect(running.log.filter(({ event }) => event === "connection.closed")).toMatchObject([
      { reason: "session_revoked" },
      { reason: "session_revoked" },
    ]);
    for (const end of ends) expect((await end)?.message).toContain("session_revoked;action=relogin");
    expect(await failureOf(running.hub(token).start())).toContain("session_revoked");
    expect(await elsewhere.invoke("WhoAmI")).toMatchObject({ subject: "nurse-icu" });
  });

  test("with a database, a restart signs nobody out and lets nobody back in", async () => {
    const folder = await newFolder();
    const settings = { database: join(folder, "clinic.db"), dataDirectory: join(folder, "data") };
    const first = await runClinic(settings);
    const out = await first.grant("nurse-icu");
    const stays = await first.grant("doctor-icu");
    const from = (clinic: RunningClinic, cookie: string) => ({
      origin: clinic.url,
      cookie: cookie.replace(/^clinic-refresh-\d+/, `clinic-refresh-${clinic.port}`),
    });
    const logout = await post(`${first.url}/auth/logout`, undefined, from(first, out.cookie));
    expect(logout.status).toBe(204);
    await first.end();

    const second = await runClinic(settings);
    expect(await failureOf(second.hub(out.token).start())).toContain("session_revoked");
    expect((await post(`${second.url}/auth/refresh`, undefined, from(second, out.cookie))).status).toBe(401);
    expect((await post(`${second.url}/auth/refresh`, undefined, from(second, stays.cookie))).status).toBe(200);
    await second.hub(stays.token).start();
    await second.end();
  });

  test("no cookie and one that nobody wrote are 401", async () => {
    const cookies = ["", `clinic-refresh-${running.port}=made.up.thing`];
    for (const cookie of cookies) {
      const response = await post(`${running.url}/auth/refresh`, undefined, {
        ...origin(),
        ...(cookie ? { cookie } : {}),
      });
      expect(response.status).toBe(401);
    }
  });

  test.each(["refresh", "logout"])(
    "%s is refused from elsewhere and from nowhere, and spends nothing",
    async (what) => {
      const { cookie } = await running.grant("admin");
      for (const from of [{}, { origin: "http://evil.example" }]) {
        const response = await post(`${running.url}/auth/${what}`, undefined, { ...from, cookie });
        expect(response.status).toBe(403);
        expect(response.headers.getSetCookie()).toEqual([]);
      }
      expect((await post(`${running.url}/auth/refresh`, undefined, { ...origin(), cookie })).status).toBe(200);
    },
  );
});

test("over https the cookie is Secure and says so in its name", async () => {
  const secure = await runClinic({ publicOrigin: "https://ward.example" });
  try {
    const cookie = (await secure.signIn("admin")).headers.getSetCookie();
    expect(cookie).toHaveLength(1);
    expect(cookie[0]).toMatch(/^__Secure-clinic-refresh=[^;]+; .*; Secure$/);
  } finally {
    await secure.end();
  }
});

test("too many failures for one name are told when to come back", async () => {
  const other = await runClinic();
  try {
    for (let count = 0; count < 10; count++) expect((await other.signIn("admin", "wrong")).status).toBe(401);
    const refused = await other.signIn("admin");
    expect(refused.status).toBe(429);
    const retryAfter = Number(refused.headers.get("retry-after"));
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(60);
    expect(await refused.json()).toEqual({ error: `rate_limited;action=retry-after;retry_after=${retryAfter}` });
    expect((await other.signIn("visitor")).status).toBe(200);
  } finally {
    await other.end();
  }
});
