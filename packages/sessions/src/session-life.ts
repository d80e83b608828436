/**
 * Login sessions over a store: begun, renewed, ended. Every change is a compare-and-set on the session as it was
 * judged, and a lost race is judged again, so rotation is serial per family and an end that comes in between wins.
 */

import { randomBytes } from "node:crypto";
import type { Clock } from "./clock.js";
import { endFamily, spend, startFamily, type EndReason, type Family, type FamilyLimits } from "./family.js";
import type { SessionHolder, SessionStore, StoredSession } from "./session-store.js";

export interface SessionEnded {
  readonly sessionId: string;
  readonly subject: string;
  readonly tenant: string | undefined;
  readonly why: EndReason;
}

export interface SessionLifeOptions {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly limits: FamilyLimits;
  readonly onEnded: ((ended: SessionEnded) => void | Promise<void>) | undefined;
  readonly isRevoked: (session: StoredSession) => boolean;
}

export type SessionOwner = Pick<StoredSession, "subject" | "tenant" | "clientId" | "claims" | "device">;

/** Makes what the holder of a session gets. Runs before the change is committed, and may run in vain. */
export type Issue<T> = (session: StoredSession, now: number) => Promise<T>;

export type Renewal<T> =
  | { readonly granted: true; readonly issued: T }
  | { readonly granted: false; readonly why: "superseded" | "ended" | "unknown" };

export interface SessionLife {
  begin<T>(owner: SessionOwner, issue: Issue<T>): Promise<T>;
  /** Spends one generation, whose token has proved genuine. */
  renew<T>(sessionId: string, generation: number, issue: Issue<T>): Promise<Renewal<T>>;
  /** Ends a session and resolves once `onEnded` has run. False when it had ended before, or there is none. */
  end(sessionId: string, why: EndReason): Promise<boolean>;
  /** Those that can still be renewed, at most `limit`, those that started last first. */
  list(holder: SessionHolder, limit: number): Promise<readonly StoredSession[]>;
  /** Ends all of one holder, one after the other, and goes on where one fails. How many had not ended before. */
  endAll(holder: SessionHolder, why: EndReason): Promise<number>;
}

/** Each lost race is somebody else's progress; nobody honest loses this many in one request. */
const maxAttempts = 16;

/** Sessions looked at together when all of a holder's are ended. */
const pageSize = 100;

/** Every function rejects when the store does, when `onEnded` does, or when it lost too many races in a row. */
export function createSessionLife({ store, clock, limits, onEnded, isRevoked }: SessionLifeOptions): SessionLife {
  const announcing = new Map<string, Promise<void>>();

  async function begin<T>(owner: SessionOwner, issue: Issue<T>): Promise<T> {
    const now = clock.now();
    const sessionId = randomBytes(16).toString("base64url");
    const session = { ...owner, sessionId, revision: 0, family: startFamily(now, limits) };
    const issued = await issue(session, now);
    await store.create(session);
    return issued;
  }

  async function renew<T>(sessionId: string, generation: number, issue: Issue<T>): Promise<Renewal<T>> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const session = await store.read(sessionId);
      if (session === undefined) return { granted: false, why: "unknown" };
      const now = clock.now();
      const { verdict, next } = spend(session.family, generation, now, limits);
      switch (verdict) {
        case "rotate":
        case "repeat": {
          // Issued first: nothing may wait between the commit and the answer, or a logout could slip in there.
          const issued = await issue({ ...session, family: next }, now);
          let wasRevoked = false;
          const mayCommit = (): boolean => {
            wasRevoked = isRevoked(session);
            return !wasRevoked;
          };
          const holds =
            verdict === "rotate" ? await commit(session, next, mayCommit) : (await isUnchanged(session)) && mayCommit();
          if (holds) return { granted: true, issued };
          if (!wasRevoked || !(await commit(session, endFamily(session.family, "revoked", now)))) break;
          await announceEnd(sessionId);
          return { granted: false, why: "ended" };
        }
        case "reuse":
          if (!(await commit(session, next))) break;
          await announceEnd(sessionId);
          return { granted: false, why: "ended" };
        case "ended":
          if (session.endIsAnnounced !== true) await announceEnd(sessionId);
          return { granted: false, why: "ended" };
        case "expired":
          return { granted: false, why: "unknown" };
        case "superseded":
          return { granted: false, why: "superseded" };
        default:
          return unreachable(verdict);
      }
    }
    throw new Error("session changed too often while it was renewed");
  }

  async function end(sessionId: string, why: EndReason): Promise<boolean> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const session = await store.read(sessionId);
      if (session === undefined) return false;
      const next = endFamily(session.family, why, clock.now());
      const isNew = next !== session.family;
      if (isNew && !(await commit(session, next))) continue;
      await announceEnd(sessionId);
      return isNew;
    }
    throw new Error("session changed too often while it was ended");
  }

  async function list(holder: SessionHolder, limit: number): Promise<readonly StoredSession[]> {
    const open = await store.listOpen(holder, clock.now(), limit);
    return open.filter(({ family }) => family.ended === undefined);
  }

  async function endAll(holder: SessionHolder, why: EndReason): Promise<number> {
    const seen = new Set<string>();
    const failures: unknown[] = [];
    let ended = 0;
    for (;;) {
      // Whatever could not be ended or announced stands in the list again, besides what is new in it.
      const open = await store.listOpen(holder, clock.now(), seen.size + pageSize);
      const next = open.filter(({ sessionId }) => !seen.has(sessionId));
      if (next.length === 0) break;
      for (const { sessionId } of next) {
        seen.add(sessionId);
        try {
          if (await end(sessionId, why)) ended++;
        } catch (error) {
          failures.push(error);
        }
      }
    }
    if (failures.length > 0)
      throw new AggregateError(failures, `${failures.length} sessions were not ended to the end`);
    return ended;
  }

  async function commit(session: StoredSession, family: Family, mayCommit?: () => boolean): Promise<boolean> {
    const next = { ...session, revision: session.revision + 1, family };
    return await store.compareAndSet(session.revision, next, mayCommit);
  }

  async function isUnchanged({ sessionId, revision }: StoredSession): Promise<boolean> {
    return (await store.read(sessionId))?.revision === revision;
  }

  /**
   * Tells the application of a committed end, once at a time. The mark comes after it has listened, so an end is
   * told again, whenever the session is next seen, if the application failed or the process died in between.
   */
  async function announceEnd(sessionId: string): Promise<void> {
    const underWay = announcing.get(sessionId);
    if (underWay !== undefined) return await underWay;
    const announcement = tellAndMark(sessionId).finally(() => announcing.delete(sessionId));
    announcing.set(sessionId, announcement);
    await announcement;
  }

  async function tellAndMark(sessionId: string): Promise<void> {
    const session = await store.read(sessionId);
    if (session === undefined || session.endIsAnnounced === true) return;
    const { subject, tenant, family, revision } = session;
    if (family.ended === undefined) return;
    await onEnded?.({ sessionId, subject, tenant, why: family.ended.why });
    // An ended session changes in this way only: a lost race means that another node has told it too.
    await store.compareAndSet(revision, { ...session, revision: revision + 1, endIsAnnounced: true });
  }

  return { begin, renew, end, list, endAll };
}

function unreachable(value: never): never {
  throw new TypeError(`unexpected verdict: ${String(value)}`);
}
