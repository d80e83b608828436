import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { refillMs, TokenBucket, type Rate } from "./token-bucket.js";

const RATE: Rate = { burst: 5, perSecond: 10 };

function takeIfAny(bucket: TokenBucket, rate: Rate, now: number): boolean {
  if (bucket.waitMs(rate, now) > 0) return false;
  bucket.take(rate, now);
  return true;
}

/** Tokens as anybody would count them, in units of which a millisecond brings a whole number. */
function createModel({ burst, perSecond }: Rate): (now: number) => boolean {
  const unit = 1000;
  let tokens = burst * unit;
  let at = 0;
  return (now) => {
    tokens = Math.min(burst * unit, tokens + (now - at) * perSecond);
    at = now;
    if (tokens < unit) return false;
    tokens -= unit;
    return true;
  };
}

const rates = fc.record({ burst: fc.integer({ min: 1, max: 60 }), perSecond: fc.integer({ min: 1, max: 2_000 }) });
const steps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 })), { minLength: 1, maxLength: 400 });

describe("a token bucket", () => {
  it("is full at first: gives its burst at once, then one for each that comes in", () => {
    const bucket = new TokenBucket();
    const taken = (now: number, tries: number): number =>
      Array.from({ length: tries }, () => takeIfAny(bucket, RATE, now)).filter(Boolean).length;
    expect([taken(1_000, 8), taken(1_099, 1), taken(1_100, 2), taken(1_350, 5), taken(60_000, 9)]).toEqual([
      5, 0, 1, 2, 5,
    ]);
  });

  it("says how long until it has one, and takes nothing by saying so", () => {
    const bucket = new TokenBucket();
    for (let count = 0; count < 5; count++) bucket.take(RATE, 1_000);
    expect([bucket.waitMs(RATE, 1_000), bucket.waitMs(RATE, 1_000), bucket.waitMs(RATE, 1_040)]).toEqual([
      100, 100, 60,
    ]);
    expect(takeIfAny(bucket, RATE, 1_100)).toBe(true);
  });

  it("is full again after its refill, however empty it was", () => {
    expect([refillMs(RATE), refillMs({ burst: 3, perSecond: 0.1 })]).toEqual([500, 30_000]);
  });

  it("gives what a plain count of tokens gives", () => {
    fc.assert(
      fc.property(rates, steps, (rate, waits) => {
        const bucket = new TokenBucket();
        const model = createModel(rate);
        let now = 0;
        for (const wait of waits) {
          now += wait;
          expect([now, takeIfAny(bucket, rate, now)]).toEqual([now, model(now)]);
        }
      }),
    );
  });

  it("gives no more than its burst and what came in, in any window, at any fraction of a millisecond", () => {
    const fractions = fc.array(fc.double({ min: 0, max: 50, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(
        fc.record({
          burst: fc.integer({ min: 1, max: 20 }),
          perSecond: fc.double({ min: 0.01, max: 5_000, noNaN: true }),
        }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fractions,
        (rate, start, waits) => {
          const bucket = new TokenBucket();
          const given: number[] = [];
          let now = start;
          for (const wait of waits) {
            now += wait;
            if (takeIfAny(bucket, rate, now)) given.push(now);
          }
          for (let first = 0; first < given.length; first++) {
            for (let last = first; last < given.length; last++) {
              const ms = (given[last] as number) - (given[first] as number) + 0.01;
              expect(last - first + 1).toBeLessThanOrEqual(rate.burst + (ms * rate.perSecond) / 1000 + 1e-9);
            }
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
