/** The tables, and how a file of an earlier version gets them. */

import { DatabaseError } from "./database-error.js";
import type { EngineConnection } from "./engine-port.js";

/** "Hubw": says whose file this is (sqlite.org/pragma.html, application_id). */
const applicationId = 0x48756277;

/** Login sessions. Ids and owners are SHA-256; `session` is the StoredSession as JSON. */
const sessions = `
  create table hubward_sessions (
    id blob primary key,
    owner blob not null,
    revision integer not null,
    started_at integer not null,
    expires_at integer not null,
    is_announced integer not null,
    session text not null
  ) strict;
  create index hubward_sessions_by_owner on hubward_sessions (owner, started_at) where is_announced = 0;
  create index hubward_sessions_by_expiry on hubward_sessions (expires_at);
  create index hubward_sessions_announced on hubward_sessions (is_announced) where is_announced = 1;
`;

/** Commands. Keys and owners are SHA-256; `outcome` and `forget_at` are null while the command runs. */
const commands = `
  create table hubward_commands (
    key blob primary key,
    owner blob not null,
    arguments_digest text not null,
    outcome text,
    forget_at integer
  ) strict;
  create index hubward_commands_by_age on hubward_commands (forget_at) where forget_at is not null;
  create index hubward_commands_by_owner on hubward_commands (owner, forget_at);
`;

/**
 * Revocations. One row says which log this is, the last number it gave and how many entries it should hold; `record` is
 * the entry as JSON, `seal` its SHA-256 with the log's id, `target` the SHA-256 of what a lift must name.
 */
const revocations = `
  create table hubward_revocation_log (
    singleton integer primary key check (singleton = 1),
    log_id text not null,
    head integer not null,
    held integer not null
  ) strict;
  create table hubward_revocations (
    number integer primary key,
    kind text not null,
    target blob not null,
    keep_until integer,
    record text not null,
    seal blob not null
  ) strict;
  create index hubward_revocations_by_age on hubward_revocations (keep_until) where keep_until is not null;
  create index hubward_revocations_suspended on hubward_revocations (target) where keep_until is null;
`;

/** One step each, in the order they were ever released in: the file's `user_version` says how many it has taken. */
const steps: readonly string[] = [sessions, commands, revocations];

/**
 * Brings the file to this version's tables, in one transaction. Tables of the application's own in the same file
 * are left alone; ours all begin with `hubward_`.
 * @throws DatabaseError newer-schema | foreign, and whatever the engine throws
 */
export function migrate(connection: EngineConnection): void {
  connection.exec("begin immediate");
  try {
    const owner = readNumber(connection, "application_id");
    const version = readNumber(connection, "user_version");
    if (owner !== applicationId && (owner !== 0 || version !== 0)) throw new DatabaseError("foreign");
    if (version > steps.length) throw new DatabaseError("newer-schema");
    for (const step of steps.slice(version)) connection.exec(step);
    if (version < steps.length) {
      connection.exec(`pragma application_id = ${applicationId}; pragma user_version = ${steps.length}`);
    }
    connection.exec("commit");
  } catch (error) {
    rollBack(connection);
    throw error;
  }
}

/** After some errors SQLite has rolled back already; then there is nothing to end. */
export function rollBack(connection: EngineConnection): void {
  try {
    connection.exec("rollback");
  } catch {
    // Nothing is open.
  }
}

function readNumber(connection: EngineConnection, pragma: "application_id" | "user_version"): number {
  return Number(connection.prepare(`pragma ${pragma}`).get()?.[pragma]);
}
