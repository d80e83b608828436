/** Ends connections over a span of time, so that those who come back do not come back at once. */

import type { Clock } from "../clock.js";

const TICK_MS = 100;

/**
 * Ends each of those there are, in equal parts, over `overMs` from now on; those that come meanwhile with the last part.
 * @param rest those that are left, asked for at each part
 */
export function endOverTime<Ending>(
  clock: Pick<Clock, "after">,
  overMs: number,
  rest: () => readonly Ending[],
  end: (ending: Ending) => void,
): void {
  let left = Math.max(1, Math.ceil(overMs / TICK_MS));

  function tick(): void {
    const all = rest();
    const share = Math.ceil(all.length / left--);
    for (const each of all.slice(0, share)) end(each);
    if (left > 0 && all.length > share) clock.after(TICK_MS, tick);
  }

  tick();
}
