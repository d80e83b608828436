/** Port: where login sessions are kept. */

import type { Family } from "./family.js";

/** Small facts that an application puts into its access tokens. Plain JSON. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * One login session. Plain JSON; optional members are absent, never undefined. Nothing in it is a secret or lets
 * anyone compute one: refresh tokens are derived with a key that no store sees.
 */
export interface StoredSession {
  /** `sid`: 22 characters of base64url, 128 random bits. */
  readonly sessionId: string;
  readonly subject: string;
  readonly tenant?: string;
  readonly clientId: string;
  readonly claims: Claims;
  /** What its holder knows the session by: a label of at most 120 characters, such as the name of a browser. */
  readonly device?: string;
  /** 0 at first, one more at every change: what compare-and-set compares. */
  readonly revision: number;
  readonly family: Family;
  /** Whether `onEnded` has run to its end for this session, or nobody asked for it. */
  readonly endIsAnnounced?: true;
}

/** Whose sessions. Without a tenant those that have none. */
export interface SessionHolder {
  readonly subject: string;
  readonly tenant?: string | undefined;
}

/**
 * What an implementation promises:
 * - **Compare-and-set.** Of any number of concurrent calls for the same session and revision at most one resolves
 *   to true, on all nodes that share the store.
 * - **Fresh reads.** `read` and `listOpen` see every change whose call has resolved. A lagging replica will not do: it would
 *   bring an ended session back to life, and make an honest refresh look like reuse.
 * - **Durability.** What has resolved survives whatever the store as a whole survives. One that forgets the newest
 *   changes of a session ends it at the next refresh: the token presented is ahead of the record.
 * - **Failure.** Any call rejects when the answer could not be had, within a time the implementation bounds. A
 *   rejected write may have happened all the same; callers can live with both.
 * - **Forgetting.** A session may be forgotten from `family.expiresAt` on, and an ended one earlier if
 *   `endIsAnnounced`: the price is that its tokens are called unknown rather than revoked. Never one that is alive.
 * - **No aliasing.** What was passed in or handed out can change without any effect on what is stored.
 */
export interface SessionStore {
  /** Adds a session. Rejects when its id is taken, or when there is no room. */
  create(session: StoredSession): Promise<void>;

  /**
   * The holder's sessions that are not over by age at `now` and whose end, if they have one, is not announced: at
   * most `limit`, those that started last first. An index is a good idea: anyone may ask for their own.
   */
  listOpen(holder: SessionHolder, now: number, limit: number): Promise<readonly StoredSession[]>;

  /** The session as last changed, or undefined when there is none. May still return an expired one. */
  read(sessionId: string): Promise<StoredSession | undefined>;

  /**
   * Replaces the session named in `next` if its stored revision is `expectedRevision`. Resolves to false, and
   * changes nothing, when it is another one or the session is gone.
   * @param mayCommit asked last, where the revision is the expected one: in the same turn as the write, or as close
   * before it as the store can. False: resolves to false and changes nothing. When it throws: rejects with that.
   */
  compareAndSet(expectedRevision: number, next: StoredSession, mayCommit?: () => boolean): Promise<boolean>;
}
