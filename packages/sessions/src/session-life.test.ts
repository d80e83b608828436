import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cookieOf, createFixture, errorOf, signIn, T, tokenOf, withCookie } from "../test/fixture.js";
import { createMemorySessionStore } from "./memory-session-store.js";
import type { SessionStore, StoredSession } from "./session-store.js";

/** A store that runs `before` ahead of every call, and counts the changes it made. */
function observedStore(
  before: (call: "read" | "compareAndSet", next?: StoredSession) => Promise<void>,
): SessionStore & { changes: number } {
  const inner = createMemorySessionStore({ clock: { now: () => T } });
  return {
    changes: 0,
    create: (session) => inner.create(session),
    listOpen: (...query) => inner.listOpen(...query),
    async read(sessionId) {
      await before("read");
      return await inner.read(sessionId);
    },
    async compareAndSet(expectedRevision, next, mayCommit) {
      await before("compareAndSet", next);
      const isMade = await inner.compareAndSet(expectedRevision, next, mayCommit);
      if (isMade) this.changes++;
      return isMade;
    },
  };
}

/** Runs `action` once, at the first call that `matches`, while that call waits. */
function interruptOnce(matches: (call: string, next?: StoredSession) => boolean) {
  let action: (() => Promise<unknown>) | undefined;
  const store = observedStore(async (call, next) => {
    const run = action;
    if (run === undefined || !matches(call, next)) return;
    action = undefined;
    await run();
  });
  return { store, interruptWith: (run: () => Promise<unknown>) => (action = run) };
}

describe("a hundred refreshes at once with one parent", () => {
  it("all get the same successor, though every one of them has judged before any has committed", async () => {
    let arrived = 0;
    const { promise: allHaveJudged, resolve: release } = deferred();
    const store = observedStore(async (call, next) => {
      if (call !== "compareAndSet" || next?.family.ended !== undefined) return;
      if (++arrived === 100) release();
      await allHaveJudged;
    });
    const { sessions } = await createFixture({ store });
    const parent = await signIn(sessions);
    const responses = await Promise.all(Array.from({ length: 100 }, () => sessions.refresh(withCookie(parent))));
    expect(arrived).toBe(100);
    expect(new Set(responses.map((each) => each.status))).toEqual(new Set([200]));
    expect(new Set(responses.map((each) => each.headers.getSetCookie().join())).size).toBe(1);
    expect(store.changes).toBe(1);
    expect((await store.read(tokenOf(parent).sessionId))?.family.generation).toBe(1);
    const tokens = await Promise.all(
      responses.map(async (each) => ((await each.json()) as { access_token: string }).access_token),
    );
    expect(new Set(tokens).size).toBe(100); // each with a jti of its own
  });

  it("a hundred replays of a stolen parent end the session once and tell the application once", async () => {
    const { sessions, clock, ended } = await createFixture();
    const stolen = await signIn(sessions);
    await sessions.refresh(withCookie(stolen));
    clock.at = T + 60_001;
    const responses = await Promise.all(Array.from({ length: 100 }, () => sessions.refresh(withCookie(stolen))));
    expect(new Set(responses.map((each) => each.status))).toEqual(new Set([401]));
    expect(ended.map((each) => each.why)).toEqual(["reuse"]);
  });
});

describe("a logout during a refresh wins", () => {
  it("when it comes between judging and committing", async () => {
    const { store, interruptWith } = interruptOnce((call) => call === "compareAndSet");
    const { sessions, ended } = await createFixture({ store });
    const cookie = await signIn(sessions);
    interruptWith(() => sessions.logout(withCookie(cookie)));
    const response = await sessions.refresh(withCookie(cookie));
    expect([response.status, await errorOf(response)]).toEqual([401, "session_revoked"]);
    expect(ended).toHaveLength(1);
    expect((await store.read(tokenOf(cookie).sessionId))?.family.generation).toBe(0);
  });

  it("when it comes while a retry is being answered, which commits nothing", async () => {
    let reads = 0;
    const { store, interruptWith } = interruptOnce((call) => call === "read" && ++reads === 2);
    const { sessions } = await createFixture({ store });
    const parent = await signIn(sessions);
    await sessions.refresh(withCookie(parent));
    reads = 0;
    interruptWith(() => sessions.logout(withCookie(parent)));
    const retry = await sessions.refresh(withCookie(parent));
    expect([retry.status, await errorOf(retry)]).toEqual([401, "session_revoked"]);
  });

  it("when it comes while the claims of the next token are looked up", async () => {
    const lookups: (() => Promise<unknown>)[] = [];
    const { sessions } = await createFixture({
      currentClaims: async () => {
        await lookups.pop()?.();
        return {};
      },
    });
    const cookie = await signIn(sessions);
    lookups.push(() => sessions.end(tokenOf(cookie).sessionId));
    expect((await sessions.refresh(withCookie(cookie))).status).toBe(401);
  });

  it("when a refresh commits in the middle of it", async () => {
    const { store, interruptWith } = interruptOnce((_call, next) => next?.family.ended !== undefined);
    const { sessions, ended } = await createFixture({ store });
    const parent = await signIn(sessions);
    let successor = "";
    interruptWith(async () => (successor = cookieOf(await sessions.refresh(withCookie(parent)))));
    expect((await sessions.logout(withCookie(parent))).status).toBe(204);
    expect(tokenOf(successor).generation).toBe(1);
    expect((await sessions.refresh(withCookie(successor))).status).toBe(401);
    expect(ended).toHaveLength(1);
  });
});

describe("reuse while the thief's line moves on", () => {
  it("still ends the session: the refresh in between does not rescue it", async () => {
    const { store, interruptWith } = interruptOnce((_call, next) => next?.family.ended !== undefined);
    const { sessions, clock, ended } = await createFixture({ store });
    const parent = await signIn(sessions);
    const live = cookieOf(await sessions.refresh(withCookie(parent)));
    clock.at = T + 60_001;
    let rotated = "";
    interruptWith(async () => (rotated = cookieOf(await sessions.refresh(withCookie(live)))));
    expect((await sessions.refresh(withCookie(parent))).status).toBe(401);
    expect(tokenOf(rotated).generation).toBe(2);
    expect((await sessions.refresh(withCookie(rotated))).status).toBe(401);
    expect(ended.map((each) => each.why)).toEqual(["reuse"]);
  });
});

describe("a retry that is overtaken", () => {
  it("by the first use of its successor is superseded, not answered with a spent token", async () => {
    let reads = 0;
    const { store, interruptWith } = interruptOnce((call) => call === "read" && ++reads === 2);
    const { sessions } = await createFixture({ store });
    const parent = await signIn(sessions);
    const successor = cookieOf(await sessions.refresh(withCookie(parent)));
    reads = 0;
    interruptWith(() => sessions.refresh(withCookie(successor)));
    const retry = await sessions.refresh(withCookie(parent));
    expect([retry.status, await errorOf(retry)]).toEqual([409, "refresh_superseded"]);
  });
});

describe("a store that never lets a change through", () => {
  it("is a 503 after a bounded number of attempts", async () => {
    let attempts = 0;
    const inner = createMemorySessionStore();
    const { sessions, failures } = await createFixture({
      store: { ...inner, compareAndSet: async () => (attempts++, false) },
    });
    const cookie = await signIn(sessions);
    expect((await sessions.refresh(withCookie(cookie))).status).toBe(503);
    expect((await sessions.logout(withCookie(cookie))).status).toBe(503);
    expect(attempts).toBeLessThanOrEqual(32);
    expect(failures).toHaveLength(2);
  });
});

describe("under any interleaving of refreshes, retries, replays and logouts", () => {
  type Operation = "refresh parent" | "refresh live" | "refresh forged" | "logout";

  it("a generation is spent once, an ended session stays ended, and nobody honest is thrown out", async () => {
    const operation = fc.constantFrom<Operation>(
      "refresh parent",
      "refresh parent",
      "refresh live",
      "refresh forged",
      "logout",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(operation, { minLength: 2, maxLength: 8 }),
        async (scheduler, operations) => {
          const inner = createMemorySessionStore({ clock: { now: () => T } });
          const spent: number[] = [];
          const store: SessionStore = {
            create: (session) => inner.create(session),
            listOpen: (...query) => inner.listOpen(...query),
            read: scheduler.scheduleFunction((sessionId: string) => inner.read(sessionId)),
            compareAndSet: scheduler.scheduleFunction(async (revision: number, next: StoredSession) => {
              const before = await inner.read(next.sessionId);
              const isMade = await inner.compareAndSet(revision, next);
              if (isMade && before !== undefined && before.family.generation < next.family.generation) {
                spent.push(before.family.generation);
              }
              return isMade;
            }),
          };
          const { sessions, ended } = await createFixture({ store });
          const parent = await signIn(sessions);
          const live = cookieOf(await scheduler.waitFor(sessions.refresh(withCookie(parent))));
          const forged = live.replace(".1.", ".0.");

          const answers = operations.map(async (each) => {
            if (each === "logout") return { each, response: await sessions.logout(withCookie(live)) };
            const cookie = { "refresh parent": parent, "refresh live": live, "refresh forged": forged }[each];
            return { each, response: await sessions.refresh(withCookie(cookie)) };
          });
          const settled = await scheduler.waitFor(Promise.all(answers));

          expect(spent).toEqual([...new Set(spent)]);
          expect(spent.length).toBeLessThanOrEqual(2); // the parent, before; the live one, here
          const hasLogout = operations.includes("logout");
          for (const { each, response } of settled) {
            const allowed = {
              "refresh parent": hasLogout ? [200, 409, 401] : [200, 409],
              "refresh live": hasLogout ? [200, 401] : [200],
              "refresh forged": [401],
              logout: [204],
            }[each];
            expect(allowed).toContain(response.status);
            if (response.status === 200) {
              expect(tokenOf(cookieOf(response)).generation).toBe(each === "refresh parent" ? 1 : 2);
            }
          }
          expect(ended.map((end) => end.why)).toEqual(hasLogout ? ["logout"] : []);
          const last = await scheduler.waitFor(sessions.refresh(withCookie(live)));
          expect(last.status).toBe(hasLogout ? 401 : 200);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("with a thief", () => {
  it("whoever comes later than a minute behind the other ends the session, and until then at most one line lives", async () => {
    const move = fc.record({
      who: fc.constantFrom("honest" as const, "thief" as const),
      wait: fc.oneof(fc.constantFrom(0, 9_000, 10_001, 60_001), fc.integer({ min: 0, max: 300_000 })),
      answerIsLost: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 20 }), async (moves) => {
        const { sessions, clock, ended } = await createFixture();
        const first = await signIn(sessions);
        const cookies = { honest: first, thief: first };
        const spentAt = new Map<number, number>();
        for (const { who, wait, answerIsLost } of moves) {
          clock.at += wait;
          const { generation } = tokenOf(cookies[who]);
          const spentBefore = spentAt.get(generation);
          const wasEnded = ended.length > 0;
          const response = await sessions.refresh(withCookie(cookies[who]));
          if (wasEnded || (spentBefore !== undefined && clock.at - spentBefore > 60_000)) {
            expect(response.status).toBe(401);
            expect(ended.map((end) => end.why)).toEqual(["reuse"]);
          } else if (spentBefore === undefined) {
            expect(response.status).toBe(200);
            spentAt.set(generation, clock.at);
          } else {
            expect([200, 409]).toContain(response.status);
          }
          if (response.status !== 200) continue;
          expect(tokenOf(cookieOf(response)).generation).toBe(spentAt.size); // the one live generation
          if (!answerIsLost) cookies[who] = cookieOf(response);
        }
      }),
      { numRuns: 150 },
    );
  });
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
