/**
 * libsql 0.5 behind the port. What it does differently from what it says, found by trying, and kept from callers here:
 * - a single argument that is an object (a Uint8Array, null) is taken for named values and aborts the process:
 *   values are passed as one array;
 * - a statement that gave rows by `all` or `run` gives the same row to the next `get`, whatever its values: each
 *   has a statement of its own, and one row is the first of all;
 * - a blob is an ArrayBuffer in `all` and a Buffer in `get`;
 * - failing to open says no code, and statements go on working on a closed connection: `Database` watches over that.
 */

import { DatabaseError } from "./database-error.js";
import type { Engine, EngineConnection, EngineStatement, SqlRow, SqlValue } from "./engine-port.js";

interface LibsqlStatement {
  run(values: readonly SqlValue[]): { readonly changes: number };
  all(values: readonly SqlValue[]): readonly Readonly<Record<string, SqlValue | ArrayBuffer>>[];
}

interface LibsqlConnection {
  prepare(sql: string): LibsqlStatement;
  exec(sql: string): void;
  close(): void;
}

export type LibsqlClass = new (path: string) => LibsqlConnection;

export function libsqlEngine(Connection: LibsqlClass): Engine {
  return {
    name: "libsql",
    connect(path): EngineConnection {
      const connection = connect(Connection, path);
      return {
        prepare: (sql) => prepare(connection, sql),
        exec: (sql) => connection.exec(sql),
        close: () => connection.close(),
      };
    },
  };
}

function connect(Connection: LibsqlClass, path: string): LibsqlConnection {
  try {
    return new Connection(path);
  } catch (error) {
    throw new DatabaseError("cannot-open", error);
  }
}

function prepare(connection: LibsqlConnection, sql: string): EngineStatement {
  // Prepared at once, so that broken SQL is told at once.
  const first = connection.prepare(sql);
  let reader: LibsqlStatement | undefined;
  const all = (...values: readonly SqlValue[]): readonly SqlRow[] => {
    reader ??= connection.prepare(sql);
    return reader.all([...values]).map(withBytes);
  };
  return { run: (...values) => first.run([...values]), all, get: (...values) => all(...values)[0] };
}

function withBytes(row: Readonly<Record<string, SqlValue | ArrayBuffer>>): SqlRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value instanceof ArrayBuffer ? new Uint8Array(value) : value]),
  );
}
