/** Port: an embedded SQLite, as narrow as the two that there are have it in common. */

/** A value as both engines keep it unchanged. A number is whole and safe, or a REAL; a text holds no NUL. */
export type SqlValue = null | number | string | Uint8Array;

export type SqlRow = Readonly<Record<string, SqlValue>>;

/** One prepared statement of an engine. */
export interface EngineStatement {
  run(...values: readonly SqlValue[]): { readonly changes: number };
  get(...values: readonly SqlValue[]): SqlRow | undefined;
  all(...values: readonly SqlValue[]): readonly SqlRow[];
}

/** One connection of an engine: what node:sqlite and libsql have in common, and no more. */
export interface EngineConnection {
  prepare(sql: string): EngineStatement;
  exec(sql: string): void;
  close(): void;
}

export type EngineName = "node:sqlite" | "libsql";

export interface Engine {
  readonly name: EngineName;
  /** Creates the file where there is none. */
  connect(path: string): EngineConnection;
}
