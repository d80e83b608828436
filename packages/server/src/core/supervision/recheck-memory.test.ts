import { createFakeClock } from "@hubward/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRecheckMemory, type Remembered, type RecheckMemoryOptions } from "./recheck-memory.js";

/** A recheck of one person, when the mapping had been asked so often. */
const of = (name: string, since: number): Remembered<string> => ({
  about: ["subject", name],
  since,
  covers: (asked) => asked === name,
});

function createBench(options: RecheckMemoryOptions) {
  const clock = createFakeClock();
  return { clock, memory: createRecheckMemory<string>(clock, options) };
}

describe("a memory of rechecks", () => {
  it("names whom one was about, as far as they were asked about before it", () => {
    const { memory } = createBench({});
    expect(memory.isOutdated(0, "ann")).toBe(false);
    memory.add(of("ann", 3));
    const asked = [0, 3, 4].map((askedAt) => [memory.isOutdated(askedAt, "ann"), memory.isOutdated(askedAt, "bob")]);
    expect(asked).toEqual([
      [true, false],
      [true, false],
      [false, false],
    ]);
  });

  it("counts for everybody what it has forgotten, however long ago that was", () => {
    const { clock, memory } = createBench({ keepMs: 45_000 });
    memory.add(of("ann", 3));
    clock.advance(45_000);
    memory.add(of("zoe", 9));
    clock.advance(1_000_000);
    expect([memory.isOutdated(3, "ann"), memory.isOutdated(3, "bob")]).toEqual([true, true]);
    // Who was asked about since costs nothing.
    expect([memory.isOutdated(4, "ann"), memory.isOutdated(4, "bob")]).toEqual([false, false]);
  });

  it("keeps as many as it may, and one of those about the same", () => {
    const { memory } = createBench({ maxRemembered: 2 });
    memory.add(of("ann", 1));
    for (let since = 2; since < 100; since++) memory.add(of("bob", since));
    expect([memory.isOutdated(1, "cem"), memory.isOutdated(1, "ann"), memory.isOutdated(99, "bob")]).toEqual([
      false,
      true,
      true,
    ]);
    memory.add(of("zoe", 100));
    expect([memory.isOutdated(1, "cem"), memory.isOutdated(2, "cem"), memory.isOutdated(99, "bob")]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("never lets pass whom one that forgets nothing would not, and always who was asked about since", () => {
    const step = fc.record({
      name: fc.constantFrom("ann", "bob", "cem", "dan"),
      asked: fc.nat(2),
      waitMs: fc.nat(40),
    });
    fc.assert(
      fc.property(fc.array(step), fc.nat(60), fc.integer({ min: 1, max: 4 }), (steps, keepMs, maxRemembered) => {
        const { clock, memory } = createBench({ keepMs, maxRemembered });
        const last = new Map<string, number>();
        let since = 0;
        for (const { name, asked, waitMs } of steps) {
          clock.advance(waitMs);
          memory.add(of(name, (since += asked)));
          last.set(name, since);
        }
        for (const [name, until] of last) {
          expect(memory.isOutdated(until, name)).toBe(true);
          expect(memory.isOutdated(since + 1, name)).toBe(false);
        }
      }),
    );
  });
});
