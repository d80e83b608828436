/** Random numbers that come again with the same seed. For made-up readings, never for secrets. */

export interface SeededRandom {
  /** From 0 up to 1, evenly. */
  next(): number;
  /** Mean 0, standard deviation 1. */
  gaussian(): number;
}

/** Steps it takes until seeds that differ in one bit have nothing in common. */
const warmUpSteps = 16;

/** A xorshift generator of 32 bits (G. Marsaglia, "Xorshift RNGs", 2003, the triple 13, 17, 5). */
export function createSeededRandom(seed: number): SeededRandom {
  let state = Math.imul(seed | 0, 0x9e3779b1) || 1; // zero would stay zero
  let spare: number | undefined;

  function next(): number {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  }

  for (let step = 0; step < warmUpSteps; step++) next();

  return {
    next,
    /** Box and Muller's method makes two at a time. */
    gaussian() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      const angle = 2 * Math.PI * next();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  };
}
