import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import {
  accessTokenOf,
  cookieOf,
  createFixture,
  expectAlive,
  expectRefusal,
  loginRequest,
  signIn,
  T,
  tokenOf,
  withCookie,
} from "../test/fixture.js";

describe("refreshing", () => {
  it("spends the cookie and answers with the next one and another access token", async () => {
    const { sessions, clock } = await createFixture();
    const start = await sessions.start({ subject: "nurse-7", request: loginRequest() });
    const first = cookieOf(start);
    clock.at = T + 240_000;
    const response = await sessions.refresh(withCookie(`theme=dark; ${first}; lang=de`));
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(tokenOf(cookieOf(response))).toEqual({ ...tokenOf(first), generation: 1 });
    const [before, after] = [decodeJwt(await accessTokenOf(start)), decodeJwt(await accessTokenOf(response))];
    expect(after).toEqual({ ...before, iat: T / 1000 + 240, exp: T / 1000 + 540, jti: after.jti });
    expect(after.jti).not.toBe(before.jti);
  });

  it("with the same cookie within ten seconds gives the very same cookie again", async () => {
    const { sessions, clock } = await createFixture();
    const parent = await signIn(sessions);
    const lost = await sessions.refresh(withCookie(parent));
    clock.at = T + 10_000;
    const retry = await sessions.refresh(withCookie(parent));
    expect(retry.status).toBe(200);
    expect(cookieOf(retry)).toBe(cookieOf(lost));
    await expectAlive(sessions, cookieOf(retry));
  });

  it("with a spent cookie is a harmless 409 once its successor was used", async () => {
    const { sessions } = await createFixture();
    const parent = await signIn(sessions);
    const second = cookieOf(await sessions.refresh(withCookie(parent)));
    const third = cookieOf(await sessions.refresh(withCookie(second)));
    await expectRefusal(await sessions.refresh(withCookie(parent)), 409, "refresh_superseded");
    await expectAlive(sessions, third);
  });

  it("with a spent cookie is a harmless 409 from ten seconds to a minute", async () => {
    const { sessions, clock } = await createFixture();
    const parent = await signIn(sessions);
    const next = cookieOf(await sessions.refresh(withCookie(parent)));
    for (const age of [10_001, 60_000]) {
      clock.at = T + age;
      await expectRefusal(await sessions.refresh(withCookie(parent)), 409, "refresh_superseded");
    }
    await expectAlive(sessions, next);
  });

  it("with a cookie spent more than a minute ago ends the session, for the thief and for the robbed", async () => {
    const { sessions, clock, ended } = await createFixture();
    const stolen = await signIn(sessions, { tenant: "st-mary" });
    const live = cookieOf(await sessions.refresh(withCookie(stolen)));
    clock.at = T + 60_001;
    await expectRefusal(await sessions.refresh(withCookie(stolen)), 401, "session_revoked");
    await expectRefusal(await sessions.refresh(withCookie(live)), 401, "session_revoked");
    await expectRefusal(await sessions.refresh(withCookie(stolen)), 401, "session_revoked");
    const { sessionId } = tokenOf(stolen);
    expect(ended).toEqual([{ sessionId, subject: "nurse-7", tenant: "st-mary", why: "reuse" }]);
  });

  it("with garbage is a 401 that harms no session, however much of a real one it holds", async () => {
    const { sessions, clock, ended } = await createFixture();
    const parent = await signIn(sessions);
    const live = cookieOf(await sessions.refresh(withCookie(parent)));
    clock.at = T + 120_000; // were it taken for the parent, it would be reuse
    const end = parent.endsWith("A") ? "E" : "A";
    for (const garbage of [
      parent.slice(0, -1) + end,
      live.replace(".1.", ".0."),
      live.replace(".1.", ".2."),
      `${live}.x`,
    ]) {
      await expectRefusal(await sessions.refresh(withCookie(garbage)), 401, "invalid_token");
    }
    await expectRefusal(await sessions.refresh(withCookie("__Secure-hubward-refresh=")), 401, "invalid_token");
    expect(ended).toEqual([]);
    await expectAlive(sessions, live);
  });

  it("with garbage does not even ask the store", async () => {
    const fixture = await createFixture();
    const parent = await signIn(fixture.sessions);
    fixture.storeError = new Error("down");
    const forged = parent.replace(".0.", ".7.");
    await expectRefusal(await fixture.sessions.refresh(withCookie(forged)), 401, "invalid_token");
  });

  it("without a cookie is a 401 that names no error in its challenge (RFC 6750 3.1)", async () => {
    const { sessions } = await createFixture();
    const none = await sessions.refresh(withCookie(undefined));
    expect(none.headers.get("www-authenticate")).toBe("Bearer");
    await expectRefusal(none, 401, "invalid_token");
    const garbage = await sessions.refresh(withCookie("__Secure-hubward-refresh=x"));
    expect(garbage.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
  });

  it("with the cookie of a session that the store does not know is a 401", async () => {
    const { sessions } = await createFixture({
      store: {
        create: async () => undefined,
        listOpen: async () => [],
        read: async () => undefined,
        compareAndSet: async () => false,
      },
    });
    await expectRefusal(await sessions.refresh(withCookie(await signIn(sessions))), 401, "invalid_token");
  });

  it("with two cookies of our name is refused: nothing tells which is ours, and neither is touched", async () => {
    const { sessions, ended } = await createFixture();
    const cookie = await signIn(sessions);
    const planted = await signIn(sessions, { subject: "intruder" });
    await expectRefusal(await sessions.refresh(withCookie(`${planted}; ${cookie}`)), 400, "invalid_request");
    await expectRefusal(await sessions.logout(withCookie(`${cookie}; ${planted}`)), 400, "invalid_request");
    expect(ended).toEqual([]);
    await expectAlive(sessions, cookie);
  });

  it("ends at the idle lifetime, and the cookie with it", async () => {
    const { sessions, clock } = await createFixture({ idleLifetimeMs: 3_600_000 });
    const start = await sessions.start({ subject: "nurse-7", request: loginRequest() });
    expect(start.headers.getSetCookie()[0]).toContain("; Max-Age=3600;");
    clock.at = T + 3_599_999;
    const second = cookieOf(await sessions.refresh(withCookie(cookieOf(start))));
    clock.at += 3_600_000;
    await expectRefusal(await sessions.refresh(withCookie(second)), 401, "invalid_token");
  });

  it("ends at the absolute lifetime: cookie and access token are cut to it", async () => {
    const { sessions, clock } = await createFixture({ idleLifetimeMs: 3_600_000, absoluteLifetimeMs: 5_000_000 });
    const first = await signIn(sessions);
    clock.at = T + 3_000_000;
    const second = cookieOf(await sessions.refresh(withCookie(first)));
    clock.at = T + 4_900_000;
    const last = await sessions.refresh(withCookie(second));
    expect(last.headers.getSetCookie()[0]).toContain("; Max-Age=100;");
    const body = (await last.json()) as { access_token: string; expires_in: number };
    expect(body.expires_in).toBe(100);
    expect(decodeJwt(body.access_token).exp).toBe(T / 1000 + 5_000);
    clock.at = T + 5_000_000;
    await expectRefusal(await sessions.refresh(withCookie(cookieOf(last))), 401, "invalid_token");
  });

  it("asks for the claims of now, so a lost role leaves with the next token", async () => {
    let roles = ["doctor", "admin"];
    const { sessions } = await createFixture({
      currentClaims: ({ subject, claims }) => ({ ...claims, roles: subject === "doctor-1" ? roles : [] }),
    });
    const cookie = await signIn(sessions, { subject: "doctor-1", claims: { ward: "icu", roles } });
    roles = ["doctor"];
    const response = await sessions.refresh(withCookie(cookie));
    expect(decodeJwt(await accessTokenOf(response))).toMatchObject({ ward: "icu", roles: ["doctor"], sub: "doctor-1" });
  });

  it("is a 503 that spends nothing when the claims cannot be had or are not the application's to set", async () => {
    let claims = (): Record<string, unknown> => {
      throw new Error("directory down");
    };
    const { sessions, failures } = await createFixture({ currentClaims: () => claims() });
    const cookie = await signIn(sessions);
    await expectRefusal(
      await sessions.refresh(withCookie(cookie)),
      503,
      "auth_unavailable;action=retry-after;retry_after=1",
    );
    claims = () => ({ sub: "admin" });
    await expectRefusal(
      await sessions.refresh(withCookie(cookie)),
      503,
      "auth_unavailable;action=retry-after;retry_after=1",
    );
    expect(failures.map(String)).toEqual(["Error: directory down", expect.stringContaining("TypeError: claims: sub")]);
    claims = () => ({});
    const response = await sessions.refresh(withCookie(cookie));
    expect(tokenOf(cookieOf(response)).generation).toBe(1);
  });
});
