/** The oracle: reads a history and says what in it must not have happened. */

import type { CredentialFacts, HistoryEvent, Target } from "./history.js";
import { Directory } from "./directory.js";
import { nameOf, namesOf, personOf } from "./names.js";
import { Clocks, Possession } from "./possession.js";

/**
 * I1: after an acknowledged revocation nothing is delivered to, and nothing dispatched for, whom it names. I2: no frame
 * of a group after the acknowledged loss of it. I3: I1 across a restart. I4: no action and no frame of the
 * application's between `exp` and a re-authentication, nothing but a Close after the grace. I5: nothing of another
 * tenant, no call as somebody else. I6: one effect for each command. I7: a ticket attaches one connection, a refresh
 * generation is spent once.
 */
export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7";

export interface Violation {
  readonly invariant: Invariant;
  /** The event it was seen at. */
  readonly seq: number;
  readonly what: string;
}

export interface Promises {
  /** How long a lapsed connection may wait. Milliseconds. */
  readonly graceMs: number;
  /** How often a refresh token may be answered again: within this long of its first answer. Milliseconds. */
  readonly retryWindowMs: number;
}

const promises: Promises = { graceMs: 10_000, retryWindowMs: 10_000 };

/** Timers look once a second, once for the lapse and once for the grace behind it. */
const TIMER_SLACK_MS = 2_000;

interface Watched {
  readonly possession: Possession;
  /** Groups it left, as it was told, and has not asked for since. */
  readonly left: Set<string>;
}

interface Revoked {
  readonly id: string;
  readonly target: Target;
  readonly isClaimsChanged: boolean;
  hasBeenRestarted: boolean;
}

export function check(events: readonly HistoryEvent[], promised: Promises = promises): readonly Violation[] {
  const checker = new Checker(promised);
  for (const event of events) checker.follow(event);
  return checker.violations;
}

/** Reads a history while it is written: nothing of it need be kept. */
export class Checker {
  readonly violations: Violation[] = [];
  readonly #promised: Promises;
  readonly #clocks = new Clocks();
  readonly #connections = new Map<string, Watched>();
  readonly #revoked = new Map<string, Revoked>();
  /** The same by whom they name: a long history has thousands. */
  readonly #revokedByName = new Map<string, Set<Revoked>>();
  readonly #directory = new Directory();
  readonly #effects = new Set<string>();
  readonly #tickets = new Map<string, string>();
  /** When each generation was first answered: by session and generation. */
  readonly #spent = new Map<string, { readonly seq: number; readonly monotonic: number }>();

  constructor(promised: Promises = promises) {
    this.#promised = promised;
  }

  follow(event: HistoryEvent): void {
    const before = this.#clocks.offset;
    this.#clocks.follow(event);
    const { offset } = this.#clocks;
    if (before !== offset) for (const { possession } of this.#connections.values()) possession.stepped(offset);
    switch (event.type) {
      case "opened":
        this.#connections.set(event.connection, {
          possession: new Possession(event.credential, event.monotonic, offset),
          left: new Set(),
        });
        return;
      case "attached":
        return this.#attached(event);
      case "delivery":
        return this.#delivered(event);
      case "dispatch":
        return this.#dispatched(event);
      case "effect":
        return this.#effected(event);
      case "presented":
        return this.#connections.get(event.connection)?.possession.presented(event.credential, event.monotonic, offset);
      case "renewed":
        return this.#connections
          .get(event.connection)
          ?.possession.renewed(event.credential, (credential) => this.#isOutdated(event.connection, credential));
      case "declined":
        return this.#connections.get(event.connection)?.possession.declined(event.credential.id);
      case "joining":
        return void this.#connections.get(event.connection)?.left.delete(event.ward);
      case "left":
        return void this.#connections.get(event.connection)?.left.add(event.ward);
      case "changed":
        return this.#directory.changed(personOf(event), event.wards);
      case "rechecking":
        return this.#directory.asked(event.attempt);
      case "rechecked":
        return this.#directory.answered(personOf(event), event.attempt);
      case "revoked":
        return this.#revokes(event);
      case "lifting":
        return this.#lifts(event.id);
      case "restarted":
        this.#connections.clear();
        for (const revoked of this.#revoked.values()) revoked.hasBeenRestarted = true;
        return;
      case "refreshed":
        return this.#refreshed(event);
      case "blocked":
      case "draining":
        return;
      default:
        event satisfies never;
    }
  }

  #revokes({ id, target, claimsChanged }: HistoryEvent & { readonly type: "revoked" }): void {
    const revoked: Revoked = { id, target, isClaimsChanged: claimsChanged ?? false, hasBeenRestarted: false };
    this.#revoked.set(id, revoked);
    const name = nameOf(target);
    const known = this.#revokedByName.get(name);
    if (known === undefined) this.#revokedByName.set(name, new Set([revoked]));
    else known.add(revoked);
  }

  #lifts(id: string): void {
    const revoked = this.#revoked.get(id);
    if (revoked === undefined) return;
    this.#revoked.delete(id);
    this.#revokedByName.get(nameOf(revoked.target))?.delete(revoked);
  }

  #attached({ seq, connection, ticket }: HistoryEvent & { readonly type: "attached" }): void {
    const first = this.#tickets.get(ticket);
    if (first === undefined) this.#tickets.set(ticket, connection);
    else if (first !== connection) this.#report("I7", seq, `one ticket attached ${first} and ${connection}`);
  }

  #delivered(event: HistoryEvent & { readonly type: "delivery" }): void {
    const { seq, connection, frame, stamp, now, monotonic } = event;
    const watched = this.#connections.get(connection);
    if (frame === "close" || frame === "handshake") return;
    if (watched === undefined) return this.#report("I4", seq, `${frame} to ${connection}, which never opened`);
    const { possession, left } = watched;
    const isApplications = frame !== "control";
    this.#judgeRevocation(seq, connection, possession, isApplications, frame);
    if (isApplications && possession.isOver(now, monotonic)) {
      this.#report("I4", seq, `${frame} to ${connection} after the end of its credential`);
    } else if (!isApplications && this.#isGraceOver(possession, monotonic)) {
      this.#report("I4", seq, `${frame} to ${connection} after its grace`);
    }
    if (stamp === undefined) return;
    const { tenant } = possession.current;
    if (stamp.tenant !== "*" && stamp.tenant !== tenant) {
      this.#report("I5", seq, `${frame} of ${stamp.tenant} to ${connection} of ${tenant}`);
    }
    const { ward } = stamp;
    if (ward === undefined) return;
    if (left.has(ward)) this.#report("I2", seq, `${frame} of ${ward} to ${connection}, which has left it`);
    if (
      !this.#directory.mayAllow(personOf(possession.current), ward) ||
      possession.every(({ wards }) => !wards.includes(ward))
    ) {
      this.#report("I2", seq, `${frame} of ${ward} to ${connection}, which may not be in it any more`);
    }
  }

  #dispatched(event: HistoryEvent & { readonly type: "dispatch" }): void {
    const { seq, connection, method, subject, tenant, now, monotonic } = event;
    const watched = this.#connections.get(connection);
    if (watched === undefined) return this.#report("I4", seq, `${method} for ${connection}, which never opened`);
    const { possession } = watched;
    this.#judgeRevocation(seq, connection, possession, true, method);
    if (possession.isOver(now, monotonic)) {
      this.#report("I4", seq, `${method} for ${connection} after the end of its credential`);
    }
    const known = possession.current;
    if (known.subject !== subject || known.tenant !== tenant) {
      this.#report("I5", seq, `${method} for ${connection} as ${subject} of ${tenant}`);
    }
  }

  #judgeRevocation(
    seq: number,
    connection: string,
    possession: Possession,
    isApplications: boolean,
    what: string,
  ): void {
    if (this.#revoked.size === 0) return;
    const against = (credential: CredentialFacts): Revoked | undefined => {
      for (const revoked of this.#against(connection, credential)) {
        // A claims-changed entry leaves the protocol its words.
        if (revoked.isClaimsChanged && !isApplications) continue;
        return revoked;
      }
      return undefined;
    };
    if (!possession.every((credential) => against(credential) !== undefined)) return;
    const found = against(possession.current);
    const invariant = found?.hasBeenRestarted === true ? "I3" : "I1";
    this.#report(invariant, seq, `${what} for ${connection}, against ${found?.id} (${found?.target.type})`);
  }

  #isOutdated(connection: string, credential: CredentialFacts): boolean {
    return Array.from(this.#against(connection, credential)).some(({ isClaimsChanged }) => isClaimsChanged);
  }

  *#against(connection: string, credential: CredentialFacts): Generator<Revoked> {
    for (const name of namesOf(connection, credential))
      for (const revoked of this.#revokedByName.get(name) ?? [])
        if (this.#names(revoked.target, connection, credential)) yield revoked;
  }

  #names(target: Target, connection: string, credential: CredentialFacts): boolean {
    switch (target.type) {
      case "token":
        return credential.id === target.tokenId;
      case "session":
        return credential.sessionId === target.sessionId;
      case "client":
        return credential.clientId === target.clientId;
      case "key":
        return credential.keyId === target.keyId;
      case "identity":
        return credential.subject === target.subject && credential.tenant === target.tenant;
      case "tenant":
        return credential.tenant === target.tenant;
      case "connection":
        return connection === target.connection;
      case "issued-before":
        return (
          credential.subject === target.subject &&
          credential.tenant === target.tenant &&
          credential.issuedAt <= target.before
        );
    }
  }

  #isGraceOver(possession: Possession, monotonic: number): boolean {
    const endedAt = possession.endedAt(this.#clocks);
    if (endedAt === Infinity) return false;
    return monotonic > endedAt + this.#promised.graceMs + TIMER_SLACK_MS + this.#clocks.stalledSince(endedAt);
  }

  #effected({ seq, owner, command }: HistoryEvent & { readonly type: "effect" }): void {
    const key = JSON.stringify([owner, command]);
    if (this.#effects.has(key)) this.#report("I6", seq, `${command} of ${owner} took effect again`);
    this.#effects.add(key);
  }

  #refreshed({ seq, monotonic, session, generation, askedAt }: HistoryEvent & { readonly type: "refreshed" }): void {
    const first = this.#spent.get(`${session}/${generation}`);
    const next = this.#spent.get(`${session}/${generation + 1}`);
    if (next !== undefined && next.seq < askedAt) {
      this.#report("I7", seq, `generation ${generation} of ${session} was spent after its successor`);
    } else if (first !== undefined && monotonic - first.monotonic > this.#promised.retryWindowMs) {
      this.#report("I7", seq, `generation ${generation} of ${session} was spent again, long after`);
    }
    if (first === undefined) this.#spent.set(`${session}/${generation}`, { seq, monotonic });
  }

  #report(invariant: Invariant, seq: number, what: string): void {
    this.violations.push({ invariant, seq, what });
  }
}
