/**
 * What was asked of the mapping before a recheck may be out of date: remembered for each recheck with whom it is about,
 * and for everybody where it is not remembered any more. So time and number bound what is kept, never what holds.
 */

import type { Clock } from "../clock.js";

export interface RecheckMemory<Asked> {
  /** One about the same takes the place of the one before. */
  add(recheck: Remembered<Asked>): void;
  /**
   * Whether a recheck that was meant for this one, too, came after its admission was asked for. Also so of one that is
   * older than all that is remembered: whoever asks again is not.
   * @param askedAt of the admission; 0 for one nobody counted
   */
  isOutdated(askedAt: number, asked: Asked): boolean;
}

export interface Remembered<Asked> {
  /** What it names, in parts: two are about the same when all of them are. */
  readonly about: readonly unknown[];
  /** What was asked for up to here may be out of date. */
  readonly since: number;
  readonly covers: (asked: Asked) => boolean;
}

export interface RecheckMemoryOptions {
  /** For how long each is remembered by itself. Milliseconds, default for ever. */
  readonly keepMs?: number | undefined;
  /** Remembered by themselves, at most. Default 256. */
  readonly maxRemembered?: number | undefined;
}

interface Entry<Asked> extends Remembered<Asked> {
  readonly forgetAt: number;
}

export function createRecheckMemory<Asked>(
  clock: Pick<Clock, "monotonic">,
  { keepMs = Infinity, maxRemembered = 256 }: RecheckMemoryOptions = {},
): RecheckMemory<Asked> {
  // In the order in which they came.
  let entries: readonly Entry<Asked>[] = [];
  /** What was asked for up to here is older than something forgotten. */
  let floor = -1;

  return {
    add(recheck) {
      const now = clock.monotonic();
      const others = entries.filter(({ about }) => !isSame(about, recheck.about));
      // Oldest first: those that are over stand before all others.
      const first = others.findIndex(({ forgetAt }) => forgetAt > now);
      const late = first === -1 ? others.length : first;
      const forgotten = Math.max(late, others.length - maxRemembered + 1);
      floor = Math.max(floor, others[forgotten - 1]?.since ?? floor);
      entries = [...others.slice(forgotten), { ...recheck, forgetAt: now + keepMs }];
    },
    isOutdated(askedAt, asked) {
      return askedAt <= floor || entries.some(({ since, covers }) => askedAt <= since && covers(asked));
    },
  };
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((part, index) => part === other[index]);
}
