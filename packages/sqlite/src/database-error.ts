/** What goes wrong with an embedded database, told apart: by the disk, by other programs, by what stands in the file. */

import { HubwardError } from "@hubward/wire";

/** Each with the text an operator reads. Constant: no path, no value, no SQL. */
const failures = {
  "in-use": "another process, or another part of this one, has the database open",
  busy: "another program holds a lock on the database",
  full: "the disk, or the database, is full",
  "read-only": "the database or its folder cannot be written",
  corrupt: "the database file is damaged, or no SQLite database",
  foreign: "the database file belongs to another application",
  "newer-schema": "a newer version has written the database: this one does not know its tables",
  "cannot-open": "the database file cannot be opened or made",
  io: "reading or writing the database file failed",
  closed: "the database is closed",
} as const;

export type DatabaseFailure = keyof typeof failures;

/**
 * The database cannot do what was asked of it, now or ever; what was asked has not been done, not even in part.
 * To a peer this is `auth_unavailable`, as for any other dependency that fails.
 */
export class DatabaseError extends HubwardError {
  readonly failure: DatabaseFailure;

  constructor(failure: DatabaseFailure, cause?: unknown) {
    super("auth_unavailable", { retryAfterSeconds: 1, detail: failures[failure], cause });
    this.failure = failure;
  }
}

/** SQLite's primary result codes (sqlite.org/rescode.html). Others are the statement's fault, or ours. */
const failureByCode: ReadonlyMap<number, DatabaseFailure> = new Map([
  [5, "busy"],
  [6, "busy"],
  [7, "io"], // no memory
  [8, "read-only"],
  [10, "io"],
  [11, "corrupt"],
  [13, "full"],
  [14, "cannot-open"],
  [15, "busy"], // lock protocol
  [26, "corrupt"], // not a database
]);

const failureByErrno: ReadonlyMap<string, DatabaseFailure> = new Map([
  ["EACCES", "read-only"],
  ["EPERM", "read-only"],
  ["EROFS", "read-only"],
  ["ENOSPC", "full"],
  ["EDQUOT", "full"],
]);

/** SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC: what was written before may be lost although it is still seen. */
const flushCodes: ReadonlySet<number> = new Set([1034, 1290]);

/** What an engine threw, as a DatabaseError where it is one; broken SQL and broken constraints are passed on as they are. */
export function describeFailure(error: unknown): unknown {
  const code = resultCode(error);
  const failure = code === undefined ? undefined : failureByCode.get(code & 0xff);
  return failure === undefined ? error : new DatabaseError(failure, error);
}

/** The same for what `node:fs` threw on the way to the file. */
export function describeFileFailure(error: unknown): DatabaseError {
  const code = String((error as { readonly code?: unknown } | null)?.code);
  return new DatabaseError(failureByErrno.get(code) ?? "cannot-open", error);
}

/** Whether the disk failed to confirm a write: after that a second try can succeed without anything on the disk. */
export function isFlushFailure(error: unknown): boolean {
  return flushCodes.has(resultCode(error) ?? 0);
}

/** node:sqlite says `errcode`, libsql `rawCode`; both mean SQLite's extended result code. */
function resultCode(error: unknown): number | undefined {
  const { errcode, rawCode } = Object(error) as { readonly errcode?: unknown; readonly rawCode?: unknown };
  const code = errcode ?? rawCode;
  return typeof code === "number" ? code : undefined;
}
