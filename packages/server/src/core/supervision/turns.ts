/** Lets so many go on at the same time; the others wait, first come first served. */

export interface Turns {
  /** Resolves when it is the caller's turn. */
  take(): Promise<void>;
  /** Once for each turn taken. */
  give(): void;
}

export function createTurns(max: number): Turns {
  let taken = 0;
  let waiting: (() => void)[] = [];
  let next = 0;
  return {
    take() {
      if (taken < max) {
        taken++;
        return Promise.resolve();
      }
      return new Promise((resolve) => void waiting.push(resolve));
    },
    give() {
      const resolve = waiting[next];
      if (resolve === undefined) {
        taken--;
        return;
      }
      next++;
      if (next === waiting.length) {
        waiting = [];
        next = 0;
      }
      resolve();
    },
  };
}
