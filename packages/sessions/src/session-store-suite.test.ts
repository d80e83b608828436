import { describe, expect, it } from "vitest";
import { createMemorySessionStore } from "./memory-session-store.js";
import { sessionStoreSuite } from "./session-store-suite.js";
import type { SessionStore, StoredSession } from "./session-store.js";

/** Names of the cases that a store fails. */
async function failures(create: () => SessionStore): Promise<string[]> {
  const failed: string[] = [];
  for (const each of sessionStoreSuite) {
    await each.run(create()).catch(() => failed.push(each.name));
  }
  return failed;
}

function broken(breakIt: (store: SessionStore) => Partial<SessionStore>): () => SessionStore {
  return () => {
    const store = createMemorySessionStore();
    return { ...store, ...breakIt(store) };
  };
}

describe("the suite for session stores catches a store that", () => {
  it.each<[string, () => SessionStore]>([
    [
      "always says that a change was made",
      broken((store) => ({ compareAndSet: async (...change) => (await store.compareAndSet(...change), true) })),
    ],
    [
      "compares, pauses, then sets",
      broken((store) => ({
        async compareAndSet(expectedRevision, next) {
          const current = await store.read(next.sessionId);
          if (current?.revision !== expectedRevision) return false;
          await Promise.resolve();
          const latest = await store.read(next.sessionId);
          await store.compareAndSet(latest?.revision ?? -1, next);
          return true;
        },
      })),
    ],
    [
      "compares the generation instead of the revision",
      broken((store) => ({
        async compareAndSet(_expectedRevision, next) {
          const current = await store.read(next.sessionId);
          return current !== undefined && (await store.compareAndSet(current.revision, next));
        },
      })),
    ],
    [
      "creates what it should replace",
      broken((store) => ({
        async compareAndSet(...change) {
          if (await store.compareAndSet(...change)) return true;
          await store.create(change[1]).catch(() => undefined);
          return false;
        },
      })),
    ],
    [
      "overwrites on create",
      () => {
        const rows = new Map<string, StoredSession>();
        return {
          listOpen: async () => [],
          create: async (session) => void rows.set(session.sessionId, session),
          read: async (sessionId) => structuredClone(rows.get(sessionId)),
          async compareAndSet(expectedRevision, next) {
            if (rows.get(next.sessionId)?.revision !== expectedRevision) return false;
            rows.set(next.sessionId, next);
            return true;
          },
        };
      },
    ],
    [
      "folds letter case",
      broken((store) => {
        const fold = (session: StoredSession) => ({ ...session, sessionId: session.sessionId.toLowerCase() });
        return {
          create: (session) => store.create(fold(session)),
          read: (sessionId) => store.read(sessionId.toLowerCase()),
          compareAndSet: (revision, next) => store.compareAndSet(revision, fold(next)),
        };
      }),
    ],
    [
      "asks nobody whether it may commit",
      broken((store) => ({ compareAndSet: (revision, next) => store.compareAndSet(revision, next) })),
    ],
    [
      "asks first and looks later",
      broken((store) => ({
        compareAndSet: async (revision, next, mayCommit = () => true) =>
          mayCommit() && (await store.compareAndSet(revision, next)),
      })),
    ],
    [
      "lists across tenants",
      broken((store) => ({
        listOpen: async ({ subject }, ...rest) =>
          (
            await Promise.all(
              [undefined, "st-mary", "st-anne"].map((tenant) => store.listOpen({ subject, tenant }, ...rest)),
            )
          ).flat(),
      })),
    ],
    [
      "lists what has ended as if it had not",
      broken((store) => ({
        listOpen: async (...query) =>
          (await store.listOpen(...query)).filter(({ family }) => family.ended === undefined),
      })),
    ],
    ["lists without a limit", broken((store) => ({ listOpen: (holder, now) => store.listOpen(holder, now, 1_000) }))],
    [
      "lists what is over",
      broken((store) => ({ listOpen: (holder, _now, limit) => store.listOpen(holder, 0, limit) })),
    ],
    [
      "lists the oldest first",
      broken((store) => ({ listOpen: async (...query) => (await store.listOpen(...query)).toReversed() })),
    ],
    [
      "looks names up in a plain object",
      () => {
        const rows: Record<string, StoredSession> = {};
        return {
          listOpen: async () => [],
          async create(session) {
            if (rows[session.sessionId] !== undefined) throw new Error("taken");
            rows[session.sessionId] = structuredClone(session);
          },
          read: async (sessionId) => rows[sessionId],
          compareAndSet: async () => false,
        };
      },
    ],
  ])("%s", async (_name, create) => {
    expect(await failures(create)).not.toEqual([]);
  });

  it("but finds nothing wrong with one that keeps the contract", async () => {
    expect(await failures(() => createMemorySessionStore())).toEqual([]);
  });
});
