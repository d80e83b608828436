/** The commands in the database: found, written, counted, and forgotten a few at a time. */

import type { CommandOutcome } from "@hubward/server/ports";
import type { Database, Statement } from "./database.js";
import { decodeOutcome, encodeOutcome } from "./outcome-codec.js";

export interface CommandRecord {
  readonly argumentsDigest: string;
  /** Undefined while it runs. */
  readonly outcome: CommandOutcome | undefined;
}

/** Forgotten at most per new command: many go in many small steps. */
const forgottenAtOnce = 32;

const unknown: CommandOutcome = { kind: "reason", reason: "outcome_unknown", detail: undefined };
const tooLarge: CommandOutcome = { kind: "reason", reason: "result_too_large", detail: undefined };

/** Instants are milliseconds of whatever clock the caller keeps to. */
export class CommandTable {
  readonly #database: Database;
  readonly #maxOutcomeLength: number;
  readonly #statements: Readonly<Record<StatementName, Statement>>;
  readonly #countByOwner = new Map<string, number>();
  #count = 0;

  /** @throws DatabaseError */
  constructor(database: Database, maxOutcomeLength: number) {
    this.#database = database;
    this.#maxOutcomeLength = maxOutcomeLength;
    this.#statements = prepareStatements(database);
    for (const { owner, n } of this.#statements.countByOwner.all()) this.#add(owner as Uint8Array, Number(n));
  }

  get count(): number {
    return this.#count;
  }

  /** When the one that ended last may be forgotten. */
  get newestForgetAt(): number | undefined {
    return numberOf(this.#statements.newest.get()?.["at"]);
  }

  /** The process that ran them has died: nobody will tell how they ended. */
  endAbandoned(forgetAt: number): void {
    this.#statements.endRunning.run(encodeOutcome(unknown), forgetAt);
  }

  countOf(owner: Uint8Array): number {
    return this.#countByOwner.get(hex(owner)) ?? 0;
  }

  /** The earliest instant at which one may be forgotten, of all or of one owner. */
  oldestForgetAt(owner?: Uint8Array): number | undefined {
    const { oldest, oldestOf } = this.#statements;
    return numberOf((owner === undefined ? oldest.get() : oldestOf.get(owner))?.["at"]);
  }

  /** One that may be forgotten by now is not there any more. */
  find(key: Uint8Array, now: number): CommandRecord | undefined {
    const row = this.#statements.find.get(key, now);
    if (row === undefined) return undefined;
    const { arguments_digest: argumentsDigest, outcome } = row;
    return {
      argumentsDigest: String(argumentsDigest),
      outcome: outcome === null ? undefined : decodeOutcome(String(outcome)),
    };
  }

  /** In its place may stand one that is forgotten already. */
  add(key: Uint8Array, owner: Uint8Array, argumentsDigest: string): void {
    this.remove(key);
    this.#statements.insert.run(key, owner, argumentsDigest);
    this.#add(owner, 1);
  }

  /** @throws TypeError for an outcome that has no form */
  end(key: Uint8Array, outcome: CommandOutcome, forgetAt: number): void {
    const text = encodeOutcome(outcome);
    const kept = text.length <= this.#maxOutcomeLength ? text : encodeOutcome(tooLarge);
    this.#statements.end.run(kept, forgetAt, key);
  }

  /** For an outcome that has no form. */
  endUnknown(key: Uint8Array, forgetAt: number): void {
    this.#statements.end.run(encodeOutcome(unknown), forgetAt, key);
  }

  remove(key: Uint8Array): void {
    const [row] = this.#statements.remove.all(key);
    if (row !== undefined) this.#add(row["owner"] as Uint8Array, -1);
  }

  /** Forgets some of those whose time is over: of all, and of this owner. */
  forget(now: number, owner: Uint8Array): void {
    const { overdue, overdueOf } = this.#statements;
    const keys = [...overdue.all(now, forgottenAtOnce)];
    if (keys.length === forgottenAtOnce) keys.push(...overdueOf.all(owner, now, forgottenAtOnce));
    if (keys.length === 0) return;
    const removed = this.#database.transaction(() =>
      keys.flatMap(({ key }) => this.#statements.remove.all(key as Uint8Array)),
    );
    for (const row of removed) this.#add(row["owner"] as Uint8Array, -1);
  }

  #add(owner: Uint8Array, change: number): void {
    this.#count += change;
    const count = this.countOf(owner) + change;
    if (count > 0) this.#countByOwner.set(hex(owner), count);
    else this.#countByOwner.delete(hex(owner));
  }
}

type StatementName =
  | "countByOwner"
  | "newest"
  | "oldest"
  | "oldestOf"
  | "endRunning"
  | "find"
  | "insert"
  | "end"
  | "remove"
  | "overdue"
  | "overdueOf";

function prepareStatements(database: Database): Readonly<Record<StatementName, Statement>> {
  const prepare = (sql: string): Statement => database.prepare(sql);
  return {
    countByOwner: prepare("select owner, count(*) as n from hubward_commands group by owner"),
    newest: prepare("select max(forget_at) as at from hubward_commands where forget_at is not null"),
    oldest: prepare("select min(forget_at) as at from hubward_commands where forget_at is not null"),
    oldestOf: prepare("select min(forget_at) as at from hubward_commands where owner = ?"),
    endRunning: prepare("update hubward_commands set outcome = ?, forget_at = ? where outcome is null"),
    find: prepare(
      "select arguments_digest, outcome from hubward_commands where key = ? and (forget_at is null or forget_at > ?)",
    ),
    insert: prepare("insert into hubward_commands (key, owner, arguments_digest) values (?, ?, ?)"),
    end: prepare("update hubward_commands set outcome = ?, forget_at = ? where key = ? and outcome is null"),
    // Read by `all`: only a statement that is read to its end has surely happened.
    remove: prepare("delete from hubward_commands where key = ? returning owner"),
    overdue: prepare("select key from hubward_commands where forget_at <= ? order by forget_at limit ?"),
    overdueOf: prepare(
      "select key from hubward_commands where owner = ? and forget_at <= ? order by forget_at limit ?",
    ),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
