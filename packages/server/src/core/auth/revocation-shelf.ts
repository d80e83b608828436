/** Entries by what they are about, of which for each only the one that answers for the others is at hand. */

import { revocationKey, type Revocation, type RevocationScope, type RevocationTarget } from "./revocation.js";

export type Subject = RevocationTarget | RevocationScope;

/**
 * Entries for one subject, the strictest first. Each further one is less strict and kept longer; all others are
 * implied by these, so that the first alone answers and there is hardly ever a second.
 */
type Ranking = Revocation[];

/** A map for each type of subject, so that types nobody uses cost nothing to ask. */
export type Shelf = Readonly<Record<Subject["type"], Map<string, Ranking>>>;

interface Place {
  readonly map: Map<string, Ranking>;
  readonly key: string;
  readonly ranking: Ranking;
}

export function createShelf(): Shelf {
  return {
    connection: new Map(),
    token: new Map(),
    session: new Map(),
    client: new Map(),
    key: new Map(),
    identity: new Map(),
    subject: new Map(),
    tenant: new Map(),
    issuer: new Map(),
    all: new Map(),
    "issued-before": new Map(),
  };
}

/** Puts an entry among those of its subject, and drops what it implies: the less strict that are kept no longer. */
export function rank(
  shelf: Shelf,
  subject: Subject,
  entry: Revocation,
  strictness: (entry: Revocation) => number,
): void {
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

/** Every ranking, one by one, in maps that may change meanwhile. */
export function* walkAll(shelves: readonly Shelf[]): Generator<Place, undefined> {
  for (const shelf of shelves) {
    for (const map of Object.values(shelf)) for (const [key, ranking] of map) yield { map, key, ranking };
  }
  return undefined;
}

/** Infinity: until something else takes it away. */
export function keptUntil({ keepUntil }: Revocation): number {
  return keepUntil ?? Infinity;
}
