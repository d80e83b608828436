/** What becomes of a group's events for a peer that does not keep up, as the group declares it. */

/**
 * `close`: the peer is ended as a slow consumer once its outbox is full.
 * `drop-oldest`: the group's oldest events make room; a `gap` notice says how many.
 * `latest`: events that say the same thing anew; while they wait, a newer one takes the place of the one before it.
 */
export type WhenSlow = "close" | "drop-oldest" | { readonly latest: LatestKey };

/**
 * What an event says anew: two of one name and key, of one group, are two states of one thing. Numbers are taken as
 * their text. Undefined: this one stands for itself, and is never left out. Called once for each event that is sent, and
 * not at all where nobody is in the group.
 */
export type LatestKey = (event: string, args: readonly unknown[]) => string | number | undefined;

/** @throws TypeError for what is no rule. `where`: what to call the group. */
export function assertWhenSlow(where: string, rule: unknown): asserts rule is WhenSlow {
  if (rule === "close" || rule === "drop-oldest") return;
  const isLatest = typeof rule === "object" && rule !== null && Object.keys(rule).join() === "latest";
  if (isLatest && typeof (rule as { readonly latest: unknown }).latest === "function") return;
  throw new TypeError(`${where}: whenSlow is "close", "drop-oldest" or { latest: (event, args) => key }`);
}
