/** How much of something bounded each identity holds, so that one cannot use up what all need. */

export interface Shares {
  /** False when this identity has its share already, or as much as `max`. */
  take(owner: string, max?: number): boolean;
  give(owner: string): void;
}

export function createShares(maxPerOwner: number): Shares {
  const held = new Map<string, number>();
  return {
    take(owner, max = maxPerOwner) {
      const count = held.get(owner) ?? 0;
      if (count >= Math.min(max, maxPerOwner)) return false;
      held.set(owner, count + 1);
      return true;
    },
    give(owner) {
      const count = held.get(owner) ?? 0;
      if (count <= 1) held.delete(owner);
      else held.set(owner, count - 1);
    },
  };
}
