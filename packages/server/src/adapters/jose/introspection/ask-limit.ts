/** How many questions are under way at once, and how many wait for their turn. */

export interface AskLimit {
  /**
   * Runs the task when its turn comes, in the order asked.
   * @throws Error (rejects) when too many wait already, or when the signal ended the wait; the task is then never run
   */
  run<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T>;
}

export function createAskLimit(maxConcurrent: number, maxWaiting: number): AskLimit {
  const waiting = new Set<() => void>();
  let active = 0;

  /** Resolves when a place is ours. */
  function place(signal: AbortSignal): Promise<void> {
    if (active < maxConcurrent) {
      active += 1;
      return Promise.resolve();
    }
    if (waiting.size >= maxWaiting) return Promise.reject(new Error("too many questions wait for an answer"));
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = (): void => {
        waiting.delete(start);
        reject(new Error("the question's turn did not come in time"));
      };
      waiting.add(start);
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** The place goes to whoever has waited longest, without being free in between. */
  function leave(): void {
    const [next] = waiting;
    if (next === undefined) {
      active -= 1;
      return;
    }
    waiting.delete(next);
    next();
  }

  return {
    async run(signal, task) {
      await place(signal);
      try {
        return await task();
      } finally {
        leave();
      }
    },
  };
}
