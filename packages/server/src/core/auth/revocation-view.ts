/** All revocations that count, in memory: what every door asks, by look-ups alone, however long the log is. */

import type { EpochMs } from "../clock.js";
import type { Authentication } from "./authentication.js";
import {
  cutOffOf,
  isIssuedBefore,
  revocationDefaults,
  revocationKey,
  revocationMatcher,
  type NewRevocation,
  type Revocation,
  type RevocationCircumstances,
  type RevocationMatcher,
} from "./revocation.js";
import { createShelf, keptUntil, rank, walkAll, type Shelf, type Subject } from "./revocation-shelf.js";

export interface RevocationView {
  /**
   * Takes in the next entry. False when it is known already: entries count once, and only in the order of their
   * numbers.
   */
  apply(entry: Revocation): boolean;
  /** Everything up to this number is in the view or forgotten by the log. Moves `head`, never back. */
  advanceTo(number: number): void;
  /**
   * The entry that stands against an authentication, or undefined. Of several the one with most to say: a suspension
   * (of the tenant, the client, the person), then an end, then changed claims. `refusalOf` makes an error of it.
   */
  judge(authentication: Authentication, circumstances?: RevocationCircumstances): Revocation | undefined;
  /** What this one entry stands against: for live connections, also before a log has numbered it. */
  matcher(entry: NewRevocation | Revocation): RevocationMatcher;
  /**
   * Forgets entries whose `keepUntil` has come, looking at no more than `maxExamined` (default 1000) and going on from
   * there the next time. Returns how many it forgot.
   */
  forget(now: EpochMs, maxExamined?: number): number;
  /** The last number the view reflects; 0 before any. */
  readonly head: number;
  /** Entries held. */
  readonly size: number;
}

export interface RevocationViewOptions {
  /** How far issuers' clocks may be ahead. Milliseconds, default 60000. */
  readonly skewMs?: number | undefined;
}

/** The entries of one kind that go by time. */
interface CutOffs {
  /** By the latest cut-off. */
  readonly byTime: Shelf;
  /** Those that reach up to their own number, by the latest number. */
  readonly byNumber: Shelf;
}

export function createRevocationView({
  skewMs = revocationDefaults.skewMs,
}: RevocationViewOptions = {}): RevocationView {
  if (!(skewMs >= 0 && Number.isFinite(skewMs))) throw new RangeError("revocation.skewMs: 0 or more");
  const suspensions = createShelf();
  const ends = createShelf();
  const endsByTime: CutOffs = { byTime: createShelf(), byNumber: createShelf() };
  const changes: CutOffs = { byTime: createShelf(), byNumber: createShelf() };
  const shelves = [suspensions, ends, endsByTime.byTime, endsByTime.byNumber, changes.byTime, changes.byNumber];
  let head = 0;
  let walk = walkAll(shelves);

  function judgeByTime(
    { byTime, byNumber }: CutOffs,
    authentication: Authentication,
    { authenticatedAtNumber }: RevocationCircumstances,
  ): Revocation | undefined {
    for (const scope of scopes) {
      const latest = strictest(byTime, scope, authentication);
      if (latest !== undefined && isIssuedBefore(authentication.issuedAt, timeOf(latest), skewMs)) return latest;
      if (authenticatedAtNumber === undefined) continue;
      const last = strictest(byNumber, scope, authentication);
      if (last !== undefined && authenticatedAtNumber < last.number) return last;
    }
    return undefined;
  }

  function place(entry: Revocation): void {
    const cutOff = cutOffOf(entry);
    if (cutOff !== undefined) {
      const { byTime, byNumber } = entry.kind === "end" ? endsByTime : changes;
      rank(byTime, cutOff.scope, entry, timeOf);
      if (cutOff.isUpToEntry) rank(byNumber, cutOff.scope, entry, numberOf);
    } else if (entry.kind === "lift") {
      suspensions[entry.target.type].delete(revocationKey(entry.target));
    } else {
      rank(entry.kind === "suspension" ? suspensions : ends, entry.target, entry, numberOf);
    }
  }

  return {
    apply(entry) {
      if (entry.number <= head) return false;
      head = entry.number;
      place(entry);
      return true;
    },

    advanceTo(number) {
      head = Math.max(head, number);
    },

    judge(authentication, circumstances = {}) {
      for (const type of suspendable) {
        const entry = strictest(suspensions, type, authentication);
        if (entry !== undefined) return entry;
      }
      for (const door of endable) {
        const entry = strictest(ends, door, authentication, circumstances);
        if (entry !== undefined) return entry;
      }
      return (
        judgeByTime(endsByTime, authentication, circumstances) ?? judgeByTime(changes, authentication, circumstances)
      );
    },

    matcher: (entry) => revocationMatcher(entry, skewMs),

    forget(now, maxExamined = 1_000) {
      let forgotten = 0;
      for (let examined = 0; examined < maxExamined; examined++) {
        const step = walk.next();
        if (step.done === true) {
          walk = walkAll(shelves);
          break;
        }
        const { map, key, ranking } = step.value;
        // The strictest is the first to go.
        let count = 0;
        while (count < ranking.length && keptUntil(ranking[count] as Revocation) <= now) count++;
        ranking.splice(0, count);
        forgotten += count;
        if (ranking.length === 0) map.delete(key);
      }
      return forgotten;
    },

    get head() {
      return head;
    },
    get size() {
      const held = new Set<Revocation>();
      for (const { ranking } of walkAll(shelves)) for (const entry of ranking) held.add(entry);
      return held.size;
    },
  };
}

/** From the widest scope to the narrowest, so that everybody it meets is told of the same entry. */
const scopes = ["all", "issuer-anywhere", "tenant", "issuer", "subject", "identity"] as const;
const suspendable = ["tenant", "client", "subject", "identity"] as const;
const endable = ["key", "session", "session-anywhere", "token", "token-anywhere", "connection"] as const;

type Door = (typeof scopes)[number] | (typeof suspendable)[number] | (typeof endable)[number];

function strictest(
  shelf: Shelf,
  door: Door,
  authentication: Authentication,
  circumstances: RevocationCircumstances = {},
): Revocation | undefined {
  const map = shelf[typeAt(door)];
  // Most types are hardly ever used; a key that nobody holds need not be joined.
  if (map.size === 0) return undefined;
  const subject = subjectAt(door, authentication, circumstances);
  return subject === undefined ? undefined : map.get(revocationKey(subject))?.[0];
}

/** What may name a tenant and need not is asked for twice: as this tenant's, and as that of whatever tenant. */
function typeAt(door: Door): Subject["type"] {
  switch (door) {
    case "issuer-anywhere":
      return "issuer";
    case "session-anywhere":
      return "session";
    case "token-anywhere":
      return "token";
    default:
      return door;
  }
}

/** What an entry about this authentication would name at one door; undefined where it has nothing to be named by. */
function subjectAt(
  door: Door,
  { tenant, issuer, subject, tokenId, sessionId, clientId, keyId }: Authentication,
  { connectionId }: RevocationCircumstances,
): Subject | undefined {
  switch (door) {
    case "all":
      return { type: "all" };
    case "issuer-anywhere":
      return { type: "issuer", tenant: undefined, issuer };
    case "issuer":
      return tenant === undefined ? undefined : { type: "issuer", tenant, issuer };
    case "tenant":
      return tenant === undefined ? undefined : { type: "tenant", tenant };
    case "identity":
      return { type: "identity", tenant, issuer, subject };
    case "subject":
      return { type: "subject", issuer, subject };
    case "client":
      return clientId === undefined ? undefined : { type: "client", issuer, clientId };
    case "key":
      return keyId === undefined ? undefined : { type: "key", issuer, keyId };
    case "session":
      return sessionId === undefined ? undefined : { type: "session", tenant, issuer, sessionId };
    case "session-anywhere":
      return sessionId === undefined ? undefined : { type: "session", tenant: undefined, issuer, sessionId };
    case "token":
      return tokenId === undefined ? undefined : { type: "token", tenant, issuer, tokenId };
    case "token-anywhere":
      return tokenId === undefined ? undefined : { type: "token", tenant: undefined, issuer, tokenId };
    case "connection":
      return connectionId === undefined ? undefined : { type: "connection", connectionId };
    default:
      return unreachable(door);
  }
}

function timeOf(entry: Revocation): number {
  return cutOffOf(entry)?.before ?? -Infinity;
}

function numberOf({ number }: Revocation): number {
  return number;
}

function unreachable(value: never): never {
  throw new TypeError(`revocation: no such door: ${String(value)}`);
}
