/** Tells listeners of a log's entries, for implementations of the port. */

import type { RevocationListener } from "./revocation-log.js";
import type { Revocation } from "./revocation.js";

export interface RevocationFeed {
  /** Adds a listener, also one that is there already. Returns what takes it away. */
  subscribe(listener: RevocationListener): () => void;
  /**
   * Tells everyone of the next entry, before it returns; called by a listener, before the outermost call returns, as
   * everybody is told in one order. A listener that throws is told `interrupted`, and harms nobody else.
   * @throws what a listener's `interrupted` throws, after everybody was told
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
    const failures: unknown[] = [];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) tellEach(next, failures);
    isTelling = false;
    if (failures.length > 0) throw failures[0];
  }

  function tellEach(notice: Notice, failures: unknown[]): void {
    // Who subscribes meanwhile is told of the next one; who leaves meanwhile is told nothing more.
    const present = Array.from(subscriptions);
    for (const subscription of present) {
      if (!subscriptions.has(subscription)) continue;
      try {
        tellOne(subscription.listener, notice);
      } catch (error) {
        failures.push(error);
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

function tellOne(listener: RevocationListener, notice: Notice): void {
  try {
    notice(listener);
  } catch (error) {
    listener.interrupted(error);
  }
}
