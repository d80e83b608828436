import { createFakeClock } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHoldBack } from "./hold-back.js";

function delays(ages: readonly number[]): number[] {
  const holdBack = createHoldBack(createFakeClock());
  return ages.map((ageMs) => {
    holdBack.ended("s", ageMs);
    return holdBack.delayMs("s");
  });
}

describe("holding back who comes back at once", () => {
  it("lets two short lives pass, then doubles from 250 ms up to 10 s", () => {
    expect(delays(Array.from({ length: 11 }, () => 0))).toEqual([
      0, 0, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000,
    ]);
  });

  it("counts lives below 5 s, and starts over with one that was longer", () => {
    expect(delays([4_999, 4_999, 4_999, 5_000, 0, 0, 0])).toEqual([0, 0, 250, 0, 0, 0, 250]);
  });

  it("forgets a minute after the last ending", () => {
    const clock = createFakeClock();
    const holdBack = createHoldBack(clock);
    for (let count = 0; count < 5; count++) holdBack.ended("s", 0);
    clock.advance(59_999);
    expect(holdBack.delayMs("s")).toBe(1_000);
    clock.advance(1);
    expect(holdBack.delayMs("s")).toBe(0);
  });

  it("holds nobody back for another session", () => {
    const holdBack = createHoldBack(createFakeClock());
    for (let count = 0; count < 5; count++) holdBack.ended("loud", 0);
    expect([holdBack.delayMs("loud"), holdBack.delayMs("quiet")]).toEqual([1_000, 0]);
  });

  it("remembers at most 10,000 sessions, the latest ones", () => {
    const clock = createFakeClock();
    const holdBack = createHoldBack(clock);
    const end = (key: string): void => {
      for (let count = 0; count < 3; count++) holdBack.ended(key, 0);
    };
    for (let count = 0; count < 10_002; count++) end(`s${count}`);
    expect([0, 1, 2, 10_001].map((count) => holdBack.delayMs(`s${count}`))).toEqual([0, 0, 250, 250]);
  });

  it("is never negative, never above 10 s, and 0 for who was never ended", () => {
    const act = fc.record({
      key: fc.constantFrom("a", "b"),
      ageMs: fc.integer({ min: 0, max: 8_000 }),
      waitMs: fc.integer({ min: 0, max: 30_000 }),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
        const clock = createFakeClock();
        const holdBack = createHoldBack(clock);
        for (const { key, ageMs, waitMs } of acts) {
          holdBack.ended(key, ageMs);
          expect(holdBack.delayMs(key)).toBeLessThanOrEqual(10_000);
          expect(holdBack.delayMs(key)).toBeGreaterThanOrEqual(0);
          expect(holdBack.delayMs("c")).toBe(0);
          clock.advance(waitMs);
        }
      }),
    );
  });
});
