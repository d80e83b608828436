/** Choices that a seed repeats. */

import { createSeededRandom } from "@hubward/testing";

export interface Choices {
  /** In [0, 1). */
  fraction(): number;
  chance(probability: number): boolean;
  /** A whole number from `from` up to and with `to`. */
  between(from: number, to: number): number;
  /** @throws RangeError for nothing to choose from */
  oneOf<T>(from: readonly T[]): T;
  /** A key, as often as its weight says. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key;
}

export function createChoices(seed: number): Choices {
  const { fraction } = createSeededRandom(seed);
  const between: Choices["between"] = (from, to) => from + Math.floor(fraction() * (to - from + 1));
  return {
    fraction,
    chance: (probability) => fraction() < probability,
    between,
    oneOf<T>(from: readonly T[]): T {
      if (from.length === 0) throw new RangeError("oneOf: nothing to choose from");
      return from[between(0, from.length - 1)] as T;
    },
    weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
      const entries = Object.entries(weights) as [Key, number][];
      let at = fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [key, weight] of entries) if ((at -= weight) < 0) return key;
      return (entries.at(-1) as [Key, number])[0];
    },
  };
}
