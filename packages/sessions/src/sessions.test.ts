import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import {
  cleared,
  cookieOf,
  createFixture,
  expectAlive,
  expectRefusal,
  loginRequest,
  origin,
  post,
  signIn,
  T,
  tokenOf,
  withCookie,
  type Fixture,
} from "../test/fixture.js";

describe("signing out", () => {
  it("ends the session, clears the cookie and tells the application", async () => {
    const { sessions, ended } = await createFixture();
    const cookie = await signIn(sessions);
    const response = await sessions.logout(withCookie(cookie));
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.getSetCookie()).toEqual([cleared]);
    const { sessionId } = tokenOf(cookie);
    expect(ended).toEqual([{ sessionId, subject: "nurse-7", tenant: undefined, why: "logout" }]);
    await expectRefusal(await sessions.refresh(withCookie(cookie)), 401, "session_revoked");
  });

  it.each([
    ["no cookie", () => undefined],
    ["garbage", () => "__Secure-hubward-refresh=garbage"],
    ["a session that has ended before", (cookie: string) => cookie],
  ])("with %s is a 204 that looks the same", async (_name, choose) => {
    const { sessions, ended } = await createFixture();
    const cookie = await signIn(sessions);
    await sessions.logout(withCookie(cookie));
    const response = await sessions.logout(withCookie(choose(cookie)));
    expect(response.status).toBe(204);
    expect(response.headers.getSetCookie()).toEqual([cleared]);
    expect(ended).toHaveLength(1);
  });

  it("works with the parent of a refresh whose answer was lost", async () => {
    const { sessions } = await createFixture();
    const parent = await signIn(sessions);
    const lost = cookieOf(await sessions.refresh(withCookie(parent)));
    expect((await sessions.logout(withCookie(parent))).status).toBe(204);
    await expectRefusal(await sessions.refresh(withCookie(lost)), 401, "session_revoked");
  });

  it("touches no other session of the same person", async () => {
    const { sessions } = await createFixture();
    const [phone, desk] = [await signIn(sessions), await signIn(sessions)];
    await sessions.logout(withCookie(phone));
    await expectAlive(sessions, desk);
  });

  it("can be done by the application, once", async () => {
    const { sessions, ended } = await createFixture();
    const cookie = await signIn(sessions);
    const { sessionId } = tokenOf(cookie);
    expect(await sessions.end(sessionId)).toBe(true);
    expect(await sessions.end(sessionId)).toBe(false);
    expect(await sessions.end("unknown")).toBe(false);
    expect(ended).toEqual([{ sessionId, subject: "nurse-7", tenant: undefined, why: "logout" }]);
    await expectRefusal(await sessions.refresh(withCookie(cookie)), 401, "session_revoked");
  });
});

describe.each(["refresh", "logout"] as const)("the cookie as a credential: %s", (operation) => {
  it.each([
    ["no Origin", {}],
    ["another origin", { origin: "https://evil.example" }],
    ["an opaque origin", { origin: "null" }],
    ["an empty Origin", { origin: "" }],
    ["two origins", { origin: `${origin}, https://evil.example` }],
    ["a sibling", { origin: "https://www.ward.example" }],
  ])("with %s is refused and does nothing", async (_name, headers) => {
    const { sessions, ended } = await createFixture();
    const cookie = await signIn(sessions);
    const request = post(`/auth/${operation}`, { cookie, ...headers });
    await expectRefusal(await sessions[operation](request), 403, "origin_denied");
    expect(ended).toEqual([]);
    expect(tokenOf(cookieOf(await sessions.refresh(withCookie(cookie)))).generation).toBe(1);
  });

  it.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])("by %s is refused and names the method", async (method) => {
    const { sessions } = await createFixture();
    const cookie = await signIn(sessions);
    const response = await sessions[operation](new Request(`${origin}/auth`, { method, headers: { origin, cookie } }));
    expect(response.headers.get("allow")).toBe("POST");
    await expectRefusal(response, 405, "invalid_request");
    expect(tokenOf(cookieOf(await sessions.refresh(withCookie(cookie)))).generation).toBe(1);
  });

  it("from any origin in the list is allowed", async () => {
    const { sessions } = await createFixture({ allowedOrigins: [origin, "https://desk.ward.example"] });
    const request = withCookie(await signIn(sessions), { origin: "https://desk.ward.example" });
    expect((await sessions[operation](request)).status).toBe(operation === "refresh" ? 200 : 204);
  });

  it("is a 503 that leaves the cookie alone while the store fails, and works again afterwards", async () => {
    const fixture = await createFixture();
    const cookie = await signIn(fixture.sessions);
    fixture.storeError = new Error("connection refused");
    const response = await fixture.sessions[operation](withCookie(cookie));
    expect(response.headers.get("retry-after")).toBe("1");
    await expectRefusal(response, 503, "auth_unavailable;action=retry-after;retry_after=1");
    expect(fixture.failures).toEqual([fixture.storeError]);
    fixture.storeError = undefined;
    expect((await fixture.sessions[operation](withCookie(cookie))).status).toBe(operation === "refresh" ? 200 : 204);
  });
});

describe("when something fails", () => {
  it("a login is a 503 without a cookie", async () => {
    const fixture = await createFixture();
    fixture.storeError = new Error("down");
    const response = await fixture.sessions.start({ subject: "nurse-7", request: loginRequest() });
    await expectRefusal(response, 503, "auth_unavailable;action=retry-after;retry_after=1");
  });

  it("a commit whose confirmation was lost is recovered by the retry", async () => {
    const fixture = await createFixture();
    const { compareAndSet } = fixture.store;
    const cookie = await signIn(fixture.sessions);
    fixture.store.compareAndSet = async (...change) => {
      await compareAndSet(...change);
      throw new Error("timed out");
    };
    expect((await fixture.sessions.refresh(withCookie(cookie))).status).toBe(503);
    fixture.store.compareAndSet = compareAndSet;
    const retry = await fixture.sessions.refresh(withCookie(cookie));
    expect(retry.status).toBe(200);
    expect(tokenOf(cookieOf(retry)).generation).toBe(1);
  });

  it("an application that could not act on an end is told again, until it could", async () => {
    const told: string[] = [];
    let isBroken = true;
    const { sessions, failures } = await createFixture({
      onEnded: async ({ why }) => {
        told.push(why);
        if (isBroken) throw new Error("revocation log down");
      },
    });
    const cookie = await signIn(sessions);
    await expectRefusal(
      await sessions.logout(withCookie(cookie)),
      503,
      "auth_unavailable;action=retry-after;retry_after=1",
    );
    await expectRefusal(
      await sessions.refresh(withCookie(cookie)),
      503,
      "auth_unavailable;action=retry-after;retry_after=1",
    );
    await expect(sessions.end(tokenOf(cookie).sessionId)).rejects.toThrow("revocation log down");
    isBroken = false;
    await expectRefusal(await sessions.refresh(withCookie(cookie)), 401, "session_revoked");
    expect((await sessions.logout(withCookie(cookie))).status).toBe(204);
    expect(told).toEqual(["logout", "logout", "logout", "logout"]);
    expect(failures).toHaveLength(2);
  });

  it("a logout is not answered before the application has acted", async () => {
    const order: string[] = [];
    const { sessions } = await createFixture({
      onEnded: async () => {
        order.push("asked to act");
        await new Promise((resolve) => setImmediate(resolve));
        order.push("acted");
      },
    });
    await sessions.logout(withCookie(await signIn(sessions))).then(() => order.push("answered"));
    expect(order).toEqual(["asked to act", "acted", "answered"]);
  });
});

describe("no secret", () => {
  it("is in the store: with all that is in it nobody can refresh", async () => {
    const rows: unknown[] = [];
    const fixture = await createFixture();
    const { create, compareAndSet } = fixture.store;
    fixture.store.create = async (session) => (rows.push(session), create(session));
    fixture.store.compareAndSet = async (revision, next) => (rows.push(next), compareAndSet(revision, next));
    const cookies = [await signIn(fixture.sessions)];
    cookies.push(cookieOf(await fixture.sessions.refresh(withCookie(cookies[0]))));
    const stored = JSON.stringify(rows);
    expect(rows).toHaveLength(2);
    for (const cookie of cookies) expect(stored).not.toContain(cookie.slice(-43, -30));
  });

  it("is printed with a reply that carries tokens", async () => {
    const { sessions } = await createFixture();
    const response = await sessions.start({ subject: "nurse-7", request: loginRequest() });
    expect(inspect(response, { depth: 9 })).toBe("Response { status: 200 }");
    expect(inspect({ response }, { depth: 9 })).not.toContain("hubward-refresh");
    expect(inspect(sessions, { depth: 9, showHidden: true })).not.toContain('"d"');
  });

  it("is in any refusal", async () => {
    const fixture: Fixture = await createFixture();
    const { sessions, clock } = fixture;
    const parent = await signIn(sessions);
    const live = cookieOf(await sessions.refresh(withCookie(parent)));
    const refusals = [
      await sessions.refresh(withCookie(`${parent}; ${live}`)),
      await sessions.refresh(withCookie(live, { origin: "https://evil.example" })),
    ];
    clock.at = T + 30_000;
    refusals.push(await sessions.refresh(withCookie(parent)));
    clock.at = T + 90_000;
    refusals.push(await sessions.refresh(withCookie(parent)), await sessions.refresh(withCookie(live)));
    expect(refusals.map((each) => each.status)).toEqual([400, 403, 409, 401, 401]);
    for (const each of refusals) {
      const text = JSON.stringify([...each.headers]) + (await each.text());
      expect(text).not.toContain(parent.slice(-43));
      expect(text).not.toContain(live.slice(-43));
      expect(text).not.toContain(tokenOf(live).sessionId);
    }
  });
});
