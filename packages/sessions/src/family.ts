/**
 * The life of one family of refresh tokens: a pure state machine. Tokens are numbered by generation, the first
 * is 0. Time arrives as an argument, the caller commits `next` by compare-and-set.
 *
 *     what is presented                                     verdict      state afterwards
 *     ---------------------------------------------------   ----------   --------------------------------
 *     anything, family ended                                ended        unchanged
 *     anything, family over by age                          expired      unchanged
 *     the live generation g                                 rotate       g + 1 live, g spent at `now`
 *     g - 1, spent at most `retryWindowMs` ago              repeat       unchanged: g is handed out again
 *     g - 1 after that, or older: spent at most
 *       `supersededWindowMs` ago                            superseded   unchanged
 *     spent longer ago, or no longer remembered             reuse        ended
 *     ahead of g                                            reuse        ended
 *
 * - The retry window of g - 1 closes at the first use of g without a flag of its own: that use makes g + 1 live,
 *   and g - 1 is then two behind.
 * - A token cannot be ahead of the live generation unless the store forgot a commit, and then a spent generation
 *   is live again: two lines of tokens exist, as after a theft.
 * - Each spent generation is judged by its own instant. When the clock has stepped back by more than the retry
 *   window its age is unknown, so nothing is handed out and nobody is thrown out: superseded. A step forward ages
 *   everything by as much; no wall clock can tell it from time.
 */

/**
 * Why a session ended: `logout` on purpose, by the person or by the application; `reuse` of a spent token; `revoked`
 * elsewhere, which was noticed at a refresh.
 */
export type EndReason = "logout" | "reuse" | "revoked";

export interface FamilyEnd {
  readonly at: number;
  readonly why: EndReason;
}

/** Plain JSON, nothing secret. Instants are milliseconds since 1970. */
export interface Family {
  /** The live generation: the only one that can be spent. */
  readonly generation: number;
  /** When `generation - 1`, `generation - 2`, … were spent, newest first; only as many as can still matter. */
  readonly spentAt: readonly number[];
  readonly startedAt: number;
  /** The first instant at which the family is over by age, idle or absolute. */
  readonly expiresAt: number;
  readonly ended?: FamilyEnd;
}

export interface FamilyLimits {
  /** How long a spent token gets its successor once more. Milliseconds. */
  readonly retryWindowMs: number;
  /** How long a spent token is told so without harm; later it is reuse. Milliseconds, at least `retryWindowMs`. */
  readonly supersededWindowMs: number;
  /** Age without a rotation at which the family is over. Milliseconds. */
  readonly idleLifetimeMs: number;
  /** Age since the start at which the family is over, whatever happened. Milliseconds. */
  readonly absoluteLifetimeMs: number;
}

export type Verdict = "rotate" | "repeat" | "superseded" | "reuse" | "ended" | "expired";

export interface Spending {
  readonly verdict: Verdict;
  /** The very same object where nothing is to be committed; else what must be committed before anything is answered. */
  readonly next: Family;
}

/**
 * Spent instants remembered at most. Twenty tabs that wake up together stay below; whoever spins through more
 * generations within the superseded window turns the oldest of them into reuse.
 */
export const maxSpentRemembered = 32;

export function startFamily(now: number, limits: FamilyLimits): Family {
  return { generation: 0, spentAt: [], startedAt: now, expiresAt: expiry(now, now, limits) };
}

/** Judges one presented generation, whose token has proved genuine before. */
export function spend(family: Family, generation: number, now: number, limits: FamilyLimits): Spending {
  if (family.ended !== undefined) return { verdict: "ended", next: family };
  if (now >= family.expiresAt) return { verdict: "expired", next: family };
  if (generation === family.generation) return { verdict: "rotate", next: rotate(family, now, limits) };

  const spentAt = family.spentAt[family.generation - 1 - generation];
  if (spentAt === undefined || now - spentAt > limits.supersededWindowMs) {
    return { verdict: "reuse", next: endFamily(family, "reuse", now) };
  }
  const successorIsUnused = generation === family.generation - 1;
  const isRetry = successorIsUnused && Math.abs(now - spentAt) <= limits.retryWindowMs;
  return { verdict: isRetry ? "repeat" : "superseded", next: family };
}

/** Ends a family for good. The first end stands: an ended family is returned as it is. */
export function endFamily(family: Family, why: EndReason, now: number): Family {
  return family.ended === undefined ? { ...family, ended: { at: now, why } } : family;
}

function rotate(family: Family, now: number, limits: FamilyLimits): Family {
  // Only from the old end: an instant's place says whose it is, and a clock that steps leaves them out of order.
  const oldest = family.spentAt.findLastIndex((at) => now - at <= limits.supersededWindowMs);
  return {
    ...family,
    generation: family.generation + 1,
    spentAt: [now, ...family.spentAt.slice(0, oldest + 1)].slice(0, maxSpentRemembered),
    expiresAt: expiry(family.startedAt, now, limits),
  };
}

function expiry(startedAt: number, usedAt: number, limits: FamilyLimits): number {
  return Math.min(startedAt + limits.absoluteLifetimeMs, usedAt + limits.idleLifetimeMs);
}
