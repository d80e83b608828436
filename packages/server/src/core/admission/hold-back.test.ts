import { createFakeClock, testAuthentication } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Authentication } from "../auth/authentication.js";
import { limitDefaults } from "../limits/limit-options.js";
import { createHoldBack, type HoldBack } from "./hold-back.js";

function delays(ages: readonly number[]): number[] {
  const holdBack = createHoldBack(createFakeClock(), limitDefaults.endings);
  return ages.map((ageMs) => {
    holdBack.ended(session("s"), ageMs);
    return holdBack.delayMs(session("s"));
  });
}

/** Of whom nothing is known but the login session and the person. */
function session(sessionId: string, subject = "ada"): Authentication {
  return testAuthentication({ sessionId, subject });
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
    const holdBack = createHoldBack(clock, limitDefaults.endings);
    for (let count = 0; count < 5; count++) holdBack.ended(session("s"), 0);
    clock.advance(59_999);
    expect(holdBack.delayMs(session("s"))).toBe(1_000);
    clock.advance(1);
    expect(holdBack.delayMs(session("s"))).toBe(0);
  });

  it("holds nobody back for another session", () => {
    const holdBack = createHoldBack(createFakeClock(), limitDefaults.endings);
    for (let count = 0; count < 5; count++) holdBack.ended(session("loud"), 0);
    expect([holdBack.delayMs(session("loud")), holdBack.delayMs(session("quiet"))]).toEqual([1_000, 0]);
  });

  it("remembers at most 10,000 sessions, the latest ones", () => {
    const clock = createFakeClock();
    const holdBack = createHoldBack(clock, limitDefaults.endings);
    const sessionOf = (count: number): Authentication => session(`s${count}`, `person ${count}`);
    for (let count = 0; count < 10_002; count++) {
      for (let time = 0; time < 3; time++) holdBack.ended(sessionOf(count), 0);
    }
    expect([0, 1, 2, 10_001].map((count) => holdBack.delayMs(sessionOf(count)))).toEqual([0, 0, 250, 250]);
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
        const holdBack = createHoldBack(clock, limitDefaults.endings);
        for (const { key, ageMs, waitMs } of acts) {
          holdBack.ended(session(key), ageMs);
          expect(holdBack.delayMs(session(key))).toBeLessThanOrEqual(10_000);
          expect(holdBack.delayMs(session(key))).toBeGreaterThanOrEqual(0);
          expect(holdBack.delayMs(session("c", "somebody else"))).toBe(0);
          clock.advance(waitMs);
        }
      }),
    );
  });
});

describe("holding back a person whose sessions are new each time", () => {
  const endEach = (holdBack: HoldBack, from: number, to: number): void => {
    for (let count = from; count < to; count++) holdBack.ended(session(`s${count}`), 0);
  };

  it("lets twenty short lives pass, then one in three seconds, whichever session comes", () => {
    const clock = createFakeClock();
    const holdBack = createHoldBack(clock, limitDefaults.endings);
    endEach(holdBack, 0, 19);
    expect(holdBack.delayMs(session("next"))).toBe(0);
    endEach(holdBack, 19, 20);
    expect(holdBack.delayMs(session("next"))).toBe(3_000);
    clock.advance(3_000);
    expect(holdBack.delayMs(session("next"))).toBe(0);
    endEach(holdBack, 20, 21);
    expect(holdBack.delayMs(session("next"))).toBe(3_000);
    expect(holdBack.delayMs(session("next", "bob"))).toBe(0);
  });

  it("is off where there is no such limit, for the person and not for a session", () => {
    const holdBack = createHoldBack(createFakeClock(), undefined);
    endEach(holdBack, 0, 100);
    expect(holdBack.delayMs(session("next"))).toBe(0);
    for (let count = 0; count < 3; count++) holdBack.ended(session("same"), 0);
    expect(holdBack.delayMs(session("same"))).toBe(250);
  });

  it("never holds back a crowd of one person's that is seldom ended, nor one that lives", () => {
    const clock = createFakeClock();
    const holdBack = createHoldBack(clock, limitDefaults.endings);
    for (let count = 0; count < 200; count++) {
      endEach(holdBack, count, count + 1);
      holdBack.ended(session(`old ${count}`), 5_000);
      clock.advance(3_000);
      expect(holdBack.delayMs(session("next"))).toBe(0);
    }
  });

  it("does not lock out a crowd that was ended at once for longer than may be waited", () => {
    const clock = createFakeClock();
    const holdBack = createHoldBack(clock, limitDefaults.endings);
    endEach(holdBack, 0, 5_000);
    expect(holdBack.delayMs(session("next"))).toBe(10_000);
    clock.advance(15_000);
    expect(holdBack.delayMs(session("next"))).toBe(0);
  });
});
