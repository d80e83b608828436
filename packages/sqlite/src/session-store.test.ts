import { describe, expect, it } from "vitest";
import type { StoredSession } from "@hubward/sessions";
import { sessionStoreSuite } from "../../sessions/src/session-store-suite.js";
import { engines, newPath, open } from "../test/fixture.js";
import { createSqliteSessionStore } from "./session-store.js";

const T = 1_700_000_000_000;

function session(sessionId: string, expiresAt: number): StoredSession {
  const family = { generation: 0, spentAt: [], startedAt: T, expiresAt };
  return { sessionId, subject: "nurse-7", clientId: "c", claims: {}, revision: 0, family };
}

/** The session one revision later, with its end announced or not. */
function ended(before: StoredSession, isAnnounced: boolean): StoredSession {
  const family = { ...before.family, ended: { at: T, why: "logout" as const } };
  return { ...before, revision: before.revision + 1, family, ...(isAnnounced ? { endIsAnnounced: true } : {}) };
}

describe.each(engines)("the session store on %s", (engine) => {
  it.each(sessionStoreSuite)("keeps the contract: $name", async ({ run }) => {
    await run(createSqliteSessionStore({ database: await open({ path: newPath(), engine }) }));
  });

  it("knows every session, and its limit, after a restart", async () => {
    const path = newPath();
    const first = await open({ path, engine });
    const before = createSqliteSessionStore({ database: first, maxSessions: 2, clock: { now: () => T } });
    const [a, b, c] = [session("a", T + 9), session("b", T + 9), session("c", T + 9)];
    await before.create(a);
    await before.create(b);
    await before.compareAndSet(0, ended(a, false));
    first.close();
    await expect(before.read("a")).rejects.toMatchObject({ reason: "auth_unavailable", failure: "closed" });

    const database = await open({ path, engine });
    const after = createSqliteSessionStore({ database, maxSessions: 2, clock: { now: () => T } });
    expect(await after.read("a")).toEqual(ended(a, false));
    expect(await after.read("b")).toEqual(b);
    await expect(after.create(c)).rejects.toThrow("full");
    await after.compareAndSet(1, ended(ended(a, false), true));
    await after.create(c);
    expect(await after.read("a")).toBeUndefined();
    expect(await after.read("b")).toEqual(b);
    await expect(after.create(session("d", T + 9))).rejects.toThrow("full");
  });

  it("forgets what has expired, a few at each login, and never what is alive", async () => {
    let now = T;
    const database = await open({ path: newPath(), engine });
    const store = createSqliteSessionStore({ database, clock: { now: () => now } });
    for (let index = 0; index < 40; index++) await store.create(session(`old-${index}`, T + 1 + index));
    await store.create(session("alive", T + 1_000));
    const left = (): unknown => database.prepare("select count(*) as n from hubward_sessions").get()?.["n"];
    now = T + 999;
    await store.create(session("new-1", T + 2_000));
    expect(left()).toBe(10);
    await store.create(session("new-2", T + 2_000));
    expect(left()).toBe(3);
    expect(await store.read("alive")).toBeDefined();
  });

  it("makes room for a login that would not fit otherwise, and holds on to what was not told", async () => {
    const database = await open({ path: newPath(), engine });
    const store = createSqliteSessionStore({ database, maxSessions: 1, clock: { now: () => T } });
    await store.create(session("expired", T));
    await store.create(session("a", T + 9));
    await store.compareAndSet(0, ended(session("a", T + 9), false));
    await expect(store.create(session("b", T + 9))).rejects.toThrow("full");
    expect(await store.read("a")).toBeDefined();
  });

  it.each([0, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("%d sessions is no limit", async (maxSessions) => {
    const database = await open({ path: newPath(), engine });
    expect(() => createSqliteSessionStore({ database, maxSessions })).toThrow(RangeError);
  });
});
