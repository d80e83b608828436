import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyedBuckets } from "./keyed-buckets.js";
import { refillMs, TokenBucket, type Rate } from "./token-bucket.js";

const RATE: Rate = { burst: 2, perSecond: 1 };

function takeIfAny(buckets: KeyedBuckets, key: string, now: number): boolean {
  if (buckets.waitMs(key, now) > 0) return false;
  buckets.take(key, now);
  return true;
}

describe("buckets by key", () => {
  it("are each key's own", () => {
    const buckets = new KeyedBuckets(RATE);
    const taken = (key: string): boolean[] => [1, 2, 3].map(() => takeIfAny(buckets, key, 0));
    expect([taken("a"), taken("b")]).toEqual([
      [true, true, false],
      [true, true, false],
    ]);
    expect([buckets.waitMs("a", 0), buckets.waitMs("nobody", 0), buckets.size]).toEqual([1_000, 0, 2]);
  });

  it("stay bounded under 100,000 hostile keys, and lock nobody out", () => {
    const buckets = new KeyedBuckets(RATE, 1_000);
    let [largest, refused] = [0, 0];
    for (let index = 0; index < 100_000; index++) {
      if (!takeIfAny(buckets, `198.51.${index >> 8}.${index & 255}`, index / 100)) refused++;
      largest = Math.max(largest, buckets.size);
    }
    expect([largest <= 1_000, refused, takeIfAny(buckets, "a guest", 1_000)]).toEqual([true, 0, true]);
  });

  it("are kept in a default number that 100,000 keys do not reach", () => {
    const buckets = new KeyedBuckets({ burst: 1_000, perSecond: 0.1 });
    for (let index = 0; index < 100_000; index++) buckets.take(`${index}`, 0);
    expect(buckets.size).toBeLessThanOrEqual(50_000);
  });

  it("are forgotten without a timer when others are used, once they are full again", () => {
    const buckets = new KeyedBuckets(RATE);
    for (let index = 0; index < 500; index++) buckets.take(`${index}`, 0);
    buckets.take("later", 2_000);
    buckets.take("latest", 4_000);
    expect(buckets.size).toBeLessThanOrEqual(2);
  });

  it("remember what a key owes for as long as it owes it, whatever other keys do in time", () => {
    const moves = fc.array(
      fc.record({ key: fc.constantFrom("a", "b", "c", "d", "e"), wait: fc.integer({ min: 0, max: 1_500 }) }),
      { minLength: 1, maxLength: 300 },
    );
    fc.assert(
      fc.property(
        moves,
        fc.record({ burst: fc.integer({ min: 1, max: 5 }), perSecond: fc.constantFrom(1, 2, 5) }),
        (all, rate) => {
          const buckets = new KeyedBuckets(rate, 100);
          const model = new Map<string, TokenBucket>();
          let now = 0;
          for (const { key, wait } of all) {
            now += wait;
            const kept = model.get(key) ?? new TokenBucket();
            model.set(key, kept);
            expect(buckets.waitMs(key, now)).toBe(kept.waitMs(rate, now));
            if (takeIfAny(buckets, key, now)) kept.take(rate, now);
          }
        },
      ),
    );
  });

  it("start over, those that were used least lately, where more keys come than are kept", () => {
    const buckets = new KeyedBuckets({ burst: 1, perSecond: 0.01 }, 10);
    expect(refillMs(buckets.rate)).toBe(100_000);
    buckets.take("old", 0);
    for (let index = 0; index < 4; index++) buckets.take(`${index}`, 1);
    expect(buckets.waitMs("old", 2)).toBeGreaterThan(0);
    for (let index = 4; index < 14; index++) buckets.take(`${index}`, 3);
    expect([buckets.waitMs("old", 4), buckets.waitMs("13", 4) > 0]).toEqual([0, true]);
  });
});
