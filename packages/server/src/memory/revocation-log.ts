/**
 * Revocations kept in this process: for tests, and for applications whose tokens are so short-lived that a restart may
 * forget them. It dies with the process, and then every revoked token that has not expired passes again.
 */

import { HubwardError } from "@hubward/wire";
import { createRevocationFeed } from "../core/auth/revocation-feed.js";
import type { RevocationLog } from "../core/auth/revocation-log.js";
import { readNewRevocation } from "../core/auth/revocation-record.js";
import { revocationKey, type Revocation } from "../core/auth/revocation.js";
import type { Clock } from "../core/clock.js";
import type { Random } from "../core/random.js";

export interface MemoryRevocationLogOptions {
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<Random, "secret">;
  /** Entries remembered at most; then new ones are refused rather than old ones forgotten. Default 100000. */
  readonly maxEntries?: number | undefined;
}

export interface MemoryRevocationLogDefaults {
  readonly maxEntries: number;
}

export const memoryRevocationLogDefaults: MemoryRevocationLogDefaults = { maxEntries: 100_000 };

/** Entries told at once. */
const PAGE_SIZE = 1_000;

/** @throws RangeError for a limit that is none */
export function createMemoryRevocationLog({
  clock,
  random,
  maxEntries = memoryRevocationLogDefaults.maxEntries,
}: MemoryRevocationLogOptions): RevocationLog {
  if (!Number.isInteger(maxEntries) || maxEntries < 1) {
    throw new RangeError("revocationLog.maxEntries: a whole number of at least 1");
  }
  const logId = random.secret(16);
  const feed = createRevocationFeed();
  // In the order of numbers.
  const entries = new Map<number, Revocation>();
  const suspensions = new Map<string, Set<number>>();
  let head = 0;
  let isClosed = false;

  function forgetOld(): void {
    const now = clock.now();
    for (const { number, keepUntil } of entries.values()) {
      if (keepUntil !== undefined && keepUntil <= now) entries.delete(number);
    }
  }

  function remember(entry: Revocation): void {
    entries.set(entry.number, entry);
    const key = revocationKey(entry.target);
    if (entry.kind === "suspension") suspensions.set(key, (suspensions.get(key) ?? new Set()).add(entry.number));
    if (entry.kind !== "lift") return;
    for (const number of suspensions.get(key) ?? []) entries.delete(number);
    suspensions.delete(key);
  }

  return {
    isDurable: false,

    async append(added) {
      if (isClosed) throw new HubwardError("not_durable", { retryAfterSeconds: 1 });
      const checked = readNewRevocation(added);
      if (entries.size >= maxEntries) forgetOld();
      // A lift makes as much room as it takes, where there is something to lift.
      const makesRoom = checked.kind === "lift" && suspensions.has(revocationKey(checked.target));
      if (entries.size >= maxEntries && !makesRoom) throw new HubwardError("not_durable", { retryAfterSeconds: 60 });
      const entry: Revocation = Object.freeze({ number: ++head, ...checked });
      remember(entry);
      feed.publish(entry);
      return entry;
    },

    async read(after) {
      if (isClosed) throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
      forgetOld();
      const page: Revocation[] = [];
      for (const entry of entries.values()) {
        if (entry.number <= after) continue;
        if (page.length === PAGE_SIZE) return { logId, entries: page, upTo: lastOf(page), head };
        page.push(entry);
      }
      return { logId, entries: page, upTo: head, head };
    },

    subscribe(listener) {
      if (isClosed) throw new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
      return feed.subscribe(listener);
    },

    async close() {
      isClosed = true;
    },
  };
}

function lastOf(page: readonly Revocation[]): number {
  return page.at(-1)?.number ?? 0;
}
