import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { endFamily, maxSpentRemembered, spend, startFamily, type Family, type FamilyLimits } from "./family.js";

const limits: FamilyLimits = {
  retryWindowMs: 10_000,
  supersededWindowMs: 60_000,
  idleLifetimeMs: 2_000_000,
  absoluteLifetimeMs: 6_000_000,
};
const T = 1_700_000_000_000;

type Step =
  | { readonly do: "refresh"; readonly answerIsLost: boolean }
  | { readonly do: "steal" }
  | { readonly do: "thief-refreshes"; readonly answerIsLost: boolean }
  | { readonly do: "replay"; readonly back: number }
  | { readonly do: "logout" };

/** Distances around every edge of the state machine. */
const wait = fc.oneof(
  fc.constantFrom(0, 1, 9_999, 10_000, 10_001, 60_000, 60_001),
  fc.integer({ min: 0, max: 400_000 }),
);
const refresh = fc.record({ do: fc.constant("refresh" as const), answerIsLost: fc.boolean() });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: refresh },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("steal" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("thief-refreshes" as const), answerIsLost: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("replay" as const), back: fc.integer({ min: 0, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("logout" as const) }) },
);

/** Runs a schedule on one family, with everything ever spent on record. */
class World {
  now = T;
  family: Family = startFamily(T, limits);
  honest = 0;
  stolen: number | undefined;
  /** When each generation was spent: the complete history, which the family itself forgets. */
  readonly spentAt = new Map<number, number>();

  present(generation: number): { verdict: string; handedOut: number | undefined } {
    const before = this.family;
    const { verdict, next } = spend(before, generation, this.now, limits);
    this.family = next;
    if (verdict === "rotate") {
      expect(this.spentAt.has(generation)).toBe(false); // a generation is spent at most once
      expect(generation).toBe(before.generation); // and only the live one
      expect(next.generation).toBe(generation + 1);
      this.spentAt.set(generation, this.now);
    } else {
      expect(next.generation).toBe(before.generation);
    }
    if (before.ended !== undefined) expect(verdict).toBe("ended");
    expect(next.spentAt.length).toBeLessThanOrEqual(maxSpentRemembered);
    const isGranted = verdict === "rotate" || verdict === "repeat";
    return { verdict, handedOut: isGranted ? next.generation : undefined };
  }

  run(step: Step): void {
    if (step.do === "refresh") {
      const { handedOut } = this.present(this.honest);
      if (!step.answerIsLost) this.honest = handedOut ?? this.honest;
    } else if (step.do === "steal") {
      this.stolen = this.honest;
    } else if (step.do === "thief-refreshes") {
      if (this.stolen === undefined) return;
      const { handedOut } = this.present(this.stolen);
      if (!step.answerIsLost) this.stolen = handedOut ?? this.stolen;
    } else if (step.do === "replay") {
      this.present(Math.max(0, this.family.generation - step.back));
    } else {
      this.family = endFamily(this.family, "logout", this.now);
    }
  }
}

/** The rule as the design words it, over a complete history: no pruning, no cap. */
function ruleOverHistory(world: World, generation: number): string {
  const { family, now, spentAt } = world;
  if (family.ended !== undefined) return "ended";
  if (now >= family.expiresAt) return "expired";
  const at = spentAt.get(generation);
  if (at === undefined) return "rotate";
  if (!spentAt.has(generation + 1) && now - at <= limits.retryWindowMs) return "repeat";
  return now - at <= limits.supersededWindowMs ? "superseded" : "reuse";
}

describe("under any schedule of refreshes, retries, thefts and logouts", () => {
  it("every verdict is the one that the complete history asks for", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(wait, anyStep), { maxLength: 60 }), fc.nat(), (schedule, pick) => {
        const world = new World();
        for (const [delay, step] of schedule) {
          world.now += delay;
          world.run(step);
          const generation = pick % (world.family.generation + 1);
          const expected = ruleOverHistory(world, generation);
          const actual = spend(world.family, generation, world.now, limits).verdict;
          const wasForgotten = world.family.generation - generation > maxSpentRemembered;
          expect(wasForgotten && expected === "superseded" ? "reuse" : expected).toBe(actual);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("a token replayed more than a minute after it was spent ends the family for everyone", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(wait, anyStep), { maxLength: 40 }),
        fc.nat(),
        fc.integer({ min: 60_001, max: 1_900_000 }),
        (schedule, pick, later) => {
          const world = new World();
          for (const [delay, step] of schedule) {
            world.now += delay;
            world.run(step);
          }
          const spent = [...world.spentAt.keys()];
          const stolen = spent[pick % Math.max(1, spent.length)];
          const lastSpentAt = Math.max(T, ...world.spentAt.values());
          world.now = Math.max(world.now, lastSpentAt + later);
          fc.pre(stolen !== undefined && world.family.ended === undefined && world.now < world.family.expiresAt);
          expect(world.present(stolen).verdict).toBe("reuse");
          for (let generation = 0; generation <= world.family.generation; generation++) {
            expect(world.present(generation).verdict).toBe("ended");
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("an honest client that retries within the window always gets its successor, whatever is lost", () => {
    const attempt = fc.record({
      idleFor: fc.integer({ min: 0, max: 1_900_000 }),
      lost: fc.array(fc.nat({ max: 3_000 }), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(attempt, { maxLength: 30 }), (attempts) => {
        const world = new World();
        for (const { idleFor, lost } of attempts) {
          world.now += idleFor;
          if (world.now >= T + limits.absoluteLifetimeMs - 10_000) return;
          const parent = world.honest;
          for (const delay of lost) {
            expect(world.present(parent).handedOut).toBe(parent + 1);
            world.now += delay; // three times three seconds: still within ten
          }
          const { handedOut } = world.present(parent);
          expect(handedOut).toBe(parent + 1);
          world.honest = parent + 1;
        }
        expect(world.family.ended).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it("tabs that share one cookie and refresh at once are never thrown out", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            idleFor: fc.nat({ max: 300_000 }),
            latencies: fc.array(fc.nat({ max: 9_000 }), { minLength: 1, maxLength: 8 }),
          }),
          { maxLength: 12 },
        ),
        (rounds) => {
          const world = new World();
          for (const { idleFor, latencies } of rounds) {
            world.now += idleFor;
            const sentAt = world.now;
            const parent = world.honest; // all tabs read the cookie before any answer arrives
            for (const latency of latencies.toSorted((a, b) => a - b)) {
              world.now = sentAt + latency;
              if (world.now >= world.family.expiresAt) return;
              expect(world.present(parent).handedOut).toBe(parent + 1);
            }
            world.honest = parent + 1;
          }
          expect(world.family.ended).toBeUndefined();
        },
      ),
      { numRuns: 300 },
    );
  });

  it("a clock that steps in either direction never lets a generation be spent twice", () => {
    const step = fc.tuple(fc.integer({ min: -4_000_000, max: 1_000_000 }), anyStep);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (schedule) => {
        const world = new World();
        for (const [delay, step] of schedule) {
          world.now += delay;
          world.run(step); // `present` holds the invariants
        }
        expect(world.family.generation).toBe(world.spentAt.size);
      }),
      { numRuns: 500 },
    );
  });
});
