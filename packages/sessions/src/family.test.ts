import { describe, expect, it } from "vitest";
import {
  endFamily,
  maxSpentRemembered,
  spend,
  startFamily,
  type Family,
  type FamilyLimits,
  type Verdict,
} from "./family.js";

const limits: FamilyLimits = {
  retryWindowMs: 10_000,
  supersededWindowMs: 60_000,
  idleLifetimeMs: 1_000_000,
  absoluteLifetimeMs: 3_000_000,
};
const T = 1_700_000_000_000;

/** A family started at T whose generations 0, 1, … were spent at T plus these milliseconds. */
function spentAt(...offsets: readonly number[]): Family {
  return offsets.reduce(
    (family, offset) => spend(family, family.generation, T + offset, limits).next,
    startFamily(T, limits),
  );
}

describe("what a presented generation is worth", () => {
  const table: readonly [name: string, family: Family, generation: number, offset: number, verdict: Verdict][] = [
    ["the first token rotates", spentAt(), 0, 0, "rotate"],
    ["the live token rotates after any time below the idle lifetime", spentAt(0), 1, 999_999, "rotate"],
    ["two parallel refreshes with one parent: the second repeats the first", spentAt(0), 0, 0, "repeat"],
    ["a retry at the last instant of the window repeats", spentAt(0), 0, 10_000, "repeat"],
    ["a retry just past the window is superseded", spentAt(0), 0, 10_001, "superseded"],
    ["a late retry is superseded until a minute has passed", spentAt(0), 0, 60_000, "superseded"],
    ["after a minute it is reuse", spentAt(0), 0, 60_001, "reuse"],
    ["the successor's first use closes the window at once", spentAt(0, 1), 0, 1, "superseded"],
    ["the successor has a window of its own", spentAt(0, 5_000), 1, 15_000, "repeat"],
    ["a grandparent's minute counts from its own rotation", spentAt(0, 50_000), 0, 60_000, "superseded"],
    ["a grandparent past its own minute is reuse", spentAt(0, 50_000), 0, 60_001, "reuse"],
    ["a token older than anything remembered is reuse", spentAt(0, 100_000, 200_000), 0, 200_000, "reuse"],
    ["a token ahead of the live one is reuse: the store has lost a commit", spentAt(0), 2, 1, "reuse"],
    ["a token far ahead is reuse", spentAt(), 999_999_999_999_999, 1, "reuse"],
    ["a slow step back of the clock leaves the retry window open", spentAt(0), 0, -10_000, "repeat"],
    ["a larger step back closes it, without harm", spentAt(0), 0, -10_001, "superseded"],
    ["after a step back by an hour a spent token does no harm", spentAt(0, 1), 0, -3_600_000, "superseded"],
    ["after a step back by an hour the live token still rotates", spentAt(0), 1, -3_600_000, "rotate"],
    ["the live token is refused at the idle lifetime", spentAt(0), 1, 1_000_000, "expired"],
    [
      "the absolute lifetime ends what was used a moment ago",
      spentAt(900_000, 1_800_000, 2_700_000),
      3,
      3_000_000,
      "expired",
    ],
    ["an instant earlier it still rotates", spentAt(900_000, 1_800_000, 2_700_000), 3, 2_999_999, "rotate"],
    ["an expired family knows no reuse any more", spentAt(0), 0, 1_000_000, "expired"],
    ["a logout in between ends the live token", endFamily(spentAt(0), "logout", T), 1, 1, "ended"],
    ["a logout in between ends the retry", endFamily(spentAt(0), "logout", T), 0, 1, "ended"],
    ["an end outlives the family's own lifetime", endFamily(spentAt(0), "logout", T), 1, 9_000_000, "ended"],
  ];

  it.each(table)("%s", (_name, family, generation, offset, verdict) => {
    expect(spend(family, generation, T + offset, limits).verdict).toBe(verdict);
  });
});

describe("what is committed", () => {
  it("a rotation makes the next generation live, remembers its instant and prolongs the idle lifetime", () => {
    expect(spend(spentAt(0), 1, T + 5_000, limits).next).toEqual({
      generation: 2,
      spentAt: [T + 5_000, T],
      startedAt: T,
      expiresAt: T + 5_000 + limits.idleLifetimeMs,
    });
  });

  it("no rotation prolongs the absolute lifetime", () => {
    expect(spentAt(900_000, 1_800_000, 2_700_000).expiresAt).toBe(T + limits.absoluteLifetimeMs);
  });

  it("reuse ends the family at once and for good", () => {
    const { next } = spend(spentAt(0), 0, T + 60_001, limits);
    expect(next.ended).toEqual({ at: T + 60_001, why: "reuse" });
    expect(spend(next, 1, T + 60_001, limits)).toEqual({ verdict: "ended", next });
  });

  it("a verdict that changes nothing returns the very same object", () => {
    const family = spentAt(0);
    const ended = endFamily(family, "logout", T);
    expect(spend(family, 0, T, limits).next).toBe(family);
    expect(spend(family, 0, T + 20_000, limits).next).toBe(family);
    expect(spend(family, 1, T + 1_000_000, limits).next).toBe(family);
    expect(spend(ended, 1, T, limits).next).toBe(ended);
  });

  it("the first end stands", () => {
    const ended = endFamily(spentAt(), "logout", T);
    expect(endFamily(ended, "reuse", T + 1)).toBe(ended);
  });

  it("a step of the clock never gives one generation another one's instant", () => {
    const family = spentAt(0, -600_000, 1_000); // 0 spent at T, 1 after a step back, 2 when the clock is right again
    expect(family.spentAt).toEqual([T + 1_000, T - 600_000, T]);
    expect(spend(family, 1, T + 2_000, limits).verdict).toBe("reuse");
    expect(spend(family, 0, T + 2_000, limits).verdict).toBe("superseded");
  });

  it("the memory of spent generations is bounded, and what falls out of it is reuse", () => {
    const family = spentAt(...Array.from({ length: 100 }, (_, index) => index));
    expect(family.spentAt).toHaveLength(maxSpentRemembered);
    expect(spend(family, 100 - maxSpentRemembered, T + 100, limits).verdict).toBe("superseded");
    expect(spend(family, 100 - maxSpentRemembered - 1, T + 100, limits).verdict).toBe("reuse");
  });
});
