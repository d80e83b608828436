/** `@hubward/sqlite`: what Hubward keeps, durable in one embedded SQLite file. */

export {
  databaseDefaults,
  openDatabase,
  type Database,
  type DatabaseOptions,
  type Statement,
  type Transaction,
} from "./database.js";
export { DatabaseError, type DatabaseFailure } from "./database-error.js";
export type { EngineName, SqlRow, SqlValue } from "./engine-port.js";
export { createSqliteRevocationLog, type SqliteRevocationLogOptions } from "./revocation-log.js";
export {
  createSqliteSessionStore,
  sqliteSessionStoreDefaults,
  type SqliteSessionStoreOptions,
} from "./session-store.js";
export { createSqliteIdempotencyStore } from "./idempotency-store.js";
export { sqliteIdempotencyDefaults, type CommandClock, type SqliteIdempotencyOptions } from "./idempotency-options.js";
