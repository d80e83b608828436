/** The files of a database: made for their owner alone, and held by one process at a time. */

import { accessSync, chmodSync, closeSync, constants, openSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseError, describeFailure, describeFileFailure } from "./database-error.js";
import type { Engine, EngineConnection } from "./engine-port.js";

/** Beside the database: SQLite's log and index, our lock. */
const suffixes = ["", "-wal", "-shm", "-lock"];

/**
 * Makes the file where there is none, and takes from group and others what rights they have on it and on the files
 * beside it. SQLite gives new files the rights of the database. On Windows rights are the folder's.
 * @returns the path without symbolic links: two names of one file have one lock.
 * @throws DatabaseError read-only | full | cannot-open
 */
export function prepareFiles(path: string): string {
  try {
    // Not opened if it is there: closing it would drop the locks of whoever has it open in this process.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) closeSync(openSync(path, "a", 0o600));
    const realPath = realpathSync(path);
    for (const suffix of suffixes) closeToOthers(realPath + suffix);
    // SQLite would open what it cannot write, and fail at the first login.
    for (const each of [realPath, dirname(realPath)]) accessSync(each, constants.R_OK | constants.W_OK);
    return realPath;
  } catch (error) {
    throw describeFileFailure(error);
  }
}

function closeToOthers(file: string): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode;
  if (process.platform === "win32" || mode === undefined || (mode & 0o077) === 0) return;
  chmodSync(file, mode & 0o700);
}

/** Whatever ends the ownership of a file. */
export interface HeldLock {
  close(): void;
}

/**
 * What this process holds, by path: for all engines and all copies of this package, which the operating system takes
 * for one owner.
 */
const registryName = Symbol.for("@hubward/sqlite: files in use");
const registry = globalThis as unknown as { [registryName]?: Set<string> };
const held = (registry[registryName] ??= new Set());

/**
 * Holds the database for this process until `close`, or until the process ends, however it ends: the lock is the
 * operating system's own, on a file that nobody else has a reason to open. It cannot be the database itself: backups
 * read that, and a process that closes any handle on a file loses its locks there (fcntl(2)).
 * @throws DatabaseError in-use, at once.
 */
export function holdLock(engine: Engine, path: string): HeldLock {
  const file = `${path}-lock`;
  if (held.has(file)) throw new DatabaseError("in-use");
  const connection = lock(engine, file);
  held.add(file);
  return {
    close() {
      connection.close();
      held.delete(file);
    },
  };
}

function lock(engine: Engine, file: string): EngineConnection {
  prepareFiles(file);
  let connection: EngineConnection | undefined;
  try {
    connection = engine.connect(file);
    // Nothing is ever written: no journal is left behind, and none has to be played back.
    connection.exec("pragma busy_timeout = 0; pragma journal_mode = memory; begin exclusive");
    return connection;
  } catch (error) {
    connection?.close();
    const failure = describeFailure(error);
    throw failure instanceof DatabaseError && failure.failure === "busy" ? new DatabaseError("in-use", error) : failure;
  }
}
