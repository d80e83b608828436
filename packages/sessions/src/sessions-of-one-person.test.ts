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

const person = { subject: "nurse-7" };

describe("the list of a person's sessions", () => {
  it("shows each with its device, its start and its last use, the newest first, and no secret", async () => {
    const { sessions, clock } = await createFixture({ idleLifetimeMs: 1_000_000 });
    const request = loginRequest({ "user-agent": "Firefox/143.0" });
    const desk = cookieOf(await sessions.start({ ...person, request }));
    clock.at = T + 1_000;
    const phone = await signIn(sessions, { device: "  Zoë's\u202e phone\u0000\n\t(blue) ", clientId: "app" });
    clock.at = T + 5_000;
    await sessions.refresh(withCookie(desk));
    const list = await sessions.list(person);
    expect(list).toEqual([
      {
        sessionId: tokenOf(phone).sessionId,
        clientId: "app",
        device: "Zoë's phone (blue)",
        createdAt: T + 1_000,
        lastUsedAt: T + 1_000,
        expiresAt: T + 1_001_000,
      },
      {
        sessionId: tokenOf(desk).sessionId,
        clientId: "https://ward.example",
        device: "Firefox/143.0",
        createdAt: T,
        lastUsedAt: T + 5_000,
        expiresAt: T + 1_005_000,
      },
    ]);
    expect(await sessions.end(list[0]?.sessionId ?? "")).toBe(true);
    await expectRefusal(await sessions.refresh(withCookie(phone)), 401, "session_revoked");
    expect(await sessions.list(person)).toHaveLength(1);
  });

  it("shows neither what has ended, nor what is over, nor another tenant's", async () => {
    const { sessions, clock } = await createFixture({ idleLifetimeMs: 10_000 });
    await signIn(sessions);
    clock.at = T + 9_000;
    await sessions.logout(withCookie(await signIn(sessions)));
    await signIn(sessions, { tenant: "st-mary" });
    const living = await signIn(sessions);
    clock.at = T + 10_000;
    expect((await sessions.list(person)).map(({ sessionId }) => sessionId)).toEqual([tokenOf(living).sessionId]);
    expect(await sessions.list({ ...person, tenant: "st-mary" })).toHaveLength(1);
    expect(await sessions.list({ subject: "nobody" })).toEqual([]);
  });

  it.each([
    ["nothing but control characters", "\u0000\u200b\ufeff \n", undefined],
    ["a text without end", "x".repeat(1_000_000), "x".repeat(120)],
    ["characters of two halves", "\u{1F3E5}".repeat(200), "\u{1F3E5}".repeat(120)],
    ["half a character", "a\ud800b", "a b"],
    ["an empty text", "", undefined],
  ])("a device named by %s is kept within bounds", async (_name, device, label) => {
    const { sessions } = await createFixture();
    await signIn(sessions, { device });
    expect((await sessions.list(person))[0]?.device).toBe(label);
  });

  it("rejects when the store fails, and for a person that cannot be one", async () => {
    const fixture = await createFixture();
    fixture.storeError = new Error("down");
    await expect(fixture.sessions.list(person)).rejects.toThrow("down");
    await expect(fixture.sessions.endAll(person)).rejects.toThrow("down");
    await expect(fixture.sessions.list({ subject: "" })).rejects.toThrow(TypeError);
    await expect(fixture.sessions.endAll({ subject: "x", tenant: "" })).rejects.toThrow(TypeError);
  });
});

describe("logging out everywhere", () => {
  it("ends all of the person's sessions, however many, tells of each, and touches nobody else's", async () => {
    const { sessions, ended } = await createFixture();
    const mine = [];
    for (let count = 0; count < 250; count++) mine.push(await signIn(sessions));
    const theirs = await signIn(sessions, { subject: "nurse-8" });
    const elsewhere = await signIn(sessions, { tenant: "st-mary" });
    await sessions.logout(withCookie(mine[0]));
    expect(await sessions.endAll(person)).toBe(249);
    expect(new Set(ended.map(({ sessionId }) => sessionId))).toEqual(
      new Set(mine.map((each) => tokenOf(each).sessionId)),
    );
    expect(ended).toHaveLength(250);
    await expectRefusal(await sessions.refresh(withCookie(mine[249])), 401, "session_revoked");
    await expectAlive(sessions, theirs);
    await expectAlive(sessions, elsewhere);
    expect(await sessions.endAll(person)).toBe(0);
    await expectAlive(sessions, await signIn(sessions));
  });

  it("goes on where the application fails for one, says so, and tells it again when asked again", async () => {
    let isDown = true;
    const told: string[] = [];
    const { sessions } = await createFixture({
      onEnded: ({ sessionId }) => {
        if (isDown && told.length === 1) throw new Error("no hub");
        told.push(sessionId);
      },
    });
    const cookies = [await signIn(sessions), await signIn(sessions), await signIn(sessions)];
    await expect(sessions.endAll(person)).rejects.toThrow(AggregateError);
    for (const cookie of cookies.slice(1)) {
      expect((await sessions.refresh(withCookie(cookie))).status).not.toBe(200);
    }
    expect(await sessions.list(person)).toEqual([]);
    isDown = false;
    expect(await sessions.endAll(person)).toBe(0);
    expect(new Set(told)).toEqual(new Set(cookies.map((each) => tokenOf(each).sessionId)));
  });

  it("wins over a refresh that is under way", async () => {
    const { sessions } = await createFixture({
      currentClaims: async ({ claims }) => {
        await sessions.endAll(person);
        return claims;
      },
    });
    await expectRefusal(await sessions.refresh(withCookie(await signIn(sessions))), 401, "session_revoked");
  });
});

describe("a revocation elsewhere", () => {
  it("that arrives while a refresh is under way is seen when it commits, and the session ends", async () => {
    const revoked = new Set<string>();
    const { sessions, ended } = await createFixture({
      isRevoked: ({ sessionId }) => revoked.has(sessionId),
      currentClaims: async ({ sessionId, claims }) => {
        await Promise.resolve();
        if (claims["doomed"] === true) revoked.add(sessionId);
        return claims;
      },
    });
    const doomed = await signIn(sessions, { claims: { doomed: true } });
    const other = await signIn(sessions);
    await expectRefusal(await sessions.refresh(withCookie(doomed)), 401, "session_revoked");
    expect(ended).toEqual([{ sessionId: tokenOf(doomed).sessionId, ...person, tenant: undefined, why: "revoked" }]);
    revoked.clear();
    await expectRefusal(await sessions.refresh(withCookie(doomed)), 401, "session_revoked");
    await expectAlive(sessions, other);
  });

  it("is seen by a retry, too, which would be handed the same successor", async () => {
    let isRevoked = false;
    const { sessions, ended } = await createFixture({ isRevoked: () => isRevoked });
    const parent = await signIn(sessions);
    const lost = await sessions.refresh(withCookie(parent));
    expect(cookieOf(await sessions.refresh(withCookie(parent)))).toBe(cookieOf(lost));
    isRevoked = true;
    await expectRefusal(await sessions.refresh(withCookie(parent)), 401, "session_revoked");
    expect(ended.map(({ why }) => why)).toEqual(["revoked"]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("no view");
      },
    ],
    ["answers with a promise", () => Promise.resolve(false) as never],
    ["answers with nothing", () => undefined as never],
  ])("whose check %s makes a 503, and the session is as good as before", async (_name, check) => {
    let isIll = true;
    const { sessions, failures } = await createFixture({ isRevoked: () => (isIll ? check() : false) });
    const cookie = await signIn(sessions);
    const answer = await sessions.refresh(withCookie(cookie));
    expect(answer.status).toBe(503);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(failures).toHaveLength(1);
    isIll = false;
    const again = await sessions.refresh(withCookie(cookie));
    expect(await accessTokenOf(again)).toEqual(expect.any(String));
    expect(tokenOf(cookieOf(again)).generation).toBe(1);
  });
});
