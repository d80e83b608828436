/** Login sessions in the database: a restart signs nobody out. */

import type { SessionHolder, SessionStore, StoredSession } from "@hubward/sessions";
import type { Database } from "./database.js";
import type { SqlRow } from "./engine-port.js";
import { fingerprint } from "./fingerprint.js";

export interface SqliteSessionStoreOptions {
  readonly database: Database;
  /** Sessions held at most, ended ones included. Beyond that a login is refused. Count, default 100,000. */
  readonly maxSessions?: number | undefined;
  /** Says which sessions have expired. Milliseconds since 1970; default: the system's. */
  readonly clock?: { now(): number } | undefined;
}

export const sqliteSessionStoreDefaults = { maxSessions: 100_000 } as const;

/** Forgotten at most per login: many go in many small steps. */
const forgottenAtOnce = 32;

/**
 * Creates the store of this database; one for each is enough. As in memory, expired sessions are forgotten while
 * new ones arrive, ended and announced ones when it is full, those that are alive never. A refresh writes once.
 * @throws RangeError for options that cannot work; DatabaseError
 */
export function createSqliteSessionStore(options: SqliteSessionStoreOptions): SessionStore {
  const { database, maxSessions, clock } = resolveSqliteSessionStoreOptions(options);
  const countAll = database.prepare("select count(*) as n from hubward_sessions");
  const select = database.prepare("select session, revision from hubward_sessions where id = ?");
  const selectOpen = database.prepare(
    "select session from hubward_sessions where owner = ? and is_announced = 0 and expires_at > ? " +
      "order by started_at desc limit ?",
  );
  const insert = database.prepare(
    "insert into hubward_sessions (id, owner, revision, started_at, expires_at, is_announced, session) " +
      "values (?, ?, ?, ?, ?, ?, ?)",
  );
  const update = database.prepare(
    "update hubward_sessions set owner = ?, revision = ?, started_at = ?, expires_at = ?, is_announced = ?, " +
      "session = ? where id = ?",
  );
  const forgetExpired = database.prepare(
    "delete from hubward_sessions where rowid in " +
      "(select rowid from hubward_sessions where expires_at <= ? order by expires_at limit ?)",
  );
  const forgetEnded = database.prepare(
    "delete from hubward_sessions where rowid in (select rowid from hubward_sessions where is_announced = 1 limit ?)",
  );
  // The database is ours alone, so nobody else changes the number.
  let count = Number(countAll.get()?.["n"]);

  return {
    async create(session) {
      const id = fingerprint(session.sessionId);
      count -= database.transaction(() => makeRoom(clock.now()));
      if (count >= maxSessions) throw new Error("the session store is full");
      database.transaction(() => {
        if (select.get(id) !== undefined) throw new Error("the session id is taken");
        insert.run(id, ...columns(session));
      });
      count++;
    },
    async read(sessionId) {
      const row = select.get(fingerprint(sessionId));
      return row === undefined ? undefined : parse(row);
    },
    async listOpen(holder, now, limit) {
      return selectOpen.all(ownerOf(holder), now, limit).map(parse);
    },
    async compareAndSet(expectedRevision, next, mayCommit = () => true) {
      const id = fingerprint(next.sessionId);
      return database.transaction(() => {
        if (select.get(id)?.["revision"] !== expectedRevision || !mayCommit()) return false;
        update.run(...columns(next), id);
        return true;
      });
    },
  };

  /** How many went. Nothing is written where nothing goes. */
  function makeRoom(now: number): number {
    const expired = forgetExpired.run(now, forgottenAtOnce).changes;
    return count - expired < maxSessions ? expired : expired + forgetEnded.run(forgottenAtOnce).changes;
  }
}

/** What is kept beside the session itself, to find it by. In the order of the table. */
function columns(session: StoredSession): [Uint8Array, number, number, number, number, string] {
  const { family, revision, endIsAnnounced } = session;
  const isAnnounced = endIsAnnounced === true ? 1 : 0;
  return [ownerOf(session), revision, family.startedAt, family.expiresAt, isAnnounced, JSON.stringify(session)];
}

function ownerOf({ subject, tenant }: SessionHolder): Uint8Array {
  return tenant === undefined ? fingerprint(subject) : fingerprint(subject, tenant);
}

function parse({ session }: SqlRow): StoredSession {
  return JSON.parse(String(session)) as StoredSession;
}

function resolveSqliteSessionStoreOptions({
  database,
  maxSessions = sqliteSessionStoreDefaults.maxSessions,
  clock = { now: () => Date.now() },
}: SqliteSessionStoreOptions): { database: Database; maxSessions: number; clock: { now(): number } } {
  if (!Number.isSafeInteger(maxSessions) || maxSessions < 1) {
    throw new RangeError("maxSessions: a whole number of at least 1");
  }
  return { database, maxSessions, clock };
}
