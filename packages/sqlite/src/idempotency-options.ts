/** What an application says about the commands it has remembered. */

import type { Database } from "./database.js";

export interface SqliteIdempotencyOptions {
  /** One store for each database: a second would take the commands of the first for those of a process that died. */
  readonly database: Database;
  /** How long a command is remembered after it ended. Milliseconds, default 24 hours. */
  readonly keepMs?: number | undefined;
  /** Commands remembered at most; then new ones are refused rather than old ones forgotten. Default 100000. */
  readonly maxCommands?: number | undefined;
  /**
   * Of one owner; then new ones of this owner are refused. Never more than there is room left for others: however many
   * use all they may, who has none yet finds room. Default 10000.
   */
  readonly maxCommandsPerOwner?: number | undefined;
  /**
   * The longest outcome that is kept, in characters of JSON. Whoever sends a command with a longer one again is told
   * `result_too_large`. Default 65536.
   */
  readonly maxOutcomeLength?: number | undefined;
  /** Default: the system's. */
  readonly clock?: CommandClock | undefined;
}

/** Both in milliseconds: since 1970, and on a clock that never steps. A server's `Clock` is one. */
export interface CommandClock {
  now(): number;
  monotonic(): number;
}

export const sqliteIdempotencyDefaults = {
  keepMs: 86_400_000,
  maxCommands: 100_000,
  maxCommandsPerOwner: 10_000,
  maxOutcomeLength: 65_536,
} as const;

export interface ResolvedSqliteIdempotencyOptions {
  readonly database: Database;
  readonly keepMs: number;
  readonly maxCommands: number;
  readonly maxCommandsPerOwner: number;
  readonly maxOutcomeLength: number;
  readonly clock: CommandClock;
}

/** @throws RangeError, naming the option. */
export function resolveSqliteIdempotencyOptions(options: SqliteIdempotencyOptions): ResolvedSqliteIdempotencyOptions {
  const count = (name: keyof typeof sqliteIdempotencyDefaults): number => {
    const value = options[name] ?? sqliteIdempotencyDefaults[name];
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`idempotency.${name}: a whole number of at least 1`);
    return value;
  };
  return {
    database: options.database,
    keepMs: count("keepMs"),
    maxCommands: count("maxCommands"),
    maxCommandsPerOwner: count("maxCommandsPerOwner"),
    maxOutcomeLength: count("maxOutcomeLength"),
    clock: options.clock ?? { now: () => Date.now(), monotonic: () => performance.now() },
  };
}
