import { expect, test } from "vitest";
import { createSeededRandom } from "./seeded-random.js";

function take(count: number, draw: () => number): number[] {
  return Array.from({ length: count }, draw);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test("the same seed gives the same numbers, another seed others", () => {
  const [one, same, other] = [7, 7, 8].map((seed) => take(100, createSeededRandom(seed).next));
  expect(one).toEqual(same);
  expect(one!.filter((value, index) => value === other![index])).toEqual([]);
});

test("numbers stay from 0 up to 1 and are spread evenly", () => {
  for (const seed of [0, 1, -1, 0x7fffffff]) {
    const values = take(20_000, createSeededRandom(seed).next);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(mean(values)).toBeCloseTo(0.5, 1);
    expect(values.filter((value) => value < 0.1).length / values.length).toBeCloseTo(0.1, 1);
  }
});

test("the bell curve has mean 0 and standard deviation 1", () => {
  const values = take(20_000, createSeededRandom(3).gaussian);
  expect(mean(values)).toBeCloseTo(0, 1);
  expect(Math.sqrt(mean(values.map((value) => value ** 2)))).toBeCloseTo(1, 1);
});
