/** One SQLite file, owned by this process: what the stores of this package, and the application's own tables, stand on. */

import { DatabaseError, describeFailure, isFlushFailure } from "./database-error.js";
import { holdLock, prepareFiles, type HeldLock } from "./database-files.js";
import type { EngineConnection, EngineName, EngineStatement, SqlRow, SqlValue } from "./engine-port.js";
import { loadEngine } from "./engine.js";
import { migrate, rollBack } from "./schema.js";

export interface DatabaseOptions {
  /** A file; made if it is not there, in a folder that is. Beside it stand `-wal`, `-shm` and `-lock`. Mode 0600. */
  readonly path: string;
  /** How long a statement waits, and the process with it, while another program locks the file. Milliseconds, 0 to 10000, default 1000. */
  readonly busyTimeoutMs?: number | undefined;
  /** Default: `node:sqlite` where Node has it, else `libsql`. Both read what the other wrote. */
  readonly engine?: EngineName | undefined;
}

export const databaseDefaults = { busyTimeoutMs: 1_000 } as const;

/**
 * Values stand in the order of the statement's `?`. Every function @throws DatabaseError; the engine's own error for
 * broken SQL and broken constraints; TypeError for a value that is none, or another number of values than before.
 */
export interface Statement {
  run(...values: readonly SqlValue[]): { readonly changes: number };
  get(...values: readonly SqlValue[]): SqlRow | undefined;
  all(...values: readonly SqlValue[]): readonly SqlRow[];
}

/** What may be done inside a transaction. */
export interface Transaction {
  /** Prepare once and keep it: the statement works inside and outside transactions. */
  prepare(sql: string): Statement;
}

/**
 * Synchronous, like its engines: a call returns when what it did is on the disk, some milliseconds for a write, and
 * nothing else in this process runs meanwhile.
 */
export interface Database extends Transaction {
  readonly engine: EngineName;
  /** Runs statements that give no rows, such as the `create table` of an application's own tables. */
  exec(sql: string): void;
  /**
   * All or nothing: `work` runs at once, alone, and what it returns is returned after the commit is durable. When it
   * throws, nothing has happened.
   * @throws DatabaseError; what `work` throws; TypeError for one inside another, and for work that returns a promise
   */
  transaction<Result>(work: (transaction: Transaction) => Result): Result;
  /** Everything later throws DatabaseError closed. A second time does nothing. */
  close(): void;
}

/**
 * Opens the file for this process alone: WAL, every commit flushed to the disk (`synchronous = FULL`), foreign keys
 * on, the tables of this version.
 * @throws (rejects with) DatabaseError, its `failure` says why; Error where there is no SQLite, naming what to
 * install; TypeError or RangeError for options that cannot work
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { path, busyTimeoutMs, engine: wanted } = resolveDatabaseOptions(options);
  const engine = await loadEngine(wanted);
  const realPath = prepareFiles(path);
  const lock = holdLock(engine, realPath);
  let connection: EngineConnection | undefined;
  try {
    connection = engine.connect(realPath);
    configure(connection, busyTimeoutMs);
    migrate(connection);
    return new OwnedDatabase(engine.name, connection, lock);
  } catch (error) {
    connection?.close();
    lock.close();
    throw describeFailure(error);
  }
}

function resolveDatabaseOptions({ path, busyTimeoutMs = databaseDefaults.busyTimeoutMs, engine }: DatabaseOptions): {
  path: string;
  busyTimeoutMs: number;
  engine: EngineName | undefined;
} {
  // What SQLite would take for something else than a file.
  if (typeof path !== "string" || path === "" || path.startsWith(":") || /^file:/i.test(path) || path.includes("\0")) {
    throw new TypeError("path: the path of a file");
  }
  if (!Number.isInteger(busyTimeoutMs) || busyTimeoutMs < 0 || busyTimeoutMs > 10_000) {
    throw new RangeError("busyTimeoutMs: a whole number from 0 to 10000");
  }
  if (engine !== undefined && engine !== "node:sqlite" && engine !== "libsql") {
    throw new TypeError("engine: node:sqlite or libsql");
  }
  return { path, busyTimeoutMs, engine };
}

function configure(connection: EngineConnection, busyTimeoutMs: number): void {
  connection.exec(`pragma busy_timeout = ${busyTimeoutMs}`);
  const mode = connection.prepare("pragma journal_mode = wal").get()?.["journal_mode"];
  if (mode !== "wal")
    throw new DatabaseError("cannot-open", new Error("the file system cannot hold a write-ahead log"));
  // fullfsync: macOS flushes to the drive's cache otherwise. trusted_schema: a planted file runs nothing.
  connection.exec(
    "pragma synchronous = full; pragma fullfsync = on; pragma checkpoint_fullfsync = on; " +
      "pragma foreign_keys = on; pragma trusted_schema = off; pragma journal_size_limit = 16777216",
  );
}

class OwnedDatabase implements Database {
  readonly engine: EngineName;
  readonly #connection: EngineConnection;
  readonly #lock: HeldLock;
  #isInTransaction = false;
  /** What went wrong inside the transaction: SQLite may have rolled it back, and what follows would stand alone. */
  #spoiledBy: DatabaseError | undefined;
  /** Why nothing can be done any more. */
  #end: DatabaseError | undefined;

  constructor(engine: EngineName, connection: EngineConnection, lock: HeldLock) {
    this.engine = engine;
    this.#connection = connection;
    this.#lock = lock;
  }

  prepare(sql: string): Statement {
    const statement: EngineStatement = this.#attempt(() => this.#connection.prepare(sql));
    let count: number | undefined;
    const check = (values: readonly SqlValue[]): void => {
      count ??= values.length;
      // An engine may fill the gap with a value of the last time.
      if (values.length !== count) throw new TypeError(`this statement was given ${count} values before`);
      for (const value of values) assertValue(value);
    };
    return {
      run: (...values) => {
        check(values);
        return this.#attempt(() => ({ changes: Number(statement.run(...values).changes) }));
      },
      get: (...values) => {
        check(values);
        return this.#attempt(() => statement.get(...values));
      },
      all: (...values) => {
        check(values);
        return this.#attempt(() => statement.all(...values));
      },
    };
  }

  exec(sql: string): void {
    this.#attempt(() => this.#connection.exec(sql));
  }

  transaction<Result>(work: (transaction: Transaction) => Result): Result {
    if (this.#isInTransaction) throw new TypeError("a transaction inside another");
    this.exec("begin immediate");
    this.#isInTransaction = true;
    try {
      const result = work({ prepare: (sql) => this.prepare(sql) });
      if (isThenable(result)) throw new TypeError("the work of a transaction is synchronous: it returned a promise");
      this.exec("commit");
      return result;
    } catch (error) {
      rollBack(this.#connection);
      throw error;
    } finally {
      this.#isInTransaction = false;
      this.#spoiledBy = undefined;
    }
  }

  close(): void {
    if (this.#end?.failure === "closed") return;
    this.#end = new DatabaseError("closed");
    try {
      // The last connection does this when it closes, but libsql's closes when its last statement is collected.
      tidy(this.#connection);
      this.#connection.close();
    } finally {
      this.#lock.close();
    }
  }

  #attempt<Result>(work: () => Result): Result {
    const obstacle = this.#end ?? this.#spoiledBy;
    if (obstacle !== undefined) throw new DatabaseError(obstacle.failure, obstacle.cause);
    try {
      return work();
    } catch (error) {
      const failure = describeFailure(error);
      if (failure instanceof DatabaseError) {
        if (this.#isInTransaction) this.#spoiledBy = failure;
        if (isFlushFailure(error)) this.#end = failure;
      }
      throw failure;
    }
  }
}

/** Moves what stands in the log into the file itself, where it can: nothing is lost otherwise. */
function tidy(connection: EngineConnection): void {
  try {
    connection.exec("pragma wal_checkpoint(truncate)");
  } catch {
    // The next start reads the log.
  }
}

/** Engines differ in what they make of anything else: one ends the process at a boolean. */
function assertValue(value: unknown): void {
  const isValue =
    value === null ||
    value instanceof Uint8Array ||
    (typeof value === "number" && Number.isFinite(value)) ||
    (typeof value === "string" && !/\0|\p{Surrogate}/u.test(value));
  if (!isValue) throw new TypeError("a value for SQLite: null, a finite number, a text without NUL, or a Uint8Array");
}

function isThenable(value: unknown): boolean {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
}
