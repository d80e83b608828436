import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EpochMs, Instant, MonotonicMs } from "../clock.js";
import { isOver, lifetimeUntil, remainingMs } from "./lifetime.js";

const at = (now: number, monotonic: number): Instant => ({ now: now as EpochMs, monotonic: monotonic as MonotonicMs });

describe("a credential's lifetime", () => {
  it("is over when either clock says so, and what is left is the lesser of the two, never negative", () => {
    const ms = fc.integer({ min: -1e9, max: 1e9 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), ms, ms, (livesMs, wallPassed, monotonicPassed) => {
        const lifetime = lifetimeUntil((5_000 + livesMs) as EpochMs, at(5_000, 77));
        const instant = at(5_000 + wallPassed, 77 + monotonicPassed);
        const left = livesMs - Math.max(wallPassed, monotonicPassed);
        expect(remainingMs(lifetime, instant)).toBe(Math.max(0, left));
        expect(isOver(lifetime, instant)).toBe(left <= 0);
      }),
    );
  });

  it("ends at the instant of exp itself", () => {
    const lifetime = lifetimeUntil(1_000 as EpochMs, at(0, 0));
    expect([isOver(lifetime, at(999, 999)), isOver(lifetime, at(1_000, 0)), isOver(lifetime, at(0, 1_000))]).toEqual([
      false,
      true,
      true,
    ]);
  });
});
