import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFakeClock } from "./fake-clock.js";

describe("the fake clock", () => {
  it("runs timers in order of their instants, and in the order asked at one instant", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 })),
        fc.array(fc.integer({ min: 0, max: 20 })),
        (delays, steps) => {
          const clock = createFakeClock();
          const start = clock.monotonic();
          const ran: { index: number; at: number }[] = [];
          delays.forEach((delay, index) =>
            clock.after(delay, () => ran.push({ index, at: clock.monotonic() - start })),
          );
          for (const step of steps) clock.advance(step);
          const total = steps.reduce((sum, step) => sum + step, 0);
          const due = delays
            .map((at, index) => ({ index, at }))
            .filter(({ at }) => at <= total)
            .sort((a, b) => a.at - b.at || a.index - b.index);
          // Without any step nothing runs, not even what is due at once.
          expect(ran).toEqual(steps.length === 0 ? [] : due);
          expect(clock.monotonic() - start).toBe(total);
          expect(clock.pending).toBe(delays.length - ran.length);
        },
      ),
    );
  });

  it("runs what a timer arms if it falls due in the same stretch", () => {
    const clock = createFakeClock({ startAt: 1_000 });
    const ran: number[] = [];
    const again = (): void => {
      ran.push(clock.now());
      clock.after(10, again);
    };
    clock.after(10, again);
    clock.advance(35);
    expect(ran).toEqual([1_010, 1_020, 1_030]);
    expect(clock.now()).toBe(1_035);
  });

  it("forgets a cancelled timer, also one that is cancelled by another of the same instant", () => {
    const clock = createFakeClock();
    const ran: string[] = [];
    clock.after(5, () => second.cancel());
    const second = clock.after(5, () => ran.push("second"));
    const third = clock.after(1, () => ran.push("third"));
    third.cancel();
    third.cancel();
    clock.advance(10);
    expect(ran).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("steps the wall clock alone", () => {
    const clock = createFakeClock({ startAt: 1_000 });
    const monotonic = clock.monotonic();
    let ran = 0;
    clock.after(100, () => ran++);
    clock.stepWallClock(500);
    clock.stepWallClock(-1_400);
    expect([clock.now(), clock.monotonic() - monotonic, ran]).toEqual([100, 0, 0]);
    clock.advance(100);
    expect([clock.now(), ran]).toEqual([200, 1]);
  });

  it("lets time pass over a blocked loop and catches up without going back", () => {
    const clock = createFakeClock();
    const start = clock.monotonic();
    const ran: number[] = [];
    clock.after(10, () => ran.push(clock.monotonic() - start));
    clock.after(20, () => ran.push(clock.monotonic() - start));
    clock.block(50);
    expect(ran).toEqual([]);
    clock.advance(1);
    expect(ran).toEqual([50, 50]);
    expect(clock.monotonic() - start).toBe(51);
  });

  it("ends one turn at a time", () => {
    const clock = createFakeClock();
    const ran: string[] = [];
    clock.endOfTurn(() => {
      ran.push("a");
      clock.endOfTurn(() => ran.push("c"));
    });
    clock.endOfTurn(() => ran.push("b"));
    clock.advance(1_000);
    expect([ran, clock.pendingTurn]).toEqual([[], 2]);
    expect(clock.endTurn()).toBe(2);
    expect([ran, clock.pendingTurn]).toEqual([["a", "b"], 1]);
    expect(clock.endTurn()).toBe(1);
    expect(ran).toEqual(["a", "b", "c"]);
    expect(clock.endTurn()).toBe(0);
  });

  it.each([
    [
      "a delay that Node would fire at once",
      (clock: ReturnType<typeof createFakeClock>) => clock.after(2 ** 31, () => undefined),
    ],
    ["a negative delay", (clock) => clock.after(-1, () => undefined)],
    ["a delay that is no number", (clock) => clock.after(Number.NaN, () => undefined)],
    ["time that runs back", (clock) => clock.advance(-1)],
    ["time without end", (clock) => clock.block(Infinity)],
    ["a step to nowhere", (clock) => clock.stepWallClock(Number.NaN)],
  ] satisfies [string, (clock: ReturnType<typeof createFakeClock>) => void][])("refuses %s", (_, misuse) => {
    expect(() => misuse(createFakeClock())).toThrow(RangeError);
  });
});
