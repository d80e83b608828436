/**
 * What every door asks about a verified credential, and what live connections are judged by: the view of the log, the
 * entries that are on their way into it, and whether the view can be proven fresh.
 */

import { HubwardError } from "@hubward/wire";
import type { Clock, EpochMs } from "../clock.js";
import type { ConnectionId } from "../ids.js";
import type { Authentication } from "./authentication.js";
import type { RevocationView } from "./revocation-view.js";
import {
  cutOffOf,
  refusalOf,
  revocationKey,
  type NewRevocation,
  type Revocation,
  type RevocationMatcher,
} from "./revocation.js";

/** The credential verified, and an entry of the log stands against it. */
export class RevokedCredential extends HubwardError {
  readonly authentication: Authentication;

  constructor(refusal: HubwardError, authentication: Authentication) {
    super(refusal.reason, { retryAfterSeconds: refusal.retryAfterSeconds });
    this.authentication = authentication;
  }
}

/** For the operator: why a valid token was refused. */
export class LongLivedCredential extends HubwardError {}

/** The doors' side of it. */
export interface RevocationCheck {
  /**
   * Right after its credential was verified, whatever it is to open.
   * @throws RevokedCredential, and HubwardError auth_unavailable while the log was not read; invalid_token for one that
   * lives longer than entries are kept
   */
  assertWelcome(authentication: Authentication): void;
  /** Why what was verified before may not go on now, or undefined. */
  refusal(authentication: Authentication, connectionId?: ConnectionId): HubwardError | undefined;
}

/** An entry in force that no log has numbered yet. */
export interface Announcement {
  readonly entry: NewRevocation;
}

interface Announced extends Announcement {
  readonly entry: NewRevocation;
  readonly matches: RevocationMatcher;
  /** Whether a log is being asked to keep it. Once none could, it goes on to stand, by what tokens say of themselves. */
  isCommitting: boolean;
  /** Given by the log; it stands for itself until the view has come so far. */
  number: number | undefined;
}

export interface RevocationGateOptions {
  readonly clock: Pick<Clock, "now">;
  readonly maxTokenAgeMs: number;
  readonly skewMs: number;
}

/** Its view is not fresh until `refresh` was called, unless it is known to be: of a log that has no entry. */
export class RevocationGate implements RevocationCheck {
  readonly #options: RevocationGateOptions;
  readonly #announced = new Set<Announced>();
  /** `head` when an authentication was first shown: no entry after it can be older than its token. */
  #seenAt = new WeakMap<Authentication, number>();
  #view: RevocationView;
  #isFresh: boolean;

  constructor(options: RevocationGateOptions, view: RevocationView, isFresh = false) {
    this.#options = options;
    this.#view = view;
    this.#isFresh = isFresh;
  }

  get isFresh(): boolean {
    return this.#isFresh;
  }

  get head(): number {
    return this.#view.head;
  }

  assertWelcome(authentication: Authentication): void {
    const { clock, maxTokenAgeMs, skewMs } = this.#options;
    const { issuedAt, expiresAt } = authentication;
    // It could outlive the entry that stands against it.
    if (expiresAt - (issuedAt ?? clock.now()) > maxTokenAgeMs + skewMs) throw new LongLivedCredential("invalid_token");
    if (!this.#seenAt.has(authentication)) this.#seenAt.set(authentication, this.#view.head);
    const refusal = this.refusal(authentication);
    if (refusal === undefined) return;
    throw this.#isFresh ? new RevokedCredential(refusal, authentication) : refusal;
  }

  refusal(authentication: Authentication, connectionId?: ConnectionId): HubwardError | undefined {
    if (!this.#isFresh) return new HubwardError("auth_unavailable", { retryAfterSeconds: 1 });
    const entry = this.judge(authentication, connectionId);
    return entry && refusalOf(entry, this.#options.clock.now(), this.#options.skewMs);
  }

  /** The entry that stands against it, as far as is known: also while the view is not fresh. */
  judge(authentication: Authentication, connectionId: ConnectionId | undefined): NewRevocation | undefined {
    const authenticatedAtNumber = this.#seenAt.get(authentication) ?? 0;
    const known = this.#view.judge(authentication, { connectionId, authenticatedAtNumber });
    if (known !== undefined || this.#announced.size === 0) return known;
    for (const announced of this.#announced)
      if (this.#stands(announced, authentication, connectionId)) return announced.entry;
    return undefined;
  }

  /** Whether this entry stands against a live connection: asked of all of them in one go. */
  matcher(entry: NewRevocation | Revocation): (authentication: Authentication, connectionId: ConnectionId) => boolean {
    const matches = this.#view.matcher(entry);
    // When each was first shown counts only for what goes by time.
    if (cutOffOf(entry) === undefined)
      return (authentication, connectionId) => matches(authentication, { connectionId });
    return (authentication, connectionId) =>
      matches(authentication, { connectionId, authenticatedAtNumber: this.#seenAt.get(authentication) ?? 0 });
  }

  /** Puts an entry in force before any log has it; `kept` or `lost` must follow. */
  announce(entry: NewRevocation): Announcement {
    const announced: Announced = {
      entry,
      matches: this.#view.matcher(entry),
      isCommitting: true,
      number: undefined,
    };
    this.#announced.add(announced);
    return announced;
  }

  /** The log has it under this number. */
  kept(announcement: Announcement, number: number): void {
    (announcement as Announced).number = number;
    this.#forgetKept();
  }

  /**
   * Nobody can say whether the log has it. It goes on to stand while this process lives, until it is asked for again,
   * or lifted, and that is kept, or until no token is left that it could stand against.
   */
  lost(announcement: Announcement): void {
    (announcement as Announced).isCommitting = false;
  }

  /** Takes in the next entry of the log. False when it is known, or in force already. */
  apply(entry: Revocation): boolean {
    const isNew = this.#view.apply(entry);
    const isOurs = this.#isAnnounced(entry);
    this.#forgetKept();
    for (const announced of this.#announced)
      if (!announced.isCommitting && settles(entry, announced.entry)) this.#announced.delete(announced);
    return isNew && !isOurs;
  }

  /** Entries may have been missed: nobody is let in until `refresh`. */
  doubt(): void {
    this.#isFresh = false;
  }

  /** The whole log was read. `isAnotherLog`: the numbers known so far meant something else. */
  refresh(view: RevocationView, isAnotherLog: boolean): void {
    this.#view = view;
    if (isAnotherLog) this.#seenAt = new WeakMap();
    this.#isFresh = true;
    this.#forgetKept();
  }

  /** Forgets what no living token can fall under, a bounded number at a time. */
  forget(now: EpochMs): void {
    this.#view.forget(now);
    for (const announced of this.#announced) {
      const { keepUntil } = announced.entry;
      if (!announced.isCommitting && keepUntil !== undefined && keepUntil <= now) this.#announced.delete(announced);
    }
  }

  #stands(
    { matches, isCommitting }: Announced,
    authentication: Authentication,
    connectionId: ConnectionId | undefined,
  ): boolean {
    // No number will come for one that was lost: newer tokens pass it by time alone.
    const authenticatedAtNumber = isCommitting ? (this.#seenAt.get(authentication) ?? 0) : undefined;
    return matches(authentication, { connectionId, authenticatedAtNumber });
  }

  #isAnnounced(told: Revocation): boolean {
    for (const { entry } of this.#announced) if (isSame(entry, told)) return true;
    return false;
  }

  #forgetKept(): void {
    for (const announced of this.#announced)
      if (announced.number !== undefined && announced.number <= this.#view.head) this.#announced.delete(announced);
  }
}

/** Whether they stand against the same: of two cut-offs of one moment, one may reach further. */
function isSame(one: NewRevocation, other: NewRevocation): boolean {
  return (
    one.kind === other.kind &&
    one.at === other.at &&
    cutOffOf(one)?.before === cutOffOf(other)?.before &&
    revocationKey(one.target) === revocationKey(other.target)
  );
}

/** Whether an entry of the log makes a lost one superfluous. */
function settles(kept: Revocation, lost: NewRevocation): boolean {
  if (revocationKey(kept.target) !== revocationKey(lost.target)) return false;
  if (kept.kind === "lift") return lost.kind === "suspension";
  if (kept.kind !== lost.kind) return false;
  return (cutOffOf(kept)?.before ?? 0) >= (cutOffOf(lost)?.before ?? 0);
}
