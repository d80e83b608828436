/**
 * Who asked for a lift. A lift counts from when the log has it, and the log tells of it before it says under which number
 * it was taken: what is told while one is under way waits for that.
 */

import type { Revocation } from "../auth/revocation.js";

export interface LiftAuthors {
  /** Whether this entry of the log is told later, with who asked for it. */
  holds(entry: Revocation): boolean;
  /** Appends a lift. `append` resolves with its number. */
  run(by: string | undefined, append: () => Promise<number>): Promise<number>;
}

/** @param tell called once for every entry that was held */
export function createLiftAuthors(tell: (entry: Revocation, by?: string) => void): LiftAuthors {
  const held = new Map<number, Revocation>();
  let pending = 0;

  return {
    holds(entry) {
      if (entry.kind !== "lift" || pending === 0) return false;
      held.set(entry.number, entry);
      return true;
    },
    async run(by, append) {
      // Nobody to name: it is told as it comes.
      if (by === undefined) return append();
      pending++;
      try {
        const number = await append();
        const own = held.get(number);
        if (held.delete(number) && own !== undefined) tell(own, by);
        return number;
      } finally {
        if (--pending === 0) {
          const others = [...held.values()];
          held.clear();
          for (const entry of others) tell(entry);
        }
      }
    },
  };
}
