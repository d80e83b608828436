/**
 * Revocations in an embedded database: one process owns them, and what was acknowledged is on the disk. Appends that
 * are asked for in one turn of the event loop share a transaction, and with it the wait for the disk.
 */

import { HubwardError } from "@hubward/wire";
import {
  createRevocationFeed,
  readNewRevocation,
  type NewRevocation,
  type Revocation,
  type RevocationLog,
} from "@hubward/server/ports";
import type { Database } from "./database.js";
import { openRevocationTable } from "./revocation-table.js";

export interface SqliteRevocationLogOptions {
  /** Open; it stays open when the log is closed. */
  readonly database: Database;
  /** Milliseconds since 1970. What is past its time by this clock is forgotten. Default `Date.now`. */
  readonly clock?: { now(): number } | undefined;
}

interface Waiting {
  readonly added: NewRevocation;
  readonly resolve: (entry: Revocation) => void;
  readonly reject: (error: unknown) => void;
}

const PAGE_SIZE = 1_000;
/** Appends in one transaction: it blocks the process while it runs. */
const MAX_BATCH = 500;

/** Two logs on one database would not hear of each other's entries. */
const opened = new WeakSet<Database>();

/**
 * The log of this database, as the port describes it. Every entry is read and checked before it returns.
 * @throws Error with its cause when entries were changed or are missing: whoever revoked them relies on them, so start
 * only with a database that is whole. DatabaseError. TypeError when the log is open already
 */
export function createSqliteRevocationLog({
  database,
  clock = { now: () => Date.now() },
}: SqliteRevocationLogOptions): RevocationLog {
  if (opened.has(database)) throw new TypeError("the revocation log of this database is open already");
  const table = openRevocationTable(database);
  opened.add(database);
  const feed = createRevocationFeed();
  let waiting: Waiting[] = [];
  let flushing: NodeJS.Immediate | undefined;
  let isClosed = false;

  function flush(): void {
    flushing = undefined;
    const batch = waiting.slice(0, MAX_BATCH);
    waiting = waiting.slice(MAX_BATCH);
    if (waiting.length > 0) flushing = setImmediate(flush);
    let entries: readonly Revocation[];
    try {
      entries = table.append(
        batch.map(({ added }) => added),
        clock.now(),
      );
    } catch (cause) {
      const failure = new HubwardError("not_durable", { retryAfterSeconds: 1, cause });
      for (const { reject } of batch) reject(failure);
      return;
    }
    publish(entries, batch);
  }

  function publish(entries: readonly Revocation[], batch: readonly Waiting[]): void {
    const failures: unknown[] = [];
    for (const [index, entry] of entries.entries()) {
      try {
        feed.publish(entry);
      } catch (error) {
        failures.push(error);
      }
      batch[index]?.resolve(entry);
    }
    // Uncaught: a listener goes on with less than it was told, and cannot say so itself.
    if (failures.length > 0) throw failures[0];
  }

  return {
    isDurable: true,

    async append(entry) {
      if (isClosed) throw new HubwardError("not_durable", { retryAfterSeconds: 1 });
      const added = readNewRevocation(entry);
      return new Promise((resolve, reject) => {
        waiting.push({ added, resolve, reject });
        flushing ??= setImmediate(flush);
      });
    },

    async read(after) {
      if (isClosed) throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
      const { entries, hasMore, head } = table.read(after, clock.now(), PAGE_SIZE);
      return { logId: table.logId, entries, upTo: hasMore ? (entries.at(-1)?.number ?? after) : head, head };
    },

    subscribe(listener) {
      if (isClosed) throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
      return feed.subscribe(listener);
    },

    async close() {
      if (isClosed) return;
      isClosed = true;
      while (waiting.length > 0) {
        clearImmediate(flushing);
        flush();
      }
      opened.delete(database);
    },
  };
}
