/** Counts failures per key over a sliding window, in bounded memory. */

export interface FailureCounterOptions {
  /** Failures within the window after which a key is blocked. */
  readonly maxFailures: number;
  readonly windowMs: number;
  /** Keys remembered; beyond that the one whose last failure is oldest is forgotten. */
  readonly maxKeys: number;
  /** Milliseconds on a clock that never steps back. */
  readonly now: () => number;
}

/** One attempt that is under way and may turn out to be a failure. */
export interface Attempt {
  /** Says how it went. Once. */
  settle(isFailure: boolean): void;
}

export interface FailureCounter {
  /** How long the key is still blocked. Milliseconds, 0 when it is not. */
  blockedMs(key: string): number;
  /** Whether one more attempt could not exceed the limit, even if all that are under way fail. */
  hasRoom(key: string): boolean;
  begin(key: string): Attempt;
  readonly size: number;
}

interface Entry {
  /** Instants of the failures, oldest first. */
  failures: number[];
  pending: number;
}

export function createFailureCounter({ maxFailures, windowMs, maxKeys, now }: FailureCounterOptions): FailureCounter {
  // In the order of the last change, oldest first.
  const entries = new Map<string, Entry>();

  function find(key: string): Entry | undefined {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    const since = now() - windowMs;
    entry.failures = entry.failures.filter((at) => at > since);
    return entry;
  }

  function touch(key: string, entry: Entry): void {
    entries.delete(key);
    entries.set(key, entry);
  }

  function forgetOld(): void {
    const since = now() - windowMs;
    for (const [key, { failures, pending }] of entries) {
      const isOver = (failures.at(-1) ?? -Infinity) <= since && pending === 0;
      if (!isOver && entries.size <= maxKeys) return;
      if (pending === 0) entries.delete(key);
    }
  }

  return {
    blockedMs(key) {
      const failures = find(key)?.failures ?? [];
      const oldest = failures.at(-maxFailures);
      return oldest === undefined ? 0 : oldest + windowMs - now();
    },
    hasRoom(key) {
      const entry = find(key);
      return entry === undefined || entry.failures.length + entry.pending < maxFailures;
    },
    begin(key) {
      const entry = find(key) ?? { failures: [], pending: 0 };
      entry.pending++;
      touch(key, entry);
      forgetOld();
      return {
        settle(isFailure) {
          entry.pending--;
          if (isFailure) {
            entry.failures.push(now());
            touch(key, entry);
          } else if (entry.failures.length === 0 && entry.pending === 0 && entries.get(key) === entry) {
            entries.delete(key);
          }
        },
      };
    },
    get size() {
      return entries.size;
    },
  };
}
