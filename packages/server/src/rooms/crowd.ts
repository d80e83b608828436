/** Sockets without a principal: how many there may be, of all together and of one remote address. */

import { createShares } from "../core/admission/shares.js";
import { addressKey } from "../core/limits/address-key.js";

export interface Crowd {
  /**
   * Undefined when there is no room; else what gives it back, once. An IPv6 network counts as one address, as it does
   * for every limit; so do all peers that have none.
   */
  enter(remoteAddress: string | undefined): (() => void) | undefined;
}

export function createCrowd(max: number, maxPerAddress: number): Crowd {
  const shares = createShares(maxPerAddress);
  let size = 0;
  return {
    enter(remoteAddress) {
      const key = addressKey(remoteAddress) ?? "";
      if (size >= max || !shares.take(key)) return undefined;
      size++;
      let isIn = true;
      return () => {
        if (!isIn) return;
        isIn = false;
        size--;
        shares.give(key);
      };
    },
  };
}
