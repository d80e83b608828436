import { createFakeClock, type FakeClock } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readInstant, type EpochMs } from "../clock.js";
import { CredentialTimes, type Due } from "./credential-times.js";
import { remainingMs } from "./lifetime.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const GRACE_MS = 10_000;

interface Bench {
  readonly clock: FakeClock;
  readonly times: CredentialTimes;
  due(): Due | undefined;
  leftMs(): number;
}

function createBench(livesMs: number, spread = 0.5): Bench {
  const clock = createFakeClock();
  const times = new CredentialTimes((clock.now() + livesMs) as EpochMs, readInstant(clock), spread);
  return {
    clock,
    times,
    due: () => times.due(readInstant(clock)),
    leftMs: () => remainingMs(times.deadline, readInstant(clock)),
  };
}

describe("the warning before a credential ends", () => {
  it.each([
    ["a minute", MINUTE_MS, 0, 51_000],
    ["a minute, at the other end of its window", MINUTE_MS, 0.999_999, 45_001],
    ["ten minutes", 10 * MINUTE_MS, 0.5, 8 * MINUTE_MS],
    ["a day", 24 * HOUR_MS, 0, 24 * HOUR_MS - 3 * MINUTE_MS],
    ["a day, at the other end of its window", 24 * HOUR_MS, 0.999_999, 24 * HOUR_MS - 5 * MINUTE_MS + 1],
    ["30 days", 30 * 24 * HOUR_MS, 0.5, 30 * 24 * HOUR_MS - 4 * MINUTE_MS],
  ])("comes within 15 to 25 %% of its lifetime, of five minutes at most: %s", (_, livesMs, spread, afterMs) => {
    const { clock, due, leftMs } = createBench(livesMs, spread);
    expect(leftMs()).toBe(afterMs);
    clock.block(afterMs - 1);
    expect(due()).toBeUndefined();
    clock.block(1);
    expect(due()).toBe("warning");
  });

  it("is within its window for every lifetime and spread, and spreads over all of it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 90 * 24 * HOUR_MS }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (livesMs, spread) => {
          const warningMs = livesMs - createBench(livesMs, spread).leftMs();
          expect(warningMs).toBeLessThanOrEqual(Math.min(livesMs * 0.25, 5 * MINUTE_MS));
          expect(warningMs).toBeGreaterThanOrEqual(Math.floor(Math.min(livesMs * 0.15, 3 * MINUTE_MS)));
        },
      ),
    );
    const at = (spread: number): number => createBench(HOUR_MS, spread).leftMs();
    expect(at(0) - at(0.999_999)).toBeGreaterThan(2 * MINUTE_MS - 10);
  });

  it("is given once; what comes next is the end", () => {
    const { clock, times, due, leftMs } = createBench(MINUTE_MS);
    clock.block(48_000);
    times.warned();
    expect([due(), leftMs()]).toEqual([undefined, 12_000]);
    clock.block(12_000);
    expect(due()).toBe("expiry");
  });

  it.each([0, -5_000])("is left out for a credential that has ended: %s ms", (livesMs) => {
    const { due, leftMs } = createBench(livesMs);
    expect([due(), leftMs()]).toEqual(["expiry", 0]);
  });

  it("gives way to the end when a blocked loop slept through both", () => {
    const { clock, due } = createBench(MINUTE_MS);
    clock.block(HOUR_MS);
    expect(due()).toBe("expiry");
  });
});

describe("the end of a credential", () => {
  it.each([
    ["stepped forward past it", HOUR_MS, 0, "expiry"],
    ["stepped forward into the warning's window", HOUR_MS - MINUTE_MS, 0, "warning"],
    ["stepped back: the other one is believed", -24 * HOUR_MS, HOUR_MS, "expiry"],
    ["stepped back, a moment before", -24 * HOUR_MS, HOUR_MS - 1, "warning"],
  ] as const)("is seen by the clock that is further along, the wall clock %s", (_, stepMs, passMs, expected) => {
    const { clock, due } = createBench(HOUR_MS);
    clock.stepWallClock(stepMs);
    clock.block(passMs);
    expect(due()).toBe(expected);
  });

  it("is not slept through with the machine: the wall clock alone has gone on", () => {
    const { clock, due, leftMs } = createBench(HOUR_MS);
    // The monotonic clock stands still while a machine sleeps.
    clock.stepWallClock(8 * HOUR_MS);
    expect([due(), leftMs()]).toEqual(["expiry", 0]);
  });
});

describe("a lapse", () => {
  it("has its grace and nothing else where the credential's end means nothing more", () => {
    const { clock, times, due, leftMs } = createBench(5_000);
    times.lapsed(readInstant(clock), GRACE_MS, false);
    expect([due(), leftMs(), times.isGraceRunning]).toEqual([undefined, GRACE_MS, true]);
    clock.block(5_000);
    expect([due(), leftMs()]).toEqual([undefined, 5_000]);
    clock.block(5_000);
    expect([due(), leftMs()]).toEqual(["grace", 0]);
  });

  it("watches the credential's end where it means something, whichever comes first", () => {
    const soon = createBench(5_000);
    soon.times.lapsed(readInstant(soon.clock), GRACE_MS, true);
    expect(soon.leftMs()).toBe(5_000);
    soon.clock.block(5_000);
    expect(soon.due()).toBe("expiry");
    const late = createBench(HOUR_MS);
    late.times.lapsed(readInstant(late.clock), GRACE_MS, true);
    expect(late.leftMs()).toBe(GRACE_MS);
    late.clock.block(GRACE_MS);
    expect(late.due()).toBe("grace");
  });

  it("watches both clocks where they disagree about what comes first", () => {
    const { clock, times, due, leftMs } = createBench(MINUTE_MS);
    clock.block(55_000);
    clock.stepWallClock(-HOUR_MS);
    times.lapsed(readInstant(clock), GRACE_MS, true);
    expect(leftMs()).toBe(5_000);
    clock.block(5_000);
    expect(due()).toBe("expiry");
  });

  it("gives no warning, and the one that was left is given when it is over", () => {
    const { clock, times, due } = createBench(MINUTE_MS);
    times.lapsed(readInstant(clock), MINUTE_MS, false);
    clock.block(50_000);
    expect(due()).toBeUndefined();
    times.restored();
    expect([due(), times.isGraceRunning]).toEqual(["warning", false]);
  });

  it("begins its grace anew when it lapses for something else", () => {
    const { clock, times, due, leftMs } = createBench(5_000);
    times.lapsed(readInstant(clock), GRACE_MS, true);
    clock.block(5_000);
    times.lapsed(readInstant(clock), GRACE_MS, false);
    expect([due(), leftMs()]).toEqual([undefined, GRACE_MS]);
  });

  it("keeps running when another credential is put in place without restoring it", () => {
    const { clock, times, due, leftMs } = createBench(5_000);
    times.lapsed(readInstant(clock), GRACE_MS, false);
    times.renew((clock.now() + HOUR_MS) as EpochMs, readInstant(clock), 0.5);
    expect(leftMs()).toBe(GRACE_MS);
    clock.block(GRACE_MS);
    expect(due()).toBe("grace");
  });
});

describe("a later credential", () => {
  it("has a warning of its own, in its own place of the window", () => {
    const { clock, times, due, leftMs } = createBench(MINUTE_MS);
    clock.block(50_000);
    times.warned();
    times.renew((clock.now() + 10 * MINUTE_MS) as EpochMs, readInstant(clock), 0);
    expect([due(), leftMs()]).toEqual([undefined, 8.5 * MINUTE_MS]);
    clock.block(8.5 * MINUTE_MS);
    expect(due()).toBe("warning");
  });
});

describe("any life of a credential", () => {
  it("comes to nothing due when its deadline is ahead, and to something once it has come", () => {
    const act = fc.oneof(
      fc.record({ pass: fc.integer({ min: 0, max: 40_000 }) }),
      fc.record({ step: fc.integer({ min: -60_000, max: 60_000 }) }),
      fc.record({ lapse: fc.boolean() }),
      fc.record({ renew: fc.integer({ min: 0, max: 120_000 }) }),
      fc.constant({ restore: true } as const),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        const { clock, times, due, leftMs } = createBench(MINUTE_MS);
        for (const each of acts) {
          const instant = readInstant(clock);
          if ("pass" in each) clock.block(each.pass);
          else if ("step" in each) clock.stepWallClock(each.step);
          else if ("lapse" in each) times.lapsed(instant, GRACE_MS, each.lapse);
          else if ("renew" in each) times.renew((clock.now() + each.renew) as EpochMs, instant, 0.3);
          else times.restored();
          // Else whoever watches it would be woken for nothing, again and again, or not at all.
          expect(due() === undefined).toBe(leftMs() > 0);
          if (due() !== "warning") continue;
          times.warned();
          expect(due() === undefined).toBe(leftMs() > 0);
        }
      }),
      { numRuns: 300 },
    );
  });
});
