import fc from "fast-check";
import { expect, test } from "vitest";
import { createFakeClock } from "../../../../../tests/support/fake-clock.js";
import type { Clock, EpochMs } from "../../core/clock.js";
import { createSeenIds } from "./seen-ids.js";

test("an id is there for its time and not a millisecond longer", () => {
  const clock = createFakeClock();
  const seen = createSeenIds({ clock, maxIds: 10, whenFull: "refuse" });
  expect(seen.has("a")).toBe(false);
  expect(seen.add("a", 1000)).toBe(true);
  clock.advance(999);
  expect(seen.has("a")).toBe(true);
  clock.advance(1);
  expect(seen.has("a")).toBe(false);
});

test.each([3_600_000, -3_600_000])("a wall clock that is set by %i ms forgets nothing early", (stepMs) => {
  const fake = createFakeClock();
  let step = 0;
  const clock: Clock = { ...fake, now: () => (fake.now() + step) as EpochMs };
  const seen = createSeenIds({ clock, maxIds: 10, whenFull: "refuse" });
  seen.add("a", 1000);
  step = stepMs;
  fake.advance(999);
  expect(seen.has("a")).toBe(true);
});

test("a wall clock that is set back makes it remember for longer: what was too old is young again", () => {
  const fake = createFakeClock();
  let step = 0;
  const clock: Clock = { ...fake, now: () => (fake.now() + step) as EpochMs };
  const seen = createSeenIds({ clock, maxIds: 10, whenFull: "refuse" });
  seen.add("a", 1000);
  step = -5000;
  fake.advance(5999);
  expect(seen.has("a")).toBe(true);
  fake.advance(1);
  expect(seen.has("a")).toBe(false);
});

test("when it is full of live ids the new one is refused, until one is over", () => {
  const clock = createFakeClock();
  const seen = createSeenIds({ clock, maxIds: 2, whenFull: "refuse" });
  expect([seen.add("a", 5000), seen.add("b", 9000), seen.add("c", 1000)]).toEqual([true, true, false]);
  expect([seen.has("a"), seen.has("b"), seen.has("c")]).toEqual([true, true, false]);
  clock.advance(5000);
  expect(seen.add("c", 1000)).toBe(true);
  expect([seen.has("a"), seen.has("b"), seen.has("c")]).toEqual([false, true, true]);
});

test("or the oldest is forgotten", () => {
  const seen = createSeenIds({ clock: createFakeClock(), maxIds: 2, whenFull: "forget-oldest" });
  for (const id of ["a", "b", "c"]) expect(seen.add(id, 1000)).toBe(true);
  expect([seen.has("a"), seen.has("b"), seen.has("c")]).toEqual([false, true, true]);
});

test("whatever happens, it holds no more than its bound, and no id it took is forgotten before its time", () => {
  const step = fc.record({ id: fc.nat(20), forMs: fc.integer({ min: 1, max: 5000 }), waitMs: fc.nat(3000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = createFakeClock();
      const seen = createSeenIds({ clock, maxIds: 5, whenFull: "refuse" });
      const taken = new Map<string, number>();
      for (const { id, forMs, waitMs } of steps) {
        const name = String(id);
        if (!seen.has(name) && seen.add(name, forMs)) taken.set(name, clock.now() + forMs);
        clock.advance(waitMs);
        expect(seen.size).toBeLessThanOrEqual(5);
        for (const [known, until] of taken) expect(seen.has(known)).toBe(clock.now() < until);
      }
    }),
  );
});
