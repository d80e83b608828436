/** The log of revocations as rows: each sealed, so that one that was changed is no entry any more, and all counted. */

import { createHash, randomUUID } from "node:crypto";
import {
  decodeRevocation,
  encodeRevocation,
  revocationKey,
  type NewRevocation,
  type Revocation,
} from "@hubward/server/ports";
import type { Database } from "./database.js";
import type { SqlRow } from "./engine-port.js";

export interface RevocationRows {
  readonly entries: readonly Revocation[];
  /** There are more after these. */
  readonly hasMore: boolean;
  readonly head: number;
}

export interface RevocationTable {
  readonly logId: string;
  /** All or none, in this order, in one transaction. What they lift, and what is past its time, goes with it. */
  append(added: readonly NewRevocation[], now: number): readonly Revocation[];
  /** @throws Error for a row that is no entry; DatabaseError */
  read(after: number, now: number, maxEntries: number): RevocationRows;
}

/** Rows thrown away by one append at most. */
const MAX_PRUNED = 1_000;
const CHECK_SIZE = 1_000;

/**
 * The log that is in the file, or a new one where there is none.
 * @throws Error when a row is no entry, or some are missing; DatabaseError
 */
export function openRevocationTable(database: Database): RevocationTable {
  const readLog = database.prepare("select log_id, head, held from hubward_revocation_log");
  const updateLog = database.prepare("update hubward_revocation_log set head = ?, held = held + ?");
  const insert = database.prepare(
    "insert into hubward_revocations (number, kind, target, keep_until, record, seal) values (?, ?, ?, ?, ?, ?)",
  );
  const lift = database.prepare(
    "delete from hubward_revocations where keep_until is null and target = ? and number < ?",
  );
  const prune = database.prepare(
    "delete from hubward_revocations where number in " +
      "(select number from hubward_revocations where keep_until <= ? order by keep_until limit ?)",
  );
  const select = database.prepare(
    "select number, kind, target, keep_until, record, seal from hubward_revocations " +
      "where number > ? and (keep_until is null or keep_until > ?) order by number limit ?",
  );
  const count = database.prepare("select count(*) as held, coalesce(max(number), 0) as last from hubward_revocations");

  const logId = openLog();
  assertWhole();

  function openLog(): string {
    const row = readLog.get();
    if (row !== undefined) return String(row["log_id"]);
    if (count.get()?.["held"] !== 0) throw corrupt("entries belong to no log");
    const id = randomUUID();
    database.prepare("insert into hubward_revocation_log values (1, ?, 0, 0)").run(id);
    return id;
  }

  function headRow(): SqlRow {
    const row = readLog.get();
    if (row === undefined || row["log_id"] !== logId) throw corrupt("the log is not the one that was opened");
    return row;
  }

  /** Reads everything once: who opens a log must not find out later that it cannot be believed. */
  function assertWhole(): void {
    const check = database.prepare("pragma quick_check(1)").get()?.["quick_check"];
    if (check !== "ok") throw corrupt("the database is damaged");
    const { head, held } = headRow();
    const { held: found, last } = count.get() ?? {};
    if (found !== held) throw corrupt("entries are missing");
    if (Number(last) > Number(head)) throw corrupt("an entry has a number that was not given");
    for (let after = 0, rows = CHECK_SIZE; rows === CHECK_SIZE;) {
      const page = select.all(after, -1, CHECK_SIZE);
      for (const row of page) after = decode(row).number;
      rows = page.length;
    }
  }

  function sealOf(number: number, kind: string, target: Uint8Array, keepUntil: number | null, record: string) {
    return createHash("sha256")
      .update(JSON.stringify([logId, number, kind, hex(target), keepUntil, record]))
      .digest();
  }

  function decode(row: SqlRow): Revocation {
    const {
      number,
      kind,
      target,
      keep_until: keepUntil,
      record,
      seal,
    } = row as {
      readonly number: number;
      readonly kind: string;
      readonly target: Uint8Array;
      readonly keep_until: number | null;
      readonly record: string;
      readonly seal: Uint8Array;
    };
    if (hex(sealOf(number, kind, target, keepUntil, record)) !== hex(seal)) throw corrupt("an entry was changed");
    const entry = decodeRevocation(record);
    if (entry.number !== number) throw corrupt("an entry stands in another's place");
    return entry;
  }

  return {
    logId,

    append(added, now) {
      return database.transaction(() => {
        let head = Number(headRow()["head"]);
        let held = 0;
        const entries: Revocation[] = [];
        for (const each of added) {
          const entry: Revocation = Object.freeze({ number: ++head, ...each });
          const { number, kind, keepUntil = null } = entry;
          const target = createHash("sha256").update(revocationKey(entry.target)).digest();
          const record = encodeRevocation(entry);
          insert.run(number, kind, target, keepUntil, record, sealOf(number, kind, target, keepUntil, record));
          held++;
          if (kind === "lift") held -= lift.run(target, number).changes;
          entries.push(entry);
        }
        held -= prune.run(now, MAX_PRUNED).changes;
        updateLog.run(head, held);
        return entries;
      });
    },

    read(after, now, maxEntries) {
      const rows = select.all(after, now, maxEntries + 1);
      return {
        entries: rows.slice(0, maxEntries).map(decode),
        hasMore: rows.length > maxEntries,
        head: Number(headRow()["head"]),
      };
    },
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function corrupt(why: string): Error {
  return new Error("the revocation log cannot be believed", { cause: new Error(why) });
}
