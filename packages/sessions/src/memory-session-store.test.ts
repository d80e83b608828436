import { describe, expect, it } from "vitest";
import { endFamily, startFamily } from "./family.js";
import { createMemorySessionStore } from "./memory-session-store.js";
import { sessionStoreSuite } from "./session-store-suite.js";
import type { StoredSession } from "./session-store.js";

const T = 1_700_000_000_000;
const limits = {
  retryWindowMs: 10_000,
  supersededWindowMs: 60_000,
  idleLifetimeMs: 600_000,
  absoluteLifetimeMs: 900_000,
};

function clockAt(now: number): { now(): number; at: number } {
  return {
    at: now,
    now() {
      return this.at;
    },
  };
}

function session(sessionId: string, startedAt: number): StoredSession {
  return { sessionId, subject: "s", clientId: "c", claims: {}, revision: 0, family: startFamily(startedAt, limits) };
}

describe("the memory session store keeps the contract:", () => {
  it.each(sessionStoreSuite.map((each) => [each.name, each] as const))("%s", async (_name, each) => {
    await expect(each.run(createMemorySessionStore())).resolves.toBeUndefined();
  });
});

describe("the memory session store is bounded:", () => {
  it("expired sessions are swept when others arrive", async () => {
    const clock = clockAt(T);
    const store = createMemorySessionStore({ clock });
    await store.create(session("old", T));
    clock.at = T + 599_999;
    await store.create(session("before", clock.at));
    expect(await store.read("old")).toBeDefined();
    clock.at = T + 700_000;
    await store.create(session("after", clock.at));
    expect(await store.read("old")).toBeUndefined();
    expect(await store.read("before")).toBeDefined();
  });

  it("when it is full of living sessions the next one is refused and none is dropped", async () => {
    const clock = clockAt(T);
    const store = createMemorySessionStore({ clock, maxSessions: 2 });
    await store.create(session("a", T));
    await store.create(session("b", T));
    clock.at = T + 100_000;
    await expect(store.create(session("c", clock.at))).rejects.toThrow("full");
    expect(await store.read("a")).toBeDefined();
    expect(await store.read("b")).toBeDefined();
  });

  it("when it is full, ended sessions make room, but not before their end was announced", async () => {
    const clock = clockAt(T);
    const store = createMemorySessionStore({ clock, maxSessions: 2 });
    const [a, b] = [session("a", T), session("b", T)];
    await store.create(a);
    await store.create(b);
    await store.compareAndSet(0, { ...a, revision: 1, family: endFamily(a.family, "logout", T), endIsAnnounced: true });
    await store.compareAndSet(0, { ...b, revision: 1, family: endFamily(b.family, "logout", T) });
    clock.at = T + 1_000;
    await store.create(session("c", clock.at));
    expect(await store.read("a")).toBeUndefined();
    expect(await store.read("b")).toBeDefined();
    clock.at = T + 2_000;
    await expect(store.create(session("d", clock.at))).rejects.toThrow("full");
  });

  it("a step back of the clock does not stop the sweeping", async () => {
    const clock = clockAt(T + 86_400_000);
    const store = createMemorySessionStore({ clock, maxSessions: 1 });
    clock.at = T;
    await store.create(session("a", T - 600_000)); // expired on arrival
    clock.at = T + 60_000;
    await store.create(session("b", clock.at));
    expect(await store.read("a")).toBeUndefined();
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("%d sessions is no limit", (maxSessions) => {
    expect(() => createMemorySessionStore({ maxSessions })).toThrow(RangeError);
  });
});
