/** Waits until the sockets of connections that were told to end are gone, within bounds. */

import type { Clock, MonotonicMs, Timer } from "../clock.js";

/** How a wait ended: when, and how many sockets were still there. */
export interface Released {
  readonly at: MonotonicMs;
  readonly left: number;
}

export interface Releases<C> {
  /**
   * Before anything is ended: what goes at once is noted, too. Then `of` waits for those of the connections that are
   * ending; one that goes on is not waited for.
   */
  begin(): { of(connections: readonly C[]): Promise<Released> };
  /** The socket of a connection is gone. */
  released(connection: C): void;
}

interface Wait<C> {
  readonly gone: Set<C>;
  left: Set<C> | undefined;
  settle(): void;
}

/** A socket that does not answer a Close is reset after 2 s; a second more for the turns it takes. Milliseconds. */
const MAX_WAIT_MS = 3_000;

export function createReleases<C extends { readonly isListening: boolean }>(
  clock: Pick<Clock, "monotonic" | "after">,
): Releases<C> {
  const waits = new Set<Wait<C>>();

  return {
    begin() {
      const wait: Wait<C> = { gone: new Set(), left: undefined, settle: () => undefined };
      waits.add(wait);
      return {
        of(connections) {
          const left = new Set(connections.filter((each) => !each.isListening && !wait.gone.has(each)));
          wait.left = left;
          return new Promise((resolve) => {
            let timer: Timer | undefined;
            wait.settle = () => {
              timer?.cancel();
              waits.delete(wait);
              resolve({ at: clock.monotonic(), left: left.size });
            };
            if (left.size === 0) wait.settle();
            else timer = clock.after(MAX_WAIT_MS, wait.settle);
          });
        },
      };
    },
    released(connection) {
      for (const wait of waits) {
        if (wait.left === undefined) wait.gone.add(connection);
        else if (wait.left.delete(connection) && wait.left.size === 0) wait.settle();
      }
    },
  };
}
