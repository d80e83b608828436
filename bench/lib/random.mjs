/** Numbers that look random and come again for the same seed (mulberry32). */

/** @param {number} seed */
export function createRandom(seed) {
  let state = seed >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  /** A whole number from 0 on. @param {number} end not itself */
  const below = (end) => Math.floor(fraction() * end);
  return { below, of: (choices) => choices[below(choices.length)] };
}
