/** Port: the numbered, append-only log of revocations. */

import type { NewRevocation, Revocation } from "./revocation.js";

/** A stretch of the log, in order. */
export interface RevocationPage {
  /**
   * Which history the numbers belong to. Another one than before: the log was lost or replaced, what was read of it
   * says nothing any more; forget it and read from 0.
   */
  readonly logId: string;
  /** What is remembered after the number asked for, up to `upTo`. Numbers that are left out are forgotten entries. */
  readonly entries: readonly Revocation[];
  /** The page is complete up to this number. */
  readonly upTo: number;
  /** The last number the log had given when it was read; 0 for none. `upTo` below it: ask for the next page. */
  readonly head: number;
}

export interface RevocationListener {
  /** The next entry. Must not throw: one that does is told `interrupted`, as it may not hold what it was told. */
  entry(entry: Revocation): void;
  /**
   * Entries may have been missed, or the log is another one: whoever listens cannot prove a fresh view from now on,
   * until it has read the log anew. It goes on to be told entries. Must not throw: nobody else could keep it from going
   * on with what it has, so an implementation ends the process rather than hide that.
   */
  interrupted(error: unknown): void;
}

/**
 * The order of things is append, then believe: an entry counts from when `append` resolves or a listener is told of it,
 * whichever is first. No implementation tells anyone of an entry that is not as durable as it can make it.
 */
export interface RevocationLog {
  /** Whether entries outlive this process. False: a restart forgets every revocation. */
  readonly isDurable: boolean;
  /**
   * Numbers an entry and keeps it: durable (where the log is), readable, and told to every listener of this process,
   * before it resolves. Concurrent appends get their numbers in the order they were asked for in. May be repeated
   * after a rejection, which can leave the entry in the log all the same: entries are idempotent.
   * @throws HubwardError (as a rejection) `not_durable`: it cannot be kept, or nobody can say whether it is; also once
   * the log is closed. TypeError: this is no entry, and nothing has happened
   */
  append(entry: NewRevocation): Promise<Revocation>;
  /**
   * What is remembered after this number (0: everything), one bounded page at a time. Contains every entry whose
   * `append` had resolved when it was called, and may forget entries past their `keepUntil` and suspensions that a later
   * entry lifts; nothing else, and never reuses a number.
   * @throws HubwardError (as a rejection) `auth_unavailable`: the log cannot be read now, or is closed. Error: what it
   * holds is no entry; nobody may go on as if it had been read.
   */
  read(after: number): Promise<RevocationPage>;
  /**
   * Tells of each entry from now on, whoever appended it, once and in the order of numbers. Returns the end of it. To
   * miss none: subscribe, then read, and skip what both brought (by number).
   * @throws HubwardError `auth_unavailable` once the log is closed
   */
  subscribe(listener: RevocationListener): () => void;
  /** Lets go of what it holds. Appends under way are settled before. May be called twice. */
  close(): Promise<void>;
}
