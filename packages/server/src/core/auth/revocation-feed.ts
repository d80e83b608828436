/** Tells listeners of a log's entries, for implementations of the port. */

import type { RevocationListener } from "./revocation-log.js";
import type { Revocation } from "./revocation.js";

export interface RevocationFeed {
  /** Adds a listener, also one that is there already. Returns what takes it away. */
  subscribe(listener: RevocationListener): () => void;
  /**
   * Tells everyone of the next entry, before it returns; called by a listener, before the outermost call returns, as
   * everybody is told in one order. A listener that throws is told `interrupted`, and harms nobody else.
   */
  publish(entry: Revocation): void;
  /** Tells everyone that entries may have been missed. */
  interrupt(error: unknown): void;
}

type Notice = (listener: RevocationListener) => void;

export function createRevocationFeed(): RevocationFeed {
  const subscriptions = new Set<{ readonly listener: RevocationListener }>();
  const waiting: Notice[] = [];
  let isTelling = false;

  function tell(notice: Notice): void {
    waiting.push(notice);
    if (isTelling) return;
    isTelling = true;
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) tellEach(next);
    } finally {
      isTelling = false;
    }
  }

  function tellEach(notice: Notice): void {
    // Who subscribes meanwhile is told of the next one; who leaves meanwhile is told nothing more.
    for (const subscription of [...subscriptions]) {
      if (!subscriptions.has(subscription)) continue;
      try {
        notice(subscription.listener);
      } catch (error) {
        subscription.listener.interrupted(error);
      }
    }
  }

  return {
    subscribe(listener) {
      const subscription = { listener };
      subscriptions.add(subscription);
      return () => void subscriptions.delete(subscription);
    },
    publish: (entry) => tell((listener) => listener.entry(entry)),
    interrupt: (error) => tell((listener) => listener.interrupted(error)),
  };
}
