import { createFakeClock } from "@hubward/testing";
import { describe, expect, it } from "vitest";
import { endOverTime } from "./drain.js";

describe("a drain over time", () => {
  it("ends equal parts at equal distances, and everybody by its end", () => {
    const clock = createFakeClock();
    const open = new Set(Array.from({ length: 100 }, (_, index) => index));
    const sizes: number[] = [];
    endOverTime(
      clock,
      1_000,
      () => [...open],
      (each) => void open.delete(each),
    );
    for (let tick = 0; tick < 10; tick++) {
      sizes.push(open.size);
      clock.advance(100);
    }
    expect(sizes).toEqual([90, 80, 70, 60, 50, 40, 30, 20, 10, 0]);
  });

  it("takes those who come meanwhile along, and stops when nobody is left", () => {
    const clock = createFakeClock();
    const open = new Set([1, 2]);
    let asked = 0;
    const rest = (): readonly number[] => {
      asked++;
      return [...open];
    };
    endOverTime(clock, 300, rest, (each) => void open.delete(each));
    expect([...open]).toEqual([2]);
    open.add(3);
    clock.advance(1_000);
    expect([open.size, asked]).toEqual([0, 3]);
  });

  it("ends everybody at once where there is no time", () => {
    const open = new Set([1, 2, 3]);
    endOverTime(
      createFakeClock(),
      0,
      () => [...open],
      (each) => void open.delete(each),
    );
    expect(open.size).toBe(0);
  });
});
