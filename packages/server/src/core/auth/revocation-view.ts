/** All revocations that count, in memory: what every door asks, by look-ups alone, however long the log is. */

import type { EpochMs } from "../clock.js";
import type { Authentication } from "./authentication.js";
import {
  cutOffOf,
  isIssuedBefore,
  revocationDefaults,
  revocationKey,
  revocationMatches,
  type Revocation,
  type RevocationCircumstances,
  type RevocationScope,
  type RevocationTarget,
} from "./revocation.js";

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
  /** Whether this one entry stands against an authentication: for applying a new one to live connections. */
  matches(entry: Revocation, authentication: Authentication, circumstances?: RevocationCircumstances): boolean;
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

type Subject = RevocationTarget | RevocationScope;
/** Entries by what they are about, a map for each type, so that types nobody uses cost nothing. */
type Shelf<Held> = Readonly<Record<Subject["type"], Map<string, Held>>>;
/**
 * Entries for one scope, the strictest first. Each further one is less strict and kept longer; all others are
 * implied by these, so that the first alone answers and there is hardly ever a second.
 */
type Ranking = Revocation[];

/** The entries of one kind that go by time. */
interface CutOffs {
  /** By the latest cut-off. */
  readonly byTime: Shelf<Ranking>;
  /** Those that reach up to their own number, by the latest number. */
  readonly byNumber: Shelf<Ranking>;
}

const FOR_EVER = Infinity;

export function createRevocationView({
  skewMs = revocationDefaults.skewMs,
}: RevocationViewOptions = {}): RevocationView {
  if (!(skewMs >= 0 && Number.isFinite(skewMs))) throw new RangeError("revocation.skewMs: 0 or more");
  const suspensions = createShelf<Ranking>();
  const ends = createShelf<Ranking>();
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

    matches: (entry, authentication, circumstances) => revocationMatches(entry, authentication, circumstances, skewMs),

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
const scopes = ["all", "issuer", "tenant", "identity"] as const;
const suspendable = ["tenant", "client", "identity"] as const;
/** A session is asked for twice: as this tenant's, and as that of whatever tenant. */
const endable = ["key", "session", "session-anywhere", "token", "connection"] as const;

type Door = (typeof scopes)[number] | (typeof suspendable)[number] | (typeof endable)[number];

function strictest(
  shelf: Shelf<Ranking>,
  door: Door,
  authentication: Authentication,
  circumstances: RevocationCircumstances = {},
): Revocation | undefined {
  const map = shelf[door === "session-anywhere" ? "session" : door];
  // Most types are hardly ever used; a key that nobody holds need not be joined.
  if (map.size === 0) return undefined;
  const subject = subjectAt(door, authentication, circumstances);
  return subject === undefined ? undefined : map.get(revocationKey(subject))?.[0];
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
    case "issuer":
      return { type: "issuer", issuer };
    case "tenant":
      return tenant === undefined ? undefined : { type: "tenant", tenant };
    case "identity":
      return { type: "identity", tenant, issuer, subject };
    case "client":
      return clientId === undefined ? undefined : { type: "client", issuer, clientId };
    case "key":
      return keyId === undefined ? undefined : { type: "key", issuer, keyId };
    case "session":
      return sessionId === undefined ? undefined : { type: "session", tenant, issuer, sessionId };
    case "session-anywhere":
      return sessionId === undefined ? undefined : { type: "session", tenant: undefined, issuer, sessionId };
    case "token":
      return tokenId === undefined ? undefined : { type: "token", issuer, tokenId };
    case "connection":
      return connectionId === undefined ? undefined : { type: "connection", connectionId };
    default:
      return unreachable(door);
  }
}

/** Puts an entry among those of its subject, and drops what it implies: the less strict that are kept no longer. */
function rank(shelf: Shelf<Ranking>, subject: Subject, entry: Revocation, strictness: (entry: Revocation) => number) {
  const map = shelf[subject.type];
  const key = revocationKey(subject);
  const ranking = map.get(key);
  if (ranking === undefined) {
    map.set(key, [entry]);
    return;
  }
  const own = strictness(entry);
  // At the same strictness the later entry goes first.
  const stricter = ranking.filter((each) => strictness(each) > own);
  if (stricter.some((each) => keptUntil(each) >= keptUntil(entry))) return;
  const others = ranking.filter((each) => strictness(each) <= own && keptUntil(each) > keptUntil(entry));
  ranking.splice(0, ranking.length, ...stricter, entry, ...others);
}

function timeOf(entry: Revocation): number {
  return cutOffOf(entry)?.before ?? -Infinity;
}

function numberOf({ number }: Revocation): number {
  return number;
}

function keptUntil({ keepUntil }: Revocation): number {
  return keepUntil ?? FOR_EVER;
}

function createShelf<Held>(): Shelf<Held> {
  return {
    connection: new Map(),
    token: new Map(),
    session: new Map(),
    client: new Map(),
    key: new Map(),
    identity: new Map(),
    tenant: new Map(),
    issuer: new Map(),
    all: new Map(),
    "issued-before": new Map(),
  };
}

interface Place {
  readonly map: Map<string, Ranking>;
  readonly key: string;
  readonly ranking: Ranking;
}

/** Every ranking, one by one, in maps that may change meanwhile. */
function* walkAll(shelves: readonly Shelf<Ranking>[]): Generator<Place, undefined> {
  for (const shelf of shelves) {
    for (const map of Object.values(shelf)) for (const [key, ranking] of map) yield { map, key, ranking };
  }
  return undefined;
}

function unreachable(value: never): never {
  throw new TypeError(`revocation: no such door: ${String(value)}`);
}
