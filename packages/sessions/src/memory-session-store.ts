/** Login sessions in this process's memory: for one node, tests and demos. A restart signs everyone out. */

import { systemClock, type Clock } from "./clock.js";
import type { SessionHolder, SessionStore, StoredSession } from "./session-store.js";

export interface MemorySessionStoreOptions {
  /** Sessions held at most, ended ones included. Beyond that a login is refused. Count, default 100,000. */
  readonly maxSessions?: number | undefined;
  /** Says which sessions have expired. Default: the system's. */
  readonly clock?: Clock | undefined;
}

export const memorySessionStoreDefaults = { maxSessions: 100_000 } as const;

/** How often a full sweep may run, and how often while the store is full. Milliseconds. */
const sweepEveryMs = 60_000;
const sweepWhenFullEveryMs = 1_000;

/**
 * Creates an empty store. Expired sessions are swept while new ones arrive; when it is full, ended sessions go
 * before their time. Sessions that are alive are never dropped: `create` rejects instead.
 */
export function createMemorySessionStore(options: MemorySessionStoreOptions = {}): SessionStore {
  const { maxSessions, clock } = resolveMemorySessionStoreOptions(options);
  const sessions = new Map<string, StoredSession>();
  const idsByHolder = new Map<string, Set<string>>();
  let sweptAt = clock.now();

  function makeRoom(): void {
    const now = clock.now();
    const isFull = sessions.size >= maxSessions;
    // The distance, not the difference: after a step back of the clock the next sweep must not wait for it.
    if (Math.abs(now - sweptAt) < (isFull ? sweepWhenFullEveryMs : sweepEveryMs)) return;
    sweptAt = now;
    for (const [sessionId, { family, endIsAnnounced }] of sessions) {
      if (now >= family.expiresAt || (isFull && endIsAnnounced === true)) forget(sessionId);
    }
  }

  function forget(sessionId: string): void {
    const session = sessions.get(sessionId);
    if (session === undefined) return;
    sessions.delete(sessionId);
    const ids = idsByHolder.get(holderKey(session));
    ids?.delete(sessionId);
    if (ids?.size === 0) idsByHolder.delete(holderKey(session));
  }

  function remember(session: StoredSession): void {
    const ids = idsByHolder.get(holderKey(session)) ?? new Set();
    idsByHolder.set(holderKey(session), ids.add(session.sessionId));
    sessions.set(session.sessionId, structuredClone(session));
  }

  return {
    async create(session) {
      makeRoom();
      if (sessions.size >= maxSessions) throw new Error("the session store is full");
      if (sessions.has(session.sessionId)) throw new Error("the session id is taken");
      remember(session);
    },
    async listOpen(holder, now, limit) {
      return [...(idsByHolder.get(holderKey(holder)) ?? [])]
        .flatMap((sessionId) => sessions.get(sessionId) ?? [])
        .filter(({ family, endIsAnnounced }) => now < family.expiresAt && endIsAnnounced !== true)
        .toSorted((one, other) => other.family.startedAt - one.family.startedAt)
        .slice(0, limit)
        .map((session) => structuredClone(session));
    },
    async read(sessionId) {
      return structuredClone(sessions.get(sessionId));
    },
    async compareAndSet(expectedRevision, next, mayCommit = () => true) {
      if (sessions.get(next.sessionId)?.revision !== expectedRevision || !mayCommit()) return false;
      forget(next.sessionId);
      remember(next);
      return true;
    },
  };
}

function holderKey({ subject, tenant }: SessionHolder): string {
  return JSON.stringify(tenant === undefined ? [subject] : [subject, tenant]);
}

function resolveMemorySessionStoreOptions({
  maxSessions = memorySessionStoreDefaults.maxSessions,
  clock = systemClock,
}: MemorySessionStoreOptions): { maxSessions: number; clock: Clock } {
  if (!Number.isSafeInteger(maxSessions) || maxSessions < 1) {
    throw new RangeError("maxSessions: a whole number of at least 1");
  }
  return { maxSessions, clock };
}
