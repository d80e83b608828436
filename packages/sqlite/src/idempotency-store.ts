/** Commands remembered in the database: through a restart, and through the death of the process in the middle of one. */

import { HubwardError } from "@hubward/wire";
import type { CommandOutcome, CommandStart, IdempotencyStore } from "@hubward/server/ports";
import { CommandTable } from "./command-table.js";
import type { Database } from "./database.js";
import { DatabaseError } from "./database-error.js";
import { fingerprint } from "./fingerprint.js";
import {
  resolveSqliteIdempotencyOptions,
  type ResolvedSqliteIdempotencyOptions,
  type SqliteIdempotencyOptions,
} from "./idempotency-options.js";

/** One that runs in this process. */
interface RunningCommand {
  readonly outcome: Promise<CommandOutcome>;
  readonly settle: (outcome: CommandOutcome) => void;
  readonly giveUp: (reason: HubwardError) => void;
}

const owners = new WeakSet<Database>();

/**
 * Creates the store. That a command was started is on the disk before anyone runs it; those of a process that died
 * meanwhile have ended with `outcome_unknown`, and never run again.
 * @throws TypeError for a second store of one database; RangeError for options that cannot work; DatabaseError
 */
export function createSqliteIdempotencyStore(options: SqliteIdempotencyOptions): IdempotencyStore {
  const resolved = resolveSqliteIdempotencyOptions(options);
  if (owners.has(resolved.database)) throw new TypeError("idempotency: this database has a store");
  const store = new SqliteIdempotencyStore(resolved);
  owners.add(resolved.database);
  return store;
}

class SqliteIdempotencyStore implements IdempotencyStore {
  readonly #options: ResolvedSqliteIdempotencyOptions;
  readonly #table: CommandTable;
  readonly #running = new Map<string, RunningCommand>();
  /** What the disk would not take, by key: nothing begins before it has. */
  readonly #owed = new Map<string, () => void>();
  readonly #openedAt: number;
  readonly #openedAtMonotonic: number;

  constructor(options: ResolvedSqliteIdempotencyOptions) {
    this.#options = options;
    this.#table = new CommandTable(options.database, options.maxOutcomeLength);
    // Never earlier than what was written last: after a step back of the wall clock nothing is kept for ever.
    const newestEndedAt = (this.#table.newestForgetAt ?? 0) - options.keepMs;
    this.#openedAt = Math.max(options.clock.now(), newestEndedAt);
    this.#openedAtMonotonic = options.clock.monotonic();
    this.#table.endAbandoned(this.#openedAt + options.keepMs);
  }

  start(name: string, argumentsDigest: string, ownerName: string): CommandStart {
    const { maxCommands, maxCommandsPerOwner } = this.#options;
    const [key, owner] = [fingerprint(name), fingerprint(ownerName)];
    this.#payDebts();
    const now = this.#now();
    const known = this.#table.find(key, now);
    if (known !== undefined) {
      if (known.argumentsDigest !== argumentsDigest) return { state: "conflict" };
      const outcome = known.outcome ?? this.#running.get(idOf(key))?.outcome;
      if (outcome === undefined) throw tryAgain();
      return { state: "known", outcome };
    }
    this.#table.forget(now, owner);
    const count = this.#table.countOf(owner);
    if (count >= maxCommandsPerOwner) return full(this.#table.oldestForgetAt(owner), now);
    // Never more than there is room left for others (Choudhury and Hahne, Dynamic queue length thresholds, 1998).
    if (count >= maxCommands - this.#table.count) return full(this.#table.oldestForgetAt(), now);
    this.#table.add(key, owner, argumentsDigest);
    return this.#begin(key);
  }

  #begin(key: Uint8Array): CommandStart {
    const id = idOf(key);
    const running = createRunning();
    this.#running.set(id, running);
    // Who let go once may not settle what somebody else has claimed since.
    const isHeld = (): boolean => this.#running.get(id) === running;
    const release = (): boolean => isHeld() && this.#running.delete(id);
    return {
      state: "started",
      finish: (outcome) => {
        if (!release()) return;
        running.settle(outcome);
        this.#end(key, outcome);
      },
      abandon: () => {
        if (!release()) return;
        running.giveUp(tryAgain());
        this.#write(id, () => this.#table.remove(key));
      },
      commit: (work) => {
        if (!isHeld()) throw new TypeError("commit: the command has ended");
        const value = this.#options.database.transaction((transaction) => {
          const result = work(transaction);
          this.#table.end(key, { kind: "value", value: result }, this.#forgetAt());
          return result;
        });
        release();
        running.settle({ kind: "value", value });
        return value;
      },
    };
  }

  /** @throws DatabaseError; TypeError for an outcome that has no form: then it is unknown to whoever asks again */
  #end(key: Uint8Array, outcome: CommandOutcome): void {
    const forgetAt = this.#forgetAt();
    const id = idOf(key);
    try {
      this.#write(id, () => this.#table.end(key, outcome, forgetAt));
    } catch (error) {
      if (error instanceof TypeError) this.#write(id, () => this.#table.endUnknown(key, forgetAt));
      throw error;
    }
  }

  /** Now, or before the next command begins. */
  #write(id: string, write: () => void): void {
    this.#owed.set(id, write);
    try {
      write();
      this.#owed.delete(id);
    } catch (error) {
      if (!(error instanceof DatabaseError)) this.#owed.delete(id);
      throw error;
    }
  }

  #payDebts(): void {
    for (const [id, write] of this.#owed) {
      write();
      this.#owed.delete(id);
    }
  }

  /** Goes as the monotonic clock does: a step of the wall clock while this process runs makes nothing older. */
  #now(): number {
    return Math.floor(this.#openedAt + this.#options.clock.monotonic() - this.#openedAtMonotonic);
  }

  #forgetAt(): number {
    return this.#now() + this.#options.keepMs;
  }
}

function createRunning(): RunningCommand {
  let settle!: RunningCommand["settle"];
  let giveUp!: RunningCommand["giveUp"];
  const outcome = new Promise<CommandOutcome>((resolve, reject) => {
    settle = resolve;
    giveUp = reject;
  });
  // Nobody may be waiting when it is abandoned.
  outcome.catch(() => undefined);
  return { outcome, settle, giveUp };
}

function full(oldestForgetAt: number | undefined, now: number): CommandStart {
  return { state: "full", retryAfterMs: Math.max(1_000, (oldestForgetAt ?? now) - now) };
}

function tryAgain(): HubwardError {
  return new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
}

function idOf(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}
